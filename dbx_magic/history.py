"""The versions there were: when, by whom, what changed, and where each of them is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .dbx import Dbx
from .errors import UsageError
from .lockfile import NAME, PATHS
from .project import SPEC
from .repo import Repo
from .tree import split_suffix
from .view import Line, Table, View, ago, counted

_FIELDS = "%x1e%H%x1f%ct%x1f%an%x1f%s%x1f%D%x1f%(trailers:key=Dbx-Model,valueonly)%x1f"
_TAG = "tag: dbx/"
_BEGIN, _BETWEEN = "\x1e", "\x1f"


@dataclass(frozen=True)
class Version:
    """One commit of the project's files; ``ago`` is in seconds, ``where`` is empty if only here.

    ``model`` is the model that it goes with, as ``name version``; empty when none was tracked.
    """

    commit: str
    ago: float
    who: str
    message: str
    changed: tuple[str, ...]
    where: tuple[str, ...]
    model: str = ""

    @property
    def summary(self) -> str:
        """What changed, in a few words: ``cluster, 2 notebooks``."""
        return _summary(self.changed)


@dataclass(frozen=True)
class History:
    """Versions, newest first; ``of`` names what they are of, if not of all."""

    versions: tuple[Version, ...]
    of: str = ""

    def view(self) -> View:
        """A table, one line a version."""
        if not self.versions:
            return [Line(f"no version{f' of {self.of}' if self.of else ''} yet")]
        with_models = any(version.model for version in self.versions)
        rows = tuple(
            (
                version.commit[:7],
                ago(version.ago),
                version.who,
                version.message,
                version.summary,
                ", ".join(version.where) or "only here",
                *([version.model] if with_models else []),
            )
            for version in self.versions
        )
        columns = ("version", "when", "who", "message", "changed", "where")
        return [Table(rows, (*columns, "model") if with_models else columns)]


def history(dbx: Dbx, name: str = "", *, rows: int = 20) -> History:
    """Show the versions there were: when, by whom, what changed, whether they are published.

    Args:
        name: Only those that changed this notebook or file, or the `cluster`.
        rows: Show so many, the newest.

    Raises:
        GitError: there is no repository.
        UsageError: the project never had what is named.
    """
    dbx.project.must_exist()
    dbx.repo.must_exist()
    if dbx.repo.head is None:
        return History((), name)
    paths = _paths(dbx.repo, name) if name else PATHS
    listing = dbx.repo.run(
        *("log", f"--max-count={rows}", f"--format={_FIELDS}", "--no-show-signature"),
        *("-z", "--name-only", "--relative", "--no-renames", "--diff-merges=first-parent"),
        *("--decorate-refs=refs/tags/dbx/*", "--", *paths),
    )
    now, here = time.time(), _only_here(dbx.repo)
    versions = tuple(_version(part, now, here) for part in listing.split(_BEGIN)[1:])
    return History(versions, name)


def _version(part: str, now: float, here: set[str]) -> Version:
    commit, when, who, message, tags, model, files = part.split(_BETWEEN, 6)
    changed = tuple(path for path in files.strip("\n\0").split("\0") if path)
    deployed = tuple(tag[len(_TAG) :] for tag in tags.split(", ") if tag.startswith(_TAG))
    where = deployed or (() if commit in here else ("published",))
    return Version(commit, max(0.0, now - int(when)), who, message, changed, where, model.strip())


def _only_here(repo: Repo) -> set[str]:
    """The commits that no remote is known to have."""
    return set(repo.run("rev-list", "HEAD", "--not", "--remotes").split("\n"))


def _paths(repo: Repo, name: str) -> tuple[str, ...]:
    """Find what is meant by a name: now, or in any version."""
    if name == "cluster":
        return (str(SPEC),)
    known = {
        *repo.staged(),
        *repo.run("log", "--format=", "-z", "--name-only", "--relative", "--", *PATHS).split("\0"),
    }
    if name in known or any(path.startswith(f"{name.rstrip('/')}/") for path in known):
        return (name,)
    found = sorted(
        path
        for path in known
        if path.startswith(("notebooks/", "workspace/"))
        and name in (path.partition("/")[2], split_suffix(path)[0].partition("/")[2])
    )
    if not found:
        raise UsageError(f"There was never a notebook or file {name!r} in a version.")
    return tuple(found)


def _summary(changed: tuple[str, ...]) -> str:
    notebooks = {split_suffix(path)[0] for path in _in("notebooks", changed)}
    sources = {
        split_suffix(path)[0].replace("workspace/", "notebooks/", 1)
        for path in _in("workspace", changed)
    }
    forges = [path for path in changed if path.startswith((".github/", ".gitlab"))]
    pipelines = [path for path in _in("pipelines", changed) if path != str(SPEC)] + forges
    return ", ".join(
        filter(
            None,
            (
                "cluster" if str(SPEC) in changed else "",
                _counted(len(notebooks), "notebook"),
                # What was converted from a notebook counts as that notebook.
                _counted(len(sources - notebooks), "workspace file"),
                _counted(len(pipelines), "pipeline file"),
                _counted(len(_in("tests", changed)), "test file"),
                "settings" if "dbx.toml" in changed else "",
                "models or data" if changed == (NAME,) else "",
            ),
        )
    )


def _in(folder: str, paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if path.startswith(f"{folder}/")]


def _counted(number: int, noun: str) -> str:
    return counted(number, noun) if number else ""
