"""What the workspace must still know after it was killed: an SQLite database."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    path TEXT PRIMARY KEY, parent TEXT NOT NULL, object_id INTEGER NOT NULL,
    object_type TEXT NOT NULL, language TEXT, created_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_in_folder ON objects (parent);
CREATE UNIQUE INDEX IF NOT EXISTS objects_by_id ON objects (object_id);
CREATE TABLE IF NOT EXISTS cluster_events (
    cluster_id TEXT NOT NULL, timestamp INTEGER NOT NULL, type TEXT NOT NULL, details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_cluster ON cluster_events (cluster_id, timestamp);
"""


class DamagedStore(Exception):  # noqa: N818 - the user's file, not our mistake
    """The database cannot be read; the message says which file and what to do."""


class Store:
    """Records by kind and key. Used from the server's event loop alone; each write is committed.

    A write survives the death of the process the moment it returns (WAL); the log is only forced
    to the disk now and then, so a power cut may cost the last seconds.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.connection = sqlite3.connect(path, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.executescript(_SCHEMA)
            (found,) = self.connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as problem:
            found = str(problem)
        if found != "ok":
            found = found.splitlines()[-1]
            raise DamagedStore(
                f"{path} cannot be read ({found}). Move it away to start without clusters, jobs"
                " and secrets; the files in workspace/ and dbfs/ stay as they are."
            )
        path.chmod(0o600)

    def close(self) -> None:
        """Fold the log into the database and let go of the file."""
        self.connection.close()

    def put(self, kind: str, key: str | int, body: dict[str, Any]) -> None:
        """Keep a record, in place of one with the same key."""
        self.connection.execute(
            "INSERT INTO records VALUES (?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            (kind, str(key), json.dumps(body, separators=(",", ":"))),
        )

    def get(self, kind: str, key: str | int) -> dict[str, Any] | None:
        """The record with this key."""
        row = self.connection.execute(
            "SELECT body FROM records WHERE kind = ? AND key = ?", (kind, str(key))
        ).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """All records of a kind by their keys."""
        rows = self.connection.execute("SELECT key, body FROM records WHERE kind = ?", (kind,))
        return {key: json.loads(body) for key, body in rows}

    def delete(self, kind: str, key: str | int) -> bool:
        """Forget a record; false if there was none."""
        cursor = self.connection.execute(
            "DELETE FROM records WHERE kind = ? AND key = ?", (kind, str(key))
        )
        return cursor.rowcount > 0

    def next_number(self, name: str) -> int:
        """A number that was never given before under this name."""
        (number,) = self.connection.execute(
            "INSERT INTO numbers VALUES (?, 1)"
            " ON CONFLICT (name) DO UPDATE SET last = last + 1 RETURNING last",
            (name,),
        ).fetchone()
        return int(number)
