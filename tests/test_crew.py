"""Work side by side: results as they come, the first error, and stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dbx_magic.crew import Crew, Pile
from dbx_magic.throttle import Stopped, pause


def giving(value: int) -> Callable[[], int]:
    return lambda: value


def test_results_come_as_they_are_done_and_may_ask_for_more() -> None:
    with Crew() as crew:
        pile: Pile[int] = Pile(crew)
        pile.add(giving(3))
        seen = []
        for result in pile.results():
            assert result is not None
            seen.append(result)
            if result > 0:
                pile.add(giving(result - 1))
    assert seen == [3, 2, 1, 0]


def test_waiting_is_told() -> None:
    door = threading.Event()
    with Crew() as crew:
        pile: Pile[bool] = Pile(crew)
        pile.add(lambda: door.wait(10))
        results = pile.results()
        assert next(results) is None
        door.set()
        assert next(result for result in results if result is not None)


def test_an_error_ends_it_and_what_has_not_begun_never_begins() -> None:
    begun = []
    door = threading.Event()

    def fail() -> int:
        raise ValueError("no")

    def use() -> None:
        with Crew() as crew:
            pile: Pile[int] = Pile(crew)
            pile.add(fail)
            for number in range(100):
                pile.add(lambda number=number: begun.append(number) or door.wait(0.01) or number)  # type: ignore[misc]
            list(pile.results())

    with pytest.raises(ValueError, match="no"):
        use()
    assert len(begun) < 100


def test_leaving_ends_pauses() -> None:
    paused = threading.Event()

    def wait() -> None:
        paused.set()
        pause(60)

    with Crew() as crew:
        future = crew.start(wait)
        assert paused.wait(10)
    assert isinstance(future.exception(), Stopped)


def test_outside_of_a_crew_a_pause_is_a_sleep() -> None:
    pause(0.001)
