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
from .errors import PipelineError
from .events import Note, Work
from .follow import Followed, follow
from .history import History, history
from .pipelines import pipeline
from .project import write
from .publishing import Published
from .rebuild import rebuild
from .rollback import rollback
from .runs import run
from .settings import LOCAL
from .setup import init
from .transfer import push
from .versions import commit
from .view import Line, View, duration

ResultT = TypeVar("ResultT")
_EDITED = "workspace/islands.sql"
_BEFORE, _AFTER = "order by all", "order by penguins desc"
_CELL = """
from palmerpenguins import load_penguins
penguins = spark.createDataFrame(load_penguins().dropna())
display(penguins.groupBy("species", "island").count().orderBy("species", "island"))
"""


@dataclass(frozen=True)
class Demonstrated:
    """What the demo left for its user to look at; ``commit`` is its first version."""

    folder: str
    cluster: str
    place: str
    commit: str
    versions: History
    seconds: float
    command: str

    def view(self) -> View:
        """The versions it made, where everything is, and three commands to go on with."""
        return [
            *self.versions.view(),
            Line(f"All of it took {duration(self.seconds)}. It is yours to look at:", "✓"),
            Line(f"{self.folder}   the project", indent=1),
            Line(f"{self.place}   its notebooks in the local workspace", indent=1),
            Line(f"{self.cluster}   the cluster, which stops after an hour without work", indent=1),
            Line("Go on there:"),
            Line(f"cd {self.folder} && {self.command}", note="where things stand", indent=1),
            Line(f"{self.command} run penguins -p island=Dream", note="another island", indent=1),
            Line(f"{self.command} local down", note="stop what the demo started", indent=1),
        ]


def demo(dbx: Dbx, name: str = "penguins") -> Work[Demonstrated]:
    """Go the whole way once: from an empty folder to what the pipelines deployed, and back.

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
        island = {"island": "Biscoe"}
        yield from _step("run penguins", run(there, "penguins", parameter=island), there)
        yield from _step("run islands", run(there, "islands"), there)

        yield from _step("pipeline azure", pipeline(there, "azure"), there)
        work = commit(there, message="Weigh the penguins", publish=True)
        first = yield from _step("commit and publish", work, there)
        yield from _deployed(there, first.published)

        file = there.project.root / _EDITED
        write(file, file.read_text(encoding="utf-8").replace(_BEFORE, _AFTER))
        yield Note(f"In {_EDITED} the most penguins come first now; the cluster is as it was.")
        work = commit(there, message="Show large islands first", publish=True)
        second = yield from _step("commit and publish", work, there)
        yield from _deployed(there, second.published)

        back = rollback(there, first.commit, publish=True)
        undone = yield from _step(f"rollback {first.commit[:7]}", back, there)
        yield from _deployed(there, undone.published)
        versions = history(there)
    finally:
        there.close()
    took = time.monotonic() - begin
    return Demonstrated(
        made.root, cluster.cluster, pushed.root, first.commit[:7], versions, took, _command()
    )


def _deployed(dbx: Dbx, published: Published | None) -> Work[None]:
    """Tell which pipelines picked the commit up, and follow them."""
    if published is not None:
        for line in published.said.split("\n"):
            yield Note(f"  {line}")
    done: Followed = yield from _step("follow", follow(dbx), dbx)
    if done.exit_code:
        for block in done.view():
            if isinstance(block, Line):
                yield Note(f"{block.text}   {block.note}".rstrip(), block.symbol)
        raise PipelineError(
            "A pipeline failed; all before it is done.", "See its log: `follow --logs`"
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
