"""Notebooks as .ipynb: what Jupyter and Databricks keep in them stays, what is broken is said."""

from __future__ import annotations

import json
import warnings
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.errors import ProjectError
from dbx_magic.merge import merge
from dbx_magic.notebook import (
    CELL_KEY,
    NOTEBOOK_KEY,
    Cell,
    Notebook,
    cell_language,
    foreign_language,
    new_metadata,
    parse_ipynb,
    render_ipynb,
)
from dbx_magic.source import parse_source, render_source

DATABRICKS_CELL = {
    "cellMetadata": {"byteLimit": 2048000, "rowLimit": 10000},
    "inputWidgets": {},
    "nuid": "6f6f0f10-6b0e-4f57-8b0b-111111111111",
    "showTitle": True,
    "tableResultSettingsMap": {},
    "title": "Tides, daily",
}


def content(*cells: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **others}


def code(source: str | list[str] = "x = 1", **others: Any) -> dict[str, Any]:
    filled = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return {**filled, "source": source, **others}


def markdown(source: str = "# T", **others: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source, **others}


def as_saved(value: dict[str, Any]) -> str:
    """The text of a file as Jupyter saves it."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
metadata = st.dictionaries(st.text(max_size=8), values, max_size=3)


@given(
    st.lists(
        st.builds(
            lambda text, about, outputs: code(
                text.splitlines(True) if "\r" not in text else [text],
                metadata=about,
                outputs=outputs,
            ),
            st.text("ab\n é", max_size=12),
            metadata,
            st.lists(st.dictionaries(st.text(max_size=5), values, max_size=2), max_size=2),
        ),
        max_size=3,
    ),
    metadata,
    st.sampled_from([0, 4]),
)
def test_a_file_that_is_only_read_is_written_as_jupyter_would(
    cells: list[dict[str, Any]], about: dict[str, Any], minor: int
) -> None:
    text = as_saved(content(*cells, metadata=about, nbformat_minor=minor))
    assert render_ipynb(parse_ipynb(text)) == text


def test_what_we_write_is_a_valid_notebook() -> None:
    cells = (
        Cell("code", "x = 1\ny = 2\n", title="T"),
        Cell("markdown", "", attachments={"a.png": {"image/png": "aGk="}}),
        Cell("raw", "r", metadata={"raw_mimetype": "text/html"}),
        Cell("code", "x = 1\ny = 2\n"),
        Cell("code", ""),
    )
    text = render_ipynb(Notebook("sql", cells, metadata=new_metadata("sql")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing or double id is only a warning
        read = nbformat.reads(text, as_version=4)
        nbformat.validate(read)
    assert [cell.source for cell in read.cells] == [cell.text for cell in cells]
    assert nbformat.writes(read) == text.removesuffix("\n")


def test_ids_of_new_cells_are_the_same_each_time_and_all_different() -> None:
    notebook = Notebook(cells=(Cell("code", ""),) * 4 + (Cell("code", "x", id="mine"),))
    ids = [cell.id for cell in parse_ipynb(render_ipynb(notebook)).cells]
    assert len(set(ids)) == 5
    assert ids[-1] == "mine"
    assert render_ipynb(notebook) == render_ipynb(notebook)


def test_a_notebook_from_before_ids_stays_one() -> None:
    text = as_saved(content(code(), nbformat_minor=2))
    assert '"id"' not in render_ipynb(parse_ipynb(text))


@pytest.mark.parametrize("source", ["a\nb", ["a\n", "b"], ["a", "\nb"]])
def test_the_source_of_a_cell_may_be_a_list(source: str | list[str]) -> None:
    [cell] = parse_ipynb(json.dumps(content(code(source)))).cells
    assert cell.text == "a\nb"


def test_databricks_own_export_keeps_its_keys_and_gives_titles() -> None:
    about = {NOTEBOOK_KEY: {"language": "scala", "notebookName": "tides", "widgets": {}}}
    sandboxed = {**DATABRICKS_CELL, "isMarkdownSandbox": True, "title": "", "showTitle": False}
    text = as_saved(
        content(
            code(["val x = 1"], metadata={CELL_KEY: DATABRICKS_CELL}, execution_count=0),
            markdown(["<b>x</b>"], metadata={CELL_KEY: sandboxed}),  # type: ignore[arg-type]
            metadata=about,
            nbformat_minor=0,
        )
    )
    notebook = parse_ipynb(text)
    assert render_ipynb(notebook) == text
    assert render_source(notebook) == (
        "// Databricks notebook source\n// DBTITLE 1,Tides, daily\nval x = 1\n\n"
        "// COMMAND ----------\n\n// MAGIC %md-sandbox\n// MAGIC <b>x</b>\n"
    )


def test_a_source_notebook_becomes_one_that_databricks_imports() -> None:
    text = "-- Databricks notebook source\n-- DBTITLE 0,T\nselect 1\n\n-- COMMAND ----------\n\n"
    written = json.loads(render_ipynb(parse_source(text + "-- MAGIC %md-sandbox\n-- MAGIC b\n")))
    assert written["metadata"][NOTEBOOK_KEY]["language"] == "sql"
    first, second = (cell["metadata"][CELL_KEY] for cell in written["cells"])
    assert (first["title"], first["showTitle"]) == ("T", False)
    assert second["isMarkdownSandbox"] is True
    assert "dbx_magic" not in written["metadata"]


ENVIRONMENT = {
    "base_environment": "databricks_ml_v5",
    "dependencies": ["tides==1.0", "gauges @ file:///a"],
    "environment_version": "5",
}
BLOCK = """# Databricks notebook source
# /// script
# [tool.databricks.environment]
# base_environment = "databricks_ml_v5"
# environment_version = "5"
# dependencies = [
#   "tides==1.0",
#   "gauges @ file:///a",
# ]
# ///
"""


def exported(environment: object) -> str:
    own = {"environmentMetadata": environment, "language": "python", "notebookName": "a"}
    return as_saved(content(code(["x = 1"]), metadata={NOTEBOOK_KEY: own}, nbformat_minor=0))


def test_a_serverless_environment_is_a_block_in_source_and_a_key_in_ipynb() -> None:
    notebook = parse_ipynb(exported(ENVIRONMENT))
    assert render_source(notebook) == BLOCK + "x = 1\n"
    assert render_ipynb(notebook) == exported(ENVIRONMENT)
    written = json.loads(render_ipynb(parse_source(BLOCK + "x = 1\n")))["metadata"]
    assert written[NOTEBOOK_KEY]["environmentMetadata"] == ENVIRONMENT
    assert "dbx_magic" not in written


@pytest.mark.parametrize(
    "environment",
    [None, {}, {"base_environment": "", "client": "1"}, "x", {"environment_version": 5}],
)
def test_an_environment_that_says_nothing_is_no_block(environment: object) -> None:
    notebook = parse_ipynb(exported(environment))
    assert render_source(notebook) == "# Databricks notebook source\nx = 1\n"
    assert render_ipynb(notebook) == exported(environment)


@pytest.mark.parametrize(
    "block",
    [
        "# /// script\n# ///",
        "# /// script\n# [tool.databricks.environment]\n# environment_version='5'\n# ///",
        '# /// script\n# environment_version = "5"\n# [tool.other]\n# x = 1\n# ///',
    ],
)
def test_a_block_that_the_key_cannot_hold_is_kept_as_text(block: str) -> None:
    text = f"# Databricks notebook source\n{block}\nx = 1\n"
    written = render_ipynb(parse_source(text))
    assert "environmentMetadata" not in written
    assert render_source(parse_ipynb(written)) == text


def test_an_edited_block_reaches_the_key() -> None:
    old = parse_source(BLOCK + "x = 1\n")
    new = parse_source(BLOCK.replace('version = "5"', 'version = "6"') + "x = 1\n")
    local = parse_ipynb(exported(ENVIRONMENT))
    own = json.loads(render_ipynb(merge(old, local, new).notebook))["metadata"][NOTEBOOK_KEY]
    assert own["environmentMetadata"] == {**ENVIRONMENT, "environment_version": "6"}
    assert own["notebookName"] == "a"
    without = parse_source("# Databricks notebook source\nx = 1\n")
    own = json.loads(render_ipynb(merge(old, local, without).notebook))["metadata"][NOTEBOOK_KEY]
    assert "environmentMetadata" not in own


def test_an_edited_title_leaves_databricks_other_keys_alone() -> None:
    text = as_saved(content(code(metadata={CELL_KEY: DATABRICKS_CELL})))
    [cell] = (notebook := parse_ipynb(text)).cells
    renamed = notebook._replace(cells=(cell._replace(title="Tides, hourly"),))
    [written] = json.loads(render_ipynb(renamed))["cells"]
    assert written["metadata"][CELL_KEY] == {**DATABRICKS_CELL, "title": "Tides, hourly"}


@pytest.mark.parametrize(
    ("about", "language", "foreign"),
    [
        ({}, "python", ""),
        ({"language_info": {"name": "R"}}, "r", ""),
        ({"kernelspec": {"language": "scala"}}, "scala", ""),
        ({NOTEBOOK_KEY: {"language": "sql"}, "language_info": {"name": "python"}}, "sql", ""),
        ({"language_info": {"name": "julia"}}, "python", "julia"),
        ({"language_info": 3, "kernelspec": None}, "python", ""),
    ],
)
def test_the_language_is_databricks_word_then_the_kernels(
    about: dict[str, Any], language: str, foreign: str
) -> None:
    notebook = parse_ipynb(json.dumps(content(metadata=about)))
    assert (notebook.language, foreign_language(notebook)) == (language, foreign)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", ("python", "x = 1")),
        ("%sql\nselect 1", ("sql", "select 1")),
        ("%sql select 1\nfrom t", ("sql", "select 1\nfrom t")),
        ("\n %py x", ("python", "x")),
        ("%run ./setup $a=1", ("run", "./setup $a=1")),
        ("%sh -e\nls", ("sh", "-e\nls")),
        ("%sql", ("sql", "")),
        ("%sqlite\nx", ("python", "%sqlite\nx")),
        ("%pip install tides", ("python", "%pip install tides")),
        ("x = 1\n%sql select 1", ("python", "x = 1\n%sql select 1")),
    ],
)
def test_the_first_line_of_a_cell_can_name_its_language(
    text: str, expected: tuple[str, str]
) -> None:
    assert cell_language(Cell("code", text), Notebook()) == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"train\.ipynb is empty"),
        (b" \n", r"train\.ipynb is empty"),
        (
            as_saved(content(code()))[:70].encode(),
            r"train\.ipynb, line \d+, column \d+: not valid JSON",
        ),
        (b'{"cells": [],\n<<<<<<< HEAD\n', r"line 2, column 1: .*"),
        ('{"cells": "é"'.encode("latin-1"), r"train\.ipynb is not UTF-8 \(byte 11\)"),
        (b"[1]", r'not a notebook: it has no "nbformat"'),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"nbformat": 3, "worksheets": []}', "is in notebook format 3; 4 is needed"),
        (b'{"nbformat": 4, "metadata": {}}', 'it has no list of "cells"'),
        (json.dumps(content(code(), {"cell_type": "heading"})).encode(), r"train\.ipynb, cell 2"),
        (json.dumps(content(code([1]))).encode(), r"train\.ipynb, cell 1"),  # type: ignore[list-item]
        (json.dumps(content("x")).encode(), r"train\.ipynb, cell 1"),  # type: ignore[arg-type]
    ],
)
def test_a_broken_file_is_named_with_place_and_reason(data: bytes, words: str) -> None:
    with pytest.raises(ProjectError, match=words) as caught:
        parse_ipynb(data, "train.ipynb")
    assert "\n" not in str(caught.value)


def test_strange_metadata_does_no_harm() -> None:
    odd = {"dbx_magic": [1], CELL_KEY: "x", "tags": 3}
    text = as_saved(
        content(code(["x"], metadata=odd), metadata={"dbx_magic": {"end": 5}}, nbformat_minor=4)
    )
    notebook = parse_ipynb(text)
    assert notebook.cells[0].layout == {}
    assert render_source(notebook) == "# Databricks notebook source\nx\n"
