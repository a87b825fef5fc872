"""From notebooks/ to workspace/: what people edit becomes what is deployed."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .base import Base, Converted, stat_of
from .errors import DbxError, GitError, ProjectError
from .events import Pace, Work
from .formats import outgoing
from .notebook import parse_ipynb
from .project import Project, write
from .repo import Repo
from .tree import FILE_LIMIT, File, Walk, split_suffix, too_large


@dataclass(frozen=True)
class Write:
    """A file of ``workspace/`` that has to be written, and what it comes from."""

    source: str
    target: str
    data: bytes
    is_new: bool


@dataclass(frozen=True)
class Conversions:
    """What makes ``workspace/`` hold what ``notebooks/`` say.

    ``problems`` are of notebooks that cannot be converted; the others can.
    """

    writes: tuple[Write, ...]
    removes: tuple[str, ...]
    problems: tuple[DbxError, ...]
    unchanged: int
    warnings: tuple[str, ...]
    found: tuple[Converted, ...]
    gone: tuple[str, ...]

    @property
    def overlay(self) -> Mapping[str, bytes | None]:
        """The files of ``workspace/`` as they are going to be; ``None`` for those removed."""
        removed: dict[str, bytes | None] = dict.fromkeys(self.removes)
        return removed | {one.target: one.data for one in self.writes}


def plan_conversions(project: Project, repo: Repo, base: Base, walk: Walk) -> Work[Conversions]:
    """Find out which files of ``workspace/`` have to be written or removed."""
    return _Planner(project, repo, base.converted()).plan(walk)


def convert_all(project: Project, base: Base, conversions: Conversions) -> Iterator[str]:
    """Write and remove what was planned, naming each file when it is done.

    Raises:
        ProjectError: a file cannot be written.
    """
    with base.saving():
        # Before the files: after a kill they must be known as ours.
        base.saw_converted(conversions.found, ())
    for one in conversions.writes:
        try:
            write(project.root / one.target, one.data)
        except OSError as error:
            raise ProjectError(f"{one.target} cannot be written: {error.strerror}.") from None
        yield one.target
    for target in conversions.removes:
        path = project.root / target
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            while path.parent != project.workspace:
                path = path.parent
                path.rmdir()
        yield target
    with base.saving():
        base.saw_converted((), conversions.gone)


class _Planner:
    def __init__(self, project: Project, repo: Repo, before: Mapping[str, Converted]) -> None:
        self._project = project
        self._repo = repo
        self._before = before
        self._targets: dict[str, str] = {}  # by source
        self._sources: dict[str, str] = {}  # by target
        self._writes: list[Write] = []
        self._found: list[Converted] = []
        self._warnings: list[str] = []
        self._unchanged = 0

    def plan(self, walk: Walk) -> Work[Conversions]:
        problems: list[DbxError] = []
        met: set[str] = set()
        found = [
            file
            for file in walk.files("notebooks")
            # What git is told about notebooks/ says nothing about workspace/.
            if isinstance(file, File) and "/.git" not in file.path
        ]
        # A notebook goes before the text that jupytext keeps beside it.
        found.sort(key=lambda file: (not _is_ipynb(file.path), file.path))
        pace = Pace("notebooks/", "reading", len(found), "files")
        for done, file in enumerate(found):
            yield from pace.at(done)
            met.add(file.path)
            if not self._is_twin(file.path):
                try:
                    self._look_at(file)
                except DbxError as error:
                    problems.append(error)
        removes = {one.target for one in self._before.values() if self._is_stale(one, met)}
        return Conversions(
            tuple(self._writes),
            tuple(sorted(removes)),
            tuple(problems),
            self._unchanged,
            tuple(self._warnings),
            tuple(self._found),
            tuple(self._before.keys() - met),
        )

    def _is_twin(self, path: str) -> bool:
        """Whether a file is the text form of a notebook that jupytext has paired with it."""
        stem, suffix = split_suffix(path)
        data = self._content(f"{stem}.ipynb") or b""
        if _is_ipynb(path) or b'"formats"' not in data:
            return False
        with contextlib.suppress(DbxError):
            paired = parse_ipynb(data).metadata.get("jupytext") or {}
            forms = str(paired.get("formats", "")).split(",")
            kinds = [form.partition(":")[0].rpartition("/")[2].lstrip(".") for form in forms]
            return suffix[1:] in kinds or "auto" in kinds
        return False

    def _look_at(self, file: File) -> None:
        before, state = self._before.get(file.path), stat_of(file.stat)
        if before and state and before.stat == state:
            target_state = self._state(before.target)
            if target_state and target_state == before.target_stat:
                self._claim(before.target, file.path)
                self._unchanged += 1
                return
        if file.stat.st_size > FILE_LIMIT and not _is_ipynb(file.path):
            raise too_large(file.path, file.stat.st_size, FILE_LIMIT, "file")
        try:
            data = (self._project.root / file.path).read_bytes()
        except OSError as error:
            raise ProjectError(f"{file.path} cannot be read: {error.strerror}.") from None
        new = outgoing(file.path, data)
        content = new.text if new else data
        stem, suffix = split_suffix(file.path)
        target = f"workspace/{stem.partition('/')[2]}{new.suffix if new else suffix}"
        self._claim(target, file.path)
        there, digest = self._content(target), _digest(content)
        if there == content:
            self._unchanged += 1
            self._found.append(Converted(file.path, state, target, digest, self._state(target)))
            return
        if there is not None and not self._is_ours(before, file.path, target, there):
            raise ProjectError(
                f"{file.path} and {target} are the same notebook, "
                f"and {target} was not converted from it.",
                "Delete or rename one of them.",
            )
        digests = f"{before.digest.split()[-1]} {digest}" if before else digest
        self._found.append(Converted(file.path, state, target, digests, ""))
        self._warnings += new.warnings if new else ()
        self._writes.append(Write(file.path, target, content, is_new=there is None))

    def _claim(self, target: str, source: str) -> None:
        other = self._sources.setdefault(target, source)
        if other != source:
            raise ProjectError(
                f"{other} and {source} would both be converted to {target}.",
                "Rename or delete one of them.",
            )
        self._targets[source] = target

    def _is_ours(self, before: Converted | None, source: str, target: str, there: bytes) -> bool:
        """Whether a file was written by a conversion: noted here, or told by the last commit."""
        if before and before.target == target and _digest(there) in before.digest.split():
            return True
        notebook, committed = self._committed(source), self._committed(target)
        if not notebook or committed != there:
            return False
        with contextlib.suppress(DbxError):
            new = outgoing(source, notebook)
            return (new.text if new else notebook) == committed
        return False

    def _committed(self, path: str) -> bytes:
        with contextlib.suppress(GitError):
            return self._repo.read("show", f"HEAD:./{path}", check=False)
        return b""

    def _is_stale(self, before: Converted, met: set[str]) -> bool:
        """Whether a file was converted from a notebook that is gone, and is still as it was."""
        target = self._targets.get(before.source)
        if target == before.target or (target is None and before.source in met):
            return False
        there = self._content(before.target)
        if there is None or before.target in self._sources:
            return False
        return _digest(there) in before.digest.split()

    def _content(self, target: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return (self._project.root / target).read_bytes()
        return None

    def _state(self, target: str) -> str:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return stat_of((self._project.root / target).stat())
        return ""


def _is_ipynb(path: str) -> bool:
    return path.lower().endswith(".ipynb")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
