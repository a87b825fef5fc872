"""The door to the local remote: a bare repository here that runs the pipelines of what it gets."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
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
        """The runs of a commit, oldest first; of all branches that it was pushed to."""
        del branch
        found = [self.run(int(path.stem)) for path in self._runs.glob("*.json")]
        return sorted((run for run in found if run.commit == commit), key=lambda run: run.number)

    def log(self, run: PipelineRun, key: str) -> str:
        """What a run said so far; all its steps have one log."""
        del key
        return self.log_path(run.number).read_text(encoding="utf-8", errors="replace")

    def run(self, number: int) -> PipelineRun:
        """One run; one whose process was killed counts as interrupted."""
        content = json.loads((self._runs / f"{number}.json").read_text(encoding="utf-8"))
        content["steps"] = tuple(StepRun(**step) for step in content["steps"])
        run = PipelineRun(**content)
        if not run.is_over and not self._is_held(number):
            # It may have ended between the two looks.
            again = json.loads((self._runs / f"{number}.json").read_text(encoding="utf-8"))
            if again["state"] in ("queued", "running"):
                return PipelineRun(**{**content, "state": "interrupted"})
            return self.run(number)
        return run

    def log_path(self, number: int) -> Path:
        """Where what a run says is written."""
        return self._runs / f"{number}.log"

    def save(self, run: PipelineRun) -> None:
        """Keep a run as it is now."""
        write(self._runs / f"{run.number}.json", json.dumps(asdict(run)))

    def new_run(self, pipeline: str, commit: str, branch: str) -> PipelineRun:
        """Begin a run, with the next number."""
        self._runs.mkdir(exist_ok=True)
        number = 1 + max((int(path.stem) for path in self._runs.glob("*.log")), default=0)
        while True:
            try:
                self.log_path(number).open("xb").close()
            except FileExistsError:
                number += 1
                continue
            run = PipelineRun(number, pipeline, commit, branch)
            self.save(run)
            return run

    @contextlib.contextmanager
    def checkout(self, run: PipelineRun) -> Iterator[Path]:
        """Give the commit of a run in a folder of its own; what killed runs left is removed."""
        for left in self._runs.glob("*.tree"):
            if not self._is_held(int(left.stem)):
                shutil.rmtree(left, ignore_errors=True)
        self.repo.run("worktree", "prune")
        folder = self._runs / f"{run.number}.tree"
        folder.mkdir()
        try:
            tree = folder / "s"
            self.repo.run("worktree", "add", "--quiet", "--detach", str(tree), run.commit)
            yield tree
        finally:
            self.repo.run("worktree", "remove", "--force", str(folder / "s"), check=False)
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def holding(self, number: int) -> Iterator[None]:
        """Show that the process of a run is alive."""
        with (self._runs / f"{number}.held").open("w") as file:
            _wait_for(file)
            yield

    def _is_held(self, number: int) -> bool:
        try:
            with (self._runs / f"{number}.held").open("r+") as file:
                return not _got(file)
        except FileNotFoundError:
            return True  # it was only just begun

    @contextlib.contextmanager
    def turn(self, pipeline: str) -> Iterator[None]:
        """Wait until no other run of this pipeline is under way."""
        with (self._runs / f"{pipeline}.turn").open("w") as file:
            _wait_for(file)
            yield


def _wait_for(file: TextIO) -> None:
    while not _got(file):
        time.sleep(0.1)


def _got(file: TextIO) -> bool:
    try:
        hold(file.fileno())
    except OSError:
        return False
    return True
