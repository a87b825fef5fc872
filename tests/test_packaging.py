"""What `pip install dbx-magic` brings: Python, the JupyterLab extension, the server's switch."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[1]
EXTENSION = "/data/share/jupyter/labextensions/dbx-magic/"


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_carries_the_built_extension(wheel: Path, names: list[str]) -> None:
    manifest = next(name for name in names if name.endswith(f"{EXTENSION}package.json"))
    with zipfile.ZipFile(wheel) as archive:
        built = json.loads(archive.read(manifest))
        size = sum(
            archive.getinfo(name).file_size for name in names if f"{EXTENSION}static" in name
        )
    entry = manifest.replace("package.json", built["jupyterlab"]["_build"]["load"])
    assert entry in names
    assert manifest.replace("package.json", "install.json") in names
    assert size <= 250_000


def test_the_wheel_switches_the_server_extension_on(wheel: Path, names: list[str]) -> None:
    switch = next(name for name in names if name.endswith("jupyter_server_config.d/dbx_magic.json"))
    with zipfile.ZipFile(wheel) as archive:
        assert json.loads(archive.read(switch)) == {
            "ServerApp": {"jpserver_extensions": {"dbx_magic": True}}
        }


def test_the_wheel_carries_nothing_else(names: list[str]) -> None:
    allowed = ("dbx_magic/", "dbx_magic-", "dbx_magic_jupytext.pth")
    assert not [name for name in names if not name.startswith(allowed)]
    assert not [
        name
        for name in names
        if "node_modules" in name or name.endswith((".ts", ".tsx", ".map", ".pyc"))
    ]
    assert not [name for name in names if name.startswith("dbx_magic/labextension")]


def test_one_version(wheel: Path) -> None:
    """The version is written once, in package.json, and is the wheel's."""
    package = json.loads((ROOT / "labextension" / "package.json").read_text())
    assert Version(wheel.name.split("-")[1]) == Version(package["version"])


def test_jupyter_finds_both_extensions_without_node(wheel: Path, tmp_path: Path) -> None:
    """Installed into a fresh environment on a machine that has no Node."""
    uv = Path(sys.executable).with_name("uv")
    venv = tmp_path / "venv"
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    env = {**os.environ, "PATH": str(scripts)}

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr)

    run(uv, "venv", "--python", sys.executable, venv)
    run(uv, "pip", "install", "--python", venv, wheel, "jupyterlab")
    version = run(scripts / "dbx-magic", "--version").split()[-1]
    found = run(scripts / "jupyter", "labextension", "list")
    assert re.search(rf"dbx-magic v{version} +enabled +OK", found)
    found = run(scripts / "jupyter", "server", "extension", "list")
    assert re.search(r"dbx_magic +OK", found)


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_without_node(tmp_path: Path, target: str) -> None:
    """A clone installs without the extension and says so; a release is refused."""
    clone = tmp_path / "clone"
    left_out = shutil.ignore_patterns("node_modules", "lib", "__pycache__")
    for name in ("dbx_magic", "labextension"):
        shutil.copytree(ROOT / name, clone / name, ignore=left_out)
    shutil.rmtree(clone / "dbx_magic" / "labextension", ignore_errors=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target],
        cwd=clone,
        env={**os.environ, "CI": "", "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if target == "wheel":
        assert done.returncode == 0, said
        assert "without its JupyterLab extension" in said
    else:
        assert done.returncode != 0
        assert "Install Node" in said
