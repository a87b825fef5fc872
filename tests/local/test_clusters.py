"""Clusters through the unmodified SDK: life, specs, lists and events."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, InvalidParameterValue
from databricks.sdk.errors.platform import InvalidState
from databricks.sdk.service.compute import (
    AutoScale,
    GetEventsOrder,
    Language,
    ListClustersFilterBy,
    ListClustersSortBy,
    ListClustersSortByDirection,
    ListClustersSortByField,
    State,
    TerminationReasonCode,
    UpdateClusterResource,
)
from databricks.sdk.service.workspace import ImportFormat

Spec = dict[str, Any]


OLD_SPEC = {
    "cluster_name": "old",
    "spark_version": "6.0.x-scala2.11",
    "node_type_id": "Standard_DS3_v2",
    "num_workers": "1",
    "ssh_public_keys": [],
    "init_scripts": [],
    "enable_elastic_disk": "false",
    "autotermination_minutes": 1,
    "cluster_log_conf": {"dbfs": {"destination": "dbfs:/cluster_logs"}},
    "spark_conf": {"spark.sql.execution.arrow.enabled": "true"},
    "some_new_field": {"kept": True},
}


@pytest.fixture(scope="module", autouse=True)
def idle_cluster(client: WorkspaceClient) -> str:
    """A cluster that nobody uses from the first test of this file to the last."""
    created: Any = client.api_client.do("POST", "/api/2.0/clusters/create", body=OLD_SPEC)
    return str(created["cluster_id"])


def test_a_cluster_lives_and_ends(
    client: WorkspaceClient, spec: Spec, becomes: Callable[..., Any]
) -> None:
    began = time.monotonic()
    cluster_id = client.clusters.create(
        cluster_name="life", custom_tags={"a": "b"}, **spec
    ).cluster_id
    listed = {cluster.cluster_id: cluster for cluster in client.clusters.list()}
    assert listed[cluster_id].state == State.PENDING
    running = becomes(cluster_id, State.RUNNING)
    # Scripts that wait for PENDING in the list must have had the time to see it.
    assert time.monotonic() - began >= 2.0
    assert running.custom_tags == {"a": "b"}
    assert running.default_tags["ClusterName"] == "life"
    assert running.driver_node_type_id == "Standard_DS3_v2"
    assert running.cluster_cores == 8.0
    assert running.spec.num_workers == 1
    assert running.spark_context_id

    with pytest.raises(InvalidState, match="unexpected state Running"):
        client.clusters.start(cluster_id)
    client.clusters.resize(cluster_id, num_workers=3)
    assert len(becomes(cluster_id, State.RUNNING).executors) == 3
    client.clusters.edit(
        cluster_id, cluster_name="changed", **{**spec, "spark_version": "15.4.x-scala2.12"}
    )
    assert client.clusters.get(cluster_id).state in (State.RESTARTING, State.RUNNING)
    edited = becomes(cluster_id, State.RUNNING)
    assert (edited.cluster_name, edited.spark_version) == ("changed", "15.4.x-scala2.12")
    assert edited.last_restarted_time
    assert edited.spark_context_id != running.spark_context_id
    kinds = [event.type.value for event in client.clusters.events(cluster_id)]
    assert {"RESIZING", "UPSIZE_COMPLETED", "EDITED", "RESTARTING"} <= set(kinds)

    client.clusters.delete(cluster_id)
    ended = becomes(cluster_id, State.TERMINATED)
    assert ended.termination_reason.code == TerminationReasonCode.USER_REQUEST
    assert ended.termination_reason.parameters["username"].endswith("@local")
    client.clusters.delete(cluster_id)
    client.clusters.permanent_delete(cluster_id)


def test_events_tell_the_life_of_a_cluster(client: WorkspaceClient, cluster_id: str) -> None:
    events = list(client.clusters.events(cluster_id, order=GetEventsOrder.ASC, limit=2))
    kinds = [event.type.value for event in events]
    assert kinds[:3] == ["CREATING", "RUNNING", "DRIVER_HEALTHY"]
    assert events[0].details.user.endswith("@local")
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)


def test_autoscale_update_pin_and_owner(client: WorkspaceClient, spec: Spec) -> None:
    scaled = {**spec, "autoscale": AutoScale(min_workers=1, max_workers=4)}
    del scaled["num_workers"]
    cluster_id = client.clusters.create(cluster_name="pinned", **scaled).cluster_id
    client.clusters.delete_and_wait(cluster_id)
    client.clusters.pin(cluster_id)
    client.clusters.pin(cluster_id)
    client.clusters.change_owner(cluster_id, "ada@example.org")
    pinned = list(client.clusters.list(filter_by=ListClustersFilterBy(is_pinned=True)))
    assert [cluster.cluster_id for cluster in pinned] == [cluster_id]
    assert pinned[0].autoscale == AutoScale(min_workers=1, max_workers=4)
    assert pinned[0].creator_user_name == "ada@example.org"
    client.clusters.update(
        cluster_id,
        "num_workers,custom_tags",
        cluster=UpdateClusterResource(num_workers=2, custom_tags={"x": "y"}),
    )
    updated = client.clusters.get(cluster_id)
    assert (updated.num_workers, updated.autoscale, updated.custom_tags) == (2, None, {"x": "y"})
    client.clusters.unpin(cluster_id)
    assert not list(client.clusters.list(filter_by=ListClustersFilterBy(is_pinned=True)))
    client.clusters.permanent_delete(cluster_id)


def test_lists_come_in_pages_filtered_and_sorted(client: WorkspaceClient, spec: Spec) -> None:
    ids = [
        client.clusters.create(cluster_name=name, **spec).cluster_id
        for name in ("page b", "page a", "page c")
    ]
    for cluster_id in ids:
        client.clusters.delete(cluster_id)
    for cluster_id in ids:
        client.clusters.wait_get_cluster_terminated(cluster_id)
    by_name = ListClustersSortBy(
        field=ListClustersSortByField.CLUSTER_NAME, direction=ListClustersSortByDirection.DESC
    )
    terminated = ListClustersFilterBy(cluster_states=[State.TERMINATED])
    found = [
        cluster.cluster_name
        for cluster in client.clusters.list(filter_by=terminated, sort_by=by_name, page_size=2)
    ]
    assert [name for name in found if name.startswith("page")] == ["page c", "page b", "page a"]
    for cluster_id in ids:
        client.clusters.permanent_delete(cluster_id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spark_version": "banana"}, "Invalid spark version banana"),
        ({"spark_version": None}, "spark_version"),
        ({"node_type_id": "huge_machine"}, "Node type huge_machine is not supported"),
        ({"node_type_id": None}, "node_type_id"),
        ({"num_workers": None}, "Exactly 1 of num_workers or autoscale"),
        ({"num_workers": "many"}, "num_workers must be a whole number"),
        ({"num_workers": -1}, "num_workers must be 0 or more"),
        ({"autoscale": {"min_workers": 1, "max_workers": 2}}, "Exactly 1 of"),
        ({"spark_conf": "fast"}, "spark_conf must be an object"),
        ({"autotermination_minutes": -5}, "autotermination_minutes"),
    ],
)
def test_a_spec_that_cannot_work_is_refused(
    client: WorkspaceClient, spec: Spec, change: Spec, words: str
) -> None:
    before = len(list(client.clusters.list()))
    body = {key: value for key, value in {**spec, **change}.items() if value is not None}
    with pytest.raises(InvalidParameterValue, match=words):
        client.api_client.do("POST", "/api/2.1/clusters/create", body=body)
    assert len(list(client.clusters.list())) == before


def test_a_spec_of_years_ago_is_taken_whole(
    client: WorkspaceClient, idle_cluster: str, wait_until: Callable[..., Any]
) -> None:
    query = {"cluster_id": idle_cluster}
    got: Any = client.api_client.do("GET", "/api/2.0/clusters/get", query=query)
    assert got["spark_version"] == "6.0.x-scala2.11"
    assert got["num_workers"] == 1
    assert got["some_new_field"] == {"kept": True}
    warning = "The local workspace has no 6.0.x-scala2.11"
    wait_until(
        lambda: client.clusters.get(idle_cluster).state_message.startswith(warning), "the warning"
    )


def test_what_can_only_be_done_to_a_running_cluster(client: WorkspaceClient, spec: Spec) -> None:
    cluster_id = client.clusters.create(cluster_name="early", **spec).cluster_id
    for refused in (
        lambda: client.clusters.resize(cluster_id, num_workers=2),
        lambda: client.clusters.restart(cluster_id),
        lambda: client.clusters.edit(cluster_id, cluster_name="x", **spec),
        lambda: client.clusters.change_owner(cluster_id, "ada@example.org"),
    ):
        with pytest.raises(InvalidState, match="unexpected state Pending"):
            refused()
    client.clusters.permanent_delete(cluster_id)
    with pytest.raises(DatabricksError, match="does not exist"):
        client.clusters.start(cluster_id)


def test_offers(client: WorkspaceClient) -> None:
    versions = client.clusters.spark_versions().versions
    assert "16.4.x-scala2.12" in {version.key for version in versions}
    assert client.clusters.select_spark_version(long_term_support=True) == "16.4.x-scala2.12"
    node_types = client.clusters.list_node_types().node_types
    assert {"Standard_DS3_v2", "i3.xlarge"} <= {node.node_type_id for node in node_types}
    assert client.clusters.list_zones().default_zone


def test_a_driver_that_dies_ends_its_cluster(
    server: Any, client: WorkspaceClient, spec: Spec, wait_until: Callable[..., Any]
) -> None:
    cluster_id = client.clusters.create_and_wait(cluster_name="doomed", **spec).cluster_id
    os.kill(_java_of(server.home / "clusters" / cluster_id), signal.SIGKILL)
    wait_until(lambda: client.clusters.get(cluster_id).state == State.TERMINATED, "the end")
    reason = client.clusters.get(cluster_id).termination_reason
    assert reason.code == TerminationReasonCode.DRIVER_UNREACHABLE
    kinds = [event.type.value for event in client.clusters.events(cluster_id)]
    assert "DRIVER_NOT_RESPONDING" in kinds
    client.clusters.permanent_delete(cluster_id)
    wait_until(lambda: not (server.home / "clusters" / cluster_id).exists(), "clearing away")


def test_spark_that_cannot_start_says_why(client: WorkspaceClient, spec: Spec) -> None:
    cluster_id = client.clusters.create(
        cluster_name="broken", spark_conf={"spark.master": "nowhere"}, **spec
    ).cluster_id
    ended = client.clusters.wait_get_cluster_terminated(cluster_id)
    assert ended.termination_reason.code == TerminationReasonCode.SPARK_STARTUP_FAILURE
    assert "Master must" in ended.state_message
    client.clusters.permanent_delete(cluster_id)


def test_init_scripts_run_and_logs_are_delivered(
    client: WorkspaceClient, spec: Spec, folder: str
) -> None:
    script = b"#!/bin/bash\necho from the script\necho $DB_CLUSTER_NAME > /tmp/$DB_CLUSTER_ID\n"
    client.workspace.upload(f"{folder}/init.sh", script, format=ImportFormat.AUTO)
    everywhere = client.global_init_scripts.create(
        "everywhere", base64.b64encode(b"pip install humanize==4.9.0").decode(), enabled=True
    )
    created: Any = client.api_client.do(
        "POST",
        "/api/2.1/clusters/create",
        body={
            "cluster_name": "scripted",
            "init_scripts": [{"workspace": {"destination": f"{folder}/init.sh"}}],
            "cluster_log_conf": {"dbfs": {"destination": "dbfs:/cluster_logs"}},
            **spec,
        },
    )
    cluster_id = created["cluster_id"]
    client.clusters.wait_get_cluster_running(cluster_id)
    made = Path(f"/tmp/{cluster_id}")
    assert made.read_text() == "scripted\n"
    made.unlink()
    context = client.command_execution.create_and_wait(
        cluster_id=cluster_id, language=Language.PYTHON
    )
    done = client.command_execution.execute_and_wait(
        cluster_id=cluster_id,
        context_id=context.id,
        language=Language.PYTHON,
        command="import humanize; humanize.__version__",
    )
    assert done.results.data == "'4.9.0'"
    kinds = {event.type.value for event in client.clusters.events(cluster_id)}
    assert {"INIT_SCRIPTS_STARTED", "INIT_SCRIPTS_FINISHED"} <= kinds
    client.clusters.delete_and_wait(cluster_id)
    logs = {file.path for file in client.dbfs.list(f"/cluster_logs/{cluster_id}", recursive=True)}
    assert f"/cluster_logs/{cluster_id}/driver/log4j-active.log" in logs
    said = f"/cluster_logs/{cluster_id}/init_scripts/1_init.stdout.log"
    assert client.dbfs.download(said).read() == b"from the script\n"

    client.global_init_scripts.update(
        everywhere.script_id, "everywhere", base64.b64encode(b"echo no >&2; exit 7").decode()
    )
    client.clusters.start(cluster_id)
    ended = client.clusters.wait_get_cluster_terminated(cluster_id)
    assert ended.termination_reason.code == TerminationReasonCode.INIT_SCRIPT_FAILURE
    assert ended.state_message == "Init script everywhere exited with 7: no"
    (kept,) = client.global_init_scripts.list()
    assert client.global_init_scripts.get(kept.script_id).script
    assert (kept.name, kept.enabled) == ("everywhere", True)
    client.global_init_scripts.delete(everywhere.script_id)
    assert list(client.global_init_scripts.list()) == []
    client.clusters.permanent_delete(cluster_id)


def test_an_idle_cluster_ends_by_itself(client: WorkspaceClient, idle_cluster: str) -> None:
    ended = client.clusters.wait_get_cluster_terminated(idle_cluster)
    assert ended.termination_reason.code == TerminationReasonCode.INACTIVITY
    assert ended.termination_reason.parameters == {"inactivity_duration_min": "1"}
    assert ended.terminated_time - ended.start_time >= 60_000
    client.clusters.permanent_delete(idle_cluster)


def _java_of(folder: Path) -> int:
    """The Java process that works in a cluster's folder."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").resolve() == folder.resolve():
                program = (entry / "cmdline").read_bytes().split(b"\0")[0]
                if program.endswith(b"java"):
                    return int(entry.name)
    pytest.fail(f"no Java process in {folder}")
