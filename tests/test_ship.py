"""Ship: rebuild, push, commit, publish and follow, on the real local workspace."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbx_magic.dbx import Dbx
from dbx_magic.errors import DbxError, GitError

PIPELINE = """
trigger: [main]
steps:
- script: cat workspace/greet.py
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


def test_one_verb_goes_the_whole_way(
    git_project: Path, dbx: Dbx, perform: Callable[..., Any]
) -> None:
    # The spec is as in the last version, so that no cluster has to start.
    perform("commit", message="First")
    (git_project / "pipelines/build.yml").write_text(PIPELINE)
    perform("pipeline", action="local")
    (git_project / "workspace/greet.py").write_text("# Databricks notebook source\nprint('two')\n")
    done = perform("ship", message="Greet again")
    assert done.rebuilt is None
    assert done.pushed.sent == ("greet",)
    assert b"two" in dbx.workspace.fetch("/Shared/hello/greet")
    assert done.committed.commit == git(git_project, "rev-parse", "HEAD")
    assert [run.state for run in done.followed.runs] == ["succeeded"]
    again = perform("ship", message="Nothing new")
    assert (again.committed.files, again.pushed.sent, again.followed) == ((), (), None)


def test_without_a_remote_the_version_stays_here(
    git_project: Path, dbx: Dbx, perform: Callable[..., Any]
) -> None:
    perform("commit", message="First")
    (git_project / "workspace/greet.py").write_text("# Databricks notebook source\nprint('x')\n")
    done = perform("ship", message="m")
    assert (done.committed.published, done.followed) == (None, None)
    assert git(git_project, "log", "-1", "--format=%s") == "m"


def test_what_cannot_be_committed_is_not_sent_either(
    git_project: Path, dbx: Dbx, perform: Callable[..., Any]
) -> None:
    perform("commit", message="First")
    token = "dapi" + "0123456789abcdef" * 2
    (git_project / "workspace/leak.py").write_text(f"t = '{token}'\n")
    with pytest.raises(GitError, match="Databricks token"):
        perform("ship", message="m")
    with pytest.raises(DbxError):
        dbx.workspace.fetch("/Shared/hello/leak.py")


def test_a_changed_spec_is_rebuilt_first(
    git_project: Path, dbx: Dbx, perform: Callable[..., Any]
) -> None:
    perform("commit", message="First")
    spec = git_project / "pipelines/config.cluster.json"
    spec.write_text(spec.read_text().replace('"num_workers": 1', '"num_workers": 2'))
    done = perform("ship", message="Grow")
    assert done.rebuilt.ready
    assert dbx.workspace.cluster(done.rebuilt.cluster_id)["num_workers"] == 2
    assert "Grow" in git(git_project, "log", "-1", "--format=%s")
    perform("delete", cluster="hello", yes=True)
