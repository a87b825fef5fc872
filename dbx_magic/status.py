"""Where things stand: workspace, cluster, notebooks, versions, each in a line."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from .cluster_state import name_of, picked_cluster, state_symbol, state_words
from .clusters import runtime_words, size_words, unlike_spec
from .dbx import Dbx
from .errors import DbxError, GitError, NotFoundError, ProjectError
from .events import Planned, Work
from .exchange import root_of
from .project import SPEC
from .remote import Folder
from .settings import LOCAL
from .spec import parse_spec
from .transfer import push
from .versions import uncommitted
from .view import Line, Table, View, ago, counted, listed

_DEPLOYED = ("notebooks", "workspace")
_DEPLOYED_FOLDERS = tuple(f"{name}/" for name in _DEPLOYED)


@dataclass(frozen=True)
class ClusterStatus:
    """The picked cluster; ``differs`` names the fields in which it is not as its spec says.

    ``commit`` is the version here, when its spec is the one that the cluster is equal to.
    """

    name: str
    cluster_id: str
    state: str
    runtime: str
    size: str
    differs: tuple[str, ...]
    commit: str = ""


@dataclass(frozen=True)
class NotebookStatus:
    """What a push would change in the workspace's folder ``root``, each with its symbol.

    ``by_hand`` names what somebody changed there.
    """

    root: str
    differ: tuple[str, ...]
    equal: int
    by_hand: tuple[str, ...] = ()


@dataclass(frozen=True)
class VersionStatus:
    """What git says of the project: ``changed`` paths are not committed."""

    branch: str
    commit: str
    changed: tuple[str, ...]
    unpublished: int | None


@dataclass(frozen=True)
class Deployed:
    """The version that the workspace has: what the last push says, from here or a pipeline.

    ``clean`` says that the commit was all that was pushed; ``behind`` counts the versions since
    that changed what is deployed, ``None`` when its commit is not here.
    """

    commit: str
    user: str
    ago: float
    clean: bool
    behind: int | None


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
    deployed: Deployed | None = None

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
        if self.deployed:
            by_hand = self.notebooks.by_hand if self.notebooks else ()
            rows.append(("deployed", _deployed_words(self.deployed, by_hand)))
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
    cluster = notebooks = version = deployed = None
    row = "workspace"
    try:
        user = dbx.workspace.user()
        host = dbx.workspace.host
        row = "cluster"
        cluster = _cluster(dbx)
    except DbxError as error:
        troubles[row] = str(error)
    try:
        version = _version(dbx)
    except GitError as error:
        troubles["versions"] = str(error)
    if host:
        try:
            notebooks = yield from _notebooks(dbx)
            deployed = _deployed(dbx, _is_as_committed(notebooks, version))
        except DbxError as error:
            troubles["notebooks"] = str(error)
    target = dbx.project.target.name or (LOCAL if host and dbx.is_local else "default")
    name = dbx.project.settings.project
    return Status(name, target, host, user, cluster, notebooks, version, troubles, deployed)


def _notebooks(dbx: Dbx) -> Work[NotebookStatus]:
    """What a push would do is what differs; nothing is sent."""
    differ: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    work = push(dbx, dry_run=True)
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            root, unchanged, left = end.value.root, end.value.unchanged, end.value.left
            return NotebookStatus(root, differ, unchanged, (*by_hand, *left))
        if isinstance(event, Planned):
            changes = event.plan.changes
            differ = tuple(f"{item.symbol} {item.subject}" for item in changes)
            by_hand = tuple(item.subject for item in changes if item.symbol == "!")
        else:
            yield event


def _cluster(dbx: Dbx) -> ClusterStatus | None:
    try:
        cluster = picked_cluster(dbx)
    except NotFoundError:
        return None
    own = name_of(cluster) == dbx.project.target.cluster and dbx.project.spec_path.exists()
    differs = unlike_spec(dbx, dbx.project.cluster_spec(), cluster) if own else ()
    return ClusterStatus(
        name_of(cluster),
        str(cluster["cluster_id"]),
        str(cluster.get("state", "UNKNOWN")),
        runtime_words(cluster),
        size_words(cluster),
        differs,
        _version_of(dbx) if own and not differs else "",
    )


def _version_of(dbx: Dbx) -> str:
    """The version here, if the cluster spec is as it was committed.

    The cluster's own tag is no answer: a resize leaves it, and so does a version with that spec.
    """
    try:
        committed = dbx.repo.run("show", f"HEAD:./{SPEC}")
        spec = parse_spec(committed, dbx.project.target.cluster, where=str(SPEC))
    except (GitError, ProjectError):
        return ""
    same = spec.fingerprint == dbx.project.cluster_spec().fingerprint
    return (dbx.repo.head or "")[:7] if same else ""


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


def _is_as_committed(notebooks: NotebookStatus, version: VersionStatus | None) -> bool:
    """Whether the workspace is seen to be equal to the version here."""
    if version is None or not version.commit or notebooks.differ or notebooks.by_hand:
        return False
    return not any(path.startswith(_DEPLOYED_FOLDERS) for path in version.changed)


def _deployed(dbx: Dbx, is_as_committed: bool) -> Deployed | None:
    """What the record beside the notebooks says; ``None`` before the first push.

    What was pushed before it was committed is that commit, whatever was checked out then.
    """
    record = Folder(dbx.workspace, root_of(dbx, "")).record()
    if record is None:
        return None
    if is_as_committed:
        record = replace(record, commit=dbx.repo.head or "", clean=True)
    behind = None
    if record.commit:
        with contextlib.suppress(GitError):
            if dbx.repo.exists and dbx.repo.commit(record.commit):
                newer = ("rev-list", "--count", f"{record.commit}..HEAD", "--", *_DEPLOYED)
                behind = int(dbx.repo.run(*newer))
    then = datetime.fromisoformat(record.at)
    since = max(0.0, (datetime.now(timezone.utc) - then).total_seconds())
    return Deployed(record.commit[:7], record.user, since, record.clean, behind)


def _place(status: Status) -> str:
    return f"local workspace ({status.host})" if status.target == LOCAL else status.host


def _cluster_words(cluster: ClusterStatus) -> str:
    spec = f"differs from its spec: {listed(cluster.differs)}" if cluster.differs else ""
    parts = [f"{state_symbol({'state': cluster.state})} {cluster.name}"]
    parts += [state_words({"state": cluster.state}), f"runtime {cluster.runtime}", cluster.size]
    parts.append(spec or "equal to its spec")
    if cluster.commit:
        parts.append(f"as in version {cluster.commit}")
    return " · ".join(parts)


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
    elif version.unpublished == 0:
        parts.append("published")
    return " · ".join(parts)


def _deployed_words(deployed: Deployed, by_hand: tuple[str, ...]) -> str:
    what = deployed.commit or "what was never committed"
    edits = "" if deployed.clean or not deployed.commit else " and edits that were not committed"
    parts = [f"{what}{edits}, by {deployed.user}, {ago(deployed.ago)}"]
    if deployed.behind:
        parts.append(f"{counted(deployed.behind, 'version')} behind")
    elif deployed.behind is None and deployed.commit:
        parts.append("a version that is not here")
    if by_hand:
        parts.append(f"changed by hand in the workspace: {listed(by_hand)}")
    return " · ".join(parts)
