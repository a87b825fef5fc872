"""What Jupyter opens: notebooks with our buttons, Databricks source, the cluster spec."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.verbs import perform


def file(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem", name=re.compile(rf"^Name: {re.escape(name)}\s"))


def choose(page: Page, name: str, action: str) -> None:
    """Choose from the menu of a file in the file browser."""
    file(page, name).click(button="right")
    page.get_by_role("menuitem", name=action).click()


@pytest.fixture
def pushed(running: Dbx) -> Dbx:
    """The project as the workspace has it."""
    drive(perform(running, "push", {"force": True, "prune": True}), lambda _: None)
    return running


def test_push_sends_what_one_sees(lab: Any, page: Page, pushed: Dbx) -> None:
    """An edit that was not saved is saved first."""
    page.goto(lab.notebook(pushed.project.root))
    expect(page.locator(".jp-DbxStatus")).to_have_text("local · ● hello")
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.type("# edited\n")
    page.get_by_role("button", name="Show what a push of this notebook changes").click()
    doing = page.locator("#dbx-magic-panel").get_by_role("status")
    doing.get_by_role("button", name="Apply").click()
    expect(doing).to_contain_text("1 sent (train)")
    assert b"# edited" in pushed.workspace.fetch("/Shared/hello/train")


def test_push_as_it_was_last_saved(lab: Any, page: Page, pushed: Dbx, settings: Any) -> None:
    """Who wants to push only what was saved can have that."""
    settings(saveBeforePush=False)
    page.goto(lab.notebook(pushed.project.root))
    expect(page.locator(".jp-DbxStatus")).to_have_text("local · ● hello")
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.type("# edited\n")
    page.get_by_role("button", name="Show what a push of this notebook changes").click()
    doing = page.locator("#dbx-magic-panel").get_by_role("status")
    expect(doing).to_contain_text("unchanged")
    assert b"# edited" not in (pushed.project.notebooks / "train.ipynb").read_bytes()


def test_badges(lab: Any, page: Page, pushed: Dbx, shot: Any) -> None:
    """The file browser marks what differs from the workspace, and no longer when it is pushed."""
    train = pushed.project.notebooks / "train.ipynb"
    train.write_text(train.read_text().replace("42", "43"))
    train.with_name("score.ipynb").write_text(train.read_text())
    page.goto(lab.notebook(pushed.project.root))
    badge = file(page, "train.ipynb").locator("[data-dbx]")
    expect(badge).to_have_attribute("data-dbx", "~")
    expect(file(page, "score.ipynb").locator("[data-dbx]")).to_have_attribute("data-dbx", "+")
    shot("badges")
    drive(perform(pushed, "push", {}), lambda _: None)
    page.get_by_role("tab", name="Databricks").click()
    page.get_by_role("tab", name="File Browser").click()
    expect(file(page, "train.ipynb")).to_be_visible()
    expect(badge).to_have_count(0)


def test_open_source_as_a_notebook(lab: Any, page: Page, pushed: Dbx, shot: Any) -> None:
    """Hand-written source opens as cells, and is saved as the source that it is."""
    source = pushed.project.workspace / "greet.py"
    page.goto(lab.address(f"{pushed.project.root.name}/workspace/greet.py"))
    expect(file(page, "greet.py")).to_be_visible()
    choose(page, "greet.py", "Open as Notebook")
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content")
    expect(cell).to_have_text('print("hello")')
    # A kernel that begins writes its language into the notebook, which is then not saved.
    expect(page.get_by_role("contentinfo")).to_contain_text("| Idle")
    cell.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("  # edited")
    page.keyboard.press("Control+s")
    shot("notebook")
    text = '# Databricks notebook source\nprint("hello")  # edited\n'
    expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    assert source.read_text() == text


def test_remote_mode(lab: Any, page: Page, running: Dbx, shot: Any) -> None:
    """One click, and plain cells run on the cluster; another, and they run here."""
    page.goto(lab.notebook(running.project.root))
    switch = page.locator(".jp-DbxRemote").get_by_role("switch")
    expect(switch).to_have_text("○ here")
    switch.click()
    expect(switch).to_have_text("● hello")
    expect(switch).to_be_checked()
    page.locator(".jp-Cell").first.click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea").first).to_contain_text("42 rows")
    shot("remote")
    page.reload()  # the kernel still knows
    expect(switch).to_have_text("● hello")
    switch.click()
    expect(switch).to_have_text("○ here")


def test_the_spec_is_completed_and_checked(
    lab: Any, page: Page, hello: Path, local: object, shot: Any
) -> None:
    spec = hello / "pipelines" / "config.cluster.json"
    right = spec.read_text()
    spec.write_text('{\n  "num_worker": 1\n}\n')
    page.goto(lab.address(f"{hello.name}/dbx.toml"))
    page.get_by_role("listitem", name="Name: pipelines").dblclick()
    file(page, "config.cluster.json").dblclick()
    editor = page.locator(".jp-FileEditor:visible .cm-content")
    fault = page.get_by_role("alert")
    expect(fault).to_contain_text(re.compile("line 2.*num_workers"))
    expect(fault).to_be_in_viewport()
    shot("fault")
    editor.press("Control+a")
    page.keyboard.type('{"num_workers": 1, "spark')
    page.keyboard.press("Tab")
    completer = page.locator(".jp-Completer:visible")
    expect(completer).to_contain_text("spark_version")
    expect(completer).not_to_contain_text("libraries")
    shot("completion")
    page.keyboard.press("Enter")
    expect(editor).to_contain_text(re.compile('"spark_[a-z_]+": '))
    editor.press("Control+a")
    page.keyboard.type('{"node_type_id": "')
    page.keyboard.press("Tab")
    expect(completer).to_contain_text("Standard_DS3_v2 (4 cores, 14 GB)")
    shot("machines")
    page.keyboard.type("Standard_DS3_v2")
    page.keyboard.press("Enter")
    expect(editor).to_have_text('{"node_type_id": "Standard_DS3_v2"')
    editor.press("Control+a")
    page.keyboard.insert_text(right)
    page.keyboard.press("Control+s")
    expect(fault).to_have_count(0)


def test_notebook_7(lab: Any, page: Page, pushed: Dbx, shot: Any) -> None:
    """The buttons work there, too; the panel comes when there is something to show."""
    path = f"{pushed.project.root.name}/notebooks/train.ipynb"
    page.goto(f"{lab.url}/notebooks/{path}?token={lab.token}")
    expect(page.locator(".jp-DbxRemote").get_by_role("switch")).to_have_text("○ here")
    button = page.get_by_role("button", name="Show what a push of this notebook changes")
    expect(button).to_be_enabled()
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.type("# edited\n")
    button.click()
    doing = page.locator("#dbx-magic-panel").get_by_role("status")
    doing.get_by_role("button", name="Apply").click()
    expect(doing).to_contain_text("1 sent (train)")
