"""Names on the cluster: how one may go on, and what it is. The user's code is not run for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from .commands import ENDED
from .dbx import Dbx
from .errors import DbxError
from .output import plain
from .workspace import Json, Workspace

Kind = Literal["complete", "inspect"]

# JupyterLab waits for a second, and a person for less.
_PATIENCE = 0.8
_INTERVAL = 0.05

# What a context of Databricks is asked with: IPython's own completer there, without jedi, which
# would read files. Nothing of it stays among the user's names.
_QUESTION = """
exec('''
import json
shell = get_ipython()
completer, line = shell.Completer, code.rpartition(chr(10))[2]
before, completer.use_jedi = completer.use_jedi, False
try:
    if kind == "complete":
        fragment, matches = shell.complete(None, line, len(line))
        answer = {"matches": matches[:500], "cursor_start": len(code) - len(fragment)}
    else:
        answer = {"data": shell.object_inspect_mime(code, detail_level=0)}
except KeyError:
    answer = {}
finally:
    completer.use_jedi = before
print(json.dumps(answer))
''', {"get_ipython": get_ipython, "kind": KIND, "code": CODE})
"""


@dataclass(frozen=True)
class Completion:
    """A way to go on: the whole text of it, and of what type it is (``function`` …)."""

    text: str
    type: str


@dataclass(frozen=True)
class Completions:
    """Ways to go on, each in place of ``fragment``, the end of what was written."""

    fragment: str
    found: tuple[Completion, ...]


def complete(dbx: Dbx, code: str) -> Completions:
    """Tell how the end of a Python cell may go on; nothing when the context is busy or unknown."""
    answer = _ask(dbx, "complete", code)
    start = int(answer.get("cursor_start", len(code)))
    types = {
        item["text"]: str(item.get("type", ""))
        for item in answer.get("metadata", {}).get("_jupyter_types_experimental", ())
    }
    matches = [str(match) for match in answer.get("matches", ())]
    found = tuple(Completion(match, types.get(match, "")) for match in matches)
    return Completions(code[start:], found)


def inspect(dbx: Dbx, name: str) -> Mapping[str, str]:
    """Tell what a name is, in the MIME types there are; nothing when it is not known there."""
    data: Mapping[str, str] = _ask(dbx, "inspect", name).get("data", {})
    return data


def _ask(dbx: Dbx, kind: Kind, code: str) -> Json:
    place = _context(dbx)
    if place is None:
        return {}
    cluster_id, context_id = place
    workspace = dbx.workspace
    if workspace.knows_names:
        return _within(_PATIENCE, lambda: workspace.ask_context(kind, cluster_id, context_id, code))
    if dbx.background:  # the question would wait behind what runs
        return {}
    question = _QUESTION.replace("KIND", repr(kind)).replace("CODE", repr(code))
    return _within(_PATIENCE, lambda: _by_command(workspace, cluster_id, context_id, question))


def _context(dbx: Dbx) -> tuple[str, str] | None:
    """The Python context that cells run in; the last one, when none is on the picked cluster."""
    opened = {
        cluster: context for (cluster, kind), context in dbx.contexts.items() if kind == "python"
    }
    if not opened:
        return None
    cluster = picked if (picked := dbx.project.picked) in opened else [*opened][-1]
    return str(cluster), opened[str(cluster)]


def _by_command(workspace: Workspace, cluster_id: str, context_id: str, question: str) -> Json:
    command_id = workspace.execute(cluster_id, context_id, "python", question)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        answer = workspace.command(cluster_id, context_id, command_id)
        if answer["status"] in ENDED:
            text = plain(str((answer.get("results") or {}).get("data") or "{}"))
            return dict(json.loads(text))
        time.sleep(_INTERVAL)
    workspace.cancel_command(cluster_id, context_id, command_id)
    return {}


def _within(seconds: float, ask: Callable[[], Json]) -> Json:
    """The answer, or nothing when it does not come in time: an editor does not wait for it."""
    answers: list[Json] = []

    def work() -> None:
        try:
            answers.append(ask())
        except (DbxError, ValueError, KeyError):
            return

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(seconds)
    return answers[0] if answers else {}
