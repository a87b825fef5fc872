"""Shell scripts as teams have them: the legacy command and ``jq``, run twice in a row."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import LibraryInstallStatus, State

# Written after the description of such pipelines: delete by name, create and wait, install, import.
SCRIPTS = {
    "delete.sh": """
set -u
NAME=$1
for ID in $(databricks clusters list --output json \\
            | jq -r --arg N "$NAME" '.clusters[]? | select(.cluster_name == $N) | .cluster_id'); do
  databricks clusters permanent-delete --cluster-id "$ID"
done
""",
    "create.sh": """
set -u
NAME=$1
sed "s/CLUSTER_NAME/$NAME/" config.cluster.json > config.named.json
ID=$(databricks clusters create --json-file config.named.json | jq -r .cluster_id)
STATE=""
until [ "$STATE" = "PENDING" ]; do
  STATE=$(databricks clusters list --output json \\
          | jq -r --arg I "$ID" '.clusters[] | select(.cluster_id == $I) | .state')
done
echo "$ID is pending"
""",
    "install.sh": """
set -u
NAME=$1
ID=$(databricks clusters list --output json \\
     | jq -r --arg N "$NAME" '.clusters[] | select(.cluster_name == $N) | .cluster_id')
databricks libraries install --cluster-id $ID --pypi-package humanize==4.9.0
databricks libraries install --cluster-id $ID --pypi-package toolz
""",
    "import.sh": """
set -u
databricks workspace delete --recursive "/Shared/$1"
databricks workspace import_dir ../workspace "/Shared/$1/"
""",
    "run.sh": """
set -eu
NAME=$1
databricks workspace import_dir --overwrite ../workspace "/Shared/$NAME" >&2
sed "s/JOB_NAME/$NAME/" config.job.json > config.named.job.json
JOB=$(databricks jobs create --json-file config.named.job.json | jq -r .job_id)
RUN=$(databricks jobs run-now --job-id "$JOB" | jq -r .run_id)
STATE=""
until [ "$STATE" = TERMINATED ]; do
  STATE=$(databricks runs get --run-id "$RUN" | jq -r .state.life_cycle_state)
done
databricks runs get-output --run-id "$RUN" | jq -r .notebook_output.result
databricks jobs delete --job-id "$JOB" >&2
""",
}


@pytest.fixture
def pipelines(cli: Any, tmp_path: Path, unavailable: Callable[[str], NoReturn]) -> Path:
    """A project's folder of pipelines, beside its workspace."""
    if not shutil.which("jq"):
        unavailable("jq is not installed")
    folder = tmp_path / "project" / "pipelines"
    folder.mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    spec = {
        "cluster_name": "CLUSTER_NAME",
        "spark_version": "6.0.x-scala2.11",
        "node_type_id": "Standard_DS3_v2",
        "num_workers": 1,
        "autotermination_minutes": 120,
        "ssh_public_keys": [],
        "init_scripts": [],
        "cluster_log_conf": {"dbfs": {"destination": "dbfs:/cluster_logs"}},
    }
    (folder / "config.cluster.json").write_text(json.dumps(spec, indent=2))
    job = {
        "name": "JOB_NAME",
        "new_cluster": {name: spec[name] for name in spec if name != "cluster_name"},
        "notebook_task": {"notebook_path": "/Shared/JOB_NAME/etl/load"},
    }
    (folder / "config.job.json").write_text(json.dumps(job, indent=2))
    workspace = tmp_path / "project" / "workspace"
    (workspace / "etl").mkdir(parents=True)
    (workspace / "train.py").write_text("# Databricks notebook source\nprint(1)\n")
    (workspace / "etl" / "load.py").write_text(
        "# Databricks notebook source\ndbutils.notebook.exit(str(spark.range(7).count()))\n"
    )
    return folder


def run_script(cli: Any, pipelines: Path, *words: str) -> str:
    """Run one as a pipeline does; it must be green."""
    done = subprocess.run(
        ["bash", *words],
        cwd=pipelines,
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_scripts_of_a_pipeline_are_green_twice(
    cli: Any, client: WorkspaceClient, pipelines: Path, wait_until: Callable[..., Any]
) -> None:
    ids = []
    for _ in range(2):
        for script, name in (
            ("delete.sh", "PipelineCluster"),
            ("create.sh", "PipelineCluster"),
            ("install.sh", "PipelineCluster"),
            ("import.sh", "PipelineWorkspace"),
        ):
            run_script(cli, pipelines, script, name)
        (cluster,) = [
            one for one in client.clusters.list() if one.cluster_name == "PipelineCluster"
        ]
        ids.append(str(cluster.cluster_id))

        def installed(cluster_id: str = ids[-1]) -> bool:
            statuses = [one.status for one in client.libraries.cluster_status(cluster_id)]
            return statuses == [LibraryInstallStatus.INSTALLED] * 2

        wait_until(installed, "installing")
        assert client.clusters.get(ids[-1]).state == State.RUNNING
        imported = client.workspace.list("/Shared/PipelineWorkspace", recursive=True)
        assert {item.path for item in imported} == {
            "/Shared/PipelineWorkspace/train",
            "/Shared/PipelineWorkspace/etl/load",
        }
    assert ids[0] != ids[1]
    client.clusters.permanent_delete(ids[1])


def test_a_script_that_runs_a_job_shows_its_result_twice(cli: Any, pipelines: Path) -> None:
    for _ in range(2):
        assert run_script(cli, pipelines, "run.sh", "PipelineJob") == "7\n"
