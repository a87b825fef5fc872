"""Local notebook files of every format, as the workspace gets them and on the way back."""

from __future__ import annotations

from dataclasses import dataclass

from .bridge import to_workspace
from .errors import ProjectError
from .merge import Conflict, merge
from .notebook import EXTENSIONS, Language, Notebook, parse_ipynb, render_ipynb
from .source import is_source, parse_source, render_source
from .textformats import is_text_notebook, parse_text, render_text

_SUFFIXES = tuple(EXTENSIONS.values())


@dataclass(frozen=True)
class Outgoing:
    """A local notebook as the workspace gets it."""

    language: Language
    text: bytes
    warnings: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """What its file's name ends with."""
        return EXTENSIONS[self.language]


@dataclass(frozen=True)
class Incoming:
    """A local notebook file with the workspace's edits in it."""

    data: bytes
    conflicts: tuple[Conflict, ...]


def outgoing(path: str, data: bytes) -> Outgoing | None:
    """Convert a local file to Databricks source; ``None`` when it is no notebook.

    Raises:
        ProjectError: it is meant as a notebook, but cannot be read as one.
        ConflictError: it has a conflict of an earlier pull that is not settled yet.
    """
    notebook = read_notebook(path, data)
    if notebook is None:
        return None
    crossing = to_workspace(notebook, path)
    text = render_source(crossing.notebook)
    return Outgoing(notebook.language, _encoded(text, path), crossing.warnings)


def incoming(
    path: str, local: bytes | None, base: bytes | None, remote: bytes, language: str = ""
) -> Incoming:
    """Bring Databricks source into a local notebook file, cell by cell.

    ``language`` is that of the notebook in the workspace: the source does not tell R from Python.
    ``base`` is the source when both sides were last equal. Without a ``local`` file (``None``) one
    is made, in the format that its suffix asks for. A file that nothing touches stays as it is.

    Raises:
        ProjectError: one of the three cannot be read.
        ConflictError: the local file has a conflict of an earlier pull that is not settled yet.
    """
    if local is None:
        return Incoming(
            write_notebook(parse_source(_decoded(remote, path), path, language), path), ()
        )
    here = read_notebook(path, local)
    if here is None:
        raise ProjectError(
            f"{path} is no notebook, but there is one at its place in the workspace."
        )
    there = parse_source(_decoded(remote, path), path, language or here.language)
    before = base and parse_source(_decoded(base, path), path, here.language)
    merged = merge(before or None, here, there, path)
    data = local if merged.notebook == here else write_notebook(merged.notebook, path)
    return Incoming(data, merged.conflicts)


def read_notebook(path: str, data: bytes) -> Notebook | None:
    """Read a notebook file in any format; ``None`` for a file that is no notebook.

    Raises:
        ProjectError: it is meant as a notebook, but cannot be read as one.
    """
    if path.lower().endswith(".ipynb"):
        return parse_ipynb(data, path)
    if path.lower().endswith(_SUFFIXES) and is_source(data, path):
        return parse_source(_decoded(data, path), path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return parse_text(text, path) if is_text_notebook(text, path) else None


def write_notebook(notebook: Notebook, path: str) -> bytes:
    """Write a notebook in the format of its path; a script is Databricks source unless jupytext's.

    Raises:
        ProjectError: a cell holds what UTF-8 cannot.
    """
    if path.lower().endswith(".ipynb"):
        # JSON has an escape for half a character, and this writes it.
        return render_ipynb(notebook).encode("utf-8", "backslashreplace")
    if notebook.metadata.get("jupytext") or not path.lower().endswith(_SUFFIXES):
        return _encoded(render_text(notebook, path), path)
    return _encoded(render_source(notebook), path)


def _decoded(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProjectError(
            f"{path} is not UTF-8 (byte {error.start}).", "Save it as UTF-8."
        ) from error


def _encoded(text: str, path: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text[text.rfind("\n", 0, error.start) + 1 : error.start]
        raise ProjectError(
            f"{path} has half a character (a lone surrogate) after {line[-40:]!r}.",
            "Delete it: no text file can hold it.",
        ) from error
