"""``%dbx`` and ``%%dbx``: every verb, and cells that run on the picked cluster."""

from __future__ import annotations

import atexit
import re
import shlex
from collections.abc import Sequence
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

LANGUAGES = ("python", "sql", "scala", "r", "sh")

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

    @line_cell_magic
    def dbx(self, line: str, cell: str | None = None) -> Any:
        """Work with a Databricks workspace. `%dbx` shows where things stand; `%dbx help` all verbs.

        %dbx VERB [ARGUMENTS]                run a verb; the result can be assigned
        %%dbx [python|sql|scala|r|sh] [-c CLUSTER]    run this cell on the picked cluster
        """
        # Imported when the magic is used: loading it must cost nothing.
        from .display import Screen
        from .events import drive
        from .grammar import parse
        from .show import address
        from .verbs import perform

        try:
            tokens = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%dbx {line}: {error}.", "Close the quotation.") from None
        call = parse(tokens if cell is None else _cell_tokens(tokens, cell), "%dbx")
        if call.help:
            print(call.help)  # noqa: T201
            return None
        dbx = self._dbx(call.target)
        screen = Screen()
        try:
            result = drive(perform(dbx, call.verb, call.arguments), screen.show)
        except DbxError as error:
            error.hint = address(error.hint, "%dbx")
            raise
        except KeyboardInterrupt:
            raise StoppedError("Stopped.", " ".join(_take(dbx.notes))) from None
        finally:
            screen.close()
        return self._result(result, dbx)

    def _dbx(self, target: str | None) -> Dbx:
        from .dbx import Dbx

        if self.dbx_of_kernel is None:
            self.dbx_of_kernel = Dbx(Path.cwd(), target)
            atexit.register(self.dbx_of_kernel.close)
        else:
            self.dbx_of_kernel.refresh(Path.cwd(), target)
        if path := self.shell.user_ns.get("__vsc_ipynb_file__"):  # VS Code
            self.dbx_of_kernel.notebook = str(path)
        return self.dbx_of_kernel

    def _result(self, result: Any, dbx: Dbx) -> Any:
        from .show import bundle, view_of

        for note in _take(dbx.notes):
            print(note)  # noqa: T201
        if not view_of(result):
            return None
        if self.shell.display_formatter is not None:
            formatter = self.shell.display_formatter.mimebundle_formatter
            formatter.for_type(type(result), lambda value, **_: bundle(value))
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
        return complete(line, Path.cwd())
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
    shell.register_magics(DbxMagics(shell))
    shell.Completer.custom_matchers.append(dbx_matcher)
    shell.input_transformers_cleanup.append(question_marks)


def unload(shell: InteractiveShell) -> None:
    """Take completion and help away and close what the kernel had open."""
    for hooks in (shell.Completer.custom_matchers, shell.input_transformers_cleanup):
        # By name: after a reload of this module the functions are others.
        hooks[:] = [hook for hook in hooks if getattr(hook, "__module__", "") != __name__]
    known = shell.magics_manager.registry.get("DbxMagics")
    opened = getattr(known, "dbx_of_kernel", None)
    if opened is not None:
        opened.close()
