"""What JupyterLab feels of the extension: pauses while it shows much, and how much later it opens.

``python tests/benchmarks/bench_lab.py`` shows 200 clusters and 5,000 notebooks that differ, starts
our part of the server, and opens JupyterLab in turn with the extension and without it. The clock's
figures are worth something on a machine that does nothing else; those of processor time always.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.conftest import Lab, serve
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from dbx_magic import local_process

ROOT = Path(__file__).parents[2]
CLUSTERS, NOTEBOOKS = 200, 5000
BLOCKS, STARTS, RESAMPLES = 20, 15, 2000
PROJECT = 'project = "hello"\ncluster = "hello"\n\n[targets.local]\nprofile = "local"\n'
START = """
import time
import jupyterlab.labapp, jupyterlab_jupytext, jupyter_server.base.handlers
begun = time.process_time()
import dbx_magic.server
dbx_magic.server._link_jupyter_server_extension(None)
print(1000 * (time.process_time() - begun))
"""
WATCH = """
() => {
  window.pauses = [];
  const observer = new PerformanceObserver(list =>
    list.getEntries().forEach(entry => window.pauses.push(entry.duration)));
  observer.observe({entryTypes: ['longtask']});
}
"""


def answer(page: Page, verb: str, result: object) -> None:
    """Let the server's answer to a verb be this one."""
    body = json.dumps({"result": result}) + "\n"

    def fulfill(route: Route) -> None:
        route.fulfill(content_type="application/x-ndjson", body=body)

    page.route(re.compile(rf"/dbx-magic/{verb}\b"), fulfill)


def pauses(page: Page, lab: Lab) -> None:
    """Show much, filter it and scroll, and say how long nothing else could happen."""
    row = {"state": "RUNNING", "runtime": "16.4", "size": "", "creator": "ada"}
    rows = [{**row, "cluster_id": f"{i}", "name": f"cluster {i}"} for i in range(CLUSTERS)]
    one = {"here": "new", "there": "", "lines": []}
    objects = [{**one, "path": f"notebook {i}"} for i in range(NOTEBOOKS)]
    status = {"type": "Status", "project": "much", "target": "local", "host": "", "user": "ada"}
    nothing = {"cluster": None, "notebooks": None, "version": None, "troubles": {}}
    answer(page, "status", {**status, **nothing})
    answer(page, "clusters", {"rows": rows})
    answer(page, "diff", {"objects": objects})
    page.goto(lab.address("notes.txt"))
    expect(page.locator(".jp-DbxStatus")).to_contain_text("local")
    expect(page.locator(".jp-FileEditor .cm-content")).to_be_focused()  # it takes the focus late
    page.evaluate(WATCH)
    panel = page.locator("#dbx-magic-panel")
    page.get_by_role("tab", name="Databricks").click()
    panel.get_by_text(f"{CLUSTERS} other clusters").click()
    panel.get_by_label("Filter by name").press_sequentially("cluster 19")
    expect(panel.get_by_role("button", name="Pick")).to_have_count(11)
    expect(panel).to_contain_text(f"and {NOTEBOOKS - 50} more")
    panel.get_by_text("notebook 49").scroll_into_view_if_needed()
    found = [f"{pause:.0f} ms" for pause in page.evaluate("() => window.pauses")]
    what = f"pauses over 50 ms, {CLUSTERS} clusters and {NOTEBOOKS:,} notebooks"
    show(what, ", ".join(found) or "none")


@dataclass(frozen=True)
class Opening:
    """What one opening took, in milliseconds: by the clock, and of processor time."""

    restored: float
    page: float
    script: float
    server: float


def starting() -> None:
    """Say what our part of a server costs before it answers."""
    taken = []
    for _ in range(STARTS):
        done = subprocess.run(
            [sys.executable, "-c", START], capture_output=True, text=True, check=True
        )
        taken.append(float(done.stdout))
    low, median, _ = statistics.quantiles(taken)
    show("processor time of our part of a server's start", f"{median:.0f} ms, at best {low:.0f}")


def opening(browser: Browser, lab: Lab, switch: Path) -> None:
    """Open JupyterLab with and without the extension, and compare each with its neighbours.

    Blocks of six (off, on, off, off, on, off …) in one warm browser, a new page each: what drifts
    on the machine meets all alike. The difference of the two kinds of "off" is pure noise.
    """
    server = next(
        one for one in psutil.Process().children(recursive=True) if "jupyterlab" in one.cmdline()
    )
    context = browser.new_context()
    for is_on in (False, True, False, True):  # both ways in the browser's caches
        open_once(context, lab, switch, server, is_on=is_on)
    blocks: list[dict[str, list[Opening]]] = []
    for _ in range(BLOCKS):
        block: dict[str, list[Opening]] = {"off": [], "on": [], "again": []}
        for kind in ("off", "on", "again", "again", "on", "off"):
            taken = open_once(context, lab, switch, server, is_on=kind == "on")
            block[kind].append(taken)
        blocks.append(block)
    for name, what in (
        ("restored", "until the layout is restored, by the clock"),
        ("page", "processor time of the page"),
        ("script", "  of which JavaScript"),
        ("server", "processor time of the server"),
    ):
        kinds = {
            kind: [statistics.fmean(getattr(one, name) for one in block[kind]) for block in blocks]
            for kind in ("off", "on", "again")
        }
        without = statistics.median(kinds["off"])
        show(f"{what}, without", f"{without:.0f} ms")
        show(f"{what}, with", difference(kinds["on"], kinds["off"]))
        show(f"{what}, without, again", difference(kinds["again"], kinds["off"]))


def open_once(
    context: BrowserContext,
    lab: Lab,
    switch: Path,
    server: psutil.Process,
    *,
    is_on: bool,
) -> Opening:
    """Open a file in a new page, until nothing is asked of the server any more."""
    switch.write_text(json.dumps({"disabledExtensions": {"dbx-magic": not is_on}}))
    before = server.cpu_times()
    page = context.new_page()
    browser = context.new_cdp_session(page)
    browser.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(lab.address("hello/dbx.toml"))
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    restored = page.evaluate("() => performance.now()")
    page.wait_for_load_state("networkidle")
    found = {
        one["name"]: 1000 * one["value"]
        for one in browser.send("Performance.getMetrics")["metrics"]
    }
    after = server.cpu_times()
    assert page.locator(".jp-DbxStatus").count() == int(is_on)
    page.close()
    spent = after.user + after.system - before.user - before.system
    return Opening(restored, found["TaskDuration"], found["ScriptDuration"], 1000 * spent)


def difference(these: list[float], those: list[float]) -> str:
    """The median of paired differences and the interval that 95 of 100 resamples lie in."""
    pairs = [one - other for one, other in zip(these, those, strict=True)]
    chance = random.Random(9)
    medians = sorted(
        statistics.median(chance.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES)
    )
    low, high = medians[RESAMPLES // 40], medians[-RESAMPLES // 40]
    return f"{statistics.median(pairs):+.0f} ms  ({low:+.0f} … {high:+.0f})"


def show(what: str, value: str) -> None:
    """Print one result."""
    print(f"{what:<58}{value}", flush=True)  # noqa: T201


def main() -> None:
    """Build, serve and measure."""
    expect.set_options(timeout=60_000)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["DBX_MAGIC_HOME"] = str(home / "local")
        subprocess.run(
            ["uv", "build", "--quiet", "--wheel", "--out-dir", home, ROOT],
            check=True,
            env={**os.environ, "CI": "1", "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
        )
        starting()
        local_process.start()
        try:
            with serve(next(home.glob("*.whl")), home) as lab, sync_playwright() as playwright:
                (lab.root / "notes.txt").write_text("no project")
                (lab.root / "hello" / "notebooks").mkdir(parents=True)
                (lab.root / "hello" / "dbx.toml").write_text(PROJECT)
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
                )
                pauses(browser.new_page(), lab)
                opening(browser, lab, home / "config" / "labconfig" / "page_config.json")
                browser.close()
        finally:
            local_process.stop()


if __name__ == "__main__":
    main()
