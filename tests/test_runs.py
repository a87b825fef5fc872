"""Cells and notebooks on a real cluster, as the verbs show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dbx_magic import verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import NotFoundError, RemoteError
from dbx_magic.events import Event, Note, Shown
from dbx_magic.output import TABLE, Display, Stream

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


def test_a_cell_shows_what_it_prints_and_its_value(perform: Perform) -> None:
    seen: list[Event] = []
    perform("exec", seen, code="print('one')\n40 + 2")
    assert printed(seen) == "one\n42"


def test_variables_stay_for_the_next_cell(perform: Perform) -> None:
    perform("exec", code="answer = 42")
    seen: list[Event] = []
    perform("exec", seen, code="print(answer)")
    assert printed(seen) == "42\n"


def test_sql_is_a_table(perform: Perform) -> None:
    seen: list[Event] = []
    perform("exec", seen, code="select id, id * 2 as twice from range(3)", language="sql")
    (shown,) = [event.output for event in seen if isinstance(event, Shown)]
    assert isinstance(shown, Display)
    assert shown.data[TABLE]["rows"] == [[0, 0], [1, 2], [2, 4]]
    assert "3 rows" in shown.data["text/html"]


def test_sql_sees_what_python_made(perform: Perform) -> None:
    perform("exec", code="spark.range(4).createOrReplaceTempView('four')")
    seen: list[Event] = []
    perform("exec", seen, code="select count(*) from four", language="sql")
    assert "4" in printed(seen)


def test_sh_runs_in_a_shell(perform: Perform) -> None:
    seen: list[Event] = []
    perform("exec", seen, code="echo $((6 * 7))", language="sh")
    assert "42" in printed(seen)


def test_an_error_has_its_own_lines_and_none_of_ours(perform: Perform) -> None:
    with pytest.raises(RemoteError, match="ZeroDivisionError: division by zero") as caught:
        perform("exec", code="x = 1\ny = 0\nx / y")
    traceback = "\n".join(caught.value.traceback)
    assert "line 3" in traceback
    assert "dbx_magic" not in traceback
    perform("exec", code="x")  # the context is as it was


def test_leaving_a_cell_cancels_it_on_the_cluster(dbx: Dbx, perform: Perform) -> None:
    perform("exec", code="started = finished = False")
    work = verbs.perform(
        dbx,
        "exec",
        {
            "code": "started = True\nprint('go', flush=True)\n"
            "import time\ntime.sleep(120)\nfinished = True"
        },
    )
    while not isinstance(next(work), Shown):
        pass
    work.close()
    seen: list[Event] = []
    perform("exec", seen, code="print(started, finished)")
    assert printed(seen) == "True False\n"


def test_a_lost_context_is_said_and_replaced(dbx: Dbx, perform: Perform) -> None:
    perform("exec", code="kept = 1")
    ((cluster_id, _), context_id) = next(iter(dbx.contexts.items()))
    dbx.workspace.destroy_context(cluster_id, context_id)
    seen: list[Event] = []
    perform("exec", seen, code="'kept' in globals()")
    assert any(isinstance(event, Note) and "variables" in event.text for event in seen)
    assert printed(seen) == "False"


def test_closing_gives_the_contexts_back(dbx: Dbx, perform: Perform) -> None:
    perform("exec", code="1")
    ((cluster_id, _), context_id) = next(iter(dbx.contexts.items()))
    dbx.close()
    assert dbx.contexts == {}
    with pytest.raises(NotFoundError, match="not found"):
        dbx.workspace.context(cluster_id, context_id)


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
