"""When jobs run by themselves: quartz expressions, time zones, pauses."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from dbx_magic.local.errors import Refused
from dbx_magic.local.schedules import check_schedule, next_time

FRIDAY = datetime(2026, 3, 27, 12, 0, tzinfo=timezone.utc)


def cron(expression: str, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    """Settings of a job with a schedule."""
    return {"schedule": {"quartz_cron_expression": expression, "timezone_id": zone, **more}}


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("0 0 * * * ?", "UTC", "2026-03-27T13:00:00+00:00"),
        ("*/20 * * * * ?", "UTC", "2026-03-27T12:00:20+00:00"),
        ("0 30 9 ? * MON-FRI", "UTC", "2026-03-30T09:30:00+00:00"),
        ("0 30 9 ? * 2-6", "UTC", "2026-03-30T09:30:00+00:00"),
        ("0 0 0 ? * 1", "UTC", "2026-03-29T00:00:00+00:00"),
        ("0 0 12 ? * 2#1", "UTC", "2026-04-06T12:00:00+00:00"),
        ("0 0 12 ? * 6L", "UTC", "2026-04-24T12:00:00+00:00"),
        ("0 0 12 L * ?", "UTC", "2026-03-31T12:00:00+00:00"),
        ("0 0 12 15W * ?", "UTC", "2026-04-15T12:00:00+00:00"),
        ("0 0 12 1 1 ? 2028", "UTC", "2028-01-01T12:00:00+00:00"),
        # In Berlin the clock is put forward on the night before.
        ("0 0 12 29 3 ?", "Europe/Berlin", "2026-03-29T10:00:00+00:00"),
    ],
)
def test_quartz_expressions(expression: str, zone: str, expected: str) -> None:
    found = next_time(cron(expression, zone), FRIDAY)
    assert found is not None
    assert found.isoformat() == expected


def test_intervals() -> None:
    settings = {"trigger": {"periodic": {"interval": 2, "unit": "HOURS"}}}
    first = next_time(settings, FRIDAY)
    assert first == datetime(2026, 3, 27, 14, 0, tzinfo=timezone.utc)
    assert next_time(settings, first) == datetime(2026, 3, 27, 16, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        cron("0 0 * * * ?", pause_status="PAUSED"),
        {"trigger": {"pause_status": "PAUSED", "periodic": {"interval": 1, "unit": "DAYS"}}},
        {"continuous": {"pause_status": "PAUSED"}},
    ],
)
def test_what_is_paused_never_comes(settings: dict[str, Any]) -> None:
    check_schedule(settings)
    assert next_time(settings, FRIDAY) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (cron("0 0 * * *"), "no quartz cron expression"),
        (cron("0 0 * * * *"), "'\\?' for exactly one"),
        (cron("0 99 * * * ?"), "no quartz cron expression"),
        (cron("0 0 * * * ?", "Mars/Olympus"), "no time zone"),
        ({"trigger": {"periodic": {"interval": 0, "unit": "DAYS"}}}, "interval"),
        ({"trigger": {"file_arrival": {"url": "/Volumes/x"}}}, "does not watch file_arrival"),
        ({"continuous": {}}, "continuous"),
    ],
)
def test_schedules_that_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        check_schedule(settings)
