"""The pipeline for GitLab, run by `gitlab-ci-local` on this machine against the local workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from dbx_magic import local_process
from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.verbs import perform

# Later ones need Node 22.
VERSION = "4.61.0"
PLACE = Path(__file__).parents[1] / "build" / "gitlab-ci-local"


@pytest.fixture(scope="module")
def runner(
    node: Path, program: Callable[..., str], unavailable: Callable[[str], NoReturn]
) -> list[str]:
    """The command `gitlab-ci-local`, installed once; it copies with rsync."""
    program("rsync")
    command = [str(node), str(PLACE / "node_modules/.bin/gitlab-ci-local")]
    if Path(command[1]).exists():
        return command
    # Not bin/npm, which is no link in a package that was unpacked.
    npm = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    PLACE.mkdir(parents=True, exist_ok=True)
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(PLACE))
    done = subprocess.run(
        [node, npm, "install", *options, f"gitlab-ci-local@{VERSION}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        unavailable(f"gitlab-ci-local cannot be had: {done.stderr}")
    return command


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def do(folder: Path, verb: str, **arguments: str) -> None:
    drive(perform(Dbx(folder), verb, arguments), lambda _: None)


@pytest.mark.parametrize("below", ["", "teams/hello"])
def test_only_what_changed_is_tested_and_deployed(
    below: str,
    project: Path,
    local: local_process.Server,
    tmp_path: Path,
    runner: list[str],
) -> None:
    """At the top of its repository, and in a folder of it."""
    top = tmp_path / "repository"
    folder = top / below
    folder.parent.mkdir(parents=True, exist_ok=True)
    project.rename(folder)
    git(top, "init", "-q")
    (folder / "tests").mkdir()
    (folder / "tests/test_it.py").write_text("def test_it():\n    assert True\n")
    do(folder, "pipeline", action="gitlab")
    do(folder, "commit", message="First")
    if below:
        (top / ".gitlab-ci.yml").write_text(f"include: [{{local: {below}/.gitlab-ci.yml}}]\n")
        git(top, "add", ".")
        git(top, "commit", "-qm", "Include it")
    said = f"by GitLab, {below or 'the top'}"
    (folder / "workspace/greet.py").write_text(f"# Databricks notebook source\nprint('{said}')\n")
    do(folder, "commit", message="Greet")
    # What changed is told by where the remote's branch was.
    git(top, "remote", "add", "origin", "https://gitlab.com/group/thing.git")
    git(top, "update-ref", "refs/remotes/origin/main", "HEAD^")
    variables = tmp_path / "variables.yml"
    variables.write_text(f"DATABRICKS_HOST: {local.url}\nDATABRICKS_TOKEN: {local.token}\n")
    done = subprocess.run(
        [*runner, "--force-shell-executor", "--variables-file", os.path.relpath(variables, top)],
        cwd=top,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "create-cluster" not in done.stdout
    assert local.token not in done.stdout + done.stderr
    assert said.encode() in Dbx(folder, "local").workspace.fetch("/Shared/hello/greet")
