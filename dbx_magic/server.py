"""The verbs for JupyterLab: ``POST /dbx-magic/<verb>`` tells its events as JSON lines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from .dbx import Dbx
from .errors import DbxError, ProjectError, UsageError
from .events import Event, adrive
from .protocol import error_line, event_line, result_line
from .verbs import VERBS, perform

JSON_LINES = "application/x-ndjson"


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Let the Jupyter server answer for the verbs."""
    route = url_path_join(app.base_url, "dbx-magic", "([^/]+)")
    app.web_app.add_handlers(".*$", [(route, VerbHandler)])  # type: ignore[no-untyped-call]


class VerbHandler(APIHandler):
    """Performs one verb; a client that goes away closes it."""

    auth_resource = "dbx_magic"
    _track_activity = False  # a status bar that reads must not keep an idle server from its culler
    work: asyncio.Future[Any] | None = None

    @authenticated
    @authorized
    async def post(self, name: str) -> None:
        """Perform the verb on the project around ``path``."""
        self.set_header("Content-Type", JSON_LINES)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # a proxy in front must pass lines on at once
        self.work = asyncio.ensure_future(self._perform(name))
        try:
            line = result_line(await self.work)
        except (asyncio.CancelledError, StreamClosedError):
            return
        except DbxError as error:
            if not self._headers_written:
                self.set_status(error.http_status if name in VERBS else 404)
            line = error_line(error)
        await self.finish(f"{line}\n", set_content_type=JSON_LINES)

    def on_connection_close(self) -> None:
        """Stop what nobody listens to any more."""
        if self.work:
            self.work.cancel()

    async def _perform(self, name: str) -> Any:
        match self.get_json_body():
            case {"arguments": dict(arguments), "path": str(path)}:
                dbx = open_project(Path(self.settings["server_root_dir"]), path)
            case _:
                raise UsageError('The body must be {"arguments": {…}, "path": "…"}.')
        try:
            return await adrive(perform(dbx, name, arguments), self._tell)
        finally:
            await asyncio.to_thread(dbx.close)

    async def _tell(self, event: Event) -> None:
        self.write(f"{event_line(event)}\n")
        await self.flush()


def open_project(root: Path, path: str) -> Dbx:
    """Open the project that the document or folder at ``path`` (as Jupyter shows it) lies in.

    Raises:
        UsageError: the path leads out of ``root``, the folder that Jupyter was started in.
        ProjectError: the project does.
    """
    root = root.expanduser().resolve()
    place = root / path.lstrip("/")
    if "\0" in path or not place.resolve().is_relative_to(root):
        raise UsageError(f"{path!r} lies outside the folder that Jupyter was started in.")
    dbx = Dbx(place if place.is_dir() else place.parent)
    if not dbx.project.root.is_relative_to(root):
        raise ProjectError(
            f"The project {dbx.project.root} reaches outside the folder Jupyter was started in.",
            "Start Jupyter in the project's own folder, or above it.",
        )
    return dbx
