"""The two tables of metrics beside a monitored one: the statements that make, fill and read them.

Their names and columns are those of Databricks' data profiling. What its own monitor writes has a
``monitor_version``; there nothing is added, only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .distances import distances
from .profile import TABLE, cells, instant, literal, statistics
from .settings import Monitor

FOREIGN = "monitor_version"  # a column that only Databricks' own tables have

_WINDOW = "struct<start: timestamp, `end`: timestamp>"
_TEST = "struct<statistic: double, pvalue: double>"
_PROFILE = {
    "window": _WINDOW,
    "log_type": "string",
    "granularity": "string",
    "slice_key": "string",
    "slice_value": "string",
    "column_name": "string",
    "count": "bigint",
    "data_type": "string",
    "num_nulls": "bigint",
    "avg": "double",
    "quantiles": "array<double>",
    "min": "double",
    "max": "double",
    "stddev": "double",
    "num_zeros": "bigint",
    "num_nan": "bigint",
    "min_length": "double",
    "max_length": "double",
    "avg_length": "double",
    "non_null_columns": "array<string>",
    "frequent_items": "array<struct<item: string, count: bigint>>",
    "median": "double",
    "distinct_count": "bigint",
    "percent_nan": "double",
    "percent_null": "double",
    "percent_zeros": "double",
    "percent_distinct": "double",
}
_DRIFT = {
    "window": _WINDOW,
    "granularity": "string",
    "slice_key": "string",
    "slice_value": "string",
    "column_name": "string",
    "data_type": "string",
    "window_cmp": _WINDOW,
    "drift_type": "string",
    "count_delta": "bigint",
    "avg_delta": "double",
    "percent_null_delta": "double",
    "percent_zeros_delta": "double",
    "percent_distinct_delta": "double",
    "non_null_columns_delta": "struct<added: int, missing: int>",
    "js_distance": "double",
    "ks_test": _TEST,
    "wasserstein_distance": "double",
    "population_stability_index": "double",
    "chi_squared_test": _TEST,
    "tv_distance": "double",
    "l_infinity_distance": "double",
}
_TESTS = tuple(name for name, kind in _DRIFT.items() if kind == _TEST)


@dataclass(frozen=True)
class Source:
    """A table, or a query in brackets, and the types of its columns by their names."""

    table: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class MetricTables:
    """The tables beside ``source``, which are filled as ``monitor`` says.

    Spans of time are seconds since 1970, of which the last is not part any more.
    """

    source: Source
    monitor: Monitor
    baseline: Source | None

    @property
    def profile(self) -> str:
        """The table with what the windows are like."""
        return beside(self.source.table, "_profile_metrics")

    @property
    def drift(self) -> str:
        """The table with how far they are from what they are compared with."""
        return beside(self.source.table, "_drift_metrics")

    @property
    def _drift_type(self) -> str:
        return "BASELINE" if self.baseline else "CONSECUTIVE"

    def create(self) -> tuple[str, str]:
        """Make both tables, where they are not there."""
        return tuple(  # type: ignore[return-value]
            f"create table if not exists {table} "
            f"({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
            for table, columns in ((self.profile, _PROFILE), (self.drift, _DRIFT))
        )

    def new_windows(self) -> str:
        """How many windows are over and not in the profile, and the time that they span."""
        return (
            "select count(*) as windows, unix_seconds(min(window.start)) as first, "
            "unix_seconds(max(window.`end`)) as last from (select distinct window from "
            f"(select {self._window} as window from {self.source.table}) "
            "where window.`end` <= current_timestamp()) "
            f"left anti join {self._known} using (window)"
        )

    def add_profile(self, first: int, last: int) -> str:
        """Write the profile of those windows."""
        found = self._cells(first, last)
        new = f"select * from ({found}) left anti join {self._known} using (window)"
        return self._insert(self.profile, _PROFILE, statistics(new))

    def new_pairs(self) -> str:
        """How many windows have a profile and no drift, and the time to look at for it."""
        start = "window.start" if self.baseline else "compared.start"
        return (
            f"select count(*) as windows, unix_seconds(min({start})) as first, "
            f"unix_seconds(max(window.`end`)) as last from ({self._pairs(0, 0)})"
        )

    def add_baseline(self, baseline: Source, first: int, last: int) -> str:
        """Write the profile of what windows of that time are to be compared with.

        It is not written again when a run was stopped before the drift was.
        """
        there = f"(select window from {self.profile} where {self._ours} and log_type = 'BASELINE')"
        all_cells = cells(baseline.table, baseline.columns, _span(first, last))
        query = f"select * from ({all_cells}) left anti join {there} using (window)"
        return self._insert(self.profile, _PROFILE, statistics(query), log_type="BASELINE")

    def add_drift(self, first: int, last: int) -> str:
        """Write the drift of those windows."""
        there = f"select * from {self.profile} where {self._ours} and log_type"
        profile = f"{there} = 'INPUT'"
        ours = self._cells(first, last)
        theirs, reference = ours, profile
        if self.baseline:
            span = _span(first, last)
            theirs = cells(self.baseline.table, self.baseline.columns, span)
            reference = f"{there} = 'BASELINE' and window = {span}"
        found = distances(profile, self._pairs(first, last), reference, ours, theirs)
        return self._insert(self.drift, _DRIFT, found)

    def latest(self) -> str:
        """The metrics that have a limit, of all columns in the last windows."""
        metrics = [
            f"cast({name}.statistic as double) as {name}"
            if name in _TESTS
            else f"cast({name} as double) as {name}"
            for name in self.monitor.drift
        ]
        columns = ", ".join(["unix_seconds(window.start) as start", "column_name", *metrics])
        return (
            f"select {columns} from (select *, dense_rank() over (order by window.start desc) "
            f"as rank from {self.drift} where {self._ours} and drift_type = '{self._drift_type}') "
            f"where rank <= {self.monitor.of} order by start desc, column_name"
        )

    @property
    def _instant(self) -> str:
        time = self.monitor.time.lower()
        found = next(item for item in self.source.columns.items() if item[0].lower() == time)
        return instant(*found)

    @property
    def _window(self) -> str:
        return f"window({self._instant}, '{self.monitor.window}')"

    @property
    def _ours(self) -> str:
        return f"granularity = '{self.monitor.window}' and slice_key is null"

    @property
    def _known(self) -> str:
        return (
            f"(select window from {self.profile} where {self._ours} and log_type = 'INPUT' "
            f"and column_name = {literal(TABLE)})"
        )

    def _pairs(self, first: int, last: int) -> str:
        before = "lag(window) over (order by window.start)"
        compared = _span(first, last) if self.baseline else before
        return (
            f"select * from (select window, {compared} as compared from {self._known}) "
            f"left anti join (select window from {self.drift} where {self._ours} "
            f"and drift_type = '{self._drift_type}') using (window) where compared is not null"
        )

    def _cells(self, first: int, last: int) -> str:
        time = self._instant
        span = f"{time} >= timestamp_seconds({first}) and {time} < timestamp_seconds({last})"
        source = f"(select * from {self.source.table} where {span})"
        return cells(source, self.source.columns, self._window)

    def _insert(
        self, table: str, columns: Mapping[str, str], query: str, log_type: str = "INPUT"
    ) -> str:
        constant = {
            "log_type": f"'{log_type}'",
            "granularity": f"'{self.monitor.window}'",
            "slice_key": "null",
            "slice_value": "null",
            "window_cmp": "null" if self.baseline else "compared",
            "drift_type": f"'{self._drift_type}'",
        }
        values = (f"{constant.get(name, name)} as {name}" for name in columns)
        return f"insert into {table} select {', '.join(values)} from ({query})"


def _span(first: int, last: int) -> str:
    """A span of time as a window."""
    return f"named_struct('start', timestamp_seconds({first}), 'end', timestamp_seconds({last}))"


def columns_of(source: str) -> str:
    """The columns of a table, or of a query in brackets, and their types."""
    return f"describe query select * from {source}"


def beside(table: str, ending: str) -> str:
    """The name of a table that lies where another one does."""
    return f"{table[:-1]}{ending}`" if table.endswith("`") else f"{table}{ending}"
