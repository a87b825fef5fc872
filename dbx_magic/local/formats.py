"""Notebooks in the formats of import and export; inside, a notebook is its Databricks source."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO

from dbx_magic.errors import ProjectError
from dbx_magic.notebook import EXTENSIONS, Cell, Notebook, parse_ipynb, render_ipynb
from dbx_magic.source import is_source, parse_source, render_source

from .archives import read_dbc, read_html, read_zip, write_dbc, write_html, write_zip
from .errors import Refused, invalid
from .tree import Item, Tree, clean_path, parent_of

NOTEBOOK_LIMIT = 10 * 1024 * 1024
JUPYTER_LIMIT = 100 * 1024 * 1024
# What a plain file may be asked for as: it is always what it is.
FILE_FORMATS = ("AUTO", "SOURCE", "RAW")
_COMMENTS = {"PYTHON": "#", "R": "#", "SCALA": "//", "SQL": "--"}
_SUFFIXES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
_CHUNK = re.compile(r"^```\{r[^}\n]*\}\n(.*?)^```[ \t]*$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Imported:
    """One object that an import makes."""

    path: str
    object_type: str
    language: str | None
    content: IO[bytes]
    original: bytes = b""  # of a notebook that came with outputs


def imported(path: str, content: IO[bytes], size: int, kind: str, language: str) -> list[Imported]:
    """What an import of this content in this format makes, folders before what is in them."""
    if language and language not in _COMMENTS:
        raise invalid(f"Unknown language {language}. One of: {', '.join(_COMMENTS)}.")
    match kind:
        case "RAW":
            return [Imported(path, "FILE", None, content)]
        case "AUTO":
            return [_sniffed(path, content, size)]
        case "JUPYTER":
            _check_size(size, JUPYTER_LIMIT)
            return [_jupyter(path, content.read())]
    _check_size(size, NOTEBOOK_LIMIT)
    match kind:
        case "SOURCE" if not language and zipfile.is_zipfile(content):
            content.seek(0)
            return [_folder(path), *_unpacked(path, content.read())]
        case "SOURCE":
            content.seek(0)
            return [_source(path, content.read(), language)]
        case "DBC":
            return [_folder(path), *_from_dbc(path, content.read())]
        case "HTML":
            return [_notebook(path, read_html(content.read()))]
        case "R_MARKDOWN":
            return [_notebook(path, _from_r_markdown(content.read()))]
    raise invalid(f"Unknown format {kind}.")


def exported(tree: Tree, item: Item, kind: str) -> tuple[bytes, str]:
    """An object in a format, and the suffix that a file with that content has."""
    if item.object_type in ("DIRECTORY", "REPO"):
        return _exported_folder(tree, item, kind)
    content = tree.file(item.path).read_bytes()
    if item.object_type == "FILE":
        if kind not in FILE_FORMATS:
            raise invalid(f"A file cannot be exported as {kind}.")
        return content, "file"
    suffix = _suffix(item)
    name = item.path.rpartition("/")[2]
    match kind:
        case "SOURCE" | "AUTO" | "RAW":
            return content, suffix[1:]
        case "JUPYTER":
            notebook = _with_outputs(_parsed(item, content), tree.original(item))
            return render_ipynb(notebook).encode(), "ipynb"
        case "HTML":
            return write_html(name, _parsed(item, content)), "html"
        case "DBC":
            return write_dbc([(name, _parsed(item, content))], []), "dbc"
        case "R_MARKDOWN":
            return _to_r_markdown(_parsed(item, content)), "Rmd"
    raise invalid(f"Unknown format {kind}.")


def _exported_folder(tree: Tree, item: Item, kind: str) -> tuple[bytes, str]:
    top = item.path.rpartition("/")[2] or "Workspace"
    below = list(tree.walk(item.path))

    def inside(found: Item) -> str:
        return top + found.path[len(item.path.rstrip("/")) :]

    if kind == "DBC":
        notebooks = [
            (inside(found), _parsed(found, tree.file(found.path).read_bytes()))
            for found in below
            if found.object_type == "NOTEBOOK"
        ]
        folders = [inside(found) for found in below if found.object_type == "DIRECTORY"]
        return write_dbc(notebooks, [top, *folders]), "dbc"
    entries = []
    for found in below:
        if found.object_type in ("DIRECTORY", "REPO"):
            entries.append((f"{inside(found)}/", b""))
        else:
            plain = found.object_type == "FILE"
            content, suffix = exported(tree, found, "AUTO" if plain else kind)
            entries.append((inside(found) + ("" if plain else f".{suffix}"), content))
    return write_zip([(f"{top}/", b""), *entries]), "zip"


def _unpacked(path: str, data: bytes) -> Iterator[Imported]:
    for name, content in read_zip(data):
        inner = clean_path(f"{path}/{name}")
        if content is None:
            yield _folder(inner)
        else:
            yield from _parents(path, inner)
            yield _sniffed(inner, io.BytesIO(content), len(content))


def _from_dbc(path: str, data: bytes) -> Iterator[Imported]:
    for name, notebook in read_dbc(data):
        inner = clean_path(f"{path}/{name}")
        if notebook is None:
            yield _folder(inner)
        else:
            yield from _parents(path, inner)
            yield _notebook(inner, notebook)


def _parents(top: str, path: str) -> Iterable[Imported]:
    """The folders of an archive that has no entries for them."""
    parent = parent_of(path)
    return [] if parent == top else [*_parents(top, parent), _folder(parent)]


def _folder(path: str) -> Imported:
    return Imported(path, "DIRECTORY", None, io.BytesIO())


def _sniffed(path: str, content: IO[bytes], size: int) -> Imported:
    stem, dot, suffix = path.rpartition(".")
    start = content.read(64)
    content.seek(0)
    language = _SUFFIXES.get(f".{suffix.lower()}") if dot else None
    if language and is_source(start):
        _check_size(size, NOTEBOOK_LIMIT)
        return _source(stem, content.read(), language)
    if dot and suffix.lower() == "ipynb" and size <= JUPYTER_LIMIT:
        data = content.read()
        if _is_notebook(data):
            return _jupyter(stem, data)
        content = io.BytesIO(data)
    return Imported(path, "FILE", None, content)


def _is_notebook(data: bytes) -> bool:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "cells" in found and "metadata" in found


def _source(path: str, data: bytes, language: str) -> Imported:
    if not language:
        raise invalid("Missing required field: language. It is needed when the format is SOURCE.")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise invalid(f"The notebook is not UTF-8 (byte {problem.start}).") from None
    if not is_source(data):
        # Plain code becomes a notebook of one cell; its header makes the file known as one.
        header = f"{_COMMENTS[language]} Databricks notebook source\n"
        data = header.encode() + data
    return Imported(path, "NOTEBOOK", language, io.BytesIO(data))


def _jupyter(path: str, data: bytes) -> Imported:
    try:
        notebook = parse_ipynb(data, path)
    except ProjectError as problem:
        raise invalid(f"The notebook could not be read: {problem}") from None
    shown = any(cell.outputs for cell in notebook.cells)
    return replace(_notebook(path, notebook), original=data if shown else b"")


def _with_outputs(notebook: Notebook, original: bytes) -> Notebook:
    """The notebook with the outputs that it came with, where the code is still the same."""
    if not original:
        return notebook
    came = [cell for cell in parse_ipynb(original).cells if cell.kind == "code"]

    def shown(cell: Cell) -> Cell:
        for number, former in enumerate(came):
            if cell.kind == "code" and former.text == cell.text:
                del came[number]
                count = former.execution_count
                return cell._replace(outputs=former.outputs, execution_count=count)
        return cell

    return notebook._replace(cells=tuple(map(shown, notebook.cells)))


def _notebook(path: str, notebook: Notebook) -> Imported:
    source = render_source(notebook).encode()
    return Imported(path, "NOTEBOOK", notebook.language.upper(), io.BytesIO(source))


def _suffix(item: Item) -> str:
    return EXTENSIONS[str(item.language).lower()]  # type: ignore[index]


def _parsed(item: Item, content: bytes) -> Notebook:
    try:
        return parse_source(content.decode("utf-8"), item.path + _suffix(item))
    except (ProjectError, UnicodeDecodeError) as problem:
        raise invalid(f"The notebook {item.path} cannot be read: {problem}") from None


def _from_r_markdown(data: bytes) -> Notebook:
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    cells: list[Cell] = []
    end = 0
    for chunk in _CHUNK.finditer(text):
        cells += _markdown(text[end : chunk.start()])
        cells.append(Cell("code", chunk[1].removesuffix("\n")))
        end = chunk.end()
    return Notebook("r", (*cells, *_markdown(text[end:])))


def _markdown(text: str) -> list[Cell]:
    return [Cell("markdown", text.strip("\n"))] if text.strip() else []


def _to_r_markdown(notebook: Notebook) -> bytes:
    if notebook.language != "r":
        raise invalid("Only R notebooks can be exported as R_MARKDOWN.")
    parts = [
        cell.text if cell.kind == "markdown" else f"```{{r}}\n{cell.text}\n```"
        for cell in notebook.cells
    ]
    return ("\n\n".join(parts) + "\n").encode()


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise Refused(
            "MAX_NOTEBOOK_SIZE_EXCEEDED",
            f"File size imported is ({size} bytes), exceeded max size ({limit} bytes)",
        )
