"""`%scala`: a Scala interpreter of this context's own, inside the cluster's Java."""

from __future__ import annotations

import codecs
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .show import displayHTML, show_frame

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_MARK = b"\0"

_BEGIN = """
@transient val sc = spark.sparkContext
import spark.implicits._
import spark.sql
import org.apache.spark.sql.functions._
def display(frame: org.apache.spark.sql.Dataset[_]): Unit = dbxShown.add(frame.toDF())
def displayHTML(html: String): Unit = dbxShown.add(html)
"""


class ScalaError(Exception):
    """What the interpreter says about a cell."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Scala:
    """Runs Scala cells; values and definitions live on."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark: Any = spark
        self._jvm = cast("Any", spark._jvm)  # noqa: SLF001 - Scala is there and nowhere else
        self._shown: Any = self._jvm.java.util.ArrayList()
        self._said: Any = self._jvm.java.io.StringWriter()
        self._interpreter = self._new_interpreter()
        session: Any = spark._jsparkSession  # noqa: SLF001
        kind = "org.apache.spark.sql.classic.SparkSession"
        self._bind("spark", kind, session)
        self._bind("dbxShown", "java.util.ArrayList[Object]", self._shown)
        self._interpreter.interpret(_BEGIN)
        self._take_said()
        self._output = _Output(self._jvm)

    def run(self, code: str) -> None:
        """Run a cell: print what it prints and defines, show what it displays."""
        thread = self._jvm.java.lang.Thread.currentThread()
        loader = thread.getContextClassLoader()
        self._output.connect()
        try:
            self._interpreter.setContextClassLoader()
            result = self._interpreter.interpret(code).toString()
        finally:
            thread.setContextClassLoader(loader)
            self._output.drain()
        said = self._take_said()
        while len(self._shown):
            self._show(self._shown.pop(0))
        if result == "Incomplete":
            raise ScalaError("The cell ends in the middle of a Scala expression.")
        if result != "Success":
            raise ScalaError(said)
        print(said, end="")  # noqa: T201 - names and values, as the interpreter shows them

    def _show(self, shown: Any) -> None:
        from pyspark.sql import DataFrame

        if isinstance(shown, str):
            displayHTML(shown)
        else:
            show_frame(DataFrame(shown, self._spark))

    def _new_interpreter(self) -> Any:
        jvm = self._jvm
        interpreter = jvm.scala.tools.nsc.interpreter
        settings = jvm.scala.tools.nsc.Settings()
        classes = self._spark.sparkContext.getConf().get("spark.repl.class.outputDir")
        arguments = ["-nowarn", "-Yrepl-class-based", "-Yrepl-outdir", str(classes)]
        settings.processArguments(self._list(arguments), True)
        # Names of classes that no other interpreter in this Java has, in the form that Spark's
        # encoders take for the interpreter's.
        jvm.java.lang.System.setProperty("scala.repl.name.line", f"$line9{os.getpid()}0")
        writer = jvm.java.io.PrintWriter(self._said)
        reporter = interpreter.shell.ReplReporterImpl(settings, writer)
        return interpreter.IMain(settings, reporter)

    def _bind(self, name: str, kind: str, value: Any) -> None:
        self._interpreter.bind(name, kind, value, self._list(["@transient"]))

    def _list(self, items: list[str]) -> Any:
        converters = self._jvm.scala.jdk.javaapi.CollectionConverters
        java_list = self._jvm.java.util.ArrayList()
        for item in items:
            java_list.add(item)
        return converters.asScala(java_list).toList()

    def _take_said(self) -> str:
        said = str(self._said.toString())
        self._said.getBuffer().setLength(0)
        return said


class _Output:
    """Brings what Scala prints in our thread here, while it runs."""

    def __init__(self, jvm: Any) -> None:
        path = str(Path(os.environ["DBX_LINKS"], "scala"))
        os.mkfifo(path, 0o600)
        # Opened without waiting for the other side, which is opened next.
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._stream = jvm.java.io.PrintStream(jvm.java.io.FileOutputStream(path), True)
        os.unlink(path)  # noqa: PTH108 - beside os.mkfifo and os.open
        os.set_blocking(reading, True)
        self._drained = threading.Event()
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()
        console = getattr(getattr(jvm, "scala.Console$"), "MODULE$")
        field = console.getClass().getDeclaredField("outVar")
        field.setAccessible(True)
        self._variable = field.get(console)

    def connect(self) -> None:
        """Send what this thread prints from now on here; other contexts have threads of theirs."""
        getattr(self._variable, "value_$eq")(self._stream)

    def drain(self) -> None:
        """Return when everything has arrived."""
        self._drained.clear()
        self._stream.write(_MARK[0])
        self._stream.flush()
        self._drained.wait(5)

    def _read(self, reading: int) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        while data := os.read(reading, 1 << 16):
            print(decode(data.replace(_MARK, b"")), end="", flush=True)  # noqa: T201
            if _MARK in data:
                self._drained.set()
