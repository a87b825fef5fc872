"""The verbs for JupyterLab: ``POST /dbx-magic/<verb>`` tells its events as JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from .errors import ConflictError, DbxError, ProjectError, UsageError

# All else is imported with the first request, because every start of Jupyter waits for this file.
if TYPE_CHECKING:
    from .dbx import Dbx
    from .events import Event
    from .verbs import Verb

JSON_LINES = "application/x-ndjson"
LOG = logging.getLogger(__name__)


def _link_jupyter_server_extension(app: ServerApp) -> None:
    # Before the contents manager is made: it reads once which files can be notebooks.
    if "jupytext" not in sys.modules:
        return  # Jupyter's contents are not jupytext's
    from .textformats import register

    try:
        register()
    except DbxError as error:
        app.log.warning("dbx_magic: %s", error)


def _load_jupyter_server_extension(app: ServerApp) -> None:
    shared: dict[str, Any] = {"lasting": {}}
    here = url_path_join(app.base_url, "dbx-magic")
    routes = [(here, LastingHandler, shared), (f"{here}/([^/]+)", VerbHandler, shared)]
    app.web_app.add_handlers(".*$", routes)  # type: ignore[no-untyped-call]


class Ongoing:
    """A verb under way and what it told so far, for any number of listeners.

    When the last listener leaves, a verb that only reads is stopped; one that changes something
    goes on, to be found again by a page that was reloaded. So does the run of a notebook: who
    begins an hour's work does not mean to watch it.
    """

    def __init__(self, dbx: Dbx, verb: Verb, arguments: Mapping[str, Any]) -> None:
        self.verb = verb
        self.root = dbx.project.root
        self.begun = time.monotonic()
        self.error: DbxError | None = None
        self.done = False
        self._told: dict[object, str] = {}
        self._listeners: set[asyncio.Queue[str]] = set()
        self._task = asyncio.create_task(self._perform(dbx, arguments), name=f"dbx {verb.name}")

    def stop(self) -> None:
        """Close the verb, as an interrupt does in a kernel."""
        self._task.cancel()

    async def lines(self) -> AsyncGenerator[str, None]:
        """Give the lines told so far, of progress only the latest, then each as it comes."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        for line in self._told.values():
            queue.put_nowait(line)
        self._listeners.add(queue)
        try:
            while not (self.done and queue.empty()):
                yield await queue.get()
        finally:
            self._listeners.discard(queue)
            if not (self._listeners or self.verb.lasts):
                self.stop()

    async def _perform(self, dbx: Dbx, arguments: Mapping[str, Any]) -> None:
        from .events import adrive
        from .protocol import error_line, result_line
        from .verbs import perform

        try:
            last = result_line(await adrive(perform(dbx, self.verb.name, arguments), self._tell))
        except asyncio.CancelledError:
            self.error = DbxError(f"{self.verb.name} was stopped.")
        except DbxError as error:
            self.error = error
        except Exception:
            LOG.exception("dbx_magic: %s failed", self.verb.name)
            self.error = DbxError(
                f"{self.verb.name} failed, and this is a bug.", "Jupyter's log has the details."
            )
        with contextlib.suppress(DbxError):
            await asyncio.to_thread(dbx.close)
        self.done = True
        self._say("end", error_line(self.error) if self.error else last)

    async def _tell(self, event: Event) -> None:
        from .events import Progress
        from .protocol import event_line

        key = ("progress", event.subject) if isinstance(event, Progress) else len(self._told)
        self._say(key, event_line(event))

    def _say(self, key: object, line: str) -> None:
        self._told.pop(key, None)
        self._told[key] = line
        for queue in self._listeners:
            queue.put_nowait(line)


class _Handler(APIHandler):
    auth_resource = "dbx_magic"
    _track_activity = False  # a status bar that reads must not keep an idle server from its culler

    def initialize(self, lasting: dict[tuple[Path, bool], Ongoing]) -> None:
        """``lasting`` holds, for each project, the changing verb and the run last begun."""
        self.lasting = lasting
        self.telling: asyncio.Future[None] | None = None

    def open(self, path: str) -> Dbx:
        return open_project(Path(self.settings["server_root_dir"]), path)

    async def tell(self, ongoing: Ongoing) -> None:
        """Pass on what a verb tells until it ends or the client goes away."""
        self.set_header("Content-Type", JSON_LINES)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # a proxy in front must pass lines on at once
        self.telling = asyncio.ensure_future(self._tell(ongoing))
        with contextlib.suppress(asyncio.CancelledError, StreamClosedError):
            await self.telling
            await self.finish(set_content_type=JSON_LINES)

    async def _tell(self, ongoing: Ongoing) -> None:
        async with contextlib.aclosing(ongoing.lines()) as lines:
            async for line in lines:
                if ongoing.error and not self._headers_written:
                    self.set_status(ongoing.error.http_status)
                self.write(f"{line}\n")
                await self.flush()

    async def find(self) -> list[tuple[tuple[Path, bool], Ongoing]]:
        """Give what goes on with the project around ``path``, or did so last."""
        try:
            root = self.open(self.get_query_argument("path", "")).project.root
        except DbxError as error:
            await self.refuse(error, error.http_status)
            return []
        self.set_status(204)
        places = [(root, True), (root, False)]
        return [(place, self.lasting[place]) for place in places if place in self.lasting]

    async def refuse(self, error: DbxError, status: int) -> None:
        from .protocol import error_line

        self.set_status(status)
        await self.finish(f"{error_line(error)}\n", set_content_type=JSON_LINES)

    def on_connection_close(self) -> None:
        """Stop listening."""
        if self.telling:
            self.telling.cancel()


class VerbHandler(_Handler):
    """Performs a verb."""

    @authenticated
    @authorized
    async def post(self, name: str) -> None:
        """Perform the verb on the project around ``path``."""
        from .verbs import VERBS

        try:
            ongoing = self._begin(name)
        except DbxError as error:
            await self.refuse(error, error.http_status if name in VERBS else 404)
        else:
            await self.tell(ongoing)

    @authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Stop it when it goes on, and forget what is done."""
        found = await self.find()
        for _, ongoing in found:
            if ongoing.verb.name == name:
                ongoing.stop()
        for place, ongoing in found:
            if ongoing.done:
                del self.lasting[place]

    def _begin(self, name: str) -> Ongoing:
        from .verbs import find_verb

        verb = find_verb(name)
        match self.get_json_body():
            case {"arguments": dict(arguments), "path": str(path)}:
                dbx = self.open(path)
            case _:
                raise UsageError('The body must be {"arguments": {…}, "path": "…"}.')
        if not verb.lasts:
            return Ongoing(dbx, verb, arguments)
        place = (dbx.project.root, verb.changes)
        other = self.lasting.get(place)
        if other and not other.done:
            raise ConflictError(
                f"{other.verb.name} is under way in {other.root}.",
                "Wait until it is done, or stop it.",
            )
        ongoing = self.lasting[place] = Ongoing(dbx, verb, arguments)
        return ongoing


class LastingHandler(_Handler):
    """What goes on with a project, or did so last, whoever began it."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Listen to it; the first line is its name."""
        found = [ongoing for _, ongoing in await self.find()]
        if found:
            ongoing = min(found, key=lambda one: (one.done, -one.begun))
            self.set_status(200)
            self.write(json.dumps({"verb": ongoing.verb.name}) + "\n")
            await self.tell(ongoing)


def open_project(root: Path, path: str) -> Dbx:
    """Open the project that the document or folder at ``path`` (as Jupyter shows it) lies in.

    Raises:
        UsageError: the path leads out of ``root``, the folder that Jupyter was started in.
        ProjectError: the project does.
    """
    from .dbx import Dbx

    root = root.expanduser().resolve()
    place = root / path.lstrip("/")
    if "\0" in path or not place.resolve().is_relative_to(root):
        raise UsageError(f"{path!r} lies outside the folder that Jupyter was started in.")
    dbx = Dbx(place if place.is_dir() else place.parent)
    dbx.notebook = str(place) if place.is_file() else ""
    if not dbx.project.root.is_relative_to(root):
        raise ProjectError(
            f"The project {dbx.project.root} reaches outside the folder Jupyter was started in.",
            "Start Jupyter in the project's own folder, or above it.",
        )
    return dbx
