"""What all panels are made of: buttons, rows, and how they look."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from dbx_magic.show import markup
from dbx_magic.view import Line, View

# Lists line up like tables; colours are the theme's own, light or dark.
_CSS = """
.dbx-panel { padding: 4px 0; max-width: 72em; }
.dbx-panel select, .dbx-panel .dbx-code textarea {
  font-family: var(--jp-code-font-family, monospace);
  font-size: var(--jp-code-font-size, 13px); }
.dbx-panel .dbx-above { flex-direction: column; align-items: stretch; height: auto; }
.dbx-panel .dbx-above > label { width: auto; text-align: left; }
.dbx-panel .dbx-above > select, .dbx-panel .dbx-above > textarea,
.dbx-panel .dbx-above > input { width: 100%; max-width: 100%;
  flex: none; box-sizing: border-box; margin: 0; }
.dbx-panel progress { width: 100%; max-width: 40em; accent-color: var(--jp-brand-color1); }
.dbx-panel .widget-html-content { line-height: 1.5; overflow-wrap: break-word; }
.dbx-panel .widget-html, .dbx-panel .jupyter-widgets.widget-html { height: auto; }
.dbx-panel .jupyter-button.dbx-off { background: none; box-shadow: none; cursor: default;
  color: var(--jp-ui-font-color2, inherit); }
.dbx-panel button.dbx-passing.dbx-off:not(:focus-visible),
.dbx-panel div.dbx-passing.dbx-off:not(:focus-within) { display: none; }
.dbx-panel .dbx-heard { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }
.dbx-panel button:focus-visible, .dbx-panel select:focus-visible, .dbx-panel input:focus-visible,
.dbx-panel textarea:focus-visible { outline: 2px solid var(--jp-brand-color1); }
"""
# VS Code paints white behind a widget and gives it a light theme's colours, whatever its own is.
_VSCODE_CSS = """
[data-vscode-theme-kind] .cell-output-ipywidget-background:has(.dbx-panel) {
  background: transparent !important; }
[data-vscode-theme-kind] .dbx-panel { --edge: color-mix(in srgb, currentColor 35%, transparent);
  --jp-widgets-color: var(--vscode-foreground);
  --jp-widgets-label-color: var(--vscode-foreground);
  --jp-widgets-input-color: var(--vscode-input-foreground);
  --jp-widgets-input-background-color: var(--vscode-input-background);
  --jp-widgets-input-border-color: var(--vscode-input-border, var(--edge));
  --jp-widgets-input-focus-border-color: var(--vscode-focusBorder);
  --jp-ui-font-color1: var(--vscode-foreground);
  --jp-ui-font-color2: color-mix(in srgb, var(--vscode-foreground) 70%, transparent);
  --jp-ui-inverse-font-color0: var(--vscode-button-foreground);
  --jp-ui-inverse-font-color1: var(--vscode-button-foreground);
  --jp-layout-color2: color-mix(in srgb, var(--vscode-foreground) 12%, transparent);
  --jp-layout-color3: color-mix(in srgb, var(--vscode-foreground) 24%, transparent);
  --jp-brand-color0: var(--vscode-button-hoverBackground);
  --jp-brand-color1: var(--vscode-button-background, var(--vscode-focusBorder));
  --jp-code-font-family: var(--vscode-editor-font-family); }
[data-vscode-theme-kind] .dbx-panel button {
  border: 1px solid var(--vscode-contrastBorder, transparent); }
:is([data-vscode-theme-kind=vscode-dark], [data-vscode-theme-kind=vscode-high-contrast])
  .dbx-panel { color-scheme: dark; }
"""
_OFF = "dbx-off"
_LEAST_ROWS, _MOST_ROWS = 3, 10
_MOST_CHANGES = 2_000
_NO_BREAK = "\u00a0"


def button(
    label: str, press: Callable[[], None], tooltip: str = "", *, obvious: bool = False
) -> widgets.Button:
    """A button; the ``obvious`` one is what most people want next."""
    made = widgets.Button(
        description=label,
        tooltip=tooltip or label,
        button_style="primary" if obvious else "",
        layout=widgets.Layout(width="auto"),
    )
    made.on_click(lambda _: None if is_off(made) else press())
    return made


def allow(item: widgets.DOMWidget, fits: bool) -> None:
    """Let a control be used, or not: then Tab leads past it, and a passing one is not seen.

    What is really disabled or hidden throws the keyboard out of the panel. So a button that was
    just pressed keeps it, and is left out or gone when the keyboard has left.
    """
    (item.remove_class if fits else item.add_class)(_OFF)
    item.tabbable = None if fits else False


def is_off(item: widgets.DOMWidget) -> bool:
    """Whether a control cannot be used now."""
    return _OFF in item._dom_classes  # noqa: SLF001


def passing(item: Any) -> Any:
    """Show a control only while it can be used."""
    item.add_class("dbx-passing")
    return item


def row(*items: widgets.Widget, align: str = "center") -> widgets.HBox:
    """Widgets beside each other, in several lines where it is narrow."""
    layout = widgets.Layout(flex_flow="row wrap", align_items=align)
    return widgets.HBox(list(items), layout=layout)


def panel(title: str, *items: widgets.Widget) -> widgets.VBox:
    """A panel with its title; it counts the places where it is seen."""
    head = widgets.HTML()
    box = widgets.VBox([head, *items], _view_count=0)
    box.add_class("dbx-panel")
    # While the panel is seen, the picture of it that stands above need not be.
    style = f"<style>{_CSS}{_VSCODE_CSS}.{picture_class(box)} {{ display: none; }}</style>"
    head.value = f"{style}<strong>{html.escape(title)}</strong>"
    return box


def picture_class(box: widgets.VBox) -> str:
    """What marks the pictures of a panel."""
    return f"dbx-picture-{box.model_id}"


def wide(**more: Any) -> widgets.Layout:
    """As wide as there is room."""
    return widgets.Layout(width="auto", min_width="12em", **more)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows of text so that their columns line up in a list, which has no columns.

    >>> [line.replace("\\u00a0", "_") for line in aligned([("a", "b"), ("long", "c")])]
    ['a_____b', 'long__c']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in rows
    )
    return [line.replace(" ", _NO_BREAK) for line in lines]


def offer(items: widgets.Select, options: Sequence[tuple[str, str]], *, first: bool = True) -> None:
    """Give a list its options; what was chosen stays chosen as long as it is there.

    When it is not, the ``first`` is chosen, or none.
    """
    if tuple(options) == tuple(items.options):
        return
    chosen = items.value
    items.rows = min(_MOST_ROWS, max(_LEAST_ROWS, len(options)))
    values = [value for _, value in options]
    with items.hold_sync():
        items.options = options
        if values:
            items.value = chosen if chosen in values else values[0] if first else None


def offer_changes(
    items: widgets.Select,
    title: str,
    changes: Sequence[tuple[str, str, str]],
    *,
    first: bool = True,
) -> None:
    """Fill a list with what differs: symbol, name and reason. It is seen when there is something.

    Of thousands one chooses none: the rest is counted.
    """
    shown, rest = changes[:_MOST_CHANGES], len(changes) - _MOST_CHANGES
    labels = aligned([(f"{symbol} {name}", reason) for symbol, name, reason in shown])
    names = [name for _, name, _ in shown]
    offer(items, list(zip(labels, names, strict=True)), first=first)
    allow(items, bool(names))
    items.description = title + (f" ({rest:,} more)" if rest > 0 else "")


def error_words(error: object) -> str:
    """An error as a line of HTML."""
    return spoken([Line(str(error), "✗")])


def spoken(view: View, unseen: str = "") -> str:
    """What a screen reader reads out when it changes; ``unseen`` words are for it alone."""
    more = f'<span class="dbx-heard">{html.escape(unseen)}</span>' if unseen else ""
    return f'<div role="status">{markup(view)}{more}</div>'


def above(widget: Any) -> Any:
    """Put the description of a control above it, where it takes no room from its side."""
    widget.add_class("dbx-above")
    return widget
