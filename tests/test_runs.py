"""Whole notebooks on a real cluster, as `run` shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dbx_magic.dbx import Dbx
from dbx_magic.errors import NotFoundError, RemoteError
from dbx_magic.events import Event, Shown
from dbx_magic.output import Display, Stream

Perform = Callable[..., Any]


@pytest.fixture(autouse=True)
def on_the_shared_cluster(dbx: Dbx, shared_cluster: str) -> None:
    dbx.project.pick(shared_cluster)


def printed(seen: list[Event]) -> str:
    return "".join(
        event.output.text
        for event in seen
        if isinstance(event, Shown) and isinstance(event.output, Stream | Display)
    )


NOTEBOOK = """# Databricks notebook source
dbutils.widgets.text("name", "world")
name = dbutils.widgets.get("name")
print("hello", name)

# COMMAND ----------

assert name != "nobody", "somebody must be there"

# COMMAND ----------

dbutils.notebook.exit(name.upper())
"""


@pytest.fixture
def greeting(dbx: Dbx) -> str:
    root = dbx.project.target.root
    dbx.workspace.make_folder(root)
    dbx.workspace.put(f"{root}/greet", NOTEBOOK.encode(), "SOURCE", "python")
    return f"{root}/greet"


def test_a_notebook_runs_with_parameters_and_gives_its_value(
    perform: Perform, greeting: str
) -> None:
    seen: list[Event] = []
    ran = perform("run", seen, notebook="greet", parameter={"name": "ada"})
    assert (ran.notebook, ran.value) == (greeting, "ADA")
    assert "hello ada" in printed(seen)


@pytest.mark.parametrize("name", ["workspace/greet.py", "./greet", "/Shared/hello/greet"])
def test_a_notebook_is_found_by_file_or_path(perform: Perform, greeting: str, name: str) -> None:
    assert perform("run", notebook=name).value == "WORLD"


def test_a_failed_run_names_the_cell(perform: Perform, greeting: str) -> None:
    with pytest.raises(RemoteError, match=r"/Shared/hello/greet failed.*somebody must be"):
        perform("run", notebook="greet", parameter={"name": "nobody"})


def test_a_notebook_that_was_not_pushed_is_said_so(perform: Perform) -> None:
    with pytest.raises(NotFoundError, match=r"no notebook /Shared/hello/nowhere.*push"):
        perform("run", notebook="nowhere")


def test_what_a_run_showed_at_its_very_end_is_told(perform: Perform, dbx: Dbx) -> None:
    """The last cell's output comes as the run ends; none of it may fall between two looks."""
    root = dbx.project.target.root
    dbx.workspace.make_folder(root)
    source = b"-- Databricks notebook source\nselect 'the end' as words"
    dbx.workspace.put(f"{root}/last", source, "SOURCE", "sql")
    seen: list[Event] = []
    perform("run", seen, notebook="last")
    assert printed(seen).count("the end") == 1
