"""The status card tells where a project stands, whatever is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbx_magic import verbs
from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.show import text

Perform = Callable[..., Any]


def test_no_project_is_said_and_starts_nothing(tmp_path: Path) -> None:
    work = verbs.perform(Dbx(tmp_path), "status", {})
    shown = text(drive(work, lambda _: None).view())
    assert shown == f"{tmp_path} is no project yet. Make one with `init`."


def test_a_new_project(perform: Perform, dbx: Dbx) -> None:
    for cluster in dbx.workspace.clusters():
        if cluster["cluster_name"] == "hello":
            dbx.workspace.delete_cluster(cluster["cluster_id"])
    status = perform("status")
    assert status.cluster is None
    assert status.notebooks.root == "/Shared/hello"
    assert "is not in a git repository" in status.troubles["versions"]
    assert "! " in text(status.view())


def test_notebooks_that_differ_are_named(perform: Perform, dbx: Dbx, project: Path) -> None:
    dbx.workspace.delete("/Shared/hello", recursive=True)
    (project / "workspace" / "measure.py").write_text("x = 1\n")
    assert perform("status").notebooks.differ == ("+ greet", "+ measure.py")
    perform("push")
    assert perform("status").notebooks.differ == ()
    (project / "workspace" / "measure.py").write_text("x = 2\n")
    status = perform("status")
    assert status.notebooks.differ == ("~ measure.py",)
    assert "1 of 2 differ from /Shared/hello:  ~ measure.py" in text(status.view())


def test_the_cluster_and_how_it_differs_from_its_spec(
    perform: Perform, dbx: Dbx, project: Path
) -> None:
    spec = project / "pipelines" / "config.cluster.json"
    perform("rebuild", wait=False)
    status = perform("status")
    assert (status.cluster.name, status.cluster.differs) == ("hello", ())
    spec.write_text(spec.read_text().replace('"num_workers": 1', '"num_workers": 2'))
    assert perform("status").cluster.differs == ("num_workers",)
    dbx.workspace.delete_cluster(status.cluster.cluster_id)


def test_versions(perform: Perform, dbx: Dbx, git_project: Path) -> None:
    (git_project / "workspace" / "greet.py").write_text("# Databricks notebook source\nprint(1)\n")
    version = perform("status").version
    assert (version.branch, version.unpublished) == ("main", None)
    assert version.commit == dbx.repo.head[:7]
    assert "workspace/greet.py" in version.changed
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=git_project, check=True)
    assert "no branch at" in text(perform("status").view())
