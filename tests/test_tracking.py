"""MLflow's registry as a workspace with Unity Catalog answers it."""

from __future__ import annotations

from forges import Answer, Asked, serving

from dbx_magic.rest import Rest
from dbx_magic.tracking import Tracking

MODEL = "main.birds.penguins"


def answer(asked: Asked) -> Answer:
    """One model with three versions on two pages, as MLflow's protocol for Unity Catalog says."""
    _, _, path = asked.path.partition("/api/2.0/mlflow/unity-catalog/")
    match asked.method, path, asked.query:
        case "GET", "model-versions/search", {"page_token": "2"}:
            return Answer({"model_versions": [{"version": "1", "run_id": "a"}]})
        case "GET", "model-versions/search", {"filter": "name='main.birds.penguins'"}:
            versions = [{"version": "10", "run_id": "a"}, {"version": "9", "run_id": "b"}]
            return Answer({"model_versions": versions, "next_page_token": "2"})
        case "GET", "registered-models/get", {"name": "main.birds.penguins"}:
            aliases = [{"alias": "champion", "version": "9"}]
            return Answer({"registered_model": {"name": MODEL, "aliases": aliases}})
        case "POST", "registered-models/alias" | "model-versions/set-tag", _:
            return Answer({})
    return Answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": asked.path}, 404)


def test_a_model_of_unity_catalog_is_asked_for_there() -> None:
    with serving(answer) as (url, asked):
        tracking = Tracking(Rest(url, dict))
        assert tracking.version_of_run(MODEL, "a") == "10"
        assert tracking.version_of_run(MODEL, "c") == ""
        assert tracking.aliases(MODEL) == {"champion": "9"}
        assert tracking.aliases("main.birds.parrots") == {}
        tracking.set_alias(MODEL, "champion", "10")
        assert asked[-1].body == {"name": MODEL, "alias": "champion", "version": "10"}
        tracking.tag_version(MODEL, "10", "dbx.validated", "passed")
        assert asked[-1].path.endswith("/unity-catalog/model-versions/set-tag")
