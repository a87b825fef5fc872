"""What code that ran on the cluster shows: text, tables, pictures, errors."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .table import TABLE, table_html, table_text

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OUT_PREFIX = re.compile(r"^Out\[[\d\s]+\]:\s*")


@dataclass(frozen=True)
class Stream:
    """Text as it was printed."""

    name: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True)
class Display:
    """One thing shown, in as many MIME types as there are.

    What has a ``display_id`` may be shown anew later on; one that ``updates`` is such a new look.
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: str = ""
    updates: bool = False

    @property
    def text(self) -> str:
        """The plain text of it, for a terminal."""
        return str(self.data.get("text/plain", ""))


@dataclass(frozen=True)
class Clear:
    """All that the cell has shown so far is to go, now or (``wait``) when more is shown."""

    wait: bool = False


@dataclass(frozen=True)
class Failure:
    """An exception that the code raised, with its traceback (ANSI colours allowed)."""

    name: str
    value: str
    traceback: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The last line of a traceback: ``ValueError: no such column``."""
        return f"{self.name}: {self.value}" if self.value else self.name


Output = Stream | Display | Clear | Failure


def from_event(event: Mapping[str, Any]) -> Output | None:
    """Read one event of the local workspace; ``None`` for what is no output (progress)."""
    match event["type"]:
        case "stream":
            return Stream(event["name"], event["text"])
        case "display_data" | "execute_result" | "update_display_data":
            shown = _display(event["data"], event.get("metadata", {}))
            display_id = str(event.get("transient", {}).get("display_id", ""))
            updates = event["type"] == "update_display_data"
            return replace(shown, display_id=display_id, updates=updates)
        case "clear_output":
            return Clear(bool(event["wait"]))
        case "error":
            return Failure(event["ename"], event["evalue"], tuple(event["traceback"]))
    return None


def from_results(results: Mapping[str, Any]) -> list[Output]:
    """Read the ``results`` of Databricks' command execution API 1.2.

    Enum names are matched without regard to case or prefix, because two forms are documented.
    """
    kind = str(results.get("resultType", "")).lower().rpartition("_")[2]
    match kind:
        case "text":
            text = _OUT_PREFIX.sub("", str(results.get("data") or ""))
            return [Stream("stdout", text + "\n")] if text else []
        case "table":
            columns = [
                {"name": column["name"], "type": str(column.get("type", "")).strip('"')}
                for column in results.get("schema", [])
            ]
            table = {
                "columns": columns,
                "rows": results.get("data", []),
                "truncated": bool(results.get("truncated")),
            }
            return [_display({TABLE: table}, {})]
        case "image" | "images":
            names = results.get("fileNames") or [results.get("fileName")]
            return [image for name in names if (image := _image(str(name)))]
        case "error":
            return [_failure(results)]
    return []


def _failure(results: Mapping[str, Any]) -> Failure:
    summary = html.unescape(re.sub(r"<[^>]+>", "", str(results.get("summary") or "")))
    cause = str(results.get("cause") or "")
    last = next((line for line in reversed(plain(cause).splitlines()) if line.strip()), "")
    name, _, value = (summary or last or "Error").partition(": ")
    return Failure(name.strip(), value.strip(), tuple(cause.splitlines()))


def _image(name: str) -> Display | None:
    found = re.fullmatch(r"data:(image/[\w+.-]+);base64,(.+)", name, re.DOTALL)
    if found is None:
        return Display({"text/plain": f"[image {name}]"})
    return Display({found[1]: found[2], "text/plain": f"[{found[1]}]"})


def plain(text: str) -> str:
    """Take ANSI colours out of a text."""
    return _ANSI.sub("", text)


def _display(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Display:
    table = data.get(TABLE)
    if table is None:
        return Display(data, metadata)
    return Display(
        {**data, "text/html": table_html(table), "text/plain": table_text(table)}, metadata
    )
