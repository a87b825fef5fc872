"""The tables of the workspace: every cluster knows them, and they outlive the clusters."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

_log = logging.getLogger(__name__)

_DATABASE = ".database"


class Metastore:
    """Keeps the definitions of databases and tables as files, for one cluster's Spark.

    Spark's own catalog is in memory: it tells us what it creates and drops, and before each
    command it is told what other clusters did. Spark's alternative, Hive's, lets only one process
    in at a time, or needs a server of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, int] = {}
        self._lock = threading.Lock()

    @property
    def stale(self) -> bool:
        """Whether another cluster has changed something since this one last looked."""
        return self._files() != self._known

    def follow(self, jvm: Any) -> None:
        """From now on keep what this Spark creates, changes and drops."""
        _catalog(jvm).addListener(_Listener(self, jvm))

    def catch_up(self, jvm: Any) -> None:
        """Tell this Spark what others have created, changed and dropped."""
        with self._lock:
            catalog = _catalog(jvm).unwrapped()  # without the listener: it is no news for us
            files = self._files()
            changed = {path for path in files if files[path] != self._known.get(path)}
            # Tables go before their database does, and come after it does.
            for path in sorted(self._known.keys() - files.keys(), key=_depth_first):
                _forget(catalog, path)
            for path in sorted(changed, key=_depth_first, reverse=True):
                try:
                    _learn(catalog, jvm, path)
                except Exception:  # noqa: BLE001, PERF203
                    # One that cannot be read must not hide the others. Its data is untouched.
                    _log.exception("The definition of a table cannot be read: %s", path)
            self._known = files

    def keep(self, jvm: Any, database: str, table: str | None = None) -> None:
        """Write down what Spark knows of a database or table."""
        catalog = _catalog(jvm)
        if table is None:
            path, described = self._path(database), catalog.getDatabase(database)
        else:
            path, described = self._path(database, table), catalog.getTable(database, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = jvm.java.io.ByteArrayOutputStream()
        jvm.java.io.ObjectOutputStream(buffer).writeObject(described)
        with self._lock:
            beside = path.with_name(f".{path.name}.{os.getpid()}.new")
            beside.write_bytes(buffer.toByteArray())
            beside.replace(path)
            self._known[path] = path.stat().st_mtime_ns

    def drop(self, database: str, table: str | None = None) -> None:
        """Forget a table, or a database with all that is in it."""
        path = self._path(database, table or _DATABASE)
        with self._lock:
            path.unlink(missing_ok=True)
            self._known.pop(path, None)
            if table is None:
                shutil.rmtree(path.parent, ignore_errors=True)
                self._known = {p: t for p, t in self._known.items() if p.parent != path.parent}

    def _files(self) -> dict[Path, int]:
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for folder in self._folder.iterdir():
                for path in folder.iterdir():
                    if not path.name.endswith(".new"):
                        found[path] = path.stat().st_mtime_ns
        return found

    def _path(self, database: str, table: str = _DATABASE) -> Path:
        return self._folder / quote(database, safe="") / quote(table, safe=".")


class _Listener:
    """What Spark calls when its catalog has changed."""

    def __init__(self, metastore: Metastore, jvm: Any) -> None:
        self._metastore = metastore
        self._jvm = jvm

    def onEvent(self, event: Any) -> None:  # noqa: N802 - Java's name
        """Keep up with one change."""
        match event.getClass().getSimpleName():
            case "CreateTableEvent" | "AlterTableEvent":
                self._metastore.keep(self._jvm, event.database(), event.name())
            case "RenameTableEvent":
                self._metastore.drop(event.database(), event.name())
                self._metastore.keep(self._jvm, event.database(), event.newName())
            case "DropTableEvent":
                self._metastore.drop(event.database(), event.name())
            case "CreateDatabaseEvent" | "AlterDatabaseEvent":
                self._metastore.keep(self._jvm, event.database())
            case "DropDatabaseEvent":
                self._metastore.drop(event.database())

    class Java:
        """The Java interface that this is."""

        implements = ("org.apache.spark.sql.catalyst.catalog.ExternalCatalogEventListener",)


def _catalog(jvm: Any) -> Any:
    session = jvm.org.apache.spark.sql.classic.SparkSession.builder().getOrCreate()
    return session.sharedState().externalCatalog()


def _depth_first(path: Path) -> bool:
    return path.name == _DATABASE


def _names(path: Path) -> tuple[str, str]:
    return unquote(path.parent.name), unquote(path.name)


def _learn(catalog: Any, jvm: Any, path: Path) -> None:
    database, table = _names(path)
    stream = jvm.java.io.ObjectInputStream(jvm.java.io.FileInputStream(str(path)))
    try:
        described = stream.readObject()
    finally:
        stream.close()
    if table == _DATABASE:
        if catalog.databaseExists(database):
            catalog.alterDatabase(described)
        else:
            catalog.createDatabase(described, True)
    elif catalog.tableExists(database, table):
        catalog.alterTable(described)
    else:
        catalog.createTable(described, True)


def _forget(catalog: Any, path: Path) -> None:
    database, table = _names(path)
    if table == _DATABASE:
        catalog.dropDatabase(database, True, True)
    else:
        catalog.dropTable(database, table, True, True)
