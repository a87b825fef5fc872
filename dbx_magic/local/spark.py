"""One Spark of its own for each running cluster: started quickly, stopped surely."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .java import ClassArchive, StartFailed, find_java, java_command, spark_home

T = TypeVar("T")

START_SECONDS = 120.0
STOP_SECONDS = 5.0

CONNECT_PLUGIN = "org.apache.spark.sql.connect.SparkConnectPlugin"

_LOGGING = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {folder}/log4j-active.log
appender.file.filePattern = {folder}/log4j-%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yy/MM/dd HH:mm:ss}} %p %c{{1}}: %m%n%ex
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
# Spark 4 repeats every failed query there as JSON; the user has it in the cell already.
logger.sql.name = SQLQueryContextLogger
logger.sql.level = off
logger.frame.name = DataFrameQueryContextLogger
logger.frame.level = off
"""


class Spark:
    """One Java process with a Spark context, reached through py4j; it ends when we do."""

    def __init__(
        self,
        folder: Path,
        *,
        conf: Mapping[str, str],
        env: Mapping[str, str],
        base: Path,
        options: Sequence[str] | None = None,
        nice: bool = False,
    ) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.ui_url: str | None = None
        self.connect_url: str | None = None
        self._conf = dict(conf)
        self._env = dict(env)
        self._base = base
        self._options = options
        self._nice = nice
        self._process: asyncio.subprocess.Process | None = None
        self._gateway: Any = None

    async def start(self) -> None:
        """Start Java and Spark in it, or raise StartFailed with the reason."""
        java = await asyncio.to_thread(find_java)
        run = self.folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        for folder in (run, self.logs, self.folder / "scratch" / "classes"):
            folder.mkdir(parents=True, exist_ok=True)
        run.chmod(0o700)
        connect_token = secrets.token_urlsafe(24)
        # In a file of our own: what stands in arguments, everybody on the machine can read.
        properties = run / "spark.properties"
        properties.touch(0o600)
        properties.write_text(_properties(self._settings(connect_token)), encoding="utf-8")
        logging = run / "log4j2.properties"
        logging.write_text(_LOGGING.format(folder=self.logs), encoding="utf-8")
        options = self._options
        if options is None:
            options = ClassArchive(java, self._base).options()
        command = java_command(
            java,
            self._conf,
            [f"-Dlog4j2.configurationFile={logging}", *options],
            ["--properties-file", str(properties), "pyspark-shell"],
        )
        if self._nice and (nice := shutil.which("nice")):
            command[:0] = [nice, "-n", "19"]
        answer = run / "gateway"
        with (self.logs / "stdout").open("ab") as out, (self.logs / "stderr").open("ab") as err:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,  # Java ends when this closes, so also when we die
                stdout=out,
                stderr=err,
                env=self._environment(answer),
                cwd=self.folder,
                start_new_session=True,  # a terminal's Ctrl-C is not Spark's
            )
        self._process = process
        try:
            await asyncio.wait_for(self._connect(process, answer, connect_token), START_SECONDS)
        except asyncio.TimeoutError:
            await self.stop()
            raise StartFailed(
                "BOOTSTRAP_TIMEOUT", f"Spark did not answer within {START_SECONDS:.0f} s"
            ) from None
        except BaseException:
            await self.stop()
            raise

    def _settings(self, connect_token: str) -> dict[str, str]:
        cores = os.cpu_count() or 2
        settings = {
            "spark.master": f"local[{cores}]",
            "spark.app.name": "Databricks Shell",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.port": "0",
            "spark.ui.showConsoleProgress": "false",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": "0",
            "spark.local.dir": str(self.folder / "scratch"),
            "spark.repl.class.outputDir": str(self.folder / "scratch" / "classes"),
            "spark.sql.shuffle.partitions": str(cores),
            "spark.sql.execution.arrow.pyspark.enabled": "true",
            "spark.sql.session.timeZone": "UTC",
            # A context must see what another one writes, not the files that it saw before.
            "spark.sql.filesourceTableRelationCacheSize": "0",
            "spark.sql.hive.manageFilesourcePartitions": "false",
        }
        settings.update(self._conf)
        plugins = [self._conf.get("spark.plugins", ""), CONNECT_PLUGIN]
        settings["spark.plugins"] = ",".join(filter(None, plugins))
        settings["spark.connect.authenticate.token"] = connect_token
        return settings

    def _environment(self, answer: Path) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_"))}
        return {
            **ours,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_PUBLIC_DNS": "localhost",
            **self._env,
            "SPARK_HOME": str(spark_home()),
            "SPARK_CONNECT_MODE": "0",
            "_PYSPARK_DRIVER_CONN_INFO_PATH": str(answer),
        }

    async def _connect(
        self, process: asyncio.subprocess.Process, answer: Path, connect_token: str
    ) -> None:
        while (found := _read_answer(answer)) is None:
            if process.returncode is not None:
                raise StartFailed("SPARK_STARTUP_FAILURE", self._last_words(process.returncode))
            await asyncio.sleep(0.02)
        self._gateway = _open_gateway(*found)
        try:
            ui, port = await self.call(_create_context)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is why Spark did not start
            raise StartFailed("SPARK_STARTUP_FAILURE", java_reason(error)) from None
        self.ui_url = ui
        self.connect_url = f"sc://localhost:{port}/;token={connect_token}"

    async def call(self, function: Callable[[Any], T]) -> T:
        """What `function(jvm)` returns, without blocking the event loop meanwhile."""
        gateway = self._gateway
        if gateway is None:
            raise ConnectionError("Spark is not running")
        return await asyncio.to_thread(function, gateway.jvm)

    async def died(self) -> str:
        """Wait until Java ends; return why."""
        if self._process is None:
            raise ConnectionError("Spark is not running")
        return self._last_words(await self._process.wait())

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End Java: politely, for Spark deletes its temporary files, then surely."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            # Only now: while Java lives, closing waits for what is being read from it.
            await asyncio.to_thread(gateway.shutdown_callback_server)
            await asyncio.to_thread(gateway.close)
        for name in ("scratch", "run"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _last_words(self, code: int) -> str:
        said = (self.logs / "stderr").read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [line for line in said if re.match(r"(Exception|Error|Caused by)\b", line)]
        reason = (telling or said or [""])[-1].strip()
        return f"Spark's Java process ended with code {code}" + (f": {reason}" if reason else "")


def java_reason(error: BaseException) -> str:
    """The innermost reason of a Java exception, in one line."""
    java = getattr(error, "java_exception", None)
    if java is None:
        return str(error)
    while (cause := java.getCause()) is not None:
        java = cause
    return str(java.toString()).splitlines()[0]


def scala_object(jvm: Any, name: str) -> Any:
    """A Scala `object`, as py4j reaches it."""
    return getattr(getattr(jvm, name + "$"), "MODULE$")


def _create_context(jvm: Any) -> tuple[str | None, int]:
    session = jvm.org.apache.spark.sql.classic.SparkSession.builder().getOrCreate()
    ui = session.sparkContext().uiWebUrl()
    connect = scala_object(jvm, "org.apache.spark.sql.connect.service.SparkConnectService")
    port = connect.localPort()
    return (str(ui.get()) if ui.isDefined() else None), int(port)


def _open_gateway(port: int, secret: str) -> Any:
    from py4j.clientserver import (  # type: ignore[import-untyped]
        ClientServer,
        JavaParameters,
        PythonParameters,
    )

    gateway = ClientServer(
        java_parameters=JavaParameters(port=port, auth_token=secret, auto_convert=True),
        python_parameters=PythonParameters(
            port=0, eager_load=True, daemonize=True, daemonize_connections=True
        ),
    )
    # Java calls back at the port that we have got.
    server = gateway.java_gateway_server
    mine = gateway.get_callback_server().get_listening_port()
    server.resetCallbackClient(server.getCallbackClient().getAddress(), mine)
    return gateway


def _read_answer(path: Path) -> tuple[int, str] | None:
    """Port and secret, as Spark's gateway writes them: two big-endian numbers and a text."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    path.unlink()
    port, length = struct.unpack_from(">ii", data)
    return port, data[8 : 8 + length].decode()


def _properties(settings: Mapping[str, str]) -> str:
    """Settings in the format of a Java properties file."""
    return "".join(f"{_escape(key)}={_escape(value)}\n" for key, value in settings.items())


def _escape(text: str) -> str:
    text = re.sub(r"([\\:= #!])", r"\\\1", text).replace("\n", "\\n").replace("\r", "\\r")
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in text)
