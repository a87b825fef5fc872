"""A cluster's own packages: a virtual environment over the one that runs the local workspace."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .java import StartFailed, find_java, spark_home

# Spark is the cluster's own: a library that asks for it would bring another one, which hides it.
_OVERRIDES = "".join(
    f"{name} ; sys_platform == 'never'\n"
    for name in ("pyspark", "pyspark-client", "pyspark-connect", "databricks-connect")
)
# What the cluster's Spark does not work with.
_CONSTRAINTS = "pandas<3\n"

_PATHS = "__import__('dbx_magic.local.driver.paths', fromlist=['paths']).patch()"


class InstallFailed(Exception):  # noqa: N818 - it says what happened
    """A library could not be installed; the message is the installer's reason."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Environment:
    """One cluster's packages; what is installed here hides what the workspace brings."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.jars = folder / "jars"
        self._cache = cache
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self._packages = folder / "lib" / version / "site-packages"

    async def create(self) -> None:
        """Make the environment, if it is not there yet."""
        if not self.python.exists():
            await self._uv("venv", "--clear", "--python", sys.executable, str(self.folder))
        self.jars.mkdir(exist_ok=True)
        self._write(self.folder / "overrides.txt", _OVERRIDES)
        self._write(self.folder / "constraints.txt", _CONSTRAINTS)
        # addsitedir, for the .pth files of the workspace's own environment count as well.
        base = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        lines = [f"import site; site.addsitedir({path!r})" for path in base]
        # Also in the processes in which Spark runs Python functions, and in %sh python.
        lines += [f"import os; 'DBX_DBFS' in os.environ and {_PATHS}"]
        self._write(self._packages / "_dbx.pth", "\n".join(lines) + "\n")

    def state(self) -> int:
        """A number that changes when packages were installed or removed."""
        return self._packages.stat().st_mtime_ns

    def variables(self) -> dict[str, str]:
        """What a process of this environment has in its own environment."""
        import uv

        return {
            "VIRTUAL_ENV": str(self.folder),
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "DBX_UV": uv.find_uv_bin(),
            "UV_CACHE_DIR": str(self._cache),
        }

    async def install(self, library: Mapping[str, Any]) -> None:
        """Install a library in Databricks' description; InstallFailed has the reason."""
        match library:
            case {"pypi": {"package": str(package), **rest}}:
                index = ["--index-url", str(rest["repo"])] if rest.get("repo") else []
                await self._pip("install", *index, package)
            case {"whl": str(path)}:
                await self._pip("install", path)
            case {"requirements": str(path)}:
                await self._pip("install", "-r", path)
            case {"egg": str(path)}:
                self._write(self._egg(path), self._copied(path, self.folder / "eggs") + "\n")
            case {"jar": str(path)}:
                self._copied(path, self.jars)
            case {"maven": {"coordinates": str(coordinates), **rest}}:
                await self._ivy(coordinates, str(rest.get("repo") or ""))
            case {"cran": {"package": str(package), **rest}}:
                await self._cran(package, str(rest.get("repo") or "https://cloud.r-project.org"))
            case _:
                raise InstallFailed(f"This is no library that can be installed: {dict(library)}")

    async def uninstall(self, library: Mapping[str, Any]) -> None:
        """Remove a library again; what was not installed is no error."""
        match library:
            case {"pypi": {"package": str(package)}}:
                name = re.split(r"[\s\[<>=!~;@]", package, maxsplit=1)[0]
                await self._pip("uninstall", name)
            case {"whl": str(path)}:
                await self._pip("uninstall", Path(path).name.split("-")[0])
            case {"requirements": str(path)}:
                await self._pip("uninstall", "-r", path)
            case {"egg": str(path)}:
                self._egg(path).unlink(missing_ok=True)
            case {"jar": str(path)}:
                (self.jars / Path(path).name).unlink(missing_ok=True)

    async def _pip(self, verb: str, *arguments: str) -> None:
        options = ["--python", str(self.python)]
        if verb == "install":
            options += ["--override", str(self.folder / "overrides.txt")]
            options += ["--constraint", str(self.folder / "constraints.txt")]
        await self._uv("pip", verb, *options, *arguments)

    async def _uv(self, *arguments: str) -> None:
        import uv

        environment = {**os.environ, "UV_CACHE_DIR": str(self._cache)}
        code, said = await _run(
            uv.find_uv_bin(), "--quiet", "--color=never", *arguments, env=environment
        )
        if code:
            raise InstallFailed(_reason(said))

    async def _ivy(self, coordinates: str, repository: str) -> None:
        """Get a Maven artifact and what it needs, with the Ivy that Spark brings."""
        parts = coordinates.split(":")
        if len(parts) != 3:
            raise InstallFailed(f"{coordinates!r} is not of the form group:artifact:version.")
        settings = self.folder / "ivy.xml"
        more = (
            f'<ibiblio name="own" m2compatible="true" root="{repository}"/>' if repository else ""
        )
        self._write(settings, _IVY.format(cache=self._cache / "ivy", more=more))
        try:
            java = find_java()
        except StartFailed as failed:
            raise InstallFailed(failed.message) from None
        jars = spark_home() / "jars"
        classpath = os.pathsep.join(
            map(str, [*jars.glob("ivy-*.jar"), *jars.glob("commons-*.jar")])
        )
        ivy = ["-cp", classpath, "org.apache.ivy.Main", "-error", "-settings", str(settings)]
        wanted = ["-dependency", *parts, "-confs", "default"]
        pattern = str(self.jars / "[artifact]-[revision](-[classifier]).[ext]")
        code, said = await _run(str(java.command), *ivy, *wanted, "-retrieve", pattern)
        if code:
            raise InstallFailed(f"{coordinates}: {_reason(said)}")

    async def _cran(self, package: str, repository: str) -> None:
        if shutil.which("Rscript") is None:
            raise InstallFailed(f"{package} needs R, and there is no R on this machine.")
        library = self.folder / "R"
        library.mkdir(exist_ok=True)
        script = (
            "a <- commandArgs(TRUE); install.packages(a[1], lib=a[2], repos=a[3], quiet=TRUE);"
            "if (!(a[1] %in% rownames(installed.packages(lib.loc=a[2])))) quit(status=1)"
        )
        code, said = await _run("Rscript", "-e", script, package, str(library), repository)
        if code:
            raise InstallFailed(f"{package}: {_reason(said)}")

    def _egg(self, path: str) -> Path:
        return self._packages / f"_{Path(path).stem}.pth"

    @staticmethod
    def _copied(path: str, folder: Path) -> str:
        folder.mkdir(exist_ok=True)
        try:
            return str(shutil.copy(path, folder))
        except OSError as error:
            raise InstallFailed(f"{path}: {error.strerror}") from None

    @staticmethod
    def _write(path: Path, text: str) -> None:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)


_IVY = """\
<ivysettings>
  <settings defaultResolver="all"/>
  <caches defaultCacheDir="{cache}"/>
  <resolvers>
    <chain name="all"><ibiblio name="central" m2compatible="true"/>{more}</chain>
  </resolvers>
</ivysettings>
"""


async def _run(*command: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
    )
    try:
        said, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, said.decode(errors="replace")


def _reason(said: str) -> str:
    """What an installer said, in a line or two."""
    lines = [re.sub(r"^[\s×╰─▶│]*(error: )?", "", line).strip() for line in said.splitlines()]
    # A chain of causes: the first says what failed, the last why; between them stand mechanics.
    causes = [line for line in lines if re.match(r"(Caused by|cause): ", line)]
    if causes:
        lines = [lines[0], causes[-1]]
    return " ".join(filter(None, lines))[:600] or "the installer gave no reason"
