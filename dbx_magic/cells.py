"""Cells on the cluster: one at once, or in the background while others are worked on."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

from . import commands
from .commands import ENDED, Command, Reader, follow
from .dbx import Dbx
from .errors import RemoteError, UsageError, WorkspaceError
from .events import Shown, Work
from .frames import Kind, bring, must_be_readable, take_along, usual_kind, words
from .view import Line, Symbol, Table, View, duration

Language = Literal["python", "sql", "scala", "r", "sh"]
_TOLD_AFTER = 1.0
_THE_END = sys.maxsize
_LOST = "Lost"
_WIDTH = 50
_SHOWING = ("display", "displayHTML", "print", "show", "printSchema")
_STATES: dict[str, tuple[Symbol, str]] = {
    "Queued": ("○", "waits for its turn"),
    "Running": ("◐", "running"),
    "Cancelling": ("◐", "being stopped"),
    "Finished": ("✓", "done"),
    "Cancelled": ("✗", "stopped"),
    "Error": ("✗", "failed"),
}


@dataclass(frozen=True)
class Executed:
    """A cell that ran to its end; ``brought`` says what came back from it."""

    cluster: str
    seconds: float
    brought: str = ""

    def view(self) -> View:
        """What came, how long it took and where; nothing for what was over at once."""
        took = f"{duration(self.seconds)} on {self.cluster}"
        if self.brought:
            return [Line(self.brought, note=took)]
        return [Line("", note=took)] if self.seconds >= _TOLD_AFTER else []


@dataclass(frozen=True)
class Begun:
    """A cell that runs in the background."""

    number: int
    cluster: str

    def view(self) -> View:
        """Where it runs, and how to see what it shows."""
        shows = f"`cells {self.number}` shows it, `cells {self.number} --cancel` stops it"
        return [Line(f"cell {self.number} runs on {self.cluster}", "◐", shows)]


def execute(
    dbx: Dbx,
    code: str,
    *,
    language: Language = "python",
    cluster: str = "",
    send: tuple[str, ...] = (),
    output: str = "",
    as_: Kind | None = None,
    rows: int = 0,
    timeout: float = 0.0,
    background: bool = False,
) -> Work[Executed | Begun]:
    """Run code on the picked cluster and show what it shows; its variables stay for the next.

    A stopped cluster is started. An interrupt stops the code on the cluster, too.

    Args:
        code: What to run.
        language: Its language.
        cluster: Another cluster than the picked one, by name or id.
        send: A variable of the notebook that the code needs; a DataFrame becomes one of Spark, and
            a view of its name for SQL. May be given more than once.
        output: The notebook's variable that the code's result, or the code's variable of that name,
            is brought back into.
        as_: What a DataFrame is brought back as; pandas if nothing is said.
        rows: Bring back so many rows at most.
        timeout: Stop the code after so many seconds.
        background: Do not wait for the end; `cells` shows, and stops, what runs.

    Raises:
        RemoteError: the code raised; its traceback is shown.
        UsageError: options that do not go together, or a value that cannot travel.
        WorkspaceError: there is no such cluster, or it does not start.
    """
    variables = _variables(dbx, send, output, background=background)
    _check(language, send, output, as_, rows, timeout, background=background)
    kind = as_ or usual_kind()
    for name in send:
        yield from take_along(dbx, cluster, name, variables[name])
    context_language, text = _as_command(code, language, output, is_local=dbx.is_local)
    command = yield from commands.begin(dbx, cluster, context_language, text)
    if background:
        dbx.background.append(command)
        return Begun(len(dbx.background), command.cluster)
    yield from follow(dbx, command, timeout=timeout)
    brought = ""
    if output:
        source = "_sqldf" if language == "sql" else output
        variables[output] = value = yield from bring(dbx, cluster, source, kind, rows)
        brought = f"{output}: {words(value)}"
    return Executed(command.cluster, time.monotonic() - command.begun, brought)


def _variables(
    dbx: Dbx, send: tuple[str, ...], output: str, *, background: bool
) -> MutableMapping[str, Any]:
    needs = ("-i",) * bool(send) + ("-o",) * bool(output) + ("--background",) * background
    if dbx.variables is None:
        if needs:
            raise UsageError(f"{needs[0]} works in a notebook: there are no variables here.")
        return {}
    for name in send:
        if name not in dbx.variables:
            raise UsageError(f"There is no variable {name} here to send.")
    return dbx.variables


def _check(
    language: Language,
    send: tuple[str, ...],
    output: str,
    as_: Kind | None,
    rows: int,
    timeout: float,
    *,
    background: bool,
) -> None:
    for name in (*send, *([output] if output else [])):
        if not name.isidentifier():
            raise UsageError(f"{name!r} cannot be the name of a variable.")
    if (send or output) and language not in ("python", "sql"):
        raise UsageError(
            f"Values go to and come from python and sql, not {language}.",
            "Make a temporary view there, and bring it with sql.",
        )
    if (as_ or rows) and not output:
        raise UsageError("--as and -n are about what -o NAME brings back.", "Add -o NAME.")
    if rows < 0 or timeout < 0:
        raise UsageError("-n and --timeout take a number above 0.")
    if background and (output or timeout):
        raise UsageError(
            "--background goes with neither -o nor --timeout.",
            "Bring a variable when the cell is done: `exec NAME -o NAME`.",
        )
    if output:
        must_be_readable(as_ or usual_kind())


def _as_command(code: str, language: Language, output: str, *, is_local: bool) -> tuple[str, str]:
    """Give the language of the context and what to run there.

    As in a Databricks notebook SQL sees the temporary views that Python made, which contexts of
    different languages do not share; and there are no shell contexts at all.
    """
    if language == "python" and output:
        return language, with_name(code, output)
    if language not in ("sql", "sh"):
        return language, code
    if is_local:
        return "python", f"%{language}\n{code}"
    if language == "sql":
        query = f"_sqldf = spark.sql({code.strip().rstrip(';')!r})"
        return "python", f"{query}\ndisplay(_sqldf)"
    return "python", f"print(__import__('subprocess').getoutput({code!r}))"


def with_name(code: str, name: str) -> str:
    """Give the value of the code's last expression a name; lines stay where they are.

    What only shows something has no value, and a cell of another language no expression.

    >>> with_name("a = 1\\na + 1", "b")
    'a = 1\\n(b := (a + 1))'
    >>> with_name("b = 1\\ndisplay(b)", "b"), with_name("%sh ls", "b")
    ('b = 1\\ndisplay(b)', '%sh ls')
    """
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return code
    match body[-1:]:
        case [ast.Expr(ast.Name(id=same))] if same == name:
            return code
        case [ast.Expr(ast.Call(ast.Name(id=shows) | ast.Attribute(attr=shows)))] if (
            shows in _SHOWING
        ):
            return code
        case [ast.Expr(value)]:
            lines = [line.encode() for line in code.split("\n")]
            first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
            end = lines[last]
            lines[last] = end[: value.end_col_offset] + b"))" + end[value.end_col_offset :]
            begin, opened = lines[first], f"({name} := (".encode()
            lines[first] = begin[: value.col_offset] + opened + begin[value.col_offset :]
            return b"\n".join(lines).decode()
    return code


@dataclass(frozen=True)
class Cell:
    """A cell that was begun in the background."""

    number: int
    status: str
    cluster: str
    seconds: float
    code: str


@dataclass(frozen=True)
class Cells:
    """The cells that were begun in the background, the last one first."""

    cells: tuple[Cell, ...]

    def view(self) -> View:
        """A row for each."""
        if not self.cells:
            return [Line("No cell was begun in the background.", note="`exec … --background`")]
        return [Table(tuple(_row(cell) for cell in self.cells), ("cell", "", "cluster", "code"))]


def cells(dbx: Dbx, number: int | None = None, *, cancel: bool = False) -> Work[Cells]:
    """Tell which cells run in the background; show what one of them shows, or stop it.

    Args:
        number: Which one; without it all are listed.
        cancel: Stop it on the cluster.

    Raises:
        RemoteError: the cell raised; its traceback is shown.
        UsageError: there is no such cell.
    """
    if number is None:
        if cancel:
            raise UsageError("Which cell is to be stopped?", "Say its number: `cells 1 --cancel`.")
        found = enumerate(dbx.background, 1)
        return Cells(tuple(_state(dbx, place, command) for place, command in found)[::-1])
    if not 0 < number <= len(dbx.background):
        raise UsageError(f"There is no cell {number} in the background.", "`cells` lists them.")
    command = dbx.background[number - 1]
    if cancel:
        commands.cancel(dbx, command)
        return Cells((_state(dbx, number, command),))
    reader = Reader(dbx, command)
    for output in reader.look():
        yield Shown(output)
    if reader.failure is not None:
        raise RemoteError(reader.failure.sentence, traceback=reader.failure.traceback)
    return Cells((_cell(number, command, reader.status),))


def _state(dbx: Dbx, number: int, command: Command) -> Cell:
    reader = Reader(dbx, command, since=_THE_END)
    try:
        reader.look()
    except WorkspaceError:
        return _cell(number, command, _LOST)
    failed = reader.status == "Finished" and reader.failed
    return _cell(number, command, "Error" if failed else reader.status)


def _cell(number: int, command: Command, status: str) -> Cell:
    seconds = 0.0 if status in ENDED else time.monotonic() - command.begun
    return Cell(number, status, command.cluster, seconds, command.code)


def _row(cell: Cell) -> tuple[str, ...]:
    symbol, state = _STATES.get(cell.status, ("✗", "lost with its cluster or context"))
    since = f", {duration(cell.seconds)}" if cell.seconds >= _TOLD_AFTER else ""
    lines = [line for line in cell.code.splitlines() if line.strip() and line.strip()[0] != "%"]
    first = (lines or [""])[0].strip()
    code = f"{first[:_WIDTH]}{' …' if len(lines) > 1 or len(first) > _WIDTH else ''}"
    return str(cell.number), f"{symbol} {state}{since}", cell.cluster, code
