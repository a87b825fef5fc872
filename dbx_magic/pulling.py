"""Writing what the workspace has into the project, so that nothing written here is ever lost."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .base import Base, Known
from .comparison import FOLDER, Conflict, Content, Drop, Merge, PullStep, Take
from .errors import ConflictError, DbxError, GitError, ProjectError
from .formats import incoming
from .notebook import EXTENSIONS
from .project import Project, write
from .repo import Repo
from .sending import Backup
from .sides import Sides
from .tree import Entry, read
from .view import Line, View, counted


@dataclass(frozen=True)
class Came:
    """What became of one object: what was ``done``, or ``why`` it stays as it is.

    ``cells`` of its file hold two versions now, for somebody to choose from.
    """

    path: str
    file: str
    done: str = ""
    cells: tuple[int, ...] = ()
    why: str = ""

    def view(self) -> View:
        """What is left to do, if anything is."""
        if self.cells:
            where = ", ".join(map(str, self.cells))
            words = f"{self.file} has {counted(len(self.cells), 'conflict')}, at cell {where}"
            return [Line(words, "!", note="keep one version of each, then push", indent=1)]
        if self.why:
            note = "pull --force takes theirs, push --force yours; a backup is kept"
            if self.why.endswith("."):
                note = ""  # an error says itself what to do
            return [Line(f"{self.path} stays as it is: {self.why}", "!", note=note, indent=1)]
        return []


class Puller:
    """One pull's way of writing files.

    ``sources`` says which file of ``notebooks/`` a file of ``workspace/`` is converted from: that
    one is written then, because it is what people edit.
    """

    def __init__(
        self,
        project: Project,
        repo: Repo,
        base: Base,
        sides: Sides,
        sources: Mapping[str, str],
        backup: Backup,
    ) -> None:
        self._project = project
        self._repo = repo
        self._base = base
        self._sides = sides
        self._sources = sources
        self._backup = backup

    def carry_out(self, steps: Sequence[PullStep]) -> Iterator[Came]:
        """Take all steps, each noted when it is done; what is removed comes last.

        Raises:
            ProjectError: the disk is full, or a file cannot be written.
        """
        for step in sorted(steps, key=_order):
            try:
                came = self._take(step)
            except OSError as error:
                raise ProjectError(
                    f"{error.filename or step.path} cannot be written: {error.strerror}.",
                    "What was pulled so far is there; pull again to go on.",
                ) from None
            except DbxError as error:
                came = Came(step.path, self._file(step.path), why=str(error))
            if came.done:
                self._note(step.path)
            yield came

    def _note(self, path: str) -> None:
        with self._base.saving():
            if path in self._sides.there:
                self._base.keep(path, self._known(path), self._sides.texts.get(path))
            else:
                self._base.forget(path)

    def _known(self, path: str) -> Known:
        return Known(self._sides.there[path], self._sides.seen[path].modified_at)

    def _text(self, path: str) -> bytes:
        """What the workspace has, if it still had that when it was read."""
        text = self._sides.texts.get(path)
        if text is None:
            raise ConflictError(
                f"{path} was edited in the workspace while the pull ran.", "Pull again."
            )
        return text

    def _put(self, path: str, file: str, data: bytes) -> None:
        """Write a file; the base knows of it before, should that be the last thing we do."""
        with self._base.saving():
            self._base.intend_file(file, data, path, self._known(path), self._text(path))
        write(self._full(file), data)

    def _take(self, step: PullStep) -> Came:
        entry = self._sides.entries.get(step.path)
        match step:
            case Conflict():
                return Came(step.path, self._file(step.path), why=step.reason)
            case Drop():
                return self._drop(step, entry)
            case Merge():
                return self._merge(step)
            case Take(content=content, over=over):
                if content != FOLDER:
                    self._text(step.path)  # before anything is removed for it
                if over and over.kind != content.kind:
                    self._clear(step.path)
                    entry = None
                if content == FOLDER:
                    self._full(f"workspace/{step.path}").mkdir(parents=True, exist_ok=True)
                    return Came(step.path, f"workspace/{step.path}", "made")
                return self._write(step, content, entry)

    def _write(self, step: Take, content: Content, entry: Entry | None) -> Came:
        data = self._text(step.path)
        if entry is None:
            file = self._new_file(step.path, content)
            if self._full(file).exists():
                return Came(step.path, file, why=f"{step.reason}, but {file} is something else")
            if file.endswith(".ipynb") and content.kind == "notebook":
                local, before = self._before_move(step)
                data = incoming(file, local, before, data, content.language).data
            self._put(step.path, file, data)
            return Came(step.path, file, "taken")
        file = self._file(step.path)
        before = read(self._project, entry)  # refuses if it was saved since it was looked at
        if entry.content != self._sides.base.get(step.path):
            self._keep(file)
        if content.kind == "notebook" and (file != entry.file or file.endswith(".ipynb")):
            # What it was here is taken as what it was before, so that all edits are theirs.
            local = self._full(file).read_bytes()
            data = incoming(file, local, before, data, content.language).data
        elif content.language != entry.content.language:
            self._clear(step.path)
            file = self._new_file(step.path, content)
        self._put(step.path, file, data)
        return Came(step.path, file, "taken")

    def _before_move(self, step: Take) -> tuple[bytes | None, bytes | None]:
        """The notebook that became this one there, and what it was: its outputs move with it."""
        for path, content in self._sides.base.items():
            entry = self._sides.entries.get(path)
            file = self._file(path)
            is_moved = content == step.content and path not in self._sides.there
            if entry and is_moved and file.endswith(".ipynb"):
                return self._full(file).read_bytes(), read(self._project, entry)
        return None, None

    def _merge(self, step: Merge) -> Came:
        file = self._file(step.path)
        before = self._base.text(step.base) if step.base else None
        local, there = self._full(file).read_bytes(), self._text(step.path)
        cells: tuple[int, ...] = ()
        if step.there.kind == "notebook":
            new = incoming(file, local, before, there)
            data, cells = new.data, tuple(one.cell for one in new.conflicts)
        else:
            merged = None if before is None else _merged_lines(self._repo, local, before, there)
            if merged is None:
                return Came(step.path, file, why=step.reason)
            data = merged
        self._keep(file)
        self._put(step.path, file, data)
        return Came(step.path, file, "merged", cells)

    def _drop(self, step: Drop, entry: Entry | None) -> Came:
        if step.content == FOLDER:
            for top in ("workspace", "notebooks"):
                with contextlib.suppress(OSError):
                    self._full(f"{top}/{step.path}").rmdir()
        elif entry:
            self._clear(step.path)
        return Came(step.path, self._file(step.path), "removed")

    def _clear(self, path: str) -> None:
        """Remove an object's files, and keep a backup of what people edit."""
        file, entry = self._file(path), self._sides.entries.get(path)
        if self._full(file).is_dir():
            try:
                self._full(file).rmdir()
            except OSError:
                raise ConflictError(f"{file} is a folder here, with something in it.") from None
            return
        self._keep(file)
        self._full(file).unlink(missing_ok=True)
        if entry:
            self._full(entry.file).unlink(missing_ok=True)

    def _keep(self, file: str) -> None:
        write(self._backup.folder / file, self._full(file).read_bytes())

    def _file(self, path: str) -> str:
        """The file that people edit."""
        entry = self._sides.entries.get(path)
        if entry is None:
            return f"workspace/{path}"
        return self._sources.get(entry.file, entry.file)

    def _new_file(self, path: str, content: Content) -> str:
        if content.kind != "notebook":
            return f"workspace/{path}"
        if any(source.endswith(".ipynb") for source in self._sources.values()):
            return f"notebooks/{path}.ipynb"
        return f"workspace/{path}{EXTENSIONS[content.language]}"  # type: ignore[index]

    def _full(self, file: str) -> Path:
        # The file itself, should a link lead there: replacing it would cut the link.
        full = (self._project.root / file).resolve()
        if not full.is_relative_to(self._project.root.resolve()):
            raise ProjectError(f"{file} leads out of the project by a link.")
        return full


def _merged_lines(repo: Repo, here: bytes, base: bytes, there: bytes) -> bytes | None:
    """Merge two edits of a text by line; ``None`` where both edited the same lines."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("here", "base", "there")]
        for path, text in zip(paths, (here, base, there), strict=True):
            path.write_bytes(text)
        with contextlib.suppress(GitError):
            return repo.read("merge-file", "-p", "-q", *map(str, paths))
    return None


def _order(step: PullStep) -> tuple[int, int, str]:
    """What is written first, then what is removed: files, then folders from the innermost."""
    if not isinstance(step, Drop):
        return 0, 0, step.path
    return (2, -step.path.count("/"), step.path) if step.content == FOLDER else (1, 0, step.path)
