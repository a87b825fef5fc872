"""What project and workspace last had in common, and what was seen of files: kept in .dbx/state."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .comparison import Content
from .errors import ProjectError

# A file that was saved a moment ago may be saved again with the same time and size.
_SETTLED_NS = 50_000_000
_TEXT_LIMIT = 2_000_000
_FILE_LIMIT = 500_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS known (
    place TEXT, path TEXT, kind TEXT, fingerprint TEXT, language TEXT, modified_at INTEGER,
    PRIMARY KEY (place, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
    place TEXT, path TEXT, kind TEXT, fingerprint TEXT, language TEXT,
    PRIMARY KEY (place, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS coming (
    place TEXT PRIMARY KEY, file TEXT, digest TEXT,
    path TEXT, kind TEXT, fingerprint TEXT, language TEXT, modified_at INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS texts (fingerprint TEXT PRIMARY KEY, text BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, stat TEXT, kind TEXT, fingerprint TEXT, language TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS converted (
    source TEXT PRIMARY KEY, stat TEXT, target TEXT, digest TEXT, target_stat TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS values_of (place TEXT, name TEXT, value TEXT, PRIMARY KEY (place, name));
"""


@dataclass(frozen=True)
class Known:
    """Content that was on both sides.

    While the workspace gives ``modified_at`` (its own milliseconds) as the time of the object's
    last edit, it still has that content; ``None`` if that has to be looked up.
    """

    content: Content
    modified_at: int | None = None


@dataclass(frozen=True)
class Converted:
    """A notebook that was converted: from what, into what."""

    source: str
    stat: str
    target: str
    digest: str
    target_stat: str


class Base:
    """The base of one place (a workspace and a folder in it), in a small database.

    What ``saving`` encloses is written at once; a process that is killed loses at most that.
    """

    def __init__(self, file: Path, place: str) -> None:
        self._file = file
        self._place = place
        with self._errors():
            self._db = sqlite3.connect(file, timeout=10, check_same_thread=False)
        with self._errors():
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # no space, no permission, in use
            raise ProjectError(f"{self._file} cannot be written: {error}.") from None
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ProjectError(
                f"{self._file} cannot be read: {error}.",
                "Delete it: the next push compares with the record in the workspace instead.",
            ) from None

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Write everything that happens inside, or nothing."""
        with self._errors(), self._db:
            yield

    def known(self) -> dict[str, Known]:
        """All that was on both sides, by path."""
        rows = self._db.execute(
            "SELECT path, kind, fingerprint, language, modified_at FROM known WHERE place = ?",
            (self._place,),
        )
        return {row[0]: Known(Content(*row[1:4]), row[4]) for row in rows}

    def keep(self, path: str, known: Known, text: bytes | None = None) -> None:
        """Note what is on both sides now, with its text, should it have to be merged later."""
        content = known.content
        self._db.execute(
            "REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?)",
            (self._place, path, *_row(content), known.modified_at),
        )
        for table in ("pending", "coming"):
            self._delete(table, path)
        self._keep_text(content, text)

    def forget(self, path: str) -> None:
        """Note that an object is on neither side any more."""
        for table in ("known", "pending", "coming"):
            self._delete(table, path)

    def _delete(self, table: str, path: str) -> None:
        self._db.execute(
            f"DELETE FROM {table} WHERE place = ? AND path = ?",  # noqa: S608
            (self._place, path),
        )

    def _keep_text(self, content: Content, text: bytes | None) -> None:
        if text is not None and _can_be_merged(content, text):
            self._db.execute(
                "INSERT OR IGNORE INTO texts VALUES (?, ?)",
                (content.fingerprint, zlib.compress(text, 1)),
            )

    def text(self, content: Content) -> bytes | None:
        """The text that had this fingerprint, if it was kept."""
        row = self._db.execute(
            "SELECT text FROM texts WHERE fingerprint = ?", (content.fingerprint,)
        ).fetchone()
        return zlib.decompress(row[0]) if row else None

    def intend(self, contents: Mapping[str, Content]) -> None:
        """Note what is about to be sent, so that a killed push is not taken for somebody's edit."""
        self._db.executemany(
            "REPLACE INTO pending VALUES (?, ?, ?, ?, ?)",
            [(self._place, path, *_row(content)) for path, content in contents.items()],
        )

    def pending(self) -> dict[str, Content]:
        """What was about to be sent and is not known to have arrived."""
        rows = self._db.execute(
            "SELECT path, kind, fingerprint, language FROM pending WHERE place = ?", (self._place,)
        )
        return {row[0]: Content(*row[1:]) for row in rows}

    def intend_file(self, file: str, data: bytes, path: str, known: Known, text: bytes) -> None:
        """Note what a file is about to hold, and what is known of its object then.

        So what a killed pull has written is not taken for somebody's edit.
        """
        self._db.execute(
            "REPLACE INTO coming VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._place, file, _digest(data), path, *_row(known.content), known.modified_at),
        )
        self._keep_text(known.content, text)

    def finish(self, root: Path) -> None:
        """Keep what a killed pull has written into the project and could not keep any more."""
        row = self._db.execute("SELECT * FROM coming WHERE place = ?", (self._place,)).fetchone()
        if row is None:
            return
        _, file, digest, path, *content, modified_at = row
        with self.saving():
            self._delete("coming", path)
            with contextlib.suppress(OSError):
                if _digest((root / file).read_bytes()) == digest:
                    self.keep(path, Known(Content(*content), modified_at))

    def value(self, name: str, default: str = "") -> str:
        """A small thing that was noted about this place."""
        row = self._db.execute(
            "SELECT value FROM values_of WHERE place = ? AND name = ?", (self._place, name)
        ).fetchone()
        return str(row[0]) if row else default

    def note(self, name: str, value: str) -> None:
        """Note a small thing about this place."""
        self._db.execute("REPLACE INTO values_of VALUES (?, ?, ?)", (self._place, name, value))

    def files(self) -> dict[str, tuple[str, Content]]:
        """What was seen of files: their state then, and their content."""
        rows = self._db.execute("SELECT path, stat, kind, fingerprint, language FROM files")
        return {row[0]: (row[1], Content(*row[2:])) for row in rows}

    def saw_files(self, seen: Mapping[str, tuple[str, Content]], gone: Iterable[str]) -> None:
        """Remember what was seen of files, so that they need not be read again."""
        self._db.executemany(
            "REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
            [(path, stat, *_row(content)) for path, (stat, content) in seen.items()],
        )
        self._db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])

    def converted(self) -> dict[str, Converted]:
        """The notebooks that were converted, by their path."""
        rows = self._db.execute("SELECT * FROM converted")
        return {row[0]: Converted(*row) for row in rows}

    def saw_converted(self, new: Iterable[Converted], gone: Iterable[str]) -> None:
        """Remember conversions, and forget those of notebooks that are gone."""
        self._db.executemany("DELETE FROM converted WHERE source = ?", [(path,) for path in gone])
        self._db.executemany(
            "REPLACE INTO converted VALUES (?, ?, ?, ?, ?)",
            [(one.source, one.stat, one.target, one.digest, one.target_stat) for one in new],
        )


def _can_be_merged(content: Content, text: bytes) -> bool:
    if content.kind == "notebook":
        return len(text) <= _TEXT_LIMIT
    return len(text) <= _FILE_LIMIT and b"\0" not in text


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _row(content: Content) -> tuple[Any, ...]:
    return content.kind, content.fingerprint, content.language


def stat_of(found: os.stat_result) -> str:
    """What changes when a file is saved; empty for one that was saved this very moment."""
    if time.time_ns() - found.st_mtime_ns < _SETTLED_NS:
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ino}"
