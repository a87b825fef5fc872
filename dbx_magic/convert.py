"""Notebooks from one format to another: for the whole project, or file by file."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .conversion import plan_conversions
from .dbx import Dbx
from .errors import DbxError, ProjectError, UsageError
from .events import Note, Pace, Shown, Work
from .exchange import Sources, convert_project, open_base, together
from .formats import outgoing, read_notebook, write_notebook
from .notebook import NOTEBOOK_KEY, Notebook
from .output import Stream
from .project import write
from .textformats import offered_formats
from .tree import Walk, split_suffix
from .view import Block, Diff, Line, View, counted


@dataclass(frozen=True)
class Stale:
    """A file that is not what its notebook gives: the lines that would change."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """Whether all files are what the notebooks give; the exit code says it, too."""

    stale: tuple[Stale, ...]
    unchanged: int

    @property
    def exit_code(self) -> int:
        """1 when something would change: for pre-commit and pipelines."""
        return 1 if self.stale else 0

    def view(self) -> View:
        """All that would change, or that nothing would."""
        if not self.stale:
            return [Line(f"{counted(self.unchanged, 'file')} up to date", "✓")]
        words = f"{counted(len(self.stale), 'file')} not up to date"
        blocks: list[Block] = [Line(words, "✗", note="convert writes them")]
        for one in self.stale:
            blocks += [Line(one.path, "~", indent=1), Diff(one.lines)]
        return blocks


def convert(
    dbx: Dbx,
    paths: tuple[str, ...] = (),
    *,
    to: str = "source",
    into: str = "",
    check: bool = False,
    stdout: bool = False,
    force: bool = False,
) -> Work[Sources | Checked]:
    """Convert notebooks/ into workspace/, in Databricks' own format, or any notebook to any format.

    Args:
        paths: Notebooks or folders of them; without any, the project's.
        to: source (Databricks' own), ipynb, or a format of jupytext such as py:percent or md.
        into: The folder to write to, relative paths kept; without it, beside the notebooks.
        check: Write nothing; show what would change, and end with exit code 1 if anything would.
        stdout: Print the result instead of writing it.
        force: Overwrite files that are there with other content.

    Raises:
        ProjectError: a notebook cannot be converted; the others are.
        UsageError: there is no such path or format.
    """
    if not paths and to == "source" and not into and not stdout:
        dbx.project.must_exist()
        with dbx.project.lock():
            return (yield from _project(dbx, check=check))
    if not paths:
        dbx.project.must_exist()
        paths = (str(dbx.project.workspace if to == "ipynb" else dbx.project.notebooks),)
        into = into or (str(dbx.project.notebooks) if to == "ipynb" else "")
    # Jupyter's server stands elsewhere than the document it was called from.
    paths = tuple([str(dbx.here / path) for path in paths])
    into = into and os.path.normpath(dbx.here / into)
    return (yield from _Files(_Format(to), into, check, stdout, force).convert(paths))


def _project(dbx: Dbx, *, check: bool) -> Work[Sources | Checked]:
    with open_base(dbx) as base:
        conversions = yield from plan_conversions(dbx.project, dbx.repo, base, Walk(dbx.project))
        if not check:
            return (yield from convert_project(dbx, base, conversions))
        together(conversions.problems)
        stale = [
            _stale(path, dbx.project.root / path, data or b"")
            for path, data in conversions.overlay.items()
        ]
        return Checked(tuple(stale), conversions.unchanged)


class _Format:
    """What to convert to."""

    def __init__(self, name: str) -> None:
        self.name = name
        suffix, _, self._kind = name.removeprefix(".").partition(":")
        self._suffix = "" if name == "source" else f".{suffix}"
        if name not in ("source", "ipynb") and name not in (offered := offered_formats()):
            near = difflib.get_close_matches(name, [*offered, "source", "ipynb"], 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(offered)}."
            raise UsageError(f"{name!r} is not a format of notebooks.", hint)

    def converted(self, path: str, data: bytes) -> tuple[str, bytes, tuple[str, ...]] | None:
        """The suffix, the content and warnings; ``None`` for what is no notebook."""
        if self.name == "source":
            new = outgoing(path, data)
            return (new.suffix, new.text, new.warnings) if new else None
        notebook = read_notebook(path, data)
        if notebook is None:
            return None
        name = f"{split_suffix(path)[0]}{self._suffix}"
        return self._suffix, write_notebook(self._marked(notebook), name), ()

    def _marked(self, notebook: Notebook) -> Notebook:
        metadata = {key: notebook.metadata[key] for key in notebook.metadata if key != "jupytext"}
        if self.name != "ipynb":
            metadata.pop(NOTEBOOK_KEY, None)  # no text notebook can hold it
            form = {"extension": self._suffix} | ({"format_name": self._kind} if self._kind else {})
            metadata["jupytext"] = {"text_representation": form}
        return notebook._replace(metadata=metadata)


@dataclass
class _Files:
    """Files on their way from one format to another."""

    form: _Format
    into: str
    check: bool
    stdout: bool
    force: bool

    def __post_init__(self) -> None:
        self._sources: dict[Path, str] = {}
        self._written: list[str] = []
        self._stale: list[Stale] = []
        self._unchanged = 0

    def convert(self, paths: tuple[str, ...]) -> Work[Sources | Checked]:
        """Convert all that are meant; one that cannot be converted does not stop the others."""
        begun = time.monotonic()
        problems: list[DbxError] = []
        found = list(_found(paths))
        pace = Pace("notebooks", "converting", len(found), "files")
        for done, one in enumerate(found):
            yield from pace.at(done)
            try:
                yield from self._one(one)
            except DbxError as error:
                problems.append(error)
            except OSError as error:
                problems.append(ProjectError(f"{_shown(one.path)}: {error.strerror}."))
        together(problems)
        if self.check:
            return Checked(tuple(self._stale), self._unchanged)
        where = "" if self.stdout else self.into or "beside them"
        seconds = time.monotonic() - begun
        return Sources(tuple(self._written), (), self._unchanged, seconds, where)

    def _one(self, one: _Found) -> Work[None]:
        name = _shown(one.path)
        new = self.form.converted(name, one.path.read_bytes())
        if new is None:
            if one.is_named:
                raise ProjectError(f"{name} is no notebook.")
            return
        suffix, data, warnings = new
        for warning in warnings:
            yield Note(warning, "!")
        if self.stdout:
            yield Shown(Stream("stdout", data.decode()))
            return
        stem = split_suffix(str(Path(self.into) / one.relative if self.into else one.path))[0]
        target = Path(f"{stem}{suffix}").absolute()
        other = self._sources.setdefault(target, name)
        if other != name:
            raise ProjectError(
                f"{other} and {name} would both be converted to {_shown(target)}.",
                "Rename one of them.",
            )
        self._put(target, data, name)

    def _put(self, target: Path, data: bytes, name: str) -> None:
        if target.is_file() and target.read_bytes() == data:
            self._unchanged += 1
        elif self.check:
            self._stale.append(_stale(_shown(target), target, data))
        elif target.exists() and not self.force:
            raise ProjectError(
                f"{_shown(target)} is there, with other content than {name} gives.",
                "--force overwrites it.",
            )
        else:
            write(target, data)
            self._written.append(_shown(target))


@dataclass(frozen=True)
class _Found:
    """A file that may be a notebook; ``relative`` is its path below the folder that was named."""

    path: Path
    relative: str
    is_named: bool


def _found(paths: tuple[str, ...]) -> Iterator[_Found]:
    for name in paths:
        path = Path(name).absolute()
        if path.is_dir():
            for folder, folders, files in os.walk(path):
                folders[:] = sorted(one for one in folders if not one.startswith((".", "__")))
                for file in sorted(files):
                    if not file.startswith("."):
                        full = Path(folder) / file
                        yield _Found(full, str(full.relative_to(path)), is_named=False)
        elif path.exists():
            yield _Found(path, path.name, is_named=True)
        else:
            raise UsageError(f"{name} is not there.")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def _stale(name: str, path: Path, data: bytes) -> Stale:
    before = path.read_text("utf-8", "replace") if path.is_file() else ""
    lines = difflib.unified_diff(
        before.split("\n"), data.decode("utf-8", "replace").split("\n"), lineterm=""
    )
    return Stale(name, tuple(islice(lines, 2, None)))
