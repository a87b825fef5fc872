"""The unmodified legacy ``databricks-cli`` 0.18: every command that pipelines use, step by step."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient

CLUSTER = {
    "cluster_name": "CLUSTER_NAME",
    "spark_version": "6.0.x-scala2.11",
    "spark_conf": {"spark.sql.execution.arrow.enabled": "true"},
    "node_type_id": "Standard_DS3_v2",
    "ssh_public_keys": [],
    "custom_tags": {},
    "cluster_log_conf": {"dbfs": {"destination": "dbfs:/cluster_logs"}},
    "autotermination_minutes": 120,
    "enable_elastic_disk": False,
    "init_scripts": [],
    "num_workers": 1,
}


def wait(true: Callable[[], Any]) -> None:
    """Ask until the answer is true."""
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline


def test_clusters(cli: Any, tmp_path: Path) -> None:
    spec = tmp_path / "config.cluster.json"
    spec.write_text(json.dumps({**CLUSTER, "cluster_name": "legacy"}))
    cluster_id = cli.json("clusters", "create", "--json-file", str(spec))["cluster_id"]

    def state() -> str:
        return str(cli.json("clusters", "get", "--cluster-id", cluster_id)["state"])

    listed = cli.json("clusters", "list", "--output", "json")["clusters"]
    assert {one["cluster_id"]: one["state"] for one in listed}[cluster_id] == "PENDING"
    assert f"{cluster_id}  legacy" in cli("clusters", "list")
    wait(lambda: state() == "RUNNING")
    assert cli.json("clusters", "get", "--cluster-name", "legacy")["cluster_id"] == cluster_id
    cli("clusters", "resize", "--cluster-id", cluster_id, "--num-workers", "2")
    wait(lambda: state() == "RUNNING")
    assert cli.json("clusters", "get", "--cluster-id", cluster_id)["num_workers"] == 2
    cli("clusters", "restart", "--cluster-id", cluster_id)
    wait(lambda: state() == "RUNNING")
    cli("clusters", "delete", "--cluster-id", cluster_id)
    wait(lambda: state() == "TERMINATED")
    edited = {**CLUSTER, "cluster_name": "edited", "cluster_id": cluster_id}
    spec.write_text(json.dumps(edited))
    cli("clusters", "edit", "--json-file", str(spec))
    assert f"{cluster_id}  edited" in cli("clusters", "list")
    cli("clusters", "start", "--cluster-id", cluster_id)
    assert state() in ("PENDING", "RUNNING")
    events = cli.json("clusters", "events", "--cluster-id", cluster_id, "--output", "JSON")
    assert {"CREATING", "EDITED", "RESTARTING"} <= {event["type"] for event in events["events"]}
    cli("clusters", "permanent-delete", "--cluster-id", cluster_id)
    assert "does not exist" in cli("clusters", "get", "--cluster-id", cluster_id, fails=True)
    assert cli.json("clusters", "spark-versions")["versions"]
    assert cli.json("clusters", "list-node-types")["node_types"]
    assert cli.json("clusters", "list-zones")["zones"]


def test_libraries(cli: Any, cluster_id: str) -> None:
    install = ("libraries", "install", "--cluster-id", cluster_id)
    cli(*install, "--pypi-package", "humanize==4.9.0")
    cli(*install, "--whl", "dbfs:/libraries/missing-1.0-py3-none-any.whl")
    cli(*install, "--maven-coordinates", "org.example:missing:1.0")
    cli(*install, "--cran-package", "forecast")

    def statuses() -> dict[str, str]:
        answer = cli.json("libraries", "cluster-status", "--cluster-id", cluster_id)
        return {next(iter(one["library"])): one["status"] for one in answer["library_statuses"]}

    wait(lambda: not {"PENDING", "INSTALLING"} & set(statuses().values()))
    assert statuses()["pypi"] == "INSTALLED"
    assert statuses()["whl"] == "FAILED"
    assert cli.json("libraries", "list", "--cluster-id", cluster_id)["library_statuses"]
    assert cluster_id in {
        one["cluster_id"] for one in cli.json("libraries", "all-cluster-statuses")["statuses"]
    }
    uninstall = ("libraries", "uninstall", "--cluster-id", cluster_id)
    cli(*uninstall, "--pypi-package", "humanize==4.9.0")
    assert statuses()["pypi"] == "UNINSTALL_ON_RESTART"


def test_workspace(cli: Any, folder: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "etl" / "deep").mkdir(parents=True)
    notebook = "# Databricks notebook source\nprint('hello')\n"
    for name in ("train.py", "etl/load.py", "etl/deep/more.py"):
        (source / name).write_text(notebook)
    (source / "query.sql").write_text("-- Databricks notebook source\nselect 1")
    (source / "ignored.yml").write_text("a: 1")
    cli("workspace", "import_dir", str(source), f"{folder}/p/")
    again = cli("workspace", "import_dir", str(source), f"{folder}/p", fails=True)
    assert "RESOURCE_ALREADY_EXISTS" in again
    cli("workspace", "import_dir", "--overwrite", str(source), f"{folder}/p")
    long = cli("workspace", "ls", "-l", f"{folder}/p")
    assert {line.split()[0] for line in long.strip().splitlines()} == {"DIRECTORY", "NOTEBOOK"}
    assert set(cli("workspace", "ls", f"{folder}/p").split()) == {"etl", "query", "train"}
    back = tmp_path / "back"
    cli("workspace", "export_dir", f"{folder}/p", str(back))
    assert (back / "etl" / "deep" / "more.py").read_text() == notebook
    assert (back / "query.sql").read_text().startswith("-- Databricks notebook source")
    cli("workspace", "export", f"{folder}/p/train", str(tmp_path / "one.py"))
    assert (tmp_path / "one.py").read_text() == notebook
    cli(
        "workspace",
        "import",
        "-l",
        "SCALA",
        "-f",
        "SOURCE",
        str(tmp_path / "one.py"),
        f"{folder}/as",
    )
    assert "SCALA" in cli("workspace", "ls", "-l", folder)
    cli("workspace", "mkdirs", f"{folder}/new/deep")
    assert cli("workspace", "ls", f"{folder}/new/deep").strip() == ""
    assert "DIRECTORY_NOT_EMPTY" in cli("workspace", "delete", f"{folder}/p", fails=True)
    cli("workspace", "delete", "--recursive", f"{folder}/p")
    assert "RESOURCE_DOES_NOT_EXIST" in cli("workspace", "delete", f"{folder}/p", fails=True)


def test_runs_and_jobs(
    cli: Any, cluster_id: str, notebook: Callable[..., str], tmp_path: Path
) -> None:
    path = notebook("said", "dbutils.notebook.exit(dbutils.widgets.get('word'))")
    task = {"notebook_path": path, "base_parameters": {"word": "hello"}}
    flat = {"run_name": "legacy", "existing_cluster_id": cluster_id, "notebook_task": task}
    run_id = cli.json("runs", "submit", "--json", json.dumps(flat))["run_id"]

    def state(number: int) -> dict[str, Any]:
        return dict(cli.json("runs", "get", "--run-id", str(number))["state"])

    wait(lambda: state(run_id).get("result_state") == "SUCCESS")
    output = cli.json("runs", "get-output", "--run-id", str(run_id))
    assert output["notebook_output"]["result"] == "hello"
    assert str(run_id) in cli("runs", "list")
    submitted = cli("runs", "submit", "--wait", "--json", json.dumps(flat))
    assert "SUCCESS" in submitted or "run_id" in submitted
    job = {"name": "legacy", "existing_cluster_id": cluster_id, "notebook_task": task}
    spec = tmp_path / "job.json"
    spec.write_text(json.dumps(job))
    job_id = cli.json("jobs", "create", "--json-file", str(spec))["job_id"]
    assert f"{job_id}  legacy" in cli("jobs", "list")
    assert cli.json("jobs", "get", "--job-id", str(job_id))["settings"]["name"] == "legacy"
    parameters = json.dumps({"word": "now"})
    ran = cli.json("jobs", "run-now", "--job-id", str(job_id), "--notebook-params", parameters)
    wait(lambda: state(ran["run_id"]).get("result_state") == "SUCCESS")
    output = cli.json("runs", "get-output", "--run-id", str(ran["run_id"]))
    assert output["notebook_output"]["result"] == "now"
    spec.write_text(json.dumps({**job, "name": "reset"}))
    cli("jobs", "reset", "--job-id", str(job_id), "--json-file", str(spec))
    multi = cli.json("jobs", "get", "--job-id", str(job_id), "--version", "2.1")
    assert multi["settings"]["tasks"][0]["notebook_task"] == task
    slow = notebook("slow", "import time; time.sleep(600)")
    flat["notebook_task"] = {"notebook_path": slow}
    run_id = cli.json("runs", "submit", "--json", json.dumps(flat))["run_id"]
    cli("runs", "cancel", "--run-id", str(run_id))
    wait(lambda: state(run_id).get("result_state") == "CANCELED")
    cli("jobs", "delete", "--job-id", str(job_id))
    assert "does not exist" in cli("jobs", "get", "--job-id", str(job_id), fails=True)


def test_fs(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("hello")
    large = os.urandom(2_500_000)
    (tmp_path / "many" / "deep").mkdir(parents=True)
    (tmp_path / "many" / "deep" / "large.bin").write_bytes(large)
    (tmp_path / "many" / "two.txt").write_text("two")
    cli("fs", "mkdirs", "dbfs:/legacy")
    cli("fs", "cp", str(tmp_path / "one.txt"), "dbfs:/legacy/one.txt")
    assert "exists" in cli(
        "fs", "cp", str(tmp_path / "one.txt"), "dbfs:/legacy/one.txt", fails=True
    )
    cli("fs", "cp", "--overwrite", str(tmp_path / "one.txt"), "dbfs:/legacy/one.txt")
    cli("fs", "cp", "-r", str(tmp_path / "many"), "dbfs:/legacy/many")
    assert set(cli("fs", "ls", "dbfs:/legacy").split()) == {"many", "one.txt"}
    assert "dbfs:/legacy/one.txt" in cli("fs", "ls", "-l", "--absolute", "dbfs:/legacy")
    assert cli("fs", "cat", "dbfs:/legacy/one.txt") == "hello"
    cli("fs", "cp", "-r", "dbfs:/legacy/many", str(tmp_path / "back"))
    assert (tmp_path / "back" / "deep" / "large.bin").read_bytes() == large
    cli("fs", "mv", "dbfs:/legacy/one.txt", "dbfs:/legacy/moved.txt")
    cli("fs", "rm", "-r", "dbfs:/legacy/many")
    assert cli("fs", "ls", "dbfs:/legacy").split() == ["moved.txt"]
    assert "RESOURCE_DOES_NOT_EXIST" in cli("fs", "ls", "dbfs:/nowhere", fails=True)


def test_secrets_and_the_rest(cli: Any) -> None:
    cli("secrets", "create-scope", "--scope", "legacy")
    cli("secrets", "put", "--scope", "legacy", "--key", "k", "--string-value", "words")
    assert "k" in cli("secrets", "list", "--scope", "legacy")
    assert "legacy" in cli("secrets", "list-scopes")
    cli("secrets", "put-acl", "--scope", "legacy", "--principal", "ada", "--permission", "READ")
    assert "ada" in cli("secrets", "list-acls", "--scope", "legacy")
    cli("secrets", "delete", "--scope", "legacy", "--key", "k")
    cli("secrets", "delete-scope", "--scope", "legacy")
    assert cli.json("cluster-policies", "list", "--output", "JSON")["policies"] == []
    assert cli.json("instance-pools", "list", "--output", "JSON")["instance_pools"] == []
    assert cli.json("repos", "list")["repos"] == []


def test_import_of_two_hundred_notebooks(
    cli: Any, client: WorkspaceClient, folder: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    for directory in range(20):
        (source / f"d{directory}").mkdir(parents=True)
        for number in range(10):
            (source / f"d{directory}" / f"n{number}.py").write_text(
                f"# Databricks notebook source\nprint({number})\n"
            )
    cli("workspace", "import_dir", str(source), f"{folder}/many")
    assert len(list(client.workspace.list(f"{folder}/many", recursive=True))) == 200
