"""The panels in a notebook of a real JupyterLab: what one sees, presses and types."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.verbs import perform

KERNEL_IS_IDLE = (
    "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
    " === 'idle'"
)


def press(place: Locator, name: str) -> None:
    place.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def run(lab: Any, page: Page) -> Any:
    """Run cells in the project's notebook; gives the panel that the last one shows."""

    def run(project: Path, *cells: str, notebook_7: bool = False) -> Locator:
        path = project / "notebooks" / "train.ipynb"
        notebook = json.loads(path.read_text())
        one = notebook["cells"][0]
        notebook["cells"] = [
            {**one, "id": f"cell-{number}", "source": source}
            for number, source in enumerate(("%load_ext dbx_magic", *cells))
        ]
        path.write_text(json.dumps(notebook))
        alone = f"{lab.url}/notebooks/{path.relative_to(lab.root)}?token={lab.token}"
        page.goto(alone if notebook_7 else lab.notebook(project))
        page.wait_for_function(KERNEL_IS_IDLE)
        page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells') }")
        panel = page.locator(".dbx-panel").last
        expect(panel).to_be_visible()
        return panel

    return run


def choose_theme(page: Page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    light = "false" if "Dark" in theme else "true"
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)


def narrow(page: Page) -> None:
    page.set_viewport_size({"width": 560, "height": 900})
    expect(page.locator(".dbx-panel").last).to_be_visible()


def test_pick_and_rebuild(page: Page, hello: Path, run: Any, slow_start: Any, shot: Any) -> None:
    """The plan first; one that is no longer true is refused; then progress and the cluster."""
    (hello / "dbx.toml").write_text(
        'project = "panel"\ncluster = "panel"\n\n[targets.local]\nprofile = "local"\n'
    )
    spec = hello / "pipelines" / "config.cluster.json"
    dbx = Dbx(hello)
    other = dbx.workspace.create_cluster(json.loads(spec.read_text()) | {"cluster_name": "other"})
    dbx.workspace.stop_cluster(other)
    panel = run(hello, "%dbx clusters")
    shot("light")
    panel.get_by_label("Filter").fill("oth")
    expect(panel.locator("option")).to_have_count(1)
    press(panel, "Pick")
    expect(panel).to_contain_text("other is picked")
    panel.get_by_label("Filter").fill("")
    press(panel, "Rebuild…")
    expect(panel).to_contain_text("panel will be created")
    spec.write_text(spec.read_text().replace('"num_workers": 1', '"num_workers": 2'))
    press(panel, "Apply")
    expect(panel).to_contain_text("so nothing was done")
    shot("stale")
    press(panel, "Look again")
    expect(panel).to_contain_text("2 workers")
    choose_theme(page, "JupyterLab Dark")
    shot("plan")
    with slow_start():
        press(panel, "Apply")
        expect(panel.get_by_role("progressbar")).to_be_visible()
        shot("progress")
    expect(panel).to_contain_text("running, equal to its spec, in")
    press(panel, "Events")
    expect(panel.locator("table")).to_contain_text("it runs")
    narrow(page)
    shot("narrow")
    choose_theme(page, "JupyterLab Light")
    for cluster in dbx.workspace.clusters():
        if cluster["cluster_name"] in ("panel", "other"):
            dbx.workspace.delete_cluster(cluster["cluster_id"])
    dbx.close()


def test_the_kernel_stays_usable_and_a_rerun_finds_the_panel_again(
    page: Page, running: Dbx, run: Any
) -> None:
    panel = run(running.project.root, "%dbx clusters", "print(6 * 7)")
    press(panel, "Stop cluster")
    panel.get_by_label("Filter").fill("hel")
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    expect(page.get_by_text("42", exact=True)).to_be_visible()
    panel = page.locator(".dbx-panel").last
    expect(panel.get_by_label("Filter")).to_have_value("hel")
    expect(panel).to_contain_text("stopped; what it held in memory is gone")


def test_push_with_a_conflict(page: Page, hello: Path, run: Any, shot: Any) -> None:
    """Both sides beside each other; nothing is overwritten unless that is asked for, twice."""
    dbx = Dbx(hello)
    drive(perform(dbx, "push", {"force": True, "prune": True}), lambda _: None)
    greet = hello / "workspace" / "greet.py"
    greet.write_text(greet.read_text() + 'print("here")\n')
    edited = b'# Databricks notebook source\nprint("there")\n'
    dbx.workspace.put("/Shared/hello/greet", edited, "SOURCE", "python")
    panel = run(hello, "%dbx ui push")
    expect(panel.locator(".dbx-diff")).to_contain_text('print("there")')
    expect(panel.locator(".dbx-diff")).to_contain_text('print("here")')
    expect(panel.get_by_role("button", name="Apply")).to_have_count(0)
    shot("light")
    press(panel, "Overwrite…")
    press(panel, "Apply")
    expect(panel).to_contain_text("What was overwritten is in")
    assert b"here" in dbx.workspace.fetch("/Shared/hello/greet")
    dbx.close()


def test_commit_and_go_back(page: Page, hello: Path, run: Any, shot: Any) -> None:
    spec = hello / "pipelines" / "config.cluster.json"
    first = spec.read_text()
    dbx = Dbx(hello)
    drive(perform(dbx, "commit", {"message": "One worker"}), lambda _: None)
    spec.write_text(first.replace('"num_workers": 1', '"num_workers": 2'))
    run(hello, "%dbx ui commit", "%dbx history")
    expect(page.locator(".dbx-panel")).to_have_count(2)
    commit, history = page.locator(".dbx-panel").all()
    expect(commit).to_contain_text("pipelines/config.cluster.json")
    commit.locator("select").select_option(label="~\u00a0pipelines/config.cluster.json")
    expect(commit.locator(".dbx-diff ins")).to_have_text("2")
    commit.get_by_label("Message").fill("Two workers")
    shot("commit")
    press(commit, "Commit")
    expect(commit).to_contain_text("on main: Two workers")
    press(history, "Refresh")
    expect(history.locator("option")).to_have_count(2)
    history.get_by_label("Choose one").select_option(index=1)
    press(history, "Compare")
    expect(history.locator(".dbx-diff").first).to_be_visible()
    press(history, "Go back…")
    choose_theme(page, "JupyterLab Dark")
    press(history, "Apply")
    expect(history.locator("option")).to_have_count(3)
    shot("history")
    assert spec.read_text() == first
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=hello, capture_output=True, text=True, check=True
    )
    assert log.stdout.startswith("Go back to")
    choose_theme(page, "JupyterLab Light")
    dbx.close()


def test_edit_the_spec(page: Page, hello: Path, run: Any, shot: Any) -> None:
    panel = run(hello, "%dbx spec")
    panel.get_by_label("Machines").fill("Standard_DS3_v3")
    expect(panel.get_by_role("alert")).to_contain_text("Did you mean Standard_DS3_v2?")
    shot("wrong")
    choose_theme(page, "JupyterLab Dark")
    panel.get_by_label("Machines").fill("Standard_DS4_v2")
    expect(panel.get_by_role("alert")).to_have_count(0)
    press(panel, "Save")
    expect(panel).to_contain_text("is saved")
    narrow(page)
    shot("narrow")
    assert '"Standard_DS4_v2"' in (hello / "pipelines" / "config.cluster.json").read_text()
    choose_theme(page, "JupyterLab Light")


def tab_to(panel: Locator, name: str) -> None:
    """Press Tab until a button has the keyboard, without leaving the panel."""
    wanted = panel.get_by_role("button", name=name, exact=True)
    expect(wanted).to_be_visible()
    while not wanted.evaluate("wanted => wanted === document.activeElement"):
        panel.page.keyboard.press("Tab")
        assert has_keyboard(panel), f"Tab does not lead to {name}"


def has_keyboard(panel: Locator) -> bool:
    return bool(panel.evaluate("panel => panel.contains(document.activeElement)"))


def test_pick_and_rebuild_with_the_keyboard_alone(
    page: Page, hello: Path, run: Any, slow_start: Any, shot: Any
) -> None:
    """Tab and Enter; what was pressed keeps the keyboard, though it can be pressed no more."""
    (hello / "dbx.toml").write_text(
        'project = "keys"\ncluster = "keys"\n\n[targets.local]\nprofile = "local"\n'
    )
    spec = json.loads((hello / "pipelines" / "config.cluster.json").read_text())
    dbx = Dbx(hello)
    other = dbx.workspace.create_cluster(spec | {"cluster_name": "other"})
    dbx.workspace.stop_cluster(other)
    panel = run(hello, "%dbx clusters")
    panel.get_by_label("Filter").focus()
    page.keyboard.type("oth")
    expect(panel.locator("option")).to_have_count(1)

    def tell(name: str, told: str) -> None:
        if told:  # a screen reader says it
            expect(panel.get_by_role("status").filter(has_text=told)).to_have_count(1)
        assert has_keyboard(panel), f"after {name}"
        shot(name)

    def enter(name: str, told: str) -> None:
        tab_to(panel, name)
        page.keyboard.press("Enter")
        tell(name, told)

    enter("Pick", "other is picked")
    enter("Rebuild…", "keys will be created")
    with slow_start():
        enter("Apply", "keys starting")
        tab_to(panel, "Stop")  # it goes while it has the keyboard
    tell("Stop", "running, equal to its spec, in")
    enter("Dismiss", "")
    expect(panel).not_to_contain_text("running, equal to its spec, in")
    for cluster in dbx.workspace.clusters():
        if cluster["cluster_name"] in ("keys", "other"):
            dbx.workspace.delete_cluster(cluster["cluster_id"])
    dbx.close()


def test_push_with_the_keyboard_alone(page: Page, hello: Path, run: Any, shot: Any) -> None:
    panel = run(hello, "%dbx ui push")
    panel.get_by_role("button", name="Refresh").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the check box asks for another plan
    expect(panel.get_by_role("checkbox")).to_be_focused()
    tab_to(panel, "Apply")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("status")).to_contain_text("sent (")
    assert has_keyboard(panel)
    shot("sent")
    tab_to(panel, "Dismiss")
    expect(panel.get_by_role("button", name="Apply", exact=True)).to_be_hidden()


def test_notebook_7(page: Page, hello: Path, run: Any, shot: Any) -> None:
    """Every panel opens there, in both themes, and can be worked with."""
    page.set_viewport_size({"width": 1280, "height": 2400})
    dbx = Dbx(hello)
    drive(perform(dbx, "commit", {"message": "Start"}), lambda _: None)
    dbx.close()
    names = ("clusters", "commit", "history", "spec", "push")
    push = run(hello, *(f"%dbx ui {name}" for name in names), notebook_7=True)
    expect(page.locator(".dbx-panel")).to_have_count(len(names))
    expect(push.locator(".dbx-diff")).to_be_visible()
    shot("light")
    choose_theme(page, "JupyterLab Dark")
    shot("dark")
    push.get_by_role("button", name="Refresh").focus()
    tab_to(push, "Apply")
    page.keyboard.press("Enter")
    expect(push.get_by_role("status")).to_contain_text("sent (")
    assert has_keyboard(push)
    choose_theme(page, "JupyterLab Light")


def test_accessible(page: Page, hello: Path, run: Any, unavailable: Any) -> None:
    """axe finds nothing to complain about in any panel."""
    axe = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.exists():
        unavailable("axe-core is not installed in labextension/node_modules.")
    names = ("clusters", "push", "commit", "history", "spec")
    run(hello, *(f"%dbx ui {name}" for name in names))
    expect(page.locator(".dbx-panel")).to_have_count(len(names))
    page.add_script_tag(path=axe)
    found = page.evaluate("() => axe.run({include: [['.dbx-panel']]})")["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_when_the_kernel_is_gone_its_picture_stays(
    page: Page, hello: Path, run: Any, shot: Any
) -> None:
    """Tomorrow's reader of the notebook sees what was there, not a hole."""
    run(hello, "%dbx ui push")
    picture = page.locator("[class^=dbx-picture]")
    expect(picture).to_be_hidden()
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    page.reload()
    expect(picture).to_be_visible()
    expect(picture).to_contain_text("new in the project")
    shot("picture")
