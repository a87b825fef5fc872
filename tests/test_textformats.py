"""jupytext, taught Databricks' format: commands, pairs and Jupyter's contents manager."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from jupytext.cli import jupytext as command

from dbx_magic.notebook import Cell, Notebook, new_metadata, parse_ipynb, render_ipynb
from dbx_magic.source import parse_source, render_source
from dbx_magic.textformats import register

CORPUS = Path(__file__).parent / "corpus"
OUTPUT = {"name": "stdout", "output_type": "stream", "text": ["1\n"]}


@pytest.fixture(autouse=True)
def registered() -> None:
    register()
    register()  # twice is once


@pytest.fixture
def ipynb(tmp_path: Path) -> Path:
    """A notebook that somebody has worked on, in a folder of its own."""
    cells = (
        Cell("markdown", "# Tides", id="title", metadata={"tags": ["top"]}),
        Cell("code", "%sql\nselect 1", id="query", metadata={"tags": ["a"]}, outputs=[OUTPUT]),
        Cell("code", "x = 1", "First", show_title=True, id="x", metadata={"tags": ["b"]}),
    )
    path = tmp_path / "tides.ipynb"
    about = {**new_metadata("python"), "mine": {"kept": True}}
    path.write_text(render_ipynb(Notebook(cells=cells, metadata=about)), encoding="utf-8")
    return path


def later(path: Path) -> None:
    os.utime(path, (path.stat().st_atime + 10, path.stat().st_mtime + 10))


def test_the_command_converts_both_ways(ipynb: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = parse_ipynb(ipynb.read_text(encoding="utf-8"))
    assert command(["--to", "py:databricks", str(ipynb)]) == 0
    script = ipynb.with_suffix(".py")
    assert script.read_text(encoding="utf-8") == render_source(before)
    assert command(["--to", "ipynb", str(script), "--output", str(ipynb)]) == 0
    after = parse_ipynb(ipynb.read_text(encoding="utf-8"))
    assert [cell[:4] for cell in after.cells] == [cell[:4] for cell in before.cells]
    assert "tides.py in format py" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.*")), ids=lambda path: path.name)
def test_every_source_notebook_opens_and_saves_unchanged(path: Path) -> None:
    if path.name == ".gitattributes":
        return
    text = path.read_bytes().decode()
    node = jupytext.reads(text, path.suffix)
    nbformat.validate(node)
    assert len(node.cells) == len(parse_source(text, path.name).cells)
    assert jupytext.writes(node, path.suffix) == text
    assert jupytext.writes(node, f"{path.suffix[1:]}:databricks") == text


def test_other_formats_are_what_they_were(ipynb: Path) -> None:
    text = "# %%\nx = 1\n\n# %% [markdown]\n# text\n"
    node = jupytext.reads(text, "py")
    assert [cell.source for cell in node.cells] == ["x = 1", "text"]
    assert jupytext.writes(node, "py:percent").endswith(text)
    assert jupytext.reads("import os\n\nx = 1\n", "py").metadata.jupytext.text_representation[
        "format_name"
    ] in ("light", "percent")
    assert jupytext.read(ipynb).metadata.mine == {"kept": True}


def test_a_pair_keeps_ids_tags_outputs_and_kernel(ipynb: Path) -> None:
    before = parse_ipynb(ipynb.read_text(encoding="utf-8"))
    assert command(["--set-formats", "ipynb,py:databricks", str(ipynb)]) == 0
    script = ipynb.with_suffix(".py")
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("1,First", "1,Once, renamed").replace("# Tides", "# High"))
    later(script)
    assert command(["--sync", str(ipynb)]) == 0
    after = parse_ipynb(ipynb.read_text(encoding="utf-8"))
    assert [cell.id for cell in after.cells] == ["title", "query", "x"]
    assert [cell.metadata["tags"] for cell in after.cells] == [["top"], ["a"], ["b"]]
    assert after.cells[0].text == "# High"
    assert after.cells[1] == before.cells[1]
    assert (after.cells[2].title, after.cells[2].show_title) == ("Once, renamed", True)
    assert after.metadata["mine"] == {"kept": True}
    assert after.metadata["kernelspec"] == before.metadata["kernelspec"]
    assert after.metadata["jupytext"] == {"formats": "ipynb,py:databricks"}
    assert render_source(after) == script.read_text(encoding="utf-8")


def test_jupyters_contents_manager_opens_saves_and_pairs(ipynb: Path) -> None:
    async def done(value: Any) -> Any:
        return await value if inspect.isawaitable(value) else value

    async def work() -> None:
        manager = jupytext.TextFileContentsManager(root_dir=str(ipynb.parent))
        for source in CORPUS.glob("*.*"):
            if source.suffix in (".py", ".sql", ".scala", ".r"):
                copy = ipynb.parent / source.name
                copy.write_bytes(source.read_bytes())
                model = await done(manager.get(source.name, type="notebook"))
                await done(manager.save(model, source.name))
                assert copy.read_bytes() == source.read_bytes(), source.name
        model = await done(manager.get("tides.ipynb", type="notebook"))
        model["content"]["metadata"]["jupytext"] = {"formats": "ipynb,py:databricks"}
        await done(manager.save(model, "tides.ipynb"))
        script = ipynb.with_suffix(".py")
        script.write_text(script.read_text(encoding="utf-8").replace("x = 1", "x = 2"))
        later(script)
        model = await done(manager.get("tides.ipynb", type="notebook"))
        assert [cell["source"] for cell in model["content"]["cells"]][2] == "x = 2"
        assert model["content"]["cells"][1]["outputs"] == [{**OUTPUT, "text": "1\n"}]
        (ipynb.parent / "plain.sql").write_text("select 1\n")
        model = await done(manager.get("plain.sql", type="file"))
        assert model["content"] == "select 1\n"

    asyncio.run(work())


def test_a_notebook_of_another_language_says_so_in_each_cell() -> None:
    node = jupytext.reads("-- Databricks notebook source\nselect 1\n", "sql")
    written = jupytext.writes(node, "py:databricks")
    assert written == "# Databricks notebook source\n# MAGIC %sql\n# MAGIC select 1\n"


def test_a_pair_of_stock_jupytext_is_not_touched_by_what_we_write() -> None:
    """Nothing that we write into a notebook names a format that others do not have."""
    text = render_ipynb(parse_source("# Databricks notebook source\n# DBTITLE 1,T\nx = 1\n"))
    assert "jupytext" not in text


@pytest.mark.parametrize("arguments", [["{bin}/jupytext"], ["-m", "jupytext"]])
def test_the_stock_command_knows_the_format_once_we_are_installed(
    ipynb: Path, arguments: list[str]
) -> None:
    """The line that the wheel puts into site-packages acts for this command only."""
    line = (Path(jupytext_pth()).read_text(encoding="utf-8")).strip()
    program = f"import sys; sys.orig_argv[1:] = {arguments!r}; exec({line!r})\n"
    known = "import jupytext.formats; print('databricks' in jupytext.formats._VALID_FORMAT_NAMES)"
    done = subprocess.run(
        [sys.executable, "-c", program + known], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
    other = f"import sys; exec({line!r}); print('jupytext' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def jupytext_pth() -> str:
    import dbx_magic

    return str(Path(dbx_magic.__file__).with_name("jupytext.pth"))
