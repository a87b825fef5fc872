"""What code that ran on the cluster shows: text, tables, pictures, errors."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

TABLE = "application/vnd.dbx.table+json"
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


def table_text(table: Mapping[str, Any], rows: int = 20, width: int = 24) -> str:
    """Draw the first rows of a table for a terminal, numbers to the right."""
    names = [str(column["name"]) for column in table["columns"]]
    shown = [[_cell(value) for value in row] for row in table["rows"][:rows]]
    cut = [[_shorten(cell, width) for cell in row] for row in [names, *shown]]
    if not names:
        return "(no columns)"
    widths = [max(len(row[i]) for row in cut) for i in range(len(names))]
    right = [_is_number(table["rows"], i) for i in range(len(names))]
    lines = [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cut
    ]
    rule = "  ".join("─" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:], _row_count(table, min(rows, len(shown)))])


def table_html(table: Mapping[str, Any], rows: int = 1000) -> str:
    """Write a table as HTML in Jupyter's own table style; every value is escaped."""
    right = [_is_number(table["rows"], i) for i in range(len(table["columns"]))]
    left = [" style=text-align:left" if not flush else "" for flush in right]
    names = [(str(column["name"]), str(column["type"])) for column in table["columns"]]
    head = "".join(
        f'<th{style} title="{html.escape(kind)}">{html.escape(name)}</th>'
        for (name, kind), style in zip(names, left, strict=True)
    )
    shown = table["rows"][:rows]
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{'' if flush else ' style=text-align:left'}>{html.escape(_cell(value))}</td>"
            for value, flush in zip(row, right, strict=True)
        )
        + "</tr>"
        for row in shown
    )
    count = html.escape(_row_count(table, len(shown)))
    return (
        '<div style="max-height:24em;overflow:auto"><table class="dataframe">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<div style="opacity:.7">{count}</div>'
    )


def _row_count(table: Mapping[str, Any], shown: int) -> str:
    there = len(table["rows"])
    noun = "row" if there == 1 else "rows"
    more = ", cut off by the server; use limit() or aggregate" if table.get("truncated") else ""
    some = f", {shown:,} shown" if shown < there else ""
    return f"{there:,} {noun}{some}{more}"


def _cell(value: object) -> str:
    return "null" if value is None else str(value)


def _shorten(text: str, width: int) -> str:
    line = text.replace("\n", "⏎")
    return line if len(line) <= width else line[: width - 1] + "…"


def _is_number(rows: Sequence[Sequence[object]], index: int) -> bool:
    values = [row[index] for row in rows[:20] if row[index] is not None]
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
