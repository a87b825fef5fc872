"""Code on its way through a cluster: sent to a context, followed to its end, or stopped."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .cluster_state import READY, cluster_meant, end_words, name_of, started
from .dbx import Dbx
from .errors import DbxError, NotFoundError, RemoteError, UnreachableError, WorkspaceError
from .events import Note, Progress, Shown, Work
from .output import Failure, Output, Stream, from_event, from_results
from .view import duration
from .workspace import Json

ENDED = ("Finished", "Cancelled", "Error")
_LOOK = 0.95  # seconds that one look may wait: a verb yields at least once a second
_TOLD_AFTER = 1.0
_PATIENCE = 300.0
_MOMENT = 0.8
_PLOTS = "/plots/"
_ANEW = "Its variables are lost; the next cell begins anew."


@dataclass(frozen=True)
class Command:
    """A piece of code that a cluster has been given; ``begun`` is read from the monotonic clock."""

    id: str
    cluster_id: str
    context_id: str
    cluster: str
    code: str
    begun: float
    link: str = ""


def begin(dbx: Dbx, cluster: str, language: str, code: str) -> Work[Command]:
    """Give the cluster of that name, or the picked one, code to run; a stopped one is started.

    Raises:
        NotFoundError: there is no such cluster.
        WorkspaceError: it does not start, or its context cannot be opened.
    """
    key = cluster or dbx.project.picked or dbx.project.target.cluster
    there = dbx.ready.get(key, {})
    cluster_id = str(there.get("cluster_id"))
    if context_id := dbx.contexts.get((cluster_id, language)):
        try:
            # Most cells follow another one: then nothing needs to be asked before.
            command_id = dbx.workspace.execute(cluster_id, context_id, language, code)
            return _command(dbx, there, context_id, command_id, code)
        except UnreachableError:
            raise
        except WorkspaceError:
            dbx.ready.pop(key, None)  # it has stopped, or its context has ended
    there = dbx.ready[key] = yield from started(dbx, cluster_meant(dbx, cluster))
    return (yield from _send(dbx, there, language, code))


def _send(dbx: Dbx, cluster: Json, language: str, code: str) -> Work[Command]:
    name, cluster_id = name_of(cluster), str(cluster["cluster_id"])
    context_id = yield from _context(dbx, cluster_id, language, name)
    try:
        command_id = dbx.workspace.execute(cluster_id, context_id, language, code)
    except WorkspaceError as error:
        if not _is_lost(error):
            raise
        context_id = yield from _context(dbx, cluster_id, language, name, lost=True)
        command_id = dbx.workspace.execute(cluster_id, context_id, language, code)
    return _command(dbx, cluster, context_id, command_id, code)


def _command(dbx: Dbx, cluster: Json, context_id: str, command_id: str, code: str) -> Command:
    cluster_id, link = str(cluster["cluster_id"]), _spark_ui(dbx, cluster)
    begun = time.monotonic()
    return Command(command_id, cluster_id, context_id, name_of(cluster), code, begun, link)


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


def _spark_ui(dbx: Dbx, cluster: Json) -> str:
    local = str(cluster.get("local", {}).get("spark_ui_url") or "")
    return local or f"{dbx.workspace.host}/#setting/clusters/{cluster['cluster_id']}/sparkUi"


def follow(dbx: Dbx, command: Command, *, timeout: float = 0.0) -> Work[None]:
    """Show what a command shows until it ends; leaving it before stops it on the cluster.

    A connection that is lost meanwhile is made again, and nothing of the output is missing then.

    Raises:
        RemoteError: the code raised, or did not end within ``timeout`` seconds.
        WorkspaceError: the cluster stopped, or the workspace was away for too long.
    """
    reader = Reader(dbx, command)
    ended = False
    heard = time.monotonic()
    try:
        while not ended:
            left = command.begun + timeout - time.monotonic() if timeout else _LOOK
            try:
                outputs = reader.look(max(0.0, min(_LOOK, left)))
            except UnreachableError:
                if time.monotonic() - heard > _PATIENCE:
                    raise
                yield reader.progress("no answer from the workspace; trying again")
                continue
            except WorkspaceError as error:
                raise _cluster_gone(dbx, command) or _context_gone(command, error) from None
            heard = time.monotonic()
            ended = reader.status in ENDED
            for output in outputs:
                yield Shown(output)
            if not ended and timeout and heard - command.begun >= timeout:
                raise RemoteError(
                    f"The cell was stopped: it had not ended after {duration(timeout)}.",
                    "Give it longer with --timeout, or let it run with --background.",
                )
            if not ended:
                if heard - command.begun > _TOLD_AFTER:
                    yield reader.progress("waits for its turn" if reader.waits else "running")
                reader.rest()
    finally:
        if not ended:
            cancel(dbx, command)
    if reader.failure is not None:
        # What raised ends as Finished; anything else may be the cluster's end.
        gone = None if reader.status == "Finished" else _cluster_gone(dbx, command)
        raise gone or RemoteError(reader.failure.sentence, traceback=reader.failure.traceback)


def printed(dbx: Dbx, command: Command) -> Work[str]:
    """Follow a command of our own: give what it prints, and show nothing of it.

    Raises:
        RemoteError: the code raised.
        WorkspaceError: the cluster stopped, or the workspace was away for too long.
    """
    texts: list[str] = []
    with contextlib.closing(follow(dbx, command)) as following:
        for event in following:
            match event:
                case Shown(Stream("stdout", text)):
                    texts.append(text)
                case Progress():
                    yield event
    return "".join(texts)


def cancel(dbx: Dbx, command: Command) -> None:
    """Stop a command; one that does not stop in a moment is told of, not waited for."""
    workspace = dbx.workspace

    def ask() -> None:
        with contextlib.suppress(DbxError):
            workspace.cancel_command(command.cluster_id, command.context_id, command.id)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_MOMENT)
    if asking.is_alive():
        dbx.notes.append(f"The cell is still being stopped on {command.cluster}.")


class Reader:
    """Reads what a command has shown, each time from where it was the last time.

    ``status``, ``failed`` and ``failure`` are what the last look found; ``since`` leaves out the
    events before that number.
    """

    def __init__(self, dbx: Dbx, command: Command, since: int = 0) -> None:
        self.status = ""
        self.failed = False
        self.failure: Failure | None = None
        self._command = command
        self._workspace = dbx.workspace
        # Decided once: what answers in the workspace's place does not say it.
        self._streams = dbx.workspace.streams
        self._cursor = since
        self._text = ""
        self._tasks: Mapping[str, Any] = {}

    @property
    def waits(self) -> bool:
        """Whether other commands of its context come first."""
        return self.status == "Queued"

    def look(self, wait: float = 0.0) -> list[Output]:
        """What it has shown since the last look, waiting so many seconds for something new.

        Raises:
            UnreachableError: the workspace did not answer; the next look goes on where this began.
        """
        outputs = self._events(wait) if self._streams else self._results()
        found = [output for output in outputs if isinstance(output, Failure)]
        self.failure = found[-1] if found else self.failure
        if self.failure is None:
            self.failure = _unsaid(self.status, self._command.cluster)
        self.failed = self.failed or self.failure is not None
        return [output for output in outputs if not isinstance(output, Failure)]

    def _events(self, wait: float) -> list[Output]:
        command = self._command
        answer = self._workspace.command_events(
            command.cluster_id, command.context_id, command.id, self._cursor, wait
        )
        self._cursor, self.status = int(answer["cursor"]), answer["status"]
        self.failed = bool(answer["failed"])
        for event in answer["events"]:
            if event["type"] == "progress":
                self._tasks = event
        found = [from_event(event) for event in answer["events"]]
        return [output for output in found if output is not None]

    def _results(self) -> list[Output]:
        command = self._command
        answer = self._workspace.command(command.cluster_id, command.context_id, command.id)
        self.status = answer["status"]
        outputs = from_results(self._with_plots(answer.get("results") or {}))
        match outputs:
            # What it has printed so far may come before the end; only what is new is told.
            case [Stream("stdout", text)]:
                text = text if self.status in ENDED else text.rstrip("\n")
                new, self._text = text.removeprefix(self._text), text
                return [Stream("stdout", new)] if new else []
        return outputs if self.status in ENDED else []

    def _with_plots(self, results: Mapping[str, Any]) -> Mapping[str, Any]:
        """The results with the pictures in them that Databricks keeps as files beside them."""
        names = results.get("fileNames") or [results.get("fileName")]
        if not any(str(name).startswith(_PLOTS) for name in names):
            return results
        return {**results, "fileNames": [self._plot(str(name)) for name in names]}

    def _plot(self, name: str) -> str:
        if not name.startswith(_PLOTS):
            return name
        try:
            content = self._workspace.read_all(f"dbfs:/FileStore{name}")
        except WorkspaceError:
            return name  # it is shown by its name then
        return f"data:image/png;base64,{base64.b64encode(content).decode()}"

    def rest(self) -> None:
        """Wait before the next look, where the workspace does not hold its answer back."""
        if not self._streams:
            elapsed = time.monotonic() - self._command.begun
            time.sleep(min(1.0, max(0.02, 0.15 * elapsed)))

    def progress(self, state: str) -> Progress:
        """How far it is, in tasks of Spark where they are known."""
        elapsed = time.monotonic() - self._command.begun
        done, total = self._tasks.get("done"), self._tasks.get("tasks") or None
        name, link = self._command.cluster, self._command.link
        return Progress(name, state, elapsed, None, done, total, "Spark tasks", link)


def _unsaid(status: str, cluster: str) -> Failure | None:
    match status:
        case "Cancelled":
            return Failure("Cancelled", f"the command was cancelled on {cluster}")
        case "Error":
            return Failure("Error", f"{cluster} gave no reason")
    return None


def _cluster_gone(dbx: Dbx, command: Command) -> WorkspaceError | None:
    """What to say when the cluster of a command has stopped; ``None`` when it has not."""
    try:
        cluster = dbx.workspace.cluster(command.cluster_id)
    except NotFoundError:
        return WorkspaceError(f"{command.cluster} was deleted while the cell ran.", _ANEW)
    except DbxError:
        return None
    if cluster.get("state") in READY:
        return None
    why = f"{command.cluster} stopped while the cell ran: {end_words(cluster)}."
    return WorkspaceError(why, _ANEW)


def _context_gone(command: Command, error: WorkspaceError) -> WorkspaceError:
    if not _is_lost(error):
        return error
    return WorkspaceError(f"The cell's context on {command.cluster} ended while it ran.", _ANEW)
