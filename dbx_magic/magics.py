"""``%dbx`` and ``%%dbx``: every verb, and cells that run on the picked cluster."""

from __future__ import annotations

import atexit
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class

from .errors import DbxError, UsageError

if TYPE_CHECKING:
    from .dbx import Dbx
    from .events import Work

LANGUAGES = ("python", "sql", "scala", "r", "sh")

# Verbs whose result, when nothing is asked of them in particular, is shown as a panel.
LIVE = ("clusters", "history", "spec")

_PLAIN_CELL = "as in a Databricks notebook"
_CELL_THERE = re.compile(r"\s*%%dbx(?:[ \t]+python\b[^\n]*|[ \t]+-[^\n]*|[ \t]*)\n")
_LOCAL_CELL = re.compile(r"\s*%%dbx[ \t]+local[ \t]*(?:\n|\Z)")
_QUESTION = re.compile(r"^(\s*%dbx\s+[a-z]+)\s*\?\??\s*$")


class StoppedError(DbxError):
    """The user interrupted; what was started has been stopped."""


@magics_class
class DbxMagics(Magics):
    """The magic ``dbx``."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.dbx_of_kernel: Dbx | None = None
        self._running = 0  # how many cells deep the code is that runs now

    @line_cell_magic
    def dbx(self, line: str, cell: str | None = None) -> Any:
        """Work with a Databricks workspace. `%dbx` shows where things stand; `%dbx help` all verbs.

        %dbx VERB [ARGUMENTS]                run a verb; the result can be assigned
        %%dbx [python|sql|scala|r|sh] [-c CLUSTER]    run this cell on the picked cluster
        %dbx remote on                       run all cells there; %%dbx local runs one here
        %dbx ui [clusters|push|commit|history|spec]   open a panel in the notebook
        """
        # Imported when the magic is used: loading it must cost nothing.
        from .grammar import parse
        from .verbs import perform

        if line == _PLAIN_CELL and cell is not None:
            from .remote_mode import run_cell

            dbx = self._dbx(None)
            return self._drive(dbx, dbx.telling(run_cell(dbx, cell)))
        try:
            tokens = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%dbx {line}: {error}.", "Close the quotation.") from None
        if cell is None and tokens[:1] == ["ui"]:
            return self._panel(tokens[1:])
        call = parse(tokens if cell is None else _cell_tokens(tokens, cell), "%dbx")
        if call.help:
            print(call.help)  # noqa: T201
            return None
        dbx = self._dbx(call.target)
        result = self._drive(dbx, perform(dbx, call.verb, call.arguments))
        result = self._result(call.verb, result, dbx)
        # A panel needs a front end; a terminal has none.
        if call.verb in LIVE and not call.arguments and getattr(self.shell, "kernel", None):
            self._show_as_panel(call.verb, type(result), dbx)
        return result

    def _drive(self, dbx: Dbx, work: Work[Any]) -> Any:
        from .display import Screen
        from .events import drive
        from .show import address

        screen = Screen()
        try:
            return drive(work, screen.show)
        except DbxError as error:
            error.hint = address(error.hint, "%dbx")
            raise
        except KeyboardInterrupt:
            raise StoppedError("Stopped.", " ".join(_take(dbx.notes))) from None
        finally:
            screen.close()

    def plain_cell(self, lines: list[str]) -> list[str]:
        """Send a cell to the cluster in remote mode; a part of it, when it has `%dbx` lines."""
        # What a front end asks for itself, silent or beside the history, is no cell of the user's.
        asked = self._request()
        if self._running or asked.get("silent") or not asked.get("store_history", True):
            return lines
        if found := _LOCAL_CELL.match("".join(lines)):
            rest = "".join(lines)[found.end() :]
            # A blank line keeps the numbers of the others; a cell magic must come first.
            return (rest if rest.startswith("%%") else f"\n{rest}").splitlines(keepends=True)
        language = self.dbx_of_kernel.remote if self.dbx_of_kernel else ""
        if not (language and lines) or lines[0].startswith("%%dbx"):
            return lines
        from .remote_mode import parts

        split = parts("".join(lines).removesuffix("\n"), language)
        return [
            f"{part}\n"
            if is_home
            else f"get_ipython().run_cell_magic('dbx', {_PLAIN_CELL!r}, {part!r})\n"
            for is_home, part in split
        ]

    # It is for running a cell, not for asking whether one is complete.
    plain_cell.has_side_effects = True  # type: ignore[attr-defined]

    def _request(self) -> Mapping[str, Any]:
        """What the front end has asked the kernel for; empty where there is no kernel."""
        kernel = getattr(self.shell, "kernel", None)
        return dict(kernel.get_parent("shell").get("content", {})) if kernel else {}

    @context_matcher(priority=90)
    def names_matcher(self, context: CompletionContext) -> SimpleMatcherResult:
        """Complete names of the cluster: in a `%%dbx` cell, and in every cell in remote mode."""
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        lines[-1] = lines[-1][: context.cursor_position]
        code = self._code_there("\n".join(lines))
        if not code or self.dbx_of_kernel is None:
            return {"completions": []}
        from .names import complete

        ways = complete(self.dbx_of_kernel, code)
        return {
            "completions": [SimpleCompletion(way.text, type=way.type) for way in ways.found],
            "matched_fragment": ways.fragment,
            "suppress": True,
            "ordered": True,
        }

    def inspect(self, name: str) -> Mapping[str, str]:
        """Tell what a name is on the cluster; nothing where the question is about one here."""
        dbx = self.dbx_of_kernel
        if dbx is None or not self._code_there(str(self._request().get("code", name))):
            return {}
        from .names import inspect

        data = inspect(dbx, name)
        # ipykernel takes the HTML out where nobody wants it, and must find one.
        return {"text/html": "", **data} if data else {}

    def _code_there(self, cell: str) -> str:
        """The Python of a cell that runs on the cluster; empty when it runs here."""
        if found := _CELL_THERE.match(cell):
            return cell[found.end() :]
        dbx = self.dbx_of_kernel
        if dbx is None or dbx.remote != "python" or cell.startswith("%%dbx"):
            return ""
        from .notebook import Cell, Notebook, cell_language

        is_python = cell_language(Cell("code", cell), Notebook())[0] == "python"
        return "" if cell.rpartition("\n")[2].lstrip().startswith("%dbx") or not is_python else cell

    def begin_cell(self) -> None:
        """Know that a cell runs: what it runs in its turn is no cell of the notebook."""
        self._running += 1

    def end_cell(self) -> None:
        """Know that a cell has ended."""
        self._running = max(0, self._running - 1)

    def _dbx(self, target: str | None) -> Dbx:
        from .dbx import Dbx

        if self.dbx_of_kernel is None:
            self.dbx_of_kernel = Dbx(Path.cwd(), target)
            self.dbx_of_kernel.variables = self.shell.user_ns
            self.dbx_of_kernel.remote = ""
            atexit.register(self.dbx_of_kernel.close)
        else:
            self.dbx_of_kernel.refresh(Path.cwd(), target)
        if path := self.shell.user_ns.get("__vsc_ipynb_file__"):  # VS Code
            self.dbx_of_kernel.notebook = str(path)
        return self.dbx_of_kernel

    def _panel(self, names: Sequence[str]) -> None:
        """Open a panel by its name."""
        from IPython.display import display

        from .widgets import panel_of, shown

        if len(names) > 1:
            raise UsageError("%dbx ui opens one panel.", "Open each in a cell of its own.")
        display(shown(panel_of(names[0] if names else "clusters", self._dbx(None))), raw=True)

    def _show_as_panel(self, name: str, kind: type[Any], dbx: Dbx) -> None:
        """Let a result be shown as a panel, unless it is only assigned."""
        from .widgets import panel_of, shown

        if self.shell.display_formatter is not None:
            formatter = self.shell.display_formatter.mimebundle_formatter
            formatter.for_type(kind, lambda *_, **__: shown(panel_of(name, dbx)))

    def _result(self, verb: str, result: Any, dbx: Dbx) -> Any:
        from .show import bundle, view_of

        for note in _take(dbx.notes):
            print(note)  # noqa: T201
        more: dict[str, Any] = {}
        if verb == "remote":
            from .remote_mode import MODE

            self.shell.user_ns["__dbx_remote__"] = result.cluster
            more = {MODE: {"cluster": result.cluster}}
        if not view_of(result):
            return None
        if self.shell.display_formatter is not None:
            formatter = self.shell.display_formatter.mimebundle_formatter
            formatter.for_type(type(result), lambda value, **_: {**bundle(value), **more})
        return result


def _cell_tokens(tokens: Sequence[str], cell: str) -> list[str]:
    if tokens and tokens[0] in LANGUAGES:
        language, *options = tokens
    else:
        language, options = "python", list(tokens)
        if options and not options[0].startswith("-"):
            raise UsageError(
                f"%%dbx cannot run {options[0]!r}.", f"It runs: {', '.join(LANGUAGES)}."
            )
    return ["exec", *options, "--language", language, "--", cell]


def _take(notes: list[str]) -> list[str]:
    taken = list(notes)
    notes.clear()
    return taken


@context_matcher(priority=100)  # before IPython's own, which would add `%notebook` to `noteb`
def dbx_matcher(context: CompletionContext) -> SimpleMatcherResult:
    """Complete what stands after ``%dbx`` or ``%%dbx``."""
    line = context.line_with_cursor[: context.cursor_position].lstrip()
    for magic in ("%dbx ", "%%dbx "):
        if line.startswith(magic):
            words = _words(line[len(magic) :], is_cell=magic == "%%dbx ")
            return {
                "completions": [SimpleCompletion(word, type="dbx") for word in words],
                "suppress": True,
                "ordered": True,
            }
    return {"completions": []}


def _words(line: str, *, is_cell: bool) -> list[str]:
    from .completion import complete

    if not is_cell:
        before, _, word = line.rpartition(" ")
        if before.strip() == "ui":
            from .widgets import PANELS

            return [name for name in PANELS if name.startswith(word)]
        return complete(line, Path.cwd()) + (["ui"] if line in ("u", "ui") else [])
    word = line.rpartition(" ")[2]
    languages = [name for name in LANGUAGES if name.startswith(word)] if word == line else []
    return languages + (complete(f"exec {word}", Path.cwd()) if word.startswith("-") else [])


def question_marks(lines: list[str]) -> list[str]:
    """Read ``%dbx rebuild?`` as a question about the verb; IPython would look for a variable."""
    if lines and lines[0].startswith("%%"):
        return lines
    return [_QUESTION.sub(r"\1 --help\n", line) for line in lines]


def load(shell: InteractiveShell) -> None:
    """Register the magic, its completion and its help; loading again replaces them."""
    unload(shell)
    magics = DbxMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.extend([dbx_matcher, magics.names_matcher])
    shell.input_transformers_cleanup.extend([question_marks, magics.plain_cell])
    shell.events.register("pre_execute", magics.begin_cell)
    shell.events.register("post_execute", magics.end_cell)
    known_here = shell.object_inspect_mime
    # IPython has no hook for it.
    shell.object_inspect_mime = lambda name, *arguments, **options: (  # type: ignore[method-assign]
        magics.inspect(name) or known_here(name, *arguments, **options)
    )


def unload(shell: InteractiveShell) -> None:
    """Take completion and help away and close what the kernel had open."""
    events = shell.events.callbacks
    for hooks in (
        *(shell.Completer.custom_matchers, shell.input_transformers_cleanup),
        *(events["pre_execute"], events["post_execute"]),
    ):
        # By name: after a reload of this module the functions are others.
        hooks[:] = [hook for hook in hooks if getattr(hook, "__module__", "") != __name__]
    vars(shell).pop("object_inspect_mime", None)
    known = shell.magics_manager.registry.get("DbxMagics")
    opened = getattr(known, "dbx_of_kernel", None)
    if opened is not None:
        opened.close()
