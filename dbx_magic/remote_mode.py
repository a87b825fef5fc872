"""Remote mode: the plain cells of a notebook run on the cluster, as if it were open in Databricks.

Which mode a notebook is in, another program (JupyterLab's status bar) sees in two ways: the result
of ``%dbx remote`` carries ``MODE``, and the kernel's variable ``__dbx_remote__`` names the cluster,
or is empty while cells run here.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from .bridge import matching_lines, to_workspace
from .cells import execute
from .cluster_state import name_of, picked_cluster, started
from .dbx import Dbx
from .errors import DbxError, NotFoundError, ProjectError, RemoteError, UsageError
from .events import Event, Shown, Work
from .formats import read_notebook
from .notebook import EXTENSIONS, Cell, Language, Notebook, cell_language
from .output import Display
from .source import parse_source
from .view import Line, View

MODE = "application/vnd.dbx.remote+json"

_EXIT = "application/vnd.dbx.exit+json"
_HOME_LINE = re.compile(
    r"(?:[\w.]+(?:\[[^\]\n]*\])?[ \t]*=[ \t]*)?%dbx(?:\s|$)|%\w*load_ext\s+dbx_magic\b"
)
_SUFFIXES = ("", ".ipynb", *EXTENSIONS.values())


@dataclass(frozen=True)
class RemoteMode:
    """Where plain cells run from now on: on ``cluster``, or here when that is empty."""

    cluster: str
    language: str

    def view(self) -> View:
        """One line that says it, and how to leave it."""
        if not self.cluster:
            return [Line("Cells run here again.", "○")]
        note = "%%dbx local: this cell here · `remote off`: all cells here"
        return [Line(f"Cells run on {self.cluster} from now on.", "●", note)]


def remote(
    dbx: Dbx, mode: Literal["on", "off"], *, language: Language | None = None
) -> Work[RemoteMode]:
    """Run the plain cells of this notebook on the picked cluster, as Databricks does.

    Args:
        mode: `on`, or `off` to run them here again; what was made on the cluster stays there.
        language: The language of cells without a magic in front; usually the notebook's own.

    Raises:
        UsageError: this is no notebook.
        NotFoundError: no cluster is picked.
        WorkspaceError: the cluster does not start.
    """
    if dbx.remote is None:
        raise UsageError(
            "There are no cells here that could run on the cluster.",
            "Remote mode is for notebooks: `remote on` in one of its cells.",
        )
    if mode == "off":
        dbx.remote = ""
        return RemoteMode("", "")
    cluster = yield from started(dbx, picked_cluster(dbx))
    dbx.remote = language or _language_here(dbx)
    return RemoteMode(name_of(cluster), dbx.remote)


def parts(text: str, language: str) -> list[tuple[bool, str]]:
    """Split a cell into what stays here, its ``%dbx`` lines, and what goes to the cluster.

    What goes there has what stood before it as comments, so that an error names the lines as they
    are in the cell.
    """
    magic, _ = cell_language(Cell("code", text), Notebook(language))  # type: ignore[arg-type]
    if magic != language:
        return [(False, text)]
    lines = text.split("\n")
    home = matching_lines(_HOME_LINE, lines, in_python=language == "python")
    found: list[tuple[bool, str]] = []
    for is_home, group in groupby(range(len(lines)), home.__contains__):
        numbers = list(group)
        part = "\n".join(lines[number] for number in numbers)
        if part.strip():
            # A magic that is to be the first of its cell stays the first.
            bare = is_home or part.lstrip().startswith("%")
            found.append((is_home, part if bare else _not_run(lines[: numbers[0]]) + part))
    return found


def _not_run(lines: Sequence[str]) -> str:
    """Comments for Python, whose kernel does not count blank lines at the beginning."""
    return "".join(f"# {line}\n" for line in lines)


def run_cell(dbx: Dbx, text: str) -> Work[None]:
    """Run a cell as a Databricks notebook would: its first line may name a language or a magic."""
    yield from _run_cell(dbx, text, dbx.remote or "python", None)


@dataclass(frozen=True)
class _Place:
    """The folder of a notebook: ``here`` in the project, ``there`` in the workspace, or in both.

    ``inside`` names the notebooks that led here, each run by the one before it.
    """

    here: Path | None
    there: str
    inside: tuple[str, ...] = ()


def _run_cell(dbx: Dbx, text: str, language: str, place: _Place | None) -> Work[None]:
    notebook = Notebook(language)  # type: ignore[arg-type]
    magic, code = cell_language(Cell("code", text), notebook)
    match magic:
        case "md" | "md-sandbox":
            yield Shown(Display({"text/markdown": code, "text/plain": code}))
        case "run":
            yield from _run(dbx, code, place or _place_here(dbx))
        case "python":
            # Without its header, but with the same line numbers.
            missing = text.count("\n") - code.count("\n")
            yield from execute(dbx, _not_run(text.split("\n")[:missing]) + code)
        case _ if dbx.is_local:
            # In the one context there is for all languages, as in a Databricks notebook.
            yield from execute(dbx, f"%{magic}\n{code}")
        case "fs":
            yield from execute(dbx, _fs_call(code))
        case _:
            yield from execute(dbx, code, language=magic)  # type: ignore[arg-type]


def _run(dbx: Dbx, line: str, place: _Place) -> Work[None]:
    """Run the cells of another notebook in the same context, as ``%run ./other $name="value"``.

    What is in the project counts, pushed or not; else what the workspace has.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%run {line.strip()}: {error}.", "Close the quotation.") from None
    if not words:
        raise UsageError("%run needs a notebook.", "As in: %run ./other")
    name, notebook, inner = _find(dbx, words[0], place)
    given = dict(word.lstrip("$").split("=", 1) for word in words[1:] if "=" in word)
    if given:
        yield from execute(dbx, _set_widgets(given, is_local=dbx.is_local))
    for number, cell in enumerate(to_workspace(notebook, name).notebook.cells, 1):
        if cell.kind != "code" or not cell.text.strip():
            continue
        try:
            exited = yield from _until_exit(_run_cell(dbx, cell.text, notebook.language, inner))
        except RemoteError as error:
            raise RemoteError(
                f"%run {name}: its cell {number} failed: {error.message}",
                error.hint,
                traceback=error.traceback,
            ) from None
        if exited:
            return


def _until_exit(work: Work[None]) -> Work[bool]:
    """Hand on what a cell shows; true when it has left its notebook by dbutils.notebook.exit."""
    exited = False
    with contextlib.closing(work):
        for event in work:
            if _is_exit(event):
                exited = True
            else:
                yield event
    return exited


def _is_exit(event: Event) -> bool:
    return (
        isinstance(event, Shown)
        and isinstance(event.output, Display)
        and _EXIT in event.output.data
    )


def _find(dbx: Dbx, name: str, place: _Place) -> tuple[str, Notebook, _Place]:
    """Find a notebook by the path that ``%run`` was given; also its name and its own folder."""
    path = posixpath.normpath(posixpath.join(place.there or "/", name))
    path = path.removeprefix("/Workspace")
    for file in _files(dbx, name, path, place):
        label = _shown(dbx, file)
        _must_be_new(label, place)
        notebook = read_notebook(str(file), file.read_bytes())
        if notebook is None:
            raise ProjectError(f"{label} is no notebook, so %run cannot run it.", "Import it.")
        there = _there(dbx, file.parent)
        return label, notebook, _Place(file.parent, there, (*place.inside, label))
    known = dbx.workspace.object(path) if place.there or name.startswith("/") else None
    if known is None or known.get("object_type") != "NOTEBOOK":
        where = place.here or place.there
        raise NotFoundError(
            f"%run: there is no notebook {name}"
            + ("." if name.startswith("/") else f", seen from {where}."),
            "Paths are relative to the notebook's own folder.",
        )
    _must_be_new(path, place)
    text = dbx.workspace.fetch(path).decode("utf-8", "replace")
    notebook = parse_source(text, path, str(known.get("language", "")).lower())
    return path, notebook, _Place(None, posixpath.dirname(path), (*place.inside, path))


def _must_be_new(name: str, place: _Place) -> None:
    if name in place.inside:
        raise UsageError(f"%run: {' → '.join((*place.inside, name))} would run for ever.")


def _files(dbx: Dbx, name: str, path: str, place: _Place) -> Iterator[Path]:
    """Files of the project that a notebook's path may mean, the likeliest first."""
    project = dbx.project
    bases = [place.here / name] if place.here and not name.startswith("/") else []
    root = f"{project.target.root}/"
    if path.startswith(root):
        inside = path.removeprefix(root)
        bases += [project.notebooks / inside, project.workspace / inside]
    for base in bases:
        for suffix in _SUFFIXES:
            file = base.with_name(base.name + suffix)
            if file.is_file():
                yield file.resolve()


def _place_here(dbx: Dbx) -> _Place:
    file = dbx.notebook_file()
    here = (file.parent if file else dbx.here).resolve()
    return _Place(here, _there(dbx, here), (_shown(dbx, here / file.name),) if file else ())


def _language_here(dbx: Dbx) -> Language:
    file = dbx.notebook_file()
    with contextlib.suppress(DbxError, OSError):
        if file and (notebook := read_notebook(file.name, file.read_bytes())):
            return notebook.language
    return "python"


def _there(dbx: Dbx, folder: Path) -> str:
    """The workspace's folder that a folder of the project is pushed to; empty for others."""
    project = dbx.project
    for base in (project.notebooks.resolve(), project.workspace.resolve()):
        if folder.resolve().is_relative_to(base):
            inside = folder.resolve().relative_to(base).as_posix()
            return posixpath.normpath(f"{project.target.root}/{inside}")
    return ""


def _shown(dbx: Dbx, file: Path) -> str:
    root = dbx.project.root.resolve()
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _set_widgets(values: dict[str, str], *, is_local: bool) -> str:
    if is_local:
        return f"dbutils.widgets.given.update({values!r})"
    # There is no other way to give a widget its value from here.
    return "\n".join(f"dbutils.widgets.text({key!r}, {value!r})" for key, value in values.items())


def _fs_call(line: str) -> str:
    """``%fs ls /tmp`` as Python: Databricks' contexts do not know the magic."""
    verb, *words = shlex.split(line) or ["help"]
    flags = {"-r": "recurse", "--recurse": "recurse", "--overwrite": "overwrite"}
    arguments = [repr(word) for word in words if word not in flags]
    arguments += [f"{flags[word]}=True" for word in words if word in flags]
    call = f"dbutils.fs.{verb}({', '.join(arguments)})"
    return f"display({call})" if verb in ("ls", "mounts") else f"print({call})"
