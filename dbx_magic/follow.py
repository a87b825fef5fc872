"""What the pipelines do with a commit, step by step, until they are done."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .dbx import Dbx
from .errors import GitError, PipelineError
from .events import Note, Progress, Work
from .local_remote import NAME, LocalRemote, PipelineRun
from .view import Line, View, duration

_TAIL = 15
_LOOK_SECONDS = 0.2
_TELL_SECONDS = 0.5


@dataclass(frozen=True)
class Followed:
    """The runs of a commit, all over; ``ends`` are the last lines of those that failed."""

    commit: str
    runs: tuple[PipelineRun, ...]
    ends: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        good = all(run.state == "succeeded" for run in self.runs)
        return 0 if good else PipelineError.exit_code

    def view(self) -> View:
        """One line for each run, with its steps."""
        lines: list[Line] = []
        for run, end in zip(self.runs, self.ends, strict=True):
            good = run.state == "succeeded"
            steps = [
                f"{'✗' if step.exit_code else '✓'} {step.name} ({duration(step.seconds)})"
                for step in run.steps
            ]
            name = f"{run.pipeline} #{run.number} of {run.commit[:7]}: {run.state}"
            lines.append(Line(name, "✓" if good else "✗", note=run.reason or " · ".join(steps)))
            lines += [Line(line, indent=1) for line in end.split("\n") if line]
        return lines


def follow(dbx: Dbx, commit: str = "HEAD") -> Work[Followed]:
    """Follow the pipeline runs of a commit, step by step, until all are done.

    Args:
        commit: The commit, branch or tag; without it, the one that is checked out.

    Raises:
        GitError: there is no such commit.
        PipelineError: there is no local remote, or no pipeline ran for it.
    """
    dbx.project.must_exist()
    dbx.repo.must_exist()
    remote = LocalRemote.of(dbx.repo)
    if remote is None:
        raise PipelineError(
            "There is no local remote whose pipelines could be followed.",
            "Add it: `pipeline local`",
        )
    wanted = dbx.repo.run(
        *("rev-parse", "--verify", "-q", "--end-of-options", f"{commit}^{{commit}}"), check=False
    )
    if not wanted:
        raise GitError(f"There is no commit {commit!r}.", "See `history`.")
    begun = told = time.monotonic()
    runs = remote.runs(wanted)
    if not runs and commit == "HEAD":
        # It may have been put on top of others' commits when it was published.
        there = f"refs/remotes/{NAME}/{dbx.repo.branch}"
        published = dbx.repo.run("rev-parse", "--verify", "-q", there, check=False)
        runs = remote.runs(published) if published else []
        wanted = published if runs else wanted
    if not runs:
        raise PipelineError(
            f"No pipeline ran for {wanted[:7]}.",
            "Publish it: `publish`. A pipeline runs only for the files that it is about.",
        )
    while any(not run.is_over for run in runs):
        if time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            for run in runs:
                step = run.steps[-1].name if run.steps else "waits for its turn"
                if not run.is_over:
                    yield Progress(f"{run.pipeline} #{run.number}", step, told - begun)
        time.sleep(_LOOK_SECONDS)
        runs = remote.runs(wanted)
    # Where it was deployed to, for `history`.
    tags = "refs/tags/dbx/*:refs/tags/dbx/*"
    dbx.repo.run("fetch", "--quiet", "--no-tags", NAME, tags, check=False)
    for run in runs:
        if run.state != "succeeded":
            yield Note(f"The log of {run.pipeline} #{run.number} is {remote.log_path(run.number)}")
    ends = tuple("" if run.state == "succeeded" else _end(remote, run) for run in runs)
    return Followed(wanted, tuple(runs), ends)


def _end(remote: LocalRemote, run: PipelineRun) -> str:
    text = remote.log_path(run.number).read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.strip().split("\n")[-_TAIL:])
