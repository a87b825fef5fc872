"""A verb at work in a thread of its own: its plan, its progress, its end, and what one can do."""

from __future__ import annotations

import contextlib
import html
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, DbxError
from dbx_magic.events import Event, Note, Planned, Progress, drive
from dbx_magic.plan import Plan
from dbx_magic.show import addressed, markup, view_of
from dbx_magic.verbs import perform
from dbx_magic.view import Block, Line, View, counted

from .parts import allow, button, passing, row, spoken

_MOST_CHANGES = 50
_DRAWN_EVERY = 0.2


class _Stopped(Exception):  # noqa: N818
    """Somebody pressed Stop; raised where the verb's events are shown, which closes the verb."""


@dataclass(frozen=True)
class Place:
    """The folder and target that a panel is about."""

    folder: Path
    target: str | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Dbx]:
        """Open the project for one thread: nothing of it is shared with the kernel's cells."""
        dbx = Dbx(self.folder, self.target)
        try:
            yield dbx
        finally:
            dbx.close()


class Doing:
    """One verb at a time. ``changed`` is called when it begins and when it is over.

    ``answers`` are buttons that a panel adds, each with the question whether it fits now; ``apply``
    is what the panel does when a plan is agreed to. A panel that draws the changes of a plan itself
    lets only its title be told here.
    """

    def __init__(
        self,
        place: Place,
        changed: Callable[[], None],
        answers: Sequence[tuple[widgets.Button, Callable[[Doing], bool]]] = (),
        *,
        apply: tuple[str, Callable[[], None]] | None = None,
        only_title: bool = False,
    ) -> None:
        self.place = place
        # A picture of the panel, outside of it, is brought up to date when a verb is over.
        self.picture: Callable[[], None] = lambda: None
        self.verb = ""
        self.arguments: dict[str, Any] = {}
        self.plan: Plan[Any] | None = None
        self.result: Any = None
        self.error: Exception | None = None
        self.is_busy = False
        self.idle = threading.Event()
        self.idle.set()
        self._changed = changed
        self._only_title = only_title
        self._notes: list[Note] = []
        self._progress: dict[str, Progress] = {}
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._drawn = 0.0
        self._told, self._bars = widgets.HTML(), widgets.HTML()
        label, press = apply or ("Apply", self.apply)
        self.apply_button = button(label, press, "Do exactly what is shown", obvious=True)
        self.again_button = button("Look again", self.look_again, "Show a new plan")
        self.stop_button = button("Stop", self.stop, "Stop what goes on")
        self.dismiss_button = button("Dismiss", self.dismiss, "Take this away")
        self._answers = (
            # In the order in which one follows the other: Tab leads there.
            (self.again_button, Doing._is_stale),
            *answers,
            (self.apply_button, Doing._can_apply),
            (self.stop_button, Doing._can_stop),
            (self.dismiss_button, lambda doing: bool(doing.verb) and not doing.is_busy),
        )
        buttons = row(*(passing(item) for item, _ in self._answers))
        self.box = widgets.VBox([self._told, self._bars, buttons])
        self.draw()

    # What one can do

    def perform(self, verb: str, **arguments: Any) -> None:
        """Begin a verb, unless one is under way."""
        with self._starting:
            if self.is_busy:
                return
            self.is_busy = True
            self.idle.clear()
        self.verb, self.arguments = verb, arguments
        self.plan, self.result, self.error = None, None, None
        self._notes.clear()
        self._stopping.clear()
        self.draw()
        self._changed()
        threading.Thread(target=self._run, name=f"dbx {verb}", daemon=True).start()

    def propose(self, verb: str, **arguments: Any) -> None:
        """Show what a verb would do."""
        self.perform(verb, dry_run=True, **arguments)

    def apply(self, **more: Any) -> None:
        """Do what was proposed, and nothing else: a plan that is no longer true is refused."""
        if self.plan is None or not self.is_proposal:
            return
        arguments = {key: value for key, value in self.arguments.items() if key != "dry_run"}
        self.perform(self.verb, **{**arguments, **more, "expect": self.plan.fingerprint})

    def look_again(self) -> None:
        """Propose once more what was refused."""
        arguments = {key: value for key, value in self.arguments.items() if key != "expect"}
        self.propose(self.verb, **arguments)

    def stop(self) -> None:
        """Close the verb at its next event; it stops what it started."""
        self._stopping.set()
        self.draw()

    def dismiss(self) -> None:
        """Forget what was shown."""
        if not self.is_busy:
            self.forget()
            self._changed()

    def forget(self) -> None:
        """Show nothing any more: a panel shows the result itself."""
        self.verb, self.plan, self.result, self.error = "", None, None, None
        self._notes.clear()
        self.draw()

    # What is known

    @property
    def is_proposal(self) -> bool:
        """Whether what is shown is a plan that waits for an answer."""
        trial = bool(self.arguments.get("dry_run"))
        return trial and not self.is_busy and not self.error and self.plan is not None

    @property
    def has_conflict(self) -> bool:
        """Whether the proposed plan cannot be applied without losing somebody's edit."""
        return self.is_proposal and any(item.symbol == "!" for item in self._changes)

    @property
    def _changes(self) -> Sequence[Any]:
        return self.plan.changes if self.plan else ()

    def _can_apply(self) -> bool:
        conflict = self.verb == "push" and self.has_conflict
        return self.is_proposal and bool(self.plan and self.plan.steps) and not conflict

    def _can_stop(self) -> bool:
        return self.is_busy and not self._stopping.is_set()

    def _is_stale(self) -> bool:
        return isinstance(self.error, ConflictError) and "expect" in self.arguments

    # The thread

    def _run(self) -> None:
        try:
            with self.place.open() as dbx:
                try:
                    work = perform(dbx, self.verb, self.arguments)
                    self.result = drive(work, self._show)
                except _Stopped:
                    # What a stopped verb leaves behind, it says in a note.
                    self._notes += [Note("Stopped.", "○"), *dbx.told()]
        except DbxError as error:
            self.error = error
        except Exception as error:
            self.error = error
            raise  # a bug: the kernel's log gets its traceback
        finally:
            self._progress.clear()
            self.is_busy = False
            self.draw()
            self._changed()
            self.picture()
            if not self.is_busy:  # what follows may have begun
                self.idle.set()

    def _show(self, event: Event) -> None:
        if self._stopping.is_set():
            raise _Stopped
        match event:
            case Note():
                self._notes.append(event)
            case Planned(plan):
                self.plan = plan
            case Progress():
                self._progress[event.subject] = event
                if time.monotonic() - self._drawn < _DRAWN_EVERY:
                    return
        self.draw()

    # What it looks like

    def view(self) -> View:
        """The same in blocks, for where there are no widgets."""
        return [*self._words(), *self._progress_lines()]

    def _words(self) -> list[Block]:
        blocks: list[Block] = [block for note in self._notes for block in note.view()]
        trial = bool(self.arguments.get("dry_run"))
        if self.plan and (self.is_busy or trial) and not self.error:
            blocks += [Line(self.plan.title)] if self._only_title else _short(self.plan).view()
        if self.error:
            blocks += view_of(self.error)
        elif self.result is not None and not trial:
            blocks += view_of(self.result)
        return blocks

    def _progress_lines(self) -> list[Block]:
        return [block for item in self._progress.values() for block in item.view()]

    def draw(self) -> None:
        """Show what is known now."""
        self._drawn = time.monotonic()
        words, progress = self._words() if self.verb else [], list(self._progress.values())
        if self.is_busy and not progress:
            words.append(Line("Stopping …" if self._stopping.is_set() else f"{self.verb} …", "◐"))
        # Who listens is told what begins, not every second that passes.
        begun = ", ".join(f"{item.subject} {item.state}" for item in progress)
        self._told.value = spoken(addressed(words, "%dbx"), begun)
        lines = markup(addressed(self._progress_lines(), "%dbx"))
        self._bars.value = "".join([lines, *map(_bar, progress)]) if progress else ""
        for item, fits in self._answers:
            allow(item, fits(self))
        self.dismiss_button.description = "Cancel" if self.is_proposal else "Dismiss"


def _short(plan: Plan[Any]) -> Plan[Any]:
    """A plan of thousands of changes is read by its first; the rest is counted."""
    rest = len(plan.changes) - _MOST_CHANGES
    shown = plan.changes[:_MOST_CHANGES]
    title = f"{plan.title}, and {counted(rest, 'more change')}" if rest > 0 else plan.title
    return replace(plan, title=title, changes=shown, apply="")


def _bar(progress: Progress) -> str:
    share = "" if progress.share is None else f' value="{progress.share:.3f}"'
    name = html.escape(f"{progress.subject} {progress.state}", quote=True)
    return f'<progress max="1"{share} aria-label="{name}"></progress>'


class Live:
    """The result of a verb that only reads: looked at again when asked to, and while it is seen.

    ``show`` gets the result or the error, in the thread that reads. ``pause`` says after how many
    seconds to look again while the panel is visible; without it, only when asked to.
    """

    def __init__(
        self,
        place: Place,
        show: Callable[[Any], None],
        *,
        pause: Callable[[Any], float] | None = None,
        is_seen: Callable[[], bool] = lambda: False,
    ) -> None:
        self._place = place
        self._show = show
        self._pause = pause
        self._is_seen = is_seen
        self._call: Callable[[Dbx], Any] | None = None
        self.shown = threading.Event()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self, verb: str, **arguments: Any) -> None:
        """Perform a verb that only reads."""
        self.read(lambda dbx: drive(perform(dbx, verb, arguments), lambda _: None))

    def read(self, call: Callable[[Dbx], Any]) -> None:
        """Look now. What was asked for before and is not there yet is not shown any more."""
        with self._lock:
            self._call = call
            self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dbx looks", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        result: Any = None
        with self._place.open() as dbx:
            while self._goes_on(result):
                self._wake.clear()
                call = self._call
                if call is None:
                    continue
                dbx.refresh(self._place.folder, self._place.target)
                try:
                    result = call(dbx)
                except DbxError as error:
                    result = error
                if call is self._call:
                    self._show(result)
                    self.shown.set()

    def _goes_on(self, result: Any) -> bool:
        """Wait for the next look; ``False`` when nobody wants one."""
        if result is not None and self._pause and self._is_seen():
            self._wake.wait(self._pause(result))
            if self._is_seen():
                return True
        with self._lock:
            if self._wake.is_set():
                return True
            self._thread = None
            return False
