"""What a result looks like, before anybody decides between a terminal and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Symbol = Literal["", "●", "◐", "○", "✓", "✗", "~", "+", "−", "!"]


@dataclass(frozen=True)
class Line:
    """One sentence with its symbol; ``note`` is the less important rest, ``link`` where to look."""

    text: str
    symbol: Symbol = ""
    note: str = ""
    link: str = ""
    indent: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of text; without ``columns`` a card of labels and values."""

    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diff:
    """A unified diff, line by line as ``difflib`` gives it, and what its two sides are called."""

    lines: tuple[str, ...]
    before: str = ""
    after: str = ""


Block = Line | Table | Diff
View = Sequence[Block]


@runtime_checkable
class Viewable(Protocol):
    """A result or event that knows how it is shown."""

    def view(self) -> View:
        """Give the blocks to show, top to bottom."""
        ...


def duration(seconds: float) -> str:
    """Say a time span as people do: ``0.4 s``, ``12 s``, ``3 min 52 s``, ``2 h 5 min``.

    >>> [duration(s) for s in (0.04, 0.44, 12.3, 232, 7500, 200_000)]
    ['0.0 s', '0.4 s', '12 s', '3 min 52 s', '2 h 5 min', '2 d 7 h']
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole, 60, "min", "s")
    if whole < 86400:
        return _two(whole // 60, 60, "h", "min")
    return _two(whole // 3600, 24, "d", "h")


def ago(seconds: float) -> str:
    """Say how long ago something was, in one unit.

    >>> [ago(s) for s in (0.4, 12.3, 232, 7500, 200_000)]
    ['0.4 s ago', '12 s ago', '3 min ago', '2 h ago', '2 d ago']
    """
    return " ".join([*duration(seconds).split(" ")[:2], "ago"])


def _two(number: int, base: int, large: str, small: str) -> str:
    rest = number % base
    return f"{number // base} {large}" + (f" {rest} {small}" if rest else "")


def size(count: int) -> str:
    """Say a number of bytes: ``812 bytes``, ``1.2 KB``, ``34.5 MB``.

    >>> [size(n) for n in (1, 812, 1_234, 34_500_000, 7_000_000_000)]
    ['1 byte', '812 bytes', '1.2 KB', '34.5 MB', '7.0 GB']
    """
    if count < 1000:
        return counted(count, "byte")
    value = float(count)
    for unit in ("KB", "MB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} GB"


def counted(number: int, noun: str) -> str:
    """Put a number before its noun, in the plural where it must be.

    >>> counted(1, "notebook"), counted(3, "notebook"), counted(2, "library")
    ('1 notebook', '3 notebooks', '2 libraries')
    """
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"
    return f"{number:,} {plural}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Name a few and count the rest: ``train, score and 4 more``.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"
