"""Databricks' own containers of notebooks: DBC archives, HTML pages and zipped folders."""

from __future__ import annotations

import base64
import binascii
import html
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from dbx_magic.notebook import Cell, Language, Notebook

from .errors import invalid

_LANGUAGES: tuple[Language, ...] = ("python", "sql", "scala", "r")
_MODEL = re.compile(r"__DATABRICKS_NOTEBOOK_MODEL = '([A-Za-z0-9+/=]*)'")
_MD = re.compile(r"\s*%md(?:-sandbox)?(?:[ \t]*\n|[ \t]+|\Z)")
_UNPACKED_LIMIT = 500 * 1024 * 1024

_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title></head><body><h1>{title}</h1>
{cells}
<script>
var __DATABRICKS_NOTEBOOK_MODEL = '{model}'
</script></body></html>
"""


def to_model(name: str, notebook: Notebook) -> dict[str, Any]:
    """A notebook as Databricks keeps it inside its containers."""
    commands = [
        {
            "version": "CommandV1",
            "origId": number,
            "subtype": "command",
            "commandType": "auto",
            "position": float(number),
            "command": f"%md\n{cell.text}" if cell.kind == "markdown" else cell.text,
            "commandTitle": cell.title,
            "showCommandTitle": cell.show_title,
            "state": "finished",
            "results": None,
        }
        for number, cell in enumerate(notebook.cells, 1)
    ]
    return {
        "version": "NotebookV1",
        "origId": 0,
        "name": name,
        "language": notebook.language,
        "commands": commands,
        "dashboards": [],
        "globalVars": {},
        "iPythonMetadata": None,
        "inputWidgets": {},
    }


def from_model(model: Any) -> Notebook:
    """The notebook in a model."""
    if not isinstance(model, dict) or not isinstance(model.get("commands"), list):
        raise invalid("The archive holds something that is no notebook.")
    language = str(model.get("language", "")).lower()
    if language not in _LANGUAGES:
        raise invalid(f"Unknown language {language!r} of a notebook in the archive.")
    commands = sorted(model["commands"], key=lambda command: float(command.get("position") or 0))
    return Notebook(language=language, cells=tuple(_cell(command) for command in commands))


def _cell(command: Mapping[str, Any]) -> Cell:
    text = str(command.get("command") or "")
    title, show = str(command.get("commandTitle") or ""), bool(command.get("showCommandTitle"))
    if markdown := _MD.match(text):
        return Cell("markdown", text[markdown.end() :], title, show)
    return Cell("code", text, title, show)


def write_dbc(notebooks: Iterable[tuple[str, Notebook]], folders: Iterable[str]) -> bytes:
    """An archive of notebooks by their paths within it."""
    entries = [(f"{folder}/", b"") for folder in folders]
    for path, notebook in notebooks:
        model = json.dumps(to_model(path.rpartition("/")[2], notebook)).encode()
        entries.append((f"{path}.{notebook.language}", model))
    return write_zip(entries)


def read_dbc(data: bytes) -> Iterator[tuple[str, Notebook | None]]:
    """The notebooks of an archive by their paths; ``None`` stands for a folder."""
    for path, content in read_zip(data):
        if content is None:
            yield path, None
        else:
            try:
                model = json.loads(content)
            except ValueError:
                raise invalid(f"{path} in the archive is no notebook.") from None
            yield path.rpartition(".")[0], from_model(model)


def write_zip(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip file; a path that ends in ``/`` is a folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in entries:
            archive.writestr(path, content)
    return packed.getvalue()


def read_zip(data: bytes) -> Iterator[tuple[str, bytes | None]]:
    """What is in a zip file; ``None`` stands for a folder."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _UNPACKED_LIMIT:
                raise invalid(f"The archive has more than {_UNPACKED_LIMIT} bytes in it.")
            for entry in archive.infolist():
                path = entry.filename.rstrip("/")
                yield path, None if entry.is_dir() else archive.read(entry)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, NotImplementedError):
        raise invalid("The archive cannot be read.") from None


def write_html(name: str, notebook: Notebook) -> bytes:
    """A page that shows a notebook, and can be imported again."""
    model = quote(json.dumps(to_model(name, notebook)))
    cells = "\n".join(f"<pre>{html.escape(cell.text)}</pre>" for cell in notebook.cells)
    page = _PAGE.format(
        title=html.escape(name),
        cells=cells,
        model=base64.b64encode(model.encode()).decode(),
    )
    return page.encode()


def read_html(data: bytes) -> Notebook:
    """The notebook in a page that Databricks, or this workspace, has exported."""
    found = _MODEL.search(data.decode("utf-8", "replace"))
    if not found:
        raise invalid("The page holds no notebook.")
    try:
        return from_model(json.loads(unquote(base64.b64decode(found[1]).decode())))
    except (binascii.Error, ValueError):
        raise invalid("The notebook in the page cannot be read.") from None
