"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from .call import Call
from .errors import invalid

ItemT = TypeVar("ItemT")


def page_of(
    call: Call, items: Sequence[ItemT], *, size: str, usual: int, most: int
) -> tuple[Sequence[ItemT], dict[str, str]]:
    """The page that a client asks for, and the tokens of the next and the previous one.

    ``size`` names the field with the number of items on a page.
    """
    start, length = page_bounds(call, size=size, usual=usual, most=most)
    tokens = {}
    if start + length < len(items):
        tokens["next_page_token"] = str(start + length)
    if start:
        tokens["prev_page_token"] = str(max(0, start - length))
    return items[start : start + length], tokens


def page_bounds(call: Call, *, size: str, usual: int, most: int) -> tuple[int, int]:
    """Where the page begins that a client asks for, and how long it is at most."""
    token = call.text("page_token", "")
    if token and not token.isdecimal():
        raise invalid(f"Invalid page token {token!r}")
    start = int(token) if token else call.whole("offset", 0)
    length = call.whole(size, 0) or usual
    if start < 0 or length < 0:
        raise invalid(f"Fields offset and {size} must not be negative.")
    return start, min(length, most)
