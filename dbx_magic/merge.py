"""Pull by cell: edits made here and edits made in the workspace end up in one notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from .bridge import CONFLICT_MARK, come_home, to_workspace
from .notebook import Cell, Language, Notebook
from .source import parse_source, render_source

# Databricks changes these from one export to the next: a difference is nobody's edit.
_DIALECT = ("bom", "newline", "blank", "end")
# So much of their words two cells share when one is taken for an edited version of the other.
_ALIKE = 0.25


@dataclass(frozen=True)
class Conflict:
    """A cell edited on both sides: its number, from 1, and both texts (``None``: deleted)."""

    cell: int
    here: str | None
    there: str | None


@dataclass(frozen=True)
class Merged:
    """The notebook with both sides' edits; a conflict stands in it with both its versions."""

    notebook: Notebook
    conflicts: tuple[Conflict, ...]


def merge(base: Notebook | None, local: Notebook, remote: Notebook, path: str = "") -> Merged:
    """Bring the edits of the workspace into a local notebook.

    ``base`` is what both were when they were last equal, ``None`` if nobody knows. A cell that was
    not edited in the workspace stays what it is: id, tags, outputs, attachments and all.

    Raises:
        ConflictError: the local notebook still has a conflict of an earlier merge.
    """
    crossing = to_workspace(local, path)
    # Both sides are compared as the workspace has them.
    source = render_source(crossing.notebook)
    here = parse_source(source, path, local.language)
    there = remote.cells
    olds: Sequence[Cell | None]
    if base is None:
        base = here
        pairs = [(i, j) for i, j in enumerate(align(here.cells, there)) if j is not None]
        olds = [here.cells[i] if says(here.cells[i]) == says(there[j]) else None for i, j in pairs]
        of_here: list[int | None] = [i for i, _ in pairs]
        of_there: list[int | None] = [j for _, j in pairs]
    else:
        olds = base.cells
        of_here, of_there = align(olds, here.cells), align(olds, there)
    language = remote.language if remote.language != base.language else local.language
    origins = crossing.origins
    added_here = _added([None if i is None else origins[i] for i in of_here], len(local.cells))
    added_there = _added(of_there, len(there))
    crossed = dict(zip(origins, here.cells, strict=True))
    result = _Result(language)
    for number, old in enumerate([*olds, None]):
        mine = [local.cells[index] for index in added_here[number]]
        known = [says(crossed[index]) for index in added_here[number] if index in crossed]
        result.cells += mine
        for index in added_there[number]:
            if (said := says(there[index])) in known:
                known.remove(said)
            else:
                result.cells.append(there[index])
        if number < len(olds):
            i, j = of_here[number], of_there[number]
            result.settle(
                old,
                None if i is None else (local.cells[origins[i]], here.cells[i]),
                None if j is None else there[j],
            )
    layout = _merged_layout(base.layout, local.layout, remote.layout)
    merged = local._replace(language=language, cells=tuple(result.cells), layout=layout)
    return Merged(merged, tuple(result.conflicts))


class _Result:
    """The merged cells so far."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self.cells: list[Cell] = []
        self.conflicts: list[Conflict] = []

    def settle(self, old: Cell | None, here: tuple[Cell, Cell] | None, there: Cell | None) -> None:
        """Add a cell that both sides had; ``here`` is the local cell, and that as it crossed."""
        local, mine = here or (None, None)
        edited_here = not mine or not old or says(mine) != says(old)
        edited_there = not there or not old or says(there) != says(old)
        agree = says(mine) == says(there) if mine and there else mine is there
        if agree or not edited_there:
            if local and mine and there:
                # An odd head or gap is no edit of the cell, but it is the workspace's to say.
                keep = not old or mine.layout != old.layout or there.layout == old.layout
                self.cells.append(local if keep else local._replace(layout=there.layout))
        elif not edited_here:
            if local and there:
                self.cells.append(self._edited(local, there))
        else:
            self._keep_both(local, there)

    def _edited(self, local: Cell, there: Cell) -> Cell:
        cell = local._replace(
            kind=there.kind,
            text=come_home(there.text, local, self._language),
            title=there.title,
            show_title=there.show_title,
            layout=there.layout,
        )
        if cell.text == local.text:
            return cell
        return cell._replace(outputs=(), execution_count=None)

    def _keep_both(self, local: Cell | None, there: Cell | None) -> None:
        if not there:
            words = "The cell above was edited here and deleted in the workspace."
        elif not local:
            words = "The cell below was edited in the workspace and deleted here."
        else:
            words = "The cell above was edited here, the one below in the workspace."
        self.conflicts.append(
            Conflict(
                len(self.cells) + 1, local.text if local else None, there.text if there else None
            )
        )
        note = f"{CONFLICT_MARK}\n**Conflict.** {words} Keep what is right and delete this note."
        self.cells += [local] if local else []
        self.cells.append(Cell("markdown", note))
        self.cells += [there] if there else []


def says(cell: Cell) -> tuple[str, str, str, bool]:
    """Say what of a cell is somebody's edit when it differs."""
    return cell.kind, cell.text, cell.title, cell.show_title and bool(cell.title)


def align(old: Sequence[Cell], new: Sequence[Cell]) -> list[int | None]:
    """Find for each old cell the new one that it has become; the order never crosses."""
    found: list[int | None] = [None] * len(old)
    matcher = SequenceMatcher(
        None, [says(cell) for cell in old], [says(cell) for cell in new], autojunk=False
    )
    for kind, i, last, j, end in matcher.get_opcodes():
        if kind == "equal":
            found[i:last] = range(j, end)
        elif kind == "replace":
            for a, b in _alike(old[i:last], new[j:end]):
                found[i + a] = j + b
    return found


def _alike(old: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[int, int]]:
    """Pair cells so that all pairs together share the most words."""
    if len(old) == len(new) == 1:
        return [(0, 0)]
    words = [set(re.findall(r"\w+", cell.text)) for cell in old]
    others = [set(re.findall(r"\w+", cell.text)) for cell in new]

    def likeness(a: int, b: int) -> float:
        share = 2 * len(words[a] & others[b]) / (len(words[a]) + len(others[b]) or 1)
        return share if share >= _ALIKE else 0

    # best[a][b] is what can be reached from there on, as in a longest common subsequence.
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for a in reversed(range(len(old))):
        for b in reversed(range(len(new))):
            best[a][b] = max(best[a + 1][b], best[a][b + 1], best[a + 1][b + 1] + likeness(a, b))
    pairs = []
    a = b = 0
    while a < len(old) and b < len(new):
        like = likeness(a, b)
        if like and best[a][b] == best[a + 1][b + 1] + like:
            pairs.append((a, b))
            a, b = a + 1, b + 1
        elif best[a][b] == best[a + 1][b]:
            a += 1
        else:
            b += 1
    return pairs


def _added(matches: Sequence[int | None], count: int) -> list[range]:
    """Give the cells that match none, by the old cell they stand before (the last: the end)."""
    added = []
    done = 0
    for match in matches:
        added.append(range(done, done if match is None else match))
        done = done if match is None else match + 1
    return [*added, range(done, count)]


def _merged_layout(
    base: Mapping[str, str], local: Mapping[str, str], remote: Mapping[str, str]
) -> Mapping[str, str]:
    merged = {}
    for key in {**local, **remote}:
        ours = key in _DIALECT or local.get(key) != base.get(key)
        value = local.get(key) if ours else remote.get(key)
        if value is not None:
            merged[key] = value
    return merged
