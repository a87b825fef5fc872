"""What cells find in a context: Databricks' names, magics and paths."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import decimal
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dbx_magic.local.driver.paths import from_uri
from dbx_magic.local.driver.show import as_text, plain
from dbx_magic.local.driver.text import header, statements
from dbx_magic.local.outputs import TABLE, TASK_VALUE

pytestmark = pytest.mark.anyio

FOLDER = "Shared/proj"


@pytest.fixture(scope="module")
async def python(cluster: Any) -> Any:
    """A context in a workspace folder, for all tests here."""
    (cluster.root / "workspace" / FOLDER).mkdir(parents=True, exist_ok=True)
    context_id = await cluster.context(folder=f"/{FOLDER}", arguments={"given": "by the run"})
    yield context_id
    await cluster.compute.destroy_context(context_id)


@pytest.fixture
def run(cluster: Any, python: str) -> Callable[[str], Awaitable[Any]]:
    """Run a cell."""

    async def run(code: str) -> Any:
        return await cluster.run(python, code)

    return run


@pytest.fixture
def text(run: Any) -> Callable[[str], Awaitable[str]]:
    """Run a cell that must succeed, and give its text."""

    async def text(code: str) -> str:
        results = (await run(code)).results
        assert results["resultType"] == "text", results
        return str(results["data"])

    return text


@pytest.fixture
def notebook(cluster: Any) -> Callable[..., None]:
    """Write a notebook of some cells beside the ones that run."""

    def write(name: str, *cells: str) -> None:
        path = cluster.root / "workspace" / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        joint = "\n\n# COMMAND ----------\n\n"
        path.write_text("# Databricks notebook source\n" + joint.join(cells))

    return write


def table(command: Any) -> dict[str, Any]:
    """The table that a command shows."""
    found: dict[str, Any] = next(
        event["data"][TABLE] for event in command.events if TABLE in event.get("data", {})
    )
    return found


def kinds(command: Any) -> list[str]:
    """The types of a command's events."""
    return [event["type"] for event in command.events if event["type"] != "progress"]


# SQL


async def test_sql_shows_the_last_statement_and_keeps_it(run: Any, text: Any) -> None:
    command = await run("%sql\nselect 1 as a; -- a; comment\nselect 2 as b, 'x;y' as c")
    assert command.results == {
        "resultType": "table",
        "data": [[2, "x;y"]],
        "schema": [
            {"name": "b", "type": '"integer"', "metadata": "{}"},
            {"name": "c", "type": '"string"', "metadata": "{}"},
        ],
        "truncated": False,
        "isJsonSchema": True,
    }
    assert "|2|x;y|" in command.events[-1]["data"]["text/plain"]
    assert await text("_sqldf.count()") == "1"


async def test_sql_without_a_result_says_ok(text: Any) -> None:
    assert await text("%sql create or replace temporary view v as select 1") == "OK"


async def test_an_error_in_sql_is_sparks_own_and_nothing_else(run: Any) -> None:
    cause = (await run("%sql select * frm nothing")).results["cause"]
    assert cause.startswith("ParseException: ")
    assert "PARSE_SYNTAX_ERROR" in cause
    assert "Traceback" not in cause
    assert ".py" not in cause


async def test_sql_takes_widgets_as_parameters(run: Any) -> None:
    await run("dbutils.widgets.text('least', '5')")
    command = await run("%sql select id from range(9) where id > :least and id < ${least} + 2")
    assert command.results["data"] == [[6]]


async def test_values_are_json_in_databricks_forms(run: Any) -> None:
    sql = """%sql select cast(1.10 as decimal(5,2)) d, date'2024-02-29' day,
        timestamp'2024-01-02 03:04:05.678' at, X'00ff' b, array(1, null) a,
        map('k', named_struct('x', 1)) m, double('NaN') nan, cast(null as int) nothing, true yes,
        9007199254740993 big"""
    shown = table(await run(sql))
    assert shown["rows"] == [
        [
            "1.10",
            "2024-02-29",
            "2024-01-02T03:04:05.678+00:00",
            "AP8=",
            [1, None],
            {"k": {"x": 1}},
            "NaN",
            None,
            True,
            9007199254740993,
        ]
    ]
    assert [column["type"] for column in shown["columns"]][:6] == [
        "decimal(5,2)",
        "date",
        "timestamp",
        "binary",
        "array<int>",
        "map<string,struct<x:int>>",
    ]
    json.dumps(shown, allow_nan=False)


async def test_timestamps_are_shown_in_the_zone_of_the_session(run: Any) -> None:
    await run("spark.conf.set('spark.sql.session.timeZone', 'Asia/Tokyo')")
    shown = table(await run("%sql select timestamp'2024-01-02 03:04:05' as at"))
    await run("spark.conf.unset('spark.sql.session.timeZone')")
    assert shown["rows"] == [["2024-01-02T03:04:05.000+09:00"]]


async def test_a_table_has_ten_thousand_rows_or_two_megabytes(run: Any) -> None:
    command = await run("display(spark.range(10_001))")
    assert len(command.results["data"]) == 10_000
    assert command.results["truncated"] is True
    assert "there are more" in command.events[-1]["data"]["text/plain"]
    shown = table(await run("display(spark.range(30).selectExpr('repeat(\"x\", 100000) as s'))"))
    assert shown["truncated"]
    assert 15 < len(shown["rows"]) < 21
    assert not table(await run("display(spark.range(10_000))"))["truncated"]


# display


async def test_pandas_is_shown_as_a_table(run: Any) -> None:
    code = "import pandas as pd\ndisplay(pd.DataFrame({'n': [1, 2], 's': ['a', None]}))"
    assert table(await run(code))["rows"] == [[1, "a"], [2, None]]


async def test_html_and_markdown_are_shown(run: Any, text: Any) -> None:
    shown = (await run("displayHTML('<b>bold</b>')")).events[-1]["data"]
    assert shown["text/html"] == "<b>bold</b>"
    assert (await run("%md # Title")).events[-1]["data"]["text/markdown"] == "# Title"
    assert (await run("%html\n<i>x</i>")).events[-1]["data"]["text/html"] == "<i>x</i>"


# shell


async def test_sh_streams_both_outputs_in_order(text: Any) -> None:
    assert await text("%sh\necho one\necho two >&2\nprintf 'three: %s' é") == "one\ntwo\nthree: é"


async def test_sh_fails_only_when_asked_to(run: Any, text: Any) -> None:
    assert await text("%sh echo before; false") == "before"
    command = await run("%sh -e\nexit 3")
    assert command.results["summary"].endswith("The shell script ended with code 3.")


async def test_sh_does_not_wait_for_what_it_leaves_running(cluster: Any) -> None:
    context_id = await cluster.context()
    command = await cluster.run(context_id, "%sh\nsleep 600 & echo $!")
    pid = int(command.results["data"])
    os.kill(pid, 0)  # it runs
    await cluster.compute.destroy_context(context_id)
    deadline = time.monotonic() + 10
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


# files


async def test_all_ways_to_a_dbfs_file_lead_to_the_same(run: Any, text: Any, cluster: Any) -> None:
    await run("dbutils.fs.put('dbfs:/ways/f.txt', 'content', True)")
    assert (cluster.root / "dbfs" / "ways" / "f.txt").read_text() == "content"
    ways = [
        "open('/dbfs/ways/f.txt').read()",
        "__import__('pathlib').Path('/dbfs/ways/f.txt').read_text()",
        "spark.read.text('dbfs:/ways/f.txt').first()[0]",
        "spark.read.text('/ways/f.txt').first()[0]",
        "spark.read.text('file:/dbfs/ways/f.txt').first()[0]",
        "spark.read.text('file:///dbfs/ways/').first()[0]",
        "dbutils.fs.head('/ways/f.txt')",
        "sc.parallelize([0], 1).map(lambda _: open('/dbfs/ways/f.txt').read()).first()",
        "__import__('pandas').read_csv('/dbfs/ways/f.txt', header=None).iloc[0, 0]",
    ]
    for way in ways:
        assert await text(way) == "'content'", way
    assert await text("%sh cat /dbfs/ways/f.txt") == "content"
    assert await text("import os; sorted(os.listdir('/dbfs/ways'))") == "['f.txt']"
    assert await text("os.path.exists('/dbfs/ways/g.txt')") == "False"
    assert await text("os.path.isdir('/dbfs/ways')") == "True"


_ALL_WAYS = """
import glob, os, pathlib, shutil, sys
from dbx_magic.local.driver.paths import patch

patch()
folder = pathlib.Path("/dbfs/a/b")
folder.mkdir(parents=True)
(folder / "f.txt").write_text("x")
assert open("/dbfs/a/b/f.txt").read() == "x"
assert [path.name for path in folder.iterdir()] == ["f.txt"]
assert glob.glob("/dbfs/a/*/*.txt") == ["/dbfs/a/b/f.txt"]
assert [path.name for path in pathlib.Path("/dbfs/a").rglob("*.txt")] == ["f.txt"]
assert [files for _, _, files in os.walk("/dbfs/a")] == [[], ["f.txt"]]
pathlib.Path("/dbfs/a/b/f.txt").rename("/dbfs/a/g.txt")
shutil.copy("/dbfs/a/g.txt", "/dbfs/a/h.txt")
shutil.move("/dbfs/a/h.txt", "/dbfs/a/i.txt")
assert sorted(os.listdir("/dbfs/a")) == ["b", "g.txt", "i.txt"]
os.remove("/dbfs/a/i.txt")
shutil.rmtree("/dbfs/a/b")
pathlib.Path("/Workspace/here.py").write_text("X = 1")
sys.path.append("/Workspace")
import here
assert here.X == 1 and os.path.getsize("/Workspace/here.py") == 5
assert not os.path.exists("/dbfs/../etc")
"""


async def test_pythons_own_functions_know_the_paths(tmp_path: Path) -> None:
    (tmp_path / "dbfs").mkdir()
    (tmp_path / "workspace").mkdir()
    folders = {
        "DBX_DBFS": str(tmp_path / "dbfs"),
        "DBX_WORKSPACE": str(tmp_path / "workspace"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ALL_WAYS, env={**os.environ, **folders}
    )
    assert await process.wait() == 0
    assert [path.name for path in (tmp_path / "dbfs" / "a").iterdir()] == ["g.txt"]


async def test_spark_reads_what_python_has_written_over_sparks_file(run: Any, text: Any) -> None:
    """With checksum files beside the data, Spark would refuse what Python changed."""
    await run("spark.range(1).coalesce(1).write.mode('overwrite').csv('/over')")
    code = "import glob\nfor name in os.listdir('/dbfs/over'):\n  if name.endswith('csv'):"
    await run(f"import os\n{code} open('/dbfs/over/' + name, 'w').write('7')")
    assert await text("spark.read.csv('/over').first()[0]") == "'7'"


async def test_workspace_files_are_reached_and_modules_imported(
    text: Any, cluster: Any, run: Any
) -> None:
    folder = cluster.root / "workspace" / FOLDER
    (folder / "data.txt").write_text("from the workspace")
    (folder / "helping.py").write_text("ANSWER = 42\ndef double(x): return 2 * x\n")
    lib = cluster.root / "workspace" / "Shared" / "lib"
    lib.mkdir(exist_ok=True)
    (lib / "elsewhere.py").write_text("NAME = __name__\n")
    for way in (
        "open('data.txt').read()",
        f"open('/Workspace/{FOLDER}/data.txt').read()",
        f"spark.read.text('/Workspace/{FOLDER}/data.txt').first()[0]",
        f"spark.read.text('file:/Workspace/{FOLDER}/data.txt').first()[0]",
    ):
        assert await text(way) == "'from the workspace'", way
    written = f"file:/Workspace/{FOLDER}/written"
    await run(f"spark.range(3).coalesce(1).write.csv('{written}')")
    assert len(list((folder / "written").glob("part-*.csv"))) == 1
    assert await text("import helping; helping.ANSWER") == "42"
    assert await text("sc.parallelize([4], 1).map(helping.double).collect()") == "[8]"
    await run("import sys; sys.path.append('/Workspace/Shared/lib')")
    assert await text("import elsewhere; elsewhere.NAME") == "'elsewhere'"


async def test_fs_lists_copies_moves_and_removes(run: Any, text: Any) -> None:
    await run("dbutils.fs.rm('/fs', True); dbutils.fs.mkdirs('/fs/a')")
    await run("dbutils.fs.put('/fs/a/one.txt', '12345')")
    assert "overwrite=True" in (await run("dbutils.fs.put('/fs/a/one.txt', '')")).results["summary"]
    await run("dbutils.fs.cp('/fs/a', '/fs/b', recurse=True)")
    await run("dbutils.fs.mv('dbfs:/fs/a/one.txt', 'dbfs:/fs/two.txt')")
    shown = table(await run("%fs ls /fs"))
    assert [row[:3] for row in shown["rows"]] == [
        ["dbfs:/fs/a/", "a/", 0],
        ["dbfs:/fs/b/", "b/", 0],
        ["dbfs:/fs/two.txt", "two.txt", 5],
    ]
    assert await text("[i.isDir() for i in dbutils.fs.ls('/fs')]") == "[True, True, False]"
    assert "recurse=True" in (await run("dbutils.fs.rm('/fs/b')")).results["summary"]
    assert await text("dbutils.fs.rm('/fs', True), dbutils.fs.rm('/fs', True)") == "(True, False)"
    missing = (await run("dbutils.fs.ls('/fs')")).results["summary"]
    assert "No such file or directory: dbfs:/fs" in missing


# notebooks


async def test_run_brings_the_names_of_another_notebook(
    notebook: Any, run: Any, text: Any, cluster: Any
) -> None:
    notebook(
        "parts/setup",
        "dbutils.widgets.text('scale', '1')\nscale = int(dbutils.widgets.get('scale'))",
        "# MAGIC %md\n# MAGIC not code",
        "# MAGIC %sql\n# MAGIC create or replace temporary view made as select 7 as n",
        "# MAGIC %run ./deeper",
        "def times(x): return x * scale",
    )
    notebook("parts/deeper", "deep = 'found beside it'")
    command = await run('%run ./parts/setup $scale="3"')
    assert command.results["resultType"] != "error", command.results
    assert await text("times(2), deep, spark.table('made').first().n") == (
        "(6, 'found beside it', 7)"
    )


async def test_an_error_in_a_notebook_that_is_run_stops_and_names_it(
    notebook: Any, run: Any
) -> None:
    notebook("broken", "fine = 1", "x = 1\n1 / 0", "never = 1")
    command = await run("%run ./broken")
    errors = [event for event in command.events if event["type"] == "error"]
    assert [error["ename"] for error in errors] == ["ZeroDivisionError"]
    said = "".join(event.get("text", "") for event in command.events)
    assert f"/{FOLDER}/broken: its cell 2 failed" in said
    assert (await run("never")).results["resultType"] == "error"


async def test_a_notebook_that_is_not_there_is_named(run: Any) -> None:
    summary = (await run("%run ../nowhere")).results["summary"]
    assert summary.endswith("%run: there is no notebook /Shared/nowhere")


async def test_exit_ends_the_cell_with_a_value(run: Any) -> None:
    command = await run(
        "print('a')\ntry: dbutils.notebook.exit('value')\nexcept Exception: pass\nprint('b')"
    )
    assert command.status == "Finished"
    assert command.exit_value == "value"
    assert command.results == {"resultType": "text", "data": "value"}


async def test_exit_in_a_notebook_that_is_run_ends_only_that(
    notebook: Any, run: Any, text: Any
) -> None:
    notebook("early", "before = 1", "dbutils.notebook.exit('x')", "after = 1")
    assert (await run("%run ./early")).exit_value is None
    assert await text("before, 'after' in globals()") == "(1, False)"


async def test_widgets_have_what_the_run_gave_else_their_default(text: Any, run: Any) -> None:
    await run("dbutils.widgets.text('given', 'default'); dbutils.widgets.text('other', 'mine')")
    assert await text("dbutils.widgets.get('given'), getArgument('other')") == (
        "('by the run', 'mine')"
    )
    summary = (await run("dbutils.widgets.get('unknown')")).results["summary"]
    assert "InputWidgetNotDefined: No input widget named unknown is defined." in summary


async def test_task_values_are_events(run: Any) -> None:
    command = await run("dbutils.jobs.taskValues.set(key='n', value={'a': [1]})")
    shown = [event["data"][TASK_VALUE] for event in command.events]
    assert shown == [{"key": "n", "value": {"a": [1]}}]
    get = "dbutils.jobs.taskValues.get(taskKey='t', key='k', debugValue=5)"
    assert (await run(get)).results["data"] == "5"


async def test_restarting_python_loses_variables_and_keeps_the_context(cluster: Any) -> None:
    context_id = await cluster.context(folder=f"/{FOLDER}", arguments={"w": "kept"})
    await cluster.run(context_id, "x = 1")
    command = await cluster.run(context_id, "dbutils.library.restartPython()\nx = 2")
    assert command.status == "Finished"
    after = await cluster.run(context_id, "'x' in globals(), dbutils.widgets.get('w')")
    assert after.results["data"] == "(False, 'kept')"
    await cluster.compute.destroy_context(context_id)


async def test_stopping_spark_does_not_stop_the_cluster(text: Any, run: Any) -> None:
    await run("spark.stop()")
    await run("sc.stop()")
    assert await text("spark.range(3).count()") == "3"


async def test_the_session_is_the_one_that_libraries_get(text: Any) -> None:
    code = "from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate() is spark"
    assert await text(code) == "True"
    assert (
        await text(
            "from databricks.sdk.runtime import dbutils as d, spark as s\n"
            "d is dbutils and s is spark"
        )
        == "True"
    )
    assert await text("from pyspark.dbutils import DBUtils\nDBUtils(spark) is dbutils") == "True"


async def test_what_ipython_can_do_works_as_well(text: Any) -> None:
    assert await text("%%capture said\nprint('hidden')") == ""
    assert await text("said.stdout") == "'hidden\\n'"
    assert (await text("!echo from $(echo the shell)")).strip() == "from the shell"


async def test_delta_is_parquet_and_says_so_once(cluster: Any, run: Any) -> None:
    command = await run("spark.range(3).write.format('delta').mode('overwrite').saveAsTable('d')")
    said = [event["text"] for event in command.events if event.get("name") == "stderr"]
    assert any("delta is parquet on this cluster" in text for text in said)
    sql = "%sql\ncreate table if not exists e (n int) using delta;\ninsert into e values (1);"
    assert kinds(await run(f"{sql}\nselect * from e union all select id from d where id = 2")) == [
        "display_data"
    ]
    assert (await run("spark.read.format('delta').load('/user/hive/warehouse/d').count()")).results[
        "data"
    ] == "3"
    await run("%sql drop table d; drop table e")


# Scala


async def test_scala_runs_beside_python_on_the_same_spark(cluster: Any, run: Any) -> None:
    await run("spark.range(4).createOrReplaceTempView('from_python')")
    command = await run('%scala\nval x = 2\nprintln("é " + x)')
    assert command.results["data"] == "é 2\nval x: Int = 2"
    await run("%scala case class Pair(name: String, n: Long)")
    command = await run(
        '%scala\nval pairs = spark.table("from_python").as[Long].map(n => Pair("p", n * x))\n'
        "display(pairs.filter(_.n > 3))\npairs.map(_.n).collect().sum"
    )
    assert table(command)["rows"] == [["p", 4], ["p", 6]]
    printed = "".join(event.get("text", "") for event in command.events)
    assert "Long = 12" in printed
    other = await cluster.context("scala")
    summary = (await cluster.run(other, "x")).results["summary"]
    assert "not found: value x" in summary
    summary = (await cluster.run(other, 'throw new Exception("boom")')).results["summary"]
    assert "java.lang.Exception: boom" in summary
    await cluster.compute.destroy_context(other)


# R


async def test_r_keeps_variables_and_shows_plots_and_errors(run: Any, text: Any) -> None:
    if shutil.which("Rscript") is None:
        summary = (await run("%r\n1 + 1")).results["summary"]
        assert summary.endswith("%r needs R, and there is no R on this machine.")
        return
    assert await text("%r\nx <- c(1, 2, 3)\nmean(x)") == "[1] 2"
    assert (await run("%r\nplot(x)")).results["resultType"] == "image"
    summary = (await run("%r\ny <- 5\nstop('no more')")).results["summary"]
    assert summary == '<span class="ansi-red-fg">RError</span>: no more'
    assert await text("%r\nx[3] + y") == "[1] 8"


# text


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("%sql select 1", ("sql", "select 1")),
        ("\n  %sql\nselect 1\n", ("sql", "\nselect 1\n")),
        ("%python\nx = 1", ("python", "\nx = 1")),
        ("%md-sandbox hi", ("md-sandbox", "hi")),
        ('%run ./a $x="1"', ("run", './a $x="1"')),
        ("%sqlite", None),
        ("%pip install x", None),
        ("%%sql\nselect 1", None),
        ("x = '''\n%sql'''", None),
        ("", None),
    ],
)
def test_the_header_of_a_cell(code: str, found: tuple[str, str] | None) -> None:
    assert header(code) == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("", []),
        (" ; ;\n", []),
        ("-- nothing", []),
        ("select 1", ["select 1"]),
        ("select 1;\nselect 2;", ["select 1", "select 2"]),
        (
            "select ';', \";\", `;` -- ; no\n; select 2",
            ["select ';', \";\", `;` -- ; no", "select 2"],
        ),
        ("select 'it''s;' /* ; /* */; b", ["select 'it''s;' /* ; /* */", "b"]),
        (r"select 'a\';b'; c", [r"select 'a\';b'", "c"]),
        ("select 3 - 1 / 2; d", ["select 3 - 1 / 2", "d"]),
        ("select 'open; e", ["select 'open; e"]),
        ("/* only */ -- comments\n;f", ["f"]),
    ],
)
def test_statements_are_split_where_sql_ends_them(sql: str, found: list[str]) -> None:
    assert statements(sql) == found


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("dbfs:/a/b", "{dbfs}/a/b"),
        ("/a/b", "{dbfs}/a/b"),
        ("dbfs:///a", "{dbfs}/a"),
        ("/../../etc/passwd", "{dbfs}/etc/passwd"),
        ("dbfs:/a/../../../b", "{dbfs}/b"),
        ("dbfs:/Workspace/x", "{workspace}/x"),
        ("file:/Workspace/../etc", "/etc"),
        ("file:/dbfs/x", "{dbfs}/x"),
        ("/Volumes/c/s/v", "{dbfs}/Volumes/c/s/v"),
        ("file:/tmp/x", "/tmp/x"),
    ],
)
def test_where_a_path_is(uri: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBX_DBFS", "/data/dbfs")
    monkeypatch.setenv("DBX_WORKSPACE", "/data/workspace")
    assert from_uri(uri) == path.format(dbfs="/data/dbfs", workspace="/data/workspace")


def test_another_store_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="s3://bucket/key: only dbfs: and file: paths"):
        from_uri("s3://bucket/key")


@pytest.mark.parametrize(
    ("value", "json_value"),
    [
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (decimal.Decimal("1E-10"), "0.0000000001"),
        (dt.date(1, 1, 1), "0001-01-01"),
        (bytearray(b"ab"), "YWI="),
        ({dt.date(2024, 1, 1): 1}, {"2024-01-01": 1}),
        ({1: None}, {"1": None}),
        ([(1, "x")], [[1, "x"]]),
        (dt.timedelta(seconds=61), "0:01:01"),
    ],
)
def test_values_become_json(value: Any, json_value: Any) -> None:
    assert plain(value, ZoneInfo("UTC")) == json_value


def test_a_table_as_text_is_short_and_says_what_it_leaves_out() -> None:
    rows = [[n, "x" * 100] for n in range(30)]
    lines = as_text(["n", "s"], rows, truncated=False).splitlines()
    assert len(lines) == 25
    assert lines[-1] == "20 of 30 rows"
    assert max(map(len, lines)) < 50
    assert re.fullmatch(r"\| 0\|x+…\|", lines[3])
    assert as_text(["a"], [], truncated=False) == "+-+\n|a|\n+-+\n+-+"


async def test_names_are_completed_from_the_objects_themselves(cluster: Any, python: str) -> None:
    await cluster.run(python, "frame = spark.range(2).withColumnRenamed('id', 'passenger')")
    found = await cluster.compute.complete(python, "frame.passen", 12)
    assert [match.rpartition(".")[2] for match in found["matches"]] == ["passenger"]


async def test_a_python_cell_with_a_header_names_its_own_lines(run: Any, text: Any) -> None:
    assert "----> 3 1 / 0" in re.sub(
        r"\x1b\[[\d;]*m", "", (await run("%python\nx = 1\n1 / 0")).results["cause"]
    )
    assert await text("%python 40 + 2") == "42"
