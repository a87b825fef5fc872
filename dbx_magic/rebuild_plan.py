"""What has to be done to make a cluster equal to its spec."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .drift import Difference, differences, size_of, workers_words
from .library import FAILED, LEAVING, library_key, library_name
from .plan import Change, Plan
from .spec import SIZE, ClusterSpec, Json
from .view import duration

NEW = ""
_RUNNING = ("RUNNING", "RESIZING")
_UP = (*_RUNNING, "PENDING", "RESTARTING")


@dataclass(frozen=True)
class Create:
    """Make a new cluster; later steps name it ``NEW``."""

    body: Json


@dataclass(frozen=True)
class Edit:
    """Replace a cluster's configuration; a running one restarts."""

    cluster_id: str
    body: Json


@dataclass(frozen=True)
class Resize:
    """Give a running cluster another size."""

    cluster_id: str
    size: Json


@dataclass(frozen=True)
class Restart:
    """Restart a running cluster."""

    cluster_id: str


@dataclass(frozen=True)
class Uninstall:
    """Mark libraries for removal at the next restart."""

    cluster_id: str
    libraries: tuple[Json, ...]


@dataclass(frozen=True)
class Install:
    """Ask for libraries."""

    cluster_id: str
    libraries: tuple[Json, ...]


@dataclass(frozen=True)
class Run:
    """Start the cluster if it is stopped, and see it running with its libraries."""

    cluster_id: str


@dataclass(frozen=True)
class Delete:
    """Delete a cluster for good."""

    cluster_id: str


Step = Create | Edit | Resize | Restart | Uninstall | Install | Run | Delete


@dataclass(frozen=True)
class Seen:
    """A cluster as it was found, with the status of each of its libraries."""

    cluster: Json
    libraries: tuple[Json, ...] = ()

    @property
    def cluster_id(self) -> str:
        """Its id."""
        return str(self.cluster["cluster_id"])

    @property
    def state(self) -> str:
        """Its state, as the API names it."""
        return str(self.cluster.get("state"))


def plan_rebuild(
    spec: ClusterSpec,
    seen: Sequence[Seen],
    *,
    tags: Mapping[str, str],
    fresh: bool = False,
    delete_first: bool = False,
    wait: bool = True,
    usual: float | None = None,
) -> Plan[Step]:
    """Plan the way from the clusters that bear the name to the one that the spec describes.

    Without ``wait`` nothing is deleted, because only a cluster that was seen running may replace
    another. ``usual`` is how long a start takes, in seconds, where that is known.
    """
    body = {**spec.body, "custom_tags": {**spec.body.get("custom_tags", {}), **tags}}
    kept = best(spec, seen)
    if kept is None or fresh or delete_first or kept.state == "ERROR":
        return _anew(spec, seen, body, delete_first=delete_first, usual=usual)
    drift = differences(spec, kept.cluster)
    wanted = _wanted_libraries(spec, kept)
    up = kept.state in _UP
    restart = up and (any(item.field not in SIZE for item in drift) or bool(wanted.leaving))
    steps: list[Step] = []
    if wanted.remove:
        steps.append(Uninstall(kept.cluster_id, wanted.remove))
    if drift and up and not restart:
        steps.append(Resize(kept.cluster_id, size_of(spec.body)))
    elif drift:
        steps.append(Edit(kept.cluster_id, {"cluster_id": kept.cluster_id, **body}))
    elif restart:
        steps.append(Restart(kept.cluster_id))
    if wanted.install:
        steps.append(Install(kept.cluster_id, wanted.install))
    if steps or kept.state not in _RUNNING or wanted.under_way:
        steps.append(Run(kept.cluster_id))
    others = [item for item in seen if item is not kept]
    if wait:
        steps += [Delete(item.cluster_id) for item in others]
    changes = [
        *(item.change(_cost(item, up=up)) for item in drift),
        *wanted.changes,
        *(_gone(item, "has the same name", "−" if wait else "!") for item in others),
    ]
    title = _title(spec.name, kept, steps, restart=restart, usual=usual)
    return Plan(title, tuple(steps), tuple(changes), "rebuild")


def differing(spec: ClusterSpec, seen: Seen) -> tuple[str, ...]:
    """Names of the fields in which a cluster is not as its spec says; ``libraries`` is one."""
    fields = [item.field for item in differences(spec, seen.cluster)]
    if _wanted_libraries(spec, seen).changes:
        fields.append("libraries")
    return tuple(fields)


def _cost(item: Difference, *, up: bool) -> str:
    if not up:
        return ""
    return "needs no restart" if item.field in SIZE else "needs a restart"


def best(spec: ClusterSpec, seen: Sequence[Seen]) -> Seen | None:
    """Which of several is kept: the one with the least to do, then the youngest."""

    def rank(item: Seen) -> tuple[bool, bool, bool, int]:
        equal = not differences(spec, item.cluster)
        start = int(item.cluster.get("start_time") or 0)
        return item.state != "ERROR", equal, item.state in _UP, start

    return max(seen, key=rank, default=None)


def _anew(
    spec: ClusterSpec,
    seen: Sequence[Seen],
    body: Json,
    *,
    delete_first: bool,
    usual: float | None,
) -> Plan[Step]:
    delete = [Delete(item.cluster_id) for item in seen]
    libraries = spec.libraries or ()
    create: list[Step] = [Create(body)]
    if libraries:
        create.append(Install(NEW, libraries))
    create.append(Run(NEW))
    steps = (*delete, *create) if delete_first else (*create, *delete)
    about = f" (about {duration(usual)})" if usual else ""
    title = f"{spec.name} will be created{about}"
    if seen:
        order = "after the old one was deleted" if delete_first else "then the old one deleted"
        title = f"{spec.name} will be created anew{about}, {order}"
    return Plan(
        title,
        steps,
        (
            Change("+", "cluster", after=_summary(spec.body)),
            *(Change("+", "library", after=library_name(item)) for item in libraries),
            *(_gone(item, "is replaced", "−") for item in seen),
        ),
        "rebuild" + (" --delete-first" if delete_first else " --fresh" if seen else ""),
    )


def _title(
    name: str, kept: Seen, steps: Sequence[Step], *, restart: bool, usual: float | None
) -> str:
    about = f"about {duration(usual)}" if usual else ""
    if restart:
        costs = "; ".join(filter(None, [about, "running cells stop"]))
        edited = "edited and " if any(isinstance(step, Edit) for step in steps) else ""
        return f"{name} will be {edited}restarted ({costs})"
    if kept.state not in _UP:
        edited = "edited and " if any(isinstance(step, Edit) for step in steps) else ""
        return f"{name} will be {edited}started" + (f" ({about})" if about else "")
    if any(isinstance(step, Resize) for step in steps):
        return f"{name} will be resized; running cells go on"
    if any(isinstance(step, Install) for step in steps):
        return f"{name} gets libraries; running cells go on"
    if any(isinstance(step, Run) for step in steps):
        return f"{name} is equal to its spec and not ready yet; it will be waited for"
    return f"{name} is running, equal to its spec"


def _summary(body: Json) -> str:
    parts = [body.get("spark_version"), body.get("node_type_id") or body.get("instance_pool_id")]
    return ", ".join(str(part) for part in (*parts, workers_words(body)) if part)


def _gone(item: Seen, why: str, symbol: Literal["−", "!"]) -> Change:
    maker = item.cluster.get("creator_user_name")
    by = f", made by {maker}" if maker else ""
    stays = "; it is deleted by a rebuild that waits" if symbol == "!" else ""
    return Change(symbol, f"cluster {item.cluster_id}", reason=f"{why}{by}{stays}")


# Libraries


@dataclass(frozen=True)
class _Libraries:
    install: tuple[Json, ...]
    remove: tuple[Json, ...]
    leaving: tuple[str, ...]
    under_way: bool
    changes: tuple[Change, ...]


def _wanted_libraries(spec: ClusterSpec, kept: Seen) -> _Libraries:
    own = [item for item in kept.libraries if not item.get("is_library_for_all_clusters")]
    under_way = any(item.get("status") in ("PENDING", "RESOLVING", "INSTALLING") for item in own)
    if spec.libraries is None:
        return _Libraries((), (), (), under_way, ())
    have = {_canonical(item["library"]): item for item in own}
    want = {_canonical(item): item for item in spec.libraries}
    extra = {key: item for key, item in have.items() if key not in want}
    remove = [i["library"] for i in extra.values() if i.get("status") != LEAVING]
    leaving = {
        library_key(item["library"]): library_name(item["library"]) for item in extra.values()
    }
    missing = {
        key: item
        for key, item in want.items()
        if key not in have or have[key].get("status") in (FAILED, LEAVING)
    }
    up = kept.state in _UP
    changes: list[Change] = []
    for key, item in missing.items():
        before = leaving.pop(library_key(item), "")
        reason = "needs a restart" if before and up else ""
        if key in have and have[key].get("status") == FAILED:
            reason = "failed before"
        changes.append(
            Change("~" if before else "+", "library", before, library_name(item), reason)
        )
    changes += [
        Change("−", "library", name, reason="needs a restart" if up else "")
        for name in leaving.values()
    ]
    return _Libraries(
        tuple(missing.values()),
        tuple(remove),
        tuple(extra),
        under_way,
        tuple(changes),
    )


def _canonical(library: Json) -> str:
    def filled(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: filled(item) for key, item in value.items() if item}
        return value.strip() if isinstance(value, str) else value

    return json.dumps(filled(library), sort_keys=True)
