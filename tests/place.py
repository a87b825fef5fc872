"""Words for tests: what stands in the project, what in the workspace, what was shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbx_magic import events, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.events import Event, Shown
from dbx_magic.notebook import Cell, Notebook, render_ipynb
from dbx_magic.output import Display, Stream
from dbx_magic.pull import Pulled
from dbx_magic.transfer import Pushed

HEADER = "# Databricks notebook source\n"
SEPARATOR = "\n# COMMAND ----------\n\n"


def perform(dbx: Dbx, verb: str, **arguments: Any) -> Any:
    return events.drive(verbs.perform(dbx, verb, arguments), lambda _: None)


def push(dbx: Dbx, *paths: str, **arguments: Any) -> Pushed:
    result = perform(dbx, "push", paths=paths, **arguments)
    assert isinstance(result, Pushed)
    return result


def pull(dbx: Dbx, *paths: str, **arguments: Any) -> Pulled:
    result = perform(dbx, "pull", paths=paths, **arguments)
    assert isinstance(result, Pulled)
    return result


def source(*cells: str) -> str:
    return HEADER + SEPARATOR.join(f"{cell}\n" for cell in cells)


def ipynb(*cells: str, language: str = "python") -> str:
    return render_ipynb(Notebook(language, tuple(Cell("code", text) for text in cells)))  # type: ignore[arg-type]


def write(project: Path, path: str, content: str | bytes) -> None:
    file = project / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def remote(dbx: Dbx, root: str, folder: str = "") -> dict[str, str]:
    """Everything below a folder of the workspace, by type and path, our own notes left out."""
    found: dict[str, str] = {}
    for item in dbx.workspace.objects(f"{root}/{folder}".rstrip("/")):
        path = item["path"].removeprefix(f"{root}/")
        if path == ".dbx":
            continue
        if item["object_type"] == "DIRECTORY":
            found[f"{path}/"] = ""
            found |= remote(dbx, root, path)
        else:
            text = dbx.workspace.fetch(item["path"], item.get("size", 0)).decode()
            kind = (item.get("language") or "file").lower()
            found[f"{kind}:{path}"] = text
    return found


def edit_there(dbx: Dbx, path: str, *cells: str) -> None:
    dbx.workspace.put(path, source(*cells).encode(), "SOURCE", "python")


def printed(seen: list[Event]) -> str:
    """All text that a cell or run has shown."""
    return "".join(
        event.output.text
        for event in seen
        if isinstance(event, Shown) and isinstance(event.output, Stream | Display)
    )
