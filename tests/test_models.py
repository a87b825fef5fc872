"""Models from training to champion: real Spark, a real MLflow, and a model that really learns."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from place import printed, source, write

from dbx_magic import lockfile, verbs
from dbx_magic.data import look_at
from dbx_magic.dbx import Dbx
from dbx_magic.errors import NotFoundError, ProjectError, QualityError, UsageError, WorkspaceError
from dbx_magic.events import Event, Note, Planned, drive
from dbx_magic.quality import Facts
from dbx_magic.settings import Data
from dbx_magic.show import text

Perform = Callable[..., Any]

SETTINGS = """
project = "hello"
cluster = "models"

[targets.local]
profile = "local"

[data.flowers]
source = "flowers"
rows = 100
[data.flowers.expect]
"has a length" = "petal > 0"
"is known" = "kind in ('setosa', 'virginica')"

[model]
name = "MODEL"
train = "train"
evaluate = "evaluate"
[model.metrics.accuracy]
min = 0.8
"""
# What is learned is where to divide flowers by the length of a petal.
TRAIN = """
import mlflow
dbutils.widgets.text("divide", "best")
flowers = [(row.petal, row.kind) for row in spark.table("flowers").collect()]
def accuracy(at):
    right = sum((petal < at) == (kind == "setosa") for petal, kind in flowers)
    return right / len(flowers)
chosen = dbutils.widgets.get("divide")
divide = max((petal for petal, _ in flowers), key=accuracy) if chosen == "best" else float(chosen)
with mlflow.start_run() as run:
    mlflow.log_param("divide", chosen)
    mlflow.log_metric("accuracy", accuracy(divide))
    mlflow.log_dict({"divide": divide}, "model.json")
client = mlflow.MlflowClient()
if not client.search_registered_models("name='MODEL'"):
    client.create_registered_model("MODEL")
client.create_model_version("MODEL", f"{run.info.artifact_uri}/model.json", run.info.run_id)
dbutils.notebook.exit(run.info.run_id)
"""
EVALUATE = """
import json, mlflow
dbutils.widgets.text("model", "")
version = dbutils.widgets.get("model").rpartition("/")[2]
run_id = mlflow.MlflowClient().get_model_version("MODEL", version).run_id
divide = mlflow.artifacts.load_dict(f"runs:/{run_id}/model.json")["divide"]
flowers = [(row.petal, row.kind) for row in spark.table("flowers").collect()]
right = sum((petal < divide) == (kind == "setosa") for petal, kind in flowers)
dbutils.notebook.exit(json.dumps({"accuracy": right / len(flowers)}))
"""
FLOWERS = """
spark.range(100).selectExpr(
    "id % 50 / 10D + if(id < 50, 1, 7) as petal", "if(id < 50, 'setosa', 'virginica') as kind"
).write.mode("overwrite").saveAsTable("flowers")
"""


@pytest.fixture(scope="module", autouse=True)
def _no_cluster_stays(local_home: Path) -> Iterator[None]:
    yield
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBX_MAGIC_HOME", str(local_home))
        there = Dbx(local_home, "local").workspace
        for cluster in there.clusters():
            if cluster["cluster_name"] == "models":
                there.delete_cluster(cluster["cluster_id"])


@pytest.fixture
def git_project(project: Path, request: pytest.FixtureRequest) -> Path:
    """A project that trains a model of its own, committed."""
    model = request.node.name.replace("[", "-").rstrip("]")
    (project / "dbx.toml").write_text(SETTINGS.replace("MODEL", model))
    spec = project / "pipelines" / "config.cluster.json"
    libraries = [{"pypi": {"package": "mlflow-skinny>=3.4"}}]
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"libraries": libraries}))
    write(project, "workspace/train.py", source(TRAIN.replace("MODEL", model).strip()))
    write(project, "workspace/evaluate.py", source(EVALUATE.replace("MODEL", model).strip()))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Start"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project


@pytest.fixture
def flowers(
    git_project: Path, dbx: Dbx, perform: Perform, unavailable: Callable[[str], NoReturn]
) -> None:
    """The project pushed, its cluster running with MLflow on it, and the data in its table."""
    try:
        dbx.tracking.aliases("nothing")  # starts MLflow, which may have to be downloaded
    except WorkspaceError as error:
        unavailable(error.message)
    dbx.refresh(git_project)
    perform("rebuild")
    perform("push")
    perform("exec", code=FLOWERS)


@pytest.mark.usefixtures("flowers")
def test_a_model_goes_from_training_to_champion_and_back(dbx: Dbx, perform: Perform) -> None:
    model = dbx.project.settings.model
    assert model
    first = perform("track")
    assert (first.version, first.params, first.metrics) == (
        "1",
        {"divide": "best"},
        {"accuracy": 1},
    )
    assert first.commit == dbx.repo.head
    tracked = dbx.tracking.run(first.run_id)
    assert tracked.data == first.data
    assert lockfile.read(dbx.project.root).models == {model.name: "1"}
    perform("commit", message="Learn where to divide")
    assert f"Dbx-Model: {model.name} 1" in dbx.repo.run("log", "-1", "--format=%B")

    with pytest.raises(QualityError, match="1 was not validated"):
        perform("promote")
    assert perform("validate").exit_code == 0
    assert perform("promote").before == ""
    assert dbx.tracking.aliases(model.name) == {"champion": "1"}

    worse = perform("track", parameter={"divide": "4.5"})
    assert worse.version == "2"
    seen: list[Event] = []
    done = perform("validate", seen)
    assert done.exit_code == QualityError.exit_code
    failing = [check for check in done.checks if not check.passed]
    assert [check.rule for check in failing] == ["accuracy no worse than the champion's 1"]
    assert "✗ 1 of 5 checks failed" in text(done.view())
    with pytest.raises(QualityError, match="2 failed validation"):
        perform("promote")
    assert dbx.tracking.aliases(model.name) == {"champion": "1"}

    seen = []
    perform("promote", seen, force=True, dry_run=True)
    (plan,) = (event.plan for event in seen if isinstance(event, Planned))
    assert perform("promote", force=True, expect=plan.fingerprint).before == "1"
    assert dbx.tracking.aliases(model.name) == {"champion": "2", "previous": "1"}
    perform("promote", version="previous")
    assert dbx.tracking.aliases(model.name) == {"champion": "1", "previous": "2"}


@pytest.mark.usefixtures("flowers")
def test_without_evaluate_only_what_learned_from_equal_data_is_compared(
    dbx: Dbx, perform: Perform
) -> None:
    settings = dbx.project.root / "dbx.toml"
    settings.write_text(settings.read_text().replace('evaluate = "evaluate"\n', ""))
    dbx.refresh(dbx.project.root)
    perform("track")
    perform("validate")
    perform("promote")
    perform("track", parameter={"divide": "4.5"})
    assert not perform("validate").passed
    perform("exec", code="insert into flowers values (2.0, 'setosa')", language="sql")
    perform("track", parameter={"divide": "4.5"})
    seen: list[Event] = []
    assert perform("validate", seen).passed
    assert any(isinstance(note, Note) and "trained on other data" in note.text for note in seen)


@pytest.mark.usefixtures("flowers")
def test_training_that_does_not_say_its_run_is_recorded_by_its_id(
    dbx: Dbx, perform: Perform
) -> None:
    code = "import mlflow\nmlflow.log_param('a', 1)\nprint('run', mlflow.active_run().info.run_id)"
    write(dbx.project.root, "workspace/train.py", source(code))
    perform("push")
    seen: list[Event] = []
    with pytest.raises(ProjectError, match=r"does not say which run .*dbutils.notebook.exit\("):
        perform("track", seen)
    run_id = printed(seen).partition("run ")[2].split()[0]
    with pytest.raises(NotFoundError):
        perform("track", run="0" * 32)
    seen = []
    # Training is not lost on a push that is under way meanwhile.
    work = verbs.perform(dbx, "track", {"run": run_id})
    with dbx.project.lock():
        waits = next(event for event in work if getattr(event, "subject", "") == lockfile.NAME)
        assert "another dbx_magic" in waits.state
    done = drive(work, seen.append)
    assert (done.params, done.version, set(done.data)) == ({"a": "1"}, "", {"flowers"})
    assert perform("track", seen, run=run_id) == done
    assert any(isinstance(note, Note) and "No model was registered" in note.text for note in seen)
    assert lockfile.read(dbx.project.root).data == done.data


@pytest.mark.usefixtures("flowers")
def test_data_that_is_not_as_expected_fails_with_the_number_of_its_rows(perform: Perform) -> None:
    perform("exec", code="insert into flowers values (-1, 'rose'), (null, null)", language="sql")
    done = perform("validate")
    assert (done.version, done.exit_code) == ("", QualityError.exit_code)
    assert [check.found for check in done.checks if not check.passed] == [
        "2 of 102 rows not: petal > 0",
        "2 of 102 rows not: kind in ('setosa', 'virginica')",
    ]


@pytest.mark.usefixtures("on_the_shared_cluster")
def test_a_fingerprint_minds_every_value_and_no_order(dbx: Dbx) -> None:
    def of(query: str) -> Facts:
        return drive(look_at(dbx, Data("d", query)), lambda _: None)

    numbers = of("select id, id * 2 as twice from range(1000)")
    assert numbers == of("select * from (select id, id * 2 as twice from range(1000)) order by -id")
    assert numbers != of("select id, if(id = 700, 0, id * 2) as twice from range(1000)")
    assert of("select 1") != of("select 1 union all select 1") != of("select 1 where false")
    assert of("select 1 where false") == Facts(0, f"0-{0:016x}", {})


@pytest.mark.usefixtures("on_the_shared_cluster")
@pytest.mark.parametrize(
    "data",
    [Data("birds", "no_such_table"), Data("birds", "select 1 as a", expect={"odd": "b > 1"})],
)
def test_what_cannot_be_looked_at_is_named(dbx: Dbx, data: Data) -> None:
    with pytest.raises(
        ProjectError, match=r"dbx\.toml: data\.birds cannot be looked at: .*(no_such|`b`)"
    ):
        drive(look_at(dbx, data), lambda _: None)


def test_a_project_without_a_model_says_what_is_missing(perform: Perform) -> None:
    assert "nothing to validate" in text(perform("validate").view())
    with pytest.raises(ProjectError, match=r"dbx.toml has no \[model\]"):
        perform("promote")
    with pytest.raises(UsageError, match="What trains the model"):
        perform("track")
    with pytest.raises(UsageError, match="--run is about training that is over"):
        perform("track", notebook="train", run="0" * 32)
