"""Jobs that run by the clock: quartz cron expressions and fixed intervals."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import Refused, invalid
from .runs import Runs
from .store import Store

_LONGEST_SLEEP = 24 * 3600.0
_UNITS = {"HOURS": timedelta(hours=1), "DAYS": timedelta(days=1), "WEEKS": timedelta(weeks=1)}
_log = logging.getLogger("dbx_magic.local")


class Scheduler:
    """Begins the runs whose time has come. What was due while nobody served is not made up for."""

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the clock."""
        self._task = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Let the clock be."""
        if self._task:
            self._task.cancel()

    async def _watch(self) -> None:
        seen = datetime.now(timezone.utc)
        while True:
            due = [
                (time, job)
                for job in self._store.all("job").values()
                if (time := next_time(job["settings"], seen)) is not None
            ]
            now = datetime.now(timezone.utc)
            for time, job in due:
                if time <= now:
                    self._begin(job)
            if any(time <= now for time, _ in due):
                seen = now
                continue
            soonest = min((time for time, _ in due), default=None)
            seconds = (soonest - now).total_seconds() if soonest else _LONGEST_SLEEP
            await self._runs.jobs_changed.wait(min(seconds, _LONGEST_SLEEP))

    def _begin(self, job: dict[str, Any]) -> None:
        try:
            self._runs.run_now(job, {}, job["creator_user_name"], "PERIODIC")
        except Refused as refused:
            _log.warning("Job %s could not run on schedule: %s", job["job_id"], refused.message)


def check_schedule(settings: Mapping[str, Any]) -> None:
    """Refuse a schedule that never comes, or that the local workspace does not keep."""
    trigger = settings.get("trigger") or {}
    for name in ("file_arrival", "table_update", "table"):
        if name in trigger and trigger.get("pause_status") != "PAUSED":
            raise invalid(f"The local workspace does not watch {name}; set it to PAUSED.")
    continuous = settings.get("continuous")
    if continuous is not None and continuous.get("pause_status") != "PAUSED":
        raise invalid("The local workspace does not run continuous jobs; set it to PAUSED.")
    next_time(settings, datetime.now(timezone.utc))


def next_time(settings: Mapping[str, Any], after: datetime) -> datetime | None:
    """When a job with these settings runs next by itself."""
    schedule, trigger = settings.get("schedule"), settings.get("trigger") or {}
    if schedule and schedule.get("pause_status", "UNPAUSED") != "PAUSED":
        return _next_by_cron(schedule, after)
    periodic = trigger.get("periodic")
    if periodic and trigger.get("pause_status", "UNPAUSED") != "PAUSED":
        unit = _UNITS.get(str(periodic.get("unit")))
        if unit is None or int(periodic.get("interval") or 0) < 1:
            raise invalid(f"A periodic trigger needs an interval in one of: {', '.join(_UNITS)}.")
        step = unit * int(periodic["interval"])
        passed = after - datetime.fromtimestamp(0, timezone.utc)
        return after + step - passed % step
    return None


def _next_by_cron(schedule: Mapping[str, Any], after: datetime) -> datetime | None:
    # Only jobs on a schedule need it.
    from croniter import CroniterBadCronError, CroniterBadDateError, croniter

    expression = str(schedule.get("quartz_cron_expression", ""))
    zone_name = str(schedule.get("timezone_id") or "UTC")
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid(f"There is no time zone {zone_name!r}.") from None
    fields = expression.split()
    if len(fields) not in (6, 7) or (fields[3] == "?") == (fields[5] == "?"):
        raise invalid(
            f"{expression!r} is no quartz cron expression: seconds, minutes, hours, day of month,"
            " month, day of week; '?' for exactly one of the two days."
        )
    fields[5] = _day_of_week(fields[5])
    try:
        found = croniter(
            " ".join(fields).replace("?", "*"),
            after.astimezone(zone),
            second_at_beginning=True,
            day_or=False,
        ).get_next(datetime)
    except CroniterBadDateError:
        return None
    except (CroniterBadCronError, ValueError) as problem:
        raise invalid(f"{expression!r} is no quartz cron expression: {problem}") from None
    return found.astimezone(timezone.utc)


def _day_of_week(field: str) -> str:
    """Quartz counts Sunday as 1 and writes ``6L``; others count it as 0 and write ``L5``."""
    counted = re.sub(r"(?<![#/\d])\d", lambda found: str(int(found[0]) - 1), field)
    return re.sub(r"\b(\d)L", r"L\1", counted)
