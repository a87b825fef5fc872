"""The command line: ``dbx-magic VERB …`` for terminals and pipelines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DbxError

if TYPE_CHECKING:
    from .dbx import Dbx
    from .events import Event
    from .grammar import Call

EXIT_CODES = """
Options of every verb: --target NAME, --json (events and result as JSON lines).
Exit codes: 0 done, 2 usage, 3 project, 4 conflict, 5 workspace, 6 git, 7 pipeline, 8 remote code,
9 quality.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    if tokens in (["--version"], ["-V"]):
        import importlib.metadata

        _out(f"dbx-magic {importlib.metadata.version('dbx-magic')}")
        return 0
    as_json = "--json" in _options(tokens)
    if as_json:
        tokens.remove("--json")
    try:
        return _run(tokens, as_json=as_json)
    except DbxError as error:
        _fail(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        _err("Stopped.")
        return 130
    except BrokenPipeError:  # `dbx-magic history | head`: nobody reads on
        sys.stderr.close()
        return 141


def _options(tokens: list[str]) -> list[str]:
    return tokens[: tokens.index("--")] if "--" in tokens else tokens


def _run(tokens: list[str], *, as_json: bool) -> int:
    from .dbx import Dbx
    from .grammar import parse

    call = parse(tokens, "dbx-magic")
    if call.help:
        _out(call.help if call.verb else call.help + EXIT_CODES.rstrip("\n"))
        return 0
    dbx = Dbx(Path.cwd(), call.target)
    try:
        result = _perform_json(dbx, call) if as_json else _perform(dbx, call)
    finally:
        for note in dbx.notes:
            _err(note)
        dbx.close()
    return int(getattr(result, "exit_code", 0))


def _perform_json(dbx: Dbx, call: Call) -> Any:
    from .events import drive
    from .protocol import event_line, result_line
    from .verbs import perform

    work = perform(dbx, call.verb, call.arguments)
    result = drive(work, lambda event: _out(event_line(event)))
    _out(result_line(result))
    return result


def _perform(dbx: Dbx, call: Call) -> Any:
    from .events import drive
    from .show import view_of
    from .verbs import perform

    work = perform(dbx, call.verb, call.arguments)
    with _Screen() as screen:
        result = drive(work, screen.show)
    view = view_of(result)
    if view:
        _print_view(view, sys.stdout)
    return result


class _Screen:
    """Events in a terminal: progress in place, and in a log one line for each new state."""

    def __init__(self) -> None:
        self.live: Any = None
        self.states: dict[str, str] = {}
        self.progress: dict[str, Any] = {}

    def __enter__(self) -> _Screen:
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, event: Event) -> None:
        from .events import Progress, Shown

        match event:
            case Progress() if sys.stderr.isatty():
                self._draw(event)
            case Progress():
                if self.states.get(event.subject) != event.state:
                    self.states[event.subject] = event.state
                    _err(f"{event.subject}: {event.state}")
            case Shown():
                self._clear()
                _show_output(event.output)
            case _:
                self._clear()
                _print_view(event.view(), sys.stderr)

    def _draw(self, event: Event) -> None:
        from rich.console import Console, Group
        from rich.live import Live

        from .events import Progress
        from .show import rich_block

        if self.live is None:
            console = Console(stderr=True, highlight=False)
            self.live = Live(console=console, transient=True, auto_refresh=False)
            self.live.start()
        assert isinstance(event, Progress)  # noqa: S101
        self.progress[event.subject] = event
        blocks = [rich_block(block) for item in self.progress.values() for block in item.view()]
        self.live.update(Group(*blocks), refresh=True)

    def _clear(self) -> None:
        if self.live is not None:
            self.live.stop()
        self.live = None
        self.progress.clear()


def _show_output(output: Any) -> None:
    from .output import Display, Failure, Stream

    match output:
        case Stream(name="stderr"):
            sys.stderr.write(output.text)
        case Stream():
            sys.stdout.write(output.text)
            sys.stdout.flush()
        case Display():
            _out(output.text)
        case Failure():
            _err("\n".join(output.traceback) or output.sentence)


def _fail(error: DbxError, *, as_json: bool) -> None:
    if as_json:
        from .protocol import error_line

        _out(error_line(error))
        return
    from .output import plain
    from .show import view_of

    for line in getattr(error, "traceback", ()):
        _err(line if sys.stderr.isatty() else plain(line))

    _print_view(view_of(error), sys.stderr)


def _print_view(view: Any, stream: Any) -> None:
    import shutil

    from .show import addressed, text

    color = stream.isatty()
    width = shutil.get_terminal_size().columns if color else 120
    stream.write(text(addressed(view, "dbx-magic"), width=width, color=color) + "\n")


def _out(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _err(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
