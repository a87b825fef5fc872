"""Cells on the cluster beside a plain kernel, Databricks' SDK and Spark Connect, in one run.

Run it with ``python -m tests.benchmarks.bench_cells`` or as a script.
"""

# ruff: noqa: T201

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import Language
from jupyter_client.manager import start_new_kernel

from dbx_magic import frames, local_process, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.workspace import Workspace

SPEC = {"spark_version": "16.4.x-scala2.12", "node_type_id": "Standard_DS3_v2", "num_workers": 1}
ROWS = 1_000_000
FRAME = (
    f"spark.range({ROWS}).selectExpr('id', 'rand(7) as chance', 'cast(id % 1000 as int) as small',"
    " 'concat(\"name \", id % 5000) as name', 'timestamp_seconds(1.7e9 + id) as moment')"
)
# A server whose answers are never held back until there is something to tell.
UNHELD = (
    "import dbx_magic.local.bell as bell; bell.HOLD_SECONDS = 0\n"
    "from dbx_magic.local.__main__ import main; main()"
)


class Polled(Workspace):
    """A workspace that tells a command's outputs at its end only, as Databricks does."""

    streams = False


def timed(work: Callable[[], object]) -> float:
    """How many seconds it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def median(work: Callable[[], object], times: int = 30) -> float:
    """The median of so many times, in milliseconds, after a few that do not count."""
    for _ in range(3):
        work()
    return statistics.median(timed(work) for _ in range(times)) * 1000


def perform(dbx: Dbx, verb: str, **arguments: Any) -> Any:
    """Perform a verb, showing nothing."""
    return drive(verbs.perform(dbx, verb, arguments), lambda _: None)


def cluster_of(client: WorkspaceClient) -> str:
    """A running cluster."""
    cluster_id = client.clusters.create(cluster_name="bench", **SPEC).cluster_id
    while client.clusters.get(cluster_id).state.value != "RUNNING":
        time.sleep(0.1)
    return cluster_id


def opened(folder: Path, cluster_id: str) -> Dbx:
    """A project whose cells run on that cluster."""
    (folder / "dbx.toml").write_text('project = "bench"\n[targets.local]\nprofile = "local"\n')
    dbx = Dbx(folder)
    dbx.project.pick(cluster_id)
    dbx.variables = {}
    return dbx


def trivial_cells(folder: Path) -> float:
    """A trivial cell in a plain kernel, and with %%dbx in the same one; gives the latter."""
    manager, client = start_new_kernel(cwd=str(folder))
    try:

        def cell(code: str) -> None:
            reply = client.execute_interactive(code, output_hook=lambda _: None)
            assert reply["content"]["status"] == "ok", reply["content"]

        cell("%load_ext dbx_magic")
        cell("%%dbx\n1")
        plain, there = median(lambda: cell("1")), median(lambda: cell("%%dbx\n1"))
        print(f"`1` in a plain kernel: {plain:.1f} ms; with %%dbx: {there:.1f} ms (medians of 30)")
        print(f"an interrupt returns after {interrupt(manager, client):.2f} s")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return there


def interrupt(manager: Any, client: Any) -> float:
    """Seconds from the Stop button to the end of a cell that runs on the cluster."""
    pressed: list[float] = []

    def stop(message: Any) -> None:
        if "go" in message["content"].get("text", "") and not pressed:
            pressed.append(time.perf_counter())
            manager.interrupt_kernel()

    code = "%%dbx\nprint('go', flush=True)\nimport time\ntime.sleep(100)"
    client.execute_interactive(code, output_hook=stop)
    return time.perf_counter() - pressed[0]


def with_sdk(client: WorkspaceClient, cluster_id: str) -> Callable[[], object]:
    """What runs `1` with the SDK's execute_and_wait."""
    context_id = client.command_execution.create_and_wait(
        cluster_id=cluster_id, language=Language.PYTHON
    ).id
    return lambda: client.command_execution.execute_and_wait(
        cluster_id=cluster_id, context_id=context_id, command="1", language=Language.PYTHON
    )


def unheld(folder: Path, ours: float) -> None:
    """The same on a server that holds no answer back, as Databricks."""
    os.environ["DBX_MAGIC_HOME"] = str(folder / "home")
    (folder / "home").mkdir()
    command = [sys.executable, "-c", UNHELD, "--home", str(folder / "home")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while (server := local_process.find()) is None:
            time.sleep(0.1)
        client = WorkspaceClient(host=server.url, token=server.token)
        cluster_id = cluster_of(client)
        theirs = median(with_sdk(client, cluster_id), 5)
        dbx = opened(folder, cluster_id)
        dbx._workspace = Polled(dbx.workspace.login)
        perform(dbx, "exec", code="1")
        polled = median(lambda: perform(dbx, "exec", code="1"), 10)
        ten = timed(lambda: perform(dbx, "exec", code="import time\ntime.sleep(10)"))
        dbx.close()
        print(
            f"no answer held back: SDK's execute_and_wait {theirs:.0f} ms, "
            f"{theirs / ours:.0f} times as long as %%dbx where they are; `exec` {polled:.0f} ms; "
            f"a command of 10 s ends after {ten:.2f} s"
        )
    finally:
        process.terminate()
        process.wait()


def frame(kind: str, folder: Path, cluster_id: str) -> None:
    """Bring the frame back in a process of its own, and print seconds and memory."""
    dbx = opened(folder, cluster_id)
    perform(dbx, "exec", code=f"frame = {FRAME}.cache()\nframe.count()")
    if kind == "Spark Connect's toPandas":
        perform(dbx, "exec", code="frame.write.mode('overwrite').saveAsTable('bench')")
        perform(dbx, "spark")
        table = dbx.variables["spark"].table("bench")  # type: ignore[index]
        table.limit(1).toPandas()
        before, work = resident(), table.toPandas
    else:
        if kind == "JSON":
            has = frames._has
            frames._has = lambda package: package != "pyarrow" and has(package)  # type: ignore[assignment]
        perform(dbx, "exec", code="frame.limit(1)", output="one")
        before, work = resident(), lambda: perform(dbx, "exec", code="frame", output="frame")
    seconds = timed(work)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    print(f"{kind:>26}: {seconds:5.2f} s, {grown:5.0f} MB more at its peak")
    dbx.close()


def resident() -> float:
    """The memory of this process in MB."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in one]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["DBX_MAGIC_HOME"] = str(folder / "local")
        server = local_process.start()
        try:
            client = WorkspaceClient(host=server.url, token=server.token)
            cluster_id = cluster_of(client)
            opened(folder, cluster_id)
            ours = trivial_cells(folder)
            sdk = median(with_sdk(client, cluster_id))
            print(f"SDK's execute_and_wait of `1` on the same server: {sdk:.1f} ms")
            print(f"{ROWS:,} rows × 5 columns to pandas:", flush=True)
            for kind in ("exec -o, as Arrow", "Spark Connect's toPandas", "JSON"):
                command = [sys.executable, __file__, kind, place, cluster_id]
                subprocess.run(command, check=True)
        finally:
            local_process.stop()
        unheld(folder, ours)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        frame(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    else:
        main()
