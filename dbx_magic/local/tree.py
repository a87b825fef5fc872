"""The workspace tree: real files in real folders, and what the database knows beyond them."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dbx_magic.notebook import EXTENSIONS, Language
from dbx_magic.source import is_source

from .cluster import now
from .errors import Refused, exists, invalid, missing
from .home import Home
from .store import Store

PROTECTED = ("/", "/Shared", "/Users", "/Repos")
_FIRST_ID = 1_000_000_000


@dataclass(frozen=True)
class Item:
    """One object of the workspace."""

    path: str
    object_id: int
    object_type: str
    language: str | None
    created_at: int
    modified_at: int
    size: int

    def details(self) -> dict[str, Any]:
        """As ``workspace/get-status`` gives it."""
        details: dict[str, Any] = {
            "object_type": self.object_type,
            "path": self.path,
            "object_id": self.object_id,
            "resource_id": str(self.object_id),
        }
        if self.object_type in ("NOTEBOOK", "FILE"):
            details |= {"created_at": self.created_at, "modified_at": self.modified_at}
        if self.object_type == "NOTEBOOK":
            details["language"] = self.language
        if self.object_type == "FILE":
            details["size"] = self.size
        return details


def clean_path(path: str) -> str:
    """The one name of an object: ``/Workspace/Shared//p/`` is ``/Shared/p``."""
    if not path.startswith("/") or "\0" in path:
        raise invalid(f"Path ({path}) must be absolute: it must start with '/'.")
    parts = [part for part in path.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise invalid(f"Path ({path}) must not contain '.' or '..'.")
    if len(path.encode()) > 3000 or any(len(part.encode()) > 250 for part in parts):
        raise invalid(f"Path ({path[:100]}…) is too long: 250 bytes a name, 3000 in all.")
    if parts and parts[0] == "Workspace":
        parts = parts[1:]
    return "/" + "/".join(parts)


def parent_of(path: str) -> str:
    """The folder that an object is in."""
    return path.rpartition("/")[0] or "/"


class Tree:
    """The objects. The files decide what there is: programs on a cluster write there too.

    The database adds what a file cannot tell: the id that stays with an object as long as it is
    overwritten in place, whether it is a notebook, and its language.
    """

    def __init__(self, store: Store, home: Home, user: str) -> None:
        self._store = store
        self._home = home
        self._root = home.workspace.resolve()
        for folder in ("/Shared", "/Repos", f"/Users/{user}"):
            self.make_folder(folder)

    def file(self, path: str) -> Path:
        """Where an object's content is."""
        return self._root / path.lstrip("/")

    def find(self, path: str) -> Item | None:
        """The object at a path."""
        file = self.file(path)
        try:
            found = file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if os.path.realpath(file) != str(file):
            return None  # a link may point anywhere; only what is in the folder is in the workspace
        row = self._store.connection.execute(
            "SELECT object_id, object_type, language, created_at FROM objects WHERE path = ?",
            (path,),
        ).fetchone()
        return self._item(path, found, row)

    def get(self, path: str) -> Item:
        """The object at a path; refused when there is none."""
        item = self.find(path)
        if item is None:
            raise missing(f"Path ({path}) doesn't exist.")
        return item

    def notebook(self, path: str) -> tuple[Language, str] | None:
        """The language and the source of the notebook at a path.

        In a clone of a repository it is a file with a suffix, but asked for without.
        """
        item = self.find(path)
        if item and item.object_type == "NOTEBOOK":
            language: Any = str(item.language).lower()
            return language, self.file(path).read_text(encoding="utf-8")
        for language, suffix in EXTENSIONS.items():
            file = self.find(path + suffix)
            if file and file.object_type == "FILE":
                text = self.file(file.path).read_text(encoding="utf-8", errors="replace")
                if is_source(text, file.path) == language:
                    return language, text
        return None

    def by_id(self, object_id: int) -> Item | None:
        """The object with an id."""
        row = self._store.connection.execute(
            "SELECT path FROM objects WHERE object_id = ?", (object_id,)
        ).fetchone()
        return self.find(row[0]) if row else None

    def children(self, path: str) -> list[Item]:
        """What is in a folder, by name."""
        rows = {
            row[0]: row[1:]
            for row in self._store.connection.execute(
                "SELECT path, object_id, object_type, language, created_at FROM objects"
                " WHERE parent = ?",
                (path,),
            )
        }
        prefix = path.rstrip("/")
        items = []
        with os.scandir(self.file(path)) as entries:
            for entry in entries:
                if not entry.is_symlink() and entry.name != ".git":
                    child = f"{prefix}/{entry.name}"
                    items.append(self._item(child, entry.stat(), rows.get(child)))
        return sorted(items, key=lambda item: item.path)

    def walk(self, path: str) -> Iterable[Item]:
        """All objects below a folder, folders before what is in them."""
        for item in self.children(path):
            yield item
            if item.object_type in ("DIRECTORY", "REPO"):
                yield from self.walk(item.path)

    def make_folder(self, path: str) -> Item:
        """A folder, with those above it; one that is there stays as it is."""
        item = self.find(path)
        if item is None:
            if path != "/":
                self.make_folder(parent_of(path))
            self.file(path).mkdir()
            return self._note(path, "DIRECTORY", None)
        if item.object_type not in ("DIRECTORY", "REPO"):
            raise exists(f"Path ({path}) already exists and is not a folder.")
        return item

    def make_repo(self, path: str) -> Item:
        """Note that a folder is a clone of a git repository."""
        return self._note(path, "REPO", None)

    def write(
        self,
        path: str,
        content: IO[bytes],
        object_type: str,
        language: str | None = None,
        *,
        overwrite: bool,
        original: bytes = b"",
    ) -> Item:
        """Put a notebook or a file in place, whole or not at all; ``original`` has its outputs."""
        there = self.find(path)
        if there is None and not self.file(parent_of(path)).is_dir():
            raise missing(f"The parent folder ({parent_of(path)}) does not exist.")
        if there and not overwrite:
            raise exists(f"Path ({path}) already exists.")
        if there and there.object_type != object_type:
            raise invalid(
                f"Cannot overwrite the asset at {path} due to type mismatch"
                f" (asked: {object_type}, actual: {there.object_type})"
            )
        with self._home.incoming() as incoming:
            with incoming.open("xb") as file:
                shutil.copyfileobj(content, file, 1024 * 1024)
            incoming.replace(self.file(path))
        item = self._note(path, object_type, language, there)
        if original:
            with self._home.incoming() as incoming:
                incoming.write_bytes(original)
                incoming.replace(self._original(item.object_id))
        else:
            self._original(item.object_id).unlink(missing_ok=True)
        return item

    def original(self, item: Item) -> bytes:
        """The .ipynb that a notebook came as, if that had outputs."""
        try:
            return self._original(item.object_id).read_bytes()
        except FileNotFoundError:
            return b""

    def _original(self, object_id: int) -> Path:
        return self._home.originals / f"{object_id}.ipynb"

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete an object; a folder that is not empty only when that is asked for."""
        item = self.get(path)
        if path in PROTECTED:
            raise Refused("PERMISSION_DENIED", f"Folder ({path}) is protected.")
        is_folder = item.object_type in ("DIRECTORY", "REPO")
        if is_folder and not recursive and any(self.file(path).iterdir()):
            raise Refused("DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty.")
        self._home.throw_away(self.file(path))
        below = "FROM objects WHERE path = ?1 OR (path > ?1 || '/' AND path < ?1 || '0')"
        for (object_id,) in self._store.connection.execute(f"SELECT object_id {below}", (path,)):
            self._original(object_id).unlink(missing_ok=True)
        self._store.connection.execute(f"DELETE {below}", (path,))

    def _note(
        self, path: str, object_type: str, language: str | None, there: Item | None = None
    ) -> Item:
        row = (
            (there.object_id, object_type, language, there.created_at)
            if there
            else (_FIRST_ID + self._store.next_number("object"), object_type, language, now())
        )
        self._store.connection.execute(
            "INSERT OR REPLACE INTO objects (path, parent, object_id, object_type, language,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (path, parent_of(path) if path != "/" else "", *row),
        )
        return self._item(path, self.file(path).stat(), row)

    def _item(self, path: str, found: os.stat_result, row: tuple[Any, ...] | None) -> Item:
        is_folder = stat.S_ISDIR(found.st_mode)
        if row is None or (row[1] in ("DIRECTORY", "REPO")) != is_folder:
            return self._adopt(path, is_folder)
        object_id, object_type, language, created = row
        modified = found.st_mtime_ns // 1_000_000
        return Item(path, object_id, object_type, language, created, modified, found.st_size)

    def _adopt(self, path: str, is_folder: bool) -> Item:
        """Give an id to what a program on a cluster has written."""
        if is_folder:
            return self._note(path, "DIRECTORY", None)
        with self.file(path).open("rb") as file:
            language = is_source(file.read(64)) if "." not in path.rpartition("/")[2] else None
        if language:
            return self._note(path, "NOTEBOOK", language.upper())
        return self._note(path, "FILE", None)
