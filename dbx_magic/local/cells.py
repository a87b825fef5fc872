"""What the cells of a notebook run show, while it runs and afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bell import Bell


@dataclass
class Cell:
    """One cell: Waiting, Running, then Finished, Failed, Cancelled or Skipped.

    ``changed`` is the number of its last change among those of all cells.
    """

    index: int
    title: str
    source: str
    language: str
    status: str = "Waiting"
    events: list[dict[str, Any]] = field(default_factory=list)
    changed: int = 1


class Cells:
    """The cells of one run; each change has a number, so that a client can ask for later ones."""

    def __init__(self, cells: list[Cell], file: Path) -> None:
        self.all = cells
        self.bell = Bell()
        self.over = False
        self._file = file
        self._changes = 1

    def changed(self, cell: Cell) -> None:
        """A cell has a new status or new events; one that has ended is kept on disk."""
        self._changes += 1
        cell.changed = self._changes
        if cell.status not in ("Waiting", "Running"):
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(cell)) + "\n")
        self.bell.ring()

    def end(self) -> None:
        """Nothing more will come; cells that did not get their turn were skipped."""
        for cell in self.all:
            if cell.status == "Waiting":
                cell.status = "Skipped"
                self.changed(cell)
        self.over = True
        self.bell.ring()

    async def wait(self, cursor: int, seconds: float) -> None:
        """Return when there is something after the cursor, or when time is up."""
        if self._changes <= cursor and not self.over:
            await self.bell.wait(seconds)

    def told(self) -> list[dict[str, Any]]:
        """The cells as clients get them, each with all its events so far."""
        return [dict(vars(cell)) for cell in self.all]


def read_cells(file: Path) -> list[dict[str, Any]]:
    """The cells of a run that is over, or that a killed server left."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    # A server that was killed while it wrote leaves a line without its end.
    return [json.loads(line) for line in lines if line.endswith("\n")]
