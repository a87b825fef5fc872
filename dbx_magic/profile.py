"""What data is like, column by column, as a query of Spark SQL in Databricks' own words.

Numbers, texts, booleans, dates and timestamps are looked at; other types are left out. Of numbers
NaN is counted and then left out. Distinct values are counted by Spark's ``approx_count_distinct``,
to about 5 % where they are many, and quantiles are its ``percentile_approx``. Of dates and
timestamps, least, greatest and median are in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping

TABLE = ":table"  # the name that the table itself has among its columns
_ITEMS = 50  # frequent values that are kept of a column; the others count as one

_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "float", "double"), "number"),
    **dict.fromkeys(("decimal",), "number"),
    **dict.fromkeys(("string", "varchar", "char"), "text"),
    **dict.fromkeys(("date", "timestamp", "timestamp_ntz"), "moment"),
    "boolean": "boolean",
}


def kind_of(data_type: str) -> str:
    """Number, text, boolean or moment; empty for a type that is left out."""
    return _KINDS.get(data_type.partition("(")[0], "")


def quoted(name: str) -> str:
    """A column's name, as odd as it may be, in a query."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text in a query."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def instant(name: str, data_type: str) -> str:
    """A date or a timestamp as a point in time; what has no time zone is in UTC."""
    column = quoted(name)
    match data_type:
        case "date":
            return f"timestamp_seconds(unix_date({column}) * 86400L)"
        case "timestamp_ntz":
            return f"from_utc_timestamp(cast({column} as timestamp), current_timezone())"
    return column


def cells(source: str, columns: Mapping[str, str], window: str) -> str:
    """A query with one row for each value: its window, column, kind, and what can be counted."""
    table = f"named_struct({', '.join(_fields(TABLE, '', 'table', '1L', 'null', 'null', 'null'))})"
    values = [_cell(name, data_type) for name, data_type in columns.items() if kind_of(data_type)]
    return (
        f"select window, inline(cells) from (select {window} as window, "
        f"array({', '.join([table, *values])}) as cells from {source})"
    )


def _cell(name: str, data_type: str) -> str:
    column, kind = quoted(name), kind_of(data_type)
    number = nan = text = "null"
    match kind:
        case "number":
            number = f"cast({column} as double)"
            if data_type in ("float", "double"):
                number, nan = f"nanvl({number}, null)", f"isnan({column})"
        case "moment":
            number = f"cast({instant(name, data_type)} as double)"
        case _:
            text = f"cast({column} as string)"
    digest = f"if({column} is null, null, xxhash64({column}))"
    return f"named_struct({', '.join(_fields(name, data_type, kind, digest, number, nan, text))})"


def _fields(
    name: str, data_type: str, kind: str, digest: str, number: str, nan: str, text: str
) -> list[str]:
    return [
        f"'column_name', {literal(name)}",
        f"'data_type', nullif({literal(data_type)}, '')",
        f"'kind', {literal(kind)}",
        f"'digest', cast({digest} as bigint)",
        f"'number', cast({number} as double)",
        f"'nan', cast({nan} as boolean)",
        f"'text', cast({text} as string)",
    ]


_PERCENTILES = f"array({', '.join(f'{number / 100}D' for number in range(101))})"


def statistics(source: str) -> str:
    """A query with the statistics of each window and column; ``source`` is one of ``cells``."""
    return f"""
with cells as ({source}),
counted as (
  select window, column_name, data_type, kind, count(*) as count,
    if(kind = 'table', null, count_if(digest is null)) as num_nulls,
    if(kind = 'number', avg(number), null) as avg,
    percentile_approx(number, {_PERCENTILES}) as percentiles,
    min(number) as min, max(number) as max,
    if(kind = 'number', stddev(number), null) as stddev,
    if(kind = 'number', count_if(number = 0), null) as num_zeros,
    if(kind = 'number', count_if(nan), null) as num_nan,
    if(kind = 'text', cast(min(length(text)) as double), null) as min_length,
    if(kind = 'text', cast(max(length(text)) as double), null) as max_length,
    if(kind = 'text', avg(length(text)), null) as avg_length,
    if(kind = 'table', null, least(approx_count_distinct(digest), count(*))) as distinct_count
  from cells group by window, column_name, data_type, kind
),
items as (
  select window, column_name, transform(
      sort_array(collect_list(named_struct('rank', rank, 'item', text, 'count', count))),
      it -> named_struct('item', it.item, 'count', it.count)
    ) as frequent_items
  from (
    select window, column_name, text, count(*) as count, row_number() over (
        partition by window, column_name order by count(*) desc, text
      ) as rank
    from cells where text is not null group by window, column_name, text
  ) where rank <= {_ITEMS} group by window, column_name
)
select counted.*, frequent_items, if(kind = 'number', percentiles, null) as quantiles,
  percentiles[50] as median,
  if(kind = 'table', array_sort(collect_list(
    if(kind != 'table' and count > num_nulls, counted.column_name, null)
  ) over (partition by counted.window)), null) as non_null_columns,
  100D * num_nan / count as percent_nan, 100D * num_nulls / count as percent_null,
  100D * num_zeros / count as percent_zeros, 100D * distinct_count / count as percent_distinct
from counted left join items
  on counted.window = items.window and counted.column_name = items.column_name"""
