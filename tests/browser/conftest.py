"""A real JupyterLab with the built extension, in a real headless Chromium."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from nbformat import v4
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.local_process import Server
from dbx_magic.verbs import perform

CELL = "# {}\nprint(f'{{spark.range(42).count()}} rows')"
# Another environment's JupyterLab (with dbx-magic[local] in it) may be tested: the oldest, say.
PYTHON = os.environ.get("LAB_PYTHON", sys.executable)
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"}
}


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that is up; ``root`` is the folder it shows, ``layouts`` keeps what was open."""

    url: str
    token: str
    root: Path
    layouts: Path

    def address(self, path: str) -> str:
        """Where a document opens, in a layout that no other test has touched."""
        layout = f"auto-{secrets.token_hex(4)}"
        return f"{self.url}/lab/workspaces/{layout}/tree/{path}?token={self.token}"

    def notebook(self, project: Path) -> str:
        """Where the project's notebook opens."""
        return self.address(f"{project.name}/notebooks/train.ipynb")


@pytest.fixture(scope="session")
def lab(wheel: Path, local_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab as it is after ``pip install`` of the wheel."""
    with serve(wheel, tmp_path_factory.mktemp("lab")) as started:
        yield started


@contextlib.contextmanager
def serve(wheel: Path, home: Path, *options: str) -> Iterator[Lab]:
    """Run JupyterLab with the extension of a wheel, and nothing of the user's."""
    root = home / "root"
    root.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home)
    installed = next(home.glob("*.data")) / "data"
    settings = home / "config" / "labconfig" / "default_setting_overrides.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(SETTINGS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = "/user/ada%20l%40example.org"  # as under JupyterHub
    url = f"http://127.0.0.1:{port}{base}"
    started = Lab(url, secrets.token_hex(16), root, home / "config" / "lab" / "workspaces")
    log = home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                *(PYTHON, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
                f"--ServerApp.base_url={base}/",
                *(f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True"),
                "--JupyterNotebookApp.expose_app_in_browser=True",
                *options,
            ],
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "HOME": str(home),
                "JUPYTER_TOKEN": started.token,
                "JUPYTER_PATH": str(installed / "share" / "jupyter"),
                "JUPYTER_CONFIG_PATH": str(installed / "etc" / "jupyter"),
                "JUPYTER_CONFIG_DIR": str(home / "config"),
                "JUPYTER_DATA_DIR": str(home / "data"),
                "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            },
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(started):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield started
    finally:
        server.terminate()
        server.wait(30)


def _answers(lab: Lab) -> bool:
    try:
        with urllib.request.urlopen(f"{lab.url}/api?token={lab.token}", timeout=5):
            return True
    except urllib.error.URLError:
        return False


@pytest.fixture(scope="session")
def executable(program: Callable[..., str]) -> str:
    """Chromium: ``CHROMIUM``, or what there is."""
    return os.environ.get("CHROMIUM") or program("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium(executable: str) -> Iterator[Browser]:
    """Chromium, headless; it ends with the module, because its event loop suffers no other."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page; the kernels that were started in it end with it."""
    lab = request.getfixturevalue("lab") if "lab" in request.fixturenames else None
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)  # a loaded machine is slow, not wrong
    yield page
    if lab:
        _end_kernels(lab, page)
    context.close()


def _end_kernels(lab: Lab, page: Page) -> None:
    page.goto("about:blank")  # a notebook would say that its kernel has died
    token = {"Authorization": f"token {lab.token}"}
    for kernel in page.request.get(f"{lab.url}/api/kernels", headers=token).json():
        page.request.delete(f"{lab.url}/api/kernels/{kernel['id']}", headers=token)


@pytest.fixture(autouse=True)
def shot(page: Page, request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Keep what the page shows now in ``artifacts/``, and once more at the end of the test."""

    def shot(name: str) -> None:
        picture = f"{request.path.stem}.{request.node.name}.{name}.png"
        page.screenshot(path=ARTIFACTS / picture)

    yield shot
    shot("end")


@pytest.fixture
def hello(lab: Lab, project: Path, local: object, request: pytest.FixtureRequest) -> Path:
    """The project, in a folder of the test's own that Lab shows, with a notebook.

    Nothing of it is in the workspace, which the tests share.
    """
    there = lab.root / f"{request.path.stem}-{request.node.name}"  # tests may share a name
    project.rename(there)
    notebook = v4.new_notebook(cells=[v4.new_code_cell(CELL.format(request.node.name))])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    (there / "notebooks" / "train.ipynb").write_text(v4.writes(notebook))
    subprocess.run(["git", "init", "-q"], cwd=there, check=True)
    dbx = Dbx(there)
    dbx.workspace.delete("/Shared/hello", recursive=True)
    dbx.close()
    return there


@pytest.fixture
def running(hello: Path) -> Dbx:
    """The project with its cluster, which runs."""
    dbx = Dbx(hello)
    drive(perform(dbx, "rebuild", {}), lambda _: None)
    return dbx


@pytest.fixture
def slow_start(local: Server, tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Let no cluster be ready before the block has ended: what goes on meanwhile can be seen."""
    gate = tmp_path / "gate"
    script = base64.b64encode(f"until [ -e '{gate}' ]; do sleep 0.1; done".encode()).decode()

    @contextlib.contextmanager
    def slow_start() -> Iterator[None]:
        scripts = WorkspaceClient(host=local.url, token=local.token).global_init_scripts
        script_id = scripts.create("gate", script, enabled=True).script_id
        assert script_id
        try:
            yield
        finally:
            gate.touch()
            scripts.delete(script_id)

    return slow_start


@pytest.fixture
def settings(lab: Lab, page: Page) -> Iterator[Callable[..., None]]:
    """Change our settings as the Settings Editor does; they are as before when the test ends."""
    address = f"{lab.url}/lab/api/settings/dbx-magic:panel?token={lab.token}"

    def change(**values: object) -> None:
        page.request.put(
            address,
            data={"raw": json.dumps(values)},
            headers={"Authorization": f"token {lab.token}"},
        )

    yield change
    change()
