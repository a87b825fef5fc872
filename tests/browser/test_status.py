"""The status bar: which workspace and which cluster the document in front works with."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.verbs import perform


def status(page: Page) -> Locator:
    return page.get_by_role("contentinfo").locator(".jp-DbxStatus")


def test_target_and_cluster_of_the_notebook_in_front(lab: Any, page: Page, running: Dbx) -> None:
    page.goto(lab.notebook(running.project.root))
    expect(status(page)).to_have_text("local · ● hello")
    expect(status(page)).to_have_attribute("title", re.compile("^hello is running · runtime 16.4"))


def test_a_click_reads_again(lab: Any, page: Page, running: Dbx) -> None:
    page.goto(lab.notebook(running.project.root))
    expect(status(page)).to_have_text("local · ● hello")
    drive(perform(running, "stop", {}), lambda _: None)
    status(page).click()
    expect(status(page)).to_have_text("local · ○ hello")


def test_a_cell_that_uses_the_magic(lab: Any, page: Page, running: Dbx) -> None:
    """What `%dbx` changes in a notebook is seen at once, not with the next poll."""
    write_cell(running, "%load_ext dbx_magic\n%dbx stop")
    page.goto(lab.notebook(running.project.root))
    expect(status(page)).to_have_text("local · ● hello")
    expect(page.get_by_role("contentinfo")).to_contain_text("| Idle")
    page.locator(".jp-Cell").first.click()
    page.keyboard.press("Shift+Enter")
    expect(status(page)).to_have_text("local · ○ hello")


def test_outside_any_project(lab: Any, page: Page) -> None:
    (lab.root / "notes.txt").write_text("no project here")
    page.goto(lab.address("notes.txt"))
    expect(status(page)).to_have_text("no Databricks project")


def test_dark(lab: Any, page: Page, running: Dbx, shot: Any) -> None:
    """It is readable in the dark theme, too: it takes the theme's own colours."""
    page.goto(lab.notebook(running.project.root))
    expect(status(page)).to_have_text("local · ● hello")
    light = colour(status(page))
    choose_theme(page, "JupyterLab Dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    neighbour = page.locator(".jp-StatusBar-TextItem:not(.jp-DbxStatus)").first
    assert colour(status(page)) == colour(neighbour) != light
    shot("dark")
    choose_theme(page, "JupyterLab Light")


def write_cell(dbx: Dbx, source: str) -> None:
    path = dbx.project.notebooks / "train.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["source"] = source
    path.write_text(json.dumps(notebook))


def choose_theme(page: Page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )


def colour(item: Locator) -> str:
    return str(item.evaluate("node => getComputedStyle(node).color"))
