"""A cluster's own packages: a virtual environment over the one that runs the local workspace."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Spark is the cluster's: a library that asks for another one would download and shadow it.
# pandas 3 breaks the Spark that we pin.
_OVERRIDES = (
    "pyspark ; sys_platform == 'never'\n"
    "pyspark-client ; sys_platform == 'never'\n"
    "pyspark-connect ; sys_platform == 'never'\n"
    "databricks-connect ; sys_platform == 'never'\n"
)
_CONSTRAINTS = "pandas<3\n"


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

    async def create(self) -> None:
        """Make the environment, if it is not there yet."""
        if not self.python.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            await self._uv("venv", "--no-project", "--python", sys.executable, str(self.folder))
        for name, text in (("overrides.txt", _OVERRIDES), ("constraints.txt", _CONSTRAINTS)):
            (self.folder / name).write_text(text, encoding="utf-8")
        # addsitedir, for the .pth files of the workspace's own environment count as well.
        base = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        lines = [f"import site; site.addsitedir({path!r})" for path in base]
        lines += [
            "import os; 'DBX_DBFS' in os.environ and"
            " __import__('dbx_magic.local.driver.paths', fromlist=['paths']).patch()"
        ]
        (self._packages() / "_dbx.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def state(self) -> int:
        """A number that changes when packages were installed or removed."""
        return self._packages().stat().st_mtime_ns

    def variables(self) -> dict[str, str]:
        """What a process of this environment has in its own environment."""
        import uv

        path = f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {"VIRTUAL_ENV": str(self.folder), "PATH": path, "DBX_UV": uv.find_uv_bin()}

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
            case {"jar": str(path)}:
                self.jars.mkdir(parents=True, exist_ok=True)
                try:
                    shutil.copy(path, self.jars)
                except OSError as error:
                    raise InstallFailed(f"{path}: {error.strerror}") from None
            case _:
                kind = next(iter(library), "nothing")
                raise InstallFailed(f"Libraries of the kind {kind!r} cannot be installed here.")

    async def uninstall(self, library: Mapping[str, Any]) -> None:
        """Remove a library again; what was not installed is no error."""
        match library:
            case {"pypi": {"package": str(package)}}:
                await self._pip("uninstall", re.split(r"[\s\[<>=!~;@]", package, maxsplit=1)[0])
            case {"whl": str(path)}:
                await self._pip("uninstall", Path(path).name.split("-")[0])
            case {"requirements": str(path)}:
                await self._pip("uninstall", "-r", path)
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

        process = await asyncio.create_subprocess_exec(
            uv.find_uv_bin(),
            "--quiet",
            "--no-config",
            "--color=never",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise InstallFailed(_reason(said.decode(errors="replace")))

    def _packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "lib" / version / "site-packages"


def _reason(said: str) -> str:
    lines = [re.sub(r"^[\s×╰─▶│:error]*", "", line).strip() for line in said.splitlines()]
    return " ".join(line for line in lines if line)[:600] or "the installer gave no reason"
