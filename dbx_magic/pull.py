"""Between the workspace and the project: pull its edits home, and see what differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .base import Base
from .comparison import (
    FOLDER,
    Conflict,
    Content,
    Drop,
    Merge,
    PullStep,
    Take,
    pull_steps,
)
from .conversion import convert_all, plan_conversions
from .crew import Crew, Pile
from .dbx import Dbx
from .errors import ConflictError
from .events import Pace, Planned, Work
from .exchange import chosen_by, command, count, entries_of, open_base, root_of, ticking
from .plan import Change, Plan
from .pulling import Came, Puller
from .remote import Folder
from .sending import backup_line, new_backup
from .sides import Sides, fetch, gather, lines_of, look, settle, with_pending
from .tree import Walk
from .view import Block, Diff, Line, Symbol, View, counted, duration


@dataclass(frozen=True)
class Pulled:
    """The workspace's edits are in the project; somebody has to decide about ``unsettled``."""

    root: str
    taken: tuple[str, ...]
    merged: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    unsettled: tuple[Came, ...] = ()
    backup: str = ""
    dry_run: bool = False
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """4, as for every conflict, when somebody has to decide."""
        return ConflictError.exit_code if self.unsettled else 0

    def view(self) -> View:
        """One line of what was done; one more for each thing that is left to do."""
        if self.dry_run:
            return [Line("Nothing was pulled, because of --dry-run.")]
        counts = [
            count("taken", self.taken),
            count("merged", self.merged),
            count("removed", self.removed),
            f"{self.unchanged:,} unchanged" if self.unchanged else "",
        ]
        words = ", ".join(filter(None, counts)) or "nothing to pull"
        lines: list[Block] = [Line(self.root, "✓", note=f"{words}, in {duration(self.seconds)}")]
        lines += [block for one in self.unsettled for block in one.view()]
        if self.backup:
            lines.append(backup_line("there before", self.backup))
        return lines


def pull(
    dbx: Dbx,
    paths: tuple[str, ...] = (),
    *,
    dry_run: bool = False,
    force: bool = False,
    to: str = "",
    expect: str = "",
) -> Work[Pulled]:
    """Bring edits that were made in the workspace into the project.

    Notebooks that were edited on both sides are merged by cell, other files by line. Where both
    edited one cell, both versions are kept and marked. Outputs, tags and ids stay.

    Args:
        paths: Only these notebooks, files or folders; without any, all of them.
        dry_run: Only show what would be brought.
        force: Take the workspace's side where both were edited, and keep a backup of ours.
        to: Another folder of the workspace than the target's.
        expect: Apply only if the plan is still the one with this fingerprint.

    Raises:
        ProjectError: a file cannot be read or written; what was pulled stays, the rest can follow.
        WorkspaceError: the workspace refused or cannot be reached.
    """
    begun = time.monotonic()
    dbx.project.must_exist()
    folder = Folder(dbx.workspace, root_of(dbx, to))
    with open_base(dbx, folder) as base:
        with Crew() as crew:
            looking = look(crew, folder, base)
            entries = yield from entries_of(dbx, base, dry_run=dry_run)
            walk = Walk(dbx.project)

            def wanted(path: str) -> bool:
                return not walk.ignores(f"workspace/{path}")

            gathering = gather(crew, folder, base, dbx.repo, entries, looking, wanted)
            sides = yield from ticking(gathering, f"looking at {folder.root}")
        sides = with_pending(sides, base.pending())
        chosen = chosen_by(dbx, {*entries, *sides.known, *sides.there}, paths)
        steps = tuple(
            step
            for step in pull_steps(sides.differences, force=force)
            if chosen(step.path) and not walk.ignores(f"workspace/{step.path}")
        )
        plan = _plan(folder, steps, command("pull", paths, force=force, to=to))
        if dry_run:
            yield Planned(plan)
            return _result(folder, sides, chosen, [], begun, dry_run=True)
        plan.must_be(expect)
        with Crew() as crew:
            sides = yield from ticking(
                _with_texts(crew, folder, sides, [step.path for step in steps]), "reading"
            )
        with base.saving():
            settle(base, sides, dbx.project)
        sources = {one.target: one.source for one in base.converted().values()}
        backup = new_backup(dbx.project)
        came: list[Came] = []
        pace = Pace(folder.root, "pulling", len(steps), "objects")
        for one in Puller(dbx.project, dbx.repo, base, sides, sources, backup).carry_out(steps):
            came.append(one)
            yield from pace.at(len(came))
        yield from _convert_again(dbx, base)
    result = _result(folder, sides, chosen, came, begun)
    return replace(result, backup=backup.place)


def _with_texts(
    crew: Crew, folder: Folder, sides: Sides, paths: Iterable[str]
) -> Generator[None, None, Sides]:
    """Read what is needed and was not read yet."""
    pile: Pile[tuple[str, Content | None, bytes]] = Pile(crew)
    for path in paths:
        seen = sides.seen.get(path)
        if seen and seen.kind in ("notebook", "file") and path not in sides.texts:
            pile.add(partial(fetch, folder, seen))
    texts = dict(sides.texts)
    for fetched in pile.results():
        if fetched is None:
            yield
        elif fetched[1] == sides.there[fetched[0]]:
            texts[fetched[0]] = fetched[2]
    return replace(sides, texts=texts)


def _convert_again(dbx: Dbx, base: Base) -> Work[None]:
    """Bring ``workspace/`` up to date; a notebook with a conflict waits until it is settled."""
    walk = Walk(dbx.project)
    conversions = yield from plan_conversions(dbx.project, dbx.repo, base, walk)
    for _ in convert_all(dbx.project, base, conversions):
        pass


def _plan(folder: Folder, steps: tuple[PullStep, ...], apply: str) -> Plan[PullStep]:
    changes: list[Change] = []
    for step in steps:
        match step:
            case Take(over=None):
                changes.append(Change("+", step.path, reason=step.reason))
            case Take() | Merge():
                changes.append(Change("~", step.path, reason=step.reason))
            case Drop():
                changes.append(Change("−", step.path, reason=step.reason))
            case Conflict():
                changes.append(Change("!", step.path, reason=step.reason))
    words = f"{counted(len(steps), 'change')} to pull" if steps else "nothing to pull"
    return Plan(f"{folder.root}: {words}", steps, tuple(changes), apply)


def _result(
    folder: Folder,
    sides: Sides,
    chosen: Callable[[str], bool],
    came: Sequence[Came],
    begun: float,
    *,
    dry_run: bool = False,
) -> Pulled:
    def paths(done: str) -> tuple[str, ...]:
        return tuple(one.path for one in came if one.done == done)

    touched = {one.path for one in came}
    return Pulled(
        folder.root,
        paths("taken"),
        paths("merged"),
        paths("removed"),
        sum(
            chosen(path) and path not in touched
            for path, content in sides.here.items()
            if content != FOLDER
        ),
        tuple(one for one in came if one.cells or one.why),
        dry_run=dry_run,
        seconds=time.monotonic() - begun,
    )


@dataclass(frozen=True)
class ObjectDiff:
    """One object that differs: what was done to it on each side, and the lines that differ."""

    path: str
    here: str
    there: str
    lines: tuple[str, ...] = ()

    def view(self) -> View:
        """One line for it, then its own: − as in the workspace, + as in the project."""
        symbols: dict[str, Symbol] = {"new": "+", "removed": "−"}
        symbol = "!" if self.here and self.there else symbols.get(self.here or self.there, "~")
        sides = (("here", self.here), ("in the workspace", self.there))
        note = ", ".join(f"{done} {side}" for side, done in sides if done)
        blocks: list[Block] = [Line(self.path, symbol, note=note)]
        diff = Diff(self.lines, "in the workspace", "in the project")
        return [*blocks, diff] if self.lines else blocks


@dataclass(frozen=True)
class Differences:
    """What differs between the project and its folder in the workspace."""

    root: str
    objects: tuple[ObjectDiff, ...]
    equal: int

    def view(self) -> View:
        """All objects that differ, or that there are none."""
        if not self.objects:
            return [Line(f"{self.root} is equal to the project", "✓")]
        head = Line(f"{counted(len(self.objects), 'difference')} to {self.root}")
        return [head, *(block for one in self.objects for block in one.view())]


def diff(
    dbx: Dbx, paths: tuple[str, ...] = (), *, names: bool = False, to: str = ""
) -> Work[Differences]:
    """Show what differs between the project and its folder in the workspace.

    Args:
        paths: Only these notebooks, files or folders; without any, all of them.
        names: Only name what differs, which reads less.
        to: Another folder of the workspace than the target's.

    Raises:
        ProjectError: a notebook cannot be converted.
        WorkspaceError: the workspace refused or cannot be reached.
    """
    dbx.project.must_exist()
    folder = Folder(dbx.workspace, root_of(dbx, to))
    with open_base(dbx, folder) as base, Crew() as crew:
        looking = look(crew, folder, base)
        entries = yield from entries_of(dbx, base, dry_run=True)
        gathering = gather(crew, folder, base, dbx.repo, entries, looking)
        sides = yield from ticking(gathering, f"looking at {folder.root}")
        sides = with_pending(sides, base.pending())
        chosen = chosen_by(dbx, {*entries, *sides.known, *sides.there}, paths)
        walk = Walk(dbx.project)
        found = [
            one
            for one in sides.differences
            if chosen(one.path)
            and FOLDER not in (one.here, one.there)
            and not walk.ignores(f"workspace/{one.path}")
        ]
        if not names:
            wanted = [one.path for one in found]
            sides = yield from ticking(_with_texts(crew, folder, sides, wanted), "reading")
        objects = tuple(
            ObjectDiff(
                one.path,
                one.edit_here,
                one.edit_there,
                () if names else lines_of(dbx.project, sides, one),
            )
            for one in found
        )
        equal = sum(
            sides.there.get(path) == content
            for path, content in sides.here.items()
            if content != FOLDER and chosen(path)
        )
    return Differences(folder.root, tuple(objects), equal)
