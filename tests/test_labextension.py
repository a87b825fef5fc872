"""The TypeScript is tidy, its types fit, and its own tests pass."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

SOURCE = Path(__file__).parents[1] / "labextension"
Yarn = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def yarn(node: Path, unavailable: Callable[[str], NoReturn]) -> Yarn:
    """Run a script of package.json, with the packages installed that yarn.lock names."""
    from jupyter_builder.jlpm import YARN_PATH

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
