"""Notebooks in the formats of import and export; inside, a notebook is its Databricks source."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import IO

from dbx_magic.errors import ProjectError
from dbx_magic.notebook import EXTENSIONS, Language, parse_ipynb, render_ipynb
from dbx_magic.source import is_source, parse_source, render_source

from .errors import Refused, invalid
from .tree import Item, Tree

NOTEBOOK_LIMIT = 10 * 1024 * 1024
JUPYTER_LIMIT = 100 * 1024 * 1024
_COMMENTS = {"PYTHON": "#", "R": "#", "SCALA": "//", "SQL": "--"}
_SUFFIXES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}


@dataclass(frozen=True)
class Imported:
    """One object that an import makes."""

    path: str
    object_type: str
    language: str | None
    content: IO[bytes]


def imported(path: str, content: IO[bytes], size: int, kind: str, language: str) -> list[Imported]:
    """What an import of this content in this format makes, folders before what is in them."""
    if language and language not in _COMMENTS:
        raise invalid(f"Unknown language {language}. One of: {', '.join(_COMMENTS)}.")
    match kind:
        case "RAW":
            return [Imported(path, "FILE", None, content)]
        case "AUTO":
            return [_sniffed(path, content, size)]
        case "SOURCE":
            _check_size(size, NOTEBOOK_LIMIT)
            return [_source(path, content.read(), language)]
        case "JUPYTER":
            _check_size(size, JUPYTER_LIMIT)
            return [_jupyter(path, content.read())]
    raise invalid(f"Unknown format {kind}.")


def exported(tree: Tree, item: Item, kind: str) -> tuple[bytes, str]:
    """An object in a format, and the suffix that a file with that content has."""
    content = tree.file(item.path).read_bytes()
    if item.object_type == "FILE":
        if kind not in ("AUTO", "SOURCE", "RAW"):
            raise invalid(f"A file cannot be exported as {kind}.")
        return content, "file"
    text = content.decode("utf-8")
    language = str(item.language)
    suffix = EXTENSIONS[language.lower()]  # type: ignore[index]
    match kind:
        case "SOURCE" | "AUTO" | "RAW":
            return content, suffix[1:]
        case "JUPYTER":
            return render_ipynb(parse_source(text, item.path + suffix)).encode(), "ipynb"
    raise invalid(f"Unknown format {kind}.")


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
    language: Language = notebook.language
    source = render_source(notebook).encode()
    return Imported(path, "NOTEBOOK", language.upper(), io.BytesIO(source))


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise Refused(
            "MAX_NOTEBOOK_SIZE_EXCEEDED",
            f"File size imported is ({size} bytes), exceeded max size ({limit} bytes)",
        )
