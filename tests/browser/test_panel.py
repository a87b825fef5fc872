"""The sidebar: cluster, notebooks and versions of the project, each with what to do about it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.verbs import perform


def section(page: Page, name: str) -> Locator:
    return page.locator("#dbx-magic-panel").get_by_role("region", name=name)


@pytest.fixture
def open_panel(lab: Any, page: Page) -> Any:
    def open_panel(project: Path) -> None:
        page.goto(lab.notebook(project))
        page.locator(".jp-DbxStatus").click()
        expect(page.locator("#dbx-magic-panel")).to_be_visible()

    return open_panel


def test_rebuild(page: Page, hello: Path, open_panel: Any, local: object, shot: Any) -> None:
    """Plan, Apply, progress, and the cluster stands there, equal to its spec."""
    (hello / "dbx.toml").write_text(
        'project = "fresh"\ncluster = "fresh"\n\n[targets.local]\nprofile = "local"\n'
    )
    open_panel(hello)
    cluster = section(page, "Cluster")
    expect(cluster).to_contain_text("none yet")
    cluster.get_by_role("button", name="Rebuild…").click()
    expect(cluster).to_contain_text("fresh will be created")
    shot("plan")
    cluster.get_by_role("button", name="Apply").click()
    expect(cluster.get_by_role("progressbar")).to_be_visible()
    shot("progress")
    expect(cluster.get_by_role("status")).to_contain_text("fresh")
    expect(cluster).to_contain_text(re.compile("●.*fresh.*running.*equal to its spec", re.DOTALL))
    expect(cluster.get_by_role("button", name="Dismiss")).to_be_visible()


def test_push_and_commit(page: Page, running: Dbx, open_panel: Any, shot: Any) -> None:
    root = running.project.root
    open_panel(root)
    notebooks = section(page, "Notebooks")
    notebooks.get_by_role("button", name="Push…").click()
    expect(notebooks).to_contain_text("train")
    shot("plan")
    notebooks.get_by_role("button", name="Apply").click()
    expect(notebooks.get_by_role("status")).to_contain_text("sent (")
    versions = section(page, "Versions")
    versions.get_by_label("Message of the commit").fill("Train on more trips")
    versions.get_by_role("button", name="Commit…").click()
    expect(versions.get_by_role("status")).to_contain_text("will be committed")
    shot("commit")
    versions.get_by_role("button", name="Apply").click()
    expect(versions).not_to_contain_text("no commit yet")
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=root, capture_output=True, text=True, check=True
    )
    assert log.stdout == "Train on more trips\n"


def test_a_reload_in_the_middle_of_a_rebuild(
    page: Page, running: Dbx, open_panel: Any, shot: Any
) -> None:
    """The page finds again what goes on, and tells how it ends."""
    drive(perform(running, "stop", {}), lambda _: None)
    open_panel(running.project.root)
    cluster = section(page, "Cluster")
    expect(cluster).to_contain_text("stopped")
    cluster.get_by_role("button", name="Rebuild…").click()
    expect(cluster.get_by_role("progressbar")).to_be_visible()
    page.reload()
    expect(cluster.get_by_role("status")).to_contain_text(re.compile("◐.*hello", re.DOTALL))
    shot("found again")
    expect(cluster.get_by_role("status")).to_contain_text("equal to its spec")
    cluster.get_by_role("button", name="Dismiss").click()
    expect(cluster.get_by_role("status")).to_have_count(0)


def test_pick_with_the_keyboard_alone(lab: Any, page: Page, running: Dbx, local: object) -> None:
    """From the palette to another cluster, without the mouse."""
    page.goto(lab.notebook(running.project.root))
    expect(page.locator(".jp-DbxStatus")).to_have_text("local · ● hello")
    page.keyboard.press("Control+Shift+c")
    expect(page.locator(".lm-CommandPalette-input")).to_be_focused()
    page.keyboard.type("pick a cluster")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Pick a Cluster")
    page.keyboard.press("Enter")
    expect(section(page, "Cluster").get_by_role("status")).to_contain_text("is picked")
