"""The gate: data and the model held against what dbx.toml demands of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from . import lockfile, runs
from .data import look_at
from .dbx import Dbx
from .errors import ProjectError, QualityError, RemoteError
from .events import Note, Work
from .exchange import asked
from .quality import Check, check_data, check_model
from .settings import Model
from .tracking import CHAMPION, PASSED, VALIDATED, ModelVersion
from .view import Line, View, counted

_Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Validated:
    """What was checked; ``version`` is that of the model, empty when only data was looked at."""

    model: str
    version: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as it must be."""
        return all(check.passed for check in self.checks)

    @property
    def exit_code(self) -> int:
        """What the command line, and so a pipeline, ends with."""
        return 0 if self.passed else QualityError.exit_code

    def view(self) -> View:
        """What fails, then what holds."""
        if not self.checks:
            return [Line("nothing to validate", "✓", "dbx.toml has no [data.NAME] and no [model]")]
        failed = sum(not check.passed for check in self.checks)
        words = f"{failed} of {counted(len(self.checks), 'check')} failed"
        head = words if failed else f"{counted(len(self.checks), 'check')} passed"
        return [
            Line(head, "✗" if failed else "✓"),
            *(
                Line(
                    f"{check.subject}: {check.rule}",
                    "✓" if check.passed else "✗",
                    check.found,
                    indent=1,
                )
                for check in sorted(self.checks, key=lambda check: check.passed)
            ),
        ]


def validate(dbx: Dbx, version: str = "", *, cluster: str = "") -> Work[Validated]:
    """Check the data and the model against dbx.toml, and the model against the champion.

    Each row of `[data.NAME]` must be as its `expect` says, and the model must reach its
    `[model.metrics.NAME]` and be no worse than the champion. With `evaluate` in `[model]` that
    notebook measures both on the same data now; without it what training logged is compared, when
    both were trained on equal data. A pipeline that validates ends here when something fails.

    Args:
        version: A version of the model, or an alias; without it the one in dbx.lock.
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        ProjectError: data cannot be read, or `evaluate` gives no metrics.
        NotFoundError: there is no such version.
        RemoteError: `evaluate` failed.
    """
    dbx.project.must_exist()
    settings = dbx.project.settings
    checks: list[Check] = []
    for data in settings.data:
        checks += check_data(data, (yield from look_at(dbx, data, cluster)))
    model = settings.model
    name = model.name if model else ""
    version = version or lockfile.read(dbx.project.root).models.get(name, "")
    if model is None or not version:
        if model:
            yield Note(f"No version of {name} was tracked yet, so only data is checked.", "!")
        return Validated(name, "", tuple(checks))
    aliases = yield from asked("MLflow", partial(dbx.tracking.aliases, name))
    there = dbx.tracking.version(name, aliases.get(version, version))
    best = aliases.get(CHAMPION)
    champion = dbx.tracking.version(name, best) if best and best != there.version else None
    reached, held = yield from _measured(dbx, model, there, champion, cluster)
    checks += check_model(f"{name} {there.version}", model.metrics, reached, held)
    done = Validated(name, there.version, tuple(checks))
    if model.metrics:
        verdict = PASSED if done.passed else "failed"
        dbx.tracking.tag_version(name, there.version, VALIDATED, verdict)
    else:
        yield Note("dbx.toml has no [model.metrics.NAME], so nothing of the model is checked.", "!")
    return done


def _measured(
    dbx: Dbx, model: Model, there: ModelVersion, champion: ModelVersion | None, cluster: str
) -> Work[tuple[_Metrics, _Metrics | None]]:
    """The metrics of a version and of the champion, where the two can be compared."""
    if model.evaluate:
        versions = [there] if champion is None else [there, champion]
        found = yield from _evaluated(dbx, model, versions, cluster)
        return found[0], found[1] if champion else None
    ours = dbx.tracking.run(there.run_id)
    if champion is None:
        return ours.metrics, None
    theirs = dbx.tracking.run(champion.run_id)
    if ours.data != theirs.data:
        yield Note(
            f"The champion, {model.name} {champion.version}, was trained on other data, so the two "
            "are not compared; with `evaluate` in [model] they are.",
            "!",
        )
        return ours.metrics, None
    return ours.metrics, theirs.metrics


def _evaluated(
    dbx: Dbx, model: Model, versions: list[ModelVersion], cluster: str
) -> Work[list[_Metrics]]:
    uris = ",".join(f"models:/{model.name}/{item.version}" for item in versions)
    done = yield from runs.run(dbx, model.evaluate, matrix={"model": uris}, cluster=cluster)
    tries = done.runs if isinstance(done, runs.Matrix) else ()
    return [_metrics(model, item) for item in tries]


def _metrics(model: Model, item: runs.Tried) -> _Metrics:
    uri = item.parameters["model"]
    if item.error:
        raise RemoteError(f"{model.evaluate} failed for {uri}: {item.error}", f"See {item.link}")
    try:
        return {str(name): float(value) for name, value in json.loads(item.value).items()}
    except (ValueError, TypeError, AttributeError):
        raise ProjectError(
            f"{model.evaluate} gave no metrics for {uri}, but {item.value[:80]!r}.",
            'End it with dbutils.notebook.exit(json.dumps({"accuracy": …})).',
        ) from None
