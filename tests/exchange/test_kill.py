"""A push or pull that is killed at any moment leaves nothing half done; the next one goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from place import HEADER, SEPARATOR, edit_there, pull, push, remote, source, write

from dbx_magic.dbx import Dbx

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
KILLS = 100


@pytest.fixture
def forked(local: object) -> Iterator[subprocess.Popen[str]]:
    """A process that forks another for each verb it is told to perform."""
    script = str(Path(__file__).with_name("forked.py"))
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def perform_and_kill(forked: subprocess.Popen[str], verb: str, folder: Path, after: float) -> bool:
    """Whether the verb was still under way when it was killed."""
    assert forked.stdin
    assert forked.stdout
    forked.stdin.write(f"{verb} {folder}\n")
    forked.stdin.flush()
    child = int(forked.stdout.readline())
    time.sleep(after)
    # It is not reaped before that is asked for, so the number is still its own.
    os.kill(child, signal.SIGKILL)
    forked.stdin.write("\n")
    forked.stdin.flush()
    return int(forked.stdout.readline()) == signal.SIGKILL


def text_of(version: int, number: int) -> str:
    return source(f"version = {version}", f"number = {number}")


def fill(project: Path, version: int) -> dict[str, str]:
    wanted = {"python:greet": source('print("hello")'), "f/": ""}
    for number in range(6):
        write(project, f"workspace/f/n{number}.py", text_of(version, number))
        wanted[f"python:f/n{number}"] = text_of(version, number)
    for number in range(3):  # some come, others go
        path = f"workspace/f/only{number}.txt"
        if (version + number) % 2:
            write(project, path, f"{version}")
            wanted[f"file:f/only{number}.txt"] = f"{version}"
        else:
            (project / path).unlink(missing_ok=True)
    return wanted


def must_be_whole(texts: dict[str, str], until: int) -> None:
    """Each notebook is there, as it was in one version."""
    for number in range(6):
        assert texts[f"n{number}"] in [text_of(version, number) for version in range(until + 1)]


def took(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def test_a_killed_push_is_gone_on_with(
    dbx: Dbx, project: Path, root: str, forked: subprocess.Popen[str]
) -> None:
    """Its half-done state is nobody's edit, and no object is ever half written."""
    wanted = fill(project, 0)
    push(dbx)
    fill(project, 1)
    usual = took(lambda: push(dbx))
    chance = random.Random(7)
    killed = 0
    for version in range(2, KILLS + 2):
        wanted = fill(project, version)
        killed += perform_and_kill(forked, "push", project, chance.uniform(0, 1.2 * usual))
        there = {path.rpartition("/")[2]: text for path, text in remote(dbx, root).items()}
        must_be_whole(there, version)
        if version % 10 == 0:
            push(dbx)
            assert remote(dbx, root) == wanted
    push(dbx)
    assert remote(dbx, root) == wanted
    assert killed > KILLS / 4
    assert push(dbx).sent == ()
    assert dbx.workspace.object(f"{root}/.dbx/lock.json") is None
    assert not list(project.rglob("*.dbx-part"))


def test_a_killed_pull_is_gone_on_with(
    dbx: Dbx, project: Path, root: str, forked: subprocess.Popen[str]
) -> None:
    """What it has written already is nobody's edit, however often it is edited there again."""

    def edit(version: int) -> None:
        for number in range(6):
            cells = f"version = {version}", f"number = {number}"
            edit_there(dbx, f"{root}/f/n{number}", *cells)

    fill(project, 0)
    push(dbx)
    usual = 0.0
    for version in range(2):  # the first loads everything
        edit(version)
        usual = took(lambda: pull(dbx))
    chance = random.Random(7)
    killed = 0
    for version in range(2, KILLS + 2):
        edit(version)
        killed += perform_and_kill(forked, "pull", project, chance.uniform(0, 1.2 * usual))
        here = {file.stem: file.read_text() for file in project.glob("workspace/f/*.py")}
        must_be_whole(here, version)
    assert killed > KILLS / 4
    assert pull(dbx).unsettled == ()
    for number in range(6):
        text = (project / f"workspace/f/n{number}.py").read_text()
        assert text == text_of(KILLS + 1, number)
    assert push(dbx).sent == ()
    assert not list(project.rglob("*.dbx-part"))


def test_both_sides_edits_survive_killed_pushes_and_pulls(
    dbx: Dbx, project: Path, root: str, forked: subprocess.Popen[str]
) -> None:
    """We write on top of a notebook, a colleague at its end; each edit is somewhere, always."""
    path, file = f"{root}/shared", project / "workspace/shared.py"
    write(project, "workspace/shared.py", source("first", "last"))
    usual = took(lambda: push(dbx))
    chance = random.Random(7)
    marks: list[str] = []
    for number in range(KILLS // 2):
        ours, theirs = f"ours_{number} = 1\n", f"theirs_{number} = 1\n"
        here, there = file.read_text(), dbx.workspace.fetch(path).decode()
        if number % 2:
            marks.append(ours)
            file.write_text(f"{HEADER}{ours}{SEPARATOR}{here.removeprefix(HEADER)}")
        if number % 3:
            marks.append(theirs)
            dbx.workspace.put(path, f"{there}{SEPARATOR}{theirs}".encode(), "SOURCE", "python")
        verb = chance.choice(["push", "pull"])
        perform_and_kill(forked, verb, project, chance.uniform(0, 1.2 * usual))
        kept = [kept.read_text() for kept in project.rglob("*.py")]  # backups, too
        everything = "".join([*kept, dbx.workspace.fetch(path).decode()])
        assert [mark for mark in marks if mark not in everything] == []
    assert pull(dbx).unsettled == ()
    push(dbx)
    assert remote(dbx, root)["python:shared"] == file.read_text()
    assert [mark for mark in marks if mark not in file.read_text()] == []
    assert not list(project.rglob("*.dbx-part"))
