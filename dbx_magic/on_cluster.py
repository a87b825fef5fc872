"""What runs on the cluster to hand values over; its text is sent there, so it imports nothing here.

It is written for the Python 3.8 and Spark 3 of old runtimes, too. Values travel as JSON in which
what JSON does not have is marked: ``{"$date": "2024-02-29"}``.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any


def give(
    names: dict[str, Any], name: str, *, rows: int, most: int, inline: int, path: str, arrow: bool
) -> str:
    """Hand the variable over: in the answer what is small, the rest as a file at ``path``.

    Of a DataFrame come ``rows`` rows (0: all of them), and nothing when it is more than ``most``
    bytes (0: it never is); ``arrow`` says whether it may come as Arrow.
    """
    if name not in names:
        return json.dumps({"missing": True})
    value = names[name]
    try:
        if most and (large := too_large(value, most)):
            return json.dumps({"refused": True, "rows": large[0], "size": large[1]})
        table = as_table(value, rows)
        if table is None:
            told: dict[str, Any] = {"form": "value", "type": type(value).__name__}
            data = json.dumps(encode(value)).encode()
            size = len(data)
        else:
            told = {"rows": table.num_rows, "columns": table.num_columns}
            size = table.nbytes
            if most and size > most:
                return json.dumps({**told, "size": size, "refused": True})
            told["form"] = "arrow" if arrow else "rows"
            data = to_arrow(table) if arrow else json.dumps(to_rows(table)).encode()
        told["size"] = size
        if len(data) <= inline:
            told["data"] = base64.b64encode(data).decode()
        else:
            write(path, data)
            told["length"] = len(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, the user is told
        return json.dumps({"error": f"{type(error).__name__}: {error}"})
    return json.dumps(told)


def take(names: dict[str, Any], name: str, *, form: str, data: str = "", path: str = "") -> str:
    """Make a variable out of what was sent; a table becomes a DataFrame and a view of that name."""
    try:
        if path:
            with open(real(path), "rb") as file:  # noqa: PTH123 - the driver patches this one
                content = file.read()
        else:
            content = base64.b64decode(data)
        if form == "value":
            names[name] = decode(json.loads(content))
            return json.dumps({})
        import pyarrow as pa

        table = pa.ipc.open_stream(content).read_all()
        spark = names["spark"]
        try:
            frame = spark.createDataFrame(table)
        except TypeError:  # Spark 3 takes pandas only
            frame = spark.createDataFrame(table.to_pandas())
        frame.createOrReplaceTempView(name)
        names[name] = frame
    except Exception as error:  # noqa: BLE001 - whatever it is, the user is told
        return json.dumps({"error": f"{type(error).__name__}: {error}"})
    return json.dumps({})


def too_large(value: Any, most: int) -> tuple[int, int] | None:
    """The rows and about the bytes of a Spark DataFrame that is more than ``most`` bytes.

    It is told before anything is collected: what does not fit would end the driver.
    """
    if not is_spark(value):
        return None
    if hasattr(value, "_jdf"):
        # What Spark expects is mostly too much, and costs nothing.
        plan = value._jdf.queryExecution().optimizedPlan()  # noqa: SLF001
        if int(str(plan.stats().sizeInBytes())) <= most:
            return None
    width = sum(_WIDTHS.get(field.dataType.typeName(), 20) for field in value.schema.fields)
    count = value.count()
    return (count, count * width) if count * width > most else None


_WIDTHS = {"boolean": 1, "byte": 1, "short": 2, "integer": 4, "float": 4, "date": 4}
_WIDTHS |= {"long": 8, "double": 8, "timestamp": 8, "timestamp_ntz": 8, "decimal": 16}


def is_spark(value: Any) -> bool:
    """Whether it is a DataFrame of Spark, classic or of Spark Connect."""
    kind = type(value)
    return kind.__module__.startswith("pyspark.") and kind.__name__ == "DataFrame"


def as_table(value: Any, rows: int) -> Any:
    """An Arrow table of what is a DataFrame of Spark, pandas, polars or Arrow; else ``None``."""
    if is_spark(value):
        return from_spark(value.limit(rows) if rows else value)
    kind = f"{type(value).__module__}.{type(value).__name__}"
    if kind.startswith("pandas.") and hasattr(value, "to_frame") and not hasattr(value, "columns"):
        value, kind = value.to_frame(), "pandas.core.frame.DataFrame"
    if kind.startswith("pandas.") and kind.endswith(".DataFrame"):
        import pyarrow as pa

        table = pa.Table.from_pandas(value.head(rows) if rows else value)
    elif kind.startswith("polars.") and kind.endswith(".DataFrame"):
        table = value.to_arrow()
    elif kind == "pyarrow.lib.Table":
        table = value
    else:
        return None
    return table.slice(0, rows) if rows else table


def from_spark(frame: Any) -> Any:
    """An Arrow table of a Spark DataFrame."""
    if not hasattr(frame, "_collect_as_arrow"):  # Spark Connect
        return frame.toArrow()
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    # Not `toArrow`: Spark 4.0's fails where a struct is null whose fields cannot be.
    batches = frame._collect_as_arrow()  # noqa: SLF001
    if batches:
        return pa.Table.from_batches(batches)
    return to_arrow_schema(frame.schema).empty_table()


def to_arrow(table: Any) -> bytes:
    """A table as a compressed Arrow stream."""
    import pyarrow as pa

    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table)
    return sink.getvalue()


def to_rows(table: Any) -> dict[str, Any]:
    """A table as names and rows for JSON."""
    columns = [[encode(value) for value in column.to_pylist()] for column in table.columns]
    return {"names": table.column_names, "rows": [list(row) for row in zip(*columns)]}  # noqa: B905


def encode(value: Any) -> Any:
    """A value as JSON has it, marked where JSON has nothing like it.

    Raises:
        TypeError: it is no plain value.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if hasattr(value, "asDict"):  # a row of Spark; it is a tuple, too
        return encode(value.asDict(recursive=True))
    if hasattr(value, "tolist"):  # NumPy
        return encode(value.tolist())
    for name, (kind, mark, _) in _MARKED.items():
        if isinstance(value, kind):
            return {name: mark(value)}
    raise TypeError(f"a {type(value).__name__} does not travel; DataFrames and plain values do")


def _span(microseconds: int) -> dt.timedelta:
    return dt.timedelta(microseconds=microseconds)


def decode(value: Any) -> Any:
    """The value that was encoded."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((name, marked),) = value.items()
    if name == "$dict":
        return {decode(key): decode(item) for key, item in marked}
    return _MARKED[name][2](marked)


# What JSON has nothing like: its types, how it is marked and how it is read.
_MARKED: dict[str, tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "$float": (float, str, float),
    "$complex": (complex, str, complex),
    "$decimal": (decimal.Decimal, str, decimal.Decimal),
    "$datetime": (dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
    "$date": (dt.date, dt.date.isoformat, dt.date.fromisoformat),
    "$time": (dt.time, dt.time.isoformat, dt.time.fromisoformat),
    "$span": (dt.timedelta, lambda span: span // dt.timedelta.resolution, _span),
    "$bytes": ((bytes, bytearray), lambda data: base64.b64encode(data).decode(), base64.b64decode),
    "$tuple": (tuple, lambda items: encode(list(items)), lambda items: tuple(decode(items))),
    "$set": ((set, frozenset), lambda items: encode(list(items)), lambda items: set(decode(items))),
}


def write(path: str, data: bytes) -> None:
    """Write a file where it can be fetched from: DBFS or a volume."""
    place = real(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120 - as `open`
    with open(place, "wb") as file:  # noqa: PTH123 - the driver patches this one
        file.write(data)


def real(path: str) -> str:
    """The path by which programs on a cluster reach ``dbfs:/…`` or ``/Volumes/…``."""
    return "/dbfs/" + path[6:] if path.startswith("dbfs:/") else path
