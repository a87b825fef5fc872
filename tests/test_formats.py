"""A local notebook file of any format goes to Databricks and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbx_magic.errors import ConflictError, ProjectError
from dbx_magic.formats import incoming, outgoing, read_notebook, write_notebook
from dbx_magic.notebook import Cell, Notebook, new_metadata, render_ipynb
from dbx_magic.source import parse_source, render_source

CORPUS = Path(__file__).parent / "corpus"
PERCENT = b"""# %% [markdown]
# # Tides

# %% Read them
tides = read()

# %%
# %load_ext dbx_magic
# %dbx push

# %% language="sql"
# select 1
"""
LIGHT = b"""# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: light
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# # Tides

import os

high = 1
"""
MARKDOWN = b"""---
jupyter:
  jupytext:
    text_representation:
      extension: .md
      format_name: markdown
  kernelspec:
    display_name: Python 3
    language: python
    name: python3
---

# Tides

```python
high = 1
```

```sql
select 1
```
"""
MYST = b"""---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Tides

```{code-cell} ipython3
high = 1
```
"""
RMARKDOWN = b"""# Tides

```{r}
high <- 1
```

```{python}
high = 1
```
"""
SCALA = b"// %% [markdown]\n// # Tides\n\n// %%\nval high = 1\n"
R = b"# %% [markdown]\n# # Tides\n\n# %%\nhigh <- 1\n"
TEXTS = {
    "percent.py": (PERCENT, "python", ["# Tides", "tides = read()", "%sql\nselect 1"]),
    "light.py": (LIGHT, "python", ["# Tides", "import os", "high = 1"]),
    "tides.md": (MARKDOWN, "python", ["# Tides", "high = 1", "%sql\nselect 1"]),
    "myst.md": (MYST, "python", ["# Tides", "high = 1"]),
    "tides.Rmd": (RMARKDOWN, "python", ["# Tides", "%r\nhigh <- 1", "high = 1"]),
    "tides.scala": (SCALA, "scala", ["# Tides", "val high = 1"]),
    "tides.R": (R, "r", ["# Tides", "high <- 1"]),
}  # fmt: skip


def source(*texts: str) -> bytes:
    return render_source(Notebook(cells=tuple(Cell("code", text) for text in texts))).encode()


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_notebook_goes_to_databricks(name: str) -> None:
    data, language, cells = TEXTS[name]
    sent = outgoing(f"notebooks/{name}", data)
    assert sent is not None
    assert (sent.language, sent.warnings) == (language, ())
    notebook = parse_source(sent.text.decode(), sent.suffix)
    assert [cell.text for cell in notebook.cells] == cells
    assert notebook.cells[0].kind == "markdown"


@pytest.mark.parametrize("name", TEXTS)
def test_an_edit_of_the_workspace_comes_into_the_same_format(name: str) -> None:
    data, _, _ = TEXTS[name]
    base = outgoing(name, data)
    assert base is not None
    assert incoming(name, data, base.text, base.text).data == data
    edited = base.text.replace(b"# Tides", b"# High tides")
    came = incoming(name, data, base.text, edited)
    assert came.conflicts == ()
    assert came.data.splitlines()[-1] == data.splitlines()[-1]
    assert b"# High tides" in came.data
    again = outgoing(name, came.data)
    assert again is not None
    assert again.text == edited


def test_titles_of_percent_cells_are_databricks_titles() -> None:
    sent = outgoing("a.py", PERCENT)
    assert sent is not None
    assert b"# DBTITLE 1,Read them\n" in sent.text
    came = incoming("a.py", PERCENT, sent.text, sent.text.replace(b"1,Read them", b"1,Read all"))
    assert b"# %% Read all\n" in came.data
    assert b"# %dbx push" in came.data


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("helpers.py", b"def high(level):\n    return level > 5\n"),
        ("README.md", b"# Tides\n\n```python\nhigh = 1\n```\n"),
        ("README.md", b"---\ntitle: Tides\n---\n\nkernelspec: none\n"),
        ("query.sql", b"select 1\n"),
        ("notes.txt", b"# Databricks notebook source\n"),
        ("Makefile", b"all:\n"),
        ("picture.py", b"\xff\xfe\x00"),
        ("empty.py", b""),
    ],
)
def test_other_files_are_no_notebooks(path: str, data: bytes) -> None:
    assert outgoing(path, data) is None
    assert read_notebook(path, data) is None


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.*")), ids=lambda path: path.name)
def test_databricks_source_goes_and_comes_unchanged(path: Path) -> None:
    if path.name == ".gitattributes":
        return
    data = path.read_bytes()
    sent = outgoing(path.name, data)
    assert sent is not None
    assert sent.text == data
    assert incoming(path.name, data, data, data).data == data
    made = incoming("new.ipynb", None, None, data).data
    again = outgoing("new.ipynb", made)
    assert again is not None
    assert again.text == data


def test_an_ipynb_keeps_ids_tags_and_outputs_through_pull() -> None:
    output = {"name": "stdout", "output_type": "stream", "text": ["1\n"]}
    cells = (
        Cell("code", "%load_ext dbx_magic", id="load"),
        Cell("code", "a = 1", id="a", metadata={"tags": ["first"]}, outputs=[output]),
        Cell("code", "b = 1", id="b", metadata={"tags": ["second"]}, outputs=[output]),
    )
    local = render_ipynb(Notebook(cells=cells, metadata=new_metadata("python"))).encode()
    came = incoming("a.ipynb", local, source("a = 1", "b = 1"), source("a = 1", "b = 2", "c = 1"))
    load, first, second, third = json.loads(came.data)["cells"]
    assert load["source"] == ["%load_ext dbx_magic"]
    assert (first["id"], first["metadata"], first["outputs"]) == (
        "a",
        {"tags": ["first"]},
        [output],
    )
    assert (second["id"], second["source"], second["outputs"]) == ("b", ["b = 2"], [])
    assert second["metadata"] == {"tags": ["second"]}
    assert third["source"] == ["c = 1"]


def test_an_r_notebook_stays_one_in_an_ipynb() -> None:
    data = b"# Databricks notebook source\nlevels <- 1\n"
    made = incoming("a.ipynb", None, None, data, "r").data
    sent = outgoing("a.ipynb", made)
    assert sent is not None
    assert (sent.suffix, sent.text) == (".r", data)
    came = incoming("a.ipynb", made, data, data.replace(b"1", b"2"))
    again = outgoing("a.ipynb", came.data)
    assert again is not None
    assert (again.language, again.text) == ("r", data.replace(b"1", b"2"))


def test_a_conflict_is_in_the_file_and_in_the_answer() -> None:
    local = render_ipynb(Notebook(cells=(Cell("code", "a = 2"),))).encode()
    came = incoming("a.ipynb", local, source("a = 1"), source("a = 3"))
    [conflict] = came.conflicts
    assert (conflict.cell, conflict.here, conflict.there) == (1, "a = 2", "a = 3")
    assert len(json.loads(came.data)["cells"]) == 3
    with pytest.raises(ConflictError, match=r"a\.ipynb, cell 2"):
        outgoing("a.ipynb", came.data)


@pytest.mark.parametrize(
    ("path", "data", "words"),
    [
        ("a.py", b"# Databricks notebook source\nx = '\xe9'\n", r"a\.py is not UTF-8 \(byte 34\)"),
        ("a.ipynb", b'{"cells": [', r"a\.ipynb, line 1, column 12: not valid JSON"),
        ("a.ipynb", b"", r"a\.ipynb is empty"),
        (
            "a.myst",
            b"```{code-cell}\n---\ntags: [\n---\nx = 1\n```\n",
            r"a\.myst cannot be read as a text notebook: ",
        ),
    ],
)
def test_a_broken_notebook_is_named_with_its_reason(path: str, data: bytes, words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        outgoing(path, data)


def test_a_format_whose_program_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProjectError, match=r"a\.qmd cannot be read as a text notebook: .*quarto"):
        outgoing("a.qmd", b"```{python}\nx = 1\n```\n")


def test_what_comes_has_to_be_a_notebook_on_both_sides() -> None:
    with pytest.raises(ProjectError, match=r"helpers\.py is no notebook"):
        incoming("helpers.py", b"x = 1\n", None, source("x = 1"))
    with pytest.raises(ProjectError, match=r"a\.ipynb is not UTF-8"):
        incoming("a.ipynb", None, None, b"# Databricks notebook source\n\xe9")


def test_half_a_character_is_refused_where_it_cannot_be_written_and_kept_where_it_can() -> None:
    data = rb'{"cells": [{"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": ["x = \"\ud83c\""]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'  # fmt: skip # noqa: E501
    with pytest.raises(ProjectError, match=r"a\.ipynb has half a character .* after 'x = \"'"):
        outgoing("a.ipynb", data)
    notebook = read_notebook("a.ipynb", data)
    assert notebook is not None
    assert json.loads(write_notebook(notebook, "a.ipynb")) == json.loads(data)
