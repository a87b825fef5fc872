"""Cluster control against the answers of a real workspace: pages, unknown fields, slow starts.

The server below speaks real HTTP and answers in the shapes that Databricks documents and that its
own SDK reads. Nothing runs on it: a start takes as many looks as a test says.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dbx_magic.cluster_state import cluster_called, picked_cluster, started, wait_running
from dbx_magic.dbx import Dbx
from dbx_magic.errors import NotFoundError, ProjectError, UsageError, WorkspaceError
from dbx_magic.events import Event, Note, Planned, Progress, drive
from dbx_magic.verbs import perform

HUMANIZE = {"pypi": {"package": "humanize==4.12.1"}}
NOWHERE = {"pypi": {"package": "no-such-library==1.0"}}
CANNOT_START = {"spark.driver.memory": "lots"}
JOB = {"cluster_id": "job", "cluster_name": "hello", "cluster_source": "JOB", "state": "RUNNING"}
TOKEN = "dapi-of-a-test"


class Databricks:
    """A workspace of Databricks as far as clusters go; ``start`` is how its clusters start."""

    def __init__(self) -> None:
        self.clusters: dict[str, dict[str, Any]] = {}
        self.coming: dict[str, list[dict[str, Any]]] = {}
        self.libraries: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.start: list[dict[str, Any]] = [{"state": "RUNNING"}]
        self.hold = False
        self.lock = threading.Lock()

    def named(self, name: str = "hello") -> list[dict[str, Any]]:
        return [item for item in self.clusters.values() if item["cluster_name"] == name]

    def add(self, cluster_id: str, **fields: Any) -> dict[str, Any]:
        spec = {"cluster_name": "hello", "spark_version": "16.4.x-scala2.12", "num_workers": 1}
        spec |= {"node_type_id": "Standard_DS3_v2", "autotermination_minutes": 60}
        told = {key: value for key, value in fields.items() if key not in ("state", "start_time")}
        self.clusters[cluster_id] = {
            **(spec | told),
            "cluster_id": cluster_id,
            "state": "RUNNING",
            "start_time": 1000,
            **fields,
            "spec": spec | told,
            "something_databricks_adds_next_year": {"deep": [1, None]},
        }
        return self.clusters[cluster_id]

    def answer(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            self.requests.append(path.rpartition("api/")[2])
            verb = path.rpartition("/")[2].replace("-", "_")
            kind = "library" if "/libraries/" in path else "cluster"
            return getattr(self, f"{kind}_{verb}", self.unknown)(body)

    def unknown(self, _: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"}

    def refused(self, code: str, message: str) -> tuple[int, dict[str, Any]]:
        return 400, {"error_code": code, "message": message, "details": []}

    def cluster_list(self, query: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Two a page, and without what ``get`` alone tells."""
        every = [
            {k: v for k, v in c.items() if k != "spec"} for c in (JOB, *self.clusters.values())
        ]
        start = int(query.get("page_token", 0))
        page: dict[str, Any] = {"clusters": every[start : start + 2], "prev_page_token": ""}
        if start + 2 < len(every):
            page["next_page_token"] = str(start + 2)
        return 200, page

    def cluster_get(self, query: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        cluster_id = query["cluster_id"]
        if cluster_id not in self.clusters:
            return self.refused("INVALID_PARAMETER_VALUE", f"Cluster {cluster_id} does not exist")
        coming = self.coming.get(cluster_id)
        if coming and not self.hold:
            self.clusters[cluster_id] |= coming.pop(0)
        return 200, self.clusters[cluster_id]

    def cluster_create(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if body["node_type_id"].startswith("no "):
            return self.refused("INVALID_PARAMETER_VALUE", "Node type is not supported.")
        cluster_id = f"1124-{len(self.requests):06}-new"
        self.add(cluster_id, **body, state="PENDING", start_time=len(self.requests) * 1000)
        self._set_out(cluster_id)
        return 200, {"cluster_id": cluster_id}

    def _set_out(self, cluster_id: str) -> None:
        cluster = self.clusters[cluster_id]
        cluster.pop("termination_reason", None)
        self.coming[cluster_id] = [dict(step) for step in self.start]
        if cluster.get("spark_conf") == CANNOT_START:
            reason = {
                "code": "SPARK_STARTUP_FAILURE",
                "type": "SERVICE_FAULT",
                "parameters": {"databricks_error_message": "lots is no size", "instance_id": "i-1"},
            }
            self.coming[cluster_id] = [{"state": "TERMINATED", "termination_reason": reason}]

    def cluster_edit(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        cluster_id = body["cluster_id"]
        state = self.clusters[cluster_id]["state"]
        if state not in ("RUNNING", "TERMINATED"):
            return self.refused("INVALID_STATE", f"Cluster is in unexpected state {state}.")
        if body.get("node_type_id", "").startswith("no "):
            return self.refused("INVALID_PARAMETER_VALUE", "Node type is not supported.")
        told = {key: value for key, value in body.items() if key != "cluster_id"}
        self.add(cluster_id, **told, state=state)
        if state == "RUNNING":
            self.clusters[cluster_id]["state"] = "RESTARTING"
            self._set_out(cluster_id)
            self._forget_leaving(cluster_id)
        return 200, {}

    def cluster_start(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        cluster = self.clusters[body["cluster_id"]]
        if cluster["state"] != "TERMINATED":
            return self.refused("INVALID_STATE", f"Cluster is in state {cluster['state']}.")
        cluster["state"] = "PENDING"
        self._set_out(body["cluster_id"])
        self._forget_leaving(body["cluster_id"])
        return 200, {}

    def cluster_restart(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        self.clusters[body["cluster_id"]]["state"] = "RESTARTING"
        self._set_out(body["cluster_id"])
        self._forget_leaving(body["cluster_id"])
        return 200, {}

    def cluster_permanent_delete(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.clusters.get(body["cluster_id"], {}).get("creator_user_name") == "the boss":
            return 403, {"error_code": "PERMISSION_DENIED", "message": "You cannot delete it."}
        self.clusters.pop(body["cluster_id"], None)
        return 200, {}

    def cluster_events(self, _: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """One start of 200 s long ago, and an event that nobody has heard of since."""
        events = [
            {"timestamp": 900_000, "type": "QUANTUM_TUNNELLING", "details": {}},
            {"timestamp": 201_000, "type": "RUNNING", "details": {}},
            {"timestamp": 1_000, "type": "CREATING", "details": {}},
        ]
        return 200, {"events": events, "next_page": {"offset": 3}, "total_count": 9}

    def cluster_spark_versions(self, _: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {
            "versions": [
                {"key": "16.4.x-scala2.12", "name": "16.4 LTS (includes Apache Spark 3.5.2)"},
                {"key": "16.4.x-cpu-ml-scala2.12", "name": "16.4 LTS ML"},
                {"key": "17.0.x-scala2.13", "name": "17.0"},
            ]
        }

    def cluster_list_node_types(self, _: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        names = ("Standard_DS3_v2", "Standard_DS4_v2", "no machine at all")
        return 200, {"node_types": [{"node_type_id": name} for name in names]}

    def library_cluster_status(self, query: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Each look finds a library one step further."""
        steps = ["PENDING", "INSTALLING", "INSTALLED"]
        statuses = self.libraries.get(query["cluster_id"], [])
        told = [dict(status) for status in statuses]
        running = self.clusters[query["cluster_id"]]["state"] == "RUNNING"
        for status in statuses:
            if running and status["status"] in steps[:-1]:
                status["status"] = steps[steps.index(status["status"]) + 1]
                if status["status"] == "INSTALLED" and status["library"] == NOWHERE:
                    status |= {"status": "FAILED", "messages": ["No matching distribution"]}
        return 200, {"library_statuses": told} if told else {}

    def library_install(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        statuses = self.libraries.setdefault(body["cluster_id"], [])
        for library in body["libraries"]:
            statuses[:] = [item for item in statuses if item["library"] != library]
            statuses.append({"library": library, "status": "PENDING"})
        return 200, {}

    def library_uninstall(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        for status in self.libraries.get(body["cluster_id"], []):
            if status["library"] in body["libraries"]:
                status["status"] = "UNINSTALL_ON_RESTART"
        return 200, {}

    def _forget_leaving(self, cluster_id: str) -> None:
        statuses = self.libraries.get(cluster_id, [])
        self.libraries[cluster_id] = [
            {"library": item["library"], "status": "PENDING"}
            for item in statuses
            if item["status"] != "UNINSTALL_ON_RESTART"
        ]


@pytest.fixture
def databricks(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Databricks]:
    """A workspace that the environment's host and token lead to."""
    workspace = Databricks()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.give(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            self.give(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def give(self, body: Mapping[str, Any]) -> None:
            assert self.headers["Authorization"] == f"Bearer {TOKEN}"
            status, answer = workspace.answer(urlsplit(self.path).path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        (project / "dbx.toml").unlink()
        yield workspace
        server.shutdown()
        thread.join()


@pytest.fixture
def there(databricks: Databricks, project: Path) -> Iterator[Dbx]:
    opened = Dbx(project)
    yield opened
    opened.close()


@pytest.fixture
def write_spec(project: Path) -> Callable[..., None]:
    def write(**changes: Any) -> None:
        path = project / "pipelines" / "config.cluster.json"
        spec = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({k: v for k, v in spec.items() if v is not None}, indent=2))

    return write


def do(dbx: Dbx, verb: str, **arguments: Any) -> tuple[Any, list[Event]]:
    seen: list[Event] = []
    return drive(perform(dbx, verb, arguments), seen.append), seen


def until(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.01)


class TestWhichCluster:
    def test_by_name_or_id_on_any_page(self, there: Dbx, databricks: Databricks) -> None:
        for number in range(5):
            databricks.add(f"c-{number}", cluster_name=f"name-{number}")
        assert cluster_called(there, "name-4")["cluster_id"] == "c-4"
        assert cluster_called(there, "c-3")["cluster_name"] == "name-3"
        assert databricks.requests == ["2.1/clusters/list"] * 6

    def test_an_unknown_name_tells_which_there_are(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.add("c-1", cluster_name="one")
        with pytest.raises(NotFoundError, match=r"has no cluster 'two'. It has: one."):
            cluster_called(there, "two")

    def test_a_name_that_several_have_asks_for_the_id(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.add("c-1")
        databricks.add("c-2", state="TERMINATED")
        with pytest.raises(UsageError, match=r"c-1 \(running\), c-2 \(stopped\).*by its id"):
            picked_cluster(there)
        do(there, "pick", cluster="c-2")
        assert picked_cluster(there)["cluster_id"] == "c-2"

    def test_a_pick_that_was_deleted_gives_way_to_the_projects_own(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.add("old", cluster_name="big")
        do(there, "pick", cluster="big")
        del databricks.clusters["old"]
        with pytest.raises(NotFoundError, match="The picked cluster old was deleted"):
            picked_cluster(there)
        databricks.add("c-1")
        assert picked_cluster(there)["cluster_id"] == "c-1"
        assert there.notes == ["The picked cluster old was deleted; hello takes its place."]


class TestWaiting:
    def test_states_and_events_never_seen_before_are_waited_through_in_words(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.add("c-1", state="TERMINATED")
        databricks.start = [
            {"state": "PENDING", "state_message": "Finding instances"},
            {"state": "HIBERNATING_LIGHTLY", "state_message": ""},
            {"state": "RUNNING"},
        ]
        databricks.libraries["c-1"] = [{"library": HUMANIZE, "status": "A_STATUS_OF_TOMORROW"}]
        seen: list[Event] = []

        def show(event: Event) -> None:
            seen.append(event)
            if "installing" in getattr(event, "state", ""):
                databricks.libraries["c-1"][0]["status"] = "INSTALLED"

        cluster = drive(started(there, picked_cluster(there)), show)
        assert cluster["state"] == "RUNNING"
        told = [event for event in seen if isinstance(event, Progress)]
        assert [*dict.fromkeys(event.state for event in told)] == [
            "starting · Finding instances",
            "hibernating lightly · quantum tunnelling",
            "installing pypi humanize==4.12.1 (1 of 1) · quantum tunnelling",
        ]
        assert told[0].expected == 200.0, "as long as its earlier start"

    def test_it_is_told_at_least_once_a_second(self, there: Dbx, databricks: Databricks) -> None:
        databricks.add("c-1", state="PENDING")
        databricks.coming["c-1"] = [{"state": "PENDING"}] * 2 + [{"state": "RUNNING"}]
        gaps: list[float] = []
        last = time.monotonic()

        def show(_: Event) -> None:
            nonlocal last
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

        drive(wait_running(there, "c-1"), show)
        assert max(gaps) < 1.0
        assert databricks.requests.count("2.1/clusters/get") == 3

    def test_the_end_of_a_start_is_told_in_words(self, there: Dbx, databricks: Databricks) -> None:
        databricks.add("c-1", state="TERMINATED", spark_conf=CANNOT_START)
        with pytest.raises(WorkspaceError, match="Spark did not start: lots is no size"):
            do(there, "start")
        databricks.clusters["c-1"]["termination_reason"] = {"code": "GREMLINS_FOUND"}
        databricks.clusters["c-1"]["state_message"] = "three of them"
        with pytest.raises(WorkspaceError, match="gremlins found: three of them"):
            drive(wait_running(there, "c-1"), lambda _: None)

    def test_that_somebody_else_started_it_is_as_good(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        stale = {**databricks.add("c-1"), "state": "TERMINATED"}
        assert drive(started(there, stale), lambda _: None)["state"] == "RUNNING"

    def test_a_library_that_failed_is_told_and_cells_run_all_the_same(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.add("c-1", state="TERMINATED")
        databricks.libraries["c-1"] = [{"library": NOWHERE, "status": "PENDING"}]
        seen: list[Event] = []
        drive(started(there, picked_cluster(there)), seen.append)
        notes = [event.text for event in seen if isinstance(event, Note)]
        assert (
            notes[-1]
            == "Not installed on hello: pypi no-such-library==1.0: No matching distribution"
        )
        databricks.clusters["c-1"]["state"] = "TERMINATED"
        with pytest.raises(WorkspaceError, match="hello runs, but without 1 library") as caught:
            do(there, "start")
        assert caught.value.exit_code == 5


class TestRebuild:
    def test_from_nothing_to_equal(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        write_spec(libraries=[HUMANIZE], custom_tags={"team": "a"})
        made, _ = do(there, "rebuild")
        (cluster,) = databricks.named()
        assert made.cluster_id == cluster["cluster_id"]
        assert cluster["custom_tags"].keys() == {"team", "dbx_project", "dbx_spec"}
        assert "libraries" not in cluster["spec"]
        again, events = do(there, "rebuild")
        assert not again.changed
        assert not any(isinstance(event, Planned) for event in events)

    def test_a_runtime_or_machine_that_is_not_offered_is_refused_before_anything_is_sent(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        write_spec(spark_version="6.0.x-scala2.11")
        with pytest.raises(ProjectError, match=r"line 3.* 6.0.x-scala2.11 is not offered") as it:
            do(there, "rebuild", dry_run=True)
        assert it.value.hint == "Offered: 16.4.x-scala2.12."
        write_spec(spark_version="16.4.x-scala2.13")
        with pytest.raises(ProjectError, match=r"Did you mean 16.4.x-scala2.12"):
            do(there, "rebuild")
        write_spec(spark_version="16.4.x-scala2.12", node_type_id="Standard_DS3")
        with pytest.raises(ProjectError, match="Did you mean Standard_DS3_v2"):
            do(there, "rebuild")
        assert not databricks.clusters

    def test_what_a_cluster_has_already_need_not_be_on_offer(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        """A runtime that left the list runs on; another setting may still change."""
        databricks.add("c-1", spark_version="13.3.x-scala2.12")
        write_spec(spark_version="13.3.x-scala2.12", autotermination_minutes=30)
        do(there, "rebuild")
        assert databricks.clusters["c-1"]["autotermination_minutes"] == 30

    def test_same_named_clusters_become_one(self, there: Dbx, databricks: Databricks) -> None:
        databricks.add("other", num_workers=9)
        databricks.add("equal", state="TERMINATED")
        databricks.add("older", num_workers=9)
        databricks.add("bystander", cluster_name="bystander")
        do(there, "rebuild")
        assert set(databricks.clusters) == {"equal", "bystander"}
        assert there.project.picked == "equal"

    def test_of_two_equal_ones_the_younger_stays_and_is_picked(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        """What a `rebuild --fresh` leaves whose waiting was stopped."""
        databricks.add("old", start_time=1000)
        databricks.add("new", start_time=2000)
        there.project.pick("old")
        do(there, "rebuild")
        assert set(databricks.clusters) == {"new"}
        assert there.project.picked == "new"

    def test_a_cluster_on_its_way_is_not_edited_before_it_is_there(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        databricks.add("c-1", state="PENDING")
        databricks.coming["c-1"] = [
            {"state": "PENDING"},
            {"state": "PENDING"},
            {"state": "RUNNING"},
        ]
        write_spec(autotermination_minutes=30)
        do(there, "rebuild")
        assert databricks.clusters["c-1"]["autotermination_minutes"] == 30

    def test_delete_first_never_has_two(self, there: Dbx, databricks: Databricks) -> None:
        databricks.add("old")
        there.project.pick("old")
        do(there, "rebuild", delete_first=True)
        (cluster,) = databricks.named()
        assert cluster["cluster_id"] == there.project.picked != "old"
        order = [path for path in databricks.requests if "create" in path or "delete" in path]
        assert order == ["2.1/clusters/permanent-delete", "2.1/clusters/create"]

    def test_another_pick_stays(self, there: Dbx, databricks: Databricks) -> None:
        databricks.add("big", cluster_name="big")
        there.project.pick("big")
        do(there, "rebuild")
        assert there.project.picked == "big"

    def test_no_wait_sends_all_and_leaves(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        write_spec(libraries=[HUMANIZE])
        databricks.hold = True
        result, _ = do(there, "rebuild", wait=False)
        assert not result.ready
        assert databricks.libraries[result.cluster_id][0]["library"] == HUMANIZE
        with pytest.raises(UsageError, match="--delete-first"):
            do(there, "rebuild", fresh=True, wait=False)

    def test_time_up_says_how_to_go_on_and_the_next_rebuild_does(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.hold = True
        with pytest.raises(WorkspaceError, match=r"still starting after 0.1 s.*waits further"):
            do(there, "rebuild", timeout=0.1)
        databricks.hold = False
        do(there, "rebuild")
        assert len(databricks.named()) == 1


class TestWhatCannotBe:
    def test_a_refused_edit_leaves_everything_as_it_was(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        databricks.add("c-1")
        databricks.libraries["c-1"] = [{"library": HUMANIZE, "status": "INSTALLED"}]
        write_spec(libraries=[], node_type_id="no machine at all")
        with pytest.raises(WorkspaceError, match=r"Node type.*hello is as it was, running"):
            do(there, "rebuild")
        assert databricks.clusters["c-1"]["node_type_id"] == "Standard_DS3_v2"
        (library,) = databricks.libraries["c-1"]
        assert library["status"] != "UNINSTALL_ON_RESTART"

    def test_an_old_cluster_that_may_not_be_deleted_does_not_undo_the_new_one(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.add("old", creator_user_name="the boss")
        with pytest.raises(WorkspaceError, match=r"You cannot.* itself is running, equal"):
            do(there, "rebuild", fresh=True)
        assert len(databricks.named()) == 2
        assert there.project.picked != "old"

    def test_a_fresh_cluster_that_takes_too_long_is_waited_for_by_the_next_rebuild(
        self, there: Dbx, databricks: Databricks
    ) -> None:
        databricks.add("old", spark_conf={"spark.a": "1"})
        databricks.hold = True
        with pytest.raises(WorkspaceError, match="still starting"):
            do(there, "rebuild", fresh=True, timeout=0.1)
        assert len(databricks.named()) == 2
        databricks.hold = False
        do(there, "rebuild")
        assert [item["cluster_id"] for item in databricks.named()] != ["old"]
        assert len(databricks.named()) == 1

    def test_a_first_cluster_that_does_not_start_stays_for_its_events(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        write_spec(spark_conf=CANNOT_START)
        with pytest.raises(WorkspaceError, match="did not start"):
            do(there, "rebuild")
        (broken,) = databricks.clusters
        write_spec(spark_conf=None)
        assert do(there, "rebuild")[0].cluster_id == broken

    def test_a_stopped_cluster_is_put_back_and_stays_stopped(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        databricks.add("c-1", state="TERMINATED", spark_conf={"spark.a": "1"})
        write_spec(spark_conf=CANNOT_START)
        with pytest.raises(WorkspaceError, match="put back; it is stopped"):
            do(there, "rebuild")
        assert databricks.clusters["c-1"]["state"] == "TERMINATED"
        assert databricks.clusters["c-1"]["spark_conf"] == {"spark.a": "1"}

    def test_a_fresh_cluster_without_its_libraries_does_not_replace_the_old_one(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        databricks.add("old")
        write_spec(libraries=[NOWHERE])
        with pytest.raises(WorkspaceError, match=r"No matching.*the old one is as it was") as it:
            do(there, "rebuild", fresh=True)
        assert it.value.exit_code == 5
        assert set(databricks.clusters) == {"old"}

    def test_an_upgrade_that_cannot_be_had_brings_the_old_version_back(
        self, there: Dbx, databricks: Databricks, write_spec: Callable[..., None]
    ) -> None:
        older = {"pypi": {"package": "No_Such.Library==0.9"}}
        databricks.add("c-1")
        databricks.libraries["c-1"] = [{"library": older, "status": "INSTALLED"}]
        write_spec(libraries=[NOWHERE])
        with pytest.raises(WorkspaceError, match="Installed again as before: pypi No_Such"):
            do(there, "rebuild")
        kept = [s for s in databricks.libraries["c-1"] if s["status"] != "UNINSTALL_ON_RESTART"]
        assert [item["library"] for item in kept] == [older]


class TestKilled:
    """``kill -9`` at any step; the next rebuild ends in exactly one cluster equal to the spec."""

    @pytest.fixture
    def kill_when(self, project: Path, databricks: Databricks) -> Iterator[Callable[..., None]]:
        started: list[subprocess.Popen[bytes]] = []

        def run(condition: Callable[[], Any], *options: str) -> None:
            databricks.hold = True
            command = [sys.executable, "-m", "dbx_magic", "rebuild", *options]
            process = subprocess.Popen(command, cwd=project, stderr=subprocess.DEVNULL)
            started.append(process)
            until(condition, "the moment to kill it")
            process.send_signal(signal.SIGKILL)
            process.wait()
            databricks.hold = False

        yield run
        for process in started:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()

    def ends_well(self, there: Dbx, databricks: Databricks) -> None:
        do(there, "rebuild")
        (cluster,) = databricks.named()
        assert cluster["cluster_id"] == there.project.picked
        statuses = databricks.libraries[cluster["cluster_id"]]
        assert [(item["library"], item["status"]) for item in statuses] == [(HUMANIZE, "INSTALLED")]
        assert not do(there, "rebuild")[0].changed

    @pytest.mark.parametrize(
        ("option", "asked"),
        [
            ("--wait", "2.1/clusters/edit"),
            ("--wait", "2.0/libraries/uninstall"),
            ("--fresh", "2.1/clusters/create"),
            ("--fresh", "2.0/libraries/install"),
            ("--delete-first", "2.1/clusters/permanent-delete"),
            ("--delete-first", "2.1/clusters/create"),
        ],
    )
    def test_right_after(
        self,
        there: Dbx,
        databricks: Databricks,
        write_spec: Callable[..., None],
        kill_when: Callable[..., None],
        option: str,
        asked: str,
    ) -> None:
        databricks.add("old", spark_conf={"spark.a": "1"})
        databricks.libraries["old"] = [{"library": NOWHERE, "status": "INSTALLED"}]
        there.project.pick("old")
        write_spec(libraries=[HUMANIZE])
        kill_when(lambda: asked in databricks.requests, option)
        self.ends_well(there, databricks)

    def test_while_an_edit_that_cannot_start_is_tried(
        self,
        there: Dbx,
        databricks: Databricks,
        write_spec: Callable[..., None],
        kill_when: Callable[..., None],
    ) -> None:
        """The configuration to put back outlives the process that would have done it."""
        databricks.add("c-1", spark_conf={"spark.a": "1"})
        write_spec(spark_conf=CANNOT_START)
        kill_when(lambda: databricks.clusters["c-1"]["state"] == "RESTARTING")
        with pytest.raises(WorkspaceError, match="put back, and it runs again"):
            do(there, "rebuild")
        assert databricks.clusters["c-1"]["state"] == "RUNNING"
        assert databricks.clusters["c-1"]["spark_conf"] == {"spark.a": "1"}
