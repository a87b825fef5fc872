"""What a changing verb is going to do, shown before it is done."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from .errors import ConflictError
from .view import Block, Diff, Line, View

StepT = TypeVar("StepT")


@dataclass(frozen=True)
class Change:
    """One difference as people see it: what, from what to what, and why.

    ``lines`` are the diff of a conflict: − as in the workspace, + as in the project.
    """

    symbol: Literal["+", "~", "−", "!"]
    subject: str
    before: str = ""
    after: str = ""
    reason: str = ""
    lines: tuple[str, ...] = ()

    def view(self) -> View:
        """One line, and the diff if there is one."""
        blocks: list[Block] = [Line(_sentence(self), self.symbol, note=self.reason, indent=1)]
        diff = Diff(self.lines, "in the workspace", "in the project")
        return [*blocks, diff] if self.lines else blocks


@dataclass(frozen=True)
class Plan(Generic[StepT]):
    """The steps a verb will take and the changes they amount to.

    ``steps`` are frozen dataclasses of the verb's own; ``changes`` and ``title`` are for people;
    ``apply`` is the call that carries the plan out.
    """

    title: str
    steps: tuple[StepT, ...]
    changes: tuple[Change, ...] = ()
    apply: str = ""

    @property
    def fingerprint(self) -> str:
        """A short hash of the steps: equal plans do equal things."""
        return hashlib.sha256(repr(self.steps).encode()).hexdigest()[:16]

    def must_be(self, expect: str) -> None:
        """Refuse to go on when the plan is not the one that was shown and agreed to.

        Raises:
            ConflictError: ``expect`` is given and differs from the fingerprint.
        """
        if expect and expect != self.fingerprint:
            raise ConflictError(
                "Something changed since this plan was shown, so nothing was done.",
                "Look at the new plan and apply that.",
            )

    def view(self) -> View:
        """The title, then each change."""
        return [
            Line(self.title),
            *(block for change in self.changes for block in change.view()),
            *([Line(f"Apply: `{self.apply}`")] if self.apply and self.steps else []),
        ]


def _sentence(change: Change) -> str:
    if change.before and change.after:
        return f"{change.subject}   {change.before} → {change.after}"
    value = change.before or change.after
    return f"{change.subject}   {value}" if value else change.subject
