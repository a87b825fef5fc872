"""What a push would send and remove, conflicts side by side, and Apply."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from dbx_magic.errors import DbxError
from dbx_magic.plan import Change
from dbx_magic.pull import Differences
from dbx_magic.show import markup
from dbx_magic.view import Line, View

from .parts import above, allow, button, error_words, offer_changes, panel, passing, row, wide
from .work import Doing, Live, Place

_SHOWN = 500


class PushPanel:
    """The panel of a push."""

    def __init__(self, place: Place) -> None:
        self.prune = widgets.Checkbox(
            description="Also remove what was never pushed (a backup is kept)",
            indent=False,
            layout=wide(),
        )
        self.list = passing(
            above(widgets.Select(description="What differs", layout=wide(height="auto")))
        )
        self.sides = widgets.HTML()
        self.look_button = button("Refresh", self._propose, "Compare with the workspace")
        self.pull_button = button(
            "Pull…",
            self._pull,
            "Merge here, by cell, what was edited there: shows the plan",
            obvious=True,
        )
        self.overwrite_button = button(
            "Overwrite…", self._overwrite, "Shows a new plan; a backup is kept of what was there"
        )
        self.doing = Doing(
            place,
            self._draw,
            ((self.pull_button, _is_conflict), (self.overwrite_button, _is_conflict)),
            only_title=True,
        )
        self.ready = self.doing.idle
        self.box = panel(
            "Push",
            row(self.look_button, self.prune),
            self.list,
            self.sides,
            self.doing.box,
        )
        self._comparing = Live(place, self._show_sides)
        self.list.observe(lambda _: self._compare(), "value")
        self.prune.observe(lambda _: self._propose(), "value")
        self._draw()

    def look(self) -> None:
        """See what a push would do now."""
        self._propose()

    def view(self) -> View:
        """What would be done, or what was."""
        changes = [
            Line(change.subject, change.symbol, change.reason, indent=1)
            for change in self._changes[:_SHOWN]
        ]
        return [*self.doing.view(), *changes]

    @property
    def _changes(self) -> Sequence[Change]:
        """What the proposed plan does to each object."""
        plan = self.doing.plan if self.doing.is_proposal else None
        return plan.changes if plan else ()

    def _propose(self) -> None:
        self.doing.propose("push", prune=self.prune.value)

    def _pull(self) -> None:
        self.doing.propose("pull")

    def _overwrite(self) -> None:
        self.doing.propose("push", prune=self.prune.value, force=True)

    def _draw(self) -> None:
        allow(self.look_button, not self.doing.is_busy)
        if self.doing.is_busy:
            return
        proposed = self.doing.arguments if self.doing.is_proposal else {}
        if proposed.get("prune", self.prune.value) != self.prune.value:
            self._propose()  # it was asked for while another plan was made
            return
        changes = [(item.symbol, item.subject, item.reason) for item in self._changes]
        offer_changes(self.list, "What differs", changes)
        self._compare()

    def _compare(self) -> None:
        """Put the chosen object's two sides beside each other."""
        path = self.list.value
        if not self._changes or not path:
            self.sides.value = ""
        else:
            self._comparing.look("diff", paths=(path,))

    def _show_sides(self, found: Differences | DbxError) -> None:
        if isinstance(found, DbxError):
            self.sides.value = error_words(found)
        elif self._changes:
            self.sides.value = markup([block for one in found.objects for block in one.view()])


def _is_conflict(doing: Doing) -> bool:
    return doing.verb == "push" and doing.has_conflict
