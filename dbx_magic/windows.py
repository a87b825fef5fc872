"""Whether data has drifted: which of its last windows of time violate a limit, and how many may."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .profile import TABLE
from .settings import Monitor


@dataclass(frozen=True)
class Violation:
    """A column whose ``metric`` is further from 0 than its limit."""

    column: str
    metric: str
    value: float
    limit: float


@dataclass(frozen=True)
class JudgedWindow:
    """A window of time by its ``start`` in UTC, and what violates in it, the worst first."""

    start: str
    violations: tuple[Violation, ...]


def judged(rows: Sequence[Mapping[str, Any]], monitor: Monitor) -> tuple[JudgedWindow, ...]:
    """Hold the last windows against the limits, the latest first.

    A row has ``start`` in seconds, ``column_name``, and a number or nothing for each metric.
    """
    starts = sorted({int(row["start"]) for row in rows}, reverse=True)[: monitor.of]
    return tuple(
        JudgedWindow(
            _moment(start),
            _violations([row for row in rows if int(row["start"]) == start], monitor.drift),
        )
        for start in starts
    )


def has_drifted(windows: Sequence[JudgedWindow], monitor: Monitor) -> bool:
    """Whether the latest window violates, and as many of the last as are too many.

    That the latest does keeps an old drift, which is over, from being acted on.
    """
    violating = [window for window in windows[: monitor.of] if window.violations]
    return len(violating) >= monitor.violations and violating[0] is windows[0]


def _violations(
    rows: Sequence[Mapping[str, Any]], limits: Mapping[str, float]
) -> tuple[Violation, ...]:
    found = [
        Violation(str(row["column_name"]), metric, float(value), limit)
        for row in rows
        for metric, limit in limits.items()
        # The lines of columns have the table's own count once more.
        if (value := row.get(metric)) is not None
        and (metric != "count_delta" or row["column_name"] == TABLE)
        and not abs(value) <= limit  # so that a NaN violates
    ]
    return tuple(sorted(found, key=_excess, reverse=True))


def _excess(violation: Violation) -> float:
    value = abs(violation.value)
    if math.isnan(value):
        return math.inf
    return value / violation.limit if violation.limit else math.inf


def _moment(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc).isoformat()
