"""One project with its doors: what every verb is given."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path

from . import local_process
from .auth import Login, find_login
from .errors import DbxError
from .project import Project
from .repo import Repo
from .workspace import Workspace


class Dbx:
    """A project, its repository and its workspace, each opened when first used.

    ``contexts`` are the execution contexts this process opened, by cluster and language; ``notes``
    are lines to tell at the next occasion. ``close`` gives the contexts back.
    """

    def __init__(self, folder: Path, target: str | None = None) -> None:
        self.project = Project.around(folder, target)
        self.contexts: dict[tuple[str, str], str] = {}
        self.notes: list[str] = []

    @cached_property
    def repo(self) -> Repo:
        """The git repository around the project."""
        return Repo(self.project.root)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace of the target in use; the local one is started when it is not up."""
        login = find_login(self.project.target.profile)
        if login is None:
            login = self._local_login()
        return Workspace(login)

    def _local_login(self) -> Login:
        server = local_process.find()
        if server is None:
            server = local_process.start()
            why = "" if self.project.target.profile else ", because no Databricks profile was found"
            self.notes.append(f"Started the local workspace at {server.url}{why}.")
        token = server.token
        return Login(server.url, lambda: {"Authorization": f"Bearer {token}"}, "local")

    @property
    def is_local(self) -> bool:
        """Whether the workspace in use is the local one."""
        return self.workspace.login.profile == "local"

    def close(self) -> None:
        """Close the execution contexts that this process opened."""
        while self.contexts:
            (cluster_id, _), context_id = self.contexts.popitem()
            with contextlib.suppress(DbxError):
                self.workspace.destroy_context(cluster_id, context_id)
