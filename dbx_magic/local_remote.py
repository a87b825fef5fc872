"""The door to the local remote: a bare repository here that runs the pipelines of what it gets."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

from .errors import PipelineError
from .local_process import home
from .pipeline_run import PipelineRun, StepRun
from .project import hold, write
from .repo import Repo

NAME = "local"
_HOOK = """#!/bin/sh
# Run the pipelines of what was pushed. This is dbx_magic's local runner, not Azure Pipelines.
exec {python} -m dbx_magic.runner received {folder}
"""


def looked(branch: str) -> str:
    """Name the mark of the commit of a branch whose pipelines were all begun."""
    return f"refs/dbx/looked/{branch}"


class LocalRemote:
    """A bare repository with a record and a log of each pipeline run."""

    name = "the local runner"
    pause = 0.2
    delay = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = Repo(folder)
        self._runs = folder / "dbx-runs"

    @classmethod
    def of(cls, repo: Repo, remote: str = NAME) -> LocalRemote | None:
        """The local remote that a repository has under this name, if it is one."""
        url = repo.run("remote", "get-url", remote, check=False)
        return cls(Path(url)) if url and (Path(url) / "hooks" / "post-receive").is_file() else None

    @classmethod
    def create(cls, repo: Repo, project: str) -> LocalRemote:
        """Make the local remote of a repository, or bring its hook up to date.

        Raises:
            PipelineError: the repository has a remote of that name which is something else.
        """
        top = repo.run("rev-parse", "--show-toplevel")
        digest = hashlib.sha256(top.encode()).hexdigest()[:8]
        folder = home() / "remotes" / f"{project}-{digest}.git"
        url = repo.run("remote", "get-url", NAME, check=False)
        if url and url != str(folder):
            raise PipelineError(
                f"The remote {NAME!r} of this repository is {url}.",
                f"Rename it: `git remote rename {NAME} …`",
            )
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder)
        branch = repo.branch or "main"
        made.repo.run("init", "--quiet", "--bare", f"--initial-branch={branch}")
        hook = folder / "hooks" / "post-receive"
        quoted = {"python": shlex.quote(sys.executable), "folder": shlex.quote(str(folder))}
        write(hook, _HOOK.format(**quoted))
        hook.chmod(0o755)
        if not url:
            repo.run("remote", "add", NAME, str(folder))
        return made

    def runs(self, commit: str, branch: str = "") -> list[PipelineRun]:
        """The runs of a commit, oldest first; of all branches that it was pushed to.

        One that was killed counts no more when it has begun again.
        """
        del branch
        found = [run for run in self._all() if run.commit == commit]
        last = {(run.pipeline, run.branch): run.number for run in found}
        latest = last.values()
        return [run for run in found if run.state != "interrupted" or run.number in latest]

    def go_on(self, commit: str, branch: str) -> str:
        """Begin what a killed run or hook has left undone of a branch, and say so."""
        if self.repo.commit(looked(branch)) == commit and not self.interrupted(branch):
            return ""
        received = f"{commit} {commit} refs/heads/{branch}\n"
        done = subprocess.run(
            [self.folder / "hooks" / "post-receive"],
            input=received,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return (done.stdout or done.stderr).strip()

    def interrupted(self, branch: str) -> set[str]:
        """The pipelines whose last run of a branch was killed, so that its work is not done."""
        last = {run.pipeline: run for run in self._all() if run.branch == branch}
        return {name for name, run in last.items() if run.state == "interrupted"}

    def _all(self) -> list[PipelineRun]:
        return [
            self.run(number) for number in sorted(int(p.stem) for p in self._runs.glob("*.json"))
        ]

    def log(self, run: PipelineRun, key: str) -> str:
        """What a run said so far; all its steps have one log."""
        del key
        return self.log_path(run.number).read_text(encoding="utf-8", errors="replace")

    def run(self, number: int) -> PipelineRun:
        """One run; one whose process was killed counts as interrupted, and so does its step."""
        run = self._read(number)
        if run.is_over or self._is_held(number):
            return run
        run = self._read(number)  # it may have ended between the two looks
        if run.is_over:
            return run
        steps = (one if one.is_over else replace(one, state="interrupted") for one in run.steps)
        why = "its process was killed; `publish` begins it again"
        return replace(run, state="interrupted", reason=why, steps=tuple(steps))

    def _read(self, number: int) -> PipelineRun:
        content = json.loads((self._runs / f"{number}.json").read_text(encoding="utf-8"))
        content["steps"] = tuple(StepRun(**step) for step in content["steps"])
        return PipelineRun(**content)

    def log_path(self, number: int) -> Path:
        """Where what a run says is written."""
        return self._runs / f"{number}.log"

    def save(self, run: PipelineRun) -> None:
        """Keep a run as it is now."""
        write(self._runs / f"{run.number}.json", json.dumps(asdict(run)))

    def new_run(self, pipeline: str, commit: str, branch: str) -> tuple[PipelineRun, TextIO]:
        """Begin a run, with the next number.

        It is under way for as long as the file is open, here or in a process that it was left to.
        """
        self._runs.mkdir(exist_ok=True)
        number = 1 + max((int(path.stem) for path in self._runs.glob("*.log")), default=0)
        while True:
            try:
                self.log_path(number).open("xb").close()
            except FileExistsError:
                number += 1
                continue
            held = self._held(number).open("w")
            hold(held.fileno())
            run = PipelineRun(number, pipeline, commit, branch)
            self.save(run)
            return run, held

    @contextlib.contextmanager
    def checkout(self, run: PipelineRun) -> Iterator[Path]:
        """Give the commit of a run in a folder of its own; what killed runs left is removed."""
        for left in self._runs.glob("*.tree"):
            if not self._is_held(int(left.stem)):
                shutil.rmtree(left, ignore_errors=True)
        folder = self._runs / f"{run.number}.tree"
        folder.mkdir()
        try:
            tree = folder / "s"
            # Not a work tree of this repository, which would have to be told when it is gone.
            self.repo.run("clone", "--quiet", "--shared", "--no-checkout", ".", str(tree))
            Repo(tree).run("checkout", "--quiet", "--detach", run.commit)
            yield tree
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _held(self, number: int) -> Path:
        return self._runs / f"{number}.held"

    def _is_held(self, number: int) -> bool:
        """Whether the process of a run is alive."""
        try:
            with self._held(number).open("r+") as file:
                return not _got(file)
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def turn(self, pipeline: str) -> Iterator[None]:
        """Wait until no other run of this pipeline is under way."""
        with (self._runs / f"{pipeline}.turn").open("w") as file:
            while not _got(file):
                time.sleep(0.1)
            yield


def _got(file: TextIO) -> bool:
    try:
        hold(file.fileno())
    except OSError:
        return False
    return True
