"""The usual fields of a cluster spec as controls: how each is shown, and what is said with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ipywidgets as widgets

from dbx_magic.clusters import size_said
from dbx_magic.errors import UsageError
from dbx_magic.library import library_name
from dbx_magic.spec import SIZE

from .parts import above, wide

Spec = Mapping[str, Any]


@dataclass
class Field:
    """One control. ``read`` writes what the spec has as text; ``said`` reads what was typed."""

    names: tuple[str, ...]
    control: Any
    read: Callable[[Spec], str]
    said: Callable[[str, Spec], Spec]
    problem: Any = field(default_factory=widgets.HTML)

    @property
    def box(self) -> Any:
        """The control, what is offered for it, and what is wrong with it."""
        return widgets.VBox([self.control, self.problem], layout=wide(flex="1 1 18em"))


def usual_fields() -> list[Field]:
    """The fields that most specs have."""
    return [
        _text("spark_version", "Runtime", widgets.Combobox, "16.4.x-scala2.12"),
        _text("node_type_id", "Machines", widgets.Combobox, "of the workers"),
        _text("driver_node_type_id", "Driver", widgets.Combobox, "as the workers"),
        Field(
            SIZE,
            _control(widgets.Text, "Workers", "3, or 2-8 for one that scales"),
            _size_text,
            _size_said,
        ),
        Field(
            ("autotermination_minutes",),
            _control(widgets.Text, "Stops after minutes", "without use; 0 is never"),
            lambda spec: str(spec.get("autotermination_minutes", "")),
            lambda text, _: {"autotermination_minutes": _number(text)},
        ),
        Field(
            ("spark_conf",),
            _lines("Spark settings", "spark.sql.shuffle.partitions 8"),
            lambda spec: "\n".join(f"{k} {v}" for k, v in _dict(spec.get("spark_conf")).items()),
            _settings_said,
        ),
        Field(
            ("libraries",),
            _lines("Libraries", "pypi humanize==4.12.1"),
            lambda spec: "\n".join(library_name(item) for item in _libraries(spec)),
            _libraries_said,
        ),
    ]


def _control(kind: Any, label: str, placeholder: str) -> Any:
    return above(kind(description=label, placeholder=placeholder, layout=wide()))


def _lines(label: str, placeholder: str) -> Any:
    made = widgets.Textarea(
        description=label,
        placeholder=f"one a line: {placeholder}",
        rows=3,
        layout=wide(height="auto"),
    )
    return above(made)


def _text(name: str, label: str, kind: Any, placeholder: str) -> Field:
    return Field(
        (name,),
        _control(kind, label, placeholder),
        lambda spec: str(spec.get(name, "")),
        lambda text, _: {name: text.strip() or None},
    )


def _number(text: str) -> Any:
    """A number; what is none is kept as it is, and the check of the spec says so."""
    with contextlib.suppress(ValueError):
        return int(text)
    return text.strip() or None


def _size_text(spec: Spec) -> str:
    scale = _dict(spec.get("autoscale"))
    if scale:
        return f"{scale.get('min_workers')}-{scale.get('max_workers')}"
    return str(spec.get("num_workers", ""))


def _size_said(text: str, _: Spec) -> Spec:
    if not text.strip():
        return dict.fromkeys(SIZE)
    try:
        return {**dict.fromkeys(SIZE), **size_said(text)}
    except UsageError:
        return {**dict.fromkeys(SIZE), "num_workers": text.strip()}


def _settings_said(text: str, _: Spec) -> Spec:
    pairs = (line.strip().partition(" ") for line in text.split("\n") if line.strip())
    return {"spark_conf": {key: value.strip() for key, _, value in pairs} or None}


def _libraries_said(text: str, before: Spec) -> Spec:
    known = {library_name(item): item for item in _libraries(before)}
    names = [line.strip() for line in text.split("\n") if line.strip()]
    if not names:
        return {"libraries": [] if "libraries" in before else None}
    # A library that stays keeps what the line does not say: its repository, what it excludes.
    return {"libraries": [known.get(name) or _library(name) for name in names]}


def _library(name: str) -> Spec:
    kind, _, what = name.partition(" ")
    match kind:
        case "pypi" | "cran":
            return {kind: {"package": what.strip()}}
        case "maven":
            return {kind: {"coordinates": what.strip()}}
    return {kind: what.strip()}


def _libraries(spec: Spec) -> Sequence[Spec]:
    found = spec.get("libraries")
    return (
        [item for item in found if isinstance(item, dict) and item]
        if isinstance(found, list)
        else []
    )


def _dict(value: Any) -> Spec:
    return value if isinstance(value, dict) else {}
