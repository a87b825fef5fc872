"""What ``dbx.toml`` says: names and places of a project, never a secret."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .errors import ProjectError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCAL = "local"
# Numbers of Databricks' drift metrics that may have a limit; of a test it is the statistic.
DRIFT = (
    *("js_distance", "ks_test", "wasserstein_distance", "population_stability_index"),
    *("chi_squared_test", "tv_distance", "l_infinity_distance", "count_delta", "avg_delta"),
    *("percent_null_delta", "percent_zeros_delta", "percent_distinct_delta"),
)
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Target:
    """One workspace the project goes to.

    ``profile`` names a section of ``~/.databrickscfg``; ``local`` is the local workspace and the
    empty default takes what the environment offers. ``spec`` overrides fields of the cluster spec.
    ``volume`` is a folder of a volume for DataFrames on their way, where DBFS may not be used.
    """

    name: str
    profile: str = ""
    root: str = ""
    cluster: str = ""
    spec: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    volume: str = ""


@dataclass(frozen=True)
class Monitor:
    """How data is watched: in windows of time, which ``window`` says as Spark's intervals do.

    ``time`` is the column that says in which window a row is. Each is compared with ``baseline``, a
    table or a query, else with the window before. A window violates when a number of its ``drift``
    is further from 0 than its limit; that is too much when ``violations`` of the last ``of`` do,
    the latest among them.
    """

    time: str
    window: str = "1 day"
    baseline: str = ""
    violations: int = 2
    of: int = 3
    drift: Mapping[str, float] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True)
class Data:
    """Data that a model is made from or makes: ``source`` is a table, or a query.

    ``expect`` has what each of its rows must be: a condition of Spark SQL by its name, as in
    Databricks' expectations. ``rows`` is the least number of rows.
    """

    name: str
    source: str
    rows: int = 1
    expect: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    monitor: Monitor | None = None


@dataclass(frozen=True)
class Metric:
    """What a model must reach: at least ``min``, or at most ``max``.

    Which of them is given says whether more or less is better; by ``worse`` it may be worse than
    the champion.
    """

    name: str
    min: float | None = None
    max: float | None = None
    worse: float = 0.0


@dataclass(frozen=True)
class Model:
    """The model of a project: its ``name`` in the registry, and the notebooks that make it.

    ``train`` trains it. ``evaluate`` measures the version that its widget ``model`` names, and
    exits with the metrics as JSON; without it those count that training logged.
    """

    name: str
    train: str = ""
    evaluate: str = ""
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The whole of ``dbx.toml``; every field has a default that comes from the folder's name."""

    project: str
    cluster: str
    target: str = LOCAL
    targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    exclude: tuple[str, ...] = ()
    outputs: str = "strip"
    data: tuple[Data, ...] = ()
    model: Model | None = None

    def target_named(self, name: str) -> Target:
        """Give the target of that name, with root and cluster filled in.

        Raises:
            UsageError: there is no such target; the hint names those there are.
        """
        found = self.targets.get(name)
        if found is None:
            if name == LOCAL:
                found = Target(LOCAL, LOCAL)
            elif not self.targets and name == "":
                found = Target("")
            else:
                raise UsageError(
                    f"There is no target {name!r} in dbx.toml.",
                    f"There are: {', '.join(sorted({*self.targets, LOCAL}))}.",
                )
        return Target(
            found.name,
            found.profile,
            found.root or f"/Shared/{self.project}",
            found.cluster or self.cluster,
            found.spec,
            found.volume,
        )


def read_settings(root: Path) -> Settings:
    """Read ``dbx.toml`` of the project in ``root``; without the file all is default.

    Raises:
        ProjectError: the file is no TOML, or has a key or a value that is not understood.
    """
    path = root / "dbx.toml"
    name = root.name or "project"
    if not path.exists():
        return Settings(project=name, cluster=name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} is not valid TOML: {error}.", "Correct that line.") from None
    targets = _tables(path, "targets", table.pop("targets", {}))
    data = _tables(path, "data", table.pop("data", {}))
    model = table.pop("model", None)
    _check(path, "", table, Settings)
    project = table.get("project", name)
    return Settings(
        project=project,
        cluster=table.get("cluster", project),
        target=table.get("target", next(iter(targets), LOCAL)),
        targets=MappingProxyType(
            {key: _target(path, key, value) for key, value in targets.items()}
        ),
        exclude=tuple(table.get("exclude", ())),
        outputs=table.get("outputs", "strip"),
        data=tuple(_data(path, key, value) for key, value in data.items()),
        model=None if model is None else _model(path, model),
    )


def _tables(path: Path, name: str, value: object) -> dict[str, dict[str, Any]]:
    if isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
        return value
    raise ProjectError(f'{path}: "{name}" must be a table of tables.')


def _target(path: Path, name: str, value: Mapping[str, Any]) -> Target:
    _check(path, f"targets.{name}.", value, Target)
    root = value.get("root", "")
    if root and not root.startswith("/"):
        raise ProjectError(
            f'{path}: "targets.{name}.root" is {root!r}, but a workspace folder begins with "/".',
            f'Write "/Shared/{root}", say.',
        )
    return Target(
        name,
        value.get("profile", LOCAL if name == LOCAL else name),
        root.rstrip("/"),
        value.get("cluster", ""),
        MappingProxyType(value.get("spec", {})),
        _volume(path, name, value.get("volume", "")),
    )


def _volume(path: Path, target: str, volume: str) -> str:
    if volume and not volume.startswith("/Volumes/"):
        raise ProjectError(
            f'{path}: "targets.{target}.volume" is {volume!r}, but volumes are below "/Volumes/".',
            'Write "/Volumes/catalog/schema/volume".',
        )
    return volume.rstrip("/")


def _data(path: Path, name: str, value: Mapping[str, Any]) -> Data:
    place = f"data.{name}."
    value = dict(value)
    monitor = value.pop("monitor", None)
    _check(path, place, value, Data, needs="source")
    for what, condition in value.get("expect", {}).items():
        if not isinstance(condition, str):
            raise ProjectError(
                f'{path}: "{place}expect.{what}" must be a condition in SQL, not {condition!r}.'
            )
    if monitor is None:
        return Data(name, **value)
    if not _TABLE.fullmatch(value["source"]):
        raise ProjectError(
            f'{path}: "{place}source" must be a table\'s name to be monitored.',
            "The metrics are written beside that table; a view of it can have any query.",
        )
    return Data(name, **value, monitor=_monitor(path, f"{place}monitor", monitor))


def _monitor(path: Path, place: str, value: object) -> Monitor:
    if not isinstance(value, dict):
        raise ProjectError(f'{path}: "{place}" must be a table.')
    _check(path, f"{place}.", value, Monitor, needs="time")
    for metric, limit in value.get("drift", {}).items():
        if metric not in DRIFT:
            near = difflib.get_close_matches(metric, DRIFT, 1)
            hint = f'Did you mean "{near[0]}"?' if near else f"There are: {', '.join(DRIFT)}."
            raise ProjectError(f'{path}: "{place}.drift.{metric}" is no metric of drift.', hint)
        if not isinstance(limit, int | float) or isinstance(limit, bool) or not limit >= 0:
            raise ProjectError(f'{path}: "{place}.drift.{metric}" must be a number, 0 or more.')
    found = Monitor(**value)
    if not _WINDOW.fullmatch(found.window):
        raise ProjectError(
            f'{path}: "{place}.window" is {found.window!r}, which is no window of time.',
            'Write "1 day", say, or "30 minutes", "6 hours", "2 weeks".',
        )
    if not 1 <= found.violations <= found.of:
        raise ProjectError(
            f'{path}: "{place}.violations" is {found.violations}, of {found.of} windows.',
            'It must be at least 1, and no more than "of".',
        )
    return found


def _model(path: Path, value: object) -> Model:
    if not isinstance(value, dict):
        raise ProjectError(f'{path}: "model" must be a table.')
    metrics = _tables(path, "model.metrics", value.pop("metrics", {}))
    _check(path, "model.", value, Model, needs="name")
    return Model(**value, metrics=tuple(_metric(path, *item) for item in metrics.items()))


def _metric(path: Path, name: str, value: Mapping[str, Any]) -> Metric:
    place = f"model.metrics.{name}"
    _check(path, f"{place}.", value, Metric)
    if ("min" in value) == ("max" in value):
        raise ProjectError(
            f'{path}: "{place}" must have "min" or "max".',
            "Where more is better say the least that is enough, else the most.",
        )
    return Metric(name, **value)


_TABLE = re.compile(r"(?:\w+|`[^`]+`)(?:\.(?:\w+|`[^`]+`)){0,2}")
_WINDOW = re.compile(r"[1-9]\d* (?:minute|hour|day|week)s?")

# What each type of a setting is in TOML, and in words.
_KINDS: tuple[tuple[str, tuple[type, ...], str], ...] = (
    ("tuple", (list,), "a list of texts"),
    ("Mapping", (dict,), "a table"),
    ("int", (int,), "a whole number"),
    ("float", (int, float), "a number"),
    ("str", (str,), "a text"),
)


def _check(
    path: Path, prefix: str, table: Mapping[str, Any], kind: type, *, needs: str = ""
) -> None:
    known = {item.name: str(item.type) for item in fields(kind)}
    if kind in (Target, Data, Metric):
        del known["name"]  # it is the name of the table
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f'Did you mean "{prefix}{near[0]}"?' if near else ""
            raise ProjectError(f'{path}: "{prefix}{key}" is not a setting.', hint)
        types, words = next(item[1:] for item in _KINDS if known[key].startswith(item[0]))
        if not isinstance(value, types) or isinstance(value, bool):
            raise ProjectError(f'{path}: "{prefix}{key}" must be {words}, not {value!r}.')
    if needs and needs not in table:
        raise ProjectError(f'{path}: "{prefix}{needs}" is missing.')
    if table.get("outputs", "strip") not in ("strip", "keep"):
        raise ProjectError(f'{path}: "outputs" must be "strip" or "keep".')
