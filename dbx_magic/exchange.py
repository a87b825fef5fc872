"""What push, pull and diff begin with: the folder, the base, the project, what is meant."""

from __future__ import annotations

import contextlib
import difflib
import os
import shlex
import time
from collections.abc import Callable, Generator, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .base import Base
from .comparison import above
from .conversion import Conversions, convert_all, plan_conversions
from .crew import Crew
from .dbx import Dbx
from .errors import DbxError, UsageError
from .events import Note, Pace, Progress, Work
from .tree import Entry, Walk, scan, split_suffix
from .view import Line, View, duration, listed

if TYPE_CHECKING:
    from .remote import Folder

T = TypeVar("T")


@dataclass(frozen=True)
class Sources:
    """Notebooks that were converted; ``into`` says where to, empty for nowhere."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    seconds: float
    into: str = "workspace/"

    def view(self) -> View:
        """What was written, and what has gone."""
        if not self.into:
            return []
        counts = [
            count("converted", self.written),
            count("removed", self.removed),
            f"{self.unchanged:,} unchanged" if self.unchanged else "",
        ]
        words = ", ".join(filter(None, counts)) or "no notebooks"
        return [Line(self.into, "✓", note=f"{words}, in {duration(self.seconds)}")]


def count(done: str, names: tuple[str, ...]) -> str:
    """Say how many things were done, and which: ``2 sent (train, score)``."""
    return f"{len(names):,} {done} ({listed(names)})" if names else ""


def command(verb: str, paths: tuple[str, ...], *, to: str, **options: bool) -> str:
    """Write a verb with its arguments as it is typed."""
    given = [f"--{name}" for name, value in options.items() if value]
    return shlex.join([verb, *paths, *given, *(["--to", to] if to else [])])


@contextlib.contextmanager
def open_base(dbx: Dbx, folder: Folder | None = None) -> Iterator[Base]:
    """Open the base of a folder of the workspace; without one, only what is seen of files."""
    # The local workspace may come back at another address.
    host = "" if folder is None or dbx.is_local else folder.workspace.host
    place = f"{host} {folder.root}" if folder else ""
    base = Base(dbx.project.state_file("base.db"), place)
    try:
        base.finish(dbx.project.root)
        yield base
    finally:
        base.close()


def root_of(dbx: Dbx, to: str) -> str:
    """The folder of the workspace to work on, in the one way to write it.

    Raises:
        UsageError: it is no folder of a workspace, or one that belongs to everybody.
    """
    root = to or dbx.project.target.root
    if not root.startswith("/"):
        raise UsageError(
            f"{root} is no folder of a workspace.", f'It begins with "/": /Shared/{root}, say.'
        )
    root = "/" + "/".join(filter(None, root.split("/")))
    root = root.removeprefix("/Workspace") if root.startswith("/Workspace/") else root
    if root.count("/") < 2:
        raise UsageError(
            f"{root} belongs to the whole workspace, so nothing is pushed there.",
            f"Push to a folder in it: {root.rstrip('/')}/{dbx.project.settings.project}, say.",
        )
    return root


def entries_of(dbx: Dbx, base: Base, *, dry_run: bool) -> Work[dict[str, Entry]]:
    """Convert, unless that is only to be shown, and find what the project has."""
    walk = Walk(dbx.project)
    conversions = yield from plan_conversions(dbx.project, dbx.repo, base, walk)
    if dry_run:
        together(conversions.problems)
    else:
        yield from convert_project(dbx, base, conversions)
    entries = yield from scan(dbx.project, base, conversions.overlay if dry_run else {}, walk)
    for line in walk.skipped:
        yield Note(line, "!")
    if not dry_run:
        for path in walk.leftovers:
            path.unlink(missing_ok=True)
    return entries


def convert_project(dbx: Dbx, base: Base, conversions: Conversions) -> Work[Sources]:
    """Bring ``workspace/`` up to date with ``notebooks/``.

    Raises:
        ProjectError: a notebook cannot be converted; the others are.
    """
    begun = time.monotonic()
    total = len(conversions.writes) + len(conversions.removes)
    pace = Pace("notebooks/", "converting", total, "files")
    for done, _ in enumerate(convert_all(dbx.project, base, conversions), 1):
        yield from pace.at(done)
    for warning in conversions.warnings:
        yield Note(warning, "!")
    together(conversions.problems)
    return Sources(
        tuple(one.target for one in conversions.writes),
        conversions.removes,
        conversions.unchanged,
        time.monotonic() - begun,
    )


def together(problems: Sequence[DbxError]) -> None:
    """Raise several problems as one, if there are any.

    Raises:
        DbxError: the first one, naming the others.
    """
    match problems:
        case []:
            return
        case [only]:
            raise only
        case [first, *others]:
            raise type(first)(
                f"{first.message} {first.hint}".strip(),
                "Also: " + " ".join(other.message for other in others),
            )


def chosen_by(dbx: Dbx, names: Set[str], paths: tuple[str, ...]) -> Callable[[str], bool]:
    """Say which objects are meant by paths of the project, or by their names in the workspace."""
    if not paths:
        return lambda _: True
    wanted = {_object(dbx, names, this_notebook(dbx) if path == "this" else path) for path in paths}
    if "" in wanted:
        return lambda _: True
    folders = {folder for path in wanted for folder in above(path)}
    return lambda path: (
        path in wanted or path in folders or any(one in wanted for one in above(path))
    )


def this_notebook(dbx: Dbx) -> str:
    """The notebook one sits in."""
    if not dbx.notebook:
        raise UsageError(
            "`this` is the notebook one sits in, and here is none.", "Name a file instead."
        )
    file = dbx.notebook_file()
    if file is None:
        raise UsageError(
            f"{_shown(dbx, dbx.notebook)} is not there.",
            "Save this notebook first; if it was renamed since its kernel began, name its file.",
        )
    return str(file)


def _shown(dbx: Dbx, path: str) -> str:
    full = Path(path)
    inside = full.is_absolute() and full.is_relative_to(dbx.project.root)
    return full.relative_to(dbx.project.root).as_posix() if inside else path


def _object(dbx: Dbx, names: Set[str], path: str) -> str:
    """The name in the workspace of what a path means; empty for everything."""
    root = dbx.project.root
    full = Path(os.path.normpath(dbx.here / path))
    inside = full.relative_to(root).as_posix() if full.is_relative_to(root) else path
    for name in (inside, path.strip("/")):
        if name in (".", "notebooks", "workspace"):
            return ""
        for top in ("notebooks/", "workspace/", ""):
            rest = name.removeprefix(top)
            for candidate in (rest, split_suffix(rest)[0]):
                if candidate in names:
                    return candidate
    near = difflib.get_close_matches(path, names, 1)
    hint = f"Did you mean {near[0]}?" if near else "Name a file of notebooks/ or workspace/."
    raise UsageError(f"{path} is nothing that this project pushes.", hint)


def ticking(work: Generator[None, None, T], state: str, subject: str = "push") -> Work[T]:
    """Turn a wait into events."""
    begun = time.monotonic()
    try:
        while True:
            try:
                next(work)
            except StopIteration as end:
                result: T = end.value
                return result
            yield Progress(subject, state, time.monotonic() - begun)
    finally:
        work.close()


def asked(whom: str, work: Callable[[], T]) -> Work[T]:
    """Wait for the answer of somebody who may take long, and tell that."""
    with Crew() as crew:
        return (yield from ticking(crew.wait(crew.start(work)), "is asked", whom))
