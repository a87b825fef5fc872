"""`dbutils.fs`: the files of the workspace and of this machine, by Databricks' paths."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import NamedTuple

from .paths import from_uri


class FileInfo(NamedTuple):
    """A file or folder in a listing."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 - Databricks' name

    def isDir(self) -> bool:  # noqa: N802 - Databricks' name
        """Whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802 - Databricks' name
        """Whether it is a file."""
        return not self.isDir()


class Fs:
    """Files by `dbfs:` (which may be left out) and `file:` paths."""

    def ls(self, dir: str) -> list[FileInfo]:  # noqa: A002 - Databricks' name
        """List a folder, or describe a file."""
        place = _existing(dir)
        uri = _uri(dir)
        if place.is_file():
            return [_info(place, uri)]
        return [_info(item, f"{uri.rstrip('/')}/{item.name}") for item in sorted(place.iterdir())]

    def head(self, file: str, maxBytes: int = 65536) -> str:  # noqa: N803 - Databricks' name
        """The beginning of a file as text."""
        with _existing(file).open("rb") as opened:
            return opened.read(maxBytes).decode("utf-8", "replace")

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:
        """Write a text to a file."""
        place = Path(from_uri(file))
        if place.exists() and not overwrite:
            raise FileExistsError(f"{_uri(file)} exists already; overwrite=True replaces it")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(contents, encoding="utf-8")
        print(f"Wrote {len(contents.encode())} bytes.")  # noqa: T201 - so does Databricks
        return True

    def mkdirs(self, dir: str) -> bool:  # noqa: A002 - Databricks' name
        """Make a folder and those above it."""
        Path(from_uri(dir)).mkdir(parents=True, exist_ok=True)
        return True

    def cp(self, source: str, to: str, recurse: bool = False) -> bool:
        """Copy a file, or with `recurse` a folder."""
        origin, target = _existing(source), Path(from_uri(to))
        if origin.is_dir():
            if not recurse:
                raise IsADirectoryError(f"{_uri(source)} is a folder; recurse=True copies it")
            shutil.copytree(origin, target, dirs_exist_ok=True)
            return True
        if target.is_dir():
            target /= origin.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin, target)
        return True

    def mv(self, source: str, to: str, recurse: bool = False) -> bool:
        """Move a file, or with `recurse` a folder."""
        origin, target = _existing(source), Path(from_uri(to))
        if origin.is_dir() and not recurse:
            raise IsADirectoryError(f"{_uri(source)} is a folder; recurse=True moves it")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(origin, target)
        return True

    def rm(self, dir: str, recurse: bool = False) -> bool:  # noqa: A002 - Databricks' name
        """Delete a file, or with `recurse` a folder; False if there was none."""
        place = Path(from_uri(dir))
        if place.is_dir() and not place.is_symlink():
            if any(place.iterdir()) and not recurse:
                raise OSError(f"{_uri(dir)} is not empty; recurse=True deletes it")
            shutil.rmtree(place)
            return True
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
            return True
        return False

    def mounts(self) -> list[object]:
        """Nothing can be mounted here."""
        return []

    def help(self, method: str = "") -> None:
        """Say what there is."""
        for name in [method] if method else ["ls", "head", "put", "mkdirs", "cp", "mv", "rm"]:
            print(f"{name}: {getattr(self, name).__doc__}")  # noqa: T201 - it was asked for


def _existing(uri: str) -> Path:
    place = Path(from_uri(uri))
    if not place.exists():
        raise FileNotFoundError(f"No such file or directory: {_uri(uri)}")
    return place


def _uri(path: str) -> str:
    return path if path.startswith(("dbfs:", "file:")) else f"dbfs:/{path.lstrip('/')}"


def _info(place: Path, uri: str) -> FileInfo:
    status = place.stat()
    is_folder = place.is_dir()
    slash = "/" if is_folder else ""
    name = uri.rstrip("/").rpartition("/")[2]
    size = 0 if is_folder else status.st_size
    return FileInfo(uri.rstrip("/") + slash, name + slash, size, int(status.st_mtime * 1000))
