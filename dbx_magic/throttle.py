"""How many requests are under way at once: more while the host keeps up, fewer when it does not."""

from __future__ import annotations

import threading
import time
from types import TracebackType

WIDTH = 16
MOST = 32
_of_thread = threading.local()


class Stopped(Exception):  # noqa: N818 - it is no error
    """What a thread was waiting for is no longer wanted."""


def listen(stopping: threading.Event) -> None:
    """Let this thread's pauses end when the event is set."""
    _of_thread.stopping = stopping


def pause(seconds: float) -> None:
    """Sleep.

    Raises:
        Stopped: the thread was told to stop meanwhile.
    """
    stopping: threading.Event | None = getattr(_of_thread, "stopping", None)
    if stopping is None:
        time.sleep(seconds)
    elif stopping.wait(seconds):
        raise Stopped


class Throttle:
    """Places for requests, as TCP has them: each answer adds one, a busy host halves them.

    After the first time that the host was busy, places come back slowly.
    """

    def __init__(self, width: int = WIDTH, most: int = MOST) -> None:
        self._width = float(width)
        self._most = most
        self._taken = 0
        self._round = 0
        self._change = threading.Condition()

    @property
    def width(self) -> int:
        """How many requests may be under way now."""
        return int(self._width)

    def place(self) -> Place:
        """A place for one request: it is taken as a context manager."""
        return Place(self)

    def take(self) -> int:
        """Wait for a place; gives the round, which ends when the host turns out to be busy."""
        with self._change:
            self._change.wait_for(lambda: self._taken < self.width)
            self._taken += 1
            return self._round

    def give_back(self, begun: int, *, busy: bool) -> None:
        """Give a place back, and say whether the host could not keep up."""
        with self._change:
            self._taken -= 1
            if not busy:
                gain = 1.0 if self._round == 0 else 1.0 / self._width
                self._width = min(self._most, self._width + gain)
            elif begun == self._round:
                # Answers that were on their way already say nothing new.
                self._round += 1
                self._width = max(1.0, self._width / 2)
            self._change.notify_all()


class Place:
    """One request's place; ``busy`` is set when the host says that it cannot keep up."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._round = 0
        self.busy = False

    def __enter__(self) -> Place:
        self._round = self._throttle.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._throttle.give_back(self._round, busy=self.busy)
