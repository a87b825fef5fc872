"""Whole notebooks on a real cluster, as `run` shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from place import printed

from dbx_magic import verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import NotFoundError, RemoteError, UsageError
from dbx_magic.events import Event, Note, Progress
from dbx_magic.output import plain
from dbx_magic.show import text

Perform = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("on_the_shared_cluster")


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


def test_this_is_the_notebook_one_is_in(perform: Perform, dbx: Dbx, greeting: str) -> None:
    file = dbx.project.workspace / "greet.py"
    dbx.notebook = str(file)
    seen: list[Event] = []
    assert perform("run", seen, notebook="this").notebook == greeting
    (note,) = [event.text for event in seen if isinstance(event, Note)]
    assert "greet.py differs from /Shared/hello/greet, which is what runs" in note
    file.write_text(NOTEBOOK)
    seen.clear()
    perform("run", seen, notebook="this")
    assert not [event for event in seen if isinstance(event, Note)]
    dbx.notebook = ""
    with pytest.raises(UsageError, match="here is none"):
        perform("run", notebook="this")


def test_a_matrix_runs_each_combination_at_once(perform: Perform, greeting: str) -> None:
    seen: list[Event] = []
    tried = perform("run", seen, notebook="greet", matrix={"name": "ada, nobody,bob"})
    assert [run.parameters for run in tried.runs] == [
        {"name": "ada"},
        {"name": "nobody"},
        {"name": "bob"},
    ]
    assert [run.value for run in tried.runs] == ["ADA", "", "BOB"]
    assert [bool(run.error) for run in tried.runs] == [False, True, False]
    assert tried.exit_code == RemoteError.exit_code
    notes = [event.text for event in seen if isinstance(event, Note)]
    assert {"name=ada: ADA", "name=bob: BOB"} < set(notes)
    shown = text(tried.view())
    assert "3 runs, 1 of them failed" in shown
    assert "somebody must be there" in shown


def test_a_matrix_that_makes_no_sense_is_refused(perform: Perform, greeting: str) -> None:
    with pytest.raises(UsageError, match="name is given with -p and with --matrix"):
        perform("run", notebook="greet", parameter={"name": "a"}, matrix={"name": "b"})
    many = ",".join(map(str, range(101)))
    with pytest.raises(UsageError, match="101 runs"):
        perform("run", notebook="greet", matrix={"name": many})


def test_leaving_a_matrix_stops_its_runs(perform: Perform, dbx: Dbx, greeting: str) -> None:
    source = b"# Databricks notebook source\nimport time\ntime.sleep(300)"
    dbx.workspace.put(greeting, source, "SOURCE", "python")
    work = verbs.perform(dbx, "run", {"notebook": "greet", "matrix": {"n": "1,2"}})
    while not isinstance(next(work), Progress):
        pass
    work.close()
    listed = dbx.workspace.rest.get("2.2/jobs/runs/list", {"active_only": "true"})
    mine = [run for run in listed.get("runs", []) if run["run_name"] == greeting]
    for run in mine:
        while (state := dbx.workspace.run(run["run_id"])["state"])["life_cycle_state"] in (
            "RUNNING",
            "TERMINATING",
        ):
            pass
        assert state["result_state"] == "CANCELED"


def test_a_notebook_becomes_a_job_that_is_kept_as_it_was_set(
    perform: Perform, dbx: Dbx, greeting: str
) -> None:
    first = perform("run", notebook="greet", as_job=True, parameter={"name": "ada"})
    assert first.value == "ADA"
    (job,) = dbx.workspace.jobs("hello/greet")
    assert job["job_id"] == first.job_id
    dbx.workspace.update_job(first.job_id, {"timeout_seconds": 600})
    again = perform("run", notebook="greet", as_job=True)
    assert (again.job_id, again.value) == (first.job_id, "WORLD")
    (job,) = dbx.workspace.jobs("hello/greet")
    assert job["settings"]["timeout_seconds"] == 600
    tried = perform("run", notebook="greet", as_job=True, matrix={"name": "a,b"})
    assert [run.value for run in tried.runs] == ["A", "B"]


def test_the_cell_that_failed_is_named_with_its_traceback(perform: Perform, greeting: str) -> None:
    with pytest.raises(RemoteError) as caught:
        perform("run", notebook="greet", parameter={"name": "nobody"})
    traceback = "\n".join(caught.value.traceback)
    assert "greet failed in cell 2 (run " in str(caught.value)
    assert 'assert name != "nobody"' in plain(traceback)
