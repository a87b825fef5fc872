"""Training, tracked: which code, cluster and data a model was made from, and how good it is."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from . import lockfile, runs
from .data import look_at
from .dbx import Dbx
from .errors import ConflictError, ProjectError, UsageError
from .events import Note, Progress, Work
from .exchange import asked
from .project import write
from .versions import uncommitted
from .view import Line, Table, View

_RUN_ID = re.compile(r"\b[0-9a-f]{32}\b")
_FINISHED = "FINISHED"


@dataclass(frozen=True)
class Tracked:
    """A run of MLflow that is tied to its code, its cluster and its data.

    ``version`` is that of the model which the run registered, empty when it registered none;
    ``data`` maps a name to its fingerprint.
    """

    run_id: str
    model: str
    version: str
    commit: str
    dirty: bool
    data: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]

    def view(self) -> View:
        """The model, then all that it is made of."""
        code = self.commit[:7] or "no commit"
        metrics = (f"{name} {value:.4g}" for name, value in self.metrics.items())
        rows = (
            ("metrics", ", ".join(metrics)),
            ("parameters", ", ".join(f"{name} {value}" for name, value in self.params.items())),
            ("data", ", ".join(f"{name} {value}" for name, value in self.data.items())),
            ("code", f"{code}, with edits that are not committed" if self.dirty else code),
        )
        head = f"{self.model} {self.version}" if self.version else "tracked, without a model"
        return [
            Line(head, "✓", note=f"run {self.run_id}"),
            Table(tuple(row for row in rows if row[1])),
        ]


def track(
    dbx: Dbx,
    notebook: str = "",
    *,
    parameter: Mapping[str, str] | None = None,
    run: str = "",
    cluster: str = "",
) -> Work[Tracked]:
    """Train the model, and record what it was made from: code, cluster, data, parameters, metrics.

    The notebook logs to MLflow as ever, and ends with `dbutils.notebook.exit(run.info.run_id)`, so
    that its run is found. The run is told its commit, cluster spec and the fingerprints of the data
    in dbx.toml; dbx.lock is told the version and the data, for the next `commit`.

    Args:
        notebook: What trains it; without it, `train` of `[model]` in dbx.toml.
        parameter: A widget's value, `name=value`; may be given more than once.
        run: Train nothing, but record this run of MLflow.
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        ProjectError: data cannot be read, or the notebook does not say which run was its.
        RemoteError: training failed.
        NotFoundError: there is no such notebook, or no such run.
    """
    dbx.project.must_exist()
    settings = dbx.project.settings
    model = settings.model
    name, trains = (model.name, model.train) if model else ("", "")
    if run and (notebook or parameter):
        raise UsageError("--run is about training that is over.", "Leave out the notebook.")
    if not (run or notebook or trains):
        raise UsageError("What trains the model?", 'Say `track NOTEBOOK`, or "train" in [model].')
    tags = _tags(dbx)
    fingerprints = {}
    for data in settings.data:  # as it is before: training may take long
        facts = yield from look_at(dbx, data, cluster)
        fingerprints[data.name] = facts.fingerprint
    if not run:
        run = yield from _trained(dbx, notebook or trains, parameter, cluster)
    sources = {data.name: data.source for data in settings.data}
    tell = partial(dbx.tracking.describe_run, run, tags, fingerprints, sources)
    yield from asked("MLflow", tell)
    found = dbx.tracking.run(run)
    if found.status != _FINISHED:
        yield Note(f"Run {run} is {found.status.lower()}, not finished.", "!")
    version = dbx.tracking.version_of_run(name, run) if name else ""
    if name and not version:
        yield Note(f'No model was registered: log_model(…, registered_model_name="{name}")', "!")
    done = Tracked(
        run,
        name,
        version,
        tags.get("mlflow.source.git.commit", ""),
        tags.get("dbx.dirty") == "true",
        fingerprints,
        found.params,
        found.metrics,
    )
    begin = time.monotonic()
    while not _remember(dbx, done):  # a push under way is no reason to lose it
        yield Progress(lockfile.NAME, "another dbx_magic is at work", time.monotonic() - begin)
        time.sleep(0.5)
    return done


def _trained(
    dbx: Dbx, notebook: str, parameter: Mapping[str, str] | None, cluster: str
) -> Work[str]:
    """Run the notebook that trains, and give the id of its run of MLflow."""
    ran = yield from runs.run(dbx, notebook, parameter=parameter, cluster=cluster)
    value = ran.value if isinstance(ran, runs.Ran) else ""
    found = _RUN_ID.search(value)
    if not found:
        raise ProjectError(
            f"{notebook} was run, but does not say which run of MLflow was its.",
            "End it with dbutils.notebook.exit(run.info.run_id), or record a run: `track --run …`",
        )
    return found[0]


def _tags(dbx: Dbx) -> dict[str, str]:
    """Where the code and the cluster are from, in MLflow's words where it has some."""
    tags = {"dbx.project": dbx.project.settings.project}
    if dbx.project.spec_path.exists():
        tags["dbx.cluster_spec"] = dbx.project.cluster_spec().fingerprint
    if dbx.repo.exists and dbx.repo.head:
        tags["mlflow.source.git.commit"] = dbx.repo.head
        tags["mlflow.source.git.branch"] = dbx.repo.branch or ""
        tags["dbx.dirty"] = "true" if uncommitted(dbx) else "false"
    return tags


def _remember(dbx: Dbx, done: Tracked) -> bool:
    """Tell dbx.lock, unless somebody else is changing the project right now."""
    try:
        with dbx.project.lock():
            before = lockfile.read(dbx.project.root)
            models = {done.model: done.version} if done.version else before.models
            lock = replace(before, data=done.data, models=models)
            write(dbx.project.root / lockfile.NAME, lock.render())
    except ConflictError:
        return False
    return True
