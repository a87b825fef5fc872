"""Views as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import dataclasses
import html
import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .errors import DbxError
from .side_by_side import STYLE, side_by_side
from .verbs import VERBS
from .view import Block, Diff, Line, Table, View, Viewable

if TYPE_CHECKING:
    from rich.console import RenderableType

_ANSI = {"●": "green", "✓": "green", "✗": "red", "!": "yellow", "◐": "yellow", "○": "bright_black"}
_ANSI |= {"+": "green", "−": "red", "~": "yellow"}
_VERB = re.compile(rf"`({'|'.join(VERBS)})\b")
_CSS = {"green": "success", "red": "error", "yellow": "warn"}


def view_of(value: object) -> View:
    """The view of a result, event or error; anything else is shown as its own text."""
    if isinstance(value, Viewable):
        return value.view()
    if isinstance(value, DbxError):
        return [Line(str(value), "✗")]
    return [Line(str(value))]


def text(view: View, *, width: int = 100, color: bool = False) -> str:
    """Write a view for a terminal, without a last newline."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    for block in view:
        console.print(rich_block(block), soft_wrap=isinstance(block, Line))
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in written.rstrip("\n").split("\n"))


def rich_block(block: Block) -> RenderableType:
    """One block as rich draws it."""
    from rich.table import Table as Grid
    from rich.text import Text

    match block:
        case Line():
            line = Text("  " * block.indent)
            if block.symbol:
                line.append(f"{block.symbol} ", style=_ANSI[block.symbol])
            line.append(block.text)
            if block.note:
                line.append(f"   {block.note}" if block.text else block.note, style="dim")
            if block.link:
                line.append(f"   {block.link}", style="dim")
            return line
        case Table():
            grid = Grid(
                box=None, show_header=bool(block.columns), pad_edge=False, padding=(0, 3, 0, 0)
            )
            for index in range(max((len(row) for row in block.rows), default=0)):
                header = block.columns[index] if block.columns else ""
                label = index == 0 and not block.columns
                grid.add_column(Text(header), style="dim" if label else "", overflow="fold")
            for row in block.rows:
                grid.add_row(*(_cell(cell) for cell in row))
            return grid
        case Diff():
            body = Text()
            for line_text in block.lines:
                style = {"+": "green", "-": "red", "@": "cyan"}.get(line_text[:1], "")
                body.append(line_text.rstrip("\n") + "\n", style=style)
            body.rstrip()
            return body


def _cell(value: str) -> Any:
    from rich.text import Text

    style = _ANSI.get(value[:1], "") if value[1:2] in ("", " ") else ""
    cell = Text(value)
    if style:
        cell.stylize(style, 0, 1)
    return cell


def markup(view: View) -> str:
    """Write a view as HTML in Jupyter's own colours, light or dark; every text is escaped."""
    style = STYLE if any(isinstance(block, Diff) for block in view) else ""
    return f'<div class="dbx-magic">{style}{"".join(_blocks(view))}</div>'


def _blocks(view: View) -> Iterable[str]:
    for block in view:
        match block:
            case Line():
                yield _line(block)
            case Table():
                yield _table(block)
            case Diff():
                yield side_by_side(block)


def _line(line: Line) -> str:
    symbol = _symbol(line.symbol) if line.symbol else ""
    note = f'<span style="opacity:.7">{html.escape(line.note)}</span>' if line.note else ""
    link = ""
    if line.link.startswith(("http://", "https://")):
        address = html.escape(line.link, quote=True)
        link = f'<a href="{address}" target="_blank" rel="noopener">{address}</a>'
    parts = filter(None, (symbol, html.escape(line.text), note, link))
    return (
        f'<div style="padding-left:{1.5 * line.indent}em;white-space:pre-wrap">'
        f"{' '.join(parts)}</div>"
    )


def _symbol(symbol: str) -> str:
    name = _CSS.get(_ANSI[symbol])
    color = f"var(--jp-{name}-color1, {_ANSI[symbol]})" if name else "inherit"
    return f'<span style="color:{color}">{symbol}</span>'


def _table(table: Table) -> str:
    left = 'style="text-align:left;white-space:pre-wrap;vertical-align:top"'
    head = "".join(f"<th {left}>{html.escape(name)}</th>" for name in table.columns)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td {left}>{_table_cell(cell, label=index == 0 and not table.columns)}</td>"
            for index, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<table style="margin:.2em 0">{thead}<tbody>{body}</tbody></table>'


def _table_cell(cell: str, *, label: bool) -> str:
    if label:
        return f'<span style="opacity:.7">{html.escape(cell)}</span>'
    if cell[:1] in _ANSI and cell[1:2] in ("", " "):
        return _symbol(cell[0]) + html.escape(cell[1:])
    return html.escape(cell)


def bundle(value: object) -> dict[str, str]:
    """A result, event or error for a notebook: HTML, and text where there is no HTML."""
    view = addressed(view_of(value), "%dbx")
    return {"text/html": markup(view), "text/plain": text(view)}


def addressed(view: View, face: str) -> View:
    """Write the verbs a view speaks of as they are called where it is shown."""
    return [_addressed(block, face) for block in view]


def _addressed(block: Block, face: str) -> Block:
    match block:
        case Line():
            words, note = address(block.text, face), address(block.note, face)
            return dataclasses.replace(block, text=words, note=note)
        case Table():
            rows = tuple(tuple(address(cell, face) for cell in row) for row in block.rows)
            return dataclasses.replace(block, rows=rows)
    return block


def address(words: str, face: str) -> str:
    """Say `` `push` `` as `` `%dbx push` `` or `` `dbx-magic push` ``."""
    return _VERB.sub(rf"`{face} \1", words)
