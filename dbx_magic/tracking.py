"""The door to MLflow: the runs that a workspace has tracked, and its registry of models.

It is asked through the workspace's REST API, so that nothing has to be installed for it here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import NotFoundError
from .rest import Rest

# The aliases and the tag by which a model's versions are known.
CHAMPION, PREVIOUS = "champion", "previous"
VALIDATED, PASSED = "dbx.validated", "passed"
_TRACKING = "2.0/mlflow"
_UNITY_CATALOG = "2.0/mlflow/unity-catalog"


@dataclass(frozen=True)
class TrackedRun:
    """A run of MLflow: what was tried, what came of it, and on which data, by their digests."""

    run_id: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    data: Mapping[str, str]


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model in the registry, and the run that made it."""

    version: str
    run_id: str
    tags: Mapping[str, str]


class Tracking:
    """MLflow of one workspace.

    A model named ``catalog.schema.name`` is one of Unity Catalog, any other one of the workspace's
    own registry: MLflow asks both the same, at different addresses.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def run(self, run_id: str) -> TrackedRun:
        """One run. Raises NotFoundError when there is none of that id."""
        run = self._rest.get(f"{_TRACKING}/runs/get", {"run_id": run_id})["run"]
        data = run.get("data", {})
        inputs = run.get("inputs", {}).get("dataset_inputs", [])
        return TrackedRun(
            run_id,
            str(run["info"]["status"]),
            _pairs(data.get("params", [])),
            {item["key"]: float(item["value"]) for item in data.get("metrics", [])},
            {item["dataset"]["name"]: item["dataset"]["digest"] for item in inputs},
        )

    def describe_run(
        self,
        run_id: str,
        tags: Mapping[str, str],
        digests: Mapping[str, str],
        sources: Mapping[str, str],
    ) -> None:
        """Say of a run where its code is from, and which data by name it was trained on."""
        for name, value in tags.items():
            body = {"run_id": run_id, "key": name, "value": value}
            self._rest.post(f"{_TRACKING}/runs/set-tag", body, safe=True)
        datasets = [
            {
                "dataset": {
                    "name": name,
                    "digest": digest,
                    "source_type": "spark",
                    "source": json.dumps({"source": sources[name]}),
                },
                "tags": [{"key": "mlflow.data.context", "value": "training"}],
            }
            for name, digest in digests.items()
        ]
        if datasets:
            inputs = {"run_id": run_id, "datasets": datasets}
            self._rest.post(f"{_TRACKING}/runs/log-inputs", inputs, safe=True)

    def version_of_run(self, model: str, run_id: str) -> str:
        """The version of a model that a run has registered, the newest; empty when it has none."""
        path, query = f"{_registry(model)}/model-versions/search", {"filter": f"name='{model}'"}
        ours = [
            int(item["version"])
            for page in self._rest.pages(path, query)
            for item in page.get("model_versions", [])
            if item.get("run_id") == run_id
        ]
        return str(max(ours)) if ours else ""

    def version(self, model: str, version: str) -> ModelVersion:
        """One version of a model. Raises NotFoundError when there is none."""
        query = {"name": model, "version": version}
        found = self._rest.get(f"{_registry(model)}/model-versions/get", query)["model_version"]
        return ModelVersion(version, str(found.get("run_id", "")), _pairs(found.get("tags", [])))

    def tag_version(self, model: str, version: str, name: str, value: str) -> None:
        """Write a tag on a version of a model."""
        body = {"name": model, "version": version, "key": name, "value": value}
        self._rest.post(f"{_registry(model)}/model-versions/set-tag", body, safe=True)

    def aliases(self, model: str) -> dict[str, str]:
        """Which version each alias of a model names; nothing for a model that is not there."""
        try:
            found = self._rest.get(f"{_registry(model)}/registered-models/get", {"name": model})
        except NotFoundError:
            return {}
        aliases = found["registered_model"].get("aliases", [])
        return {item["alias"]: str(item["version"]) for item in aliases}

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Let an alias name this version of a model, and no other any more."""
        body = {"name": model, "alias": alias, "version": version}
        self._rest.post(f"{_registry(model)}/registered-models/alias", body, safe=True)


def _registry(model: str) -> str:
    return _UNITY_CATALOG if model.count(".") == 2 else _TRACKING


def _pairs(items: list[dict[str, str]]) -> dict[str, str]:
    return {item["key"]: item["value"] for item in items}
