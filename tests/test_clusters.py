"""Seeing, picking, starting, stopping and asking a cluster of the local workspace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbx_magic.clusters import runtime_words, size_words
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, NotFoundError, ProjectError, UsageError
from dbx_magic.events import drive
from dbx_magic.show import text, view_of
from dbx_magic.verbs import perform

BODY = {
    "spark_version": "16.4.x-scala2.12",
    "node_type_id": "Standard_DS3_v2",
    "num_workers": 1,
    "autotermination_minutes": 60,
}


pytestmark = pytest.mark.usefixtures("no_clusters")


def do(dbx: Dbx, verb: str, **arguments: Any) -> Any:
    return drive(perform(dbx, verb, arguments), lambda _: None)


def create(dbx: Dbx, name: str, **fields: Any) -> str:
    return dbx.workspace.create_cluster({**BODY, "cluster_name": name, **fields})


def shown(result: Any) -> str:
    return text(view_of(result), width=160)


def test_the_life_of_a_cluster(dbx: Dbx) -> None:
    """Every verb that changes it, one after another, on one cluster."""
    assert "no clusters yet" in shown(do(dbx, "clusters"))
    cluster_id = create(dbx, "hello")
    started = do(dbx, "start")
    assert (started.cluster_id, started.state) == (cluster_id, "RUNNING")
    context = dbx.workspace.cluster(cluster_id)["spark_context_id"]

    resized = do(dbx, "resize", workers="3")
    assert resized.state == "RUNNING"
    assert dbx.workspace.cluster(cluster_id)["num_workers"] == 3
    assert dbx.workspace.cluster(cluster_id)["spark_context_id"] == context
    (row,) = do(dbx, "clusters").rows
    assert (row.name, row.picked, row.equal) == ("hello", True, False), "the spec says 1"

    restarted = do(dbx, "restart")
    assert restarted.state == "RUNNING"
    assert dbx.workspace.cluster(cluster_id)["spark_context_id"] != context

    stopped = do(dbx, "stop")
    assert stopped.state == "TERMINATED"
    assert "stopped already" in shown(do(dbx, "stop"))
    do(dbx, "resize", workers="2-8")
    told = dbx.workspace.cluster(cluster_id)
    assert told["autoscale"] == {"min_workers": 2, "max_workers": 8}
    assert told["state"] == "TERMINATED"

    happened = do(dbx, "events")
    words = [event.what for event in happened.events]
    assert words[-1] == "machines are being asked for"
    assert "all workers are there" in words
    assert any("somebody stopped it" in event.details for event in happened.events)
    assert len(do(dbx, "events", rows=2).events) == 2

    do(dbx, "pick", cluster=cluster_id)
    with pytest.raises(ConflictError, match=r"deletes hello .* for good: stopped"):
        do(dbx, "delete", cluster="hello")
    assert len(dbx.workspace.clusters()) == 1
    do(dbx, "delete", cluster="hello", yes=True)
    assert dbx.workspace.clusters() == []
    assert dbx.project.picked is None


def test_the_list_shows_the_picked_one_first_and_completion_knows_the_names(dbx: Dbx) -> None:
    create(dbx, "aaa")
    create(dbx, "zzz")
    do(dbx, "pick", cluster="zzz")
    listed = do(dbx, "clusters")
    assert [row.name for row in listed.rows] == ["zzz", "aaa"]
    assert [row.equal for row in listed.rows] == [None, None], "they are not the project's"
    assert "after 1 h idle" in shown(listed)
    assert dbx.project.state()["clusters"] == ["aaa", "zzz"]


def test_libraries_are_told_one_by_one(dbx: Dbx) -> None:
    cluster_id = create(dbx, "hello")
    assert "no libraries" in shown(do(dbx, "libraries"))
    dbx.workspace.install(cluster_id, [{"pypi": {"package": "humanize"}}, {"whl": "/none.whl"}])
    dbx.workspace.stop_cluster(cluster_id)
    assert "◐ pypi humanize   waits for its turn" in shown(do(dbx, "libraries"))


def test_pinning(dbx: Dbx) -> None:
    create(dbx, "hello")
    assert "is pinned" in shown(do(dbx, "pin"))
    assert "no longer pinned" in shown(do(dbx, "pin", off=True))


@pytest.mark.parametrize("size", ["", "three", "8-2", "-1", "2-8-9"])
def test_what_is_no_size_is_refused(dbx: Dbx, size: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        do(dbx, "resize", workers=size)


def test_an_unknown_cluster_is_a_clear_error(dbx: Dbx) -> None:
    for verb in ("start", "stop", "restart", "delete", "pin", "events", "libraries", "logs"):
        with pytest.raises(NotFoundError, match="has no cluster 'nobody'"):
            do(dbx, verb, cluster="nobody")


class TestLogs:
    def test_the_end_of_the_log_that_was_delivered(self, dbx: Dbx) -> None:
        target = {"dbfs": {"destination": "dbfs:/cluster-logs"}}
        cluster_id = create(dbx, "hello", cluster_log_conf=target)
        with pytest.raises(NotFoundError, match=r"no dbfs:/cluster-logs/.*/driver/stderr yet"):
            do(dbx, "logs", log="stderr")
        path = f"dbfs:/cluster-logs/{cluster_id}/driver"
        lines = "".join(f"line {number}\n" for number in range(2000))
        form = {"path": (None, f"{path}/stderr"), "file": ("file", lines.encode())}
        dbx.workspace.rest.post("2.0/dbfs/mkdirs", {"path": path})
        dbx.workspace.rest.send("POST", "2.0/dbfs/put", form=form)
        log = do(dbx, "logs", log="stderr", rows=3)
        assert log.lines == ("line 1997", "line 1998", "line 1999")

    def test_a_cluster_that_delivers_none_says_how_it_would(self, dbx: Dbx) -> None:
        create(dbx, "hello")
        with pytest.raises(ProjectError, match="delivers no logs") as caught:
            do(dbx, "logs")
        assert "cluster_log_conf" in caught.value.hint


class TestSpecFromCluster:
    def test_what_it_writes_is_equal_to_the_cluster(self, dbx: Dbx, project: Path) -> None:
        path = project / "pipelines" / "config.cluster.json"
        cluster_id = create(
            dbx,
            "hello",
            spark_conf={"spark.a": "1"},
            custom_tags={"team": "a", "dbx_spec": "old"},
            num_workers=2,
        )
        dbx.workspace.install(cluster_id, [{"pypi": {"package": "humanize"}}])
        before = path.read_text()
        assert not do(dbx, "spec", action="from", dry_run=True).written
        with pytest.raises(ConflictError, match="something else than hello"):
            do(dbx, "spec", action="from")
        assert path.read_text() == before
        result = do(dbx, "spec", action="from", force=True)
        assert '+  "num_workers": 2,' in result.difference
        written = json.loads(path.read_text())
        assert written["cluster_name"] == "CLUSTER_NAME"
        assert written["custom_tags"] == {"team": "a"}
        assert written["libraries"] == [{"pypi": {"package": "humanize"}}]
        schema = json.loads((path.parent / written["$schema"]).read_text())
        assert schema["properties"]["num_workers"]["minimum"] == 0
        (row,) = do(dbx, "clusters").rows
        assert row.equal

    def test_of_another_name_says_how_to_go_on_with_that_cluster(self, dbx: Dbx) -> None:
        create(dbx, "big")
        result = do(dbx, "spec", action="from", cluster="big", force=True)
        assert 'write cluster = "big" in dbx.toml' in shown(result)

    def test_a_secret_of_the_cluster_does_not_get_into_a_file(
        self, dbx: Dbx, project: Path
    ) -> None:
        path = project / "pipelines" / "config.cluster.json"
        before = path.read_text()
        create(dbx, "hello", spark_env_vars={"DB_PASSWORD": "hunter22"})
        with pytest.raises(ProjectError, match='"DB_PASSWORD" holds a secret'):
            do(dbx, "spec", action="from", force=True)
        assert path.read_text() == before

    def test_show_gives_the_checked_spec(self, dbx: Dbx) -> None:
        told = json.loads(do(dbx, "spec").text)
        assert told["cluster_name"] == "hello"

    def test_offers_are_told_also_while_the_spec_is_wrong(self, dbx: Dbx, project: Path) -> None:
        (project / "pipelines" / "config.cluster.json").write_text('{"spark_version": "')
        offered = {one.value for one in do(dbx, "spec", action="offers").offered}
        assert {"16.4.x-scala2.12", "Standard_DS3_v2"} <= offered


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("16.4.x-scala2.12", "16.4"),
        ("16.4.x-cpu-ml-scala2.12", "16.4 ML"),
        ("15.4.x-gpu-ml-scala2.12", "15.4 ML GPU"),
        ("", ""),
    ],
)
def test_runtimes_in_words(key: str, words: str) -> None:
    assert runtime_words({"spark_version": key}) == words


def test_sizes_in_words() -> None:
    cluster = {
        "node_type_id": "m",
        "autoscale": {"min_workers": 2, "max_workers": 8},
        "cluster_cores": 12.0,
        "cluster_memory_mb": 49152,
    }
    assert size_words(cluster) == "1 + 2–8 m, 12 cores, 48 GB"
    assert size_words({"num_workers": 0}) == "1 + 0"
