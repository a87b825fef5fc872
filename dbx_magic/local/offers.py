"""The runtimes and node types on offer: Databricks' names, so that a spec can be checked here."""

from __future__ import annotations

import re
from typing import Any

from .errors import invalid

RUNTIMES = {
    "17.3.x-scala2.13": "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)",
    "17.3.x-cpu-ml-scala2.13": "17.3 LTS ML (includes Apache Spark 4.0.0, Scala 2.13)",
    "16.4.x-scala2.13": "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.13)",
    "16.4.x-scala2.12": "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)",
    "16.4.x-cpu-ml-scala2.12": "16.4 LTS ML (includes Apache Spark 3.5.2, Scala 2.12)",
    "15.4.x-scala2.12": "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)",
    "15.4.x-cpu-ml-scala2.12": "15.4 LTS ML (includes Apache Spark 3.5.0, Scala 2.12)",
    "14.3.x-scala2.12": "14.3 LTS (includes Apache Spark 3.5.0, Scala 2.12)",
}

# node type: cores, memory in MB, category
NODE_TYPES = {
    "Standard_DS3_v2": (4, 14336, "General Purpose"),
    "Standard_DS4_v2": (8, 28672, "General Purpose"),
    "Standard_DS5_v2": (16, 57344, "General Purpose"),
    "Standard_D4ds_v5": (4, 16384, "General Purpose"),
    "Standard_E4ds_v4": (4, 32768, "Memory Optimized"),
    "Standard_E8ds_v4": (8, 65536, "Memory Optimized"),
    "Standard_F4s": (4, 8192, "Compute Optimized"),
    "Standard_L4s": (4, 32768, "Storage Optimized"),
    "i3.xlarge": (4, 31232, "Storage Optimized"),
    "i3.2xlarge": (8, 62464, "Storage Optimized"),
    "m5.large": (2, 8192, "General Purpose"),
    "m5d.xlarge": (4, 16384, "General Purpose"),
    "r5d.xlarge": (4, 32768, "Memory Optimized"),
    "n1-standard-4": (4, 15360, "General Purpose"),
    "n2-highmem-4": (4, 32768, "Memory Optimized"),
}
_UNKNOWN_NODE = (4, 14336, "General Purpose")

# Specs outlive runtimes and machine series: what has the shape of a name that Databricks gives, or
# gave once, is taken, and runs on the Spark of this machine.
_RUNTIME_SHAPE = re.compile(r"(custom:)?\d+\.(\d+|x)\.(x|\d+)-([a-z0-9]+-)*scala2\.1[0-3]")
_NODE_SHAPE = re.compile(
    r"Standard_[A-Z]{1,3}\d+[A-Za-z0-9_-]*"  # Azure
    r"|[a-z]{1,3}\d[a-z]{0,4}(-flex)?\.(\d*x?large|medium|metal(-\d+xl)?)"  # AWS
    r"|[a-z]\d[a-z]?-(standard|highmem|highcpu|megamem|ultramem)-\d+(-lssd)?"  # Google Cloud
)


def check_runtime(key: str) -> None:
    """Refuse what is no runtime's name."""
    if key not in RUNTIMES and not _RUNTIME_SHAPE.fullmatch(key):
        raise invalid(f"Invalid spark version {key}. Offered: {', '.join(RUNTIMES)}.")


def runtime_note(key: str) -> str:
    """What users should know when they get another runtime than they asked for."""
    if key in RUNTIMES:
        return ""
    return f"The local workspace has no {key}: this machine's Spark runs instead."


def check_node_type(name: str) -> None:
    """Refuse what is no node type's name."""
    if name not in NODE_TYPES and not _NODE_SHAPE.fullmatch(name):
        raise invalid(
            f"Node type {name} is not supported. Supported node types: {', '.join(NODE_TYPES)}."
        )


def cores_and_memory(node_type: str) -> tuple[int, int]:
    """What a node of this type counts for, in cores and MB."""
    cores, memory, _ = NODE_TYPES.get(node_type, _UNKNOWN_NODE)
    return cores, memory


def spark_versions() -> dict[str, Any]:
    """The answer to ``clusters/spark-versions``."""
    return {"versions": [{"key": key, "name": name} for key, name in RUNTIMES.items()]}


def node_types() -> dict[str, Any]:
    """The answer to ``clusters/list-node-types``."""
    return {"node_types": [_node_type(name) for name in NODE_TYPES]}


def zones() -> dict[str, Any]:
    """The answer to ``clusters/list-zones``."""
    return {"zones": ["local-a"], "default_zone": "local-a"}


def _node_type(name: str) -> dict[str, Any]:
    cores, memory, category = NODE_TYPES[name]
    return {
        "node_type_id": name,
        "memory_mb": memory,
        "num_cores": float(cores),
        "description": name,
        "instance_type_id": name,
        "category": category,
        "is_deprecated": False,
        "is_hidden": False,
        "is_encrypted_in_transit": False,
        "is_graviton": False,
        "is_io_cache_enabled": False,
        "num_gpus": 0,
        "photon_driver_capable": False,
        "photon_worker_capable": False,
        "support_cluster_tags": True,
        "support_ebs_volumes": False,
        "support_port_forwarding": False,
        "display_order": 0,
        "node_instance_type": {"instance_type_id": name},
    }
