"""Where things stand: workspace, cluster, notebooks, versions, each in a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .cluster_state import name_of, picked_cluster, state_symbol, state_words
from .clusters import runtime_words, size_words
from .dbx import Dbx
from .drift import differences
from .errors import DbxError, GitError, NotFoundError
from .events import Planned, Work
from .settings import LOCAL
from .transfer import push
from .versions import uncommitted
from .view import Line, Table, View, counted, listed


@dataclass(frozen=True)
class ClusterStatus:
    """The picked cluster; ``differs`` names the fields in which it is not as its spec says."""

    name: str
    cluster_id: str
    state: str
    runtime: str
    size: str
    differs: tuple[str, ...]


@dataclass(frozen=True)
class NotebookStatus:
    """What a push would change in the workspace's folder ``root``, each with its symbol."""

    root: str
    differ: tuple[str, ...]
    equal: int


@dataclass(frozen=True)
class VersionStatus:
    """What git says of the project: ``changed`` paths are not committed."""

    branch: str
    commit: str
    changed: tuple[str, ...]
    unpublished: int | None


@dataclass(frozen=True)
class Status:
    """Where a project stands. What could not be looked at has its reason in ``troubles``."""

    project: str
    target: str
    host: str
    user: str
    cluster: ClusterStatus | None
    notebooks: NotebookStatus | None
    version: VersionStatus | None
    troubles: Mapping[str, str]

    def view(self) -> View:
        """The card: one line for what is fine."""
        rows = [("project", self.project)]
        if self.host:
            rows.append(("workspace", f"{_place(self)}, as {self.user}"))
        if self.cluster:
            rows.append(("cluster", _cluster_words(self.cluster)))
        if self.notebooks:
            rows.append(("notebooks", _notebook_words(self.notebooks)))
        if self.version:
            rows.append(("versions", _version_words(self.version)))
        rows += [(row, f"! {words}") for row, words in self.troubles.items()]
        return [Table(tuple(rows))]


@dataclass(frozen=True)
class NoProject:
    """A folder that is no project yet."""

    folder: str
    target: str = ""
    cluster: None = None

    def view(self) -> View:
        """What there is, and the way on."""
        return [Line(f"{self.folder} is no project yet. Make one with `init`.")]


def status(dbx: Dbx) -> Work[Status | NoProject]:
    """Show where things stand: workspace, cluster and spec, notebooks, versions."""
    if not dbx.project.exists:
        return NoProject(str(dbx.project.root))
    troubles: dict[str, str] = {}
    host = user = ""
    cluster = notebooks = version = None
    row = "workspace"
    try:
        user = dbx.workspace.user()
        host = dbx.workspace.host
        row = "cluster"
        cluster = _cluster(dbx)
    except DbxError as error:
        troubles[row] = str(error)
    if host:
        try:
            notebooks = yield from _notebooks(dbx)
        except DbxError as error:
            troubles["notebooks"] = str(error)
    try:
        version = _version(dbx)
    except GitError as error:
        troubles["versions"] = str(error)
    target = dbx.project.target.name or (LOCAL if host and dbx.is_local else "default")
    name = dbx.project.settings.project
    return Status(name, target, host, user, cluster, notebooks, version, troubles)


def _notebooks(dbx: Dbx) -> Work[NotebookStatus]:
    """What a push would do is what differs; nothing is sent."""
    differ: tuple[str, ...] = ()
    work = push(dbx, dry_run=True)
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            return NotebookStatus(end.value.root, differ, end.value.unchanged)
        if isinstance(event, Planned):
            # The lines that show both sides of a conflict have texts; one line names each object.
            named = (item for item in event.plan.changes if not item.before)
            differ = tuple(f"{item.symbol} {item.subject}" for item in named)
        else:
            yield event


def _cluster(dbx: Dbx) -> ClusterStatus | None:
    try:
        cluster = picked_cluster(dbx)
    except NotFoundError:
        return None
    own = name_of(cluster) == dbx.project.target.cluster and dbx.project.spec_path.exists()
    found = differences(dbx.project.cluster_spec(), cluster) if own else []
    return ClusterStatus(
        name_of(cluster),
        str(cluster["cluster_id"]),
        str(cluster.get("state", "UNKNOWN")),
        runtime_words(cluster),
        size_words(cluster),
        tuple(difference.field for difference in found),
    )


def _version(dbx: Dbx) -> VersionStatus:
    dbx.repo.must_exist()
    commit = dbx.repo.head
    unpublished = dbx.repo.run("rev-list", "--count", "@{upstream}..HEAD", check=False)
    return VersionStatus(
        dbx.repo.branch or "",
        (commit or "")[:7],
        uncommitted(dbx),
        int(unpublished) if unpublished else None,
    )


def _place(status: Status) -> str:
    return f"local workspace ({status.host})" if status.target == LOCAL else status.host


def _cluster_words(cluster: ClusterStatus) -> str:
    spec = f"differs from its spec: {listed(cluster.differs)}" if cluster.differs else ""
    parts = [f"{state_symbol({'state': cluster.state})} {cluster.name}"]
    parts += [state_words({"state": cluster.state}), f"runtime {cluster.runtime}", cluster.size]
    return " · ".join([*parts, spec or "equal to its spec"])


def _notebook_words(notebooks: NotebookStatus) -> str:
    if not notebooks.differ:
        return f"equal to {notebooks.root}"
    total = len(notebooks.differ) + notebooks.equal
    differ = "  ".join(notebooks.differ[:4]) + ("  …" if len(notebooks.differ) > 4 else "")
    return f"{len(notebooks.differ)} of {total} differ from {notebooks.root}:  {differ}"


def _version_words(version: VersionStatus) -> str:
    if not version.commit:
        return "no commit yet"
    parts = [f"{version.branch or 'no branch'} at {version.commit}"]
    if version.changed:
        parts.append(f"{counted(len(version.changed), 'file')} not committed")
    if version.unpublished:
        parts.append(f"{counted(version.unpublished, 'commit')} not published")
    return " · ".join(parts)
