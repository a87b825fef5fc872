"""Running a verb to its end, from plain code and from an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from dbx_magic import events
from dbx_magic.events import Event, Note, Pace, Progress, Work, adrive, drive
from dbx_magic.show import text


def work(closed: list[str]) -> Work[int]:
    try:
        yield Note("one")
        yield Note("two")
        return 3
    finally:
        closed.append("closed")


def test_drive_shows_events_and_returns_the_result() -> None:
    closed: list[str] = []
    seen: list[Event] = []
    assert drive(work(closed), seen.append) == 3
    assert seen == [Note("one"), Note("two")]
    assert closed == ["closed"]


def test_an_interrupt_while_showing_closes_the_verb() -> None:
    closed: list[str] = []

    def show(_: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(work(closed), show)
    assert closed == ["closed"]


def test_adrive_runs_steps_in_threads() -> None:
    closed: list[str] = []
    seen: list[Event] = []

    async def show(event: Event) -> None:
        seen.append(event)

    assert asyncio.run(adrive(work(closed), show)) == 3
    assert seen == [Note("one"), Note("two")]
    assert closed == ["closed"]


def test_a_cancelled_adrive_waits_for_the_step_and_closes_the_verb() -> None:
    closed: list[str] = []
    stepping, go_on = threading.Event(), threading.Event()

    def slow() -> Work[None]:
        try:
            stepping.set()
            assert go_on.wait(10)
            closed.append("step ended")
            yield Note("late")
        finally:
            closed.append("closed")

    async def show(_: Event) -> None:
        pytest.fail("nothing is shown after the cancellation")

    async def main() -> None:
        task = asyncio.create_task(adrive(slow(), show))
        await asyncio.to_thread(stepping.wait, 10)
        task.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert closed == ["step ended", "closed"]


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("hello", "starting"), "◐ hello   starting"),
        (Progress("hello", "starting", 161, 240), "starting · 2 min 41 s of about 4 min"),
        (Progress("push", "sending", 2, done=3, total=12, unit="notebooks"), "3 of 12 notebooks"),
    ],
)
def test_progress_is_one_line_in_words(progress: Progress, line: str) -> None:
    shown = text(progress.view())
    assert line in shown
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        (Progress("x", "s"), None),
        (Progress("x", "s", done=1, total=4), 0.25),
        (Progress("x", "s", elapsed=30, expected=60), 0.5),
        (Progress("x", "s", elapsed=90, expected=60), 0.99),
    ],
)
def test_share_is_never_done_before_the_end(progress: Progress, share: float | None) -> None:
    assert progress.share == share


def test_a_pace_tells_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace("notebooks/", "reading", 500, "files")
    assert [event for done in range(500) for event in pace.at(done)] == []
    monkeypatch.setattr(events, "TOLD_EVERY", 0.0)
    (told,) = pace.at(250)
    assert (told.done, told.total, told.share) == (250, 500, 0.5)
    assert "reading · 250 of 500 files" in text(told.view())
