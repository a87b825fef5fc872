"""What a version would hold, its message, and what the pipelines make of it, step by step."""

from __future__ import annotations

import ipywidgets as widgets

from dbx_magic.show import addressed, markup, view_of
from dbx_magic.versions import Committed
from dbx_magic.view import Block, Line, View, counted

from .parts import above, button, panel, row, wide
from .work import Doing, Place

_MOST = 50
# The plan is of files alone; what is said of them is said when they are committed.
_NO_MESSAGE = "what changed"


class CommitPanel:
    """The panel of a commit."""

    def __init__(self, place: Place) -> None:
        self.committed: Committed | None = None
        self.message = above(
            widgets.Textarea(
                description="Message",
                placeholder="What changed, in a sentence",
                rows=2,
                layout=wide(height="auto"),
            )
        )
        self.publish = widgets.Checkbox(
            description="Publish, and follow the pipelines", indent=False, layout=wide()
        )
        self.files = widgets.HTML()
        self.done = widgets.HTML()
        self.look_button = button("Refresh", self._propose, "See what changed since")
        self.doing = Doing(place, self._draw, apply=("Commit", self._commit), only_title=True)
        self.ready = self.doing.idle
        self.box = panel(
            "Commit",
            row(self.look_button),
            self.files,
            self.message,
            self.publish,
            self.done,
            self.doing.box,
        )
        self.message.observe(lambda _: self._draw(), "value")
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
        self.doing.apply(message=self.message.value.strip(), publish=self.publish.value)

    def _draw(self) -> None:
        doing = self.doing
        if not doing.is_busy and isinstance(doing.result, Committed) and not doing.is_proposal:
            self._has_committed(doing.result)
        self.files.value = markup(self._file_lines())
        done = view_of(self.committed) if self.committed else []
        self.done.value = markup(addressed(done, "%dbx"))
        proposal = doing.is_proposal and bool(doing.plan and doing.plan.steps)
        doing.apply_button.disabled = not self.message.value.strip()
        doing.apply_button.tooltip = (
            "Say what changed first" if doing.apply_button.disabled else "Commit these files"
        )
        self.look_button.disabled = doing.is_busy
        for item in (self.message, self.publish):
            item.layout.display = "" if proposal or doing.is_busy else "none"
            item.disabled = doing.is_busy

    def _has_committed(self, committed: Committed) -> None:
        """Keep what was committed, and go on with what the pipelines make of it."""
        self.doing.forget()  # first: an empty message draws again
        self.committed = committed
        self.message.value = ""
        published = committed.published
        if published and published.commits and not published.review:
            self.doing.perform("follow")

    def _file_lines(self) -> list[Block]:
        found = self.doing.result if self.doing.is_proposal else None
        if not isinstance(found, Committed):
            return []
        rest = len(found.files) - _MOST
        return [
            *(Line(file.path, file.symbol, indent=1) for file in found.files[:_MOST]),
            *([Line(f"and {counted(rest, 'more file')}", indent=1)] if rest > 0 else []),
        ]
