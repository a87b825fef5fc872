"""The files of ``dbfs:/`` and ``/Volumes`` on this machine's disk; no path leads out of it."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import invalid
from .home import Home
from .tree import clean_path


class Disk:
    """The files that programs on clusters see as ``/dbfs/...`` and ``dbfs:/...``."""

    def __init__(self, home: Home) -> None:
        self._root = home.dbfs.resolve()
        self.home = home

    def file(self, path: str) -> Path:
        """Where a file is, or would be."""
        file = self._root / clean_file_path(path).lstrip("/")
        if not Path(os.path.realpath(file)).is_relative_to(self._root):
            raise invalid(f"Path ({path}) leads out of DBFS.")
        return file

    def path(self, file: Path) -> str:
        """How clients name a file."""
        return "/" + file.relative_to(self._root).as_posix() if file != self._root else "/"

    def place(self, incoming: Path, file: Path) -> None:
        """Put what was written in place, whole."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            incoming.replace(file)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise invalid(
                f"Path ({self.path(file)}) is in the way of a folder or a file."
            ) from None


def clean_file_path(path: str) -> str:
    """The one name of a file: ``dbfs:/a//b/`` is ``/a/b``."""
    path = path.removeprefix("dbfs:")
    if not path.startswith("/") or "\0" in path:
        raise invalid(f"Path ({path}) must be absolute: dbfs:/… or /….")
    parts = [part for part in path.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise invalid(f"Path ({path}) must not contain '.' or '..'.")
    if len(path.encode()) > 3000 or any(len(part.encode()) > 250 for part in parts):
        raise invalid(f"Path ({path[:100]}…) is too long: 250 bytes a name, 3000 in all.")
    return "/" + "/".join(parts)


def real_file(home: Home, path: str) -> Path:
    """The file that a spec names as ``dbfs:/…``, ``/dbfs/…``, ``/Volumes/…``, ``/Workspace/…``."""
    if path.startswith(("dbfs:/", "/dbfs/", "/Volumes/")):
        return Disk(home).file(path.removeprefix("/dbfs"))
    file = home.workspace.resolve() / clean_path(path.removeprefix("workspace:")).lstrip("/")
    if os.path.realpath(file) != str(file):
        raise invalid(f"Path ({path}) leads out of the workspace.")
    return file
