"""Following code on a real cluster over a line that breaks, and stopping it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from place import printed
from wire import Fault, Request, Wire, running, status

from dbx_magic import verbs
from dbx_magic.auth import Login
from dbx_magic.commands import Command, Reader
from dbx_magic.dbx import Dbx
from dbx_magic.errors import RemoteError, UnreachableError, WorkspaceError
from dbx_magic.events import Event, Note, Progress, Shown, drive
from dbx_magic.local_process import Server
from dbx_magic.output import Display
from dbx_magic.workspace import Workspace

COUNTING = "import time\nfor i in range(30):\n    print(i, flush=True)\n    time.sleep(0.05)"
COUNTED = "".join(f"{i}\n" for i in range(30))


@pytest.fixture
def line(dbx: Dbx, local: Server, shared_cluster: str) -> Iterator[Wire]:
    """The line between the project and the workspace."""
    dbx.project.pick(shared_cluster)
    wire = Wire(local.url)
    with running(wire) as url:
        known = dbx.workspace.login
        dbx._workspace = Workspace(Login(url, known.headers, known.profile))
        yield wire
        wire.faults = lambda _: None
        dbx.close()


def through(dbx: Dbx, code: str, seen: list[Event], **arguments: Any) -> Any:
    return drive(verbs.perform(dbx, "exec", {"code": code, **arguments}), seen.append)


def looks(wire: Wire) -> int:
    kinds = Counter(request.path.partition("?")[0] for request in wire.log)
    return kinds["/api/1.2/commands/events"] + kinds["/api/1.2/commands/status"]


@pytest.mark.parametrize(
    "fault",
    [Fault(), Fault(after=True), Fault(status(503)), Fault(status(429, "Retry-After: 0\r\n"))],
    ids=["cut before", "cut after", "unavailable", "busy"],
)
def test_nothing_is_lost_or_told_twice_on_a_bad_line(dbx: Dbx, line: Wire, fault: Fault) -> None:
    asked = Counter[str]()

    def breaks(request: Request) -> Fault | None:
        asked[request.path.partition("?")[0]] += 1
        return fault if "events" in request.path and asked.total() % 3 else None

    line.faults = breaks
    seen: list[Event] = []
    through(dbx, COUNTING, seen)
    assert printed(seen) == COUNTED
    assert any(isinstance(event, Progress) and "trying again" in event.state for event in seen)


def test_a_workspace_that_stays_away_is_said_so(
    dbx: Dbx, line: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbx_magic.commands._PATIENCE", 0.5)

    def goes_away(request: Request) -> Fault | None:
        return Fault() if "/commands/events" in request.path else None

    line.faults = goes_away
    with pytest.raises(UnreachableError, match="cannot be reached"):
        through(dbx, "1", [])


@pytest.mark.parametrize("line_is_dead", [False, True], ids=["line up", "line dead"])
def test_an_interrupt_returns_and_stops_the_code(
    dbx: Dbx, line: Wire, *, line_is_dead: bool
) -> None:
    """The signal comes while the answer is waited for, as a Stop button's does."""
    through(dbx, "finished = False", [])
    seen: list[Event] = []
    sent: list[int] = []

    def interrupts(request: Request) -> Fault | None:
        if "go" not in printed(seen):
            return None
        if not sent:
            sent.append(request.number)
            os.kill(os.getpid(), signal.SIGINT)
        return Fault() if line_is_dead else None

    line.faults = interrupts
    code = "print('go', flush=True)\nimport time\ntime.sleep(100)\nfinished = True"
    with pytest.raises(KeyboardInterrupt):
        through(dbx, code, seen)
    assert dbx.notes == (["The cell is still being stopped on shared."] if line_is_dead else [])
    line.faults = lambda _: None
    seen.clear()
    through(dbx, "finished", seen)  # waits for its turn, and gets it
    assert printed(seen) == "False"


def test_code_that_does_not_listen_is_not_waited_for(dbx: Dbx, line: Wire) -> None:
    code = (
        "import time\nprint('go', flush=True)\nwhile True:\n"
        "    try: time.sleep(100)\n    except KeyboardInterrupt: pass"
    )
    work = verbs.perform(dbx, "exec", {"code": code})
    while not isinstance(next(work), Shown):
        pass
    work.close()
    assert dbx.notes == ["The cell is still being stopped on shared."]


def test_ten_seconds_cost_few_looks(dbx: Dbx, line: Wire) -> None:
    through(dbx, "1", [])
    before = looks(line)
    through(dbx, "import time\ntime.sleep(10)", [])
    assert 1 < looks(line) - before <= 12


def test_ten_seconds_cost_few_looks_where_none_is_held(
    dbx: Dbx, local: Server, shared_cluster: str
) -> None:
    """As on Databricks: each look is answered at once, and output comes at the end."""
    dbx.project.pick(shared_cluster)
    known = dbx.workspace.login
    wire = Wire(local.url, hides="x-dbx-magic")
    going = b'{"id": "1", "status": "Running", "results": null}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(going), going)
    begun = time.monotonic()

    def not_held(request: Request) -> Fault | None:
        early = time.monotonic() - begun < 10
        return Fault(answer) if early and "/commands/status" in request.path else None

    with running(wire) as url:
        dbx._workspace = Workspace(Login(url, known.headers, known.profile))
        through(dbx, "1", [])
        begun, before = time.monotonic(), looks(wire)
        wire.faults = not_held
        seen: list[Event] = []
        through(dbx, "print('one')\n40 + 2", seen)
        assert 10 < looks(wire) - before <= 40
        assert printed(seen) == "one\n42\n"
        dbx.close()


def test_what_a_cluster_of_databricks_tells_early_is_told_once(
    dbx: Dbx, local: Server, shared_cluster: str
) -> None:
    """Results that grow while a command runs: only what is new is shown."""
    dbx.project.pick(shared_cluster)
    known = dbx.workspace.login
    wire = Wire(local.url, hides="x-dbx-magic")
    told = iter(["", "one", "one\\ntwo"])

    def grows(request: Request) -> Fault | None:
        if "/commands/status" not in request.path or (text := next(told, None)) is None:
            return None
        results = f'{{"resultType": "text", "data": "{text}"}}' if text else "null"
        body = f'{{"id": "1", "status": "Running", "results": {results}}}'.encode()
        return Fault(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with running(wire) as url:
        dbx._workspace = Workspace(Login(url, known.headers, known.profile))
        through(dbx, "1", [])
        wire.faults = grows
        seen: list[Event] = []
        through(dbx, "print('one')\nprint('two')\nprint('three')", seen)
        texts = [event.output.text for event in seen if isinstance(event, Shown)]  # type: ignore[union-attr]
        assert texts == ["one", "\ntwo", "\nthree\n"]
        dbx.close()


def test_pictures_that_databricks_keeps_as_files_are_printed(
    dbx: Dbx, local: Server, shared_cluster: str
) -> None:
    dbx.project.pick(shared_cluster)
    list(dbx.workspace.write("dbfs:/FileStore/plots/a.png", iter([b"\x89PNG"])))
    wire = Wire(local.url, hides="x-dbx-magic")
    results = '{"resultType": "images", "fileNames": ["/plots/a.png", "/plots/gone.png"]}'
    body = f'{{"id": "1", "status": "Finished", "results": {results}}}'.encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    known = dbx.workspace.login
    with running(wire) as url:
        dbx._workspace = Workspace(Login(url, known.headers, known.profile))
        through(dbx, "1", [])
        wire.faults = lambda request: Fault(answer) if "/status" in request.path else None
        command = Command("1", shared_cluster, "1", "shared", "", 0.0)
        first, second = Reader(dbx, command).look()
        wire.faults = lambda _: None
        dbx.close()
    assert isinstance(first, Display)
    assert first.data["image/png"] == "iVBORw=="
    assert printed([Shown(second)]) == "[image /plots/gone.png]"


def test_a_driver_that_is_killed_says_so_and_the_next_cell_begins_anew(
    dbx: Dbx, line: Wire
) -> None:
    through(dbx, "kept = 1", [])
    with pytest.raises(RemoteError, match=r"Its variables are lost"):
        through(dbx, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", [])
    seen: list[Event] = []
    through(dbx, "'kept' in globals()", seen)
    assert printed(seen) == "False"
    assert any(isinstance(event, Note) and "are gone" in event.text for event in seen)


def test_a_cluster_that_dies_in_mid_cell_says_why_and_is_started_again(
    dbx: Dbx, line: Wire, shared_cluster: str
) -> None:
    kill = "import os, signal, time\nos.kill(spark._jvm.java.lang.ProcessHandle.current().pid(), 9)"
    with pytest.raises(WorkspaceError, match=r"shared stopped while the cell ran: .*lost"):
        through(dbx, f"{kill}\ntime.sleep(100)", [])
    while dbx.workspace.cluster(shared_cluster)["state"] != "TERMINATED":  # held until it changes
        pass
    seen: list[Event] = []
    through(dbx, "40 + 2", seen)
    assert printed(seen) == "42"
    assert any(isinstance(event, Note) and "being started" in event.text for event in seen)


def test_a_cluster_that_is_deleted_in_mid_cell_is_said_so(
    dbx: Dbx, line: Wire, shared_cluster: str
) -> None:
    code = "print('go', flush=True)\nimport time\ntime.sleep(100)"
    work = verbs.perform(dbx, "exec", {"code": code})
    while not isinstance(next(work), Shown):
        pass
    dbx.workspace.delete_cluster(shared_cluster)
    with pytest.raises(WorkspaceError, match="shared was deleted while the cell ran"):
        list(work)
