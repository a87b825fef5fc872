"""What `display` and `displayHTML` show."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from dbx_magic.local.outputs import TABLE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_ROWS = 10_000
MAX_BYTES = 2_000_000
TEXT_ROWS = 20
TEXT_WIDTH = 40


def display(*things: Any, **_: Any) -> None:
    """Show each thing: a DataFrame as a table, anything else as Jupyter shows it."""
    import IPython.display

    for thing in things:
        frame = _as_frame(thing)
        if frame is None:
            IPython.display.display(thing)
        elif frame.isStreaming:
            raise ValueError(
                "A streaming DataFrame cannot be displayed here. Write it somewhere first, as in"
                ' df.writeStream.format("memory").queryName("t").start(), and display that table.'
            )
        else:
            show_frame(frame)


def displayHTML(html: str) -> None:  # noqa: N802 - Databricks' name
    """Show a piece of HTML."""
    import IPython.display

    IPython.display.display(IPython.display.HTML(html))


def show_frame(frame: DataFrame) -> None:
    """Show a DataFrame as a table, as many rows as Databricks would."""
    zone = ZoneInfo(frame.sparkSession.conf.get("spark.sql.session.timeZone") or "UTC")
    rows: list[list[Any]] = []
    size, truncated = 0, False
    for row in frame.limit(MAX_ROWS + 1).collect():
        values = [plain(value, zone) for value in row]
        size += len(json.dumps(values, ensure_ascii=False).encode())
        if len(rows) == MAX_ROWS or (rows and size > MAX_BYTES):
            truncated = True
            break
        rows.append(values)
    columns = [
        {
            "name": field.name,
            "type": field.dataType.simpleString(),
            "schema": field.dataType.jsonValue(),
        }
        for field in frame.schema.fields
    ]
    _show(columns, rows, truncated)


def show_table(types: Mapping[str, str], rows: list[list[Any]]) -> None:
    """Show rows as a table; `types` has the columns' names and types."""
    _show([{"name": name, "type": kind} for name, kind in types.items()], rows, truncated=False)


def _show(columns: list[dict[str, Any]], rows: list[list[Any]], truncated: bool) -> None:
    import IPython.display

    text = as_text([column["name"] for column in columns], rows, truncated)
    table = {"columns": columns, "rows": rows, "truncated": truncated}
    IPython.display.publish_display_data({TABLE: table, "text/plain": text})


def plain(value: Any, zone: ZoneInfo) -> Any:
    """A value as JSON has it, in the forms that Databricks gives."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if math.isfinite(value):
                return value
            return str(value).replace("inf", "Infinity").replace("nan", "NaN")
        case decimal.Decimal():
            return format(value, "f")
        case dt.datetime():
            return value.astimezone(zone).isoformat(timespec="milliseconds")
        case dt.date():
            return value.isoformat()
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case dict():
            return {_key(key, zone): plain(item, zone) for key, item in value.items()}
        case tuple() if hasattr(value, "asDict"):
            return {name: plain(item, zone) for name, item in _fields(value)}
        case list() | tuple():
            return [plain(item, zone) for item in value]
    return str(value)


def _fields(row: Any) -> Iterator[tuple[str, Any]]:
    return zip(row.__fields__, row, strict=True)


def _key(key: Any, zone: ZoneInfo) -> str:
    key = plain(key, zone)
    return key if isinstance(key, str) else json.dumps(key)


def as_text(names: Sequence[str], rows: Sequence[Sequence[Any]], truncated: bool) -> str:
    """The first rows as Spark's own `show` draws them."""
    lines = [[_cut(name) for name in names]]
    lines += [[_cut(value) for value in row] for row in rows[:TEXT_ROWS]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "+" + "+".join("-" * width for width in widths) + "+"
    drawn = [
        "|" + "|".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + "|"
        for line in lines
    ]
    text = "\n".join([rule, drawn[0], rule, *drawn[1:], rule])
    if truncated:
        text += f"\nthe first {len(rows):,} rows; there are more"
    elif len(rows) > TEXT_ROWS:
        text += f"\n{TEXT_ROWS} of {len(rows):,} rows"
    return text


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", "\\n")
    return text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 1] + "…"


def _as_frame(thing: Any) -> DataFrame | None:
    from pyspark.errors import PySparkException
    from pyspark.sql import DataFrame, SparkSession

    if isinstance(thing, DataFrame):
        return thing
    is_rows = isinstance(thing, list) and thing and all(hasattr(row, "asDict") for row in thing)
    if not is_rows and not (
        type(thing).__module__.startswith("pandas.") and hasattr(thing, "columns")
    ):
        return None
    try:
        return SparkSession.active().createDataFrame(thing)
    except (PySparkException, TypeError, ValueError):
        return None  # pandas holds things that Spark has no type for: Jupyter shows them
