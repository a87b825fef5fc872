"""``rebuild``: make the cluster equal to its spec, and lose nothing on the way."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .cluster_state import (
    ENDED,
    READY,
    TIMEOUT,
    history,
    must_have_libraries,
    name_of,
    set_running,
    settled,
    start_if_stopped,
    state_words,
)
from .dbx import Dbx
from .drift import TAG, differences, told_body
from .errors import GitError, NotFoundError, ProjectError, UsageError, WorkspaceError
from .events import Note, Planned, Work
from .library import FAILED, failures, library_key, library_name
from .offered import NODE_TYPES, check_node_types, check_policy, check_runtime
from .rebuild_plan import (
    NEW,
    Create,
    Delete,
    Edit,
    Install,
    Resize,
    Restart,
    Run,
    Seen,
    Step,
    Uninstall,
    best,
    plan_rebuild,
)
from .spec import ClusterSpec, Json
from .view import Line, View, duration, listed

_UNDO = "rebuild.json"


@dataclass(frozen=True)
class Rebuilt:
    """The cluster after a rebuild; ``ready`` says that it was seen running with its libraries."""

    cluster: str
    cluster_id: str
    changed: bool
    ready: bool
    seconds: float
    dry_run: bool = False

    def view(self) -> View:
        """One line; nothing after a dry run, whose plan says it all."""
        if self.dry_run:
            return []
        if not self.ready:
            return [
                Line(
                    f"{self.cluster} is on its way; `rebuild` again waits for it",
                    "◐",
                    self.cluster_id,
                )
            ]
        took = f", in {duration(self.seconds)}" if self.changed else ""
        return [Line(f"{self.cluster}  running, equal to its spec{took}", "✓")]


def rebuild(
    dbx: Dbx,
    *,
    dry_run: bool = False,
    fresh: bool = False,
    delete_first: bool = False,
    wait: bool = True,
    timeout: float = TIMEOUT,
    expect: str = "",
) -> Work[Rebuilt]:
    """Make the cluster equal to its spec: create, edit, resize, start it, install its libraries.

    What can stay stays: a size changes without a restart, and nothing happens to a cluster that
    is equal already. A spec that cannot start leaves the old cluster as it was. Killed half-way,
    the next rebuild goes on.

    Args:
        dry_run: Only show what would be done.
        fresh: Make a new cluster; the old one is deleted when the new one runs.
        delete_first: Delete the old cluster before the new one is made.
        wait: Wait until it runs with its libraries.
        timeout: Give up waiting after so many seconds; the cluster goes on by itself.
        expect: Apply only the plan with this fingerprint.

    Raises:
        ProjectError: the spec is wrong, or asks for what the workspace does not offer.
        ConflictError: the plan is not the expected one.
        WorkspaceError: the cluster did not start, or a library was not installed.
    """
    if fresh and not wait and not delete_first:
        raise UsageError(
            "--fresh has to wait: the old cluster goes only when the new one runs.",
            "Use --delete-first with --no-wait.",
        )
    begin = time.monotonic()
    spec = dbx.project.cluster_spec()
    for field in spec.unknown:
        yield Note(f"{field} is not known here; it is sent as it is.", "!")
    seen = _look(dbx, spec)
    plan = plan_rebuild(
        spec,
        seen,
        tags=_tags(dbx, spec),
        fresh=fresh,
        delete_first=delete_first,
        wait=wait,
        usual=_usual(dbx, seen),
    )
    if any(isinstance(step, Create | Edit) for step in plan.steps):
        yield from _check_offered(dbx, spec, seen)
    if dry_run or plan.steps:
        yield Planned(plan if dry_run else replace(plan, apply=""))
    plan.must_be(expect)
    kept = best(spec, seen)
    cluster_id = kept.cluster_id if kept else NEW
    if not dry_run:
        work = _Rebuilding(dbx, spec, seen, plan.steps, cluster_id, wait=wait, timeout=timeout)
        cluster_id = yield from work.apply()
    took = time.monotonic() - begin
    ready = wait or not plan.steps
    return Rebuilt(spec.name, cluster_id, bool(plan.steps), ready, took, dry_run)


def _look(dbx: Dbx, spec: ClusterSpec) -> list[Seen]:
    """Every cluster with the name, as ``clusters/get`` tells it: lists leave out what was told."""
    named = [item for item in dbx.workspace.clusters() if name_of(item) == spec.name]
    found: list[Seen] = []
    for item in named:
        cluster_id = str(item["cluster_id"])
        try:
            cluster = dbx.workspace.cluster(cluster_id)
        except NotFoundError:
            continue
        found.append(Seen(cluster, tuple(dbx.workspace.libraries(cluster_id))))
    return found


def _tags(dbx: Dbx, spec: ClusterSpec) -> Mapping[str, str]:
    head = None
    with contextlib.suppress(GitError):  # a machine without git rebuilds as well
        head = dbx.repo.head if dbx.repo.exists else None
    tags = {"dbx_project": dbx.project.settings.project, TAG: spec.configuration}
    return tags | ({"dbx_commit": head[:12]} if head else {})


def _usual(dbx: Dbx, seen: list[Seen]) -> float | None:
    return history(dbx, seen[0].cluster_id)[1] if seen else None


def _check_offered(dbx: Dbx, spec: ClusterSpec, seen: list[Seen]) -> Work[None]:
    """Ask the workspace about what no cluster of this name has yet."""

    def proven(name: str) -> bool:
        value = spec.body.get(name)
        return value is None or any(item.cluster.get(name) == value for item in seen)

    try:
        if not proven("spark_version"):
            check_runtime(spec, dbx.workspace.spark_versions())
        if not all(proven(name) for name in NODE_TYPES):
            check_node_types(spec, dbx.workspace.node_types())
    except ProjectError as error:
        if not dbx.is_local:
            raise
        yield Note(f"{error.message} It is run on the Spark of this computer.", "!")
    if spec.body.get("policy_id") and not dbx.is_local:
        check_policy(spec, dbx.workspace.policies())


@dataclass
class _Rebuilding:
    """The steps of a plan under way; ``cluster_id`` is the cluster that is to be equal."""

    dbx: Dbx
    spec: ClusterSpec
    seen: list[Seen]
    steps: tuple[Step, ...]
    cluster_id: str
    wait: bool
    timeout: float
    done: bool = False

    def apply(self) -> Work[str]:
        """Do all steps and give the cluster's id."""
        if not any(isinstance(step, Run) for step in self.steps):
            self._done()  # it is equal and running; at most others go
        try:
            for step in self.steps:
                yield from self._do(step)
        except WorkspaceError as error:
            raise (yield from self._undone(error)) from None
        except (KeyboardInterrupt, GeneratorExit):
            self.dbx.notes.append(
                f"{self.spec.name} goes on by itself; `rebuild` goes on from where this stopped."
            )
            raise
        return self.cluster_id

    def _do(self, step: Step) -> Work[None]:
        workspace = self.dbx.workspace
        match step:
            case Create():
                self.cluster_id = NEW
                self.cluster_id = workspace.create_cluster(step.body)
            case Uninstall():
                self._remember()
                workspace.uninstall(step.cluster_id, step.libraries)
            case Edit():
                self._remember()
                yield from settled(self.dbx, step.cluster_id, timeout=self.timeout)
                workspace.edit_cluster(step.body)
            case Resize():
                yield from settled(self.dbx, step.cluster_id, timeout=self.timeout)
                workspace.resize_cluster(step.cluster_id, step.size)
            case Restart():
                cluster = yield from settled(self.dbx, step.cluster_id, timeout=self.timeout)
                if cluster["state"] == "RUNNING":
                    workspace.restart_cluster(step.cluster_id)
            case Install():
                workspace.install(self.cluster_id, step.libraries)
            case Run():
                yield from self._run()
            case Delete():
                with contextlib.suppress(NotFoundError):  # somebody else was faster
                    workspace.delete_cluster(step.cluster_id)

    def _run(self) -> Work[None]:
        cluster = self.dbx.workspace.cluster(self.cluster_id)
        if not self.wait:
            if cluster.get("state") in ENDED:
                start_if_stopped(self.dbx, self.cluster_id)
            return
        yield from set_running(self.dbx, cluster, timeout=self.timeout)
        must_have_libraries(self.dbx, cluster)
        self._done()

    def _done(self) -> None:
        """The old configuration is not needed any more, and cells run on this cluster."""
        self.done = True
        self._undo_file.unlink(missing_ok=True)
        picked = self.dbx.project.picked
        ours = picked is None or any(item.cluster_id == picked for item in self.seen)
        if ours or not self._exists(picked):
            self.dbx.project.pick(self.cluster_id)

    # When a step fails

    @property
    def _undo_file(self) -> Path:
        return self.dbx.project.state_folder / _UNDO

    def _remember(self) -> None:
        """Keep what the cluster is now, so that even a killed rebuild can be undone by the next."""
        now = next(item for item in self.seen if item.cluster_id == self.cluster_id)
        if now.state not in READY and self._old():
            return  # what was kept before is the last that was seen running
        old = {
            "cluster_id": now.cluster_id,
            "up": now.state in READY,
            "body": told_body(now.cluster),
            "libraries": [item["library"] for item in now.libraries],
        }
        self.dbx.project.write_state(_UNDO, json.dumps(old))

    def _old(self) -> dict[str, Any] | None:
        try:
            old: dict[str, Any] = json.loads(self._undo_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return old if old["cluster_id"] == self.cluster_id else None

    def _undone(self, error: WorkspaceError) -> Work[WorkspaceError]:
        """Leave the user with a cluster that works, and add to the error what became of it."""
        if self.done:
            return _more(error, f"{self.spec.name} itself is running, equal to its spec.")
        if any(isinstance(step, Create) for step in self.steps):
            return self._without_new(error)
        old = self._old()
        if old is None:
            return error
        cluster = self.dbx.workspace.cluster(self.cluster_id)
        applied = not differences(self.spec, cluster)
        if cluster.get("state") in READY and applied:
            self._undo_file.unlink()
            return self._with_old_libraries(error, old["libraries"])
        if cluster.get("state") not in (*ENDED, *READY):
            return error  # time is up; it may still start
        if applied:
            self.dbx.workspace.edit_cluster({"cluster_id": self.cluster_id, **old["body"]})
        self._put_libraries_back(old["libraries"])
        if not applied:
            return _more(error, f"{self.spec.name} is as it was, {state_words(cluster)}.")
        if not old["up"]:
            self._undo_file.unlink()
            return _more(error, "Its old configuration was put back; it is stopped.")
        yield Note(f"{error.message} Its old configuration is put back.", "!")
        try:
            yield from set_running(self.dbx, cluster, timeout=self.timeout)
        except WorkspaceError as again:
            return _more(error, f"The old configuration was put back: {again.message}")
        self._undo_file.unlink()
        return _more(error, "Its old configuration was put back, and it runs again.")

    def _without_new(self, error: WorkspaceError) -> WorkspaceError:
        """Take a new cluster away again that cannot replace the old one."""
        left = [item for item in self.seen if self._exists(item.cluster_id)]
        if not left:
            return error
        if self.cluster_id != NEW:
            new = self.dbx.workspace.cluster(self.cluster_id)
            if new.get("state") not in ENDED and not failures(self._statuses()):
                return error  # time is up; it may still get ready
            self.dbx.workspace.delete_cluster(self.cluster_id)
        old = self.dbx.workspace.cluster(left[0].cluster_id)
        return WorkspaceError(
            f"{error.message} The new cluster was deleted; "
            f"the old one is as it was, {state_words(old)}.",
            "Correct the spec and `rebuild` again.",
            code=error.code,
        )

    def _exists(self, cluster_id: str | None) -> bool:
        try:
            self.dbx.workspace.cluster(str(cluster_id))
        except NotFoundError:
            return False
        return True

    def _with_old_libraries(self, error: WorkspaceError, old: list[Json]) -> WorkspaceError:
        """Give the cluster its earlier version of each library whose new one failed."""
        failed = {
            library_key(item["library"]): item["library"]
            for item in self._statuses()
            if item.get("status") == FAILED
        }
        earlier = [library for library in old if library_key(library) in failed]
        if not earlier:
            return error
        self.dbx.workspace.uninstall(self.cluster_id, list(failed.values()))
        self.dbx.workspace.install(self.cluster_id, earlier)
        names = listed([library_name(library) for library in earlier])
        return _more(error, f"Installed again as before: {names}.")

    def _put_libraries_back(self, old: list[Json]) -> None:
        now = {library_name(item["library"]): item for item in self._statuses()}
        names = {library_name(library) for library in old}
        added = [item["library"] for name, item in now.items() if name not in names]
        if added:
            self.dbx.workspace.uninstall(self.cluster_id, added)
        if old:
            self.dbx.workspace.install(self.cluster_id, old)

    def _statuses(self) -> list[Json]:
        return list(self.dbx.workspace.libraries(self.cluster_id))


def _more(error: WorkspaceError, what: str) -> WorkspaceError:
    return WorkspaceError(f"{error.message} {what}", error.hint, code=error.code)
