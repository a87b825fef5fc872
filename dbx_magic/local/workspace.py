"""The local workspace put together: what it keeps, what lives in it, what it answers."""

from __future__ import annotations

from .call import Operation
from .clusters import Clusters
from .commands import Commands
from .home import Home
from .identity import operations as identity_operations
from .identity import user_name
from .libraries import Libraries
from .lifecycle import Lifecycle
from .objects import Objects
from .store import Store
from .tree import Tree


class Workspace:
    """One workspace in one data folder."""

    def __init__(self, home: Home, url: str, token: str) -> None:
        self.user = user_name()
        self._url = url
        self._store = Store(home.database)
        home.clear_scratch()
        self._tree = Tree(self._store, home, self.user)
        self._lifecycle = Lifecycle(self._store, home, url=url, token=token)

    def operations(self) -> list[Operation]:
        """Everything that can be asked over HTTP."""
        return [
            *identity_operations(self._url),
            *Objects(self._tree).operations(),
            *Clusters(self._lifecycle, self._store).operations(),
            *Libraries(self._lifecycle).operations(),
            *Commands(self._lifecycle).operations(),
        ]

    async def start(self) -> None:
        """Begin what goes on without being asked."""

    async def stop(self) -> None:
        """Stop what runs and let go of the database."""
        await self._lifecycle.stop()
        self._store.close()
