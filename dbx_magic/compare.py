"""Two versions beside each other: the cluster spec, notebooks cell by cell, code line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from . import lockfile
from .celldiff import cell_lines, lines_between
from .dbx import Dbx
from .errors import ProjectError
from .formats import read_notebook
from .lockfile import Lock
from .notebook import Cell
from .repo import FileChange, Repo
from .tree import split_suffix
from .view import Block, Diff, Line, View, counted, size

# Bytes; a file that is longer is data, not code.
_LONG = 2_000_000


@dataclass(frozen=True)
class FileDiff:
    """One file that differs, and its lines: − as in the first version, + as in the other."""

    path: str
    symbol: Literal["+", "~", "−"]
    lines: tuple[str, ...] = ()

    def view(self) -> View:
        """The file, then its lines."""
        head = Line(self.path, self.symbol)
        return [head, Diff(self.lines)] if self.lines else [head]


@dataclass(frozen=True)
class Compared:
    """What differs between two versions. A notebook's converted source counts as the notebook.

    ``tracked`` has a line for the model and for each data set that the two go with.
    """

    version: str
    other: str
    files: tuple[FileDiff, ...]
    tracked: tuple[str, ...] = ()

    def view(self) -> View:
        """All files that differ, or that there are none."""
        if not self.files and not self.tracked:
            return [Line(f"{self.version[:7]} and {self.other[:7]} are equal", "✓")]
        words = f"{counted(len(self.files), 'file')} changed"
        head: Block = Line(f"{words} from {self.version[:7]} to {self.other[:7]}")
        lines = (Line(words, "~") for words in self.tracked)
        return [head, *lines, *(block for file in self.files for block in file.view())]


def compare(dbx: Dbx, version: str, other: str = "HEAD", *, names: bool = False) -> Compared:
    """Show what differs between two versions: cluster spec, notebooks by cell, code by line.

    Args:
        version: The first version: a commit or tag, as `history` shows them.
        other: The other one; without it, the newest.
        names: Only name the files that differ.

    Raises:
        GitError: there is no such version.
    """
    dbx.project.must_exist()
    dbx.repo.must_exist()
    first, second = (dbx.repo.must_have(name) for name in (version, other))
    found = dbx.repo.differences("diff-tree", "-r", "--relative", first, second)
    changes = [item for item in found if _is_ours(item.path)]
    notebooks = {_name(item.path) for item in changes if item.path.startswith("notebooks/")}
    return Compared(
        first,
        second,
        tuple(
            FileDiff(
                item.path,
                item.symbol,
                () if names else _lines(item.path, *_texts(dbx.repo, item.before, item.blob)),
            )
            for item in changes
            # What was converted from a notebook that is shown says nothing new.
            if not (item.path.startswith("workspace/") and _name(item.path) in notebooks)
        ),
        _tracked(_lock(dbx.repo, first), _lock(dbx.repo, second)),
    )


def _lock(repo: Repo, commit: str) -> Lock:
    text = repo.run("show", f"{commit}:./{lockfile.NAME}", check=False)
    return lockfile.parse(text, f"{commit[:7]}:{lockfile.NAME}") if text else Lock()


def _tracked(before: Lock, after: Lock) -> tuple[str, ...]:
    """What training recorded in the one version, and in the other."""
    return tuple(
        f"{what} {name}   {old.get(name, 'none')} → {new.get(name, 'none')}"
        for what, old, new in (
            ("model", before.models, after.models),
            ("data", before.data, after.data),
        )
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def to_commit(dbx: Dbx, item: FileChange) -> FileDiff:
    """Show what a proposed commit changes in one file, as that is on disk now."""
    (before,) = _texts(dbx.repo, item.before)
    file = dbx.project.root / item.path
    after = file.read_bytes() if item.is_file and file.is_file() else b""
    if b"\r\n" not in before:
        after = after.replace(b"\r\n", b"\n")  # git may do so too
    lines = _lines(item.path, before, after)
    if item.is_file and (after == before or not file.exists()):
        # What is converted, and dbx.lock, is on disk when the commit is made.
        lines = ("@@ written from the other files, with the commit @@",)
    return FileDiff(item.path, item.symbol, lines)


def _is_ours(path: str) -> bool:
    """Whether a file is part of a version; ``dbx.lock`` only says what the others are."""
    tops = tuple(f"{top}/" for top in lockfile.PATHS)
    return path != lockfile.NAME and (path in lockfile.PATHS or path.startswith(tops))


def _name(path: str) -> str:
    return split_suffix(path)[0].partition("/")[2]


def _texts(repo: Repo, *blobs: str) -> Iterator[bytes]:
    for blob in blobs:
        # A link or a submodule has no text to compare, and reads as none.
        yield repo.read("cat-file", "blob", blob, check=False) if blob.strip("0") else b""


def _lines(path: str, before: bytes, after: bytes) -> tuple[str, ...]:
    if path.startswith(("notebooks/", "workspace/")):
        there, here = _cells(path, before), _cells(path, after)
        if there is not None and here is not None:
            return tuple(cell_lines(here, there))
    sizes = f"{size(len(before))} before, {size(len(after))} after"
    if max(len(before), len(after)) > _LONG:
        return (f"@@ {sizes} @@",)
    try:
        return tuple(lines_between(before.decode(), after.decode()))
    except UnicodeDecodeError:
        return (f"@@ {sizes}, no text @@",)


def _cells(path: str, data: bytes) -> Sequence[Cell] | None:
    """The cells of a notebook; ``None`` for a file that is none."""
    if not data:
        return ()
    try:
        notebook = read_notebook(path, data)
    except ProjectError:
        return None
    return notebook.cells if notebook else None
