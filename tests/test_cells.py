"""Cells on a real cluster, as `exec` and `cells` show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from place import printed

from dbx_magic import verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import NotFoundError, RemoteError, UsageError
from dbx_magic.events import Event, Note, Shown
from dbx_magic.frames import words
from dbx_magic.output import Display
from dbx_magic.show import text
from dbx_magic.table import TABLE

Perform = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("on_the_shared_cluster")


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


@pytest.fixture
def variables(dbx: Dbx) -> dict[str, Any]:
    """The variables of the notebook that the cells are in."""
    dbx.variables = {}
    return dbx.variables  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("answer = 42", 42),
        ("40 + 2", 42),
        ("answer = 42\nprint('done')", 42),
        ("first = 'ä'; first + (\n  'b'\n)  # why", "äb"),
        ("answer = {'b': (1, None)}\nanswer", {"b": (1, None)}),
        ("import asyncio\nawait asyncio.sleep(0, 'later')", "later"),
        ("%sh ls\n", None),
    ],
)
def test_a_value_comes_back_as_a_variable(
    perform: Perform, variables: dict[str, Any], code: str, value: object
) -> None:
    perform("exec", code="answer = None")
    done = perform("exec", code=code, output="answer")
    assert variables["answer"] == value
    assert done.brought == f"answer: {words(value)}"


def test_a_cell_that_leaves_nothing_to_bring_says_so(
    perform: Perform, variables: dict[str, Any]
) -> None:
    with pytest.raises(RemoteError, match="has left no variable nothing"):
        perform("exec", code="other = 1", output="nothing")
    with pytest.raises(RemoteError, match="lock does not travel"):
        perform("exec", code="import threading\nthreading.Lock()", output="lock")
    assert variables == {}


def test_lines_of_a_traceback_stay_when_its_value_is_wanted(
    perform: Perform, variables: dict[str, Any]
) -> None:
    with pytest.raises(RemoteError) as caught:
        perform("exec", code="y = 0\n\n1 / y", output="x")
    assert "line 3" in "\n".join(caught.value.traceback)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"output": "no name"}, "'no name' cannot be the name of a variable"),
        ({"send": ("missing",)}, "no variable missing here"),
        ({"output": "x", "language": "scala"}, "python and sql, not scala"),
        ({"rows": 3}, "Add -o NAME"),
        ({"output": "x", "background": True}, "neither -o nor --timeout"),
        ({"timeout": -1.0}, "above 0"),
    ],
)
def test_options_that_do_not_go_together(
    perform: Perform, variables: dict[str, Any], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        perform("exec", code="1", **arguments)


def test_without_a_notebook_there_are_no_variables(perform: Perform) -> None:
    with pytest.raises(UsageError, match="-o works in a notebook"):
        perform("exec", code="1", output="x")


def test_a_cell_that_takes_too_long_is_stopped(perform: Perform) -> None:
    perform("exec", code="finished = False")
    with pytest.raises(RemoteError, match=r"not ended after 0\.3 s"):
        perform("exec", code="import time\ntime.sleep(60)\nfinished = True", timeout=0.3)
    seen: list[Event] = []
    perform("exec", seen, code="finished")
    assert printed(seen) == "False"


def test_cells_in_the_background_are_listed_shown_and_stopped(
    dbx: Dbx, perform: Perform, variables: dict[str, Any]
) -> None:
    long = "print('begun', flush=True)\nimport time\ntime.sleep(100)"
    first = perform("exec", code=long, background=True)
    second = perform("exec", code="1 / 0", background=True)
    assert (first.number, second.number) == (1, 2)
    seen: list[Event] = []
    while "begun" not in printed(seen):
        seen.clear()
        shown = perform("cells", seen, number=1)
    assert [cell.status for cell in shown.cells] == ["Running"]
    assert [cell.status for cell in perform("cells").cells] == ["Queued", "Running"]
    (stopped,) = perform("cells", number=1, cancel=True).cells
    assert stopped.status in ("Cancelling", "Cancelled")
    while perform("cells").cells[0].status in ("Queued", "Running"):
        pass
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        perform("cells", number=2)
    assert [cell.status for cell in perform("cells").cells] == ["Error", "Cancelled"]
    listed = text(perform("cells").view())
    assert "✗ failed" in listed
    assert "print('begun', flush=True) …" in listed
    with pytest.raises(UsageError, match="no cell 3"):
        perform("cells", number=3)
    ((key, context_id),) = dbx.contexts.items()
    dbx.workspace.destroy_context(key[0], context_id)
    assert "lost with its" in text(perform("cells").view())


def test_the_end_of_a_kernel_closes_its_contexts(dbx: Dbx, shared_cluster: str) -> None:
    manager, client = start_new_kernel(cwd=str(dbx.project.root))
    said: list[str] = []

    def cell(code: str) -> None:
        client.execute_interactive(
            code, output_hook=lambda message: said.append(message["content"].get("text", ""))
        )

    try:
        cell("%load_ext dbx_magic")
        cell("%%dbx\n1")
        cell(
            "print(*get_ipython().magics_manager.registry['DbxMagics'].dbx_of_kernel.contexts.values())"
        )
        (context_id,) = "".join(said).split()
        assert dbx.workspace.context(shared_cluster, context_id)["status"] == "Running"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    with pytest.raises(NotFoundError, match="not found"):
        dbx.workspace.context(shared_cluster, context_id)
