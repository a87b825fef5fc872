"""Values and DataFrames between the notebook and the cluster, as Arrow where both sides can."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from . import on_cluster
from .commands import begin, printed
from .crew import Crew, Pile
from .dbx import Dbx
from .errors import RemoteError, UsageError, WorkspaceError
from .events import Progress, Work
from .view import counted, size
from .workspace import BLOCK, Json

Kind = Literal["pandas", "polars", "arrow", "list"]
LIMIT = 500_000_000  # bytes of a DataFrame that come without being asked twice
INLINE = 30_000  # bytes that fit into what every runtime lets a command print
_SENT_INLINE = 1_000_000
_FOLDER = "dbfs:/tmp/dbx-magic"
_INSTALL = {"arrow": "pyarrow", "pandas": "pandas", "polars": "polars"}


def must_be_readable(kind: Kind) -> None:
    """Refuse a kind of DataFrame that this Python does not know.

    Raises:
        UsageError: its package is not installed.
    """
    package = _INSTALL.get(kind)
    if package and not _has(package):
        raise UsageError(
            f"--as {kind} needs the package {package}, which is not installed here.",
            f"pip install {package}, or take another of: pandas, polars, arrow, list.",
        )
    if kind == "polars" and not _has("pyarrow"):
        raise UsageError("--as polars needs the package pyarrow, too.", "pip install pyarrow")


def usual_kind() -> Kind:
    """How a DataFrame comes when nothing is said."""
    return "pandas" if _has("pandas") else "list"


def bring(dbx: Dbx, cluster: str, name: str, kind: Kind, rows: int = 0) -> Work[Any]:
    """The value of a variable of the cluster's Python; a DataFrame comes as ``kind``.

    Raises:
        RemoteError: there is no such variable, or its value cannot travel.
        UsageError: it is too large to come without saying how much of it.
    """
    path = f"{dbx.project.target.volume or _FOLDER}/{uuid.uuid4().hex}"
    options = {"rows": rows, "most": 0 if rows else LIMIT, "inline": INLINE, "path": path}
    told = yield from _call(dbx, cluster, "give", name, **options, arrow=_has("pyarrow"))
    match told:
        case {"missing": True}:
            raise RemoteError(
                f"The cell has left no variable {name} to bring.",
                f"Assign it, or end the cell with the expression that {name} shall be.",
            )
        case {"refused": True, "rows": int(count), "size": int(large)}:
            raise UsageError(
                f"{name} has {counted(count, 'row')} and would take about {size(large)} here; "
                f"up to {size(LIMIT)} come unasked.",
                "Filter or aggregate it there first, or bring a part of it with -n ROWS.",
            )
        case {"error": str(error)}:
            raise RemoteError(f"{name} cannot be brought: {error}")
    if "data" in told:
        data = base64.b64decode(told["data"])
    else:
        try:
            data = yield from _fetch(dbx, name, path, int(told["length"]))
        finally:
            with contextlib.suppress(WorkspaceError):
                dbx.workspace.delete_file(path)
    match told["form"]:
        case "value":
            return on_cluster.decode(json.loads(data))
        case "arrow":
            return _from_arrow(data, kind)
    return _from_rows(json.loads(data), kind)


def take_along(dbx: Dbx, cluster: str, name: str, value: Any) -> Work[None]:
    """Make a variable of the cluster's Python out of a value of this one.

    A DataFrame becomes one of Spark, and the temporary view of its name for SQL.

    Raises:
        UsageError: it is a value that cannot travel.
        RemoteError: the cluster could not read it.
    """
    form = "value"
    try:
        table = on_cluster.as_table(value, 0)
        if table is None:
            data = json.dumps(on_cluster.encode(value)).encode()
        else:
            form, data = "arrow", on_cluster.to_arrow(_for_spark(table))
    except (TypeError, ValueError, ImportError) as error:
        raise UsageError(f"{name} cannot be sent: {error}.") from None
    if len(data) <= _SENT_INLINE:
        text = base64.b64encode(data).decode()
        told = yield from _call(dbx, cluster, "take", name, form=form, data=text)
    else:
        path = f"{dbx.project.target.volume or _FOLDER}/{uuid.uuid4().hex}"
        try:
            yield from _put(dbx, name, path, data)
            told = yield from _call(dbx, cluster, "take", name, form=form, path=path)
        finally:
            with contextlib.suppress(WorkspaceError):
                dbx.workspace.delete_file(path)
    if "error" in told:
        raise RemoteError(f"{name} cannot be sent: {told['error']}")


def words(value: Any) -> str:
    """Say what a value is: ``pandas DataFrame, 116 × 2``, ``int``."""
    package = type(value).__module__.partition(".")[0]
    if package in ("pandas", "polars", "pyarrow") and hasattr(value, "shape"):
        shape = " × ".join(f"{number:,}" for number in value.shape)
        return f"{package} {type(value).__name__}, {shape}"
    if isinstance(value, list | dict | str | bytes):
        return f"{type(value).__name__}, {counted(len(value), 'item')}"
    return type(value).__name__


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _call(dbx: Dbx, cluster: str, function: str, name: str, **options: Any) -> Work[Json]:
    """Call a function of ``on_cluster`` there, leaving no name of ours behind."""
    source = Path(on_cluster.__file__).read_text(encoding="utf-8")
    code = (
        f"exec({source!r}, _dbx := {{}})\n"
        f"print(_dbx[{function!r}](globals(), {name!r}, **{options!r}))\n"
        "del _dbx"
    )
    command = yield from begin(dbx, cluster, "python", code)
    text = yield from printed(dbx, command)
    try:
        return dict(json.loads(text))
    except ValueError:
        shown = text.strip()[:200] or "nothing"
        raise RemoteError(f"{name} did not come: the cluster answered {shown}.") from None


def _fetch(dbx: Dbx, name: str, path: str, length: int) -> Work[bytes]:
    """Read a file of the cluster, several pieces at once."""
    begun = time.monotonic()
    if path.startswith("/Volumes/"):
        yield Progress(name, f"{size(length)} are on their way")
        return dbx.workspace.read_volume(path)
    blocks: dict[int, bytes] = {}
    with Crew() as crew:
        pile: Pile[tuple[int, bytes]] = Pile(crew)
        for offset in range(0, length, BLOCK):
            pile.add(partial(_block, dbx, path, offset))
        for block in pile.results():
            blocks |= [] if block is None else [block]
            done = sum(map(len, blocks.values()))
            yield _progress(name, "comes", done, length, begun)
    return b"".join(blocks[offset] for offset in sorted(blocks))


def _block(dbx: Dbx, path: str, offset: int) -> tuple[int, bytes]:
    return offset, dbx.workspace.read(path, offset, BLOCK)


def _put(dbx: Dbx, name: str, path: str, data: bytes) -> Work[None]:
    begun, done = time.monotonic(), 0
    if path.startswith("/Volumes/"):
        yield Progress(name, f"{size(len(data))} are on their way")
        dbx.workspace.write_volume(path, data)
        return
    blocks: Iterator[bytes] = (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
    for count in dbx.workspace.write(path, blocks):
        done += count
        yield _progress(name, "is sent", done, len(data), begun)


def _progress(name: str, state: str, done: int, total: int, begun: float) -> Progress:
    elapsed = time.monotonic() - begun
    return Progress(name, state, elapsed, None, done // 1000, total // 1000, "KB")


def _for_spark(table: Any) -> Any:
    """A table without what Spark has no type for: an index, categories."""
    import pyarrow as pa

    unnamed = [name for name in table.column_names if name.startswith("__index_level_")]
    table = table.drop_columns(unnamed)
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _from_arrow(data: bytes, kind: Kind) -> Any:
    import pyarrow as pa

    table = pa.ipc.open_stream(data).read_all()
    match kind:
        case "arrow":
            return table
        case "list":
            return table.to_pylist()
        case "polars":
            import polars as pl

            return pl.from_arrow(table)
    import pandas as pd

    # As NumPy's own integers they would become floats where one is missing, and lose digits.
    exact = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
    }
    with_nulls = {column.type for column in table.columns if column.null_count}
    types = {plain: own for plain, own in exact.items() if plain in with_nulls}
    return table.to_pandas(types_mapper=types.get, maps_as_pydicts="strict")


def _from_rows(content: Json, kind: Kind) -> Any:
    names, rows = content["names"], [on_cluster.decode(row) for row in content["rows"]]
    if kind == "pandas":
        import pandas as pd

        return pd.DataFrame(rows, columns=names)
    return [dict(zip(names, row, strict=True)) for row in rows]
