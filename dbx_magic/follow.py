"""What the pipelines do with a commit, step by step, until they are done."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from .crew import TICK, Crew
from .dbx import Dbx
from .errors import GitError, PipelineError
from .events import Note, Progress, Shown, Work
from .forge import open_forge
from .output import Stream
from .pipeline_run import Forge, PipelineRun, State, StepRun
from .publishing import Destination, destination, missing
from .repo import Repo
from .review import waiting_branch
from .settings import LOCAL
from .view import Line, Symbol, View, duration

T = TypeVar("T")
_TAIL = 15
_SYMBOLS: dict[State, Symbol] = {
    "queued": "○",
    "running": "◐",
    "succeeded": "✓",
    "skipped": "○",
    "failed": "✗",
}


@dataclass(frozen=True)
class Followed:
    """The runs of a commit, all over; ``ends`` are the last lines of those that failed."""

    commit: str
    runs: tuple[PipelineRun, ...]
    ends: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        good = all(run.state in ("succeeded", "skipped") for run in self.runs)
        return 0 if good else PipelineError.exit_code

    def view(self) -> View:
        """One line for each run, with its steps."""
        lines: list[Line] = []
        for run, end in zip(self.runs, self.ends, strict=True):
            steps = " · ".join(_step_words(step) for step in run.steps if _is_worth_telling(step))
            name = f"{run.title} of {run.commit[:7]}: {run.state}"
            symbol = _SYMBOLS.get(run.state, "!")
            lines.append(Line(name, symbol, note=run.reason or steps, link=run.link))
            lines += [Line(line, indent=1) for line in end.split("\n") if line]
        return lines


def follow(dbx: Dbx, commit: str = "HEAD", *, logs: bool = False) -> Work[Followed]:
    """Follow the pipeline runs of a commit, step by step, until all are done.

    What they have deployed is marked at the remote by a tag, `dbx/TARGET/N`, for `history`.

    Args:
        commit: The commit, branch or tag; without it, the one that is checked out.
        logs: Show all that the steps say, not only the end of those that fail.

    Raises:
        GitError: there is no such commit, or no remote.
        PipelineError: no pipeline ran for it, or nothing can be learned of those at its remote.
    """
    dbx.project.must_exist()
    dbx.repo.must_exist()
    to = destination(dbx.repo, dbx.repo.branch or "")
    forge = open_forge(dbx.repo, to.remote)
    wanted, is_there = _published(dbx.repo, commit, to)
    absent = None
    if not is_there:
        waiting = waiting_branch(dbx.repo, wanted, to.remote)
        absent = _absent(wanted, to, waiting)
        to = Destination(to.remote, waiting or to.branch)
    targets = tuple(name for name in dbx.project.settings.targets if name != LOCAL)
    with Crew() as crew:
        following = _Following(dbx.repo, forge, to, crew, targets)
        return (yield from following.all(wanted, absent, logs=logs))


def _published(repo: Repo, name: str, to: Destination) -> tuple[str, bool]:
    """The commit as it is at the remote, and whether it is known to be there."""
    commit = repo.must_have(name)
    tip = repo.commit(f"refs/remotes/{to}")
    if tip is None or missing(repo, commit, tip):
        return commit, False
    # It was put on top of others' commits when it was published, and has another name there.
    renamed = repo.run("rev-list", "--count", f"{tip}..{commit}") != "0"
    return (tip if renamed and name == "HEAD" else commit), True


def _absent(commit: str, to: Destination, waiting: str) -> PipelineError:
    """What to say when no pipeline runs for a commit that is not at its destination."""
    if waiting:
        return PipelineError(
            f"{commit[:7]} waits in {waiting} to get into {to}, and no pipeline ran for it so far.",
            "The pipelines that deploy run when its pull request is merged: then `git pull` and "
            "`follow`.",
        )
    return PipelineError(
        f"{commit[:7]} is not at {to} yet, so no pipeline runs for it.", "Publish it: `publish`"
    )


class _Following:
    """One look after the other, and what was told already."""

    def __init__(
        self, repo: Repo, forge: Forge, to: Destination, crew: Crew, targets: tuple[str, ...]
    ) -> None:
        self._repo, self._forge, self._to, self._crew = repo, forge, to, crew
        self._targets = targets
        self._begun = time.monotonic()
        self._steps: Counter[tuple[int, str, str]] = Counter()
        self._said: dict[tuple[int, str], int] = {}

    def all(self, commit: str, absent: PipelineError | None, *, logs: bool) -> Work[Followed]:
        runs = yield from self._first_look(commit, absent)
        while True:
            for run in runs:
                yield from self._told(run)
                if logs:
                    yield from self._logs(run)
            if all(run.is_over for run in runs):
                break
            yield from self._pause(runs)
            runs = yield from self._look(commit)
        yield from self._mark(runs)
        ends: tuple[str, ...] = ()
        for run in runs:
            ends = (*ends, (yield from self._end(run)))
        return Followed(commit, tuple(runs), ends)

    def _mark(self, runs: list[PipelineRun]) -> Work[None]:
        """Get the marks of what was deployed, and set those that are missing.

        The local runner sets its own. A pipeline at a forge may only read the repository.
        """
        remote, tags = self._to.remote, "refs/tags/dbx/*:refs/tags/dbx/*"
        fetch = ("fetch", "--quiet", "--no-tags", remote, tags)
        yield from self._waiting(partial(self._repo.run, *fetch, check=False))
        for run in runs:
            for target in self._targets:
                if not _deploys(run, target):
                    continue
                words = f"Deployed to {target} by {run.title}"
                tag = self._repo.mark_deployed(run.commit, target, words)
                if not tag:
                    continue
                push = ("push", "--quiet", "--no-verify", remote, f"refs/tags/{tag}")
                try:
                    yield from self._waiting(partial(self._repo.run, *push))
                except GitError as error:
                    self._repo.run("tag", "-d", tag)
                    yield Note(f"The tag {tag} was not taken at {remote}: {error.message}", "!")

    def _first_look(self, commit: str, absent: PipelineError | None) -> Work[list[PipelineRun]]:
        while True:
            runs = yield from self._look(commit)
            if runs:
                return runs
            if absent or time.monotonic() - self._begun > self._forge.delay:
                break
            yield from self._pause([])
        raise absent or PipelineError(
            f"No pipeline ran for {commit[:7]} at {self._forge.name}.",
            "A pipeline runs only for the files that it is about.",
        )

    def _look(self, commit: str) -> Work[list[PipelineRun]]:
        return (yield from self._waiting(partial(self._forge.runs, commit, self._to.branch)))

    def _waiting(self, work: partial[T]) -> Work[T]:
        future = self._crew.start(work)
        waiting = self._crew.wait(future)
        while True:
            try:
                next(waiting)
            except StopIteration as end:
                result: T = end.value
                return result
            yield Progress(self._forge.name, "answers slowly", time.monotonic() - self._begun)

    def _pause(self, runs: list[PipelineRun]) -> Work[None]:
        # Often at first: most that goes wrong does so at once.
        now = time.monotonic()
        until = now + min(self._forge.pause, max(0.5, (now - self._begun) / 10))
        yield from self._progress(runs)
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(TICK, left))
            yield from self._progress(runs)

    def _progress(self, runs: list[PipelineRun]) -> Iterator[Progress]:
        elapsed = time.monotonic() - self._begun
        if not runs:
            yield Progress(self._forge.name, "waiting for a pipeline to begin", elapsed)
        for run in runs:
            if not run.is_over:
                yield Progress(run.title, run.reason or _now(run), elapsed, link=run.link)

    def _told(self, run: PipelineRun) -> Iterator[Note]:
        """Tell each step once, when it is over."""
        met: Counter[tuple[int, str, str]] = Counter()
        for step in run.steps:
            key = (run.number, step.stage, step.name)
            met[key] += 1
            if step.is_over and met[key] > self._steps[key]:
                self._steps[key] += 1
                if not _is_worth_telling(step):
                    continue
                stage = f"{step.stage}: " if step.stage else ""
                words = f"{run.title} · {stage}{step.name}   {duration(step.seconds)}"
                yield Note(words, _SYMBOLS.get(step.state, "!"))

    def _logs(self, run: PipelineRun) -> Work[None]:
        """Show what was not shown yet; what is over is read once more and never again."""
        keys = dict.fromkeys(step.log for step in run.steps if step.log)
        for key in keys:
            part = (run.number, key)
            seen = self._said.get(part, 0)
            if seen < 0:
                continue
            text = yield from self._waiting(partial(self._forge.log, run, key))
            # Whole lines only: the rest of one comes with the next look.
            end = len(text) if run.is_over else text.rfind("\n") + 1
            if end > seen:
                yield Shown(Stream("stdout", text[seen:end]))
            # A log that all steps share goes on with the next of them.
            own = [step.is_over for step in run.steps if step.log == key] if len(keys) > 1 else []
            is_over = run.is_over or (own and all(own))
            self._said[part] = -1 if is_over else max(seen, end)

    def _end(self, run: PipelineRun) -> Work[str]:
        """The last lines of the step that failed."""
        failed = [step for step in run.steps if step.state == "failed" and step.log]
        logs = [step.log for step in run.steps if step.log]
        if run.state in ("succeeded", "skipped", "superseded") or not logs:
            return ""
        key = failed[-1].log if failed else logs[-1]
        text = yield from self._waiting(partial(self._forge.log, run, key))
        return "\n".join(text.strip().split("\n")[-_TAIL:])


def _deploys(run: PipelineRun, target: str) -> bool:
    """Whether a run has deployed to a target, by the names that our pipelines give their parts."""
    if run.state == "interrupted":
        return False  # the steps that never began are in no record
    stages = {re.sub(r"\W", "_", target), f"Push to {target}", f"Cluster on {target}"}
    jobs = {f"sync-workspace:{target}", f"create-cluster:{target}"}
    states = {step.state for step in run.steps if step.stage in stages or step.name in jobs}
    return "succeeded" in states and states <= {"succeeded", "skipped"}


def _now(run: PipelineRun) -> str:
    if run.state == "queued":
        return "waits for its turn"
    under_way = [step.name for step in run.steps if step.state == "running"]
    return under_way[0] if under_way else "begins" if not run.steps else "goes on"


def _is_worth_telling(step: StepRun) -> bool:
    """Whether anybody waited for it, or has to know of it."""
    return step.state != "skipped" and (step.state != "succeeded" or step.seconds > 0)


def _step_words(step: StepRun) -> str:
    return f"{_SYMBOLS.get(step.state, '!')} {step.name} ({duration(step.seconds)})"
