"""The rows of a DataFrame as ``display`` shows them: text for a terminal, HTML for a notebook.

The HTML is whole in itself. Where scripts run (a trusted notebook, nbconvert's page) it sorts by a
click on a column, filters, shows all rows while one scrolls and draws a quick chart; where none do,
it is a plain table of the first rows. VS Code's variables go before Jupyter's: the widgets there
bring Jupyter's with the colours of a light theme, whatever the theme is.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

TABLE = "application/vnd.dbx.table+json"

_STATIC_ROWS = 100
_NUMBERS = (
    *("tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "real"),
    *("byte", "short", "integer", "long"),  # as Databricks' API calls them
)
_TIMES = ("date", "timestamp", "timestamp_ntz")


def table_text(table: Mapping[str, Any], rows: int = 20, width: int = 24) -> str:
    """Draw the first rows of a table for a terminal, numbers to the right."""
    names = [str(column["name"]) for column in table["columns"]]
    shown = [[_cell(value) for value in row] for row in table["rows"][:rows]]
    cut = [[_shorten(cell, width) for cell in row] for row in [names, *shown]]
    if not names:
        return "(no columns)"
    widths = [max(len(row[i]) for row in cut) for i in range(len(names))]
    right = _numbers(table)
    lines = [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cut
    ]
    rule = "  ".join("─" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:], _row_count(table, len(shown))])


def table_html(table: Mapping[str, Any]) -> str:
    """Write a table as HTML that lives in a notebook; every value is escaped."""
    right = _numbers(table)
    classes = [" class=dbx-number" if flush else "" for flush in right]
    head = "".join(
        f'<th scope=col{kind} title="{html.escape(str(column["type"]))}">'
        f"{html.escape(str(column['name']))}</th>"
        for column, kind in zip(table["columns"], classes, strict=True)
    )
    rows: Sequence[Sequence[object]] = table["rows"]
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{kind}>{html.escape(_cell(value))}</td>"
            for value, kind in zip(row, classes, strict=True)
        )
        + "</tr>"
        for row in rows[:_STATIC_ROWS]
    )
    count = html.escape(_row_count(table, min(len(rows), _STATIC_ROWS)))
    return (
        f"<div class=dbx-table><style>{_file('table.css')}</style>"
        f'<div class=dbx-rows tabindex=0><table class="dataframe"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div><div class=dbx-count>{count}</div>"
        f"{_script(table, right) if len(rows) > 1 else ''}</div>"
    )


def _script(table: Mapping[str, Any], right: Sequence[bool]) -> str:
    columns = [
        {"name": str(column["name"]), "number": number, "time": column["type"] in _TIMES}
        for column, number in zip(table["columns"], right, strict=True)
    ]
    rows = [[None if value is None else _cell(value) for value in row] for row in table["rows"]]
    data = json.dumps({"columns": columns, "rows": rows}, ensure_ascii=False)
    # The text of a script ends at the first "</"; JSON has another way to write it.
    data = data.replace("<", "\\u003c")
    return f'<script type="application/json">{data}</script><script>{_file("table.js")}</script>'


@cache
def _file(name: str) -> str:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    # It stands in every table's output, so without what only we read.
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _row_count(table: Mapping[str, Any], shown: int) -> str:
    there = len(table["rows"])
    noun = "row" if there == 1 else "rows"
    some = f", {shown:,} shown" if shown < there else ""
    if not table.get("truncated"):
        return f"{there:,} {noun}{some}"
    # What display() shows has a limit; a variable that is brought here has none.
    return f"{there:,} {noun}{some}, cut off by the server; %%dbx -o NAME brings all of them here"


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _shorten(text: str, width: int) -> str:
    line = text.replace("\n", "⏎")
    return line if len(line) <= width else line[: width - 1] + "…"


def _numbers(table: Mapping[str, Any]) -> list[bool]:
    """Which columns hold numbers: by their type, or where that says nothing, by their values."""
    return [
        str(column["type"]).partition("(")[0] in _NUMBERS or _are_numbers(table["rows"], index)
        for index, column in enumerate(table["columns"])
    ]


def _are_numbers(rows: Sequence[Sequence[object]], index: int) -> bool:
    values = [row[index] for row in rows[:20] if row[index] is not None]
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
