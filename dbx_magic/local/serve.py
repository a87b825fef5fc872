"""Run the local workspace: one process per data folder, on the loopback interface alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .app import Operations
from .gate import Gate
from .home import Home, InUse
from .store import DamagedStore
from .workspace import Workspace

PREFERRED_PORT = 7070
_STOP_SECONDS = 20
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class CannotStart(Exception):  # noqa: N818 - told to the user as it is
    """Why the local workspace cannot be served, in one line."""


def serve(folder: Path, port: int | None) -> None:
    """Serve the folder until SIGTERM or Ctrl-C, then stop its clusters."""
    home = Home(folder.absolute())
    try:
        home.prepare()
        lock = home.lock()
    except InUse as problem:
        raise CannotStart(str(problem)) from None
    except OSError as problem:
        raise CannotStart(f"{home.root} cannot be used: {problem.strerror}.") from None
    with lock, _listen(port) as listener:
        asyncio.run(_serve(home, listener))


def _listen(port: int | None) -> socket.socket:
    try:
        return _bind(PREFERRED_PORT if port is None else port)
    except OSError as problem:
        if port is None:
            return _bind(0)
        raise CannotStart(
            f"Port {port} cannot be used: {os.strerror(problem.errno or 0)}."
            " Leave out --port to get a free one."
        ) from None
    except OverflowError:
        raise CannotStart(f"There is no port {port}; the last one is 65535.") from None


def _bind(port: int) -> socket.socket:
    # Without its protocol's name asyncio leaves Nagle's algorithm on: 40 ms more for each answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener


async def _serve(home: Home, listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    token = home.secret("token")
    try:
        workspace = Workspace(home, url, token)
    except DamagedStore as problem:
        raise CannotStart(str(problem)) from None
    config = uvicorn.Config(
        Gate(Operations(workspace.operations(), workspace.user), token),
        http=_Protocol,
        loop="none",
        lifespan="off",
        ws="none",
        access_log=False,
        server_header=False,
        date_header=False,
        log_level="warning",
        # Clients keep a connection between two calls that a person makes.
        timeout_keep_alive=300,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    state = {"url": url, "token": token, "pid": os.getpid(), "version": version("dbx-magic")}
    await workspace.start()
    try:
        await server.serve_until_told(listener, lambda: home.publish(state))
    finally:
        home.state.unlink(missing_ok=True)
        # What has not ended by then ends with us: it watches its standard input.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(workspace.stop(), _STOP_SECONDS)


class _Protocol(HttpToolsProtocol):
    """HTTP that does not keep clients waiting for an acknowledgement.

    A client that comes through the proxy sends head and body in two packets, and the second only
    when it knows that the first arrived. Linux would tell it 40 ms later.
    """

    def data_received(self, data: bytes) -> None:
        """Acknowledge what has come, now, and take it."""
        if _QUICK_ACK is not None:
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        super().data_received(data)


class _Server(uvicorn.Server):
    """uvicorn without its ten wake-ups a second: an idle workspace takes no CPU."""

    async def serve_until_told(self, listener: socket.socket, listening: Any) -> None:
        self._told = asyncio.Event()
        self._listening = listening
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told.set)
        await self.serve([listener])

    async def main_loop(self) -> None:
        self._listening()
        await self._told.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
