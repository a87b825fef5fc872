"""What the project has: the files of a folder that are not ignored, and what they contain."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .base import Base, stat_of
from .bridge import CONFLICT_MARK
from .comparison import FOLDER, Content, above, content_of
from .errors import ConflictError, ProjectError
from .events import Pace, Work
from .formats import outgoing
from .notebook import EXTENSIONS
from .project import PARTIAL, Project
from .source import is_source
from .view import size

if TYPE_CHECKING:
    import pathspec

# What tools leave beside a user's files.
_JUNK = frozenset(
    (".git", ".dbx", ".ipynb_checkpoints", ".virtual_documents", "__pycache__", ".DS_Store")
)
_JUNK_ENDS = (".pyc", ".pyo", PARTIAL)
# The same, as .gitignore would say it.
JUNK = (*sorted(_JUNK), *(f"*{end}" for end in _JUNK_ENDS))
_SUFFIXES = frozenset(EXTENSIONS.values())
FILE_LIMIT = 500 * 1024 * 1024
_CONFLICT = CONFLICT_MARK.encode()


@dataclass(frozen=True)
class File:
    """A file as it was met: its path from the project's folder, always with ``/``."""

    path: str
    stat: os.stat_result


class Walk:
    """A way through folders of the project, without what is ignored.

    ``skipped`` says what was left out and why; ``leftovers`` are files that a killed process of
    ours did not finish.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._real_root = os.path.realpath(project.root)
        self._outer: list[_Rules] = list(_rules_above(project.root))
        exclude = project.settings.exclude
        self._final = [_rules("", list(exclude))] if exclude else []
        self.skipped: list[str] = []
        self.leftovers: list[Path] = []

    def files(self, top: str) -> Iterator[File | str]:
        """All files of a folder, and the paths of the folders themselves."""
        if (self._project.root / top).is_dir():
            yield from self._folder(top, self._outer, {os.path.realpath(self._project.root / top)})

    def ignores(self, path: str) -> bool:
        """Whether a file at this path would be left out, be it there or not."""
        parts = path.split("/")
        if any(part in _JUNK or part.endswith(_JUNK_ENDS) for part in parts):
            return True
        rules = list(self._outer)
        for folder in above(path):
            if self._is_ignored(f"{folder}/", rules):
                return True
            if (self._project.root / folder / ".gitignore").is_file():
                rules += _read_rules(self._project.root / folder, folder)
        return self._is_ignored(path, rules)

    def _folder(self, path: str, rules: list[_Rules], seen: set[str]) -> Iterator[File | str]:
        with os.scandir(self._project.root / path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        if any(entry.name == ".gitignore" for entry in entries):
            rules = [*rules, *_read_rules(self._project.root / path, path)]
        for entry in entries:
            if entry.name in _JUNK or entry.name.endswith(_JUNK_ENDS):
                if entry.name.endswith(PARTIAL):
                    self.leftovers.append(Path(entry.path))
                continue
            name = f"{path}/{entry.name}"
            if not _is_text(name):
                self.skipped.append(f"{name!r} is no name in UTF-8, so it was left out.")
                continue
            inside = seen
            if entry.is_symlink():
                real = os.path.realpath(entry.path)
                if not self._is_followed(name, real, seen):
                    continue
                inside = {*seen, real}
            is_folder = entry.is_dir()
            if self._is_ignored(f"{name}/" if is_folder else name, rules):
                continue
            if is_folder:
                yield name
                yield from self._folder(name, rules, inside)
            elif entry.is_file():
                yield File(name, entry.stat())
            else:
                self.skipped.append(f"{name} is no file, so it was left out.")

    def _is_followed(self, name: str, real: str, seen: set[str]) -> bool:
        if real != self._real_root and not real.startswith(self._real_root + os.sep):
            self.skipped.append(f"{name} is a link to outside of the project, so it was left out.")
        elif not Path(real).exists():
            self.skipped.append(f"{name} is a link to nothing, so it was left out.")
        elif real in seen or any(folder.startswith(real + os.sep) for folder in seen):
            self.skipped.append(f"{name} is a link to a folder that it is in, so it was left out.")
        else:
            return True
        return False

    def _is_ignored(self, path: str, rules: list[_Rules]) -> bool:
        ignored = False
        for one in (*rules, *self._final):
            ignored = one.decide(path, ignored)
        return ignored


@dataclass(frozen=True)
class _Rules:
    """The lines of one ``.gitignore``; ``prefix`` is the folder they are about."""

    prefix: str
    spec: pathspec.GitIgnoreSpec
    add: str = ""

    def decide(self, path: str, before: bool) -> bool:
        result = self.spec.check_file(self.add + path[len(self.prefix) :])
        return before if result.include is None else result.include


def _rules(prefix: str, lines: list[str], add: str = "") -> _Rules:
    import pathspec

    return _Rules(prefix, pathspec.GitIgnoreSpec.from_lines(lines), add)


def _read_rules(folder: Path, path: str) -> Iterator[_Rules]:
    text = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace")
    yield _rules(f"{path}/", text.splitlines())


def _rules_above(root: Path) -> Iterator[_Rules]:
    """The rules of the project's folder, and of those above it up to the repository's."""
    folders = [root]
    while not (folders[-1] / ".git").exists():
        if folders[-1].parent == folders[-1]:
            folders = [root]
            break
        folders.append(folders[-1].parent)
    for folder in reversed(folders):
        if (folder / ".gitignore").is_file():
            text = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace")
            add = "" if folder == root else root.relative_to(folder).as_posix() + "/"
            yield _rules("", text.splitlines(), add)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_junk(path: str) -> bool:
    """Whether a tool left it beside the user's files."""
    return not _JUNK.isdisjoint(path.split("/")) or path.endswith(_JUNK_ENDS)


def split_suffix(path: str) -> tuple[str, str]:
    """Split what a name ends with off a path.

    >>> split_suffix("a.b/train.py"), split_suffix("a.b/.env"), split_suffix("a.b/Makefile")
    (('a.b/train', '.py'), ('a.b/.env', ''), ('a.b/Makefile', ''))
    """
    stem, _, end = path.rpartition(".")
    if not stem or stem.endswith("/") or "/" in end:
        return path, ""
    return stem, f".{end}"


@dataclass(frozen=True)
class Entry:
    """One thing of the project that has a place in the workspace.

    ``path`` is its name there, below the root; ``file`` where it stands in the project, and
    ``data`` what stands there if it is only going to.
    """

    path: str
    file: str
    content: Content
    size: int = 0
    data: bytes | None = field(default=None, repr=False)


def scan(
    project: Project, base: Base, overlay: Mapping[str, bytes | None], walk: Walk
) -> Work[dict[str, Entry]]:
    """Find everything in ``workspace/``, by its path in the workspace.

    ``overlay`` holds files as they are going to be, ``None`` for one that is going to be removed.

    Raises:
        ProjectError: two files would be one object in the workspace.
    """
    seen_before = base.files()
    fresh: dict[str, tuple[str, Content]] = {}
    entries: dict[str, Entry] = {}
    met: set[str] = set()
    files = list(walk.files("workspace"))
    pace = Pace("workspace/", "reading", len(files), "files")
    for done, found in enumerate(files):
        yield from pace.at(done)
        if isinstance(found, str):
            _add(entries, Entry(found.partition("/")[2], found, FOLDER))
            continue
        if found.path in overlay:
            continue
        met.add(found.path)
        state = stat_of(found.stat)
        before = seen_before.get(found.path)
        if found.stat.st_size > FILE_LIMIT and not found.path.endswith(".ipynb"):
            # It is never sent, and may be larger than the memory.
            content = Content("file", f"{found.stat.st_size} bytes")
        elif before and state and before[0] == state:
            content = before[1]
        else:
            content = content_of(*deployed(found.path, _bytes(project, found.path)))
            fresh[found.path] = (state, content)
        _add(entries, Entry(_remote(found.path, content), found.path, content, found.stat.st_size))
    for path, data in overlay.items():
        if data is not None:
            content = content_of(*deployed(path, data))
            for folder in above(path.partition("/")[2]):
                entries.setdefault(folder, Entry(folder, f"workspace/{folder}", FOLDER))
            _add(entries, Entry(_remote(path, content), path, content, len(data), data))
    with base.saving():
        base.saw_files(fresh, seen_before.keys() - met - overlay.keys())
    return entries


def read(project: Project, entry: Entry) -> bytes:
    """The content of a file of the project, as the workspace gets it.

    Raises:
        ConflictError: it was saved since the project was scanned.
    """
    there = _bytes(project, entry.file) if entry.data is None else entry.data
    data, language = deployed(entry.file, there)
    if content_of(data, language) != entry.content:
        raise ConflictError(f"{entry.file} was saved in the meantime.", "Try again.")
    return data


def too_large(file: str, found: int, limit: int, kind: str) -> ProjectError:
    """What is said of a file that no workspace takes."""
    return ProjectError(
        f"{file} has {size(found)}; a workspace takes {size(limit)} for a {kind}.",
        'Put it into a volume, or name it in "exclude" of dbx.toml.',
    )


def _bytes(project: Project, path: str) -> bytes:
    try:
        return (project.root / path).read_bytes()
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}.") from None


def deployed(path: str, data: bytes) -> tuple[bytes, str]:
    """A file of ``workspace/`` as it goes there, and its language if it is a notebook.

    Raises:
        ConflictError: it holds a conflict of a merge that nobody has settled.
    """
    suffix = split_suffix(path)[1].lower()
    if suffix == ".ipynb":
        new = outgoing(path, data)
        return (new.text, new.language) if new else (data, "")
    language = (is_source(data[:64], path) or "") if suffix in _SUFFIXES else ""
    if language and _CONFLICT in data:
        outgoing(path, data)  # says where
    return data, language


def _remote(path: str, content: Content) -> str:
    name = path.partition("/")[2]
    return split_suffix(name)[0] if content.kind == "notebook" else name


def _add(entries: dict[str, Entry], entry: Entry) -> None:
    other = entries.get(entry.path)
    if other and not (other.content == entry.content == FOLDER):
        raise ProjectError(
            f"{other.file} and {entry.file} would both be {entry.path} in the workspace.",
            "Rename or delete one of them.",
        )
    entries[entry.path] = entry
