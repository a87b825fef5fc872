"""The whole way on the local workspace, from an empty folder, with real input."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .cells import execute
from .dbx import Dbx
from .events import Note, Work
from .rebuild import rebuild
from .runs import run
from .settings import LOCAL
from .setup import init
from .transfer import push
from .versions import commit
from .view import Line, View, duration

ResultT = TypeVar("ResultT")
_CELL = """
from palmerpenguins import load_penguins
penguins = spark.createDataFrame(load_penguins().dropna())
display(penguins.groupBy("species", "island").count().orderBy("species", "island"))
"""


@dataclass(frozen=True)
class Demonstrated:
    """What the demo left for its user to look at."""

    folder: str
    cluster: str
    place: str
    commit: str
    seconds: float
    command: str

    def view(self) -> View:
        """Where everything is, and three commands to go on with."""
        return [
            Line(f"All of it took {duration(self.seconds)}. It is yours to look at:", "✓"),
            Line(f"{self.folder}   the project, at commit {self.commit}", indent=1),
            Line(f"{self.place}   its notebooks in the local workspace", indent=1),
            Line(f"{self.cluster}   the cluster, which stops after an hour without work", indent=1),
            Line("Go on there:"),
            Line(f"cd {self.folder} && {self.command}", note="where things stand", indent=1),
            Line(f"{self.command} run penguins -p island=Dream", note="another island", indent=1),
            Line(f"{self.command} local down", note="stop what the demo started", indent=1),
        ]


def demo(dbx: Dbx, name: str = "penguins") -> Work[Demonstrated]:
    """Go the whole way once: a project, its cluster, a cell, its notebooks, a run, a commit.

    Works on the local workspace, needs no account, and leaves a new folder behind.

    Args:
        name: The folder to make; when it is taken, a number is added.
    """
    begin = time.monotonic()
    there = Dbx(_free(dbx.project.root, name), LOCAL)
    there.project.root.mkdir(parents=True)
    try:
        made = yield from _step("init", init(there, example=True), there)
        yield from _identity(there)
        cluster = yield from _step("rebuild", rebuild(there), there)
        yield from _step("exec", execute(there, _CELL), there)
        pushed = yield from _step("push", push(there), there)
        yield from _step(
            "run penguins", run(there, "penguins", parameter={"island": "Biscoe"}), there
        )
        yield from _step("run islands", run(there, "islands"), there)
        version = yield from _step("commit", commit(there, message="Weigh the penguins"), there)
    finally:
        there.close()
    took = time.monotonic() - begin
    return Demonstrated(
        made.root, cluster.cluster, pushed.root, version.commit[:7], took, _command()
    )


def _step(name: str, work: Work[ResultT], dbx: Dbx) -> Work[ResultT]:
    yield Note(f"{name} …")
    begin = time.monotonic()
    result = yield from dbx.telling(work)
    yield Note(f"{name}   {duration(time.monotonic() - begin)}", "✓")
    return result


def _command() -> str:
    """How the user calls ``dbx-magic`` where its environment is not activated."""
    return "dbx-magic" if shutil.which("dbx-magic") else f"{sys.executable} -m dbx_magic"


def _identity(dbx: Dbx) -> Work[None]:
    """Let a newcomer whose git knows no name yet commit here, and only here."""
    if dbx.repo.run("config", "user.email", check=False):
        return
    dbx.repo.run("config", "user.name", "dbx-magic demo")
    dbx.repo.run("config", "user.email", "demo@localhost")
    yield Note("git does not know you yet; in this project you are 'dbx-magic demo'.")


def _free(folder: Path, name: str) -> Path:
    taken = 1
    while (folder / (name if taken == 1 else f"{name}-{taken}")).exists():
        taken += 1
    return folder / (name if taken == 1 else f"{name}-{taken}")
