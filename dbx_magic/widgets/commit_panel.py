"""What a version would hold, its message, and what the pipelines make of it, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from dbx_magic.compare import FileDiff, to_commit
from dbx_magic.errors import DbxError
from dbx_magic.repo import FileChange
from dbx_magic.show import addressed, markup, view_of
from dbx_magic.versions import Committed
from dbx_magic.view import Block, Line, View, counted

from .parts import (
    above,
    allow,
    button,
    error_words,
    offer_changes,
    panel,
    passing,
    row,
    spoken,
    wide,
)
from .work import Doing, Live, Place

_MOST = 50
# The plan is of files alone; what is said of them is said when they are committed.
_NO_MESSAGE = "what changed"


class CommitPanel:
    """The panel of a commit."""

    def __init__(self, place: Place) -> None:
        self.committed: Committed | None = None
        message = widgets.Textarea(
            description="Message",
            placeholder="What changed, in a sentence",
            rows=2,
            layout=wide(height="auto"),
        )
        self.message = passing(above(message))
        self.publish = passing(
            widgets.Checkbox(
                description="Publish, and follow the pipelines", indent=False, layout=wide()
            )
        )
        self.list = passing(above(widgets.Select(layout=wide(height="auto"))))
        self.sides = widgets.HTML()
        self.done = widgets.HTML()
        self.look_button = button("Refresh", self._propose, "See what changed since")
        self.doing = Doing(place, self._draw, apply=("Commit", self._commit), only_title=True)
        self.ready = self.doing.idle
        self.box = panel(
            "Commit",
            row(self.look_button),
            self.list,
            self.sides,
            self.message,
            self.publish,
            self.done,
            self.doing.box,
        )
        self._comparing = Live(place, self._show_sides)
        self.list.observe(lambda _: self._compare(), "value")
        self._draw()

    def look(self) -> None:
        """See what a commit would hold now; what goes on is not disturbed."""
        if not self.doing.is_busy:
            self._propose()

    def view(self) -> View:
        """What would be committed, or what was, and what the pipelines did with it."""
        done = view_of(self.committed) if self.committed else []
        return [*done, *self.doing.view(), *self._file_lines()]

    def _propose(self) -> None:
        self.committed = None
        self.doing.propose("commit", message=_NO_MESSAGE)

    def _commit(self) -> None:
        message = self.message.value.strip()
        if message:
            self.doing.apply(message=message, publish=self.publish.value)
        else:
            self.done.value = spoken([Line("Say in the message what changed", "!")])

    def _draw(self) -> None:
        doing = self.doing
        allow(self.look_button, not doing.is_busy)
        if doing.is_busy:
            return
        if isinstance(doing.result, Committed) and not doing.is_proposal:
            self._has_committed(doing.result)
        changes = [(item.symbol, item.path, "") for item in self._proposed]
        offer_changes(self.list, "Choose one to see what changed in it", changes, first=False)
        self._compare()
        done = view_of(self.committed) if self.committed else []
        self.done.value = spoken(addressed(done, "%dbx"))
        for item in (self.message, self.publish):
            allow(item, bool(self._proposed))

    def _compare(self) -> None:
        """Show what changed in the chosen file, cell by cell or line by line."""
        item = next((one for one in self._proposed if one.path == self.list.value), None)
        self.sides.value = ""
        if item:
            self._comparing.read(lambda dbx: to_commit(dbx, item))

    def _show_sides(self, found: FileDiff | DbxError) -> None:
        if isinstance(found, DbxError):
            self.sides.value = error_words(found)
        elif found.path == self.list.value:
            self.sides.value = markup(found.view())

    def _has_committed(self, committed: Committed) -> None:
        """Keep what was committed, and go on with what the pipelines make of it."""
        self.doing.forget()
        self.committed = committed
        if self.message.value.strip() == committed.message:
            self.message.value = ""
        published = committed.published
        if published and published.commits and not published.review:
            self.doing.perform("follow")

    @property
    def _proposed(self) -> Sequence[FileChange]:
        """The files that would be committed."""
        return self.doing.plan.steps if self.doing.plan and self.doing.is_proposal else ()

    def _file_lines(self) -> list[Block]:
        rest = len(self._proposed) - _MOST
        return [
            *(Line(file.path, file.symbol, indent=1) for file in self._proposed[:_MOST]),
            *([Line(f"and {counted(rest, 'more file')}", indent=1)] if rest > 0 else []),
        ]
