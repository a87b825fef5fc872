"""Two versions of a notebook side by side: the cells that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from .errors import ProjectError
from .source import parse_source


@dataclass(frozen=True)
class CellPair:
    """A cell in both versions: its number here, from 1; ``None`` where a side has no such cell."""

    number: int
    here: str | None
    there: str | None

    @property
    def first_lines(self) -> tuple[str, str]:
        """The first line that differs, of each version."""
        pairs = zip_longest((self.here or "").split("\n"), (self.there or "").split("\n"))
        here, there = next(((a, b) for a, b in pairs if a != b), ("", ""))
        return (here or "").strip(), (there or "").strip()


def cell_pairs(here: str, there: str, path: str) -> tuple[CellPair, ...]:
    """Put the cells that differ beside each other; text that is no notebook is one cell."""
    left, right = _cells(here, path), _cells(there, path)
    pairs: list[CellPair] = []
    for tag, i, i_end, j, j_end in SequenceMatcher(None, left, right, False).get_opcodes():
        if tag != "equal":
            cells = zip_longest(left[i:i_end], right[j:j_end])
            pairs += [CellPair(i + offset + 1, a, b) for offset, (a, b) in enumerate(cells)]
    return tuple(pairs)


def _cells(text: str, path: str) -> Sequence[str]:
    try:
        return [cell.text for cell in parse_source(text, path).cells]
    except ProjectError:
        return [text]
