"""The workflows for GitHub, run by `act` on this machine against the local workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from dbx_magic import local_process
from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.verbs import perform

# What stands for an action of GitHub's: the checkout is there already, and so is Python.
NOTHING = """
name: nothing
runs:
  using: composite
  steps:
    - run: "true"
      shell: bash
"""
ACTIONS = ("actions/checkout@v5", "actions/setup-python@v6")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_sync_workspace_tests_and_deploys(
    git_project: Path,
    local: local_process.Server,
    tmp_path: Path,
    unavailable: Callable[[str], NoReturn],
) -> None:
    act = Path(sys.executable).with_name("act")
    if not act.exists():
        unavailable("act is not installed")
    (git_project / "tests").mkdir()
    (git_project / "tests/test_it.py").write_text("def test_it():\n    assert True\n")
    (git_project / "workspace/greet.py").write_text(
        "# Databricks notebook source\nprint('by GitHub')\n"
    )
    drive(perform(Dbx(git_project), "pipeline", {"action": "github"}), lambda _: None)
    drive(perform(Dbx(git_project), "commit", {"message": "m"}), lambda _: None)
    options: list[Any] = []
    for action in ACTIONS:
        folder = tmp_path / action.replace("/", "-")
        folder.mkdir()
        (folder / "action.yml").write_text(NOTHING)
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "x")
        options += ["--local-repository", f"{action}={folder}"]
    secrets = tmp_path / "secrets"
    secrets.write_text(f"DATABRICKS_HOST={local.url}\nDATABRICKS_TOKEN={local.token}\n")
    done = subprocess.run(
        [
            act,
            "push",
            *("-W", ".github/workflows/sync-workspace.yml", "-P", "ubuntu-latest=-self-hosted"),
            *("--secret-file", str(secrets), "--action-offline-mode", *options),
        ],
        cwd=git_project,
        env={**os.environ, "PATH": f"{act.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert local.token not in done.stdout + done.stderr
    assert b"by GitHub" in Dbx(git_project, "local").workspace.fetch("/Shared/hello/greet")
