"""What a cluster is doing, in words; which cluster is meant; waiting until it can be used."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .dbx import Dbx
from .errors import DbxError, NotFoundError, UsageError, WorkspaceError
from .events import Note, Progress, Work
from .library import failures, still_installing
from .view import Symbol, counted, duration, listed
from .workspace import Json

READY = ("RUNNING", "RESIZING")
ENDED = ("TERMINATED", "ERROR")
TIMEOUT = 3600.0
# The local workspace holds an answer back until something changes, up to a second.
_LOCAL_INTERVAL = 0.1

_STATES: Mapping[str, tuple[Symbol, str]] = {
    "PENDING": ("◐", "starting"),
    "RUNNING": ("●", "running"),
    "RESTARTING": ("◐", "restarting"),
    "RESIZING": ("●", "running, changing its size"),
    "TERMINATING": ("◐", "stopping"),
    "TERMINATED": ("○", "stopped"),
    "ERROR": ("✗", "failed"),
}
_EVENTS = {
    "CREATING": "machines are being asked for",
    "STARTING": "machines are being asked for",
    "RESTARTING": "",
    "TERMINATING": "",
    "INIT_SCRIPTS_STARTED": "init scripts are running",
    "INIT_SCRIPTS_FINISHED": "init scripts are done",
    "RUNNING": "it runs",
    "DRIVER_HEALTHY": "the driver is healthy",
    "DRIVER_NOT_RESPONDING": "the driver does not respond",
    "DRIVER_UNAVAILABLE": "the driver is not available",
    "UPSIZE_COMPLETED": "all workers are there",
    "ADD_NODES_FAILED": "machines could not be added",
    "NODES_LOST": "machines were lost",
    "SPARK_EXCEPTION": "Spark failed",
    "METASTORE_DOWN": "the metastore cannot be reached",
    "DBFS_DOWN": "DBFS cannot be reached",
}
_REASONS = {
    "USER_REQUEST": "somebody stopped it",
    "INACTIVITY": "nobody used it",
    "JOB_FINISHED": "its job is done",
    "INVALID_ARGUMENT": "its configuration is not valid",
    "INIT_SCRIPT_FAILURE": "an init script failed",
    "SPARK_STARTUP_FAILURE": "Spark did not start",
    "SPARK_ERROR": "Spark failed",
    "DRIVER_UNREACHABLE": "the driver could not be reached",
    "DRIVER_UNRESPONSIVE": "the driver did not respond",
    "COMMUNICATION_LOST": "the workspace lost contact with it",
    "CLOUD_PROVIDER_LAUNCH_FAILURE": "the cloud gave no machines",
    "CLOUD_PROVIDER_SHUTDOWN": "the cloud shut its machines down",
    "INSTANCE_UNREACHABLE": "a machine could not be reached",
    "BOOTSTRAP_TIMEOUT": "its machines did not get ready in time",
    "INTERNAL_ERROR": "the workspace failed",
}


def state_symbol(cluster: Mapping[str, Any]) -> Symbol:
    """The symbol of a cluster's state; a state never seen before counts as in between."""
    return _STATES.get(str(cluster.get("state")), ("◐", ""))[0]


def state_words(cluster: Mapping[str, Any]) -> str:
    """A cluster's state as people say it: ``running``, ``stopped``."""
    state = str(cluster.get("state", "UNKNOWN"))
    return _STATES.get(state, ("◐", _spoken(state)))[1]


def event_words(event: Mapping[str, Any]) -> str:
    """One event of a cluster as people say it."""
    kind = str(event.get("type", ""))
    return _EVENTS.get(kind, _spoken(kind))


def end_words(cluster: Mapping[str, Any]) -> str:
    """Why a cluster stopped: ``an init script failed: /init.sh exited with 1``."""
    reason: Mapping[str, Any] = cluster.get("termination_reason") or {}
    parameters: Mapping[str, Any] = reason.get("parameters") or {}
    code = str(reason.get("code", ""))
    words = _REASONS.get(code, _spoken(code)) or "no reason is known"
    details = [str(text) for key, text in parameters.items() if key.endswith("error_message")]
    told = (details or [str(cluster.get("state_message") or "")])[0].strip()
    return f"{words}: {told}" if told else words


def _spoken(name: str) -> str:
    return name.replace("_", " ").lower()


def name_of(cluster: Mapping[str, Any]) -> str:
    """A cluster's name, or its id when it has none."""
    return str(cluster.get("cluster_name") or cluster.get("cluster_id"))


def cluster_called(dbx: Dbx, name: str) -> Json:
    """The one cluster with this name or id.

    Raises:
        NotFoundError: there is none; the hint names those there are.
        UsageError: several have the name.
    """
    clusters = dbx.workspace.clusters()
    found = [cluster for cluster in clusters if name in (cluster["cluster_id"], name_of(cluster))]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"{item['cluster_id']} ({state_words(item)})" for item in found)
        raise UsageError(
            f"{counted(len(found), 'cluster')} are named {name!r}: {ids}.",
            "Say which by its id. `rebuild` makes one out of the project's own.",
        )
    others = listed(sorted({name_of(cluster) for cluster in clusters}), 5)
    raise NotFoundError(
        f"{dbx.workspace.host} has no cluster {name!r}.",
        f"It has: {others}." if others else "It has none yet. Make one with `rebuild`.",
    )


def picked_cluster(dbx: Dbx) -> Json:
    """The picked cluster; when none was picked, the one with the name of the target's cluster.

    A picked cluster that was deleted gives way to the project's own, which may be the same one
    rebuilt by a pipeline; a note says so.

    Raises:
        NotFoundError: there is neither.
        UsageError: several have the name.
    """
    own = dbx.project.target.cluster
    picked = dbx.project.picked
    if picked is None:
        return cluster_called(dbx, own)
    try:
        return dbx.workspace.cluster(picked)
    except NotFoundError:
        pass
    try:
        cluster = cluster_called(dbx, own)
    except DbxError as error:
        raise NotFoundError(
            f"The picked cluster {picked} was deleted. {error.message}",
            "Pick another with `pick NAME`, or make the project's own with `rebuild`.",
        ) from None
    dbx.project.pick(None)
    dbx.notes.append(f"The picked cluster {picked} was deleted; {own} takes its place.")
    return cluster


def cluster_meant(dbx: Dbx, name: str) -> Json:
    """The cluster with this name or id; the picked one when nothing is said."""
    return cluster_called(dbx, name) if name else picked_cluster(dbx)


def started(dbx: Dbx, cluster: Json, *, timeout: float = TIMEOUT) -> Work[Json]:
    """Give the cluster once it runs with its libraries, starting it when it is stopped.

    A library that failed is told and does not stand in the way.

    Raises:
        WorkspaceError: it did not start, or not in time.
    """
    if cluster.get("state") in READY:
        return cluster
    if cluster.get("state") in ENDED:
        yield Note(f"{name_of(cluster)} is stopped; it is being started.")
    cluster = yield from set_running(dbx, cluster, timeout=timeout)
    for failure in failures(dbx.workspace.libraries(cluster["cluster_id"])):
        yield Note(f"Not installed on {name_of(cluster)}: {failure}", "!")
    return cluster


def set_running(dbx: Dbx, cluster: Json, *, timeout: float = TIMEOUT) -> Work[Json]:
    """Start the cluster if it is stopped, and wait until it runs and no library is under way.

    Raises:
        WorkspaceError: it did not start, or not in time.
    """
    cluster_id = str(cluster["cluster_id"])
    if cluster.get("state") == "TERMINATING":
        cluster = yield from wait_ended(dbx, cluster_id, timeout=timeout)
    if cluster.get("state") in ENDED:
        start_if_stopped(dbx, cluster_id)
    return (yield from wait_running(dbx, cluster_id, timeout=timeout))


def must_have_libraries(dbx: Dbx, cluster: Json) -> None:
    """Refuse to call a cluster ready that lacks a library.

    Raises:
        WorkspaceError: at least one failed; each is named with what the installer said.
    """
    failed = failures(dbx.workspace.libraries(str(cluster["cluster_id"])))
    if failed:
        raise WorkspaceError(
            f"{name_of(cluster)} runs, but without {counted(len(failed), 'library')}: "
            f"{' · '.join(failed)}",
            "Correct it in the spec and `rebuild`.",
        )


def start_if_stopped(dbx: Dbx, cluster_id: str) -> None:
    """Start a cluster; that somebody else was faster is as good."""
    try:
        dbx.workspace.start_cluster(cluster_id)
    except WorkspaceError as error:
        if error.code != "INVALID_STATE":
            raise


def wait_running(dbx: Dbx, cluster_id: str, *, timeout: float = TIMEOUT) -> Work[Json]:
    """Wait until a cluster runs and no library is being installed any more.

    Raises:
        WorkspaceError: the cluster ended instead (the message says why), or time is up.
    """

    def missing(cluster: Json) -> str:
        if cluster.get("state") in ENDED:
            raise WorkspaceError(
                f"{name_of(cluster)} did not start: {end_words(cluster)}.",
                "Its events tell more: `events`.",
            )
        if cluster.get("state") not in READY:
            return state_words(cluster)
        statuses = dbx.workspace.libraries(cluster_id)
        waiting = still_installing(statuses)
        count = f" ({len(statuses) - len(waiting) + 1} of {len(statuses)})"
        return f"installing {waiting[0]}{count}" if waiting else ""

    return (yield from _watch(dbx, cluster_id, missing, timeout))


def wait_ended(dbx: Dbx, cluster_id: str, *, timeout: float = TIMEOUT) -> Work[Json]:
    """Wait until a cluster that is stopping has stopped."""

    def missing(cluster: Json) -> str:
        return "" if cluster.get("state") in ENDED else state_words(cluster)

    return (yield from _watch(dbx, cluster_id, missing, timeout))


def settled(dbx: Dbx, cluster_id: str, *, timeout: float = TIMEOUT) -> Work[Json]:
    """Wait until a cluster is neither starting nor stopping: only then it can be changed."""

    def missing(cluster: Json) -> str:
        done = (*ENDED, "RUNNING")
        return "" if cluster.get("state") in done else state_words(cluster)

    return (yield from _watch(dbx, cluster_id, missing, timeout))


def _watch(dbx: Dbx, cluster_id: str, missing: Callable[[Json], str], timeout: float) -> Work[Json]:
    """Look at a cluster again and again until nothing is ``missing``; its words are shown."""
    begin = time.monotonic()
    expected: float | None = None
    seen: object = None
    event = ""
    while True:
        asked = time.monotonic()
        cluster = dbx.workspace.cluster(cluster_id)
        words = missing(cluster)
        if not words:
            return cluster
        if asked - begin > timeout:
            raise WorkspaceError(
                f"{name_of(cluster)} is still {words} after {duration(timeout)}.",
                "It goes on by itself; the same call waits further.",
            )
        told = (cluster.get("state"), cluster.get("state_message"))
        if told != seen:
            seen, (event, expected) = told, history(dbx, cluster_id)
        progress = Progress(
            name_of(cluster),
            f"{words} · {told[1] or event}".removesuffix(" · "),
            expected=None if told[0] in READY else expected,
        )
        interval = _LOCAL_INTERVAL if dbx.is_local else pause(asked - begin, expected)
        yield from _rest(progress, begin, asked + interval)


def _rest(progress: Progress, begin: float, until: float) -> Work[None]:
    while True:
        now = time.monotonic()
        yield replace(progress, elapsed=now - begin)
        if now >= until:
            return
        time.sleep(min(0.5, until - now))


def pause(elapsed: float, expected: float | None) -> float:
    """Seconds between two looks: close to the begin and to the expected end there are more.

    >>> [pause(s, None) for s in (0, 6, 300)], [pause(s, 240) for s in (6, 120, 230, 242)]
    ([1.0, 3.0, 20.0], [3.0, 20.0, 5.0, 4.84])
    """
    distance = elapsed if expected is None else min(elapsed, abs(elapsed - expected))
    return min(20.0, max(1.0, elapsed / 50, distance / 2))


def history(dbx: Dbx, cluster_id: str) -> tuple[str, float | None]:
    """The last event in words, and how long a start takes, as far as the events tell."""
    # Only told, never decided on: that events cannot be read must not end the waiting.
    try:
        events = dbx.workspace.cluster_events(cluster_id, 100)
    except WorkspaceError:
        return "", None
    return event_words(events[0]) if events else "", usual_start(events)


def usual_start(events: Sequence[Mapping[str, Any]]) -> float | None:
    """How long this cluster's earlier starts took, in seconds: their median, if there were any."""
    took: list[float] = []
    begin: float | None = None
    for event in reversed(events):
        match event.get("type"):
            case "CREATING" | "STARTING" | "RESTARTING":
                begin = float(event["timestamp"])
            case "TERMINATING":
                begin = None
            case "RUNNING" if begin is not None:
                took.append((float(event["timestamp"]) - begin) / 1000)
                begin = None
    return statistics.median(took) if took else None
