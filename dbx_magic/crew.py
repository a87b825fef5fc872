"""Work done side by side in threads, while a verb goes on telling how far it is."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar

from .throttle import MOST, Stopped, listen

T = TypeVar("T")
TICK = 0.5


class Crew:
    """Threads for the requests of one verb; leaving it waits for what is under way."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST, "dbx-magic")
        self._stopping = threading.Event()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Begin one piece of work."""
        return self._pool.submit(self._do, work)

    def wait(self, future: Future[T]) -> Generator[None, None, T]:
        """Wait for one piece of work, yielding now and then."""
        while not wait([future], TICK).done:
            yield
        return future.result()

    def _do(self, work: Callable[[], T]) -> T:
        listen(self._stopping)
        if self._stopping.is_set():
            raise Stopped
        return work()


class Pile(Generic[T]):
    """Pieces of work of one kind; their results come in the order in which they are done."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._done: queue.SimpleQueue[Future[T]] = queue.SimpleQueue()
        self._open = 0

    def add(self, work: Callable[[], T]) -> None:
        """Begin one more; results of earlier ones may ask for it."""
        self._open += 1
        self._crew.start(work).add_done_callback(self._done.put)

    def results(self) -> Iterator[T | None]:
        """Give each result, and ``None`` whenever there was none for a moment.

        The first error ends it; what has not begun by then is never begun by leaving the crew.
        """
        while self._open:
            try:
                future = self._done.get(timeout=TICK)
            except queue.Empty:
                yield None
                continue
            self._open -= 1
            yield future.result()
