"""`%r`: plain R, where it is installed; variables live on from cell to cell."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

_SCRIPT = """
(function(cell, image, plots, failure) {
  if (file.exists(image)) load(image, envir = globalenv())
  options(device = function(...) png(plots, width = 640, height = 480))
  tryCatch(
    for (expression in parse(cell, keep.source = FALSE)) {
      value <- withVisible(eval(expression, globalenv()))
      if (value$visible) print(value$value)
    },
    error = function(problem) writeLines(conditionMessage(problem), failure)
  )
  graphics.off()
  save.image(image)
})(%s)
"""


class RError(Exception):
    """What R says about a cell."""

    def _render_traceback_(self) -> list[str]:
        return [f"Error: {self}"]


def run_r(code: str, run_program: Callable[[Sequence[str]], int]) -> None:
    """Run a cell, printing what it prints and showing what it plots."""
    from IPython.display import Image, display

    command = shutil.which("Rscript")
    if command is None:
        raise RError("%r needs R, and there is no R on this machine.")
    folder = Path(os.environ["DBX_LINKS"])
    cell, failure = folder / "cell.R", folder / "failure.txt"
    cell.write_text(code, encoding="utf-8")
    failure.unlink(missing_ok=True)
    paths = [cell, folder / "image.RData", folder / "plot%03d.png", failure]
    script = folder / "run.R"
    script.write_text(_SCRIPT % ", ".join(f'"{path}"' for path in paths), encoding="utf-8")
    os.environ.setdefault("R_LIBS_USER", str(Path(os.environ["VIRTUAL_ENV"], "R")))
    ended = run_program([command, str(script)])
    for plot in sorted(folder.glob("plot*.png")):
        display(Image(plot.read_bytes()))
        plot.unlink()
    if failure.exists():
        raise RError(failure.read_text(encoding="utf-8").strip())
    if ended:
        raise RError(f"R ended with code {ended}.")
