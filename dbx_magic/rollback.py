"""Going back to a version: as a new one on top, which the pipelines deploy like any other."""

from __future__ import annotations

import time
from dataclasses import dataclass

from . import lockfile
from .dbx import Dbx
from .draft import Draft, drafting
from .errors import ConflictError
from .events import Note, Planned, Work
from .lockfile import PATHS, Lock
from .plan import Change, Plan
from .project import SPEC, write
from .publishing import Published, publish_branch, waiting
from .repo import FileChange, Repo
from .strip import without_outputs
from .view import Line, View, ago, counted, listed

_SHOWN = 12


@dataclass(frozen=True)
class RolledBack:
    """The new version that is as an old one was; without ``files`` nothing had changed since."""

    commit: str
    version: str
    files: tuple[str, ...]
    kept: str = ""
    published: Published | None = None
    dry_run: bool = False

    def view(self) -> View:
        """One line, then where outputs were kept and where it was published."""
        if self.dry_run:
            return []
        if not self.files:
            return [Line(f"everything is as in {self.version[:7]} already", "✓")]
        words = f"{counted(len(self.files), 'file')} as in {self.version[:7]}"
        lines = [Line(f"commit {self.commit[:7]}: {words}", "✓")]
        if self.kept:
            lines.append(Line(f"The outputs that were in them are kept in {self.kept}", indent=1))
        return [*lines, *(self.published.view() if self.published else [])]


def rollback(
    dbx: Dbx,
    version: str,
    *,
    message: str = "",
    publish: bool = False,
    dry_run: bool = False,
    expect: str = "",
) -> Work[RolledBack]:
    """Go back to a version: its cluster spec, notebooks, code and pipelines become a new version.

    Nothing of the history is lost, and what has not been committed is never overwritten.

    Args:
        version: A commit or tag, as `history` shows them.
        message: What to say of the new version.
        publish: Publish it at once, so that the pipelines deploy it.
        dry_run: Only show what would change.
        expect: Go back only if the plan is still the one with this fingerprint.

    Raises:
        GitError: there is no such version, or the repository is in no state for it.
        ConflictError: files that would change have edits that are not committed.
    """
    dbx.project.must_exist()
    with drafting(dbx.repo) as draft:
        commit = dbx.repo.must_have(version)
        files, lock = _fill(dbx, draft, commit)
        about = _about(dbx.repo, commit)
        plan = _plan(files, about)
        if dry_run:
            yield Planned(plan)
        plan.must_be(expect)
        done = RolledBack(
            draft.parent or "", commit, tuple(item.path for item in files), dry_run=dry_run
        )
        if dry_run or not files:
            return done
        _refuse_edits(dbx.repo, files)
        kept = _keep_outputs(dbx, files, commit)
        trailers = {"Dbx-Rollback-To": commit, **lock.trailers}
        models = lockfile.read(dbx.project.root).models
        # Every file of it is in the history already, so it is not searched for secrets.
        words = message or f"Go back to {_name(dbx.repo, commit)}"
        work = draft.commit(words, trailers, lambda _: None)
        made = yield from waiting(work, "commit", "hooks are running")
    for model, number in lock.models.items() - models.items():
        yield Note(f"It goes with {model} {number}; `promote {number}` makes that the champion.")
    cluster = dbx.project.settings.cluster
    published = (yield from publish_branch(dbx.repo, cluster)) if publish else None
    return RolledBack(made, commit, done.files, kept, published)


def _about(repo: Repo, commit: str) -> str:
    """Name a version for people: ``4f2c1ab "Raise threshold" (2 h ago)``."""
    when = int(repo.run("log", "-1", "--format=%ct", commit))
    return f"{_name(repo, commit)} ({ago(max(0.0, time.time() - when))})"


def _name(repo: Repo, commit: str) -> str:
    return f'{commit[:7]} "{repo.run("log", "-1", "--format=%s", commit)}"'


def _fill(dbx: Dbx, draft: Draft, commit: str) -> tuple[tuple[FileChange, ...], Lock]:
    draft.restore(commit, PATHS)
    repo, blobs = dbx.repo, draft.blobs()
    text = (
        repo.read("cat-file", "blob", blobs[lockfile.NAME]).decode()
        if lockfile.NAME in blobs
        else ""
    )
    before = lockfile.parse(text) if text else Lock()
    spec = repo.read("cat-file", "blob", blobs[str(SPEC)]).decode() if str(SPEC) in blobs else None
    lock = lockfile.renewed(before, blobs, spec, dbx.project.settings.cluster, str(SPEC))
    draft.replace({lockfile.NAME: lock.render().encode()}, on_disk=True)
    return draft.changes(), lock


def _plan(files: tuple[FileChange, ...], about: str) -> Plan[FileChange]:
    shown = [item for item in files if item.path != lockfile.NAME]
    changes = [Change(item.symbol, item.path) for item in shown[:_SHOWN]]
    if len(shown) > _SHOWN:
        changes.append(Change("~", counted(len(shown) - _SHOWN, "more file")))
    title = f"{counted(len(shown), 'file')} will be as in {about}"
    return Plan(title, files, tuple(changes), f"rollback {about.partition(' ')[0]}")


def _refuse_edits(repo: Repo, files: tuple[FileChange, ...]) -> None:
    """Refuse to overwrite what is only on disk; outputs of notebooks are kept elsewhere."""
    differing = set(repo.changed(PATHS))
    edited = [item.path for item in files if _is_edited(repo, item, differing)]
    if edited:
        raise ConflictError(
            f"{listed(edited)} would be overwritten, but {'is' if len(edited) == 1 else 'are'} "
            "not committed as it is on disk. Nothing was changed.",
            "Commit first: `commit -m …`",
        )


def _is_edited(repo: Repo, item: FileChange, differing: set[str]) -> bool:
    if item.path == lockfile.NAME:
        return False
    there = repo.folder / item.path
    if item.symbol == "+":
        return there.is_symlink() or there.exists()
    if repo.prefix + item.path not in differing:
        return False
    if not item.path.endswith(".ipynb") or not there.is_file():
        return True
    committed = repo.read("cat-file", "blob", f"HEAD:./{item.path}")
    return without_outputs(there.read_bytes()) != without_outputs(committed)


def _keep_outputs(dbx: Dbx, files: tuple[FileChange, ...], commit: str) -> str:
    folder = dbx.project.state_file("outputs") / f"before-{commit[:7]}"
    kept = False
    for item in files:
        there = dbx.project.root / item.path
        if item.path.endswith(".ipynb") and there.is_file():
            content = there.read_bytes()
            if without_outputs(content) != content:
                write(folder / item.path, content)
                kept = True
    return str(folder.relative_to(dbx.project.root)) if kept else ""
