"""What JupyterLab feels of the extension: pauses while it shows much, and how much later it opens.

``python tests/benchmarks/bench_lab.py`` shows 200 clusters and 5,000 notebooks that differ, and
opens JupyterLab in turn with the extension and without it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.conftest import Lab, serve
from playwright.sync_api import Page, Route, expect, sync_playwright

ROOT = Path(__file__).parents[2]
CLUSTERS, NOTEBOOKS, OPENED = 200, 5000, 10
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
    page.locator(".jp-DbxStatus").click()
    panel.get_by_text(f"{CLUSTERS} other clusters").click()
    panel.get_by_label("Filter by name").press_sequentially("cluster 19")
    expect(panel.get_by_role("button", name="Pick")).to_have_count(11)
    expect(panel).to_contain_text(f"and {NOTEBOOKS - 50} more")
    panel.get_by_text("notebook 49").scroll_into_view_if_needed()
    found = [f"{pause:.0f} ms" for pause in page.evaluate("() => window.pauses")]
    what = f"pauses over 50 ms, {CLUSTERS} clusters and {NOTEBOOKS:,} notebooks"
    show(what, ", ".join(found) or "none")


def opening(page: Page, lab: Lab, switch: Path) -> None:
    """Open JupyterLab in turn without and with the extension."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * OPENED + 2):
        is_on = number % 2 == 1
        switch.write_text(json.dumps({"disabledExtensions": {"dbx-magic": not is_on}}))
        page.goto(lab.address("notes.txt"))
        page.wait_for_function("() => window.jupyterapp")
        page.evaluate("async () => { await window.jupyterapp.restored; }")
        milliseconds = page.evaluate("() => performance.now()")
        if number > 1:  # the browser's cache is warm from then on
            taken[is_on].append(milliseconds)
    without, with_it = statistics.median(taken[False]), statistics.median(taken[True])
    show("JupyterLab without the extension", f"{without:.0f} ms")
    show("JupyterLab with it", f"{with_it:.0f} ms, {with_it - without:+.0f} ms")


def show(what: str, value: str) -> None:
    """Print one result."""
    print(f"{what:<58}{value}", flush=True)  # noqa: T201


def main() -> None:
    """Build, serve and measure."""
    expect.set_options(timeout=60_000)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        subprocess.run(
            ["uv", "build", "--quiet", "--wheel", "--out-dir", home, ROOT],
            check=True,
            env={**os.environ, "CI": "1", "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
        )
        wheel = next(home.glob("*.whl"))
        with serve(wheel, home) as lab, sync_playwright() as playwright:
            (lab.root / "notes.txt").write_text("no project")
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            pauses(browser.new_page(), lab)
            opening(browser.new_page(), lab, home / "config" / "labconfig" / "page_config.json")
            browser.close()


if __name__ == "__main__":
    main()
