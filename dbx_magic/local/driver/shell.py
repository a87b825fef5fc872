"""The notebook's shell: IPython that reads Databricks' cells and keeps our own frames out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type

from dbx_magic.local.outputs import EXIT

from .dbutils import NotebookExit
from .text import header

_OURS = str(Path(__file__).parent)


class Failed(BaseException):
    """Ends a cell whose error has been shown already."""


class Shell(ZMQInteractiveShell):
    """Runs the cells of a notebook; what goes wrong is shown where the user's code is."""

    def init_prefilter(self) -> None:
        """Read cells as IPython does, once the header in front of them is understood."""
        super().init_prefilter()
        self.input_transformer_manager.cleanup_transforms.insert(0, as_ipython)

    nested = 0  # how many notebooks deep the cell is that runs now

    def showtraceback(self, *arguments: Any, **options: Any) -> None:
        """Show an error; a notebook's own end is none."""
        error = sys.exc_info()[1]
        match error:
            case NotebookExit() if self.nested:
                pass  # it ends the notebook that was run, not the one that runs it
            case NotebookExit():
                self.display_pub.publish(
                    {EXIT: {"value": error.value}, "text/plain": f"Notebook exited: {error.value}"}
                )
            case Failed():
                pass
            case _:
                super().showtraceback(*arguments, **options)

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        kind, error, traceback = super()._get_exc_info(exc_tuple)
        traceback = without_ours(traceback)
        return kind, error.with_traceback(traceback), traceback


class Kernel(IPythonKernel):
    """A kernel with our shell."""

    shell_class = Type(Shell)

    def start(self) -> None:
        """Begin to serve, so that an interrupt ends a cell that awaits something, too."""
        super().start()
        # What ipykernel does then waits until the event loop wakes up, which nothing else may do.
        bell, ringer = os.pipe()
        for end in (bell, ringer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)

        def hear(*_: object) -> None:
            os.read(bell, 1024)

        self.io_loop.add_handler(bell, hear, self.io_loop.READ)


def as_ipython(lines: Sequence[str]) -> list[str]:
    """A cell with Databricks' header as IPython has it: `%sql` in front becomes `%%sql`."""
    found = header("".join(lines))
    if found is None:
        return list(lines)
    magic, rest = found
    if magic != "python":
        text = f"%%{magic}\n{rest}"
    else:
        # As a comment: IPython would drop a blank line in front, and count the others without it.
        text = f"# %python{rest}" if rest.startswith("\n") else rest
    return text.splitlines(keepends=True)


def without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this package."""
    if traceback is None:
        return None
    rest = without_ours(traceback.tb_next)
    if traceback.tb_frame.f_code.co_filename.startswith(_OURS):
        return rest
    return TracebackType(rest, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)
