"""Panels in a notebook: clusters, push, commit, history and spec, made of the verbs' own plans."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from IPython.display import display

from dbx_magic.dbx import Dbx
from dbx_magic.errors import UsageError
from dbx_magic.show import bundle
from dbx_magic.view import listed

# Imported when one is opened: their names are completed without ipywidgets.
PANELS: Mapping[str, str] = {
    "clusters": "picker.Picker",
    "push": "push_panel.PushPanel",
    "commit": "commit_panel.CommitPanel",
    "history": "history_panel.HistoryPanel",
    "spec": "spec_editor.SpecEditor",
}

_PATIENCE = 5.0  # seconds until the picture is of something

# One of each kind and place: whoever runs the cell again, or in another cell, finds what goes on.
_opened: dict[tuple[str, object], Any] = {}


def panel_of(name: str, dbx: Dbx) -> Any:
    """Open a panel, or find it again, with what was typed into it and what it is doing.

    Raises:
        UsageError: there is no such panel.
    """
    from .work import Place

    if name not in PANELS:
        raise UsageError(f"There is no panel {name!r}.", f"There are: {listed([*PANELS], 9)}.")
    # The target of this moment: a panel goes on with what it was opened for.
    place = Place(dbx.project.root, dbx.project.target.name or None)
    if (name, place) not in _opened:
        module, _, kind = PANELS[name].partition(".")
        _opened[name, place] = getattr(importlib.import_module(f".{module}", __name__), kind)(place)
    panel = _opened[name, place]
    panel.look()
    return panel


def shown(panel: Any) -> dict[str, Any]:
    """Show a picture of the panel, and give what a front end shows instead of it, live.

    The picture is an output of its own: it is there when the widget is not, in saved HTML, on a
    forge, or when the kernel is gone.
    """
    panel.ready.wait(_PATIENCE)
    picture = display(_picture(panel), raw=True, display_id=True)
    panel.doing.picture = lambda: picture.update(_picture(panel), raw=True)
    # Other kinds of text would be shown twice where there are no widgets.
    return {**panel.box._repr_mimebundle_(), "text/plain": ""}


def _picture(panel: Any) -> dict[str, str]:
    from .parts import picture_class

    found = bundle(panel)
    mark = picture_class(panel.box)
    return {**found, "text/html": f'<div class="{mark}">{found["text/html"]}</div>'}
