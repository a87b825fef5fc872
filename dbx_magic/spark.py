"""`spark` in the notebook itself: a client of the cluster's Spark, over Spark Connect."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import time
import warnings
from dataclasses import dataclass
from typing import Any

from .cluster_state import cluster_meant, name_of, started
from .dbx import Dbx
from .errors import UsageError, WorkspaceError
from .events import Progress, Work
from .view import Line, View, duration

_NEVER_BOTH = (
    "databricks-connect and pyspark never share an environment: each brings its own pyspark."
)
_CONNECT = """from databricks.connect import DatabricksSession
spark = DatabricksSession.builder.profile("{}").clusterId("{}").getOrCreate()"""


@dataclass(frozen=True)
class Connected:
    """A session on the cluster, which the notebook has as ``spark``."""

    cluster: str
    version: str
    seconds: float

    def view(self) -> View:
        """What `spark` is now, and what it does not share with cells on the cluster."""
        note = "tables are those of its cells, temporary views are its own"
        took = f"Spark {self.version} on {self.cluster}, in {duration(self.seconds)}"
        return [Line(f"spark: {took}", "✓", note)]


def spark(dbx: Dbx, *, cluster: str = "") -> Work[Connected]:
    """Give the notebook itself a `spark`: what it does runs on the cluster, over Spark Connect.

    Args:
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        UsageError: here is no notebook, or its environment has no client that works.
        WorkspaceError: the cluster does not offer Spark Connect.
    """
    if dbx.variables is None:
        raise UsageError("`spark` works in a notebook: it becomes a variable there.")
    if dbx.is_local:
        _must_have_client()
    there = yield from started(dbx, cluster_meant(dbx, cluster))
    url = there.get("local", {}).get("spark_connect_url")
    if not url:
        lines = _CONNECT.format(dbx.workspace.login.profile or "DEFAULT", there["cluster_id"])
        raise WorkspaceError(
            f"On Databricks, {name_of(there)} is reached with databricks-connect.",
            f"In an environment without pyspark ({_NEVER_BOTH}) run:\n{lines}",
        )
    begin = time.monotonic()
    yield Progress(name_of(there), "Spark Connect is being reached")
    session = _session(url)
    dbx.variables["spark"] = session
    return Connected(name_of(there), str(session.version), time.monotonic() - begin)


def _session(url: str) -> Any:
    from pyspark.sql import SparkSession

    if _is_installed("databricks-connect"):
        # Its client would speak TLS to whoever is given a token by that name.
        url = url.replace("token=", "authorization=Bearer%20")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about libraries, none of the user's
        session = SparkSession.builder.remote(url).create()
        session.version  # noqa: B018 - the first answer: now it is known to work
    return session


def _must_have_client() -> None:
    connect, plain = _is_installed("databricks-connect"), _is_installed("pyspark")
    if connect and plain:
        raise UsageError(
            "This environment has databricks-connect and pyspark, and so neither works.",
            f"{_NEVER_BOTH} Uninstall both, then install the one that you need.",
        )
    missing = [name for name in ("pyspark", "grpc", "grpc_status") if not _can_import(name)]
    if missing:
        raise UsageError(
            f"A client of Spark Connect is not installed here: {', '.join(missing)} is missing.",
            f'pip install "dbx-magic[connect]", where databricks-connect is not. {_NEVER_BOTH}',
        )


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _can_import(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
