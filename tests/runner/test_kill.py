"""The local runner, killed at any moment: the truth is told of it, and the next push goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dbx_magic.local_remote import LocalRemote
from dbx_magic.runner.__main__ import received

# Two stages, each with a checkout of its own and a mark for what it has deployed.
PIPELINE = """
trigger: {branches: {include: [main]}, paths: {include: [workspace]}}
stages:
- stage: first
  jobs:
  - deployment: first
    environment: first
    strategy: {runOnce: {deploy: {steps: [{script: cat workspace/a.txt}, {script: git status}]}}}
- stage: second
  jobs:
  - deployment: second
    environment: second
    strategy: {runOnce: {deploy: {steps: [{script: ls}]}}}
"""
# A process that kills itself just before it does something to files, locks or processes for the
# n-th time. It takes a push as the hook does, and works as the process of its runs as well.
KILLED = """
import os, signal, sys
from pathlib import Path
from dbx_magic.local_remote import LocalRemote
from dbx_magic.runner import __main__ as runner

new, *folders = sys.argv[1:]
FILES = {"os.mkdir", "os.remove", "os.rename", "shutil.rmtree"}
TOUCHING = FILES | {"subprocess.Popen", "fcntl.flock"}

def hook(event, arguments):
    global left
    writes = event == "open" and isinstance(arguments[1], str) and arguments[1][0] in "wx"
    if left and (writes or event in TOUCHING):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

left = 0
sys.addaudithook(hook)
for folder in folders:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        sys.stdout = open(os.devnull, "w")
        left = int(Path(folder).suffix[1:])
        runner.received(LocalRemote(Path(folder)), new, "main")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
# There are 131, all of which were tried once; and one that never comes.
MOMENTS = (*range(3, 131, 8), 10**6)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


@pytest.fixture
def commits(git_project: Path) -> tuple[str, str]:
    """One to deploy, and one after it, which no pipeline is about."""
    (git_project / "pipelines/build.yml").write_text(PIPELINE)
    (git_project / "workspace/a.txt").write_text("1\n")
    git(git_project, "add", "-A")
    git(git_project, "commit", "-qm", "To deploy")
    deploy = git(git_project, "rev-parse", "HEAD")
    git(git_project, "commit", "-q", "--allow-empty", "-m", "Nothing of it")
    return deploy, git(git_project, "rev-parse", "HEAD")


def test_killed_at_any_moment_the_truth_is_told_and_the_next_push_goes_on(
    git_project: Path, commits: tuple[str, str], tmp_path: Path
) -> None:
    deploy, after = commits
    bare = tmp_path / "remote.git"
    git(tmp_path, "clone", "-q", "--bare", str(git_project), str(bare))
    git(bare, "config", "dbx.wait", "true")
    folders = [tmp_path / f"killed.{number}" for number in MOMENTS]
    for folder in folders:
        shutil.copytree(bare, folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, deploy, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    codes = [int(code) for code in done.stdout.split()]
    assert set(codes) == {-9, 0}, "every moment is met, up to the end"
    states = []
    for folder, code in zip(folders, codes, strict=True):
        remote = LocalRemote(folder)
        runs = remote.runs(deploy)
        assert all(run.is_over for run in runs)
        states += [run.state for run in runs]
        if code == 0:
            assert [run.state for run in runs] == ["succeeded"]
        for run in runs:
            assert all(step.is_over for step in run.steps)
        deployed = git(folder, "tag", "--list", "dbx/*").split()

        received(remote, after, "main")
        [*_, last] = remote.runs(deploy) + remote.runs(after)
        assert last.state == "succeeded"
        assert set(deployed) <= set(git(folder, "tag", "--list", "dbx/*").split())
        assert {"dbx/first/1", "dbx/second/1"} <= set(git(folder, "tag", "--list").split())
        assert list((folder / "dbx-runs").glob("*.tree")) == []
        assert git(folder, "worktree", "list").count("\n") == 0
        assert git(folder, "fsck", "--no-dangling") == ""
        # Once it is done, a push that no pipeline is about starts none.
        received(remote, after, "main")
        assert remote.runs(after)[-1:] in ([], [last])
    assert {"interrupted", "succeeded"} == set(states)
