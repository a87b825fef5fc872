"""How fast the local workspace is for the official clients, beside an untuned Spark, in one run.

Run it with ``python -m tests.benchmarks.bench_local`` or as a script.
"""

# ruff: noqa: T201

from __future__ import annotations

import base64
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import Language

from dbx_magic import local_process

SPEC = {
    "spark_version": "16.4.x-scala2.12",
    "node_type_id": "Standard_DS3_v2",
    "num_workers": 1,
}
UNTUNED = """
import time
begin = time.perf_counter()
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").getOrCreate()
print(time.perf_counter() - begin)
spark.stop()
"""


def timed(work: Callable[[], object]) -> float:
    """How many seconds it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def import_many(server: local_process.Server, folder: str, threads: int, count: int = 200) -> float:
    """Seconds to import so many notebooks over kept-alive connections."""
    own = threading.local()
    content = base64.b64encode(b"# Databricks notebook source\nprint(1)\n").decode()

    def put(number: int) -> None:
        if not hasattr(own, "http"):
            own.http = requests.Session()
            own.http.headers["Authorization"] = f"Bearer {server.token}"
        body = {
            "path": f"{folder}/n{number}",
            "format": "SOURCE",
            "language": "PYTHON",
            "overwrite": True,
            "content": content,
        }
        url = f"{server.url}/api/2.0/workspace/import"
        own.http.post(url, json=body).raise_for_status()

    WorkspaceClient(host=server.url, token=server.token).workspace.mkdirs(folder)
    with ThreadPoolExecutor(threads) as pool:
        return timed(lambda: list(pool.map(put, range(count))))


def idle(pid: int, seconds: float = 5.0) -> tuple[float, float]:
    """The memory in MB and the share of one core that a process takes while nothing happens."""
    process = Path(f"/proc/{pid}")

    def used() -> int:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(seconds)  # what is measured is time in which nothing happens
    share = (used() - before) / os.sysconf("SC_CLK_TCK") / seconds
    (line,) = [one for one in (process / "status").read_text().splitlines() if "VmRSS" in one]
    return int(line.split()[1]) / 1024, share


def start_cluster(client: WorkspaceClient, name: str) -> tuple[str, float]:
    """A running cluster, and the seconds from its creation."""
    begin = time.perf_counter()
    cluster_id = client.clusters.create(cluster_name=name, **SPEC).cluster_id
    while client.clusters.get(cluster_id).state.value != "RUNNING":  # held until it changes
        pass
    return cluster_id, time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["DBX_MAGIC_HOME"] = home
        server = local_process.start()
        try:
            client = WorkspaceClient(host=server.url, token=server.token)
            memory, share = idle(server.pid)
            print(f"idle, no cluster: {memory:.0f} MB, {share:.1%} of a core")
            one, many = import_many(server, "/Shared/one", 1), import_many(server, "/Shared/m", 16)
            print(f"200 imports over one connection: {one:.2f} s; by 16: {200 / many:.0f} a second")

            untuned = float(
                subprocess.run(
                    [sys.executable, "-c", UNTUNED], capture_output=True, text=True, check=True
                ).stdout
            )
            starts = []
            for number in range(3):
                cluster_id, seconds = start_cluster(client, f"cluster {number}")
                starts.append(f"{seconds:.1f} s")
                if number < 2:
                    client.clusters.permanent_delete(cluster_id)
            print(
                f"cluster RUNNING: {', '.join(starts)} (2 s of PENDING included; faster once the "
                f"class archive is trained); a Spark session the usual way: {untuned:.1f} s"
            )

            def context() -> str:
                return client.command_execution.create_and_wait(
                    cluster_id=cluster_id, language=Language.PYTHON
                ).id

            contexts = [timed(context) for _ in range(5)]
            print(f"context: {statistics.median(contexts):.2f} s (median of 5)")
            own = context()
            times = [
                timed(
                    lambda: client.command_execution.execute_and_wait(
                        cluster_id=cluster_id,
                        context_id=own,
                        command="1+1",
                        language=Language.PYTHON,
                    )
                )
                for _ in range(30)
            ]
            print(
                f"SDK's execute_and_wait of 1+1: {statistics.median(times) * 1000:.0f} ms (median)"
            )
        finally:
            local_process.stop()


if __name__ == "__main__":
    main()
