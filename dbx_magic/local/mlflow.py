"""MLflow's API: passed on to a real MLflow server, which is started when somebody first asks.

That server asks nobody for a token. It listens on a socket that only its user can open.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib.metadata
import os
import shutil
import socket
import sys
from pathlib import Path

from starlette.responses import Response

from .call import Call, Operation
from .errors import Refused
from .home import Home
from .kernel import new_sockets

# The first time, it may have to be downloaded.
_START_SECONDS = 300.0
_ANSWER_SECONDS = 600.0
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PATHS = (
    "/api/2.0/mlflow/{path:path}",
    "/api/3.0/mlflow/{path:path}",
    "/api/2.0/mlflow-artifacts/{path:path}",
    "/ajax-api/2.0/mlflow/{path:path}",
    "/ajax-api/3.0/mlflow/{path:path}",
)
_PASSED_ON = ("content-type", "accept", "range")
_PASSED_BACK = ("content-type", "content-disposition", "content-range")
_OLDEST = (3, 4)  # that can be told what to listen on
# Nobody asks for jobs here, and each of their workers is a process.
_SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket that has a path."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Mlflow:
    """The MLflow server behind the workspace: its runs and models are in the data folder."""

    def __init__(self, home: Home) -> None:
        self._folder = home.root / "mlflow"
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._socket = Path()

    def operations(self) -> list[Operation]:
        """Everything below MLflow's addresses."""
        return [
            Operation(method, path, self._pass_on, ("",), raw_body=True)
            for path in _PATHS
            for method in _METHODS
        ]

    async def stop(self) -> None:
        """End the server."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    async def _pass_on(self, call: Call) -> Response:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                await self._start()
        body = b"".join([chunk async for chunk in call.request.stream()])
        target = call.request.url.path
        if call.request.url.query:
            target += f"?{call.request.url.query}"
        headers = {
            name: value for name, value in call.request.headers.items() if name in _PASSED_ON
        }
        return await asyncio.to_thread(self._ask, call.request.method, target, headers, body)

    def _ask(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        connection = _Connection(self._socket)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            kept = {
                name: value for name, value in answer.getheaders() if name.lower() in _PASSED_BACK
            }
            return Response(answer.read(), answer.status, kept)
        finally:
            connection.close()

    async def _start(self) -> None:
        await self.stop()  # what is left of one that died
        self._folder.mkdir(exist_ok=True)
        self._socket = new_sockets() / "mlflow"
        log = self._folder / "server.log"
        with log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dbx_magic.local.lifeline",
                *_program(),
                "server",
                f"--uvicorn-opts=--uds={self._socket}",
                "--workers=1",
                f"--backend-store-uri=sqlite:///{self._folder / 'mlflow.db'}",
                f"--artifacts-destination={self._folder / 'artifacts'}",
                cwd=self._folder,
                env={**os.environ, **_SETTINGS},
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._answers(), _START_SECONDS)
            return
        await self.stop()
        raise Refused("FEATURE_DISABLED", f"MLflow did not start: {_last_line(log)}", 503)

    async def _answers(self) -> None:
        process = self._process
        while process and process.returncode is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = await asyncio.to_thread(self._ask, "GET", "/health", {}, b"")
                if answer.status_code == 200:
                    return
            await asyncio.sleep(0.1)
        raise asyncio.TimeoutError


def _program() -> list[str]:
    """MLflow as it is installed here; else in an environment of its own, kept by uv."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        installed = importlib.metadata.version("mlflow").split(".")
        if tuple(map(int, installed[:2])) >= _OLDEST:
            return [sys.executable, "-m", "mlflow"]
    wanted = "mlflow>={}.{}".format(*_OLDEST)
    return [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", wanted, "mlflow"]


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
