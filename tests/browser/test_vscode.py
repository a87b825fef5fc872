"""What we show, in a page that is to it as VS Code's notebooks are: seen once in the real one.

VS Code says its theme in variables of its own. Its widgets bring Jupyter's variables, with a light
theme's values whatever the theme is, and VS Code paints white behind each widget.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page

from dbx_magic.show import markup
from dbx_magic.table import table_html
from dbx_magic.view import Diff
from dbx_magic.widgets.parts import panel

DARK = {
    "foreground": "rgb(191, 191, 191)",
    "editor-background": "rgb(18, 19, 20)",
    "input-foreground": "rgb(190, 190, 190)",
    "input-background": "rgb(25, 26, 27)",
    "button-foreground": "rgb(255, 255, 255)",
    "button-background": "rgb(41, 122, 160)",
    "focusBorder": "rgb(57, 148, 188)",
}
WIDGETS = """
:root { --jp-layout-color0: white; --jp-border-color1: #9e9e9e; --jp-border-color2: #e0e0e0;
  --jp-brand-color1: #2196f3; --jp-content-font-color1: black; --jp-layout-color2: #eee;
  --jp-ui-font-color1: black; --jp-ui-font-color2: #444; --jp-ui-inverse-font-color1: white;
  --jp-widgets-color: var(--jp-content-font-color1);
  --jp-widgets-input-color: var(--jp-ui-font-color1);
  --jp-widgets-input-background-color: white; }
.cell-output-ipywidget-background { background: white !important; }
.jupyter-widgets { color: var(--jp-widgets-color); }
.widget-text input { color: var(--jp-widgets-input-color);
  background-color: var(--jp-widgets-input-background-color); }
.jupyter-button { color: var(--jp-ui-font-color1); background-color: var(--jp-layout-color2); }
.jupyter-button.mod-primary { color: var(--jp-ui-inverse-font-color1);
  background-color: var(--jp-brand-color1); }
"""
TABLE = {"columns": [{"name": "n", "type": "bigint"}], "rows": [[1], [2]]}


@pytest.fixture
def vscode(page: Page) -> Page:
    """A table, a diff and a panel in VS Code's dark theme."""
    variables = "".join(f"--vscode-{name}: {value};" for name, value in DARK.items())
    shown = panel("Clusters")
    page.set_content(
        f'<!doctype html><html style="{variables}">'
        '<body data-vscode-theme-kind="vscode-dark" style="background: var('
        f'--vscode-editor-background); color: var(--vscode-foreground)"><style>{WIDGETS}</style>'
        f"{table_html(TABLE)}{markup([Diff(('-old', '+new'), 'a', 'b')])}"
        '<div class="cell-output-ipywidget-background" id="behind">'
        f'<div class="jupyter-widgets {" ".join(shown._dom_classes)}" id="panel">'
        f"{shown.children[0].value}"
        '<div class="jupyter-widgets widget-text"><input></div>'
        '<button class="jupyter-button">Refresh</button>'
        '<button class="jupyter-button mod-primary">Rebuild</button>'
        "</div></div>"
        '<div class="cell-output-ipywidget-background" id="another"></div></body></html>'
    )
    return page


def style(found: Locator, name: str) -> str:
    """What a property has come to."""
    return str(found.evaluate(f"node => getComputedStyle(node)['{name}']"))


def test_a_table_has_the_themes_own_colours(vscode: Page) -> None:
    head = vscode.locator(".dbx-table th")
    assert style(head, "background-color") == DARK["editor-background"]
    assert style(head.get_by_role("button"), "color") == DARK["foreground"]


def test_the_lines_of_a_diff_are_as_dark_as_its_theme(vscode: Page) -> None:
    assert style(vscode.locator(".dbx-diff"), "border-top-color").startswith("color(srgb 0.749")


def test_a_panel_stands_on_the_themes_own_ground(vscode: Page) -> None:
    assert style(vscode.locator("#behind"), "background-color") == "rgba(0, 0, 0, 0)"
    # What is not ours is not touched.
    assert style(vscode.locator("#another"), "background-color") == "rgb(255, 255, 255)"


def test_a_panel_has_the_themes_own_colours(vscode: Page) -> None:
    assert style(vscode.locator("#panel"), "color") == DARK["foreground"]
    entry = vscode.locator("#panel input")
    assert style(entry, "color") == DARK["input-foreground"]
    assert style(entry, "background-color") == DARK["input-background"]
    plain, obvious = vscode.locator("#panel button").all()
    assert style(plain, "color") == DARK["foreground"]
    assert style(obvious, "background-color") == DARK["button-background"]
    assert style(vscode.locator("#panel"), "color-scheme") == "dark"
