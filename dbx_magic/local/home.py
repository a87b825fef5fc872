"""The local workspace's folder: where everything is, and whose turn it is to use it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


class InUse(Exception):  # noqa: N818 - the other server is right, not wrong
    """Another server works in this folder; the message says which process."""


@dataclass(frozen=True)
class Home:
    """The data folder. All that the user made is in ``workspace``, ``dbfs`` and ``database``."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "workspace.db"

    @property
    def workspace(self) -> Path:
        """The objects as files: notebook ``/Shared/p/train`` is ``workspace/Shared/p/train``."""
        return self.root / "workspace"

    @property
    def dbfs(self) -> Path:
        """The files of ``dbfs:/``."""
        return self.root / "dbfs"

    @property
    def clusters(self) -> Path:
        """One folder per cluster: its environment and logs."""
        return self.root / "clusters"

    @property
    def runs(self) -> Path:
        """The outputs of job runs."""
        return self.root / "runs"

    @property
    def originals(self) -> Path:
        """Notebooks that came as .ipynb, whose outputs their source does not hold."""
        return self.root / "originals"

    @property
    def scratch(self) -> Path:
        """What is being written or thrown away; emptied at each start."""
        return self.root / "scratch"

    @property
    def cache(self) -> Path:
        """What can be made again: downloaded packages, class archives."""
        return self.root / "cache"

    @property
    def state(self) -> Path:
        """Where clients read the address and the token of the server that is up."""
        return self.root / "server.json"

    def prepare(self) -> None:
        """Make the folders, for this user alone."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.chmod(0o700)
        made = (self.workspace, self.originals, self.dbfs, self.clusters, self.runs, self.cache)
        for folder in (*made, self.scratch):
            folder.mkdir(exist_ok=True)

    def scratch_path(self) -> Path:
        """A name that nobody has used, on the disk where all else is."""
        return self.scratch / uuid.uuid4().hex

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """Where to write a file that is then moved into place; nothing is left if it is not."""
        path = self.scratch_path()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def throw_away(self, path: Path) -> None:
        """Let a file or a folder vanish in one step; what is in it is deleted at leisure."""
        away = self.scratch_path()
        path.rename(away)
        threading.Thread(target=discard, args=(away,)).start()

    def clear_scratch(self) -> None:
        """Throw away what a killed server left half-done."""
        for left in self.scratch.iterdir():
            discard(left)

    def lock(self) -> IO[str]:
        """Take the folder for this process, for as long as the file that is returned stays open."""
        file = (self.root / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            file.close()
            raise InUse(f"{self.root} is served already, by process {pid}.") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def secret(self, name: str) -> str:
        """A random secret that stays the same from start to start, readable by this user alone."""
        path = self.root / name
        with contextlib.suppress(FileNotFoundError):
            return path.read_text(encoding="ascii").strip()
        value = secrets.token_urlsafe(32)
        write_private(path, value)
        return value

    def publish(self, state: dict[str, Any]) -> None:
        """Tell clients where the server is."""
        write_private(self.state, json.dumps(state))


def discard(path: Path) -> None:
    """Delete a file or a folder with all that is in it, and never follow a link out of it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
