"""Press, type into and read the panels, as somebody in a notebook does."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from dbx_magic.dbx import Dbx
from dbx_magic.widgets.parts import is_off


def until(condition: Callable[[], object], panel: Any) -> None:
    """Wait until something is so; what the panel shows is told when it never is."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, text(panel)
        time.sleep(0.02)


def settle(panel: Any) -> None:
    """Wait until the panel has nothing under way."""
    until(panel.doing.idle.is_set, panel)


def text(panel: Any) -> str:
    """All that the panel shows at this moment, as HTML and labels."""
    shown = html.unescape("\n".join(_texts(panel.box))).replace("\u00a0", " ")
    return re.sub(r"<style>.*?</style>|\n(?=\n)", "", shown, flags=re.DOTALL)


def _texts(item: Any) -> Iterator[str]:
    if not _is_seen(item):
        return
    for name in ("description", "value"):
        yield str(getattr(item, name, ""))
    yield from map(str, getattr(item, "_options_labels", ()))
    for child in getattr(item, "children", ()):
        yield from _texts(child)


def press(panel: Any, label: str) -> None:
    """Press the button with this label, as it can be seen now."""
    found = [item for item in _buttons(panel.box) if item.description == label]
    assert found, f"no button {label!r} in:\n{text(panel)}"
    assert not is_off(found[0]), f"{label!r} cannot be pressed now"
    found[0].click()


def _is_seen(item: Any) -> bool:
    return not (is_off(item) and "dbx-passing" in item._dom_classes)


def _buttons(item: Any) -> Iterator[Any]:
    if not _is_seen(item):
        return
    if type(item).__name__ == "Button":
        yield item
    for child in getattr(item, "children", ()):
        yield from _buttons(child)


def labels(panel: Any) -> list[str]:
    """The buttons that can be pressed now."""
    return [item.description for item in _buttons(panel.box) if not is_off(item)]


def words(panel: Any) -> str:
    """What the panel shows, without its marks."""
    return re.sub("<[^>]*>", "", text(panel))


def spec_with(dbx: Dbx, **fields: Any) -> None:
    """Write other fields into the project's cluster spec."""
    path = dbx.project.spec_path
    path.write_text(json.dumps(json.loads(path.read_text()) | fields, indent=2))
