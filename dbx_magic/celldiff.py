"""Two versions of a notebook side by side: the cells that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import islice, zip_longest

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
    return pairs_of(_cells(here, path), _cells(there, path))


def pairs_of(left: Sequence[str], right: Sequence[str]) -> tuple[CellPair, ...]:
    """Put the cells that differ beside each other; ``left`` are those here."""
    pairs: list[CellPair] = []
    for tag, i, i_end, j, j_end in SequenceMatcher(None, left, right, False).get_opcodes():
        if tag != "equal":
            cells = zip_longest(left[i:i_end], right[j:j_end])
            pairs += [CellPair(i + offset + 1, a, b) for offset, (a, b) in enumerate(cells)]
    return tuple(pairs)


def cell_lines(pairs: Iterable[CellPair]) -> Iterator[str]:
    """Show cells that differ as a diff: − as it is there, + as it is here."""
    for pair in pairs:
        yield f"@@ cell {pair.number} @@"
        # One cell is small: where in it the lines are needs no saying.
        yield from islice(lines_between(pair.there or "", pair.here or ""), 1, None)


def lines_between(before: str, after: str) -> Iterator[str]:
    """Show two texts as a diff, without the names of the files."""
    lines = unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=2)
    return islice(lines, 2, None)


def _cells(text: str, path: str) -> Sequence[str]:
    try:
        return [cell.text for cell in parse_source(text, path).cells]
    except ProjectError:
        return [text]
