"""A verb's events in a notebook: progress in one place, outputs as if they were local."""

from __future__ import annotations

import sys
import time

from IPython.display import DisplayHandle, clear_output, display, publish_display_data

from .events import Event, Progress, Shown
from .output import Clear, Display, Failure, Stream
from .show import bundle
from .table import TABLE

# What is over sooner needs no progress.
_TOLD_AFTER = 0.5


class Screen:
    """Events in a notebook: progress in one place that is updated, outputs as if local."""

    def __init__(self) -> None:
        self.handle: DisplayHandle | None = None
        self.last = ""
        self.begin = time.monotonic()

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Progress():
                self._progress(bundle(event))
            case Shown(Stream(name, text)):
                _write(name, text)
            case Shown(Display() as shown):
                _publish(shown)
            case Shown(Clear(wait)):
                clear_output(wait)
            case Shown(Failure() as failure):
                _write("stderr", "\n".join(failure.traceback or (failure.sentence,)) + "\n")
            case _:
                publish_display_data(bundle(event))

    def _progress(self, data: dict[str, str]) -> None:
        soon = time.monotonic() - self.begin < _TOLD_AFTER
        if data["text/plain"] == self.last or (self.handle is None and soon):
            return
        self.last = data["text/plain"]
        if self.handle is None:
            self.handle = display(data, raw=True, display_id=True)
        else:
            self.handle.update(data, raw=True)

    def close(self) -> None:
        """Take the progress line away: what it told is over."""
        if self.handle is not None and self.last:
            # Not without any data: VS Code would go on showing what was there before.
            self.handle.update({"text/plain": "", "text/html": ""}, raw=True)
        self.handle, self.last = None, ""


def _publish(shown: Display) -> None:
    # A table is in the HTML already; twice the data would make notebooks heavy.
    data = {kind: value for kind, value in shown.data.items() if kind != TABLE}
    transient = {"display_id": shown.display_id} if shown.display_id else None
    publish_display_data(data, dict(shown.metadata), transient=transient, update=shown.updates)


def _write(name: str, text: str) -> None:
    stream = sys.stderr if name == "stderr" else sys.stdout
    stream.write(text)
    stream.flush()
