"""A run of a pipeline, the same for every forge and for the local runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal[
    "queued",
    "running",
    "succeeded",
    "failed",
    "canceled",
    "skipped",
    # Ours was stopped, because the run of a later commit took its place.
    "superseded",
    # The process of the local runner was killed.
    "interrupted",
]


@dataclass(frozen=True)
class StepRun:
    """One step of a run, done or under way; ``log`` is the key of what it says, once it can be."""

    name: str
    stage: str
    state: State = "running"
    seconds: float = 0.0
    log: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True)
class PipelineRun:
    """One run of a pipeline; ``reason`` says why it failed where no step did."""

    number: int
    pipeline: str
    commit: str
    branch: str
    state: State = "queued"
    reason: str = ""
    steps: tuple[StepRun, ...] = ()
    link: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in ("queued", "running")

    @property
    def title(self) -> str:
        """What it is called in one line."""
        return f"{self.pipeline} #{self.number}"


@dataclass(frozen=True)
class PullRequest:
    """An open request to take one branch into another, under the name that its forge has for it."""

    name: str
    link: str


class Forge(Protocol):
    """Who runs the pipelines of what is published: a git host, or the local runner.

    ``pause`` are the seconds between two looks at it; ``delay`` are those that may go by before the
    runs of what was just published are there.
    """

    pause: float
    delay: float

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def runs(self, commit: str, branch: str) -> list[PipelineRun]:
        """The runs of a commit that was pushed to a branch, oldest first."""
        ...

    def log(self, run: PipelineRun, key: str) -> str:
        """What the steps with this log said so far."""
        ...


class GitHost(Forge, Protocol):
    """A forge that keeps the repository itself."""

    def complaints(self, texts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
        """What it would say against pipeline files, of those that it can be asked about.

        ``texts`` and what it gives are by path; ``names`` are the pipelines of some of these.
        """
        ...

    def pull_request(self, source: str, target: str) -> PullRequest | None:
        """The open request to take one branch into another."""
        ...

    def open_pull_request(self, source: str, target: str, title: str, text: str) -> PullRequest:
        """Open one.

        Raises:
            PipelineError: the forge refuses (``RefusedError``), or cannot be reached.
        """
        ...
