"""Running code on the cluster: a cell at once, a whole notebook as a job run."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .cluster_state import cluster_called, name_of, picked_cluster, started
from .dbx import Dbx
from .errors import NotFoundError, ProjectError, RemoteError, WorkspaceError
from .events import Note, Progress, Shown, Work
from .output import Display, Failure, Output, Stream, from_event, from_results
from .view import Line, View, duration
from .workspace import Json

Language = Literal["python", "sql", "scala", "r", "sh"]
_TOLD_AFTER = 1.0
_ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


@dataclass(frozen=True)
class Executed:
    """A cell that ran to its end."""

    cluster: str
    seconds: float

    def view(self) -> View:
        """How long it took and where; nothing for what was over at once."""
        if self.seconds < _TOLD_AFTER:
            return []
        return [Line("", note=f"{duration(self.seconds)} on {self.cluster}")]


def execute(
    dbx: Dbx, code: str, *, language: Language = "python", cluster: str = ""
) -> Work[Executed]:
    """Run code on the picked cluster and show what it shows; its variables stay for the next.

    A stopped cluster is started. An interrupt stops the code on the cluster, too.

    Args:
        code: What to run.
        language: Its language.
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        RemoteError: the code raised; its traceback is shown.
        WorkspaceError: there is no such cluster, or it does not start.
    """
    there = cluster_called(dbx, cluster) if cluster else picked_cluster(dbx)
    there = yield from started(dbx, there)
    name = name_of(there)
    begin = time.monotonic()
    context_language, text = _as_command(code, language, is_local=dbx.is_local)
    cluster_id = str(there["cluster_id"])
    context_id = yield from _context(dbx, cluster_id, context_language, name)
    try:
        command_id = dbx.workspace.execute(cluster_id, context_id, context_language, text)
    except WorkspaceError as error:
        if not _is_lost(error):
            raise
        context_id = yield from _context(dbx, cluster_id, context_language, name, lost=True)
        command_id = dbx.workspace.execute(cluster_id, context_id, context_language, text)
    command = _Command(dbx, cluster_id, context_id, command_id, name)
    yield from command.follow()
    return Executed(name, time.monotonic() - begin)


def _as_command(code: str, language: Language, *, is_local: bool) -> tuple[str, str]:
    """Give the language of the context and what to run there.

    As in a Databricks notebook SQL sees the temporary views that Python made, which contexts of
    different languages do not share; and there are no shell contexts at all.
    """
    if language not in ("sql", "sh"):
        return language, code
    if is_local:
        return "python", f"%{language}\n{code}"
    if language == "sql":
        return "python", f"display(spark.sql({code.strip().rstrip(';')!r}))"
    return "python", f"print(__import__('subprocess').getoutput({code!r}))"


def _context(
    dbx: Dbx, cluster_id: str, language: str, name: str, *, lost: bool = False
) -> Work[str]:
    key = (cluster_id, language)
    known = dbx.contexts.get(key)
    if known and not lost:
        try:
            if dbx.workspace.context(cluster_id, known)["status"] == "Running":
                return known
        except WorkspaceError as error:
            if not _is_lost(error):
                raise
    if known:
        yield Note(f"The {language} variables on {name} are gone: its context ended.", "!")
    context_id = dbx.contexts[key] = dbx.workspace.create_context(cluster_id, language)
    begin = time.monotonic()
    while (context := dbx.workspace.context(cluster_id, context_id))["status"] == "Pending":
        yield Progress(name, "a context is being opened", time.monotonic() - begin)
        time.sleep(0 if dbx.is_local else 0.5)
    if context["status"] != "Running":
        del dbx.contexts[key]
        why = f": {context['reason']}" if context.get("reason") else "."
        raise WorkspaceError(
            f"{name} could not open a {language} context{why}", "Try again; `restart` helps if not."
        )
    return context_id


def _is_lost(error: WorkspaceError) -> bool:
    # API 1.2 has no error codes; both wordings have been seen.
    words = error.message.lower()
    return "context" in words and ("not found" in words or "does not exist" in words)


@dataclass(frozen=True)
class _Command:
    """A command under way; leaving ``follow`` before its end cancels it on the cluster."""

    dbx: Dbx
    cluster_id: str
    context_id: str
    command_id: str
    cluster: str

    def follow(self) -> Work[None]:
        ended = False
        try:
            failure = yield from self._streamed() if self.dbx.workspace.streams else self._polled()
            ended = True
        except (RemoteError, WorkspaceError):
            ended = True
            raise
        finally:
            if not ended:
                self.dbx.workspace.cancel_command(self.cluster_id, self.context_id, self.command_id)
        if failure is not None:
            raise RemoteError(failure.sentence, traceback=failure.traceback)

    def _streamed(self) -> Work[Failure | None]:
        cursor, failure, begin = 0, None, time.monotonic()
        tasks: Mapping[str, Any] = {}
        while True:
            answer = self.dbx.workspace.command_events(
                self.cluster_id, self.context_id, self.command_id, cursor, wait=0.9
            )
            cursor = int(answer["cursor"])
            for event in answer["events"]:
                if event["type"] == "progress":
                    tasks = event
                output = from_event(event)
                if isinstance(output, Failure):
                    failure = output
                elif output is not None:
                    yield Shown(output)
            if answer["status"] in ("Finished", "Cancelled", "Error"):
                return failure or _unsaid(answer["status"], self.cluster)
            elapsed = time.monotonic() - begin
            if elapsed > _TOLD_AFTER:
                done, total = tasks.get("done"), tasks.get("tasks") or None
                yield Progress(
                    self.cluster, "running", elapsed, None, done, total, unit="Spark tasks"
                )

    def _polled(self) -> Work[Failure | None]:
        begin = time.monotonic()
        while True:
            answer = self.dbx.workspace.command(self.cluster_id, self.context_id, self.command_id)
            if answer["status"] not in ("Queued", "Running", "Cancelling"):
                break
            elapsed = time.monotonic() - begin
            yield Progress(self.cluster, "running", elapsed)
            time.sleep(min(1.0, max(0.15, 0.15 * elapsed)))
        for output in from_results(answer.get("results") or {}):
            if isinstance(output, Failure):
                return output
            yield Shown(output)
        return _unsaid(answer["status"], self.cluster)


def _unsaid(status: str, cluster: str) -> Failure | None:
    match status:
        case "Cancelled":
            return Failure("Cancelled", f"the command was cancelled on {cluster}")
        case "Error":
            return Failure("Error", f"{cluster} gave no reason")
    return None


@dataclass(frozen=True)
class Ran:
    """A notebook that ran to its end; ``value`` is what ``dbutils.notebook.exit`` gave."""

    notebook: str
    run_id: int
    value: str
    seconds: float
    link: str

    def view(self) -> View:
        """One line; the value was shown by the cell that gave it."""
        line = f"{self.notebook}   run {self.run_id}, in {duration(self.seconds)}"
        return [Line(line, "✓", link=self.link)]


def run(
    dbx: Dbx, notebook: str, *, parameter: Mapping[str, str] | None = None, cluster: str = ""
) -> Work[Ran]:
    """Run a whole notebook on the cluster as a job run, and show the outputs of its cells.

    Args:
        notebook: A notebook of this project (`train`, `notebooks/train.ipynb`) as it was pushed,
            or any other by its path in the workspace.
        parameter: A widget's value, `name=value`; may be given more than once.
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        NotFoundError: the workspace has no such notebook.
        RemoteError: a cell raised; the message names it.
    """
    path = _remote_path(dbx, notebook)
    if dbx.workspace.object(path) is None:
        raise NotFoundError(f"There is no notebook {path} in the workspace.", "Put it there: push")
    there = cluster_called(dbx, cluster) if cluster else picked_cluster(dbx)
    there = yield from started(dbx, there)
    begin = time.monotonic()
    run_id = dbx.workspace.submit(
        {
            "run_name": path,
            "idempotency_token": uuid.uuid4().hex,
            "tasks": [
                {
                    "task_key": "notebook",
                    "existing_cluster_id": there["cluster_id"],
                    "notebook_task": {
                        "notebook_path": path,
                        "base_parameters": dict(parameter or {}),
                    },
                }
            ],
        }
    )
    ended = False
    try:
        state = yield from _follow(dbx, run_id, path)
        ended = True
    finally:
        if not ended:
            dbx.workspace.cancel_run(run_id)
    task_id = int(state["tasks"][0]["run_id"]) if state.get("tasks") else run_id
    output = dbx.workspace.run_output(task_id)
    link = str(state.get("run_page_url", ""))
    if state["state"].get("result_state") != "SUCCESS":
        raise _failed(path, run_id, state, output, link)
    value = str(output.get("notebook_output", {}).get("result") or "")
    if value and not dbx.workspace.streams:
        yield Shown(Stream("stdout", f"Notebook exited: {value}\n"))
    return Ran(path, run_id, value, time.monotonic() - begin, link)


def _remote_path(dbx: Dbx, notebook: str) -> str:
    if notebook.startswith("/") and not Path(notebook).exists():
        return notebook
    project = dbx.project
    files = [(start / notebook).resolve() for start in (dbx.here, project.root)]
    given = next((file for file in files if file.is_file()), None)
    if given is None:
        return f"{project.target.root}/{notebook.removeprefix('./')}"
    for folder in (project.notebooks.resolve(), project.workspace.resolve()):
        if folder in given.parents:
            return f"{project.target.root}/{given.relative_to(folder).with_suffix('').as_posix()}"
    raise ProjectError(
        f"{notebook} is not in {project.notebooks.name}/ or {project.workspace.name}/.",
        "Only what is there is pushed; move it, or give its path in the workspace.",
    )


def _follow(dbx: Dbx, run_id: int, path: str) -> Work[Json]:
    begin = time.monotonic()
    cursor, told = 0, Counter[int]()
    while True:
        state = dbx.workspace.run(run_id)
        ended = state["state"].get("life_cycle_state") in _ENDED
        if dbx.workspace.streams:
            answer = dbx.workspace.run_cells(run_id, cursor, wait=0 if ended else 0.9)
            cursor = int(answer["cursor"])
            for cell in answer["cells"]:
                # A cell that changed comes with all of its events, those told already included.
                for output in _outputs(cell["events"][told[cell["index"]] :]):
                    yield Shown(output)
                told[cell["index"]] = len(cell["events"])
        if ended:
            return state
        elapsed = time.monotonic() - begin
        yield Progress(path, state["state"].get("life_cycle_state", "").lower(), elapsed)
        if not dbx.workspace.streams:
            time.sleep(min(1.0, max(0.2, 0.1 * elapsed)))


def _outputs(events: Sequence[Mapping[str, Any]]) -> list[Output]:
    # The error of a failed cell is told once, at the end.
    found = [from_event(event) for event in events]
    return [item for item in found if isinstance(item, Stream | Display)]


def _failed(
    path: str, run_id: int, state: Mapping[str, Any], output: Mapping[str, Any], link: str
) -> RemoteError:
    why = output.get("error") or state["state"].get("state_message") or "no reason was given"
    return RemoteError(
        f"{path} failed (run {run_id}): {why}",
        f"See {link}" if link else "",
        traceback=str(output.get("error_trace") or "").splitlines(),
    )
