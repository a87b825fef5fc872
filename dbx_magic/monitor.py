"""Data watched as time goes by: what it is like in each window, and whether that drifts away."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from .data import rows, table
from .dbx import Dbx
from .errors import ProjectError, QualityError, RemoteError, UsageError
from .events import Note, Progress, Work
from .exchange import asked
from .metric_tables import FOREIGN, MetricTables, Source, columns_of
from .profile import TABLE, kind_of
from .promote import Promoted, promote
from .settings import Data, Monitor
from .track import Tracked, track
from .tracking import CHAMPION, PREVIOUS
from .validate import Validated, validate
from .view import Block, Line, Table, View, counted, listed
from .windows import JudgedWindow, has_drifted, judged
from .workspace import Json

_ANSWERED = "dbx.answered"  # the tag of a champion: what was done, and the last window it was for
_IN_VAIN = "in-vain"  # what was done, when the new version was no better than the champion
_MOST = 20  # violations that are shown


@dataclass(frozen=True)
class Watched:
    """One data set: how many windows were added to its metrics, and its last ones, latest first."""

    name: str
    source: str
    monitor: Monitor
    added: int
    windows: tuple[JudgedWindow, ...]
    drifted: bool

    def view(self) -> View:
        """Whether it has drifted, and all that violates in the last windows."""
        monitor = self.monitor
        against = monitor.baseline or "the window before"
        added = f" · {counted(self.added, 'window')} added" if self.added else ""
        note = f"windows of {monitor.window} of {self.source}, compared with {against}{added}"
        if not monitor.drift:
            words = f"{self.name}: nothing has a limit"
            return [Line(words, "!", f"[data.{self.name}.monitor.drift] in dbx.toml sets them")]
        if not self.windows:
            return [Line(f"{self.name}: no window to judge yet", "○", note)]
        violating = sum(bool(window.violations) for window in self.windows)
        last = f"the last {counted(len(self.windows), 'window')}"
        if not violating:
            return [Line(f"{self.name}: within its limits in {last}", "✓", note)]
        words = f"{violating} of {last} {'violate' if violating > 1 else 'violates'} a limit"
        if self.drifted:
            return [Line(f"{self.name} has drifted: {words}", "✗", note), *self._table()]
        latest = "the latest does not" if not self.windows[0].violations else ""
        allowed = latest or f"{monitor.violations} of {monitor.of} are too many"
        return [Line(f"{self.name}: {words}; {allowed}", "!", note), *self._table()]

    def _table(self) -> list[Block]:
        found = tuple(
            (
                _words(window.start),
                "its rows" if item.column == TABLE else item.column,
                item.metric,
                f"{item.value:.4g}",
                f"{item.limit:g}",
            )
            for window in self.windows
            for item in window.violations
        )
        more = len(found) - _MOST
        shown = Table(found[:_MOST], ("window (UTC)", "column", "metric", "is", "limit"))
        return [shown, *([Line(f"and {more:,} more", indent=1)] if more > 0 else [])]


@dataclass(frozen=True)
class Monitored:
    """Each data set, and what was done about drift; steps that were not needed are ``None``."""

    data: tuple[Watched, ...]
    tracked: Tracked | None = None
    validated: Validated | None = None
    promoted: Promoted | None = None

    @property
    def exit_code(self) -> int:
        """What the command line ends with: 9 while there is a drift and no other champion."""
        drifted = any(item.drifted for item in self.data)
        return QualityError.exit_code if drifted and not self.promoted else 0

    def view(self) -> View:
        """Each data set, then what each step shows."""
        steps = (*self.data, self.tracked, self.validated, self.promoted)
        return [block for step in steps if step for block in step.view()]


def monitor(
    dbx: Dbx,
    name: str = "",
    *,
    then: Literal["tell", "retrain", "rollback"] = "tell",
    cluster: str = "",
) -> Work[Monitored]:
    """Watch data for drift: write what each window of time is like, and judge the last ones.

    Windows that are over are written, each once, to the tables of Databricks' data profiling beside
    the data, `…_profile_metrics` and `…_drift_metrics`; where Databricks' own monitor writes them
    they are only read. Rows that come when their window is written already do not count any more.
    Data has drifted when in `violations` of the last `of` windows, and in the latest, a metric is
    further from 0 than its limit in `[data.NAME.monitor.drift]`; the exit code is 9 then.

    Of the columns of Databricks, p-values, slices and model quality stay empty; distances are
    between shares of the deciles or frequent values of what is compared with, for numbers, too, and
    complex types are left out.

    Args:
        name: One `[data.NAME]` of dbx.toml; without it all that have a monitor.
        then: What to do about drift: tell of it, train the model anew, or go back to the previous
            champion. Neither is done twice for the same windows.
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        UsageError: there is no such data in dbx.toml.
        ProjectError: dbx.toml has no monitor, or its data or column of time cannot be read.
        RemoteError: the metrics cannot be written.
    """
    dbx.project.must_exist()
    watched = _meant(dbx, name)
    if then != "tell" and dbx.project.settings.model is None:
        raise ProjectError(f"dbx.toml has no [model] to {then}.", 'Write its name: name = "…"')
    answer = last = ""
    if then != "tell":
        answer, last = yield from asked("MLflow", partial(_last_answer, dbx))
    found = []
    for data, its_monitor in watched:
        since = "" if answer == _IN_VAIN else last
        found.append((yield from _watch(dbx, data, its_monitor, since, cluster)))
    done = Monitored(tuple(found))
    drifted = [item for item in found if item.drifted]
    if not drifted or then == "tell":
        return done
    yield Note(f"{listed([item.name for item in drifted])}: drifted", "✗")
    new = any(has_drifted(_after(last, item.windows), item.monitor) for item in drifted)
    if then == "retrain" and answer == _IN_VAIN and not new:
        yield Note("Training anew was in vain; it is tried again when later windows drift.", "!")
        return done
    if then == "retrain":
        done = yield from _retrain(dbx, done, cluster)
    else:
        done = yield from _roll_back(dbx, done, answer)
    if done.promoted or then == "retrain":
        latest = max(item.windows[0].start for item in drifted)
        _remember(dbx, then if done.promoted else _IN_VAIN, latest)
    return done


def _retrain(dbx: Dbx, done: Monitored, cluster: str) -> Work[Monitored]:
    tracked = yield from track(dbx, cluster=cluster)
    if not tracked.version:
        return replace(done, tracked=tracked)
    validated = yield from validate(dbx, tracked.version, cluster=cluster)
    promoted = None
    if validated.passed:
        promoted = yield from promote(dbx, tracked.version)
    return replace(done, tracked=tracked, validated=validated, promoted=promoted)


def _roll_back(dbx: Dbx, done: Monitored, answer: str) -> Work[Monitored]:
    if answer == "rollback":
        yield Note("The champion is one that was gone back to already, so it stays.", "!")
        return done
    if PREVIOUS not in _aliases(dbx):
        yield Note("There is no previous champion to go back to.", "!")
        return done
    # It was the champion once, whatever its validation says.
    return replace(done, promoted=(yield from promote(dbx, PREVIOUS, force=True)))


def _last_answer(dbx: Dbx) -> tuple[str, str]:
    """What the champion is the answer to: what was done, and the start of the last window."""
    version = _aliases(dbx).get(CHAMPION)
    tags = dbx.tracking.version(_model(dbx), version).tags if version else {}
    answer, _, start = tags.get(_ANSWERED, "").partition(" ")
    return answer, start


def _remember(dbx: Dbx, answer: str, start: str) -> None:
    """Tag the champion, so that the windows until now are not answered again."""
    if version := _aliases(dbx).get(CHAMPION):
        dbx.tracking.tag_version(_model(dbx), version, _ANSWERED, f"{answer} {start}")


def _aliases(dbx: Dbx) -> dict[str, str]:
    return dbx.tracking.aliases(_model(dbx))


def _model(dbx: Dbx) -> str:
    model = dbx.project.settings.model
    return model.name if model else ""


def _meant(dbx: Dbx, name: str) -> list[tuple[Data, Monitor]]:
    settings = dbx.project.settings
    watched = [(data, data.monitor) for data in settings.data if data.monitor]
    if not watched:
        raise ProjectError(
            "No data in dbx.toml is monitored.",
            'Write [data.NAME.monitor] with time = "…", the column that says when a row is from.',
        )
    if not name:
        return watched
    found = [item for item in watched if item[0].name == name]
    if not found:
        names = [data.name for data, _ in watched]
        near = difflib.get_close_matches(name, names, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {listed(names)}."
        raise UsageError(f"There is no data {name!r} with a monitor in dbx.toml.", hint)
    return found


def _watch(dbx: Dbx, data: Data, monitor: Monitor, since: str, cluster: str) -> Work[Watched]:
    key = f"data.{data.name}"
    columns = yield from _columns(dbx, f"{key}.source", data.source, cluster)
    _must_have_time(f"{key}.monitor.time", monitor.time, data.source, columns)
    baseline = None
    if monitor.baseline:
        against = table(monitor.baseline)
        theirs = yield from _columns(dbx, f"{key}.monitor.baseline", against, cluster)
        baseline = Source(against, theirs)
    tables = MetricTables(Source(data.source, columns), monitor, baseline)
    added = yield from _write(dbx, data.name, tables, cluster)
    latest = yield from _ask(dbx, tables.latest(), f"{tables.drift} cannot be read", cluster)
    windows = _after(since, judged(latest, monitor))
    drifted = has_drifted(windows, monitor)
    return Watched(data.name, data.source, monitor, added, windows, drifted)


def _after(start: str, windows: tuple[JudgedWindow, ...]) -> tuple[JudgedWindow, ...]:
    return tuple(window for window in windows if window.start > start)


def _write(dbx: Dbx, name: str, tables: MetricTables, cluster: str) -> Work[int]:
    """Add the windows that are over, and how far they are from what they are compared with.

    Each statement adds all of its rows or none, and the next run begins with what is missing.
    """
    failing = f"The metrics of {name} cannot be written"
    for statement in tables.create():
        yield from _ask(dbx, statement, failing, cluster)
    there = yield from _ask(dbx, f"describe table {tables.profile}", failing, cluster)
    if any(row["col_name"] == FOREIGN for row in there):
        return 0
    new = (yield from _ask(dbx, tables.new_windows(), failing, cluster))[0]
    added = int(new["windows"])
    if added:
        yield Progress(name, f"{counted(added, 'window')} to profile")
        profile = tables.add_profile(int(new["first"]), int(new["last"]))
        yield from _ask(dbx, profile, failing, cluster)
    pairs = (yield from _ask(dbx, tables.new_pairs(), failing, cluster))[0]
    if pairs["windows"]:
        yield Progress(name, f"{counted(int(pairs['windows']), 'window')} to compare")
        span = int(pairs["first"]), int(pairs["last"])
        if tables.baseline:
            baseline = tables.add_baseline(tables.baseline, *span)
            yield from _ask(dbx, baseline, failing, cluster)
        yield from _ask(dbx, tables.add_drift(*span), failing, cluster)
    return added


def _columns(dbx: Dbx, key: str, source: str, cluster: str) -> Work[dict[str, str]]:
    try:
        found = yield from rows(dbx, columns_of(source), cluster)
    except RemoteError as error:
        raise ProjectError(f"dbx.toml: {key} cannot be read: {_first_line(error)}") from None
    return {row["col_name"]: row["data_type"] for row in found}


def _ask(dbx: Dbx, statement: str, failing: str, cluster: str) -> Work[list[Json]]:
    try:
        return (yield from rows(dbx, statement, cluster))
    except RemoteError as error:
        raise RemoteError(f"{failing}: {_first_line(error)}") from None


def _first_line(error: RemoteError) -> str:
    return error.message.strip().partition("\n")[0]


def _must_have_time(key: str, time: str, source: str, columns: dict[str, str]) -> None:
    moments = [name for name, data_type in columns.items() if kind_of(data_type) == "moment"]
    if time.lower() in (name.lower() for name in moments):
        return
    types = {name.lower(): data_type for name, data_type in columns.items()}
    if time.lower() in types:
        what = f"but that is of type {types[time.lower()]}, no date and no timestamp"
    else:
        what = f"but {source} has no such column"
    hint = f"Those with a time: {listed(moments, 8)}." if moments else "No column has a time."
    raise ProjectError(f'dbx.toml: {key} is "{time}", {what}.', hint)


def _words(start: str) -> str:
    """The start of a window as people write it.

    >>> _words("2026-11-07T00:00:00+00:00"), _words("2026-11-07T13:30:00+00:00")
    ('2026-11-07', '2026-11-07 13:30')
    """
    day, _, time = start.partition("T")
    return day if time.startswith("00:00") else f"{day} {time[:5]}"
