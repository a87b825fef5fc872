"""Prepare, in the background, the class archive that makes the next Spark start quickly."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import Any

from .java import ClassArchive, StartFailed, find_java
from .spark import Spark

WRITE_SECONDS = 90.0


async def train(base: Path) -> None:
    """Write the archive unless it is there, or somebody else is at it."""
    archive = ClassArchive(await asyncio.to_thread(find_java), base)
    if archive.options():
        return
    await asyncio.to_thread(archive.folder.mkdir, parents=True, exist_ok=True)
    with (archive.folder / "training.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        await asyncio.to_thread(_clear_away, archive.folder)
        folder = Path(tempfile.mkdtemp(prefix="training-", dir=archive.folder))
        try:
            await _train(archive, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _clear_away(place: Path) -> None:
    """Delete what was needed before the last Java or Spark, or a killed training has left."""
    for old in sorted(place.glob("classes-*"), key=lambda path: path.stat().st_mtime)[:-2]:
        old.unlink()
    for left in place.glob("training-*"):
        shutil.rmtree(left, ignore_errors=True)


async def _train(archive: ClassArchive, folder: Path) -> None:
    if not archive.jdk.exists():
        dump = [f"-XX:SharedArchiveFile={folder / 'jdk'}", "-Xshare:dump", "-Xlog:disable"]
        process = await asyncio.create_subprocess_exec(
            archive.java.command, *dump, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            if await process.wait():
                return
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        (folder / "jdk").replace(archive.jdk)
    written = folder / "classes"
    options = [
        f"-XX:SharedArchiveFile={archive.jdk}",
        f"-XX:ArchiveClassesAtExit={written}",
        "-Xlog:disable",
    ]
    spark = Spark(folder, conf={}, env={}, base=archive.base, options=options, nice=True)
    try:
        with contextlib.suppress(StartFailed):
            await spark.start()
            await spark.call(_exercise)
            await spark.stop(WRITE_SECONDS)
            written.replace(archive.path)
    finally:
        await spark.stop(0)


def _exercise(jvm: Any) -> None:
    """Do what the first cells of people do: what is loaded now will be in the archive."""
    session = jvm.org.apache.spark.sql.classic.SparkSession.builder().getOrCreate().newSession()
    for statement in (
        "CREATE TABLE seen USING parquet AS SELECT id, id % 7 AS k, id || '' AS s FROM range(99)",
        "SELECT k, count(*) n, max(s), avg(id) FROM seen GROUP BY k ORDER BY n DESC",
        "SELECT id, current_timestamp(), array(1), map('a', 1) FROM seen JOIN seen b USING (id)",
        "SELECT *, row_number() OVER (PARTITION BY k ORDER BY id) FROM seen",
        "SHOW TABLES",
        "DESCRIBE TABLE EXTENDED seen",
        "DROP TABLE seen",
    ):
        session.sql(statement).collectToPython()
        session.sql("SELECT 1").showString(20, 20, False)
