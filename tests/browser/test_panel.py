"""The sidebar: cluster, notebooks and versions of the project, each with what to do about it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.verbs import perform


def section(page: Page, name: str) -> Locator:
    return page.locator("#dbx-magic-panel").get_by_role("region", name=name)


@pytest.fixture
def open_panel(lab: Any, page: Page) -> Any:
    def open_panel(project: Path) -> None:
        page.goto(lab.notebook(project))
        page.get_by_role("tab", name="Databricks").click()
        expect(page.locator("#dbx-magic-panel")).to_be_visible()

    return open_panel


def test_rebuild(page: Page, hello: Path, open_panel: Any, slow_start: Any, shot: Any) -> None:
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
    with slow_start():
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
    expect(notebooks).to_contain_text(re.compile("train.*new here", re.DOTALL))
    notebooks.get_by_role("button", name="Push…").click()
    shot("plan")
    notebooks.get_by_role("button", name="Apply").click()
    expect(notebooks.get_by_role("status")).to_contain_text("sent (")
    expect(notebooks).to_contain_text("equal to the workspace")
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


def test_ship(page: Page, running: Dbx, open_panel: Any, shot: Any) -> None:
    """The whole way in one click: cluster, workspace and history are as the project is."""
    open_panel(running.project.root)
    versions = section(page, "Versions")
    versions.get_by_label("Message of the commit").fill("Ship it")
    versions.get_by_role("button", name="Ship").click()
    expect(versions.get_by_role("button", name="Dismiss")).to_be_visible()
    expect(versions.get_by_role("status")).to_contain_text("Ship it")
    expect(section(page, "Notebooks")).to_contain_text("equal to the workspace")


def test_a_conflict(page: Page, running: Dbx, open_panel: Any, shot: Any) -> None:
    """Both sides are shown; nothing is overwritten unless that is asked for, twice."""
    root = running.project.root
    drive(perform(running, "push", {"force": True, "prune": True}), lambda _: None)
    greet = root / "workspace" / "greet.py"
    greet.write_text(greet.read_text() + 'print("here")\n')
    edited = b'# Databricks notebook source\nprint("there")\n'
    running.workspace.put("/Shared/hello/greet", edited, "SOURCE", "python")
    open_panel(root)
    notebooks = section(page, "Notebooks")
    notebooks.get_by_text("greet").click()
    expect(notebooks.locator("pre")).to_contain_text('print("there")')
    notebooks.get_by_role("button", name="Push…").click()
    doing = notebooks.get_by_role("status")
    expect(doing.get_by_role("button", name="Pull…")).to_be_visible()
    expect(doing.get_by_role("button", name="Apply")).to_have_count(0)
    shot("conflict")
    doing.get_by_role("button", name="Overwrite…").click()
    doing.get_by_role("button", name="Apply").click()
    expect(doing).to_contain_text("What was overwritten is in")


def test_go_back(page: Page, hello: Path, open_panel: Any, local: object, shot: Any) -> None:
    spec = hello / "pipelines" / "config.cluster.json"
    first = spec.read_text()
    dbx = Dbx(hello)
    drive(perform(dbx, "commit", {"message": "One worker"}), lambda _: None)
    spec.write_text(first.replace('"num_workers": 1', '"num_workers": 2'))
    drive(perform(dbx, "commit", {"message": "Two workers"}), lambda _: None)
    open_panel(hello)
    versions = section(page, "Versions")
    versions.get_by_text("Earlier versions").click()
    versions.get_by_role("button", name="Go back…").click()
    expect(versions.get_by_role("status")).to_contain_text("config.cluster.json")
    shot("plan")
    versions.get_by_role("button", name="Apply").click()
    expect(versions.get_by_role("button", name="Dismiss")).to_be_visible()
    assert spec.read_text() == first


def test_a_reload_and_a_second_tab_in_the_middle_of_a_rebuild(
    page: Page,
    lab: Any,
    running: Dbx,
    open_panel: Any,
    settings: Any,
    slow_start: Any,
    shot: Any,
) -> None:
    """Each page finds what goes on, and tells how it ends, also in a notification."""
    settings(notify="always")
    root = running.project.root
    drive(perform(running, "stop", {}), lambda _: None)
    open_panel(root)
    cluster = section(page, "Cluster")
    expect(cluster).to_contain_text("stopped")
    with slow_start():
        cluster.get_by_role("button", name="Rebuild…").click()
        expect(cluster.get_by_role("progressbar")).to_be_visible()
        page.reload()
        other = page.context.new_page()
        other.goto(lab.notebook(root))
        other.get_by_role("tab", name="Databricks").click()
        both = [cluster, section(other, "Cluster")]
        for one in both:
            expect(one.get_by_role("progressbar")).to_be_visible()
        shot("found again")
    for one in both:
        expect(one.get_by_role("status")).to_contain_text("equal to its spec")
    other.get_by_role("tab", name="File Browser").click()
    other.locator(".jp-Notification-Status").click()
    told = other.locator(".jp-Notification-Center").get_by_role("listitem")
    told.filter(has_text="equal to its spec").get_by_role("button", name="Show").click()
    expect(both[1]).to_be_visible()
    cluster.get_by_role("button", name="Dismiss").click()
    expect(cluster.get_by_role("status")).to_have_count(0)


def test_with_the_keyboard_alone(lab: Any, page: Page, running: Dbx, local: object) -> None:
    """From the palette to another cluster, and from a plan to its end, without the mouse."""
    page.goto(lab.notebook(running.project.root))
    expect(page.locator(".jp-DbxStatus")).to_have_text("local · ● hello")
    # A notebook that is still being opened takes the focus once more.
    expect(page.get_by_role("contentinfo")).to_contain_text("| Idle")
    command(page, "Pick a Cluster")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Pick a Cluster")
    page.keyboard.press("Enter")
    expect(section(page, "Cluster").get_by_role("status")).to_contain_text("is picked")
    command(page, "Push to Databricks")
    doing = section(page, "Notebooks").get_by_role("status")
    apply = doing.get_by_role("button", name="Apply")
    expect(apply).to_be_visible()
    for _ in range(30):  # more than the panel has buttons
        if apply.evaluate("node => node === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(doing).to_contain_text("sent (")


def command(page: Page, name: str) -> None:
    """Choose a command from the palette."""
    page.keyboard.press("Control+Shift+c")
    expect(page.locator(".lm-CommandPalette-input")).to_be_focused()
    page.keyboard.type(name)
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(name)
    page.keyboard.press("Enter")


def test_accessible(page: Page, running: Dbx, open_panel: Any, unavailable: Any, shot: Any) -> None:
    """axe finds nothing to complain about in what is ours, in either theme, narrow and wide."""
    axe = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.exists():
        unavailable("axe-core is not installed in labextension/node_modules.")
    open_panel(running.project.root)
    section(page, "Notebooks").get_by_role("button", name="Push…").click()
    expect(section(page, "Notebooks").get_by_role("button", name="Apply")).to_be_visible()
    page.add_script_tag(path=axe)
    ours = [["#dbx-magic-panel"], [".jp-DbxStatus"], [".jp-DbxRemote"]]
    for theme, width in (("Light", 1280), ("Dark", 1280), ("Dark", 700), ("Light", 1900)):
        choose_theme(page, f"JupyterLab {theme}")
        is_light = str(theme == "Light").lower()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", is_light)
        page.set_viewport_size({"width": width, "height": 800})
        shot(f"{theme} {width}")
        found = page.evaluate("ours => axe.run({include: ours})", ours)["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def choose_theme(page: Page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )


def test_many_clusters_and_notebooks(page: Page, running: Dbx, open_panel: Any) -> None:
    """Of 200 clusters and 5,000 differences a few are drawn, the rest are counted."""
    row = {"state": "RUNNING", "runtime": "16.4", "size": "", "creator": "ada"}
    rows = [{**row, "cluster_id": f"{i}", "name": f"cluster {i}"} for i in range(200)]
    one = {"here": "new", "there": "", "lines": []}
    objects = [{**one, "path": f"notebook {i}"} for i in range(5000)]
    answer(page, "clusters", {"rows": rows})
    answer(page, "diff", {"objects": objects})
    open_panel(running.project.root)
    notebooks, clusters = section(page, "Notebooks"), section(page, "Cluster")
    expect(notebooks).to_contain_text("and 4950 more")
    expect(notebooks.locator(".jp-DbxPanel-line")).to_have_count(51)
    clusters.get_by_text("200 other clusters").click()
    clusters.get_by_label("Filter by name").fill("cluster 19")
    expect(clusters.get_by_role("button", name="Pick")).to_have_count(11)


def answer(page: Page, verb: str, result: object) -> None:
    """Let the server's answer to a verb be this one."""
    body = json.dumps({"result": result}) + "\n"

    def fulfill(route: Route) -> None:
        route.fulfill(content_type="application/x-ndjson", body=body)

    page.route(re.compile(rf"/dbx-magic/{verb}\b"), fulfill)


def test_run_this_notebook(lab: Any, page: Page, running: Dbx, shot: Any) -> None:
    """One click pushes what changed, modules too, and runs it; its outputs stand beside it."""
    (running.project.workspace / "counting.py").write_text("ROWS = 42\n")
    train = running.project.notebooks / "train.ipynb"
    source = train.read_text().replace("range(42)", "range(ROWS)")
    train.write_text(source.replace("print(", "from counting import ROWS\\nprint("))
    page.goto(lab.notebook(running.project.root))
    expect(page.locator(".jp-DbxStatus")).to_have_text("local · ● hello")
    page.get_by_role("button", name="run this notebook on the cluster").click()
    outputs = page.locator(".jp-DbxOutputs")
    expect(outputs).to_contain_text("42 rows")
    expect(section(page, "Notebooks").get_by_role("status")).to_contain_text("run ")


def test_push_from_the_file_browser(lab: Any, page: Page, running: Dbx) -> None:
    """Only what is selected is pushed, of the project that it lies in."""
    drive(perform(running, "push", {"force": True, "prune": True}), lambda _: None)
    train = running.project.notebooks / "train.ipynb"
    for name in ("score.ipynb", "train.ipynb"):
        train.with_name(name).write_text(train.read_text().replace("42", "43"))
    page.goto(lab.notebook(running.project.root))
    expect(page.locator(".jp-DbxStatus")).to_have_text("local · ● hello")
    page.get_by_role("listitem", name="Name: score.ipynb").click(button="right")
    page.get_by_role("menuitem", name="Push the Selected Files").click()
    doing = section(page, "Notebooks").get_by_role("status")
    expect(doing).to_contain_text("score")
    expect(doing.get_by_role("button", name="Apply")).to_be_visible()
    expect(doing).not_to_contain_text("train")


def test_publish_and_follow(page: Page, running: Dbx, open_panel: Any, shot: Any) -> None:
    """From a commit to the end of its pipelines, each with its steps."""
    for verb, arguments in (
        ("pipeline", {"action": "azure"}),
        ("pipeline", {"action": "local"}),
        ("commit", {"message": "Deploy it"}),
    ):
        drive(perform(running, verb, arguments), lambda _: None)
    open_panel(running.project.root)
    versions = section(page, "Versions")
    doing = versions.get_by_role("status")
    versions.get_by_role("button", name="Publish…").click()
    doing.get_by_role("button", name="Apply").click()
    expect(doing).to_contain_text("published to local/main")
    versions.get_by_role("button", name="Follow").click()
    expect(doing).to_contain_text(re.compile("◐.*build-", re.DOTALL))
    shot("progress")
    expect(doing).to_contain_text(
        re.compile("build-workspace.*succeeded", re.DOTALL), timeout=180_000
    )
    expect(doing).to_contain_text("✓ Push")
