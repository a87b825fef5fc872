"""What a cluster tells of itself: its events, its logs, its libraries, its spec."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .cluster_state import cluster_meant, end_words, event_words, name_of
from .dbx import Dbx
from .drift import told_body
from .errors import ConflictError, NotFoundError, ProjectError
from .library import FAILED, INSTALLED, LEAVING, library_name
from .offered import WorkspaceOffers, offers_of
from .project import SPEC, write
from .spec import PLACEHOLDER, SCHEMA, parse_spec, schema, schema_text
from .view import Block, Diff, Line, Symbol, Table, View, duration
from .workspace import Json

_LIBRARY: Mapping[str, tuple[Symbol, str]] = {
    **dict.fromkeys(INSTALLED, ("✓", "installed")),
    FAILED: ("✗", "failed"),
    LEAVING: ("−", "goes at the next restart"),
    "SKIPPED": ("○", "skipped"),
    "PENDING": ("◐", "waits for its turn"),
    "RESOLVING": ("◐", "is being resolved"),
    "INSTALLING": ("◐", "is being installed"),
}


@dataclass(frozen=True)
class Happened:
    """One event: how long ago in seconds, what, and the rest of it."""

    ago: float
    what: str
    details: str


@dataclass(frozen=True)
class Events:
    """What happened to a cluster, latest first."""

    cluster: str
    events: tuple[Happened, ...]

    def view(self) -> View:
        """A table, latest first."""
        rows = tuple((f"{duration(e.ago)} ago", e.what, e.details) for e in self.events)
        return [Line(self.cluster), Table(rows, ("when", "what", ""))]


def events(dbx: Dbx, cluster: str = "", *, rows: int = 20) -> Events:
    """Tell what happened to a cluster: starts, changes, and why it ended.

    Args:
        cluster: Its name or its id; the picked one when left out.
        rows: How many, the latest first.
    """
    found = cluster_meant(dbx, cluster)
    told = dbx.workspace.cluster_events(str(found["cluster_id"]), rows)
    now = time.time()
    happened = tuple(
        Happened(max(0.0, now - float(event["timestamp"]) / 1000), *_what(event)) for event in told
    )
    return Events(name_of(found), happened)


def _what(event: Mapping[str, Any]) -> tuple[str, str]:
    details: Mapping[str, Any] = event.get("details") or {}
    parts: list[str] = []
    if details.get("reason"):
        parts.append(end_words({"termination_reason": details["reason"]}))
    if details.get("driver_state_message"):
        parts.append(str(details["driver_state_message"]))
    if details.get("previous_attributes") and details.get("attributes"):
        changed = [
            key
            for key, value in details["attributes"].items()
            if value != details["previous_attributes"].get(key)
        ]
        parts.append(f"changed: {', '.join(changed)}")
    before, after = details.get("previous_cluster_size"), details.get("cluster_size")
    if before and after:
        parts.append(f"{_size(before)} → {_size(after)}")
    if details.get("user"):
        parts.append(f"by {details['user']}")
    return event_words(event) or str(event["type"]).replace("_", " ").lower(), ", ".join(parts)


def _size(size: Json) -> str:
    scale = size.get("autoscale")
    if scale:
        return f"{scale.get('min_workers')}–{scale.get('max_workers')} workers"
    return f"{size.get('num_workers', 0)} workers"


@dataclass(frozen=True)
class LibraryStatus:
    """One library and how far it is, with what the installer said."""

    library: str
    status: str
    message: str


@dataclass(frozen=True)
class Libraries:
    """The libraries of a cluster."""

    cluster: str
    libraries: tuple[LibraryStatus, ...]

    def view(self) -> View:
        """One line for each."""
        lines: list[Block] = [Line(self.cluster, note="" if self.libraries else "no libraries")]
        for item in self.libraries:
            unknown: tuple[Symbol, str] = ("◐", item.status.replace("_", " ").lower())
            symbol, words = _LIBRARY.get(item.status, unknown)
            note = ": ".join(filter(None, [words, item.message]))
            lines.append(Line(item.library, symbol, note, indent=1))
        return lines


def libraries(dbx: Dbx, cluster: str = "") -> Libraries:
    """Tell which libraries a cluster has and how far each is.

    Args:
        cluster: Its name or its id; the picked one when left out.
    """
    found = cluster_meant(dbx, cluster)
    statuses = tuple(
        LibraryStatus(
            library_name(item["library"]),
            str(item.get("status", "")),
            " ".join(item.get("messages") or ()),
        )
        for item in dbx.workspace.libraries(str(found["cluster_id"]))
    )
    return Libraries(name_of(found), statuses)


LOGS = {"driver": "log4j-active.log", "stdout": "stdout", "stderr": "stderr"}


@dataclass(frozen=True)
class Log:
    """The end of a log."""

    path: str
    lines: tuple[str, ...]

    def view(self) -> View:
        """The lines as they are."""
        return [Line(self.path), *(Line(line) for line in self.lines)]


def logs(
    dbx: Dbx,
    log: Literal["driver", "stdout", "stderr"] = "driver",
    cluster: str = "",
    *,
    rows: int = 50,
) -> Log:
    """Show the end of a log of a cluster's driver, from where the spec delivers logs.

    Args:
        log: driver (Spark's own), stdout or stderr.
        cluster: Its name or its id; the picked one when left out.
        rows: How many lines, the last ones.

    Raises:
        ProjectError: the cluster delivers no logs to a place that can be read.
        NotFoundError: none was delivered yet.
    """
    found = cluster_meant(dbx, cluster)
    place: Json = found.get("cluster_log_conf") or {}
    target = (place.get("dbfs") or place.get("volumes") or {}).get("destination")
    if not target:
        raise ProjectError(
            f"{name_of(found)} delivers no logs to DBFS or to a volume.",
            'Add "cluster_log_conf": {"dbfs": {"destination": "dbfs:/cluster-logs"}} to its spec.',
        )
    path = f"{target.rstrip('/')}/{found['cluster_id']}/driver/{LOGS[log]}"
    try:
        text = dbx.workspace.end_of_file(path, size=200 * rows)
    except NotFoundError:
        raise NotFoundError(
            f"There is no {path} yet.", "Logs are delivered some minutes after they are written."
        ) from None
    return Log(path, tuple(text.splitlines()[-rows:]))


@dataclass(frozen=True)
class SpecFile:
    """The cluster spec: its text, and how it differs from the one that was there."""

    path: str
    text: str
    written: bool
    difference: tuple[str, ...] = ()
    remark: str = ""

    def view(self) -> View:
        """The difference that was made, or the text."""
        blocks: list[Block] = [Line(self.path, "✓" if self.written else "")]
        if self.difference:
            blocks.append(Diff(self.difference))
        elif not self.written:
            blocks += [Line(line) for line in self.text.splitlines()]
        if self.remark:
            blocks.append(Line(self.remark, "!"))
        return blocks


def spec(
    dbx: Dbx,
    action: Literal["show", "from", "offers"] = "show",
    cluster: str = "",
    *,
    dry_run: bool = False,
    force: bool = False,
) -> SpecFile | WorkspaceOffers:
    """Show the cluster spec, checked; or write it from a cluster that is there.

    Args:
        action: show, or from: put a cluster under version control that was made by hand, or
            offers: list the runtimes, machines and policies of the workspace.
        cluster: With from, the cluster: its name or its id; the picked one when left out.
        dry_run: Only show what would be written.
        force: Overwrite a spec that says something else.

    Raises:
        ProjectError: the spec is wrong, or the cluster holds a secret in plain text.
        ConflictError: there is a spec already that says something else.
    """
    path = dbx.project.spec_path
    if action == "show":
        wanted = dbx.project.cluster_spec()
        body = {
            **wanted.body,
            **({"libraries": list(wanted.libraries)} if wanted.libraries else {}),
        }
        return SpecFile(str(SPEC), _json(body), written=False)
    if action == "offers":
        there = dbx.workspace
        return offers_of(there.spark_versions(), there.node_types(), there.policies())
    found = cluster_meant(dbx, cluster)
    text = _json(_spec_of(found, dbx.workspace.libraries(str(found["cluster_id"]))))
    parse_spec(text, dbx.project.target.cluster, where=f"The spec of {name_of(found)}")
    before = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    difference = tuple(
        difflib.unified_diff(before.splitlines(), text.splitlines(), "here", "cluster", lineterm="")
    )
    own = dbx.project.target.cluster
    remark = ""
    if name_of(found) != own:
        remark = (
            f"The project's cluster is named {own}: the next rebuild makes one of that name. "
            f'To go on with this one write cluster = "{name_of(found)}" in dbx.toml.'
        )
    if dry_run:
        return SpecFile(str(SPEC), text, False, difference, remark)
    if before and before != text and not force:
        raise ConflictError(
            f"{SPEC} says something else than {name_of(found)}.",
            "See the difference with --dry-run; overwrite it with --force.",
        )
    write(path, text)
    write(path.with_name(SCHEMA), schema_text())
    return SpecFile(str(SPEC), text, True, difference, remark)


def _spec_of(cluster: Json, statuses: list[Json]) -> Json:
    told = {key: value for key, value in told_body(cluster).items() if value not in ({}, [])}
    if told.get("driver_node_type_id") == told.get("node_type_id"):
        told.pop("driver_node_type_id", None)
    body = {key: told[key] for key in (*schema()["properties"], *told) if key in told}
    tags = {k: v for k, v in body.pop("custom_tags", {}).items() if not k.startswith("dbx_")}
    own = [item["library"] for item in statuses if not item.get("is_library_for_all_clusters")]
    return {
        "$schema": SCHEMA,
        **body,
        "cluster_name": PLACEHOLDER,
        **({"custom_tags": tags} if tags else {}),
        **({"libraries": own} if own else {}),
    }


def _json(value: Json) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
