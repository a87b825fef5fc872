"""One local workspace for all tests of it, as a process of its own, and the official SDK."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import State
from databricks.sdk.service.workspace import ImportFormat, Language

from dbx_magic.local.compute import Command, Compute

DEADLINE = 90.0


def _wait_until(true: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """Ask again and again until the answer is true; it is given back."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := true():
            return answer
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """Wait for something to become true, with a deadline."""
    return _wait_until


@pytest.fixture(scope="session")
def spec() -> dict[str, Any]:
    """The least that a cluster needs."""
    return {
        "spark_version": "16.4.x-scala2.12",
        "node_type_id": "Standard_DS3_v2",
        "num_workers": 1,
    }


@dataclass
class Server:
    """A local workspace that was started by a test."""

    home: Path
    process: subprocess.Popen[bytes]
    url: str = ""
    token: str = field(default="", repr=False)

    @property
    def client(self) -> WorkspaceClient:
        """The official SDK, as it comes."""
        return WorkspaceClient(host=self.url, token=self.token)

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """A bare request with the token."""
        headers = {"Authorization": f"Bearer {self.token}", **arguments.pop("headers", {})}
        timeout = arguments.pop("timeout", 60)
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=timeout, **arguments
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as its owner would, and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def start(home: Path, *options: str) -> Server:
    """Start a local workspace in a folder and wait until it listens."""
    state = home / "server.json"
    state.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "dbx_magic.local", "--home", str(home), *(options or ("--port=0",))],
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONWARNINGS": "default"},
    )
    server = Server(home, process)

    def listening() -> bool:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        with contextlib.suppress(FileNotFoundError, KeyError, ValueError):
            told = json.loads(state.read_text())
            server.url, server.token = told["url"], told["token"]
        return bool(server.url)

    _wait_until(listening, "listening")
    return server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The workspace that most tests share."""
    server = start(tmp_path_factory.mktemp("workspace"))
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Workspaces that a test has for itself: each call starts one in the same folder."""
    started: list[Server] = []

    def own(*options: str) -> Server:
        started.append(start(tmp_path / "home", *options))
        return started[-1]

    (tmp_path / "home").mkdir()
    yield own
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def client(server: Server) -> WorkspaceClient:
    """The official SDK on the shared workspace."""
    return server.client


@pytest.fixture(scope="session")
def becomes(client: WorkspaceClient) -> Callable[..., Any]:
    """Wait until a cluster is in a state; it is given back.

    The SDK sleeps for seconds between its looks; the workspace holds each until something changes.
    """

    def wait(cluster_id: str, state: State) -> Any:
        return _wait_until(
            lambda: (cluster := client.clusters.get(cluster_id)).state == state and cluster,
            f"{cluster_id} {state.value}",
        )

    return wait


@pytest.fixture(scope="session")
def shared_cluster(
    client: WorkspaceClient, spec: dict[str, Any], becomes: Callable[..., Any]
) -> str:
    """The id of a cluster that tests may run code on, and must leave running."""
    created = client.clusters.create(cluster_name="shared", **spec)
    return str(becomes(created.cluster_id, State.RUNNING).cluster_id)


@pytest.fixture
def cluster_id(client: WorkspaceClient, shared_cluster: str) -> str:
    """The shared cluster, running."""
    client.clusters.ensure_cluster_is_running(shared_cluster)
    assert client.clusters.get(shared_cluster).state == State.RUNNING
    return shared_cluster


@pytest.fixture
def folder(client: WorkspaceClient, request: pytest.FixtureRequest) -> str:
    """An empty folder of the workspace for one test."""
    path = f"/Shared/tests/{request.node.name.replace('/', '_')}"
    with contextlib.suppress(Exception):
        client.workspace.delete(path, recursive=True)
    client.workspace.mkdirs(path)
    return path


@pytest.fixture
def notebook(client: WorkspaceClient, folder: str) -> Callable[..., str]:
    """Write a Python notebook of some cells into the test's folder, and give its path."""

    def put(name: str, *cells: str) -> str:
        source = "# Databricks notebook source\n" + "\n\n# COMMAND ----------\n\n".join(cells)
        client.workspace.import_(
            f"{folder}/{name}",
            content=base64.b64encode(source.encode()).decode(),
            format=ImportFormat.SOURCE,
            language=Language.PYTHON,
            overwrite=True,
        )
        return f"{folder}/{name}"

    return put


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What runs the tests that are coroutines."""
    return "asyncio"


@dataclass
class Cluster:
    """A cluster's running side without a server around it."""

    root: Path
    compute: Compute

    async def context(self, language: str = "python", **options: Any) -> str:
        """A context that is ready."""
        context_id = await self.compute.create_context(language, **options)
        assert await self.compute.wait_context(context_id, DEADLINE) == "Running"
        return context_id

    async def run(self, context_id: str, code: str, language: str = "") -> Command:
        """A command that has ended."""
        command_id = self.compute.execute(context_id, language, code)
        command = await self.compute.wait_command(context_id, command_id, None, DEADLINE)
        assert command.done, f"still {command.status}"
        return command


@pytest.fixture(scope="session")
def new_cluster(
    tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> Callable[..., Cluster]:
    """Make clusters that share one workspace; none of them is started."""
    root = tmp_path_factory.mktemp("compute")

    def new(name: str, **settings: Any) -> Cluster:
        folder = root / "clusters" / name
        folder.mkdir(parents=True, exist_ok=True)
        arguments = {
            "workspace": root / "workspace",
            "dbfs": root / "dbfs",
            "spark_conf": {},
            "spark_env": {},
            "api_url": "http://127.0.0.1:1",
            "token": "secret-token",
            "base": root / "cache",
        }
        return Cluster(root, Compute(folder, **{**arguments, **settings}))

    return new


@pytest.fixture(scope="session")
async def cluster(new_cluster: Callable[..., Cluster]) -> AsyncIterator[Cluster]:
    """A cluster that all tests may run code on, and must leave running."""
    shared = new_cluster("shared", spark_env={"GREETING": "hello"})
    await shared.compute.start()
    yield shared
    await shared.compute.stop()


@dataclass(frozen=True)
class Cli:
    """The command, set up as a pipeline does it."""

    program: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """Run a command; what it printed is given back."""
        done = subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run a command that prints JSON."""
        return json.loads(self(*arguments))


@pytest.fixture(scope="session")
def legacy_cli(pytestconfig: pytest.Config, unavailable: Callable[[str], NoReturn]) -> Path:
    """The command in an environment of its own, which is kept for the next time."""
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("databricks-cli-0.18.0") / "venv"
    program = folder / "bin" / "databricks"
    if not program.exists():
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, folder], check=True)
        done = subprocess.run(
            [*uv, "pip", "install", "--python", folder / "bin/python", "databricks-cli==0.18.0"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            unavailable(f"databricks-cli cannot be installed: {done.stderr}")
    return program


@pytest.fixture
def cli(server: Any, legacy_cli: Path, tmp_path: Path) -> Cli:
    """The command with a profile; it drops the port, so it goes through the proxy."""
    (tmp_path / ".databrickscfg").write_text(
        f"[DEFAULT]\nhost = http://dbx.local\ntoken = {server.token}\n"
    )
    environment = {
        "HOME": str(tmp_path),
        "HTTP_PROXY": server.url,
        "http_proxy": server.url,
        "PATH": f"{legacy_cli.parent}{os.pathsep}{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    return Cli(legacy_cli, environment)
