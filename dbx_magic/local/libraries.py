"""The Libraries API: what each cluster should have installed, and how far that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .call import Call, Operation
from .cluster import Cluster, Library
from .errors import invalid
from .lifecycle import Lifecycle

_KINDS = ("pypi", "maven", "cran", "jar", "egg", "whl", "requirements")
_REQUIRED = {"pypi": "package", "maven": "coordinates", "cran": "package"}


class Libraries:
    """What can be asked of clusters' libraries over HTTP."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def operations(self) -> list[Operation]:
        """The operations of the API."""
        return [
            Operation("POST", "/libraries/install", self._install),
            Operation("POST", "/libraries/uninstall", self._uninstall),
            Operation("GET", "/libraries/cluster-status", self._cluster_status),
            Operation("GET", "/libraries/all-cluster-statuses", self._all_statuses),
        ]

    async def _install(self, call: Call) -> Mapping[str, Any]:
        cluster = self._lifecycle.get(call.text("cluster_id"))
        add_libraries(cluster, _libraries(call))
        self._lifecycle.save(cluster)
        self._lifecycle.install_pending(cluster)
        return {}

    async def _uninstall(self, call: Call) -> Mapping[str, Any]:
        cluster = self._lifecycle.get(call.text("cluster_id"))
        unwanted = _libraries(call)
        kept = []
        for library in cluster.record.libraries:
            if library.library not in unwanted:
                kept.append(library)
            elif cluster.record.state != "TERMINATED":
                # Programs may use it: it goes when they do.
                library.status = "UNINSTALL_ON_RESTART"
                kept.append(library)
        cluster.record.libraries = kept
        self._lifecycle.save(cluster)
        return {}

    async def _cluster_status(self, call: Call) -> Mapping[str, Any]:
        return _statuses(self._lifecycle.get(call.text("cluster_id")))

    async def _all_statuses(self, _: Call) -> Mapping[str, Any]:
        clusters = self._lifecycle.clusters.values()
        return {"statuses": [_statuses(cluster) for cluster in clusters]}


def add_libraries(cluster: Cluster, wanted: list[dict[str, Any]]) -> None:
    """Note that a cluster should have these; one that failed before is tried again."""
    for library in wanted:
        for known in cluster.record.libraries:
            if known.library == library:
                if known.status in ("FAILED", "UNINSTALL_ON_RESTART"):
                    known.status, known.messages = "PENDING", []
                break
        else:
            cluster.record.libraries.append(Library(library))


def checked_libraries(libraries: list[Any]) -> list[dict[str, Any]]:
    """The libraries in a request, each of one known kind."""
    for library in libraries:
        if not isinstance(library, dict) or len(library) != 1 or next(iter(library)) not in _KINDS:
            raise invalid(f"A library must have exactly one of: {', '.join(_KINDS)}.")
        kind, value = next(iter(library.items()))
        required = _REQUIRED.get(kind)
        text = value.get(required) if required and isinstance(value, dict) else value
        if not isinstance(text, str) or not text.strip():
            where = f"{kind}.{required}" if required else kind
            raise invalid(f"Missing required field: libraries.{where}")
    return libraries


def _libraries(call: Call) -> list[dict[str, Any]]:
    return checked_libraries(call.items("libraries"))


def _statuses(cluster: Cluster) -> dict[str, Any]:
    libraries = [library.details() for library in cluster.record.libraries]
    return {"cluster_id": cluster.cluster_id, "library_statuses": libraries}
