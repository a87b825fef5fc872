"""The door to the local workspace's process: find it, start it, stop it. It speaks HTTP only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from .errors import WorkspaceError

_START_SECONDS = 30.0
# Those that have answered once; whether one is still there is seen without asking it.
_last_found: dict[Path, Server] = {}
# Started here: only their parent can tell that they have ended.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Server:
    """A local workspace that is up."""

    url: str
    pid: int
    home: Path
    token: str = field(repr=False)

    @property
    def token_path(self) -> Path:
        """The file that holds the token, readable by this user alone."""
        return self.home / "token"


def home() -> Path:
    """Where the local workspace keeps everything: ``DBX_MAGIC_HOME`` or the user's data folder."""
    chosen = os.environ.get("DBX_MAGIC_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("dbx-magic")) / "local"


def find() -> Server | None:
    """Give the local workspace that is up, if one is."""
    try:
        state = json.loads((home() / "server.json").read_text(encoding="utf-8"))
        server = Server(state["url"], int(state["pid"]), home(), state["token"])
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None
    if server == _last_found.get(home()) and _listens(server):
        return server
    if not _answers(server):
        return None
    _last_found[home()] = server
    return server


def start() -> Server:
    """Start the local workspace in the background and wait until it answers.

    Raises:
        WorkspaceError: what it needs is not installed, or it ended before it listened.
    """
    running = find()
    if running:
        return running
    try:
        home().mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WorkspaceError(
            f"The local workspace cannot keep its data in {home()}: {error.strerror}.",
            "Set DBX_MAGIC_HOME to a folder that can be written.",
        ) from None
    log = home() / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dbx_magic.local", "--home", str(home())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Away from the notebook: an interrupt there must not end the workspace.
            start_new_session=True,
            cwd=home(),
        )
    _children[process.pid] = process
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        server = find()
        if server:
            return server
        if process.poll() is not None:
            raise WorkspaceError(
                f"The local workspace did not start: {_last_line(log)}", f"Its log is {log}."
            )
        time.sleep(0.02)
    process.terminate()
    raise WorkspaceError(
        f"The local workspace did not answer within {_START_SECONDS:.0f} s.", f"Its log is {log}."
    )


def stop() -> bool:
    """Stop the local workspace and all it started; ``False`` when it was not up."""
    server = find()
    if server is None:
        return False
    os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + _START_SECONDS
    while _alive(server.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return True


def memory(server: Server) -> int:
    """How many bytes of memory the local workspace takes, with all it started.

    What processes share is counted for each of them.
    """
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=False
    ).stdout
    parents, kilobytes = {}, {}
    for line in listed.splitlines():
        pid, parents[pid], kilobytes[pid] = map(int, line.split())

    def is_ours(pid: int) -> bool:
        return pid == server.pid or (pid in parents and is_ours(parents[pid]))

    return sum(kilobytes[pid] for pid in kilobytes if is_ours(pid)) * 1024


def _listens(server: Server) -> bool:
    import socket
    from urllib.parse import urlsplit

    address = urlsplit(server.url)
    with contextlib.suppress(OSError):
        socket.create_connection((str(address.hostname), address.port or 80), timeout=5).close()
        return True
    return False


def _answers(server: Server) -> bool:
    import http.client
    from urllib.parse import urlsplit

    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    with (
        contextlib.closing(connection),
        contextlib.suppress(OSError, http.client.HTTPException),
    ):
        connection.request("GET", "/.well-known/databricks-config")
        return connection.getresponse().status == 200
    return False


def _alive(pid: int) -> bool:
    child = _children.get(pid)
    if child is not None:
        return child.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
