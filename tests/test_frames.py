"""DataFrames between the notebook and a real cluster: every value is the same on the other side."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dbx_magic import frames, on_cluster
from dbx_magic.dbx import Dbx
from dbx_magic.errors import RemoteError, UsageError
from dbx_magic.events import Event, Progress

Perform = Callable[..., Any]
UTC = dt.timezone.utc

# One row of everything and one of nulls.
EVERYTHING = """
select * from values (
  true, 1Y, 2S, 3, 9007199254740993L, 1.5f, 2.5d, cast('12345678901234567890.12' as decimal(22,2)),
  'ä\\n"', x'00ff', date'2024-02-29', timestamp'2024-02-29 12:34:56.789123Z',
  timestamp_ntz'1900-01-01 00:00:00.000001', array(1, null), map('k', date'1582-10-15'),
  named_struct('a', 1, 'b', array(named_struct('c', 'deep'))), interval '1 02:03:04.5' day to second
), (null, null, null, null, null, null, null, null,
    null, null, null, null, null, null, null, null, null)
as t(boo, tiny, small, whole, big, single, double, exact, words, raw, day, moment, local,
     many, pairs, nested, span)
"""
FIRST = {
    "boo": True,
    "tiny": 1,
    "small": 2,
    "whole": 3,
    "big": 9007199254740993,
    "single": 1.5,
    "double": 2.5,
    "exact": Decimal("12345678901234567890.12"),
    "words": 'ä\n"',
    "raw": b"\x00\xff",
    "day": dt.date(2024, 2, 29),
    "moment": dt.datetime(2024, 2, 29, 12, 34, 56, 789123, UTC),
    "local": dt.datetime(1900, 1, 1, 0, 0, 0, 1),
    "many": [1, None],
    "pairs": {"k": dt.date(1582, 10, 15)},
    "nested": {"a": 1, "b": [{"c": "deep"}]},
    "span": dt.timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=500),
}


pytestmark = pytest.mark.usefixtures("on_the_shared_cluster")


@pytest.fixture
def variables(dbx: Dbx) -> dict[str, Any]:
    dbx.variables = {}
    return dbx.variables  # type: ignore[return-value]


def bring(perform: Perform, variables: dict[str, Any], code: str, **options: Any) -> Any:
    perform("exec", code=code, output="frame", **options)
    return variables["frame"]


def test_all_types_come_as_they_are(perform: Perform, variables: dict[str, Any]) -> None:
    first, second = bring(perform, variables, EVERYTHING, language="sql", as_="list")
    # Arrow has maps as pairs.
    assert dict(first["pairs"]) == FIRST["pairs"]
    assert {**first, "pairs": FIRST["pairs"]} == FIRST
    assert set(second.values()) == {None}


def test_all_types_come_to_pandas(perform: Perform, variables: dict[str, Any]) -> None:
    frame = bring(perform, variables, EVERYTHING, language="sql")
    row = frame.iloc[0]
    for name in ("boo", "big", "double", "exact", "words", "raw", "day", "moment", "local", "span"):
        assert row[name] == FIRST[name], name
    assert frame["big"].dtype == "Int64"  # digits are kept beside a null
    assert row["pairs"] == FIRST["pairs"]
    assert row["nested"]["b"][0] == {"c": "deep"}
    assert frame.iloc[1].isna().all()


def test_it_comes_as_what_is_asked_for(perform: Perform, variables: dict[str, Any]) -> None:
    table = bring(perform, variables, "spark.range(3)", as_="arrow")
    assert table.cast(pa.schema({"id": pa.int64()})).equals(pa.table({"id": [0, 1, 2]}))
    frame = bring(perform, variables, "spark.range(3)", as_="polars")
    assert frame.equals(pl.DataFrame({"id": [0, 1, 2]}))
    assert bring(perform, variables, "spark.range(0)").dtypes.to_dict() == {"id": "int64"}
    done = perform("exec", code="spark.range(1, 3)", output="frame", as_="pandas")
    assert variables["frame"].equals(pd.DataFrame({"id": [1, 2]}))
    assert done.brought == "frame: pandas DataFrame, 2 × 1"


@pytest.mark.parametrize(
    "code",
    [
        "import pandas as pd\npd.DataFrame({'a': [1, 2, 3]}, index=['x', 'y', 'z'])",
        "import pandas as pd\npd.Series([1, 2, 3], index=['x', 'y', 'z'], name='a')",
    ],
)
def test_pandas_of_the_cluster_comes_with_its_index(
    perform: Perform, variables: dict[str, Any], code: str
) -> None:
    expected = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    pd.testing.assert_frame_equal(bring(perform, variables, code, rows=2), expected)


@pytest.mark.parametrize("folder", ["", "/Volumes/main/default/exchange"])
def test_a_large_one_comes_as_a_file_that_is_gone_afterwards(
    dbx: Dbx, perform: Perform, variables: dict[str, Any], folder: str
) -> None:
    if folder:
        with (dbx.project.root / "dbx.toml").open("a", encoding="utf-8") as file:
            file.write(f'volume = "{folder}"\n')
        dbx.refresh(dbx.project.root)
    code = "spark.range(200_000).selectExpr('id', 'rand(7) as chance')"
    seen: list[Event] = []
    perform("exec", seen, code=code, output="frame")
    frame = variables["frame"]
    assert frame["id"].sum() == sum(range(200_000))
    assert frame["chance"].between(0, 1).all()
    assert any(isinstance(event, Progress) and event.subject == "frame" for event in seen)
    variables["back"] = frame
    perform("exec", code="back.count(), back.dtypes", send=("back",), output="told")
    assert variables["told"] == (200_000, [("id", "bigint"), ("chance", "double")])
    place = folder or "/dbfs/tmp/dbx-magic"
    perform("exec", code=f"import os\nos.listdir('{place}')", output="left")
    assert variables["left"] == []


def test_too_much_is_refused_before_it_travels(
    perform: Perform, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "LIMIT", 10_000)
    with pytest.raises(
        UsageError, match=r"frame has 5,000 rows and would take about 40\.0 KB here"
    ):
        bring(perform, variables, "spark.range(5000)")
    assert len(bring(perform, variables, "spark.range(5000)", rows=5000)) == 5000
    with pytest.raises(UsageError, match=r"frame has 5,000 rows"):  # what Spark cannot know
        bring(perform, variables, "spark.createDataFrame(spark.range(5000).toPandas())")
    with pytest.raises(UsageError, match=r"frame has 5,000 rows"):  # what is there already
        bring(perform, variables, "spark.range(5000).toPandas()")


def test_an_error_of_spark_while_it_is_brought_is_said(
    perform: Perform, variables: dict[str, Any]
) -> None:
    code = "spark.range(3).selectExpr('raise_error(\"too late\") as x')"
    with pytest.raises(RemoteError, match="too late"):
        bring(perform, variables, code)


def test_what_is_sent_is_a_frame_and_a_view(perform: Perform, variables: dict[str, Any]) -> None:
    variables["zones"] = pd.DataFrame(
        {
            "name": pd.Categorical(["a", "b", None]),
            "day": [dt.date(2024, 2, 29), None, None],
            "moment": pd.to_datetime(["2024-02-29T12:00:00.000001Z", None, None]),
            "exact": [Decimal("1.50"), None, None],
            "raw": [b"\x00", None, None],
            "many": [[1, 2], [], None],
        },
        index=[7, 8, 9],
    )
    query = "select * from zones"
    perform("exec", code=query, language="sql", send=("zones",), output="back", as_="list")
    assert variables["back"][0] == {
        "name": "a",
        "day": dt.date(2024, 2, 29),
        "moment": dt.datetime(2024, 2, 29, 12, 0, 0, 1, UTC),
        "exact": Decimal("1.50"),
        "raw": b"\x00",
        "many": [1, 2],
    }
    assert variables["back"][1] == dict.fromkeys(variables["zones"].columns) | {
        "name": "b",
        "many": [],
    }


def test_a_value_is_sent_as_it_is(perform: Perform, variables: dict[str, Any]) -> None:
    variables["limits"] = {"low": 0.5, "days": [dt.date(2024, 1, 1)], "pair": (1, None)}
    perform("exec", code="limits", send=("limits",), output="back")
    assert variables["back"] == variables["limits"]
    variables["lock"] = sys.stdout
    with pytest.raises(UsageError, match="lock cannot be sent"):
        perform("exec", code="1", send=("lock",))


def test_without_arrow_here_rows_come_as_json(
    perform: Perform, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    has = frames._has
    monkeypatch.setattr(frames, "_has", lambda package: package != "pyarrow" and has(package))
    first, second = bring(perform, variables, EVERYTHING, language="sql", as_="list")
    assert {**first, "pairs": dict(first["pairs"])} == FIRST
    assert set(second.values()) == {None}
    with pytest.raises(UsageError, match="needs the package pyarrow"):
        bring(perform, variables, "spark.range(1)", as_="arrow")


@pytest.mark.parametrize(
    "value",
    [
        None,
        [True, 1, -1.5, "ä", float("inf")],
        {"a": {1: 2}, (1, 2): {3}},
        (dt.date(1, 1, 1), dt.datetime(2024, 1, 1, tzinfo=UTC), dt.time(1, 2)),
        [dt.timedelta(days=-1, microseconds=3), Decimal("1E+3"), b"\xff", 1j],
        {"$date": "not one"},
    ],
)
def test_plain_values_survive_json(value: object) -> None:
    assert on_cluster.decode(json.loads(json.dumps(on_cluster.encode(value)))) == value
