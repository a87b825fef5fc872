"""A push or pull that is killed at any moment leaves nothing half done; the next one goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from place import edit_there, pull, push, remote, source, write

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


def fill(project: Path, version: int) -> dict[str, str]:
    wanted = {"python:greet": source('print("hello")'), "f/": ""}
    for number in range(6):
        text = source(f"version = {version}", f"number = {number}")
        write(project, f"workspace/f/n{number}.py", text)
        wanted[f"python:f/n{number}"] = text
    for number in range(3):  # some come, others go
        path = f"workspace/f/only{number}.txt"
        if (version + number) % 2:
            write(project, path, f"{version}")
            wanted[f"file:f/only{number}.txt"] = f"{version}"
        else:
            (project / path).unlink(missing_ok=True)
    return wanted


def test_a_killed_push_is_gone_on_with(
    dbx: Dbx, project: Path, root: str, forked: subprocess.Popen[str]
) -> None:
    """Its half-done state is nobody's edit, and no object is ever half written."""
    wanted = fill(project, 0)
    push(dbx)
    begun = time.monotonic()
    fill(project, 1)
    push(dbx)
    usual = time.monotonic() - begun
    chance = random.Random(7)
    killed = 0
    for version in range(2, KILLS + 2):
        wanted = fill(project, version)
        killed += perform_and_kill(forked, "push", project, chance.uniform(0, 1.2 * usual))
        if version % 10 == 0:
            seen = remote(dbx, root)
            for number in range(6):
                text = seen[f"python:f/n{number}"]
                version_there = int(text.split("version = ")[1].split("\n")[0])
                assert text == source(f"version = {version_there}", f"number = {number}")
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
    push(dbx)
    chance = random.Random(7)
    for version in range(KILLS // 4):
        dbx.workspace.make_folder(f"{root}/f")
        for number in range(6):
            edit_there(dbx, f"{root}/f/n{number}", f"version = {version}", f"number = {number}")
        perform_and_kill(forked, "pull", project, chance.uniform(0, 0.15))
        for number in range(6):
            file = project / f"workspace/f/n{number}.py"
            if file.exists():
                assert file.read_text().endswith(f"number = {number}\n")
        assert pull(dbx).unsettled == ()
    for number in range(6):
        text = (project / f"workspace/f/n{number}.py").read_text()
        assert text == source(f"version = {KILLS // 4 - 1}", f"number = {number}")
    assert push(dbx).sent == ()
    assert not list(project.rglob("*.dbx-part"))
