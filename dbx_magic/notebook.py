"""A notebook as this project sees it, and Jupyter's format of it: .ipynb.

A cell is kept as Jupyter has it: markdown without its ``%md``, code without ``# MAGIC``. What the
text of a source notebook has beyond that (an inline ``%md # Title``, CRLF, a missing blank line)
is its *layout*. A cell that Databricks itself would write the same way has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args
from zlib import crc32

from .errors import ProjectError
from .serverless import environment_block, environment_metadata

Language = Literal["python", "sql", "scala", "r"]
Kind = Literal["code", "markdown", "raw"]

KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES: tuple[Language, ...] = get_args(Language)
EXTENSIONS: Mapping[Language, str] = {"python": ".py", "sql": ".sql", "scala": ".scala", "r": ".r"}
COMMENTS: Mapping[Language, str] = {"python": "#", "sql": "--", "scala": "//", "r": "#"}

NOTEBOOK_KEY = "application/vnd.databricks.v1+notebook"
CELL_KEY = "application/vnd.databricks.v1+cell"
LAYOUT_KEY = "dbx_magic"
_SANDBOX = "%md-sandbox\n"
_IN_CELL = "\n   "
_NONE: Mapping[str, Any] = MappingProxyType({})


# Tuples are made four times as fast as frozen dataclasses, and a push makes thousands of cells.
class Cell(NamedTuple):
    """One cell; ``layout`` may hold ``head`` (of markdown) or ``source`` (the whole odd text)."""

    kind: Kind
    text: str
    title: str = ""
    show_title: bool = False
    layout: Mapping[str, str] = _NONE
    metadata: Mapping[str, Any] = _NONE
    outputs: Sequence[Any] = ()
    execution_count: int | None = None
    attachments: Mapping[str, Any] | None = None
    id: str | None = None


class Notebook(NamedTuple):
    """Cells in one default language.

    ``layout`` may hold ``bom``, ``newline``, ``header`` (what follows the words on the first line),
    ``environment`` (the ``/// script`` block), ``blank`` (what follows MAGIC on a blank line) and
    ``end`` (of the file), each as the text that stands there.
    """

    language: Language = "python"
    cells: tuple[Cell, ...] = ()
    layout: Mapping[str, str] = _NONE
    metadata: Mapping[str, Any] = _NONE
    minor: int = 5


# A magic that gives a whole cell to another language or tool. Others (%pip, %matplotlib, %%time)
# are lines of the notebook's own language.
_CELL_MAGIC = re.compile(
    r"\s*%(python|py|sql|scala|r|sh|fs|run|md-sandbox|md)(?:[ \t]*\n|[ \t]+|\Z)"
)


def cell_language(cell: Cell, notebook: Notebook) -> tuple[str, str]:
    """Say which language or magic a code cell is for, and the text that is handed to it.

    ``%sql select 1`` gives ``("sql", "select 1")`` and ``%run ./x $a=1`` ``("run", "./x $a=1")``.
    A cell without such a first line gives its own text, in the notebook's language.
    """
    if not (found := _CELL_MAGIC.match(cell.text)):
        return notebook.language, cell.text
    name = found[1]
    return "python" if name == "py" else name, cell.text[found.end() :]


def foreign_language(notebook: Notebook) -> str:
    """Name the language that Jupyter runs the notebook in when Databricks has no such one."""
    names = _language_names(notebook.metadata)
    return names[0] if names and not set(names) & set(LANGUAGES) else ""


def new_metadata(language: Language) -> dict[str, Any]:
    """Describe a new notebook to Jupyter and to Databricks.

    The kernel is Python's for every language: from there other languages run on the cluster.
    """
    return {
        NOTEBOOK_KEY: {"language": language},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": language},
    }


def parse_ipynb(data: bytes | str, path: str = "") -> Notebook:
    """Read a .ipynb file; ``path`` names it in errors."""
    return notebook_of(_load(data, path or "The notebook"), path)


def notebook_of(content: Mapping[str, Any], path: str = "") -> Notebook:
    """Take a notebook from the content of a .ipynb file that has been read."""
    metadata = _mapping(content.get("metadata"))
    cells = tuple(
        [_read_cell(cell, path, number) for number, cell in enumerate(content["cells"], 1)]
    )
    language, layout = _language(metadata), _layout(metadata)
    environment = _mapping(metadata.get(NOTEBOOK_KEY)).get("environmentMetadata")
    block = environment_block(environment, COMMENTS[language])
    if block and "environment" not in layout:
        layout = {**layout, "environment": block}
    minor = content.get("nbformat_minor")
    return Notebook(
        language,
        cells,
        layout,
        metadata,
        minor if isinstance(minor, int) else 5,
    )


def render_ipynb(notebook: Notebook) -> str:
    """Write a notebook as Jupyter saves it: sorted keys, one space of indent, a final newline."""
    taken: set[str] = set()
    cells = [_cell_json(cell, notebook.minor, taken) for cell in notebook.cells]
    listed = "[\n" + ",\n".join(cells) + "\n ]" if cells else "[]"
    described = _json(_metadata(notebook), "\n ")
    return (
        f'{{\n "cells": {listed},\n "metadata": {described},\n'
        f' "nbformat": 4,\n "nbformat_minor": {notebook.minor}\n}}\n'
    )


def _load(data: bytes | str, name: str) -> dict[str, Any]:
    if not data.strip():
        raise ProjectError(f"{name} is empty.", "Delete it, or save the notebook again in Jupyter.")
    try:
        content = json.loads(data.decode("utf-8-sig") if isinstance(data, bytes) else data)
    except UnicodeDecodeError as error:
        raise ProjectError(
            f"{name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8."
        ) from error
    except json.JSONDecodeError as error:
        raise ProjectError(
            f"{name}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}).",
            "The file may be cut off, or hold marks of a merge conflict.",
        ) from error
    except RecursionError as error:
        raise ProjectError(f"{name} is nested too deeply to be a notebook.") from error
    if not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        raise ProjectError(f'{name} is JSON, but not a notebook: it has no "nbformat".')
    if content["nbformat"] != 4:
        raise ProjectError(
            f"{name} is in notebook format {content['nbformat']}; 4 is needed.",
            f"Convert it with: jupyter nbconvert --to notebook --inplace {name}",
        )
    if not isinstance(content.get("cells"), list):
        raise ProjectError(f'{name} is not a notebook: it has no list of "cells".')
    return content


def _read_cell(cell: Any, path: str, number: int) -> Cell:
    kind: Any = cell.get("cell_type") if isinstance(cell, dict) else None
    text = cell.get("source") if kind in KINDS else None
    if isinstance(text, list):
        with suppress(TypeError):
            text = "".join(text)
    if not isinstance(text, str):
        where = f"{path or 'The notebook'}, cell {number}"
        raise ProjectError(f'{where}: not a cell of code, markdown or raw text with a "source".')
    metadata = _mapping(cell.get("metadata"))
    title, shown, layout = _marks(metadata) if metadata else ("", False, _NONE)
    name = cell.get("id")
    return Cell(
        kind,
        text,
        title,
        shown,
        layout,
        metadata,
        cell.get("outputs") or (),
        cell.get("execution_count"),
        cell.get("attachments"),
        name if isinstance(name, str) else None,
    )


def _marks(metadata: Mapping[str, Any]) -> tuple[str, bool, Mapping[str, str]]:
    own, layout = _mapping(metadata.get(CELL_KEY)), _layout(metadata)
    title, shown = own.get("title"), own.get("showTitle") is True
    if own.get("isMarkdownSandbox") is True and "head" not in layout:
        layout = {**layout, "head": _SANDBOX}
    if "title" in layout:  # jupytext's pairs can keep it only there
        title, shown = layout["title"], layout.get("show_title") == "1"
        layout = {key: layout[key] for key in layout if key not in ("title", "show_title")}
    return title if isinstance(title, str) else "", shown, layout


def _cell_json(cell: Cell, minor: int, taken: set[str]) -> str:
    """Write a cell as ``json.dumps`` with an indent of 1 would; that is slow in CPython."""
    parts = []
    if cell.attachments is not None and cell.kind != "code":
        parts.append(f'"attachments": {_json(cell.attachments, _IN_CELL)}')
    parts.append(f'"cell_type": "{cell.kind}"')
    if cell.kind == "code":
        parts.append(f'"execution_count": {json.dumps(cell.execution_count)}')
    if minor >= 5 or cell.id:
        parts.append(f'"id": {encode_basestring(_unique_id(cell, taken))}')
    metadata = _cell_metadata(cell)
    parts.append(f'"metadata": {_json(metadata, _IN_CELL) if metadata else "{}"}')
    if cell.kind == "code":
        parts.append(f'"outputs": {_json(cell.outputs, _IN_CELL) if cell.outputs else "[]"}')
    lines = [encode_basestring(line + "\n") for line in cell.text.split("\n")]
    lines[-1] = lines[-1][:-3] + '"'
    if lines[-1] == '""':
        del lines[-1]
    source = ",\n    ".join(lines)
    parts.append(f'"source": [\n    {source}\n   ]' if source else '"source": []')
    return "  {\n   " + ",\n   ".join(parts) + "\n  }"


def _json(value: object, newline: str) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=dict)
    return text.replace("\n", newline)


def _metadata(notebook: Notebook) -> Mapping[str, Any]:
    metadata, layout = notebook.metadata, notebook.layout
    comment, block = COMMENTS[notebook.language], layout.get("environment", "")
    own = before = _mapping(metadata.get(NOTEBOOK_KEY))
    if _language(metadata) != notebook.language:
        own = {**own, "language": notebook.language}
    if environment_block(own.get("environmentMetadata"), comment) != block:
        own = {key: own[key] for key in own if key != "environmentMetadata"}
        if environment := environment_metadata(block, comment):
            own = {**own, "environmentMetadata": environment}
    if block and environment_block(own.get("environmentMetadata"), comment) == block:
        layout = {key: layout[key] for key in layout if key != "environment"}
    metadata = _with_layout(metadata, layout)
    return metadata if own is before else {**metadata, NOTEBOOK_KEY: own}


def _cell_metadata(cell: Cell) -> Mapping[str, Any]:
    metadata, layout = cell.metadata, cell.layout
    if not (metadata or layout or cell.title or cell.show_title):
        return _NONE
    own = before = _mapping(metadata.get(CELL_KEY))
    if (own.get("title", ""), own.get("showTitle", False)) != (cell.title, cell.show_title):
        own = {**own, "title": cell.title, "showTitle": cell.show_title}
    sandbox = "%md-sandbox" in layout.get("head", "")
    if own.get("isMarkdownSandbox", False) != sandbox:
        own = {**own, "isMarkdownSandbox": sandbox}
    if layout.get("head") == _SANDBOX:
        layout = {key: layout[key] for key in layout if key != "head"}
    metadata = _with_layout(metadata, layout)
    return metadata if own is before else {**metadata, CELL_KEY: own}


def _unique_id(cell: Cell, taken: set[str]) -> str:
    """Give a new cell an id that is the same each time the same notebook is written."""
    seed = crc32(cell.text.encode("utf-8", "surrogatepass"))
    name = cell.id or f"{seed:08x}"
    while name in taken:
        seed = crc32(b"again", seed)
        name = f"{seed:08x}"
    taken.add(name)
    return name


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _NONE


def _layout(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    layout = metadata.get(LAYOUT_KEY)
    if not isinstance(layout, dict):
        return _NONE
    return {key: value for key, value in layout.items() if isinstance(value, str)}


def _with_layout(metadata: Mapping[str, Any], layout: Mapping[str, str]) -> Mapping[str, Any]:
    if _layout(metadata) == layout:
        return metadata
    if layout:
        return {**metadata, LAYOUT_KEY: dict(layout)}
    return {key: metadata[key] for key in metadata if key != LAYOUT_KEY}


def _language(metadata: Mapping[str, Any]) -> Language:
    for name in _language_names(metadata):
        for language in LANGUAGES:
            if name == language:
                return language
    return "python"


def _language_names(metadata: Mapping[str, Any]) -> list[str]:
    names = (
        _mapping(metadata.get(NOTEBOOK_KEY)).get("language"),
        _mapping(metadata.get("language_info")).get("name"),
        _mapping(metadata.get("kernelspec")).get("language"),
        _mapping(metadata.get("jupytext")).get("main_language"),
    )
    return [name.lower() for name in names if isinstance(name, str)]
