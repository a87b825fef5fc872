"""Places for requests: more while the host keeps up, fewer when it does not."""

from __future__ import annotations

import contextlib
import threading

from dbx_magic.throttle import Throttle


def answer(throttle: Throttle, *, busy: bool = False) -> None:
    with throttle.place() as place:
        place.busy = busy


def test_each_answer_adds_a_place_up_to_the_most() -> None:
    throttle = Throttle(2, 4)
    widths = []
    for _ in range(4):
        answer(throttle)
        widths.append(throttle.width)
    assert widths == [3, 4, 4, 4]


def test_a_busy_host_halves_the_places_once_for_all_that_was_under_way() -> None:
    throttle = Throttle(16, 32)
    begun = [throttle.take() for _ in range(16)]
    for one in begun:
        throttle.give_back(one, busy=True)
    assert throttle.width == 8
    answer(throttle, busy=True)
    assert throttle.width == 4


def test_places_come_back_slowly_and_never_run_out() -> None:
    throttle = Throttle(2, 8)
    for _ in range(5):
        answer(throttle, busy=True)
    assert throttle.width == 1
    for _ in range(3):
        answer(throttle)
    assert throttle.width == 2
    for _ in range(100):
        answer(throttle)
    assert throttle.width == 8


def test_no_more_are_under_way_than_there_are_places() -> None:
    throttle = Throttle(3, 3)
    open_door, lock = threading.Event(), threading.Lock()
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with throttle.place():
            with lock:
                inside += 1
                most = max(most, inside)
                if inside == 3:
                    open_door.set()
            assert open_door.wait(10)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 3


def test_an_error_gives_the_place_back() -> None:
    throttle = Throttle(1, 1)
    with contextlib.suppress(OSError), throttle.place():
        raise OSError
    answer(throttle)
