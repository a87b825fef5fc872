"""The local workspace put together: what it keeps, what lives in it, what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .call import Operation
from .clusters import Clusters
from .commands import Commands
from .dbfs import Dbfs
from .disk import Disk
from .files import Files
from .home import Home
from .identity import operations as identity_operations
from .identity import user_name
from .jobs import Jobs
from .libraries import Libraries
from .lifecycle import Lifecycle
from .mlflow import Mlflow
from .objects import Objects
from .permissions import Permissions
from .records import Records
from .repos import Repos
from .run_calls import RunCalls
from .runs import Runs
from .schedules import Scheduler
from .secrets import Secrets
from .store import Store
from .tree import Tree
from .vault import Vault


class Workspace:
    """One workspace in one data folder."""

    def __init__(self, home: Home, url: str, token: str) -> None:
        self.user = user_name()
        self._url = url
        self._home = home
        self._store = Store(home.database)
        home.clear_scratch()
        self._tree = Tree(self._store, home, self.user)
        self._lifecycle = Lifecycle(self._store, home, url=url, token=token)
        self._disk = Disk(home)
        self._vault = Vault(home)
        self._mlflow = Mlflow(home)
        self._runs = Runs(self._store, self._lifecycle, self._tree, home)
        self._scheduler = Scheduler(self._store, self._runs)

    def operations(self) -> list[Operation]:
        """Everything that can be asked over HTTP."""
        return [
            *identity_operations(self._url),
            *Objects(self._tree).operations(),
            *Clusters(self._lifecycle, self._store).operations(),
            *Libraries(self._lifecycle).operations(),
            *Commands(self._lifecycle).operations(),
            *Dbfs(self._disk, self._store).operations(),
            *Files(self._disk).operations(),
            *Jobs(self._store, self._runs).operations(),
            *Secrets(self._store, self._vault).operations(),
            *Repos(self._store, self._tree, self._home).operations(),
            *Records(self._store, self._vault).operations(),
            *Permissions(self._store, self._known()).operations(),
            *self._mlflow.operations(),
            *RunCalls(self._runs, self._url).operations(),
        ]

    def _known(self) -> dict[str, Callable[[str], bool]]:
        """Whether a thing that permissions are asked for exists, by its kind."""

        def is_object(object_id: str) -> bool:
            return object_id.isdecimal() and self._tree.by_id(int(object_id)) is not None

        return {
            "clusters": lambda key: key in self._lifecycle.clusters,
            "jobs": lambda key: self._store.get("job", key) is not None,
            "cluster-policies": lambda key: self._store.get("policy_id", key) is not None,
            "instance-pools": lambda key: self._store.get("instance_pool_id", key) is not None,
            **dict.fromkeys(("notebooks", "directories", "files", "repos"), is_object),
        }

    async def start(self) -> None:
        """Begin what goes on without being asked."""
        self._scheduler.start()

    async def stop(self) -> None:
        """Stop what runs and let go of the database."""
        self._scheduler.stop()
        await self._runs.stop()
        await asyncio.gather(self._lifecycle.stop(), self._mlflow.stop())
        self._store.close()
