"""Text notebooks of every kind that jupytext reads, and Databricks' own kind offered to jupytext.

``jupytext.pth`` calls `register` in every process of the command ``jupytext``, and in no other.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from .errors import DbxError, ProjectError
from .notebook import (
    CELL_KEY,
    EXTENSIONS,
    LAYOUT_KEY,
    NOTEBOOK_KEY,
    Cell,
    Language,
    Notebook,
    cell_language,
    notebook_of,
    render_ipynb,
)
from .source import is_source, parse_source, render_source

if TYPE_CHECKING:
    from nbformat import NotebookNode

FORMAT = "databricks"

# Suffixes as jupytext writes them, by what they are in small letters.
_ALWAYS = {".rmd": ".Rmd", ".qmd": ".qmd", ".myst": ".myst", ".mystnb": ".mystnb", ".mnb": ".mnb"}
_DOCUMENTS = (".md", ".markdown")
_SCRIPTS = (".py", ".r", ".scala")
_COMMENT = re.compile(r"^(?:#'?|//) ?")
_PERCENT = re.compile(r"^(?:#|//) ?%%(?:\s|$)", re.MULTILINE)


def is_text_notebook(text: str, path: str) -> bool:
    """Tell a notebook kept as text from a document or a program that is none.

    A script is one with ``# %%`` cells or jupytext's header, Markdown only with the header.
    """
    suffix = _suffix(path)
    if suffix in _ALWAYS:
        return True
    if suffix in _DOCUMENTS:
        return _has_header(text)
    if suffix not in _SCRIPTS or is_source(text):
        return False
    return _PERCENT.search(text) is not None or _has_header(text)


def _has_header(text: str) -> bool:
    """Find jupytext's or a kernel's entry in the YAML that a text notebook begins with."""
    lines = (_COMMENT.sub("", line) for line in text[:20_000].split("\n"))
    opened = False
    for line in lines:
        match line.strip():
            case "---" if not opened:
                opened = True
            case "jupytext:" | "kernelspec:" if opened:
                return True
            case "---" | "...":
                return False
            case words if not opened and words and not words.startswith(("!", "-*-")):
                return False
    return False


def parse_text(text: str, path: str) -> Notebook:
    """Read a text notebook.

    Raises:
        ProjectError: jupytext cannot read it.
    """
    import jupytext  # type: ignore[import-untyped]

    try:
        node = jupytext.reads(text, {"extension": _jupytext_suffix(path)})
    except Exception as error:  # every format's reader raises errors of its own
        reason = " ".join(str(error).split())[:200]
        raise ProjectError(f"{path} cannot be read as a text notebook: {reason}") from error
    notebook = notebook_of(node, path)
    return notebook._replace(cells=tuple([_with_title(cell) for cell in notebook.cells]))


def render_text(notebook: Notebook, path: str) -> str:
    """Write a text notebook in the format that it was read in."""
    import jupytext

    cells = tuple([_without_title(cell) for cell in notebook.cells])
    node = _node(notebook._replace(cells=cells))
    text: str = jupytext.writes(node, {"extension": _jupytext_suffix(path)})
    return text if text.endswith("\n") else f"{text}\n"


def offered_formats() -> list[str]:
    """The formats of text notebooks that jupytext writes: ``md``, ``md:myst``, ``py:percent`` …"""
    import jupytext

    known = jupytext.formats.JUPYTEXT_FORMATS
    kinds = {f"{one.extension[1:]}:{one.format_name}" for one in known}
    return sorted({one.extension[1:] for one in known} | kinds)


def _suffix(path: str) -> str:
    return "." + path.rpartition("/")[2].rpartition(".")[2].lower()


def _jupytext_suffix(path: str) -> str:
    suffix = _suffix(path)
    return _ALWAYS.get(suffix, suffix)


def _with_title(cell: Cell) -> Cell:
    """Take the title of ``# %% A title`` for the cell's title on Databricks."""
    title = cell.metadata.get("title")
    return cell._replace(title=title, show_title=True) if isinstance(title, str) else cell


def _without_title(cell: Cell) -> Cell:
    # jupytext's formats cannot hold Databricks' own key.
    metadata = {key: cell.metadata[key] for key in cell.metadata if key not in (CELL_KEY, "title")}
    if cell.title:
        metadata["title"] = cell.title
    return cell._replace(title="", show_title=False, metadata=metadata)


def _node(notebook: Notebook) -> NotebookNode:
    from nbformat import v4

    node: NotebookNode = v4.reads(render_ipynb(notebook))  # type: ignore[no-untyped-call]
    return node


# --- the format "databricks" of jupytext ---------------------------------------------------------


def register() -> None:
    """Teach jupytext the format ``databricks`` for .py, .r, .R, .scala and .sql, in this process.

    Then ``py:databricks`` is a format like any other: on its command line, in pairs and in Jupyter.

    Raises:
        DbxError: this version of jupytext is built differently from those we know.
    """
    import jupytext
    from jupytext import cli, combine, formats  # noqa: F401 - cli: what it imports is replaced too
    from jupytext import jupytext as core

    if FORMAT in getattr(formats, "_VALID_FORMAT_NAMES", ()):
        return
    try:
        names = formats._VALID_FORMAT_NAMES  # noqa: SLF001
        known, suffixes = formats.JUPYTEXT_FORMATS, formats.NOTEBOOK_EXTENSIONS
        guess, read_format = formats.guess_format, formats.read_format_from_metadata
        base, combined = core.TextNotebookConverter, combine.combine_inputs_with_outputs
        for suffix in _OF_SUFFIX:
            known.append(formats.NotebookFormatDescription(FORMAT, suffix, "", None, None, "1.0"))
    except (AttributeError, TypeError) as error:
        raise DbxError(
            f"jupytext {jupytext.__version__} cannot be taught Databricks' format ({error}).",
            "Convert with `dbx-magic convert`.",
        ) from error

    def guess_format(text: str, ext: str) -> Any:
        return (FORMAT, {}) if is_source(text) and ext in _OF_SUFFIX else guess(text, ext)

    def read_format_from_metadata(text: str, ext: str) -> Any:
        return FORMAT if is_source(text) and ext in _OF_SUFFIX else read_format(text, ext)

    class Converter(base):  # type: ignore[misc, valid-type]
        """jupytext's converter, which leaves one format to us."""

        def reads(self, s: str, **options: Any) -> Any:
            if self.implementation.format_name != FORMAT:
                return super().reads(s, **options)
            notebook = parse_source(s, f"*{self.ext}")
            cells = tuple([_title_in_layout(cell) for cell in notebook.cells])
            return _node(notebook._replace(cells=cells))

        def writes(self, nb: Any, metadata: Any = None, **options: Any) -> Any:
            if self.implementation.format_name != FORMAT:
                return super().writes(nb, metadata, **options)
            return render_source(_in_language(notebook_of(nb), _OF_SUFFIX[self.ext]))

    def combine_inputs_with_outputs(nb_source: Any, nb_outputs: Any, fmt: Any = None) -> Any:
        about = nb_source.metadata.get("jupytext", {})
        if about.get("text_representation", {}).get("format_name") != FORMAT:
            return combined(nb_source, nb_outputs, fmt)
        # The text owns what its format can hold; all else is the paired .ipynb's.
        nb_source.metadata["jupytext"] = {
            **about,
            "cell_metadata_filter": f"{LAYOUT_KEY},-all",
            "notebook_metadata_filter": f"{LAYOUT_KEY},jupytext,-all",
        }
        result = combined(nb_source, nb_outputs, fmt)
        own = nb_outputs.metadata.get(NOTEBOOK_KEY, {})
        result.metadata[NOTEBOOK_KEY] = {
            **{key: own[key] for key in own if key != "environmentMetadata"},
            **nb_source.metadata.get(NOTEBOOK_KEY, {}),
        }
        paired = nb_outputs.metadata.get("jupytext", {})
        result.metadata["jupytext"] = paired if paired.get("formats") else {**about, **paired}
        return result

    names.add(FORMAT)
    suffixes += [suffix for suffix in _OF_SUFFIX if suffix not in suffixes]
    _replace(guess, guess_format)
    _replace(read_format, read_format_from_metadata)
    _replace(base, Converter)
    _replace(combined, combine_inputs_with_outputs)


def _replace(old: object, new: object) -> None:
    """Put a function or class of jupytext's in the place of another wherever it was imported."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "jupytext":
            for key, value in list(vars(module).items()):
                if value is old:
                    setattr(module, key, new)


_OF_SUFFIX: dict[str, Language] = {suffix: language for language, suffix in EXTENSIONS.items()}
_OF_SUFFIX[".R"] = "r"


def _title_in_layout(cell: Cell) -> Cell:
    """Keep a title in our own key: jupytext refuses the ``+`` in Databricks'."""
    if not cell.title:
        return cell
    layout = {**cell.layout, "title": cell.title, "show_title": "1" if cell.show_title else "0"}
    return cell._replace(title="", show_title=False, layout=layout)


def _in_language(notebook: Notebook, language: Language) -> Notebook:
    """Say in each plain cell what its language is, when that is not the file's."""
    if notebook.language == language:
        return notebook
    head = f"%{notebook.language}\n"
    cells = [
        cell._replace(text=head + cell.text)
        if cell.kind == "code" and cell_language(cell, notebook) == (notebook.language, cell.text)
        else cell
        for cell in notebook.cells
    ]
    return notebook._replace(language=language, cells=tuple(cells))
