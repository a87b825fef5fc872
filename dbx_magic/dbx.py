"""One project with its doors: what every verb is given."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import local_process
from .auth import Login, find_login
from .errors import DbxError
from .events import Note, Work
from .project import Project
from .repo import Repo
from .settings import LOCAL
from .tracking import Tracking
from .workspace import Json, Workspace

if TYPE_CHECKING:
    from .commands import Command

ResultT = TypeVar("ResultT")


class Dbx:
    """A project, its repository and its workspace, each opened when first used.

    ``contexts`` are the execution contexts this process opened, by cluster and language, and
    ``background`` the cells that run in them while others are worked on; ``ready`` has the clusters
    that ran when they were last looked at, by what they were called. ``variables`` are those of the
    notebook we are called from, ``None`` where is none; ``notebook`` is its path, and ``here`` the
    folder: what relative paths are relative to. ``remote`` is the language of plain cells that run
    on the cluster, empty while they run here, ``None`` where are no cells. ``notes`` are lines to
    tell at the next occasion. ``close`` gives the contexts back.
    """

    def __init__(self, folder: Path, target: str | None = None) -> None:
        self.contexts: dict[tuple[str, str], str] = {}
        self.ready: dict[str, Json] = {}
        self.background: list[Command] = []
        self.variables: MutableMapping[str, Any] | None = None
        self.notes: list[str] = []
        self.notebook = os.environ.get("JPY_SESSION_NAME", "")  # JupyterLab, Notebook 7
        self.remote: str | None = None
        self._workspace: Workspace | None = None
        self._checked = False
        self.refresh(folder, target)

    def refresh(self, folder: Path, target: str | None = None) -> None:
        """Look again: another folder, edited settings, another target, a restarted workspace."""
        self.here = folder
        self.project = Project.around(folder, target)
        self.repo = Repo(self.project.root)
        self._checked = False

    @property
    def workspace(self) -> Workspace:
        """The workspace of the target in use; the local one is started when it is not up."""
        known = self._workspace
        if known is not None and self._checked:
            return known
        login = find_login(self.project.target.profile) or self._local_login()
        self._checked = True
        if known is None or not _is_same(known.login, login):
            self.close()
            known = self._workspace = Workspace(login)
        return known

    @property
    def tracking(self) -> Tracking:
        """MLflow of that workspace."""
        return Tracking(self.workspace.rest)

    def _local_login(self) -> Login:
        server = local_process.find()
        if server is None:
            server = local_process.start()
            why = "" if self.project.target.profile else ": no Databricks profile was found"
            self.notes.append(f"Started the local workspace at {server.url}{why}.")
            self.contexts.clear()
        token = server.token
        return Login(server.url, lambda: {"Authorization": f"Bearer {token}"}, LOCAL)

    def telling(self, work: Work[ResultT]) -> Work[ResultT]:
        """Go on with a verb, telling before each of its events what there is to note."""
        try:
            while True:
                try:
                    event = next(work)
                except StopIteration as end:
                    yield from self.told()
                    result: ResultT = end.value
                    return result
                yield from self.told()
                yield event
        finally:
            work.close()

    def told(self) -> Iterator[Note]:
        """Give each note once."""
        while self.notes:
            yield Note(self.notes.pop(0))

    @property
    def is_local(self) -> bool:
        """Whether the workspace in use is the local one."""
        return self.workspace.login.profile == LOCAL

    def notebook_file(self) -> Path | None:
        """The file of the notebook we are called from, where it can be found."""
        if not self.notebook:
            return None
        name = Path(self.notebook)
        # Jupyter may name it from its own folder; a kernel begins beside its notebook.
        places = (self.here / name.name, self.here / name)
        return next((file for file in places if file.is_file()), None)

    def close(self) -> None:
        """Close the execution contexts that this process opened, and its connections."""
        self.background.clear()
        self.ready.clear()
        while self.contexts:
            (cluster_id, _), context_id = self.contexts.popitem()
            if self._workspace is not None:
                with contextlib.suppress(DbxError):
                    self._workspace.destroy_context(cluster_id, context_id)
        if self._workspace is not None:
            self._workspace.rest.close()


def _is_same(known: Login, login: Login) -> bool:
    if (known.host, known.profile) != (login.host, login.profile):
        return False
    # After a reset the local workspace may be where it was, with another token.
    return login.profile != LOCAL or known.headers() == login.headers()
