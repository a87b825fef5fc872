"""From the project to the workspace: push."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import NoReturn

from .base import Base
from .comparison import FOLDER, Conflict, Difference, PushStep, Remove, Send, push_steps
from .crew import Crew
from .dbx import Dbx
from .errors import ConflictError, DbxError, GitError
from .events import Note, Planned, Progress, Work
from .exchange import (
    chosen_by,
    command,
    count,
    entries_of,
    open_base,
    root_of,
    ticking,
)
from .plan import Change, Plan
from .pushing import Pushing, must_fit, sending_of
from .pushlock import PushLock
from .remote import Folder, Seen
from .sending import Backup, Sender, backup_line, new_backup
from .sides import Sides, gather, lines_of, look, read_more, settle, with_pending
from .tree import Walk
from .view import Line, View, counted, duration, listed

_MOST_LINES = 60  # of a conflict; `diff` shows all


@dataclass(frozen=True)
class Pushed:
    """The workspace is what the project is. ``left`` is there, but was never pushed."""

    root: str
    sent: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    left: tuple[str, ...] = ()
    size: int = 0
    backup: str = ""
    dry_run: bool = False
    seconds: float = 0.0

    def view(self) -> View:
        """One line of what was done; one more for each thing worth knowing."""
        if self.dry_run:
            return [Line("Nothing was sent, because of --dry-run.")]
        counts = [
            count("sent", self.sent),
            count("removed", self.removed),
            f"{self.unchanged:,} unchanged" if self.unchanged else "",
        ]
        words = ", ".join(filter(None, counts)) or "nothing to send"
        lines = [Line(self.root, "✓", note=f"{words}, in {duration(self.seconds)}")]
        if self.left:
            only = f"only in the workspace: {listed(self.left)}"
            lines.append(Line(only, note="pull brings it here, push --prune removes it", indent=1))
        if self.backup:
            lines.append(backup_line("overwritten", self.backup))
        return lines


def push(
    dbx: Dbx,
    paths: tuple[str, ...] = (),
    *,
    dry_run: bool = False,
    force: bool = False,
    prune: bool = False,
    watch: bool = False,
    to: str = "",
    expect: str = "",
) -> Work[Pushed]:
    """Make the project's folder in the workspace equal to the project: convert, then send.

    Only what differs is sent. What was edited in the workspace since the last push or pull is
    never overwritten, unless forced; then a backup is kept.

    Args:
        paths: Only these notebooks, files or folders; `this` is the notebook you are in, as saved.
        dry_run: Only show what would be sent and removed.
        force: Overwrite what was edited in the workspace, and keep a backup of it.
        prune: Remove what is in the workspace but was never pushed, and keep a backup of it.
        watch: Go on, and push each time that something is saved, until it is stopped.
        to: Another folder of the workspace, such as /Workspace/Users/me/trial.
        expect: Apply only if the plan is still the one with this fingerprint.

    Raises:
        ProjectError: a notebook cannot be converted, or a file is too large; nothing is sent.
        ConflictError: something was edited in the workspace; nothing is sent.
        WorkspaceError: the workspace refused; what was sent stays, and the next push goes on.
    """
    dbx.project.must_exist()
    once = partial(
        _push, dbx, paths, dry_run=dry_run, force=force, prune=prune, to=to, expect=expect
    )
    return (yield from (_watching(dbx, once) if watch else once()))


def _watching(dbx: Dbx, once: Callable[[], Work[Pushed]]) -> Work[NoReturn]:
    """Push now and after each change of a file, until it is closed."""
    from watchfiles import watch

    project, stop = dbx.project, threading.Event()
    tops = [top for top in (project.notebooks, project.workspace) if top.is_dir()]
    changes = watch(*tops, debounce=400, rust_timeout=500, yield_on_timeout=True, stop_event=stop)
    try:
        # Begins to watch: what is saved during the first push has to be seen already.
        next(changes)
        changed = True
        while True:
            if changed:
                yield from _reported(dbx, once)
            changed = bool(next(changes))
            yield Progress(project.root.name, "watching for changes")
    finally:
        stop.set()
        changes.close()


def _reported(dbx: Dbx, once: Callable[[], Work[Pushed]]) -> Work[None]:
    """Push, and tell the result, or why there is none."""
    try:
        with dbx.project.lock():
            pushed = yield from once()
    except DbxError as error:
        yield Note(str(error), "✗")
        return
    for line in pushed.view():
        if isinstance(line, Line):
            yield Note(f"{line.text}   {line.note}".rstrip(), line.symbol)


def _push(
    dbx: Dbx,
    paths: tuple[str, ...],
    *,
    dry_run: bool,
    force: bool,
    prune: bool,
    to: str,
    expect: str,
) -> Work[Pushed]:
    begun = time.monotonic()
    folder = Folder(dbx.workspace, root_of(dbx, to))
    with open_base(dbx, folder) as base:
        lock = PushLock(folder, _owner(dbx, base))
        try:
            with Crew() as crew:
                looking = look(crew, folder, base)
                entries = yield from entries_of(dbx, base, dry_run=dry_run)
                known = base.known()
                chosen = chosen_by(dbx, {*entries, *known}, paths)
                must_fit(dbx.project, (entries[path] for path in entries if chosen(path)))
                lock.sending = sending_of(entries, known, chosen)
                lock.is_first = not known
                # Nothing is sent in most pushes of an unchanged project: it needs no lock.
                locking = crew.start(lock.take) if lock.sending and not dry_run else None
                gathering = gather(crew, folder, base, dbx.repo, entries, looking)
                sides = yield from ticking(gathering, f"looking at {folder.root}")
                if locking and sides.seen:
                    yield from ticking(crew.wait(locking), f"locking {folder.root}")
                pending = {**lock.left, **base.pending()}
                reading = read_more(crew, folder, sides, pending)
                sides = with_pending((yield from ticking(reading, "reading")), pending)
                steps = tuple(
                    step
                    for step in push_steps(sides.differences, force=force, prune=prune)
                    if chosen(step.path)
                )
                conflicts = [step for step in steps if isinstance(step, Conflict)]
                again = command("push", paths, force=force, prune=prune, to=to)
                plan = _plan(dbx, folder, sides, steps, "" if conflicts else again)
                if dry_run or conflicts:
                    yield Planned(plan)
                if dry_run:
                    return _result(dbx, folder, sides, steps, chosen, begun, dry_run=True)
                if conflicts:
                    raise _conflict(folder, conflicts)
                plan.must_be(expect)
                with base.saving():
                    settle(base, sides, dbx.project)
                backup = new_backup(dbx.project) if force or prune else None
                size = 0
                if steps or (not paths and _has_a_name_now(dbx, sides)):
                    locking = locking or crew.start(lock.take)
                    user = crew.start(dbx.workspace.user)
                    commit = crew.start(partial(_commit, dbx))
                    sender = Sender(dbx.project, folder, backup)
                    pushing = Pushing(crew, folder, base, lock, sides, sender)
                    size = yield from pushing.carry_out(steps, locking)
                    head, clean = commit.result()
                    yield from pushing.finish(user.result(), head, clean=clean and not paths)
        finally:
            lock.release()
    return _result(dbx, folder, sides, steps, chosen, begun, size=size, backup=backup)


def _owner(dbx: Dbx, base: Base) -> str:
    """The name of this checkout, made up when it pushes for the first time."""
    name = base.value("owner")
    if not name:
        name = token_hex(8)
        with base.saving():
            base.note("owner", name)
    # A copy of the folder has the same base, but is another checkout.
    return f"{name} {platform.node()} {dbx.project.root}"


def _has_a_name_now(dbx: Dbx, sides: Sides) -> bool:
    """Whether what others pushed is exactly a commit that their record does not name.

    A pipeline often finds its commit there, because it was pushed before it was committed.
    """
    if sides.record is None:
        return False
    head, clean = _commit(dbx)
    return clean and (head, True) != (sides.record.commit, sides.record.clean)


def _commit(dbx: Dbx) -> tuple[str, bool]:
    """What is checked out, and whether it is all there is."""
    try:
        head = dbx.repo.head
        return (head, not dbx.repo.changed(("notebooks", "workspace"))) if head else ("", False)
    except GitError:
        return "", False


def _plan(
    dbx: Dbx, folder: Folder, sides: Sides, steps: tuple[PushStep, ...], apply: str
) -> Plan[PushStep]:
    changes: list[Change] = []
    differences = {one.path: one for one in sides.differences}
    for step in steps:
        match step:
            case Send(over=None):
                changes.append(Change("+", step.path, reason=step.reason))
            case Send():
                changes.append(Change("~", step.path, reason=step.reason))
            case Remove():
                changes.append(Change("−", step.path, reason=step.reason))
            case Conflict():
                reason = step.reason + _ago(sides.seen.get(step.path))
                lines = _sides_of(dbx, sides, differences[step.path])
                changes.append(Change("!", step.path, reason=reason, lines=lines))
    title = (
        f"{folder.root}: {counted(len(steps), 'change')}" if steps else f"{folder.root} is equal"
    )
    return Plan(title, steps, tuple(changes), apply)


def _ago(seen: Seen | None) -> str:
    """When an object was edited there, as far as its clock and ours agree."""
    seconds = time.time() - seen.modified_at / 1000 if seen and seen.modified_at else -1.0
    return f", {duration(seconds)} ago" if seconds >= 0 else ""


def _sides_of(dbx: Dbx, sides: Sides, one: Difference) -> tuple[str, ...]:
    """What differs in an object that is in conflict, if both sides can be shown."""
    if not one.here or one.path not in sides.texts:
        return ()
    lines = lines_of(dbx.project, sides, one)
    left = len(lines) - _MOST_LINES
    return (*lines[:_MOST_LINES], f"@@ {counted(left, 'more line')} @@") if left > 0 else lines


def _conflict(folder: Folder, conflicts: list[Conflict]) -> ConflictError:
    named = [f"{one.path} ({one.reason})" for one in conflicts]
    return ConflictError(
        f"Nothing was sent to {folder.root}: {listed(named)}.",
        "`pull` merges it here; `push --force` overwrites it and keeps a backup.",
    )


def _result(
    dbx: Dbx,
    folder: Folder,
    sides: Sides,
    steps: tuple[PushStep, ...],
    chosen: Callable[[str], bool],
    begun: float,
    *,
    size: int = 0,
    backup: Backup | None = None,
    dry_run: bool = False,
) -> Pushed:
    sent = tuple(s.path for s in steps if isinstance(s, Send) and s.content != FOLDER)
    removed = tuple(s.path for s in steps if isinstance(s, Remove) and s.content != FOLDER)
    equal = sum(
        chosen(path) and sides.there.get(path) == one
        for path, one in sides.here.items()
        if one != FOLDER
    )
    walk = Walk(dbx.project)
    left = tuple(
        one.path
        for one in sides.differences
        if chosen(one.path)
        and one.edit_there == "new"
        and one.here is None
        and one.path not in removed
        and one.there != FOLDER
        and not walk.ignores(f"workspace/{one.path}")
    )
    kept = backup.place if backup else ""
    seconds = time.monotonic() - begun
    return Pushed(folder.root, sent, removed, equal, left, size, kept, dry_run, seconds)
