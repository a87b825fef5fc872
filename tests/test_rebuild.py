"""A cluster of the local workspace, made equal to its spec again and again."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import local_process
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, WorkspaceError
from dbx_magic.events import Event, Planned, Progress, drive
from dbx_magic.rebuild import Rebuilt
from dbx_magic.verbs import perform

HUMANIZE = {"pypi": {"package": "humanize==4.12.1"}}
CANNOT_START = [{"dbfs": {"destination": "dbfs:/no-such-script.sh"}}]


pytestmark = pytest.mark.usefixtures("no_clusters")


@pytest.fixture
def write_spec(project: Path) -> Callable[..., None]:
    def write(**changes: Any) -> None:
        path = project / "pipelines" / "config.cluster.json"
        spec = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({k: v for k, v in spec.items() if v is not None}, indent=2))

    return write


def rebuild(dbx: Dbx, **options: Any) -> tuple[Rebuilt, list[Event]]:
    seen: list[Event] = []
    return drive(perform(dbx, "rebuild", options), seen.append), seen


def titles(events: list[Event]) -> list[str]:
    return [event.plan.title for event in events if isinstance(event, Planned)]


def only(dbx: Dbx) -> dict[str, Any]:
    """The one cluster that there is, as ``get`` tells it."""
    (cluster,) = dbx.workspace.clusters()
    return dbx.workspace.cluster(cluster["cluster_id"])


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail(f"{what} did not come true within {seconds} s")


def test_one_word_makes_it_and_keeps_it_equal(
    dbx: Dbx, git_project: Path, write_spec: Callable[..., None]
) -> None:
    write_spec(libraries=[HUMANIZE])
    planned, events = rebuild(dbx, dry_run=True)
    assert titles(events) == ["hello will be created"]
    assert planned.view() == []
    assert dbx.workspace.clusters() == [], "a dry run changes nothing"

    made, events = rebuild(dbx)
    cluster = only(dbx)
    assert made.cluster_id == cluster["cluster_id"] == dbx.project.picked
    assert (made.changed, made.ready, cluster["state"]) == (True, True, "RUNNING")
    head = dbx.repo.head
    assert head is not None
    assert cluster["custom_tags"]["dbx_commit"] == head[:12]
    assert cluster["custom_tags"]["dbx_project"] == "hello"
    assert "libraries" not in cluster["spec"]
    assert [item["status"] for item in dbx.workspace.libraries(made.cluster_id)] == ["INSTALLED"]
    states = [event.state for event in events if isinstance(event, Progress)]
    assert any(state.startswith("starting") for state in states)
    assert any("installing pypi humanize==4.12.1 (1 of 1)" in state for state in states)

    again, events = rebuild(dbx)
    assert not again.changed
    assert titles(events) == []

    write_spec(num_workers=3)
    _, events = rebuild(dbx)
    assert titles(events) == ["hello will be resized; running cells go on"]
    assert only(dbx)["num_workers"] == 3
    assert only(dbx)["spark_context_id"] == cluster["spark_context_id"], "nothing restarted"

    write_spec(libraries=[], spark_conf={"spark.sql.shuffle.partitions": 4})
    _, events = rebuild(dbx)
    assert titles(events)[0].startswith("hello will be edited and restarted (about ")
    assert only(dbx)["spark_conf"] == {"spark.sql.shuffle.partitions": "4"}
    assert dbx.workspace.libraries(made.cluster_id) == []

    dbx.workspace.stop_cluster(made.cluster_id)
    until(lambda: only(dbx)["state"] == "TERMINATED", "the stop")
    write_spec(spark_conf=None)
    _, events = rebuild(dbx)
    assert "edited and started" in titles(events)[0]
    assert "spark_conf" not in only(dbx), "what the spec no longer says is gone"
    assert not rebuild(dbx)[0].changed


SPECS = {
    "the seed's": {
        "spark_version": "6.0.x-scala2.11",
        "spark_conf": {"spark.sql.execution.arrow.enabled": "true"},
        "ssh_public_keys": [],
        "custom_tags": {},
        "cluster_log_conf": {"dbfs": {"destination": "dbfs:/cluster_logs/CLUSTER_NAME"}},
        "spark_env_vars": {"PYSPARK_PYTHON": "/databricks/python3/bin/python3"},
        "enable_elastic_disk": False,
        "cluster_source": "UI",
        "init_scripts": [],
    },
    "Azure, scaling": {
        "num_workers": None,
        "autoscale": {"min_workers": 1, "max_workers": 4},
        "node_type_id": "Standard_D4ds_v5",
        "azure_attributes": {
            "availability": "SPOT_WITH_FALLBACK_AZURE",
            "first_on_demand": 1,
            "spot_bid_max_price": -1,
        },
        "data_security_mode": "USER_ISOLATION",
        "runtime_engine": "PHOTON",
        "custom_tags": {"team": "analytics", "cost center": "42"},
    },
    "AWS, with a policy": {
        "node_type_id": "i3.xlarge",
        "aws_attributes": {
            "availability": "SPOT_WITH_FALLBACK",
            "zone_id": "auto",
            "first_on_demand": 1,
            "spot_bid_price_percent": 100,
        },
        "policy_id": "60451D04E5000AAB",
        "cluster_log_conf": {
            "s3": {"destination": "s3://logs/CLUSTER_NAME", "region": "eu-central-1"}
        },
        "single_user_name": "ada@example.org",
        "data_security_mode": "SINGLE_USER",
    },
    "from a pool": {
        "node_type_id": None,
        "instance_pool_id": "0101-120000-bricks1-pool-abcd1234",
        "driver_instance_pool_id": "0101-120000-bricks1-pool-abcd1234",
        "num_workers": 2,
        "spark_env_vars": {"TOKEN": "{{secrets/team/token}}"},
    },
}


@pytest.mark.parametrize("fields", SPECS.values(), ids=SPECS)
def test_specs_of_the_real_world_are_equal_after_one_rebuild(
    dbx: Dbx, write_spec: Callable[..., None], fields: dict[str, Any]
) -> None:
    write_spec(**fields)
    rebuild(dbx)
    again, _ = rebuild(dbx)
    assert not again.changed
    assert only(dbx)["state"] == "RUNNING"


def test_fresh_leaves_no_moment_without_a_usable_cluster(dbx: Dbx, project: Path) -> None:
    """Somebody runs cells all the while; one that the old cluster took with it runs again."""
    old = rebuild(dbx)[0].cluster_id
    done = threading.Event()
    ran: list[str] = []

    def run_cells() -> None:
        while not done.is_set():
            mine = Dbx(project)
            try:
                cell = drive(perform(mine, "exec", {"code": "1 + 1"}), lambda _: None)
            except WorkspaceError:
                cell = drive(perform(mine, "exec", {"code": "1 + 1"}), lambda _: None)
            finally:
                mine.close()
            ran.append(cell.cluster)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        cells = pool.submit(run_cells)
        try:
            new = rebuild(dbx, fresh=True)[0].cluster_id
        finally:
            done.set()
        cells.result()
    assert new != old
    assert only(dbx)["cluster_id"] == new == dbx.project.picked
    assert len(ran) > 1


def test_an_edit_that_does_not_start_is_put_back(dbx: Dbx, write_spec: Callable[..., None]) -> None:
    before = rebuild(dbx)[0].cluster_id
    write_spec(init_scripts=CANNOT_START, libraries=[HUMANIZE])
    with pytest.raises(WorkspaceError) as caught:
        rebuild(dbx)
    assert "did not start: an init script failed: " in caught.value.message
    assert "no-such-script.sh" in caught.value.message, "the workspace's own words"
    assert "Its old configuration was put back, and it runs again." in caught.value.message
    cluster = only(dbx)
    assert (cluster["cluster_id"], cluster["state"]) == (before, "RUNNING")
    assert not cluster.get("init_scripts")
    assert dbx.workspace.libraries(before) == []
    write_spec(init_scripts=None, libraries=None)
    assert not rebuild(dbx)[0].changed


def test_a_plan_that_is_no_longer_true_is_not_applied(
    dbx: Dbx, write_spec: Callable[..., None]
) -> None:
    _, events = rebuild(dbx, dry_run=True)
    (planned,) = [event for event in events if isinstance(event, Planned)]
    write_spec(num_workers=2)
    with pytest.raises(ConflictError):
        rebuild(dbx, expect=planned.plan.fingerprint)
    assert dbx.workspace.clusters() == []
    write_spec(num_workers=1)
    rebuild(dbx, expect=planned.plan.fingerprint, wait=False)
    assert len(dbx.workspace.clusters()) == 1


def test_stopping_to_wait_leaves_the_cluster_starting_and_says_how_to_go_on(dbx: Dbx) -> None:
    work = perform(dbx, "rebuild", {})
    while not isinstance(next(work), Progress):
        pass
    work.close()
    assert dbx.notes == ["hello goes on by itself; `rebuild` goes on from where this stopped."]
    cluster_id = only(dbx)["cluster_id"]
    assert rebuild(dbx)[0].cluster_id == cluster_id


def test_killed_while_both_clusters_run_it_ends_with_one(
    dbx: Dbx, project: Path, local: local_process.Server, write_spec: Callable[..., None]
) -> None:
    """The other moments are in test_clusters_on_databricks.py, where a start takes no time."""
    write_spec(libraries=[HUMANIZE])
    rebuild(dbx)
    process = subprocess.Popen(
        [sys.executable, "-m", "dbx_magic", "rebuild", "--fresh"],
        cwd=project,
        env={**os.environ, "DBX_MAGIC_HOME": str(local.home)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: states(dbx) == ["RUNNING", "RUNNING"], "two clusters")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    rebuild(dbx)
    cluster = only(dbx)
    assert cluster["cluster_id"] == dbx.project.picked
    statuses = dbx.workspace.libraries(cluster["cluster_id"])
    assert [(item["library"], item["status"]) for item in statuses] == [(HUMANIZE, "INSTALLED")]
    assert not rebuild(dbx)[0].changed


def states(dbx: Dbx) -> list[str]:
    return [cluster["state"] for cluster in dbx.workspace.clusters()]
