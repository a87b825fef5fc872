"""Carrying a push out: folders, then objects, then what has to go; each one noted when done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from .base import Base, Known
from .comparison import FOLDER, GONE, Content, PushStep, Remove, Send
from .crew import Crew, Pile
from .events import TOLD_EVERY, Progress, Work
from .project import Project
from .pushlock import Clock, PushLock
from .remote import RECORD, Folder, Record, Seen
from .sending import Sender, Sent
from .sides import Sides, note_record
from .tree import FILE_LIMIT, Entry, read, too_large
from .view import size

NOTEBOOK_LIMIT = 10 * 1024 * 1024
_SMALL = 16


def must_fit(project: Project, entries: Iterable[Entry]) -> None:
    """Refuse what the workspace would refuse, before anything is sent.

    Raises:
        ProjectError: a notebook or file is larger than a workspace takes.
    """
    for entry in entries:
        limit = NOTEBOOK_LIMIT if entry.content.kind == "notebook" else FILE_LIMIT
        # Of an .ipynb only the source is sent, not the outputs.
        if entry.size > limit and (sent := _size_sent(project, entry)) > limit:
            raise too_large(entry.file, sent, limit, entry.content.kind)


def _size_sent(project: Project, entry: Entry) -> int:
    return len(read(project, entry)) if entry.file.endswith(".ipynb") else entry.size


class Pushing:
    """One push, from its plan to its record."""

    def __init__(
        self, crew: Crew, folder: Folder, base: Base, lock: PushLock, sides: Sides, sender: Sender
    ) -> None:
        self._crew = crew
        self._folder = folder
        self._base = base
        self._lock = lock
        self._sides = sides
        self._sender = sender
        self._clock: Clock | None = None
        self._arrived: list[Sent] = []
        self._begun = time.monotonic()
        self._told = 0.0
        self._done = 0
        self._bytes = 0
        self._all_bytes = 0
        self._total = 0

    def carry_out(self, steps: Sequence[PushStep], locking: Future[None]) -> Work[int]:
        """Take all steps, the first that changes an object when the lock is taken.

        Gives the number of bytes sent.
        """
        sends = [step for step in steps if isinstance(step, Send)]
        removes = [step for step in steps if isinstance(step, Remove)]
        objects = [step for step in sends if step.content != FOLDER]
        self._all_bytes = sum(self._sides.entries[step.path].size for step in objects)
        self._total = len(objects) + sum(step.content != FOLDER for step in removes)
        with self._base.saving():
            self._base.intend(
                {step.path: step.content for step in objects}
                | {step.path: GONE for step in removes if step.content != FOLDER}
            )
        # What stands where a folder or another kind of object has to be goes first.
        ways = tuple(f"{step.path}/" for step in sends if step.over == FOLDER)
        first = [step for step in removes if step.path.startswith(ways)] if ways else []
        if self._sides.seen:
            yield from self._wait(locking)
        yield from self._remove(first)
        yield from self._make_folders([step for step in sends if step.content == FOLDER])
        yield from self._wait(locking)
        yield from self._send(objects)
        yield from self._remove([step for step in removes if step not in first])
        return self._bytes

    def _wait(self, future: Future[None]) -> Work[None]:
        waiting = self._crew.wait(future)
        for _ in waiting:
            yield self._progress("waiting for the lock")

    def _make_folders(self, steps: Sequence[Send]) -> Work[None]:
        """Make the innermost folders; those above come by themselves."""
        outer = {step.path.rpartition("/")[0] for step in steps}
        pile: Pile[str] = Pile(self._crew)
        for step in steps:
            if step.path not in outer or step.over:
                pile.add(partial(self._sender.make_folder, step, self._sides.seen.get(step.path)))
        for path in pile.results():
            if path is None:
                yield self._progress("making folders")
        with self._base.saving():
            for step in steps:
                self._base.keep(step.path, Known(FOLDER))

    def _send(self, steps: Sequence[Send]) -> Work[None]:
        if not steps:
            return
        reading = self._crew.start(self._lock.read_clock)
        pile: Pile[Sent] = Pile(self._crew)
        for step in steps:
            entry, seen = self._sides.entries[step.path], self._sides.seen.get(step.path)
            pile.add(partial(self._sender.send, step, entry, seen))
        for sent in pile.results():
            if sent is not None:
                self._arrived.append(replace(sent, data=b""))
                self._done += 1
                self._bytes += len(sent.data)
                with self._base.saving():
                    self._base.keep(sent.path, Known(sent.content), sent.data)
            yield from self._tell("sending", always=sent is None)
        self._clock = reading.result()

    def _stamp(self) -> Work[None]:
        """Note when the workspace says that each was edited last: by us, unless that was later."""
        if self._clock is None:
            return
        folders = {sent.path.rpartition("/")[0] for sent in self._arrived}
        looking = self._folder.see_again(self._crew, folders)
        found: dict[str, Seen] = {}
        while True:
            try:
                next(looking)
            except StopIteration as end:
                found = end.value
                break
            yield self._progress("checking")
        with self._base.saving():
            for sent in self._arrived:
                since, until = self._clock.span(sent.begun, sent.ended)
                seen = found.get(sent.path)
                if seen and seen.modified_at and since <= seen.modified_at <= until:
                    self._base.keep(sent.path, Known(sent.content, seen.modified_at))

    def _remove(self, steps: Sequence[Remove]) -> Work[None]:
        """Remove objects, then folders from the innermost outwards."""
        depths = {step.path.count("/") for step in steps if step.content == FOLDER}
        groups = [[step for step in steps if step.content != FOLDER]] + [
            [step for step in steps if step.content == FOLDER and step.path.count("/") == depth]
            for depth in sorted(depths, reverse=True)
        ]
        for group in groups:
            pile: Pile[str] = Pile(self._crew)
            for step in group:
                pile.add(partial(self._sender.remove, step, self._sides.seen.get(step.path)))
            for path in pile.results():
                if path is not None:
                    self._done += group is groups[0]
                    with self._base.saving():
                        self._base.forget(path)
                yield from self._tell("removing", always=path is None)

    def _tell(self, state: str, *, always: bool) -> Iterator[Progress]:
        self._lock.renew()
        now = time.monotonic()
        if always or now - self._told > TOLD_EVERY:
            self._told = now
            yield self._progress(state)

    def _progress(self, state: str) -> Progress:
        if self._all_bytes:
            state += f" {size(self._bytes)} of {size(self._all_bytes)}"
        elapsed = time.monotonic() - self._begun
        return Progress(
            self._folder.root, state, elapsed, done=self._done, total=self._total, unit="objects"
        )

    def finish(self, user: str, commit: str, *, clean: bool) -> Work[None]:
        """Leave the record of this push beside the notebooks, and give the lock back."""
        # A fresh clone has to read what stands in the record without its time. That is little
        # after a small push, and worth a round trip after a large one.
        is_small = len(self._arrived) <= _SMALL
        if not is_small:
            yield from self._stamp()
        # All at once. Should the record's request be held up for so long that somebody else's
        # whole push fits in between, a fresh clone would be told of a conflict that is none.
        releasing = self._crew.start(self._lock.release)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        record = Record(user, now, commit, clean, self._base.known())
        recording = self._crew.start(partial(self._write_record, record))
        if is_small:
            yield from self._stamp()
        span = recording.result()
        if span:
            with self._base.saving():
                note_record(self._base, *span)
        releasing.result()

    def _write_record(self, record: Record) -> tuple[int, int] | None:
        begun = time.monotonic()
        self._folder.workspace.put(self._folder.full(RECORD), record.render(), "RAW")
        return self._clock.span(begun, time.monotonic()) if self._clock else None


def sending_of(
    entries: Mapping[str, Entry], known: Mapping[str, Known], chosen: Callable[[str], bool]
) -> dict[str, Content]:
    """What a push is going to write and remove as far as the project knows, before it looks."""
    sending = {
        path: entry.content
        for path, entry in entries.items()
        if chosen(path)
        and entry.content != FOLDER
        and (path not in known or known[path].content != entry.content)
    }
    gone = [path for path in known if path not in entries and known[path].content != FOLDER]
    return sending | {path: GONE for path in gone if chosen(path)}
