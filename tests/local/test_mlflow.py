"""MLflow behind the workspace, through the unmodified SDK."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.ml import RunInfo


@pytest.fixture(scope="module")
def experiment_id(
    server: Any, client: WorkspaceClient, unavailable: Callable[[str], NoReturn]
) -> str:
    """An experiment; the first question starts MLflow, which may have to be downloaded."""
    answer = server.call("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", timeout=400)
    if answer.status_code != 200:
        unavailable(answer.text)
    return str(client.experiments.create_experiment(f"/e{time.time_ns()}").experiment_id)


def test_runs_are_tracked(client: WorkspaceClient, experiment_id: str) -> None:
    info = client.experiments.create_run(experiment_id=experiment_id).run.info
    assert isinstance(info, RunInfo)
    client.experiments.log_metric(
        "loss", 0.5, timestamp=int(time.time() * 1000), run_id=info.run_id
    )
    client.experiments.log_param("depth", "3", run_id=info.run_id)
    data = client.experiments.get_run(info.run_id).run.data
    assert [(metric.key, metric.value) for metric in data.metrics] == [("loss", 0.5)]
    found = list(client.experiments.search_runs(experiment_ids=[experiment_id]))
    assert [run.info.run_id for run in found] == [info.run_id]


def test_what_mlflow_refuses_is_told(client: WorkspaceClient, experiment_id: str) -> None:
    with pytest.raises(DatabricksError, match="not found"):
        client.experiments.get_run("0" * 32)


def test_artifacts_go_through(server: Any, experiment_id: str) -> None:
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment_id}/model.bin"
    content = bytes(range(256)) * 10_000
    assert server.call("PUT", path, data=content).status_code == 200
    assert server.call("GET", path).content == content


def test_nobody_else_of_this_machine_reaches_it(server: Any, experiment_id: str) -> None:
    """MLflow's server asks for no token, so it must not listen where other users can knock."""
    started = psutil.Process(server.process.pid).children(recursive=True)
    mlflow = [one for one in started if "mlflow.server" in " ".join(one.cmdline())]
    assert len(mlflow) == 1
    assert not [one for one in started if "huey" in " ".join(one.cmdline())]
    listening = [one for one in mlflow[0].net_connections("inet") if one.status == "LISTEN"]
    assert listening == []
    (socket,) = {one.laddr for one in mlflow[0].net_connections("unix") if one.laddr}
    assert stat.S_IMODE(Path(socket).parent.stat().st_mode) == 0o700
