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
    library = '"libraries": [{"pypi": {"package": "humanize"}}]'
    spec.write_text(spec.read_text().replace('"num_workers": 2', f'"num_workers": 1, {library}'))
    assert perform("status").cluster.differs == ("libraries",)
    assert [row.equal for row in perform("clusters").rows if row.name == "hello"] == [False]
    dbx.workspace.install(status.cluster.cluster_id, [{"pypi": {"package": "humanize"}}])
    assert perform("status").cluster.differs == ()
    dbx.workspace.delete_cluster(status.cluster.cluster_id)


def test_a_cluster_is_said_to_be_as_a_version_only_when_it_is(
    perform: Perform, dbx: Dbx, git_project: Path
) -> None:
    """Its own tag is that of the version it was made or edited for: nothing else renews it."""
    spec = git_project / "pipelines" / "config.cluster.json"
    cluster_id = perform("rebuild").cluster_id
    made_for = dbx.repo.head[:7]
    assert perform("status").cluster.commit == made_for
    (git_project / "workspace/greet.py").write_text("# Databricks notebook source\nprint(6)\n")
    later = perform("commit", message="Greet").commit[:7]
    assert perform("status").cluster.commit == later
    spec.write_text(spec.read_text().replace('"num_workers": 1', '"num_workers": 2'))
    assert perform("status").cluster.commit == ""
    perform("rebuild")  # a running cluster is resized: its tag stays
    assert dbx.workspace.cluster(cluster_id)["custom_tags"]["dbx_commit"].startswith(made_for)
    cluster = perform("status").cluster
    assert (cluster.differs, cluster.commit) == ((), ""), "no version has this spec yet"
    grown = perform("commit", message="Grow").commit[:7]
    status = perform("status")
    assert status.cluster.commit == grown
    assert f"as in version {grown}" in " ".join(text(status.view()).split())
    dbx.workspace.delete_cluster(cluster_id)


def test_versions(perform: Perform, dbx: Dbx, git_project: Path) -> None:
    (git_project / "workspace" / "greet.py").write_text("# Databricks notebook source\nprint(1)\n")
    version = perform("status").version
    assert (version.branch, version.unpublished) == ("main", None)
    assert version.commit == dbx.repo.head[:7]
    assert "workspace/greet.py" in version.changed
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=git_project, check=True)
    assert "no branch at" in text(perform("status").view())


def test_what_is_deployed_and_what_was_changed_by_hand(
    perform: Perform, dbx: Dbx, git_project: Path
) -> None:
    dbx.workspace.delete("/Shared/hello", recursive=True)
    assert perform("status").deployed is None
    first = perform("commit", message="First").commit
    perform("push")
    status = perform("status")
    assert (status.deployed.commit, status.deployed.clean) == (first[:7], True)
    assert status.deployed.behind == 0
    assert "changed by hand" not in text(status.view())
    # A version that changes nothing of what is deployed leaves nothing behind.
    (git_project / "tests").mkdir()
    (git_project / "tests/test_it.py").write_text("def test_it(): pass\n")
    perform("commit", message="Test")
    assert perform("status").deployed.behind == 0
    (git_project / "workspace/greet.py").write_text("# Databricks notebook source\nprint(2)\n")
    perform("commit", message="Second")
    status = perform("status")
    assert (status.deployed.commit, status.deployed.behind) == (first[:7], 1)
    assert f"{first[:7]}, by " in text(status.view())
    assert "1 version behind" in text(status.view())
    perform("push")
    edited = b"# Databricks notebook source\nprint('by hand')\n"
    dbx.workspace.put("/Shared/hello/greet", edited, "SOURCE", "python")
    dbx.workspace.put("/Shared/hello/extra", edited, "SOURCE", "python")
    status = perform("status")
    assert status.notebooks.by_hand == ("greet", "extra")
    assert "changed by hand in the workspace: greet, extra" in text(status.view())


def test_what_was_pushed_before_it_was_committed_is_that_version(
    perform: Perform, dbx: Dbx, git_project: Path, tmp_path: Path
) -> None:
    """As `ship` does it: the pipeline then finds nothing left to send."""
    dbx.workspace.delete("/Shared/hello", recursive=True)
    perform("commit", message="First")
    perform("push")
    (git_project / "workspace/greet.py").write_text("# Databricks notebook source\nprint(4)\n")
    perform("push")
    second = perform("commit", message="Second").commit
    deployed = perform("status").deployed
    assert (deployed.commit, deployed.clean, deployed.behind) == (second[:7], True, 0)
    subprocess.run(["git", "clone", "-q", git_project, tmp_path / "pipeline"], check=True)
    drive(verbs.perform(Dbx(tmp_path / "pipeline", "local"), "push", {}), lambda _: None)
    # Whoever is elsewhere by now learns it from what stands beside the notebooks.
    (git_project / "workspace/greet.py").write_text("# Databricks notebook source\nprint(5)\n")
    perform("commit", message="Third")
    deployed = perform("status").deployed
    assert (deployed.commit, deployed.clean, deployed.behind) == (second[:7], True, 1)


def test_a_push_of_what_is_not_committed_says_so(
    perform: Perform, dbx: Dbx, git_project: Path
) -> None:
    dbx.workspace.delete("/Shared/hello", recursive=True)
    (git_project / "workspace/greet.py").write_text("# Databricks notebook source\nprint(3)\n")
    perform("push")
    assert "and edits that were not committed" in text(perform("status").view())


def test_what_is_published_is_said(perform: Perform, dbx: Dbx, git_project: Path) -> None:
    remote = git_project.parent / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    subprocess.run(["git", "remote", "add", "origin", str(remote)], cwd=git_project, check=True)
    perform("commit", message="First", publish=True)
    assert "· published" in text(perform("status").view())
    (git_project / "workspace/new.py").write_text("1\n")
    perform("commit", message="Second")
    status = perform("status")
    assert status.version.unpublished == 1
    assert "1 commit not published" in text(status.view())
