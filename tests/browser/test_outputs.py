"""What cells on the cluster show, in a real page: tables that live, outputs that are updated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dbx_magic.dbx import Dbx
from dbx_magic.show import markup
from dbx_magic.table import table_html
from dbx_magic.view import Line

TABLE = {
    "columns": [
        {"name": "species", "type": "string"},
        {"name": "n", "type": "bigint"},
        {"name": "big", "type": "bigint"},
    ],
    "rows": [
        [f"species {index % 7}", (index * 37) % 500, 9007199254740993 + index]
        for index in range(500)
    ],
    "truncated": True,
}
CELLS = [
    "%load_ext dbx_magic\n%dbx remote on",
    "%sql\nselect id, id % 5 as rest, concat('<b>', id) as text from range(250)",
    "import IPython\nIPython.display.display('before', display_id='it').update('after')",
]


@pytest.fixture(params=["light", "dark"])
def alone(request: pytest.FixtureRequest, page: Page) -> Locator:
    """A table on a page of its own, as nbconvert writes one."""
    page.set_content(
        f'<!doctype html><html style="color-scheme: {request.param}">'
        f'<body style="background: Canvas; color: CanvasText">{table_html(TABLE)}</body></html>'
    )
    return page.locator(".dbx-table")


def first(table: Locator) -> list[str]:
    """The first row."""
    return table.locator("tbody tr").first.locator("td").all_inner_texts()


def test_sort_and_filter(alone: Locator) -> None:
    alone.get_by_role("button", name="n", exact=True).click()
    assert first(alone)[1] == "0"
    expect(alone.locator("th").nth(1)).to_have_attribute("aria-sort", "ascending")
    alone.get_by_role("button", name="n", exact=True).click()
    assert first(alone)[1] == "499"
    alone.get_by_label("Filter rows").fill("SPECIES 3")
    assert {row.split("\t")[0] for row in alone.locator("tbody tr").all_inner_texts()} == {
        "species 3"
    }
    expect(alone.locator(".dbx-count").last).to_contain_text("71 of 500 rows, cut off")
    alone.get_by_label("Filter rows").fill("")
    alone.get_by_role("button", name="species").click()
    alone.get_by_role("button", name="big").click()
    assert first(alone)[2] == "9007199254740993"  # not rounded


def test_all_rows_come_while_one_scrolls(alone: Locator) -> None:
    rows = alone.locator("tbody tr")
    expect(rows).to_have_count(100)
    for _ in range(10):
        alone.locator(".dbx-rows").evaluate("node => node.scrollTo(0, node.scrollHeight)")
    expect(rows).to_have_count(500)


def test_chart(alone: Locator, page: Page, shot: Any) -> None:
    page.set_viewport_size({"width": 420, "height": 700})
    alone.get_by_role("button", name="Chart").click()
    expect(alone.locator("svg rect")).to_have_count(60)
    expect(alone.locator(".dbx-chart")).to_contain_text("the first 60 of 500 rows")
    alone.get_by_label("Kind of chart").select_option("line")
    alone.get_by_label("Along").select_option("n")
    expect(alone.locator("svg polyline")).to_have_count(1)
    shot("line")
    alone.get_by_role("button", name="Chart").click()
    expect(alone.locator("svg")).to_be_hidden()


def test_a_line_keeps_its_indentation(page: Page) -> None:
    page.set_content(markup([Line("{"), Line('  "num_workers": 1'), Line("}")]))
    assert page.locator("body").inner_text() == '{\n  "num_workers": 1\n}'
    page.set_content(markup([Line("", note="4 cores")]))
    assert page.locator("body").inner_text() == "4 cores"


def test_in_a_notebook(lab: Any, page: Page, running: Dbx, shot: Any) -> None:
    """A notebook in remote mode, its table used by hand; what is typed is no command to Lab."""
    path = running.project.notebooks / "train.ipynb"
    notebook = json.loads(path.read_text())
    (cell,) = notebook["cells"]
    notebook["cells"] = [
        {**cell, "id": f"cell{index}", "source": source} for index, source in enumerate(CELLS)
    ]
    path.write_text(json.dumps(notebook))
    page.goto(lab.notebook(running.project.root))
    cells = page.locator(".jp-Notebook .jp-Cell")
    expect(cells).to_have_count(3)
    expect(page.get_by_role("contentinfo")).to_contain_text("Idle")  # keys go to a kernel
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    table = page.locator(".dbx-table")
    expect(cells.nth(0)).to_contain_text("Cells run on hello from now on.")
    expect(cells.nth(2).locator(".jp-Cell-outputArea")).to_have_text("'after'")
    table.get_by_role("button", name="rest").click()
    table.get_by_role("button", name="rest").click()
    assert first(table)[1] == "4"
    kinds = [table.locator("td").nth(column) for column in (1, 2)]
    sides = [kind.evaluate("node => getComputedStyle(node).textAlign") for kind in kinds]
    assert sides == ["right", "left"]  # numbers and text, whatever the page's own style says
    there = cells.count()
    table.get_by_label("Filter rows").click()
    page.keyboard.type("12b")
    expect(table.locator("tbody tr")).to_have_count(0)
    page.keyboard.press("Backspace")
    assert first(table)[2].startswith("<b>")
    assert cells.count() == there
    table.get_by_role("button", name="Chart").click()
    expect(table.locator("svg polyline")).to_be_visible()
    shot("table")
    page.evaluate(
        "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    shot("dark")
    page.evaluate(
        "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})"
    )
