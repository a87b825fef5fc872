"""A cluster as the API tells it: its spec, its state and what became of its libraries."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from .bell import Bell
from .offers import cores_and_memory

if TYPE_CHECKING:
    from .compute import Compute
    from .environment import Environment

Spec = dict[str, Any]
LIVE = ("PENDING", "RUNNING", "RESTARTING", "RESIZING")


@dataclass
class Library:
    """A library that a cluster should have, and how far that is."""

    library: dict[str, Any]
    status: str = "PENDING"
    messages: list[str] = field(default_factory=list)

    def details(self) -> dict[str, Any]:
        """As ``libraries/cluster-status`` gives it."""
        return {**asdict(self), "is_library_for_all_clusters": False}


@dataclass
class Record:
    """What lasts of a cluster when the server ends."""

    cluster_id: str
    spec: Spec
    creator: str
    source: str
    state: str = "TERMINATED"
    state_message: str = ""
    start_time: int = 0
    terminated_time: int = 0
    last_restarted_time: int = 0
    spark_context_id: int = 0
    pinned_time: int = 0
    termination_reason: dict[str, Any] | None = None
    libraries: list[Library] = field(default_factory=list)

    @classmethod
    def load(cls, body: dict[str, Any]) -> Record:
        """A record as the store gave it."""
        known = {item.name for item in fields(cls)}
        record = cls(**{name: value for name, value in body.items() if name in known})
        record.libraries = [Library(**library) for library in body["libraries"]]
        return record


class Cluster:
    """A cluster of this server: the record, and while it lives the processes behind it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.bell = Bell()
        self.compute: Compute | None = None
        self.environment: Environment | None = None
        self.installing = False
        # What it is doing now: starting, restarting, terminating.
        self.work: asyncio.Task[None] | None = None
        # What goes on beside as long as it runs: installing, watching for its end and idleness.
        self.beside: set[asyncio.Task[None]] = set()

    @property
    def cluster_id(self) -> str:
        """The id, as ``0224-101500-ab12cd34``."""
        return self.record.cluster_id

    @property
    def name(self) -> str:
        """The name, which need not be unique."""
        return str(self.record.spec.get("cluster_name", ""))

    @property
    def workers(self) -> int:
        """How many workers it has: the fewest, when it scales by itself."""
        autoscale = self.record.spec.get("autoscale")
        return int(autoscale["min_workers"] if autoscale else self.record.spec["num_workers"])

    def details(self) -> dict[str, Any]:
        """As ``clusters/get`` gives it."""
        record, spec = self.record, self.record.spec
        cores, memory = cores_and_memory(str(spec.get("node_type_id", "")))
        details: dict[str, Any] = {
            **spec,
            "cluster_id": self.cluster_id,
            "creator_user_name": record.creator,
            "cluster_source": record.source,
            "state": record.state,
            "state_message": record.state_message,
            "start_time": record.start_time,
            "default_tags": {
                "Vendor": "Databricks",
                "Creator": record.creator,
                "ClusterName": self.name,
                "ClusterId": self.cluster_id,
            },
            "cluster_cores": float(cores * (self.workers + 1)),
            "cluster_memory_mb": memory * (self.workers + 1),
            "jdbc_port": 10000,
            "last_state_loss_time": 0,
            "spec": spec,
        }
        if record.terminated_time:
            details["terminated_time"] = record.terminated_time
        if record.last_restarted_time:
            details["last_restarted_time"] = record.last_restarted_time
        if record.termination_reason:
            details["termination_reason"] = record.termination_reason
        if record.state in ("RUNNING", "RESIZING"):
            details["spark_context_id"] = record.spark_context_id
            details["driver"] = self._node(0)
            details["local"] = self._local()
            details["executors"] = [self._node(number + 1) for number in range(self.workers)]
        return details

    def _local(self) -> dict[str, Any]:
        """What only a cluster of this machine has: where its Spark is reached from here."""
        if self.compute is None:
            return {}
        return {
            "spark_connect_url": self.compute.connect_url,
            "spark_ui_url": self.compute.ui_url,
            "logs": str(self.compute.logs),
        }

    def _node(self, number: int) -> dict[str, Any]:
        return {
            "private_ip": "127.0.0.1",
            "public_dns": "",
            "node_id": f"{self.cluster_id}-{number}",
            "instance_id": f"{self.cluster_id}-{number}",
            "host_private_ip": "127.0.0.1",
            "start_timestamp": self.record.start_time,
        }

    def size(self) -> dict[str, Any]:
        """The size, as events give it."""
        autoscale = self.record.spec.get("autoscale")
        return {"autoscale": autoscale} if autoscale else {"num_workers": self.workers}


def new_cluster_id() -> str:
    """An id in Databricks' form: when it was made, and eight random characters."""
    return f"{time.strftime('%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"


def now() -> int:
    """The time in milliseconds, as the API counts it."""
    return time.time_ns() // 1_000_000
