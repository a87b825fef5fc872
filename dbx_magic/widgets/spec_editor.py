"""The cluster spec: the usual fields as a form, all of it as JSON, beside the live cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets as widgets

from dbx_magic.cluster_state import name_of
from dbx_magic.dbx import Dbx
from dbx_magic.errors import DbxError, ProjectError
from dbx_magic.json_places import Document
from dbx_magic.offered import check_node_types, check_runtime
from dbx_magic.project import SPEC, write
from dbx_magic.rebuild_plan import Seen, plan_rebuild
from dbx_magic.show import addressed, markup
from dbx_magic.spec import PLACEHOLDER, ClusterSpec, Json, parse_spec
from dbx_magic.view import Block, Line, View

from .fields import Field, usual_fields
from .parts import above, allow, button, panel, passing, row, spoken, wide
from .work import Doing, Live, Place

_ROWS = 16


@dataclass(frozen=True)
class Around:
    """What a spec is checked against and compared with; ``trouble`` says why some is missing."""

    name: str = ""
    target: str = ""
    overrides: Json | None = None
    runtimes: tuple[Json, ...] = ()
    node_types: tuple[Json, ...] = ()
    seen: tuple[Seen, ...] = ()
    trouble: str = ""


class SpecEditor:
    """The panel of the cluster spec."""

    def __init__(self, place: Place) -> None:
        self.around = Around()
        self.spec: ClusterSpec | None = None
        self.problem: DbxError | None = None
        self._file = place.folder / SPEC
        self._saved = ""
        self._filling = False
        self.fields = usual_fields()
        self.text = above(
            widgets.Textarea(
                description="All of it, as JSON", rows=_ROWS, layout=wide(height="auto")
            )
        )
        self.text.add_class("dbx-code")
        self.told = widgets.HTML()
        self.beside = widgets.HTML()
        self.save_button = button("Save", self.save, f"Write {SPEC}", obvious=True)
        self.reload_button = button("Reload", self.reload, "Take what the file says now")
        self.overwrite_button = passing(
            button("Overwrite", self._write, "Write over what somebody else wrote meanwhile")
        )
        self.rebuild_button = button(
            "Rebuild…", self._rebuild, "Make the cluster equal to the saved spec: shows the plan"
        )
        self.doing = Doing(place, self._changed)
        self.box = panel(
            f"Cluster spec: {SPEC}",
            row(*(item.box for item in self.fields), align="flex-start"),
            self.text,
            self.told,
            row(self.save_button, self.overwrite_button, self.reload_button, self.rebuild_button),
            self.beside,
            self.doing.box,
        )
        self._looking = Live(place, self._show_around)
        self.ready = self._looking.shown
        for item in self.fields:
            item.control.observe(lambda _, item=item: self._take(item), "value")
        self.text.observe(lambda _: self._draw(), "value")
        self.reload()

    def look(self) -> None:
        """Read the file, unless there are edits to save, and what the workspace offers and has."""
        if not self.is_edited:
            self.reload()
        self._looking.read(_look)

    def view(self) -> View:
        """The spec as it is typed, and what a rebuild would make of it."""
        lines: list[Block] = [Line(line) for line in self.text.value.rstrip("\n").split("\n")]
        return [Line(str(SPEC)), *lines, *(self.doing.view() or self._beside())]

    @property
    def is_edited(self) -> bool:
        """Whether there is something to save."""
        return bool(self.text.value != self._saved)

    # The file

    def reload(self) -> None:
        """Take what the file says now."""
        self._saved = self._on_disk()
        self.text.value = self._saved
        self._draw()

    def save(self) -> None:
        """Write the file, unless somebody else did meanwhile."""
        if self._on_disk() != self._saved:
            self._tell(
                Line(
                    f"{SPEC} was written by somebody else meanwhile, so nothing was saved.",
                    "✗",
                    "Reload takes theirs, Overwrite writes yours.",
                )
            )
            allow(self.overwrite_button, True)
            return
        self._write()

    def _write(self) -> None:
        try:
            before = self._file.read_bytes() if self._file.exists() else b""
            # A browser knows only \n; what ended lines in the file goes on ending them.
            text = self.text.value.replace("\n", "\r\n" if b"\r\n" in before else "\n")
            bom = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
            write(self._file, bom + text.encode())
        except OSError as error:
            self._tell(Line(f"{SPEC} cannot be written: {error.strerror}.", "✗"))
            return
        self._saved = self.text.value
        self._draw()
        self._tell(Line(f"{SPEC} is saved", "✓"))

    def _on_disk(self) -> str:
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return ""
        return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")

    # Form and text

    def _take(self, item: Field) -> None:
        """Write what was typed into the form into the text, and leave the rest as it stands."""
        if self._filling:
            return
        text = self.text.value
        try:
            value = Document(text or "{}", str(SPEC)).value
            for name, said in item.said(item.control.value, value).items():
                text = Document(text or "{}", str(SPEC)).with_field(name, said)
        except ProjectError:
            return  # the text is no JSON at the moment; that is said already
        self.text.value = text

    def _fill(self) -> None:
        """Show in the form what the text says."""
        try:
            value = Document(self.text.value, str(SPEC)).value
        except ProjectError:
            return
        self._filling = True
        try:
            for item in self.fields:
                # What was typed may be another way to say the same.
                before = {name: value.get(name) for name in item.names}
                if dict(item.said(item.control.value, value)) != before:
                    item.control.value = item.read(value)
        finally:
            self._filling = False

    # What it is checked against

    def _show_around(self, found: Any) -> None:
        self.around = (
            found if isinstance(found, Around) else replace(self.around, trouble=str(found))
        )
        runtimes = [str(item["key"]) for item in self.around.runtimes]
        machines = [str(item["node_type_id"]) for item in self.around.node_types]
        for item in self.fields:
            if item.names == ("spark_version",):
                item.control.options = runtimes
            elif item.names[0].endswith("node_type_id"):
                item.control.options = machines
        self._draw()

    def _check(self) -> None:
        self.spec, self.problem = None, None
        around = self.around
        try:
            self.spec = parse_spec(
                self.text.value,
                around.name or PLACEHOLDER,
                where=str(SPEC),
                overrides=around.overrides,
                target=around.target,
            )
            if around.runtimes and self.spec.body.get("spark_version"):
                check_runtime(self.spec, around.runtimes)
            if around.node_types:
                check_node_types(self.spec, around.node_types)
        except DbxError as error:
            self.problem = error

    # What it looks like

    def _changed(self) -> None:
        self._draw()
        if not self.doing.is_busy:
            self._looking.read(_look)

    def _draw(self) -> None:
        self._fill()
        self._check()
        edited = [Line("There are edits to save.", "~")] if self.is_edited else []
        self.told.value = markup(edited)
        wrong = self._field_of(self.problem) if self.problem else None
        for item in self.fields:
            item.problem.value = markup(self._offer(item))
        if self.problem:
            (wrong.problem if wrong else self.told).value = _alert(self.problem)
        allow(self.overwrite_button, False)
        # What the workspace does not offer today may be right for another; it can be saved.
        allow(self.save_button, self.is_edited and self.spec is not None)
        is_ready = not self.is_edited and self.problem is None
        allow(self.rebuild_button, is_ready and not self.doing.is_busy)
        # The verb tells the same, and more, while it has something to say.
        self.beside.value = "" if self.doing.verb else markup(addressed(self._beside(), "%dbx"))

    def _field_of(self, problem: DbxError) -> Field | None:
        """The control of the form that a problem is about."""
        named = re.search(r'"([a-z_]+)', problem.message)
        for item in self.fields:
            places = [self.spec.place(name) for name in item.names] if self.spec else []
            if named and named[1] in item.names:
                return item
            if any(problem.message.startswith(f"{place}:") for place in places):
                return item
        return None

    def _tell(self, line: Line) -> None:
        self.told.value = spoken([line])

    def _offer(self, item: Field) -> list[Block]:
        """What the workspace says about what was chosen."""
        value = item.control.value
        for one in self.around.runtimes:
            if item.names == ("spark_version",) and one["key"] == value:
                return [Line("", note=str(one.get("name", "")))]
        for one in self.around.node_types:
            if item.names[0].endswith("node_type_id") and one["node_type_id"] == value:
                cores, memory = one.get("num_cores", 0), one.get("memory_mb", 0)
                return [Line("", note=f"{cores:.0f} cores, {memory / 1024:.0f} GB")]
        return []

    def _beside(self) -> list[Block]:
        """What a rebuild would do to the live cluster."""
        if self.around.trouble:
            return [Line(self.around.trouble, "!")]
        if self.spec is None or not self.around.name:
            return []
        plan = plan_rebuild(self.spec, self.around.seen, tags={})
        return list(replace(plan, apply="").view())

    def _rebuild(self) -> None:
        self.doing.propose("rebuild")


def _alert(problem: DbxError) -> str:
    line = Line(problem.message, "✗", problem.hint)
    return f'<div role="alert">{markup([line])}</div>'


def _look(dbx: Dbx) -> Around:
    """Ask what the workspace offers, and what the project's cluster is."""
    target = dbx.project.target
    around = Around(target.cluster, target.name, target.spec)
    try:
        named = [item for item in dbx.workspace.clusters() if name_of(item) == target.cluster]
        ids = [str(item["cluster_id"]) for item in named]
        return replace(
            around,
            runtimes=tuple(dbx.workspace.spark_versions()),
            node_types=tuple(dbx.workspace.node_types()),
            seen=tuple(
                Seen(dbx.workspace.cluster(item), tuple(dbx.workspace.libraries(item)))
                for item in ids
            ),
        )
    except DbxError as error:
        return replace(around, trouble=str(error))
