"""The running side of one cluster: its Spark, and the contexts in which commands run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .archive import train
from .context import Command, CommandStatus, Context, ContextStatus
from .environment import Environment
from .java import StartFailed
from .java_classes import bring_classes
from .kernel import Kernel, clear_sockets
from .metastore import Metastore
from .nursery import Nursery
from .spark import Spark

__all__ = ["Command", "CommandStatus", "Compute", "ContextStatus", "StartFailed"]

PROGRESS_SECONDS = 0.2
QUIET_SECONDS = 10.0
SEEN_JOBS = 20


class Compute:
    """One cluster's Java process and its contexts, as long as the cluster runs."""

    def __init__(
        self,
        folder: Path,
        *,
        workspace: Path,
        dbfs: Path,
        spark_conf: Mapping[str, str],
        spark_env: Mapping[str, str],
        api_url: str,
        token: str,
        base: Path,
    ) -> None:
        self.folder = folder
        self.last_active = time.time()
        # What code on the cluster finds below the root of its files.
        self._roots = {"dbfs": dbfs, "Volumes": dbfs / "Volumes", "Workspace": workspace}
        self._env = {**spark_env, "DBX_DBFS": str(dbfs), "DBX_WORKSPACE": str(workspace)}
        self._access = {"DATABRICKS_HOST": api_url, "DATABRICKS_TOKEN": token}
        self._mlflow = {
            "MLFLOW_TRACKING_URI": api_url,
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self._environment = Environment(folder / "environment", base / "packages")
        self._metastore = Metastore(dbfs / "user" / "hive" / ".metastore")
        self._base = base
        self._spark = Spark(
            folder, conf={**_paths(workspace, dbfs), **spark_conf}, env=self._env, base=base
        )
        self._contexts: dict[str, Context] = {}
        self._nurseries: list[Nursery] = []  # the last one is for new contexts
        self._packages = 0  # the state of the packages that it has imported
        self._background: asyncio.Task[None] | None = None
        self._jars: set[Path] = set()
        self._doors: set[asyncio.Task[None]] = set()

    @property
    def ui_url(self) -> str | None:
        """Where Spark shows its jobs."""
        return self._spark.ui_url

    @property
    def connect_url(self) -> str | None:
        """Where a Spark Connect client of this machine reaches this cluster."""
        return self._spark.connect_url

    @property
    def logs(self) -> Path:
        """The folder with stdout, stderr and log4j-active.log of the driver."""
        return self._spark.logs

    @property
    def busy(self) -> bool:
        """Whether any command runs or waits."""
        return any(context.busy for context in self._contexts.values())

    async def start(self) -> None:
        """Start Spark and return when it answers; StartFailed has the reason if it does not."""
        for folder in (self._roots["dbfs"], self._roots["Workspace"], self._base):
            folder.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(clear_sockets)
        try:
            await asyncio.gather(self._spark.start(), self._start_python())
            await self._spark.call(self._metastore.catch_up)
            await self._spark.call(self._metastore.follow)
            place = self.folder / "scratch" / "classes"
            await self._spark.call(lambda jvm: bring_classes(jvm, place, self._roots))
        except BaseException:
            await self.stop()
            raise
        self.last_active = time.time()
        self._background = asyncio.create_task(self._get_quicker())

    async def stop(self) -> None:
        """End everything that this cluster started."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait([self._background])
        await asyncio.gather(*map(self.destroy_context, list(self._contexts)))
        await asyncio.gather(*(nursery.stop() for nursery in self._nurseries))
        await self._spark.stop()

    async def died(self) -> str:
        """Wait until Spark's Java process ends; return why."""
        return await self._spark.died()

    async def create_context(
        self,
        language: str,
        folder: str | None = None,
        *,
        notebook: str | None = None,
        arguments: Mapping[str, str] | None = None,
        task_values: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str:
        """Start a context and return its id at once.

        `folder` is the workspace folder whose modules are importable and from which `%run` starts;
        `notebook` is the workspace path of the notebook that it runs, if it is one; `arguments` are
        what the widgets are set to; `task_values` is {task: {key: value}}.
        """
        context = Context(language, self._prepare, self._watch, self._cancel_jobs)
        packages = self.folder / "contexts" / context.id
        settings = {
            "folder": folder,
            "notebook": notebook,
            "packages": str(packages),
            "arguments": dict(arguments or {}),
            "task_values": {task: dict(values) for task, values in (task_values or {}).items()},
        }

        context.open(lambda: self._start_kernel(settings))
        self._contexts[context.id] = context
        self.last_active = time.time()
        return context.id

    def context_status(self, context_id: str) -> ContextStatus:
        """Pending, Running or Error; KeyError if there is no such context."""
        return self._contexts[context_id].status

    def context_reason(self, context_id: str) -> str:
        """Why a context is in Error; empty otherwise."""
        return self._contexts[context_id].reason

    async def wait_context(self, context_id: str, seconds: float) -> ContextStatus:
        """The status once it is no longer Pending, or when time is up."""
        context = self._contexts[context_id]
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(context.settled.wait(), seconds)
        return context.status

    async def destroy_context(self, context_id: str) -> None:
        """End a context and its process; one that does not exist is no error."""
        context = self._contexts.pop(context_id, None)
        if context is not None:
            await context.close()
            packages = self.folder / "contexts" / context_id
            await asyncio.to_thread(shutil.rmtree, packages, ignore_errors=True)

    def execute(self, context_id: str, language: str, code: str) -> str:
        """Queue a command; return its id."""
        self.last_active = time.time()
        return self._contexts[context_id].execute(language, code).id

    def command(self, context_id: str, command_id: str) -> Command:
        """A command and what has come of it; KeyError if there is none."""
        return self._contexts[context_id].commands[command_id]

    async def wait_command(
        self, context_id: str, command_id: str, cursor: int | None, seconds: float
    ) -> Command:
        """The command once it has ended, when it has events after `cursor`, or when time is up."""
        command = self.command(context_id, command_id)
        await command.wait(cursor, seconds)
        return command

    async def cancel(self, context_id: str, command_id: str) -> None:
        """Stop a command; returns when it has stopped."""
        await self._contexts[context_id].cancel(self.command(context_id, command_id))

    async def complete(self, context_id: str, code: str, cursor: int) -> dict[str, Any]:
        """Completions at a position, as Jupyter's complete_reply; {} while the context is busy."""
        content = {"code": code, "cursor_pos": cursor}
        return await self._contexts[context_id].ask("complete_request", content)

    async def inspect(self, context_id: str, code: str, cursor: int) -> dict[str, Any]:
        """What is at a position, as Jupyter's inspect_reply; {} while the context is busy."""
        content = {"code": code, "cursor_pos": cursor, "detail_level": 0}
        return await self._contexts[context_id].ask("inspect_request", content)

    async def _get_quicker(self) -> None:
        """While nobody waits: run Spark's slow first query, then prepare the next start."""
        with contextlib.suppress(Exception):
            await self._spark.call(_first_query)
            while (rest := self.last_active + QUIET_SECONDS - time.time()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(rest)
            await train(self._base)

    async def _start_python(self) -> None:
        await self._environment.create()
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_"))},
            "DATABRICKS_RUNTIME_VERSION": "16.4",
            **self._mlflow,  # `import mlflow` finds the workspace's; the spec may name another
            **self._env,
            **self._access,
            **self._environment.variables(),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # or its import complains
            "TZ": "UTC",  # as on Databricks; Spark's timestamps come to Python in this zone
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": str(self._environment.python),
        }
        self._packages = self._environment.state()
        log = self._spark.logs / "python"
        self._nurseries.append(await Nursery.start(self._environment.python, env, log))

    async def _start_kernel(self, settings: Mapping[str, Any]) -> Kernel:
        if self._packages != self._environment.state():
            self._nurseries[-1].retire()  # it has imported what was replaced since
            await self._start_python()
        server, port, secret = await self._spark.call(_open_door)
        env = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
        kernel = await Kernel.start(self._nurseries[-1], env, settings, self._roots)
        closing = asyncio.create_task(self._close_door(kernel, server))
        self._doors.add(closing)
        closing.add_done_callback(self._doors.discard)
        return kernel

    async def _close_door(self, kernel: Kernel, server: Any) -> None:
        await kernel.died()
        with contextlib.suppress(Exception):  # Spark may have ended first
            await self._spark.call(lambda _: server.shutdown())

    async def _prepare(self) -> None:
        """Let Spark know what other clusters and the installer did since the last command."""
        if await asyncio.to_thread(lambda: self._metastore.stale):
            await self._spark.call(self._metastore.catch_up)
        if new := set(self._environment.jars.glob("*.jar")) - self._jars:
            self._jars |= new
            await self._spark.call(lambda jvm: _add_jars(jvm, new))

    async def _cancel_jobs(self, command: Command) -> None:
        def cancel(jvm: Any) -> None:
            jvm.org.apache.spark.SparkContext.getOrCreate().cancelJobGroup(command.id)

        await self._spark.call(cancel)

    async def _watch(self, command: Command) -> None:
        """Show the progress of a command's Spark jobs, for as long as we are let."""
        shown: dict[str, int] | None = None
        while True:
            elapsed = time.monotonic() - command.started
            await asyncio.sleep(max(PROGRESS_SECONDS, elapsed / 50))
            self.last_active = time.time()
            with contextlib.suppress(Exception):
                progress = await self._spark.call(lambda jvm: _progress(jvm, command.id))
                if progress["jobs"] and progress != shown:
                    shown = progress
                    command.show({"type": "progress", **progress})


def _first_query(jvm: Any) -> None:
    session = jvm.org.apache.spark.sql.classic.SparkSession.builder().getOrCreate()
    session.sql("SELECT id, count(*) FROM range(9) GROUP BY id ORDER BY id").collectToPython()


def _add_jars(jvm: Any, jars: set[Path]) -> None:
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for jar in jars:
        loader.addURL(jvm.java.net.URI(jar.as_uri()).toURL())
        jvm.org.apache.spark.SparkContext.getOrCreate().addJar(jar.as_uri())


def _open_door(jvm: Any) -> tuple[Any, int, str]:
    # Each process gets a gateway of its own: on a shared one, Spark's calls back into Python
    # (foreachBatch) reach whichever process registered last.
    server = jvm.org.apache.spark.api.python.Py4JServer(jvm.org.apache.spark.SparkConf())
    server.start()
    return server, int(server.getListeningPort()), str(server.secret())


def _progress(jvm: Any, group: str) -> dict[str, int]:
    tracker = jvm.org.apache.spark.SparkContext.getOrCreate().statusTracker()
    total = done = active = 0
    jobs = sorted(tracker.getJobIdsForGroup(group))
    for job in jobs[-SEEN_JOBS:]:  # a loop can have thousands, and each costs a few calls
        info = tracker.getJobInfo(job)
        if not info.isDefined():
            continue
        for stage in info.get().stageIds():
            known = tracker.getStageInfo(stage)
            if known.isDefined():
                total += known.get().numTasks()
                done += known.get().numCompletedTasks()
                active += known.get().numActiveTasks()
    return {"jobs": len(jobs), "tasks": total, "done": done, "active": active}


def _paths(workspace: Path, dbfs: Path) -> dict[str, str]:
    """Spark settings that make dbfs: and plain paths mean the workspace's own folders."""
    view = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
    # Without checksum files beside the data: Python may write there as well.
    plain = "org.apache.hadoop.fs.RawLocalFileSystem"
    mount = "spark.hadoop.fs.viewfs.mounttable.default"
    return {
        "spark.hadoop.fs.defaultFS": "dbfs:///",
        "spark.hadoop.fs.dbfs.impl": view,
        "spark.hadoop.fs.file.impl": plain,
        "spark.hadoop.fs.viewfs.overload.scheme.target.dbfs.impl": plain,
        f"{mount}.linkFallback": dbfs.as_uri(),
        f"{mount}.link./dbfs": dbfs.as_uri(),
        f"{mount}.link./Workspace": workspace.as_uri(),
        "spark.sql.warehouse.dir": "dbfs:/user/hive/warehouse",
    }
