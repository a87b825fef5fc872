"""The local remote: publishing to it runs the pipelines of the published commit, here."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import local_process
from dbx_magic.dbx import Dbx
from dbx_magic.errors import GitError, PipelineError
from dbx_magic.events import Event, Shown, drive
from dbx_magic.local_remote import LocalRemote
from dbx_magic.output import Stream
from dbx_magic.pipeline_run import StepRun
from dbx_magic.verbs import perform

PIPELINE = """
trigger:
  branches: {include: [main]}
  paths: {include: ["workspace/**"]}
stages:
- stage: tests
  jobs:
  - job: tests
    steps:
    - task: UsePythonVersion@0
      inputs: {versionSpec: "3.12"}
    - script: test ! -e workspace/bad.py
      displayName: Test
- stage: local
  dependsOn: [tests]
  jobs:
  - deployment: workspace
    environment: local
    variables: [{group: databricks_cli}]
    strategy:
      runOnce:
        deploy:
          steps:
          - script: |
              cat workspace/greet.py
              ls
              echo "host $(databricks_host), token $TOKEN, unmapped '$DATABRICKS_TOKEN'"
              echo "$DATABRICKS_HOST at $BUILD_SOURCEVERSION of $BUILD_SOURCEBRANCH"
            displayName: Deploy
            env: {TOKEN: $(databricks_token)}
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


def do(folder: Path, verb: str, /, **arguments: Any) -> Any:
    return drive(perform(Dbx(folder), verb, arguments), lambda _: None)


@pytest.fixture
def here(git_project: Path, local: local_process.Server) -> Path:
    (git_project / "pipelines/build-workspace.yml").write_text(PIPELINE)
    do(git_project, "pipeline", action="local")
    return git_project


def ship(folder: Path, path: str, text: str) -> str:
    (folder / path).write_text(text)
    return str(do(folder, "commit", message="m", publish=True).commit)


def log_of(folder: Path, number: int) -> str:
    remote = LocalRemote.of(Dbx(folder).repo)
    assert remote is not None
    return remote.log_path(number).read_text()


def test_what_is_published_runs_in_a_clean_checkout(
    here: Path, local: local_process.Server
) -> None:
    (here / "dirty.py").write_text("not committed\n")
    commit = ship(here, "workspace/greet.py", "print('deployed')\n")
    done = do(here, "follow")
    [run] = done.runs
    assert (run.state, run.commit, run.branch, done.exit_code) == ("succeeded", commit, "main", 0)
    assert [(step.name, step.state) for step in run.steps] == [
        ("UsePythonVersion@0", "succeeded"),
        ("Test", "succeeded"),
        ("Deploy", "succeeded"),
    ]
    log = log_of(here, run.number)
    assert "print('deployed')" in log
    assert "dirty.py" not in log
    assert f"host {local.url}, token ***, unmapped ''" in log
    assert f"{local.url} at {commit} of refs/heads/main" in log
    remote = LocalRemote.of(Dbx(here).repo)
    assert remote is not None
    everything = "".join(path.read_text() for path in (remote.folder / "dbx-runs").iterdir())
    assert local.token not in everything
    seen: list[Event] = []
    drive(perform(Dbx(here), "follow", {"commit": commit[:8], "logs": True}), seen.append)
    outputs = [event.output for event in seen if isinstance(event, Shown)]
    assert "".join(output.text for output in outputs if isinstance(output, Stream)) == log


def test_a_deployed_version_is_tagged_and_the_history_says_so(here: Path) -> None:
    ship(here, "workspace/greet.py", "1\n")
    do(here, "follow")
    ship(here, "workspace/bad.py", "")
    do(here, "follow")
    assert git(here, "tag", "--list") == "dbx/local/1"
    assert git(here, "for-each-ref", "--format=%(contents:subject)", "refs/tags") == (
        "Deployed to local by build-workspace #1"
    )
    assert [version.where for version in do(here, "history").versions] == [
        ("published",),
        ("local/1",),
        ("published",),
    ]


def test_a_commit_that_was_put_on_top_of_others_is_followed(here: Path, tmp_path: Path) -> None:
    ship(here, "workspace/greet.py", "1\n")
    git(tmp_path, "clone", "-q", git(here, "remote", "get-url", "local"), "theirs")
    ship(tmp_path / "theirs", "workspace/theirs.py", "2\n")
    commit = ship(here, "workspace/mine.py", "3\n")
    done = do(here, "follow")
    assert done.commit != commit
    assert done.commit == git(here, "rev-parse", "refs/remotes/local/main")
    assert done.runs[0].state == "succeeded"


def test_only_pushes_that_a_pipeline_is_about_start_it(here: Path) -> None:
    ship(here, "workspace/greet.py", "1\n")
    do(here, "follow")
    ship(here, "dbx.toml", 'project = "hello"\ncluster = "hello"\n')
    with pytest.raises(PipelineError, match="No pipeline ran for"):
        do(here, "follow")
    git(here, "switch", "-qc", "feature")
    ship(here, "workspace/greet.py", "2\n")
    with pytest.raises(PipelineError, match="No pipeline ran for"):
        do(here, "follow")


def test_failing_tests_stop_what_comes_after_them(here: Path) -> None:
    ship(here, "workspace/bad.py", "")
    done = do(here, "follow")
    [run] = done.runs
    assert (run.state, done.exit_code) == ("failed", 7)
    assert (run.steps[-1].name, run.steps[-1].state) == ("Test", "failed")
    assert "left out, because a stage before it failed" in done.ends[0]
    words = [line.text for line in done.view()]
    assert words[0] == f"build-workspace #1 of {run.commit[:7]}: failed"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("UsePythonVersion@0", "AzureCLI@2", "the step 'AzureCLI@2' cannot run locally"),
        ("databricks_cli", "others", "the variable group 'others' is not there locally"),
        ("stages:", "stages", "is not valid YAML"),
    ],
)
def test_what_cannot_run_fails_by_its_name(
    here: Path, before: str, after: str, reason: str
) -> None:
    file = here / "pipelines/build-workspace.yml"
    file.write_text(file.read_text().replace(before, after))
    ship(here, "workspace/greet.py", "1\n")
    done = do(here, "follow")
    assert done.runs[0].state == "failed"
    assert reason in done.runs[0].reason
    assert all(step.name != "Deploy" for step in done.runs[0].steps)


# A pipeline as people wrote them for the legacy command line: tasks, scripts, secrets as arguments.
OLDER = """
trigger:
  branches:
    include:
    - main
pool:
  vmImage: "ubuntu-latest"
variables:
- group: databricks_cli
steps:
- task: UsePythonVersion@0
  displayName: "Use Python 3.8"
  inputs:
    versionSpec: "3.8"
    architecture: "x64"
- task: ShellScript@2
  continueOnError: "true"
  inputs:
    scriptPath: pipelines/fail.sh
- task: ShellScript@2
  inputs:
    scriptPath: pipelines/show.sh
    args: "$(databricks_host) $(databricks_token)"
  displayName: "Show the spec"
"""


def test_pipelines_of_shell_scripts_run_as_they_are(
    here: Path, local: local_process.Server
) -> None:
    (here / "pipelines/build-workspace.yml").write_text(OLDER)
    (here / "pipelines/fail.sh").write_text("exit 3\n")
    (here / "pipelines/show.sh").write_text('echo "$1 $2 ${#2}"; cat config.cluster.json\n')
    ship(here, "workspace/greet.py", "1\n")
    [run] = do(here, "follow").runs
    assert run.state == "succeeded"
    assert [step.state for step in run.steps] == ["succeeded", "failed", "succeeded"]
    log = log_of(here, run.number)
    assert f"{local.url} *** {len(local.token)}" in log
    assert '"cluster_name": "CLUSTER_NAME"' in log
    assert "Python 3.8 was asked for; here it is 3." in log


def test_runs_of_one_pipeline_wait_for_each_other(here: Path, tmp_path: Path) -> None:
    gate, order = tmp_path / "gate", tmp_path / "order"
    file = here / "pipelines/build-workspace.yml"
    script = f"echo $BUILD_SOURCEVERSION >> {order}; until [ -e {gate} ]; do sleep 0.1; done"
    file.write_text(file.read_text().replace("test ! -e workspace/bad.py", script))
    first = ship(here, "workspace/greet.py", "1\n")
    wait_until(order.exists)
    second = ship(here, "workspace/greet.py", "2\n")
    remote = LocalRemote.of(Dbx(here).repo)
    assert remote is not None
    [waiting] = remote.runs(second)
    assert (waiting.state, waiting.steps) == ("queued", ())
    gate.touch()
    do(here, "follow")
    assert order.read_text().split() == [first, second]


def test_a_killed_run_is_told_as_interrupted(here: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    file = here / "pipelines/build-workspace.yml"
    number = "$(basename $(dirname $PWD) .tree)"
    script = f"echo $PPID $$ {number} > {pid}.new; mv {pid}.new {pid}; exec sleep 600"
    file.write_text(file.read_text().replace("test ! -e workspace/bad.py", script))
    (here / "README.md").write_text("staged\n")
    git(here, "add", "README.md")
    first = ship(here, "workspace/greet.py", "1\n")
    before = git(here, "status", "--porcelain=v2", "-uall"), git(here, "ls-files", "--stage")
    wait_until(pid.exists)
    runner, step, _ = map(int, pid.read_text().split())
    os.kill(runner, signal.SIGKILL)
    wait_until(lambda: not alive(step))
    done = do(here, "follow")
    assert (done.runs[0].state, done.exit_code) == ("interrupted", 7)
    assert [step.state for step in done.runs[0].steps] == ["succeeded", "interrupted"]
    remote = Path(git(here, "remote", "get-url", "local"))
    assert git(remote, "fsck", "--no-dangling") == ""
    after = git(here, "status", "--porcelain=v2", "-uall"), git(here, "ls-files", "--stage")
    assert after == before
    assert "`publish` begins it again" in done.view()[0].note
    again = do(here, "publish")
    assert again.commits == ()
    assert again.view()[1].text == "◐ build-workspace: run 2 begins, by the local runner"
    wait_until(lambda: "2" in pid.read_text().split()[2:])
    runner, step, _ = map(int, pid.read_text().split())
    os.kill(runner, signal.SIGKILL)
    wait_until(lambda: not alive(step))
    assert [run.number for run in do(here, "follow", commit=first).runs] == [2]
    # Not what this pipeline is about, but the work of the killed ones is not done.
    ship(here, "pipelines/build-workspace.yml", PIPELINE)
    assert do(here, "follow").runs[0].state == "succeeded"
    assert do(here, "publish").view()[1:] == []
    # What the killed one had checked out is gone.
    assert list((remote / "dbx-runs").glob("*.tree")) == []


def test_a_run_that_was_killed_between_two_steps_has_deployed_nothing(here: Path) -> None:
    ship(here, "workspace/greet.py", "1\n")
    do(here, "follow")
    commit = ship(here, "dbx.toml", (here / "dbx.toml").read_text() + "[targets.dev]\n")
    remote = LocalRemote.of(Dbx(here).repo)
    assert remote is not None
    # No pipeline is about that commit: its one run is as a killed process leaves it.
    run, held = remote.new_run("build-workspace", commit, "main")
    installed = StepRun("Install", "dev", "succeeded", 1.0)
    remote.save(replace(run, state="running", steps=(installed,)))
    held.close()
    [followed] = do(here, "follow").runs
    assert (followed.state, followed.steps) == ("interrupted", (installed,))
    assert git(here, "tag", "--list") == "dbx/local/1", "nothing of dev"


def alive(pid: int) -> bool:
    """Whether a process still does something; one that nobody waits for stays as a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_the_generated_pipeline_deploys_to_the_local_workspace(
    here: Path, local: local_process.Server
) -> None:
    """The whole of sync-workspace, as Azure would run it: install, test, push."""
    (here / "pipelines/build-workspace.yml").unlink()
    do(here, "pipeline", action="azure")
    (here / "pipelines/build-cluster.yml").unlink()  # the cluster has tests of its own
    (here / "tests").mkdir()
    (here / "tests/test_it.py").write_text("def test_it():\n    assert True\n")
    ship(here, "workspace/greet.py", "# Databricks notebook source\nprint('shipped')\n")
    done = do(here, "follow")
    assert done.runs[0].state == "succeeded", done.ends
    source = Dbx(here, "local").workspace.fetch("/Shared/hello/greet")
    assert b"shipped" in source


def test_a_project_below_the_top_is_deployed_by_pipelines_of_its_own(
    tmp_path: Path, project: Path, local: local_process.Server
) -> None:
    outer = tmp_path / "teams"
    outer.mkdir()
    git(outer, "init", "-q")
    here = outer / "hello"
    project.rename(here)
    do(here, "pipeline", action="local")
    do(here, "pipeline", action="azure")
    (here / "pipelines/build-cluster.yml").unlink()  # the cluster has tests of its own
    # Another project's files start nothing of ours, and theirs is not found among other folders.
    (outer / "other/pipelines").mkdir(parents=True)
    (outer / "other/pipelines/build.yml").write_text("steps: [{script: exit 1}]\n")
    ship(here, "workspace/greet.py", "# Databricks notebook source\nprint('below')\n")
    [run] = (done := do(here, "follow")).runs
    assert (run.pipeline, run.state) == ("hello-build-workspace", "succeeded"), done.ends
    assert b"below" in Dbx(here, "local").workspace.fetch("/Shared/hello/greet")
    (outer / "other/notes.py").write_text("1\n")
    git(outer, "add", "other")
    git(outer, "commit", "-qm", "Other")
    git(outer, "push", "-q", "local", "main")
    with pytest.raises(PipelineError, match="No pipeline ran for"):
        do(here, "follow")


def test_there_is_nothing_to_follow(git_project: Path) -> None:
    with pytest.raises(GitError, match="no remote"):
        do(git_project, "follow")
    git(git_project, "remote", "add", "origin", "https://example.org/somebody/thing.git")
    with pytest.raises(PipelineError, match=r"not known who runs.*remote\.origin\.forge"):
        do(git_project, "follow")


def test_a_remote_of_that_name_is_left_alone(git_project: Path, local: Any) -> None:
    git(git_project, "remote", "add", "local", "/elsewhere")
    with pytest.raises(PipelineError, match="is /elsewhere"):
        do(git_project, "pipeline", action="local")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
