"""The versions there were, what changed since each, and the way back to one."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from dbx_magic.errors import DbxError
from dbx_magic.history import History, Version
from dbx_magic.show import addressed, markup, view_of
from dbx_magic.view import Line, View, duration

from .parts import above, aligned, allow, button, error_words, offer, panel, row, spoken, wide
from .work import Doing, Live, Place

_ROWS = 50


class HistoryPanel:
    """The panel of the versions."""

    def __init__(self, place: Place) -> None:
        self.history: History | DbxError | None = None
        self.of = widgets.Text(
            description="Only of",
            style={"description_width": "initial"},
            placeholder="a notebook, a file, or cluster",
            continuous_update=False,
            layout=wide(flex="1 1 12em", max_width="32em"),
        )
        self.list = above(widgets.Select(description="Choose one", layout=wide(height="auto")))
        self.about = widgets.HTML()
        self.told = widgets.HTML()
        self.publish = widgets.Checkbox(description="Publish it", indent=False, layout=wide())
        self.look_button = button("Refresh", self.look, "Read the history again")
        self.compare_button = button(
            "Compare", self._compare, "What is otherwise in the newest version"
        )
        self.back_button = button(
            "Go back…", self._go_back, "Make it the newest version again: shows the plan"
        )
        self.doing = Doing(place, self._changed)
        self.box = panel(
            "Versions",
            row(self.of, self.look_button),
            self.list,
            self.about,
            row(self.compare_button, self.back_button, self.publish),
            self.doing.box,
            self.told,
        )
        self._reading = Live(place, self._show)
        self.ready = self._reading.shown
        self._comparing = Live(place, self._show_told)
        self.of.observe(lambda _: self.look(), "value")
        self.list.observe(lambda _: self._draw_chosen(), "value")
        self._draw_chosen()

    def look(self) -> None:
        """Read the history now."""
        self._reading.look("history", name=self.of.value.strip(), rows=_ROWS)

    def view(self) -> View:
        """The versions, and what goes on."""
        if self.history is None:
            return [Line("Reading the history …", "◐")]
        return [*view_of(self.history), *self.doing.view()]

    @property
    def chosen(self) -> Version | None:
        """The version that is chosen in the list."""
        return next((item for item in self._versions if item.commit == self.list.value), None)

    def choose(self, commit: str) -> None:
        """Choose a version of the list."""
        self.list.value = commit

    @property
    def _versions(self) -> tuple[Version, ...]:
        return self.history.versions if isinstance(self.history, History) else ()

    def _show(self, found: History | DbxError) -> None:
        self.history = found
        labels = aligned(
            [
                (
                    item.commit[:7],
                    f"{duration(item.ago // 60 * 60 if item.ago > 60 else item.ago)} ago",
                    item.message,
                    ", ".join(item.where) or "only here",
                )
                for item in self._versions
            ]
        )
        offer(
            self.list,
            [(label, item.commit) for label, item in zip(labels, self._versions, strict=True)],
        )
        self._draw_chosen()

    def _changed(self) -> None:
        self._draw_chosen()
        if not self.doing.is_busy:
            self.look()

    def _compare(self) -> None:
        if self.chosen:
            self.told.value = spoken([Line("Comparing …", "◐")])
            self._comparing.look("compare", version=self.chosen.commit)

    def _go_back(self) -> None:
        if self.chosen:
            self.told.value = ""
            self.doing.propose("rollback", version=self.chosen.commit, publish=self.publish.value)

    def _show_told(self, found: Any) -> None:
        self.told.value = markup(addressed(view_of(found), "%dbx"))

    def _draw_chosen(self) -> None:
        item = self.chosen
        if isinstance(self.history, DbxError):
            self.about.value = error_words(self.history)
        elif item:
            parts = [item.who, item.summary, ", ".join(item.where) or "only here"]
            self.about.value = markup(
                [Line(f"{item.commit[:7]}  {item.message}", note=" · ".join(filter(None, parts)))]
            )
        else:
            self.about.value = markup(view_of(self.history)) if self.history else ""
        newest = bool(item and self._versions and item is self._versions[0])
        can_compare = item is not None and not newest
        allow(self.back_button, can_compare and not self.doing.is_busy)
        allow(self.compare_button, can_compare)
        self.publish.disabled = self.doing.is_busy
