"""Versions: the cluster spec, the notebooks and the code of one moment, as one commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from . import lockfile, secrets_scan
from .conversion import Conversions, convert_all, plan_conversions
from .dbx import Dbx
from .draft import Draft, drafting
from .errors import DbxError, GitError, UsageError
from .events import Note, Planned, Work
from .exchange import open_base
from .lockfile import Lock
from .plan import Change, Plan
from .project import SPEC
from .publishing import Published, publish_branch, waiting
from .repo import FileChange, blob_id
from .strip import without_outputs
from .tree import Walk, is_junk
from .view import Line, View, counted

_SHOWN = 12


@dataclass(frozen=True)
class CommittedFile:
    """One file of a version, and what happened to it."""

    path: str
    symbol: Literal["+", "~", "−"]


@dataclass(frozen=True)
class Committed:
    """The version that is there now; without ``files`` it is the one that was there before."""

    commit: str
    branch: str
    message: str
    files: tuple[CommittedFile, ...]
    spec: str
    published: Published | None = None
    dry_run: bool = False

    def view(self) -> View:
        """One line, then the files, then where it was published."""
        if self.dry_run:
            return []
        published = self.published.view() if self.published else []
        where = f"commit {self.commit[:7]} on {self.branch}"
        if not self.files:
            line = Line("nothing to commit", "✓", note=f"everything is as in {where}")
            return [line, *published]
        return [
            Line(f"{where}: {self.message.splitlines()[0]}", "✓"),
            *(Line(file.path, file.symbol, indent=1) for file in self.files[:_SHOWN]),
            *_more(len(self.files) - _SHOWN),
            *published,
        ]


def _more(number: int) -> list[Line]:
    return [Line(f"and {counted(number, 'more file')}", indent=1)] if number > 0 else []


def commit(
    dbx: Dbx,
    *,
    message: str,
    publish: bool = False,
    dry_run: bool = False,
    expect: str = "",
) -> Work[Committed]:
    """Commit the cluster spec, notebooks, code and pipelines as one version.

    Only the project's own files are committed; what is staged otherwise stays staged. Outputs stay
    in the notebooks on disk and out of git, unless dbx.toml says `outputs = "keep"`. Secrets are
    refused.

    Args:
        message: What this version is about, for the history.
        publish: Publish it at once.
        dry_run: Only show what would be committed.
        expect: Commit only if the plan is still the one with this fingerprint.

    Raises:
        GitError: the repository is in no state for it, a hook said no, or a secret was found.
        ProjectError: a notebook cannot be converted, or the cluster spec is wrong.
        ConflictError: the plan is not the expected one, or somebody else commits right now.
    """
    dbx.project.must_exist()
    if not message.strip():
        raise UsageError("A version needs a message.", "Say what changed: `commit -m …`")
    _refuse_secrets([("the message", message.encode())])
    cluster = dbx.project.settings.cluster
    with drafting(dbx.repo) as draft, open_base(dbx) as base:
        walk = Walk(dbx.project)
        conversions = yield from plan_conversions(dbx.project, dbx.repo, base, walk)
        for warning in conversions.warnings:
            yield Note(warning, "!")
        lock = _fill(dbx, draft, conversions)
        files = draft.changes()
        branch = dbx.repo.branch or ""
        plan = _plan(files, branch)
        if dry_run:
            yield Planned(plan)
        _check(draft.contents(files))
        plan.must_be(expect)
        done = Committed(
            draft.parent or "",
            branch,
            message.strip(),
            tuple(CommittedFile(item.path, item.symbol) for item in files),
            lock.spec,
            dry_run=dry_run,
        )
        if dry_run:
            return done
        if not files:
            return replace(
                done, published=(yield from publish_branch(dbx.repo, cluster)) if publish else None
            )
        made = yield from waiting(
            draft.commit(message, lock.trailers, _check), "commit", "hooks are running"
        )
        for _ in convert_all(dbx.project, base, conversions):
            pass  # the files are written by now; this remembers where they come from
    done = replace(done, commit=made)
    if not publish:
        return done
    try:
        published = yield from publish_branch(dbx.repo, cluster)
    except DbxError as error:
        what = f"Commit {made[:7]} was made, but not published: {error.message}"
        raise type(error)(what, error.hint) from None
    return replace(done, published=published)


def uncommitted(dbx: Dbx) -> tuple[str, ...]:
    """Name the project's files that differ from the last version by more than outputs.

    Raises:
        GitError: there is no repository.
    """
    repo = dbx.repo
    repo.must_exist()
    changed = [path.removeprefix(repo.prefix) for path in repo.changed(lockfile.PATHS)]
    differing = [path for path in changed if not is_junk(path)]
    if dbx.project.settings.outputs == "keep" or repo.head is None:
        return tuple(differing)
    notebooks = [path for path in differing if path.endswith(".ipynb")]
    committed = repo.tree("HEAD", notebooks) if notebooks else {}
    return tuple(
        path for path in differing if path not in committed or _differs(dbx, path, committed[path])
    )


def _differs(dbx: Dbx, path: str, blob: str) -> bool:
    file = dbx.project.root / path
    return not file.is_file() or blob_id(without_outputs(file.read_bytes()), len(blob)) != blob


def publish(
    dbx: Dbx, *, branch: bool = False, dry_run: bool = False, expect: str = ""
) -> Work[Published]:
    """Publish the commits of this branch to its remote, where the pipelines pick them up.

    Commits that others published meanwhile stay: ours are put on top of them. Nothing is ever
    forced, and neither files nor what is staged change here. When the remote does not take commits
    on the branch itself, they go to a branch of their own, and where you are signed in a pull
    request is opened for it; later ones go there too, until it is merged.

    Args:
        branch: Publish to a branch of its own right away.
        dry_run: Only show what would be published.
        expect: Publish only if the plan is still the one with this fingerprint.

    Raises:
        GitError: there is no commit or no remote, it cannot be reached, or it refuses.
        ConflictError: the same lines were changed at the remote, or the plan is not the expected.
    """
    dbx.project.must_exist()
    cluster = dbx.project.settings.cluster
    work = publish_branch(dbx.repo, cluster, to_branch=branch, dry_run=dry_run, expect=expect)
    return (yield from work)


def _fill(dbx: Dbx, draft: Draft, conversions: Conversions) -> Lock:
    """Put the project as it is on disk into the draft, converted, with a new ``dbx.lock``."""
    if conversions.problems:
        raise conversions.problems[0]
    draft.add(lockfile.PATHS)
    # On disk only with the commit: a hook that says no leaves workspace/ as it was.
    draft.replace(conversions.overlay, on_disk=True)
    if dbx.project.settings.outputs == "strip":
        stripped = {}
        for item, content in draft.contents(draft.changes()):
            if item.path.endswith(".ipynb"):
                without = without_outputs(content)
                if without != content:
                    stripped[item.path] = without
        draft.replace(stripped)
    lock = _lock(dbx, draft)
    draft.replace({lockfile.NAME: lock.render().encode()}, on_disk=True)
    return lock


def _lock(dbx: Dbx, draft: Draft) -> Lock:
    before = lockfile.read(dbx.project.root)
    spec = dbx.project.spec_path
    text = spec.read_text(encoding="utf-8-sig") if spec.exists() else None
    cluster = dbx.project.settings.cluster
    return lockfile.renewed(before, draft.blobs(), text, cluster, str(SPEC))


def _plan(files: tuple[FileChange, ...], branch: str) -> Plan[FileChange]:
    shown = [item for item in files if item.path != lockfile.NAME]
    return Plan(
        f"{counted(len(files), 'file')} will be committed on {branch}",
        files,
        tuple(Change(item.symbol, item.path) for item in shown[:_SHOWN]),
    )


def _check(contents: Iterable[tuple[FileChange, bytes]]) -> None:
    _refuse_secrets((item.path, content) for item, content in contents)


def _refuse_secrets(texts: Iterable[tuple[str, bytes]]) -> None:
    found = [item for path, content in texts for item in secrets_scan.scan(path, content)]
    if found:
        raise GitError(
            f"Nothing was committed, because of {counted(len(found), 'secret')}: "
            + "; ".join(map(str, found[:_SHOWN])),
            "Put it into a secret scope and read it with dbutils.secrets.get. If it is none, write "
            f"`{secrets_scan.ALLOWED}` on that line.",
        )
