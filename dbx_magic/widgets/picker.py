"""The clusters of the workspace, live: filter, pick, start, stop and rebuild them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from dbx_magic.cluster_state import ENDED, READY, state_symbol, state_words
from dbx_magic.clusters import ClusterRow, Clusters
from dbx_magic.errors import DbxError
from dbx_magic.rebuild import Rebuilt
from dbx_magic.show import addressed, markup, view_of
from dbx_magic.view import Line, View, counted

from .parts import above, aligned, allow, button, error_words, offer, panel, row, spoken, wide
from .work import Doing, Live, Place

_SECONDS = 10.0
_SECONDS_IN_BETWEEN = 2.0


class Picker:
    """The panel of the clusters."""

    def __init__(self, place: Place) -> None:
        self.clusters: Clusters | DbxError | None = None
        self._made = ""  # by a rebuild, to be chosen when it is in the list
        self.filter = widgets.Text(
            description="Filter",
            style={"description_width": "initial"},
            placeholder="name, state, runtime, person",
            layout=wide(flex="1 1 12em", max_width="32em"),
        )
        self.list = above(widgets.Select(description="Choose one", layout=wide(height="auto")))
        self.about = widgets.HTML()
        self.told = widgets.HTML()
        self.pick_button = button("Pick", self._pick, "Run cells and notebooks on it")
        self.start_button = button(
            "Start cluster", self._start, "Wait until it runs with its libraries"
        )
        self.stop_button = button("Stop cluster", self._stop, "What it holds in memory is lost")
        self.rebuild_button = button(
            "Rebuild…",
            self._rebuild,
            "Make the project's cluster equal to its spec: shows the plan",
        )
        self.events_button = button("Events", self._tell("events"), "What happened to it")
        self.libraries_button = button("Libraries", self._tell("libraries"), "How far each is")
        self.look_button = button("Refresh", self.look, "Ask the workspace for the states")
        self.doing = Doing(place, self._changed)
        self.box = panel(
            "Clusters",
            row(self.filter, self.look_button),
            self.list,
            self.about,
            row(
                self.pick_button,
                self.start_button,
                self.stop_button,
                self.rebuild_button,
                self.events_button,
                self.libraries_button,
            ),
            self.doing.box,
            self.told,
        )
        self._live = Live(place, self._show, pause=_pause, is_seen=self._is_seen)
        self.ready = self._live.shown
        self._telling = Live(place, self._show_told)
        self.filter.observe(lambda _: self._draw(), "value")
        self.list.observe(lambda _: self._draw_chosen(), "value")
        self.box.observe(lambda _: self.look(), "_view_count")
        self._draw()

    def look(self) -> None:
        """Look at the clusters now."""
        self._live.look("clusters")

    def view(self) -> View:
        """The list, and what goes on."""
        if self.clusters is None:
            return [Line("Looking at the clusters …", "◐")]
        return [*view_of(self.clusters), *self.doing.view()]

    @property
    def chosen(self) -> ClusterRow | None:
        """The cluster that is chosen in the list."""
        return next((item for item in self._rows if item.cluster_id == self.list.value), None)

    def choose(self, cluster_id: str) -> None:
        """Choose a cluster of the list."""
        self.list.value = cluster_id

    @property
    def _rows(self) -> Sequence[ClusterRow]:
        return self.clusters.rows if isinstance(self.clusters, Clusters) else ()

    def _is_seen(self) -> bool:
        return bool(self.box._view_count)  # noqa: SLF001

    def _show(self, found: Clusters | DbxError) -> None:
        self.clusters = found
        self._draw()
        if self._made and any(item.cluster_id == self._made for item in self._rows):
            self.choose(self._made)
            self._made = ""

    # What one can do

    def _pick(self) -> None:
        self._perform("pick")

    def _start(self) -> None:
        self._perform("start")

    def _stop(self) -> None:
        self._perform("stop")

    def _perform(self, verb: str) -> None:
        if self.chosen:
            self.doing.perform(verb, cluster=self.chosen.cluster_id)

    def _rebuild(self) -> None:
        self.doing.propose("rebuild")

    def _changed(self) -> None:
        self._draw_chosen()
        if not self.doing.is_busy:
            if isinstance(self.doing.result, Rebuilt) and not self.doing.result.dry_run:
                self._made = self.doing.result.cluster_id
            self.look()

    def _tell(self, verb: str) -> Any:
        def tell() -> None:
            if self.chosen:
                self.told.value = spoken([Line(f"Reading the {verb} of {self.chosen.name} …", "◐")])
                self._telling.look(verb, cluster=self.chosen.cluster_id)

        return tell

    def _show_told(self, found: Any) -> None:
        self.told.value = markup(addressed(view_of(found), "%dbx"))

    # What it looks like

    def _draw(self) -> None:
        words = self.filter.value.lower().split()
        labels = _labels(self._rows)
        offer(
            self.list,
            [
                (label, item.cluster_id)
                for item, label in zip(self._rows, labels, strict=True)
                if all(word in f"{label} {item.creator}".lower() for word in words)
            ],
        )
        self._draw_chosen()

    def _draw_chosen(self) -> None:
        item, busy = self.chosen, self.doing.is_busy
        self.about.value = self._about(item)
        can_pick = bool(item and not item.picked and not busy)
        allow(self.pick_button, can_pick)
        allow(self.start_button, bool(item and item.state in ENDED and not busy))
        allow(self.stop_button, bool(item and item.state not in ENDED and not busy))
        allow(self.rebuild_button, not busy and not isinstance(self.clusters, DbxError))
        allow(self.events_button, item is not None)
        allow(self.libraries_button, item is not None)
        # One of them is what most people want next: their own cluster as its spec says, else the
        # chosen one.
        first = not busy and not any(one.equal for one in self._rows)
        self.rebuild_button.button_style = "primary" if first else ""
        self.pick_button.button_style = "primary" if can_pick and not first else ""

    def _about(self, item: ClusterRow | None) -> str:
        if isinstance(self.clusters, DbxError):
            return error_words(self.clusters)
        if item:
            return markup([_line(item)])
        if self._rows:
            return markup([Line(f"None of {counted(len(self._rows), 'cluster')} fits the filter.")])
        return markup(addressed(self.view(), "%dbx"))


def _pause(found: Clusters | DbxError) -> float:
    """The next look is soon while a cluster starts or stops."""
    rows = found.rows if isinstance(found, Clusters) else ()
    between = any(item.state not in (*READY, *ENDED) for item in rows)
    return _SECONDS_IN_BETWEEN if between else _SECONDS


def _labels(rows: Sequence[ClusterRow]) -> list[str]:
    names = [item.name for item in rows]
    return aligned(
        [
            (
                f"{state_symbol({'state': item.state})} {item.name}"
                + (f" ({item.cluster_id})" if names.count(item.name) > 1 else ""),
                item.state_words,
                item.runtime,
                item.remarks,
            )
            for item in rows
        ]
    )


def _line(item: ClusterRow) -> Line:
    parts = [
        state_words({"state": item.state}),
        f"runtime {item.runtime}",
        item.size,
        f"made by {item.creator}" if item.creator else "",
        f"stops {item.stops}" if item.stops else "",
        item.remarks,
    ]
    return Line(item.name, state_symbol({"state": item.state}), " · ".join(filter(None, parts)))
