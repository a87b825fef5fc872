"""Push and pull over a wire that is slow, broken or cut: real sockets, a real workspace behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from place import edit_there, perform, pull, push, remote, source, write
from wire import Fault, Request, Wire, running, status

from dbx_magic import verbs
from dbx_magic.comparison import GONE, content_of
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, DbxError, WorkspaceError
from dbx_magic.local_process import Server
from dbx_magic.pushlock import PushLock
from dbx_magic.remote import Folder
from dbx_magic.rest import Rest
from dbx_magic.show import text
from dbx_magic.workspace import Workspace

TIMEOUT = 0.4
FAULTS = {
    "busy": Fault(status(429, "Retry-After: 1\r\n")),
    "unavailable": Fault(status(503)),
    "broken": Fault(status(500)),
    "broken after it was done": Fault(status(500), after=True),
    "cut": Fault(),
    "cut after it was done": Fault(after=True),
    "garbage": Fault(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\x00garbage"[:-1]),
    "garbage after it was done": Fault(
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n[1, 2]", after=True
    ),
    "no answer of HTTP": Fault(b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"),
    "too late": Fault(delay=3 * TIMEOUT, passes=True),
}


@pytest.fixture
def wire(local: Server) -> Iterator[tuple[Wire, str]]:
    """A wire to the local workspace."""
    wire = Wire(local.url)
    with running(wire) as url:
        yield wire, url


def through(wire: tuple[Wire, str], dbx: Dbx, local: Server, *, patience: float = 20.0) -> Wire:
    """Let a project reach its workspace through the wire, with no time to lose."""
    dbx.workspace.rest = Rest(
        wire[1],
        lambda: {"Authorization": f"Bearer {local.token}"},
        patience=patience,
        sleep=lambda seconds: time.sleep(min(seconds, 0.02)),
        timeouts=(5.0, TIMEOUT),
    )
    return wire[0]


def every(n: int, fault: Fault) -> Callable[[Request], Fault | None]:
    return lambda request: fault if request.number % n == 0 else None


def fill(project: Path, version: str) -> dict[str, str]:
    """Write three folders of notebooks and files; gives what the workspace has to be."""
    wanted = {"python:greet": source('print("hello")')}
    for number in range(12):
        folder = f"f{number % 3}"
        text = source(f"number = {number}", f"version = {version!r}")
        write(project, f"workspace/{folder}/n{number}.py", text)
        write(project, f"workspace/{folder}/d{number}.txt", f"{number} {version}")
        wanted |= {
            f"{folder}/": "",
            f"python:{folder}/n{number}": text,
            f"file:{folder}/d{number}.txt": f"{number} {version}",
        }
    return wanted


@pytest.mark.parametrize("name", FAULTS)
def test_a_push_arrives_whatever_happens_to_every_third_request(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str], name: str
) -> None:
    line = through(wire, dbx, local)
    line.faults = every(3, FAULTS[name])
    wanted = fill(project, "first")
    push(dbx)
    wanted = fill(project, "second")
    push(dbx)
    line.faults = lambda _: None
    assert remote(dbx, root) == wanted
    assert push(dbx).sent == ()
    assert dbx.workspace.object(f"{root}/.dbx/lock.json") is None


@pytest.mark.parametrize("name", [name for name in FAULTS if "after" not in name])
def test_a_pull_arrives_whatever_happens_to_every_third_request(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str], name: str
) -> None:
    line = through(wire, dbx, local)
    fill(project, "first")
    push(dbx)
    for number in range(12):
        edit_there(dbx, f"{root}/f{number % 3}/n{number}", f"theirs = {number}")
    line.faults = every(3, FAULTS[name])
    assert len(pull(dbx).taken) == 12
    line.faults = lambda _: None
    assert push(dbx).sent == ()
    assert (project / "workspace/f0/n3.py").read_text() == source("theirs = 3")


def test_an_edit_that_falls_between_two_tries_is_not_overwritten(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str]
) -> None:
    """The first try is lost on the way; before the second, somebody edits the notebook."""
    push(dbx)
    other = Workspace(dbx.workspace.login)
    line = through(wire, dbx, local)
    write(project, "workspace/greet.py", source("print('ours')"))
    done = threading.Event()

    def fault(request: Request) -> Fault | None:
        is_put = request.method == "POST" and request.path.endswith("/workspace/import")
        if not is_put or line.log[-1] != request or done.is_set():
            return None
        if sum(one.path.endswith("/workspace/import") for one in line.log) < 2:
            return None  # the lock
        done.set()
        other.put(f"{root}/greet", source("print('theirs')").encode(), "SOURCE", "python")
        return Fault()

    line.faults = fault
    with pytest.raises(ConflictError, match="greet was edited in the workspace while"):
        push(dbx)
    assert done.is_set()
    line.faults = lambda _: None
    assert remote(dbx, root)["python:greet"] == source("print('theirs')")


def test_an_object_that_appears_while_the_push_runs_is_not_overwritten(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str]
) -> None:
    push(dbx)
    other = Workspace(dbx.workspace.login)
    line = through(wire, dbx, local)
    write(project, "workspace/new.py", source("ours"))

    def fault(request: Request) -> Fault | None:
        if request.path.startswith("/api/2.0/preview/scim"):  # after the look, before it is sent
            other.put(f"{root}/new", source("theirs").encode(), "SOURCE", "python")
        return None

    line.faults = fault
    with pytest.raises(ConflictError, match="new was edited in the workspace while"):
        push(dbx)
    assert remote(dbx, root)["python:new"] == source("theirs")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(401), "does not accept the token"),
        (status(403, code="PERMISSION_DENIED"), "a fault of the test"),
    ],
)
def test_a_push_that_is_refused_in_the_middle_says_why_and_goes_on_later(
    dbx: Dbx,
    project: Path,
    root: str,
    local: Server,
    wire: tuple[Wire, str],
    answer: bytes,
    words: str,
) -> None:
    line = through(wire, dbx, local)
    wanted = fill(project, "first")
    start = line.requests + 20
    line.faults = lambda request: Fault(answer) if request.number > start else None
    with pytest.raises(WorkspaceError, match=words):
        push(dbx)
    line.faults = lambda _: None
    resumed = push(dbx)
    assert 0 < len(resumed.sent) < 25
    assert remote(dbx, root) == wanted


def test_what_the_workspace_refuses_is_named_with_its_own_words(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str]
) -> None:
    push(dbx)
    line = through(wire, dbx, local)
    write(project, "workspace/deep/train.py", source("a"))
    refused = Fault(status(400, code="MAX_NOTEBOOK_SIZE_EXCEEDED"))
    locked: list[Request] = []

    def fault(request: Request) -> Fault | None:
        if not request.path.endswith("/workspace/import"):
            return None
        locked.append(request)
        return refused if len(locked) > 1 else None

    line.faults = fault
    with pytest.raises(WorkspaceError, match="deep/train was refused: a fault of the test"):
        push(dbx)
    line.faults = lambda _: None
    assert push(dbx).sent == ("deep/train",)


def test_a_target_that_may_only_be_read_says_so_and_nothing_is_sent(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str]
) -> None:
    push(dbx)
    before = remote(dbx, root)
    line = through(wire, dbx, local)
    fill(project, "first")
    refused = Fault(status(403, code="PERMISSION_DENIED"))
    writes = ("/workspace/import", "/workspace/mkdirs", "/workspace/delete", "/import-file")

    def fault(request: Request) -> Fault | None:
        is_write = any(name in request.path for name in writes)
        return refused if request.method == "POST" and is_write else None

    line.faults = fault
    with pytest.raises(WorkspaceError, match="a fault of the test"):
        push(dbx)
    # To read is all that these two need.
    assert len(perform(dbx, "diff", names=True).objects) == 24
    edit_there(Dbx(project), f"{root}/greet", "theirs")
    assert pull(dbx).taken == ("greet",)
    line.faults = lambda _: None
    assert remote(dbx, root) == before | {"python:greet": source("theirs")}
    assert len(push(dbx).sent) == 24


def test_a_file_saved_while_a_pull_runs_is_not_overwritten(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str]
) -> None:
    for name in ("data.csv", "train.py"):
        write(project, f"workspace/{name}", source("base") if name == "train.py" else "base")
    push(dbx)
    dbx.workspace.put(f"{root}/data.csv", b"theirs", "RAW")
    edit_there(dbx, f"{root}/train", "theirs")
    line = through(wire, dbx, local)

    def fault(request: Request) -> Fault | None:
        if "/workspace/export" in request.path:  # all files have been looked at by then
            write(project, "workspace/data.csv", "saved meanwhile")
            write(project, "workspace/train.py", source("saved meanwhile"))
        return None

    line.faults = fault
    result = pull(dbx)
    assert {one.path for one in result.unsettled} == {"data.csv", "train"}
    assert (project / "workspace/data.csv").read_text() == "saved meanwhile"
    assert (project / "workspace/train.py").read_text() == source("saved meanwhile")


def test_what_a_colleague_edits_while_a_pull_runs_comes_with_the_next(
    dbx: Dbx,
    project: Path,
    root: str,
    local: Server,
    wire: tuple[Wire, str],
    tmp_path: Path,
) -> None:
    """A colleague's push said what the notebook is; before it is read, it is edited once more."""
    push(dbx)
    clone = tmp_path / "clone" / "hello"
    shutil.copytree(project, clone, ignore=shutil.ignore_patterns(".dbx"))
    write(clone, "workspace/greet.py", source("second"))
    fill(clone, "many, so that the record says when each was edited")
    colleague = Dbx(clone)
    push(colleague)
    line = through(wire, dbx, local)

    def fault(request: Request) -> Fault | None:
        if "/workspace/export" in request.path and "greet" in request.path:
            line.faults = lambda _: None
            edit_there(colleague, f"{root}/greet", "third")
        return None

    line.faults = fault
    (left,) = pull(dbx).unsettled
    assert text(left.view()).endswith(
        "greet was edited in the workspace while the pull ran. Pull again."
    )
    assert (project / "workspace/greet.py").read_text() == source('print("hello")')
    assert pull(dbx).taken == ("greet",)
    assert (project / "workspace/greet.py").read_text() == source("third")
    assert pull(dbx).taken == ()
    colleague.close()


def test_the_network_goes_away_and_comes_back(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str]
) -> None:
    line = through(wire, dbx, local, patience=0.3)
    wanted = fill(project, "first")
    start = line.requests + 15
    line.faults = lambda request: Fault() if request.number > start else None
    with pytest.raises(WorkspaceError, match="cannot be reached"):
        push(dbx)
    line.faults = lambda _: None
    push(dbx)
    assert remote(dbx, root) == wanted


def test_the_folder_is_never_empty_or_missing_for_a_reader(
    dbx: Dbx, project: Path, root: str, local: Server
) -> None:
    """All objects are there at any moment, each with the old or the new content."""
    old = fill(project, "first")
    push(dbx)
    new = fill(project, "second")
    reader = Workspace(dbx.workspace.login)
    stop = threading.Event()
    problems: list[str] = []
    polls = 0

    def poll() -> None:
        nonlocal polls
        while not stop.is_set():
            names = {item["path"].removeprefix(f"{root}/") for item in reader.objects(f"{root}/f1")}
            if len(names) != 8:
                problems.append(f"only {sorted(names)}")
            number = 1 + 3 * (polls % 4)
            text = reader.fetch(f"{root}/f1/n{number}").decode()
            key = f"python:f1/n{number}"
            if text not in (old[key], new[key]):
                problems.append(text)
            polls += 1

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        push(dbx)
    finally:
        stop.set()
        thread.join()
    assert problems == []
    assert polls > 0
    assert remote(dbx, root) == new


def test_a_colleague_who_edits_all_the_time_loses_nothing(
    dbx: Dbx, project: Path, root: str
) -> None:
    """Each edit, ours or theirs, ends in the workspace, in the project or in a backup."""
    fill(project, "first")
    push(dbx)
    theirs: list[str] = []
    other = Workspace(dbx.workspace.login)

    def edit() -> None:
        for number in range(12):
            mark = f"theirs = {number}"
            path = f"{root}/f{number % 3}/n{number}"
            other.put(path, source(mark).encode(), "SOURCE", "python")
            theirs.append(mark)
            time.sleep(0.01)

    colleague = threading.Thread(target=edit)
    colleague.start()
    ours = []
    for number in range(12):
        mark = f"ours = {number}"
        file = project / f"workspace/f{number % 3}/n{number}.py"
        file.write_text(f"{file.read_text()}\n# COMMAND ----------\n\n{mark}\n")
        ours.append(mark)
        try:
            push(dbx)
        except ConflictError:
            settle(dbx, project)
    colleague.join()
    settle(dbx, project)
    push(dbx)
    everything = "\n".join(
        [
            *remote(dbx, root).values(),
            *(file.read_text() for file in project.rglob("*") if file.suffix in (".py", ".txt")),
        ]
    )
    assert [mark for mark in [*ours, *theirs] if f"{mark}\n" not in everything] == []
    assert push(dbx).sent == ()


def settle(dbx: Dbx, project: Path) -> None:
    """Pull, and keep both versions of each cell in conflict."""
    for one in pull(dbx).unsettled:
        file = project / one.file
        cells = file.read_text().split("\n\n# COMMAND ----------\n\n")
        file.write_text(
            "\n\n# COMMAND ----------\n\n".join(c for c in cells if "dbx conflict" not in c)
        )


def test_two_pushers_at_once(dbx: Dbx, project: Path, root: str, tmp_path: Path) -> None:
    """One of them is told to wait or to pull; in the end both have everything."""
    fill(project, "first")
    push(dbx)
    clone = tmp_path / "clone" / "hello"
    shutil.copytree(project, clone, ignore=shutil.ignore_patterns(".dbx"))
    other = Dbx(clone)
    push(other)
    for number in range(12):
        where = project if number % 2 else clone
        write(where, f"workspace/f{number % 3}/n{number}.py", source(f"edited = {number}"))
    errors: list[DbxError] = []

    def run(one: Dbx) -> None:
        try:
            push(one)
        except ConflictError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in (dbx, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) <= 2
    for one in (dbx, other, dbx):
        pull(one)
        push(one)
    pull(other)
    other.close()
    for number in range(12):
        wanted = source(f"edited = {number}")
        assert remote(dbx, root, f"f{number % 3}")[f"python:f{number % 3}/n{number}"] == wanted
        assert (clone / f"workspace/f{number % 3}/n{number}.py").read_text() == wanted


def test_a_lock_of_somebody_else_is_respected_until_it_ends(
    dbx: Dbx, project: Path, root: str
) -> None:
    push(dbx)
    write(project, "workspace/greet.py", source("next"))
    lock = b'{"id": "1", "owner": "other", "who": "bob on ci", "until": %d, "sending": {}}'
    dbx.workspace.put(f"{root}/.dbx/lock.json", lock % (time.time() + 90), "RAW")
    with pytest.raises(ConflictError, match="being pushed by bob on ci right now"):
        push(dbx)
    assert remote(dbx, root)["python:greet"] == source('print("hello")')
    dbx.workspace.put(f"{root}/.dbx/lock.json", lock % (time.time() - 1), "RAW")
    assert push(dbx).sent == ("greet",)
    assert dbx.workspace.object(f"{root}/.dbx/lock.json") is None


def test_a_stop_does_not_wait_for_a_workspace_that_is_busy(
    dbx: Dbx, project: Path, root: str, local: Server, wire: tuple[Wire, str]
) -> None:
    line = wire[0]
    dbx.workspace.rest = Rest(wire[1], lambda: {"Authorization": f"Bearer {local.token}"})
    line.faults = lambda _: Fault(status(429, "Retry-After: 60\r\n"))
    work = verbs.perform(dbx, "push", {})
    next(work)
    begun = time.monotonic()
    work.close()
    assert time.monotonic() - begun < 30  # it does not wait out the minute that was asked for


def test_a_full_disk_is_said_and_the_pull_goes_on_later(dbx: Dbx, project: Path, root: str) -> None:
    """The limit on a file's size stands in for the disk's."""
    push(dbx)
    dbx.workspace.put(f"{root}/a.txt", b"small", "RAW")
    dbx.workspace.put(f"{root}/large.txt", b"x" * 3_000_000, "RAW")
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "from dbx_magic.cli import main\n"
        "sys.exit(main(['pull']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "large.txt" in done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert (project / "workspace/a.txt").read_text() == "small"
    assert sorted(path.name for path in (project / "workspace").iterdir()) == ["a.txt", "greet.py"]
    assert pull(dbx).taken == ("large.txt",)


def test_the_local_workspace_replaces_only_what_was_not_edited_since(
    dbx: Dbx, project: Path, root: str
) -> None:
    push(dbx)
    seen = dbx.workspace.object(f"{root}/greet")
    assert seen
    deadline = time.monotonic() + 10
    while (dbx.workspace.object(f"{root}/greet") or seen)["modified_at"] == seen["modified_at"]:
        edit_there(dbx, f"{root}/greet", "theirs")  # its clock ticks in milliseconds
        assert time.monotonic() < deadline
    for refused in (
        lambda: dbx.workspace.put(
            f"{root}/greet", b"x", "SOURCE", "python", seen_at=seen["modified_at"]
        ),
        lambda: dbx.workspace.delete(f"{root}/greet", seen_at=seen["modified_at"]),
    ):
        with pytest.raises(WorkspaceError, match="was edited since") as caught:
            refused()
        assert caught.value.code == "ABORTED"
    assert remote(dbx, root)["python:greet"] == source("theirs")


def test_a_push_that_slept_does_not_take_the_lock_from_another(
    dbx: Dbx, project: Path, root: str
) -> None:
    push(dbx)
    folder = Folder(dbx.workspace, root)
    mine = PushLock(folder, "mine")
    mine.take()
    theirs = PushLock(folder, "theirs", now=lambda: time.time() + 1000, sleep=lambda _: None)
    theirs.take()
    with pytest.raises(ConflictError, match="asleep for so long"):
        mine.must_still_be_held()
    mine.release()
    lock = json.loads(dbx.workspace.fetch(f"{root}/.dbx/lock.json"))
    assert lock["owner"] == "theirs"
    theirs.release()
    assert dbx.workspace.object(f"{root}/.dbx/lock.json") is None


def test_a_lock_that_this_checkout_left_behind_is_its_own(
    dbx: Dbx, project: Path, root: str
) -> None:
    push(dbx)
    folder = Folder(dbx.workspace, root)
    killed = PushLock(folder, "me", {"greet": content_of(b"x", "python")})
    killed.take()
    again = PushLock(folder, "me")
    again.take()
    assert again.left == {"greet": content_of(b"x", "python")}
    with pytest.raises(ConflictError, match="is being pushed by"):
        PushLock(folder, "other").take()
    again.release()


@pytest.mark.parametrize("clone", [False, True])
def test_what_a_killed_push_removed_is_not_taken_for_somebody_elses_doing(
    dbx: Dbx, project: Path, root: str, clone: bool
) -> None:
    """Not by the same checkout, nor by one that knows only what stands in the workspace."""
    write(project, "workspace/data.csv", "1")
    push(dbx)
    lock = PushLock(Folder(dbx.workspace, root), "killed", {"data.csv": GONE})
    lock.take()
    dbx.workspace.delete(f"{root}/data.csv")
    ended = json.loads(dbx.workspace.fetch(f"{root}/.dbx/lock.json")) | {"until": 0}
    dbx.workspace.put(f"{root}/.dbx/lock.json", json.dumps(ended).encode(), "RAW")
    if clone:
        shutil.rmtree(project / ".dbx")
    write(project, "workspace/data.csv", "2")
    assert push(dbx).sent == ("data.csv",)


@pytest.mark.parametrize("clone", [False, True])
def test_what_a_killed_push_created_is_removed_when_it_is_gone_here(
    dbx: Dbx, project: Path, root: str, clone: bool
) -> None:
    push(dbx)
    data = {"data.csv": content_of(b"1")}
    lock = PushLock(Folder(dbx.workspace, root), "killed", data)
    lock.take()
    dbx.workspace.put(f"{root}/data.csv", b"1", "RAW")
    ended = json.loads(dbx.workspace.fetch(f"{root}/.dbx/lock.json")) | {"until": 0}
    dbx.workspace.put(f"{root}/.dbx/lock.json", json.dumps(ended).encode(), "RAW")
    if clone:
        shutil.rmtree(project / ".dbx")
    write(project, "workspace/greet.py", source("next"))
    result = push(dbx)
    assert (result.sent, result.removed) == (("greet",), ("data.csv",))
