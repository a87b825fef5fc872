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


def test_quick_pick(lab: Any, page: Page, running: Dbx, shot: Any) -> None:
    """A click on the indicator, or a key, offers the clusters; one more picks another."""
    settings = running.project.root / "dbx.toml"
    settings.write_text(settings.read_text().replace('cluster = "hello"', 'cluster = "other"'))
    running.project.pick(None)
    page.goto(lab.notebook(running.project.root))
    expect(status(page)).to_have_text("local · no cluster")
    expect(page.get_by_role("contentinfo")).to_contain_text("| Idle")
    status(page).press("Enter")
    menu = page.get_by_role("menu").last
    expect(menu).to_contain_text("Show the Databricks Panel")
    menu.get_by_text("● hello").click()
    expect(status(page)).to_have_text("local · ● hello")
    expect(page.locator("#dbx-magic-panel")).to_be_hidden()
    status(page).click()
    expect(menu.locator("[data-command='dbx-magic:pick-cluster'].lm-mod-toggled")).to_have_text(
        "● hello"
    )
    shot("menu")
    page.keyboard.press("Escape")
    expect(status(page)).to_be_focused()


def test_the_folder_that_is_browsed_to(lab: Any, page: Page, running: Dbx) -> None:
    """Its project is shown as long as no document is in front."""
    page.goto(lab.address("").replace("/tree/", ""))
    expect(status(page)).to_have_text("no Databricks project")
    page.get_by_role("listitem", name=f"Name: {running.project.root.name}").dblclick()
    expect(status(page)).to_have_text("local · ● hello")


def test_nothing_is_asked_while_nothing_is_visible(lab: Any, page: Page, running: Dbx) -> None:
    """Without status bar, panel and badges hours pass in silence; with the bar it asks again."""
    asked: list[str] = []
    page.on("request", lambda request: asked.extend(re.findall(r"/dbx-magic/(\w+)\?", request.url)))
    page.clock.install()
    with page.expect_response(re.compile("/dbx-magic/diff")):  # for the badges, once
        page.goto(lab.notebook(running.project.root))
    expect(status(page)).to_have_text("local · ● hello")
    run(page, "statusbar:toggle")
    run(page, "application:toggle-left-area")
    expect(status(page)).to_be_hidden()
    asked.clear()
    for _ in range(3):
        page.clock.fast_forward("01:00:00")
    assert asked == []
    run(page, "statusbar:toggle")
    with page.expect_request(re.compile("/dbx-magic/status")):
        page.clock.fast_forward("01:00:00")


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


def run(page: Page, command: str) -> None:
    page.evaluate("command => void window.jupyterapp.commands.execute(command)", command)


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
