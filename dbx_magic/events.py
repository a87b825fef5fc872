"""What a verb tells while it works, and the two loops that run a verb to its end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .output import Output
from .plan import Plan
from .view import Line, View, duration

ResultT = TypeVar("ResultT")
TOLD_EVERY = 0.2


@dataclass(frozen=True)
class Note:
    """One line worth reading now."""

    text: str
    symbol: str = ""

    def view(self) -> View:
        """The line itself."""
        return [Line(self.text, self.symbol)]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Progress:
    """How far it is: a new one replaces the last with the same ``subject``.

    ``elapsed`` and ``expected`` are seconds; ``done`` of ``total`` count ``unit``.
    """

    subject: str
    state: str
    elapsed: float = 0.0
    expected: float | None = None
    done: int | None = None
    total: int | None = None
    unit: str = ""
    link: str = ""

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1, when that can be known."""
        if self.total:
            return min(1.0, (self.done or 0) / self.total)
        if self.expected:
            return min(0.99, self.elapsed / self.expected)
        return None

    def view(self) -> View:
        """One line: ``HelloCluster  restarting · 2:41 of about 4:00``."""
        parts = [self.state]
        if self.total is not None:
            parts.append(f"{self.done or 0:,} of {self.total:,} {self.unit}".rstrip())
        if self.elapsed >= 1:
            about = f" of about {duration(self.expected)}" if self.expected else ""
            parts.append(f"{duration(self.elapsed)}{about}")
        return [Line(self.subject, "◐", note=" · ".join(parts), link=self.link)]


class Pace:
    """Tells how far something is that is counted: when it takes long, and not too often."""

    def __init__(self, subject: str, state: str, total: int, unit: str = "") -> None:
        self._told = self._begun = time.monotonic()
        self._progress = Progress(subject, state, total=total, unit=unit)

    def at(self, done: int) -> Iterator[Progress]:
        """So much is done: the progress, if it is time to tell it."""
        now = time.monotonic()
        if now - self._told >= TOLD_EVERY:
            self._told = now
            yield replace(self._progress, elapsed=now - self._begun, done=done)


@dataclass(frozen=True)
class Planned:
    """The plan, before its first step."""

    plan: Plan[Any]

    def view(self) -> View:
        """The plan's own view."""
        return self.plan.view()


@dataclass(frozen=True)
class Shown:
    """One output of code that runs on the cluster."""

    output: Output


Event = Note | Progress | Planned | Shown
Work = Generator[Event, None, ResultT]


def drive(work: Work[ResultT], show: Callable[[Event], None]) -> ResultT:
    """Run a verb to its end, showing its events, and return its result.

    An interrupt, or an error in ``show``, closes the verb, which then stops what it started.
    """
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as end:
                result: ResultT = end.value
                return result
            show(event)
    finally:
        work.close()


async def adrive(work: Work[ResultT], show: Callable[[Event], Awaitable[None]]) -> ResultT:
    """Run a verb to its end from an event loop; each of its steps runs in a thread.

    When the task is cancelled the step under way is waited for, then the verb is closed.
    """
    import asyncio  # for servers; everybody else drives without it

    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(_next, work))
            try:
                event, result = await asyncio.shield(step)
            except asyncio.CancelledError:
                await asyncio.wait([step])
                raise
            if event is None:
                return result  # type: ignore[return-value]
            await show(event)
    finally:
        await asyncio.to_thread(work.close)


def _next(work: Work[ResultT]) -> tuple[Event | None, ResultT | None]:
    try:
        return next(work), None
    except StopIteration as end:
        return None, end.value
