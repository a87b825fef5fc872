"""Two versions of a notebook beside each other: the cells that differ, and what is equal folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import groupby, islice

from .errors import ProjectError
from .merge import align, says
from .notebook import Cell
from .source import parse_source
from .view import counted


@dataclass(frozen=True)
class CellPair:
    """A cell in both versions; ``None`` where a side has no such cell.

    ``number`` is the one it has here, from 1, or there for a cell that is only there.
    """

    number: int
    here: Cell | None
    there: Cell | None

    @property
    def is_equal(self) -> bool:
        """Whether nobody edited it."""
        return says(self.here) == says(self.there) if self.here and self.there else False

    @property
    def name(self) -> str:
        """What it is called above its lines."""
        cell: Cell = self.here or self.there  # type: ignore[assignment]
        name = f"cell {self.number}" if cell.kind == "code" else f"{cell.kind} cell {self.number}"
        if cell.title and cell.show_title:
            name += f" “{cell.title}”"
        if not self.there:
            return f"{name}, new"
        if not self.here:
            return f"{name}, removed"
        return name if self.here.kind == self.there.kind else f"{name}, was {self.there.kind}"

    @property
    def texts(self) -> tuple[str, str]:
        """What is compared, here and there; a title that was edited is a line of its own."""
        here, there = (cell.text if cell else "" for cell in (self.here, self.there))
        if self.here and self.there and _title(self.here) != _title(self.there):
            return _title(self.here) + here, _title(self.there) + there
        return here, there


def _title(cell: Cell) -> str:
    return f"title: {cell.title}{'' if cell.show_title else ', hidden'}\n" if cell.title else ""


def cells_of(source: str, path: str) -> Sequence[Cell]:
    """The cells of a source notebook; text that is none is one cell."""
    try:
        return parse_source(source, path).cells
    except ProjectError:
        return [Cell("code", source)]


def cell_pairs(here: Sequence[Cell], there: Sequence[Cell]) -> Iterator[CellPair]:
    """Put all cells beside each other, an edited one beside what it was."""
    done = 0
    for number, index in enumerate(align(there, here)):
        if index is None:
            yield CellPair(number + 1, None, there[number])
            continue
        yield from (CellPair(new + 1, here[new], None) for new in range(done, index))
        yield CellPair(index + 1, here[index], there[number])
        done = index + 1
    yield from (CellPair(new + 1, here[new], None) for new in range(done, len(here)))


def cell_lines(here: Sequence[Cell], there: Sequence[Cell]) -> Iterator[str]:
    """Show what differs as a diff: − as it is there, + as it is here."""
    for is_equal, pairs in groupby(cell_pairs(here, there), lambda pair: pair.is_equal):
        if is_equal:
            yield f"@@ {counted(sum(1 for _ in pairs), 'equal cell')} @@"
            continue
        for pair in pairs:
            yield f"@@ {pair.name} @@"
            before, after = pair.texts[1], pair.texts[0]
            # One cell is small: where in it the lines are needs no saying.
            yield from islice(lines_between(before, after), 1, None)


def lines_between(before: str, after: str) -> Iterator[str]:
    """Show two texts as a diff, without the names of the files."""
    old, new = (text.split("\n") if text else [] for text in (before, after))
    return islice(unified_diff(old, new, lineterm="", n=2), 2, None)
