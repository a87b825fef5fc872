"""See the workspace's clusters, pick one, start, stop, restart, resize and delete it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .cluster_state import (
    ENDED,
    READY,
    TIMEOUT,
    cluster_called,
    cluster_meant,
    must_have_libraries,
    name_of,
    set_running,
    settled,
    state_symbol,
    state_words,
    wait_ended,
)
from .dbx import Dbx
from .drift import told_body
from .errors import ConflictError, ProjectError, UsageError
from .events import Work
from .rebuild_plan import Seen, differing
from .spec import SIZE, ClusterSpec
from .view import Line, Table, View, duration
from .workspace import Json


@dataclass(frozen=True)
class ClusterRow:
    """One cluster of the list; ``seconds`` is since when it is up, or stopped.

    ``equal`` is ``None`` for a cluster that is not the project's.
    """

    name: str
    cluster_id: str
    state: str
    seconds: float | None
    runtime: str
    size: str
    creator: str
    stops: str
    picked: bool
    equal: bool | None

    @property
    def state_words(self) -> str:
        """Its state and since when: ``running 3 min``, ``stopped 2 h ago``."""
        words = state_words({"state": self.state})
        if self.seconds is None:
            return words
        how_long = duration(self.seconds if self.seconds < 60 else self.seconds // 60 * 60)
        return f"{words} {how_long} ago" if self.state in ENDED else f"{words} {how_long}"

    @property
    def remarks(self) -> str:
        """Whether it is the picked one, and as its spec says."""
        spec = {True: "as its spec says", False: "not as its spec says", None: ""}[self.equal]
        return ", ".join(filter(None, ["picked" if self.picked else "", spec]))


@dataclass(frozen=True)
class Clusters:
    """The clusters of the workspace."""

    rows: tuple[ClusterRow, ...]
    workspace: str

    def view(self) -> View:
        """A table, the picked cluster first; ids where names are not enough."""
        if not self.rows:
            return [Line(f"{self.workspace} has no clusters yet. Make one with `rebuild`.")]
        names = [row.name for row in self.rows]
        shown = tuple(
            (
                f"{state_symbol({'state': row.state})} {row.name}"
                + (f" ({row.cluster_id})" if names.count(row.name) > 1 else ""),
                row.state_words,
                row.runtime,
                row.size,
                row.creator,
                row.stops,
                row.remarks,
            )
            for row in self.rows
        )
        return [Table(shown, ("cluster", "state", "runtime", "size", "made by", "stops", ""))]


@dataclass(frozen=True)
class Cluster:
    """One cluster, after something was done with it (``what``)."""

    name: str
    cluster_id: str
    state: str
    what: str
    note: str = ""

    def view(self) -> View:
        """One line: its state, its name, what was done."""
        return [Line(f"{self.name}  {self.what}", state_symbol({"state": self.state}), self.note)]


def clusters(dbx: Dbx) -> Clusters:
    """List the clusters: state, runtime, size, who made them, when they stop by themselves."""
    found = dbx.workspace.clusters()
    _remember_names(dbx, found)
    picked = dbx.project.picked
    rows = [_row(dbx, cluster, picked) for cluster in found]
    rows.sort(key=lambda row: (not row.picked, row.state not in READY, row.name.lower()))
    return Clusters(tuple(rows), dbx.workspace.host)


def _remember_names(dbx: Dbx, found: list[Json]) -> None:
    # For completion, which must not ask the workspace.
    if dbx.project.exists:
        dbx.project.remember(clusters=sorted({name_of(cluster) for cluster in found}))


def _row(dbx: Dbx, cluster: Json, picked: str | None) -> ClusterRow:
    own = name_of(cluster) == dbx.project.target.cluster
    return ClusterRow(
        name_of(cluster),
        str(cluster["cluster_id"]),
        str(cluster.get("state", "UNKNOWN")),
        _seconds(cluster),
        runtime_words(cluster),
        size_words(cluster),
        str(cluster.get("creator_user_name", "")),
        _stops(cluster),
        cluster["cluster_id"] == picked or (own and picked is None),
        _equal(dbx, cluster) if own else None,
    )


def _equal(dbx: Dbx, cluster: Json) -> bool | None:
    try:
        spec = dbx.project.cluster_spec()
    except ProjectError:
        return None  # a list is no place to complain about the spec; `rebuild` does
    # Lists leave out what the cluster was told.
    return not unlike_spec(dbx, spec, dbx.workspace.cluster(str(cluster["cluster_id"])))


def unlike_spec(dbx: Dbx, spec: ClusterSpec, cluster: Json) -> tuple[str, ...]:
    """Names of the fields, ``libraries`` too, in which a cluster is not as its spec says."""
    if spec.libraries is None:
        return differing(spec, Seen(cluster))
    libraries = dbx.workspace.libraries(str(cluster["cluster_id"]))
    return differing(spec, Seen(cluster, tuple(libraries)))


def runtime_words(cluster: Mapping[str, object]) -> str:
    """A runtime as people say it: ``16.4`` and ``ML`` of ``16.4.x-cpu-ml-scala2.12``."""
    key = str(cluster.get("spark_version", ""))
    version, _, rest = key.partition("-")
    extra = [word for word in ("ML", "GPU", "Photon") if word.lower() in rest]
    return " ".join([version.removesuffix(".x"), *extra])


def size_words(cluster: Json) -> str:
    """Machines and what they amount to: ``1 + 3 Standard_DS3_v2, 16 cores, 56 GB``."""
    scale = cluster.get("autoscale")
    workers = (
        f"{scale.get('min_workers')}–{scale.get('max_workers')}"
        if scale
        else str(cluster.get("num_workers", 0))
    )
    machine = cluster.get("node_type_id") or cluster.get("instance_pool_id") or ""
    parts = [f"1 + {workers} {machine}".rstrip()]
    if cluster.get("cluster_cores"):
        parts.append(f"{cluster['cluster_cores']:.0f} cores")
    if cluster.get("cluster_memory_mb"):
        parts.append(f"{cluster['cluster_memory_mb'] / 1024:.0f} GB")
    return ", ".join(parts)


def _seconds(cluster: Json) -> float | None:
    ended = cluster.get("state") in ENDED
    since = cluster.get("terminated_time" if ended else "start_time")
    return max(0.0, time.time() - float(since) / 1000) if since else None


def _stops(cluster: Json) -> str:
    if cluster.get("state") in ENDED:
        return ""
    minutes = cluster.get("autotermination_minutes")
    return f"after {duration(60 * int(minutes))} idle" if minutes else "never by itself"


def pick(dbx: Dbx, cluster: str) -> Cluster:
    """Choose the cluster that cells and notebooks run on.

    Args:
        cluster: Its name or its id.

    Raises:
        NotFoundError: there is no such cluster.
        UsageError: several have the name; say which by its id.
    """
    found = cluster_called(dbx, cluster)
    dbx.project.pick(str(found["cluster_id"]))
    return _after(found, "is picked", f"{state_words(found)}, {size_words(found)}")


def start(dbx: Dbx, cluster: str = "", *, timeout: float = TIMEOUT) -> Work[Cluster]:
    """Start a cluster and wait until it runs with its libraries.

    Args:
        cluster: Its name or its id; the picked one when left out.
        timeout: Give up waiting after so many seconds; the cluster goes on by itself.

    Raises:
        WorkspaceError: it did not start, or a library was not installed.
    """
    found = cluster_meant(dbx, cluster)
    begin = time.monotonic()
    was_running = found.get("state") in READY
    try:
        found = yield from set_running(dbx, found, timeout=timeout)
    except (KeyboardInterrupt, GeneratorExit):
        dbx.notes.append(f"{name_of(found)} goes on starting; `start` waits for it again.")
        raise
    must_have_libraries(dbx, found)
    took = "is running" if was_running else f"runs, in {duration(time.monotonic() - begin)}"
    return _after(found, took)


def stop(dbx: Dbx, cluster: str = "", *, timeout: float = TIMEOUT) -> Work[Cluster]:
    """Stop a cluster; it keeps its configuration and can be started again.

    Args:
        cluster: Its name or its id; the picked one when left out.
        timeout: Give up waiting after so many seconds; it goes on stopping by itself.
    """
    found = cluster_meant(dbx, cluster)
    cluster_id = str(found["cluster_id"])
    if found.get("state") in ENDED:
        return _after(found, "is stopped already")
    dbx.workspace.stop_cluster(cluster_id)
    found = yield from wait_ended(dbx, cluster_id, timeout=timeout)
    return _after(found, "stopped; what it held in memory is gone")


def restart(dbx: Dbx, cluster: str = "", *, timeout: float = TIMEOUT) -> Work[Cluster]:
    """Restart a cluster: a fresh Spark, all variables gone, libraries installed anew.

    Args:
        cluster: Its name or its id; the picked one when left out.
        timeout: Give up waiting after so many seconds; the cluster goes on by itself.

    Raises:
        WorkspaceError: it did not come back, or a library was not installed.
    """
    begin = time.monotonic()
    found = yield from settled(dbx, str(cluster_meant(dbx, cluster)["cluster_id"]), timeout=timeout)
    if found.get("state") == "RUNNING":
        dbx.workspace.restart_cluster(str(found["cluster_id"]))
        found = dbx.workspace.cluster(str(found["cluster_id"]))
    found = yield from set_running(dbx, found, timeout=timeout)
    must_have_libraries(dbx, found)
    return _after(found, f"runs again, in {duration(time.monotonic() - begin)}")


def resize(dbx: Dbx, workers: str, cluster: str = "", *, timeout: float = TIMEOUT) -> Work[Cluster]:
    """Give a cluster another number of workers; running cells go on.

    The spec stays as it is: the next rebuild goes back to the size it says.

    Args:
        workers: A number, or the fewest and the most for one that scales: 2-8.
        cluster: Its name or its id; the picked one when left out.
        timeout: Give up waiting after so many seconds; the cluster goes on by itself.

    Raises:
        UsageError: that is no size.
        WorkspaceError: the workspace does not give so many.
    """
    size = size_said(workers)
    found = yield from settled(dbx, str(cluster_meant(dbx, cluster)["cluster_id"]), timeout=timeout)
    cluster_id = str(found["cluster_id"])
    if found.get("state") == "RUNNING":
        dbx.workspace.resize_cluster(cluster_id, size)
        found = yield from settled(dbx, cluster_id, timeout=timeout)
    else:
        body = {key: value for key, value in told_body(found).items() if key not in SIZE}
        dbx.workspace.edit_cluster({"cluster_id": cluster_id, **body, **size})
        found = dbx.workspace.cluster(cluster_id)
    return _after(found, f"has {size_words(found)}")


def size_said(workers: str) -> Mapping[str, object]:
    """Read a size as people write it: ``3``, or ``2-8`` for one that scales.

    Raises:
        UsageError: that is no size.
    """
    shape = re.fullmatch(r"(\d+)(?:\s*[-–]\s*(\d+))?", workers.strip())
    if shape is None or (shape[2] and int(shape[1]) > int(shape[2])):
        raise UsageError(f"{workers!r} is no size.", "Write 3, or 2-8 for one that scales.")
    if shape[2]:
        return {"autoscale": {"min_workers": int(shape[1]), "max_workers": int(shape[2])}}
    return {"num_workers": int(shape[1])}


def delete(dbx: Dbx, cluster: str, *, yes: bool = False) -> Cluster:
    """Delete a cluster for good, with its configuration and its list of libraries.

    Args:
        cluster: Its name or its id.
        yes: Do it; without, it is only told what would be deleted.

    Raises:
        NotFoundError: there is no such cluster.
        ConflictError: without --yes.
    """
    found = cluster_called(dbx, cluster)
    if not yes:
        made = found.get("creator_user_name")
        by = f", made by {made}" if made else ""
        raise ConflictError(
            f"This deletes {name_of(found)} ({found['cluster_id']}) for good: "
            f"{state_words(found)}, {size_words(found)}{by}.",
            "Say --yes to do it; `stop` keeps its configuration.",
        )
    dbx.workspace.delete_cluster(str(found["cluster_id"]))
    if dbx.project.picked == found["cluster_id"]:
        dbx.project.pick(None)
    return _after({**found, "state": "TERMINATED"}, "is deleted")


def pin(dbx: Dbx, cluster: str = "", *, off: bool = False) -> Cluster:
    """Keep a cluster in the workspace's list, also when it was stopped for more than 30 days.

    Args:
        cluster: Its name or its id; the picked one when left out.
        off: Let it go from the list again.

    Raises:
        WorkspaceError: only an administrator of the workspace may do that.
    """
    found = cluster_meant(dbx, cluster)
    dbx.workspace.pin_cluster(str(found["cluster_id"]), pinned=not off)
    return _after(found, "is no longer pinned" if off else "is pinned")


def _after(found: Json, what: str, note: str = "") -> Cluster:
    return Cluster(name_of(found), str(found["cluster_id"]), str(found.get("state")), what, note)
