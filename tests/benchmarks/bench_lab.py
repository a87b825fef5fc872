"""What JupyterLab feels of the extension: pauses while it shows much, and how much later it opens.

``python tests/benchmarks/bench_lab.py`` shows 200 clusters and 5,000 notebooks that differ, starts
our part of the server, and opens JupyterLab in turn with the extension and without it: 25 blocks
of four openings, or as many as the argument says. The machine's speed alone makes an opening 10 %
longer or shorter, which is more than the extension costs: with 25 blocks the interval reaches 60 ms
to both sides, with 200 (half an hour, and nothing else may run) 20 ms.
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
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.conftest import Lab, serve
from playwright.sync_api import BrowserContext, Page, Route, expect, sync_playwright

from dbx_magic import local_process

ROOT = Path(__file__).parents[2]
LABEXTENSIONS = "share/jupyter/labextensions"
CLUSTERS, NOTEBOOKS = 200, 5000
BLOCKS, STARTS = 25, 15
PROJECT = 'project = "hello"\ncluster = "hello"\n\n[targets.local]\nprofile = "local"\n'
START = """
import time
import jupyterlab.labapp, jupyterlab_jupytext, jupyter_server.base.handlers
begun = time.process_time()
import dbx_magic.server
dbx_magic.server._link_jupyter_server_extension(None)
print(1000 * (time.process_time() - begun))
"""
RESTORED = """
Object.defineProperty(window, 'jupyterapp', {
  set: app => app.restored.then(() => { window.restored = performance.now(); })
});
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


@dataclass(frozen=True)
class Opening:
    """What one opening took, in milliseconds: by the clock, and of processor time."""

    restored: float
    page: float
    script: float
    server: float


@dataclass(frozen=True)
class Opener:
    """Opens JupyterLab with and without the extension; ``shelf`` is where Lab looks for it.

    Without means not installed: Lab loads the code even of an extension that is disabled.
    """

    context: BrowserContext
    lab: Lab
    installed: Path
    shelf: Path

    def open(self, *, is_on: bool) -> Opening:
        """Open a file in a new page, until nothing is asked of the server any more."""
        switch = self.shelf / self.installed.name
        switch.unlink(missing_ok=True)
        if is_on:
            switch.symlink_to(self.installed)
        before = self.server_time()
        page = self.context.new_page()
        page.add_init_script(RESTORED)
        browser = self.context.new_cdp_session(page)
        browser.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(self.lab.address("hello/dbx.toml"))
        restored = page.wait_for_function("() => window.restored").json_value()
        page.wait_for_load_state("networkidle")
        found = {
            one["name"]: 1000 * one["value"]
            for one in browser.send("Performance.getMetrics")["metrics"]
        }
        spent = self.server_time() - before
        assert page.locator(".jp-DbxStatus").count() == int(is_on)
        page.close()
        return Opening(restored, found["TaskDuration"], found["ScriptDuration"], spent)

    def server_time(self) -> float:
        """The processor time that Lab's server has had until now, in milliseconds."""
        processes = psutil.Process().children(recursive=True)
        times = next(one for one in processes if "jupyterlab" in one.cmdline()).cpu_times()
        return 1000 * (times.user + times.system)


def opening(opener: Opener, count: int) -> None:
    """Compare openings with the extension and without it.

    In blocks of four (off, on, on, off), so that what drifts slowly meets both alike, in a browser
    with a profile of its own: what it has compiled it keeps, as a user's does. The difference of
    the two "off" of a block is pure noise.
    """
    for is_on in (False, True) * 3:  # both ways in the browser's caches
        opener.open(is_on=is_on)
    blocks = []
    for _ in range(count):
        blocks.append([opener.open(is_on=is_on) for is_on in (False, True, True, False)])
        for layout in opener.lab.layouts.iterdir():
            layout.unlink()  # Lab reads them all at each opening
    for name, what in (
        ("restored", "until the layout is restored, by the clock"),
        ("page", "processor time of the page"),
        ("script", "  of which JavaScript"),
        ("server", "processor time of the server"),
    ):
        times = [[getattr(one, name) for one in block] for block in blocks]
        without = statistics.fmean(first + last for first, _, _, last in times) / 2
        show(f"{what}, without", f"{without:.0f} ms")
        show(f"{what}, with", mean([(b + c - a - d) / 2 for a, b, c, d in times]))
        show(f"{what}, only noise", mean([a - d for a, _, _, d in times]))


def mean(differences: list[float]) -> str:
    """The mean and the interval that the true one lies in, 95 times of 100."""
    middle = statistics.fmean(differences)
    margin = 1.96 * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{middle:+.0f} ms  ({middle - margin:+.0f} … {middle + margin:+.0f})"


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
        wheel = next(home.glob("*.whl"))
        shelf = home / "labextensions"
        shelf.mkdir()
        for other in Path(sys.prefix, LABEXTENSIONS).iterdir():
            if other.name != "dbx-magic":
                (shelf / other.name).symlink_to(other)
        starting()
        local_process.start()
        try:
            with (
                serve(wheel, home, f"--LabApp.labextensions_path={shelf}") as lab,
                sync_playwright() as playwright,
            ):
                (lab.root / "notes.txt").write_text("no project")
                (lab.root / "hello" / "notebooks").mkdir(parents=True)
                (lab.root / "hello" / "dbx.toml").write_text(PROJECT)
                context = playwright.chromium.launch_persistent_context(
                    home / "profile",
                    executable_path=chromium,
                    args=["--no-sandbox", "--disable-dev-shm-usage"],
                )
                installed = next(home.glob("*.data")) / f"data/{LABEXTENSIONS}/dbx-magic"
                (shelf / installed.name).symlink_to(installed)
                pauses(context.new_page(), lab)
                blocks = int(sys.argv[1]) if len(sys.argv) > 1 else BLOCKS
                opening(Opener(context, lab, installed, shelf), blocks)
                context.close()
        finally:
            local_process.stop()


if __name__ == "__main__":
    main()
