"""What a workspace offers to cluster specs, and whether that is what one asks for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import ProjectError
from .policy import check_rules
from .spec import ClusterSpec, Json
from .view import Table, View, listed

NODE_TYPES = ("node_type_id", "driver_node_type_id")


@dataclass(frozen=True)
class Offered:
    """One value that a field of a spec can have, and what people call it."""

    field: str
    value: str
    about: str


@dataclass(frozen=True)
class WorkspaceOffers:
    """The runtimes, machines and policies that a spec can name."""

    offered: tuple[Offered, ...]

    def view(self) -> View:
        """A table."""
        rows = tuple((one.field, one.value, one.about) for one in self.offered)
        return [Table(rows, ("field", "value", ""))]


def offers_of(
    versions: Sequence[Json], node_types: Sequence[Json], policies: Sequence[Json]
) -> WorkspaceOffers:
    """Sort what the workspace answers by field: runtimes the newest first, machines the smallest.

    The driver's machine is one of the same, and not listed twice.
    """
    runtimes = sorted(
        (Offered("spark_version", str(one["key"]), str(one.get("name", ""))) for one in versions),
        key=lambda one: [int(part) for part in re.findall(r"\d+", one.value)[:2]],
        reverse=True,
    )
    machines = [
        Offered(NODE_TYPES[0], str(one["node_type_id"]), _machine_words(one))
        for one in sorted(node_types, key=lambda one: (_cores(one), _memory(one)))
        if not one.get("is_deprecated")
    ]
    rules = [
        Offered("policy_id", str(one["policy_id"]), str(one.get("name", ""))) for one in policies
    ]
    return WorkspaceOffers((*runtimes, *machines, *rules))


def _machine_words(node_type: Json) -> str:
    """What a machine has: ``4 cores, 14 GB``."""
    return f"{_cores(node_type):.0f} cores, {_memory(node_type) / 1024:.0f} GB"


def check_runtime(spec: ClusterSpec, versions: Sequence[Json]) -> None:
    """Refuse a runtime that is not among the workspace's ``spark-versions``.

    Raises:
        ProjectError: it is not; the hint names the nearest and the long-supported ones.
    """
    wanted = str(spec.body["spark_version"])
    keys = [str(version["key"]) for version in versions]
    if wanted in keys or wanted.startswith("custom:"):
        return
    lasting = [key for key, version in zip(keys, versions, strict=True) if _is_lasting(version)]
    raise ProjectError(
        f"{spec.place('spark_version')}: the runtime {wanted} is not offered by this workspace.",
        f"{_did_you_mean(wanted, keys)}Offered: {listed(lasting or keys, 4)}.",
    )


def check_node_types(spec: ClusterSpec, node_types: Sequence[Json]) -> None:
    """Refuse machines that are not among the workspace's node types.

    Raises:
        ProjectError: one is not; the hint names the nearest.
    """
    names = [str(node["node_type_id"]) for node in node_types]
    for field in NODE_TYPES:
        wanted = spec.body.get(field)
        if wanted and wanted not in names:
            near = _did_you_mean(str(wanted), names)
            raise ProjectError(
                f"{spec.place(field)}: the node type {wanted} is not offered by this workspace.",
                near or f"Offered: {listed(names, 6)}.",
            )


def check_policy(spec: ClusterSpec, policies: Sequence[Json]) -> None:
    """Refuse a policy that the workspace does not have for the user, and what it does not allow.

    Raises:
        ProjectError: there is no such policy, or the spec does not keep to it.
    """
    wanted = spec.body.get("policy_id")
    if not wanted:
        return
    for policy in policies:
        if policy.get("policy_id") == wanted:
            check_rules(spec, policy)
            return
    names = [f"{policy.get('policy_id')} ({policy.get('name')})" for policy in policies]
    raise ProjectError(
        f"{spec.place('policy_id')}: this workspace has no policy {wanted} for you.",
        f"It has: {listed(names, 6)}." if names else "It has none.",
    )


def _cores(node_type: Json) -> float:
    return float(node_type.get("num_cores") or 0)


def _memory(node_type: Json) -> float:
    return float(node_type.get("memory_mb") or 0)


def _is_lasting(version: Json) -> bool:
    name = str(version.get("name", ""))
    return "LTS" in name and "ML" not in name and "aarch64" not in name


def _did_you_mean(wanted: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, names, 1, 0.88)
    return f"Did you mean {near[0]}? " if near else ""
