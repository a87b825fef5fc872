"""When windows of time violate, and when that is a drift."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.settings import Monitor
from dbx_magic.windows import JudgedWindow, Violation, has_drifted, judged

DAY = 86_400
BAD = (Violation("mass", "js_distance", 0.5, 0.2),)


def row(day: int, column: str, **metrics: float | None) -> dict[str, Any]:
    return {"start": day * DAY, "column_name": column, **metrics}


def windows(pattern: str) -> list[JudgedWindow]:
    """Windows from the latest back: ``x`` violates, ``.`` does not."""
    return [JudgedWindow(str(-age), BAD if mark == "x" else ()) for age, mark in enumerate(pattern)]


@pytest.mark.parametrize(
    ("pattern", "violations", "of", "drifted"),
    [
        ("xx.", 2, 3, True),
        ("x.x", 2, 3, True),
        (".xx", 2, 3, False),  # it is over
        ("x..", 2, 3, False),
        ("x..x", 2, 3, False),  # too long ago
        ("x", 1, 1, True),
        ("x", 2, 3, False),  # only one there is
        ("xx", 2, 3, True),
        ("...", 1, 3, False),
    ],
)
def test_k_of_the_last_n_and_the_latest(
    pattern: str, violations: int, of: int, drifted: bool
) -> None:
    monitor = Monitor("at", violations=violations, of=of)
    assert has_drifted(windows(pattern), monitor) is drifted


@given(st.text("x.", min_size=1, max_size=9), st.integers(1, 5), st.integers(1, 5))
def test_more_violations_never_end_a_drift(pattern: str, violations: int, of: int) -> None:
    monitor = Monitor("at", violations=min(violations, of), of=of)
    if has_drifted(windows(pattern), monitor):
        assert pattern[0] == "x"
        for at in range(len(pattern)):
            assert has_drifted(windows(pattern[:at] + "x" + pattern[at + 1 :]), monitor)


def test_windows_are_judged_by_their_limits() -> None:
    monitor = Monitor("at", of=2, drift={"js_distance": 0.2, "avg_delta": 1, "count_delta": 10})
    found = judged(
        [
            row(0, "mass", js_distance=0.9),  # older than the last two
            row(1, "mass", js_distance=0.2, avg_delta=-1.0),
            row(2, ":table", count_delta=-30.0),
            row(2, "mass", js_distance=0.3, avg_delta=-4.0, count_delta=-30.0),
            row(2, "kind", js_distance=math.nan, avg_delta=None, count_delta=-30.0),
        ],
        monitor,
    )
    assert [window.start for window in found] == [
        "1970-01-03T00:00:00+00:00",
        "1970-01-02T00:00:00+00:00",
    ]
    told = [(item.column, item.metric, item.value) for item in found[0].violations]
    # The worst first; that rows are missing is told once, not for each column.
    assert [item[:2] for item in told] == [
        ("kind", "js_distance"),
        ("mass", "avg_delta"),
        (":table", "count_delta"),
        ("mass", "js_distance"),
    ]
    assert told[1:] == [
        ("mass", "avg_delta", -4.0),
        (":table", "count_delta", -30.0),
        ("mass", "js_distance", 0.3),
    ]
    assert found[1].violations == ()


def test_a_limit_of_nothing_is_violated_by_anything() -> None:
    monitor = Monitor("at", drift={"tv_distance": 0})
    (window,) = judged([row(0, "a", tv_distance=0.0), row(0, "b", tv_distance=1e-9)], monitor)
    assert [item.column for item in window.violations] == ["b"]
