"""Data on the cluster, looked at where it lies: how much, which, and whether as expected."""

from __future__ import annotations

import base64
import json
import zlib

from .commands import begin, printed
from .dbx import Dbx
from .errors import ProjectError, RemoteError
from .events import Work
from .quality import Facts
from .settings import Data
from .workspace import Json

_BITS = 64
# Compressed, for some runtimes cut what is printed to some 30 KB.
_ROWS = """print(__import__("base64").b64encode(__import__("zlib").compress(
    __import__("json").dumps(
        [row.asDict(recursive=True) for row in spark.sql({!r}).collect()], default=str
    ).encode()
)).decode())"""


def look_at(dbx: Dbx, data: Data, cluster: str = "") -> Work[Facts]:
    """Count the rows of data, fingerprint them, and count those that are not as expected.

    A row is as expected when the condition is true, so a null is not. All of it is one pass.

    Raises:
        ProjectError: what dbx.toml says of it cannot be read, or is no condition.
    """
    counts = {f"c{number}": rule for number, rule in enumerate(data.expect)}
    columns = [
        "count(*) as rows",
        # A sum, for it minds no order; a decimal, for it must not overflow.
        "sum(cast(xxhash64(*) as decimal(38, 0))) as hash",
        *(f"count_if(not coalesce(({data.expect[counts[c]]}), false)) as {c}" for c in counts),
    ]
    select = f"select {', '.join(columns)}"
    try:
        row = yield from first_row(dbx, f"{select} from {table(data.source)}", cluster)
    except RemoteError as error:
        raise ProjectError(
            f"dbx.toml: data.{data.name} cannot be looked at: {error.message}"
        ) from None
    digest = int(row["hash"] or 0) % 2**_BITS
    fingerprint = f"{row['rows']}-{digest:016x}"
    return Facts(int(row["rows"]), fingerprint, {rule: int(row[c]) for c, rule in counts.items()})


def table(source: str) -> str:
    """A table or a query as it stands in a query: a query in brackets."""
    return f"({source})" if " " in source.strip() else source


def first_row(dbx: Dbx, query: str, cluster: str = "") -> Work[Json]:
    """The first row that a query gives; numbers that JSON has not come as text.

    Raises:
        RemoteError: Spark refused it.
    """
    found = yield from rows(dbx, query, cluster)
    return found[0]


def rows(dbx: Dbx, query: str, cluster: str = "") -> Work[list[Json]]:
    """The few rows that a query gives, or what became of a statement of SQL.

    Raises:
        RemoteError: Spark refused it.
    """
    code = _ROWS.format(query)
    text = yield from printed(dbx, (yield from begin(dbx, cluster, "python", code)))
    found: list[Json] = json.loads(zlib.decompress(base64.b64decode(text)))
    return found
