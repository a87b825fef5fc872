"""What a command shows: its events in order, and the one result that Databricks' API gives."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

TABLE = "application/vnd.dbx.table+json"
EXIT = "application/vnd.dbx.exit+json"
TASK_VALUE = "application/vnd.dbx.task-value+json"
RESTART = "application/vnd.dbx.restart+json"

MAX_EVENTS = 10_000
MAX_BYTES = 10_000_000

Event = dict[str, Any]


class Events:
    """The events of one command, bounded in number and size."""

    def __init__(self) -> None:
        self.list: list[Event] = []
        self.size = 0
        self.truncated = False

    def add(self, event: Event) -> None:
        """Append an event; once there is no room, say so once and keep only how it ends."""
        if self.truncated and event["type"] != "error":
            return
        room = MAX_BYTES - self.size
        self.size += (size := _size(event))
        full = size > room or len(self.list) >= MAX_EVENTS
        if full and event["type"] != "error":
            self.truncated = True
            self.size = min(self.size, MAX_BYTES)
            if event["type"] == "stream" and len(self.list) < MAX_EVENTS:
                self.list.append({**event, "text": event["text"][:room]})
            limit = f"{MAX_BYTES // 1_000_000} MB or {MAX_EVENTS:,} outputs"
            event = {
                "type": "stream",
                "name": "stderr",
                "text": f"\n[The rest of this output was dropped: it is longer than {limit}."
                " To have it all, write it to a file, below /dbfs/tmp say.]\n",
            }
        self.list.append(event)


def _size(event: Event) -> int:
    match event:
        case {"type": "stream", "text": str(text)}:
            return len(text)
        case {"data": Mapping() as data}:
            return sum(
                len(value) if isinstance(value, str) else len(json.dumps(value))
                for value in data.values()
            )
    return 0


def error_event(name: str, value: str, traceback: Sequence[str] = ()) -> Event:
    """An error as a notebook keeps it."""
    return {
        "type": "error",
        "ename": name,
        "evalue": value,
        "traceback": list(traceback) or [f"{name}: {value}"],
    }


def results(events: Sequence[Event]) -> dict[str, Any]:
    """The events of a finished command in the form of the Command Execution API 1.2."""
    text: list[str] = []
    images: list[str] = []
    table: Mapping[str, Any] | None = None
    for event in events:
        data = event.get("data", {})
        if event["type"] == "error":
            return _error(event)
        if EXIT in data:
            return {"resultType": "text", "data": data[EXIT]["value"]}
        if TABLE in data:
            table = data[TABLE]
        elif "image/png" in data:
            images.append(f"data:image/png;base64,{''.join(data['image/png'].split())}")
        else:
            text.append(_text(event, data))
    if table is not None:
        return _table(table)
    if len(images) == 1:
        return {"resultType": "image", "fileName": images[0]}
    if images:
        return {"resultType": "images", "fileNames": images}
    return {"resultType": "text", "data": "".join(text).rstrip("\n")}


def _text(event: Event, data: Mapping[str, Any]) -> str:
    if event["type"] == "stream":
        return str(event["text"]) if event["name"] == "stdout" else ""
    # A value's HTML is one of its looks; what was displayed as HTML has no other.
    kinds = ("text/html", "text/markdown", "text/plain")
    for kind in kinds if event["type"] == "display_data" else ("text/plain",):
        if kind in data:
            return f"{data[kind]}\n"
    return ""


def _error(event: Event) -> dict[str, Any]:
    name, value = html.escape(event["ename"]), html.escape(event["evalue"].strip())
    return {
        "resultType": "error",
        "summary": f'<span class="ansi-red-fg">{name}</span>: {value}',
        "cause": "\n".join(event["traceback"]),
    }


def _table(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "resultType": "table",
        "data": shown["rows"],
        "schema": [
            {
                "name": column["name"],
                "type": json.dumps(column.get("schema", column["type"])),
                "metadata": "{}",
            }
            for column in shown["columns"]
        ],
        "truncated": shown["truncated"],
        "isJsonSchema": True,
    }
