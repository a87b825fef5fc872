"""A diff in a notebook's output: side by side where there is room, else below each other."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from dbx_magic.show import markup
from dbx_magic.view import Diff

LINES = ("@@ cell 1 @@", " def f():", "-    return 'old'", "-    # gone", "+    return 'new'")


def place(found: Locator) -> dict[str, float]:
    box = found.bounding_box()
    assert box
    return dict(box)


def show(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 400})
    page.set_content(markup([Diff(LINES, "in the workspace", "in the project")]))


def test_wide(page: Page) -> None:
    show(page, 1000)
    old, new = place(page.get_by_text("return 'old'")), place(page.get_by_text("return 'new'"))
    assert old["y"] == new["y"]
    assert new["x"] >= old["x"] + old["width"]
    titles = [place(page.get_by_text(f"in the {side}")) for side in ("workspace", "project")]
    assert [title["x"] for title in titles] == [old["x"], new["x"]]
    for twin in page.get_by_text("def f():").all():
        expect(twin).to_be_visible()


@pytest.mark.parametrize("width", [420, 320])
def test_narrow(page: Page, width: int) -> None:
    show(page, width)
    old, new = place(page.get_by_text("return 'old'")), place(page.get_by_text("return 'new'"))
    assert place(page.get_by_text("# gone"))["y"] < new["y"]
    assert old["x"] == new["x"]
    first, twin = page.get_by_text("def f():").all()
    expect(first).to_be_visible()
    expect(twin).to_be_hidden()
    # Nothing has to be scrolled sideways.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
