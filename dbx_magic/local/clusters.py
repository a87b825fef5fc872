"""The Clusters API, 2.0 and 2.1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import offers
from .call import Call, Operation, as_whole
from .cluster import LIVE, Cluster, Spec, now
from .errors import invalid
from .lifecycle import Lifecycle, reason, unexpected
from .paging import page_bounds, page_of
from .store import Store

# Fields of the requests that are about the request, not part of the spec.
_NOT_SPEC = {"cluster_id", "apply_policy_default_values", "clone_from", "idempotency_token"}
_MONTH = 30 * 24 * 3600 * 1000
_EMPTY: Mapping[str, Any] = {}


class Clusters:
    """What can be asked of clusters over HTTP."""

    def __init__(self, lifecycle: Lifecycle, store: Store) -> None:
        self._lifecycle = lifecycle
        self._store = store

    def operations(self) -> list[Operation]:
        """The operations; both versions take and give the same, but for the paging of lists."""
        both = ("2.0", "2.1")
        posts = {
            "create": self._create,
            "edit": self._edit,
            "update": self._update,
            "start": self._start,
            "restart": self._restart,
            "delete": self._delete,
            "permanent-delete": self._permanent_delete,
            "resize": self._resize,
            "pin": self._pin,
            "unpin": self._unpin,
            "change-owner": self._change_owner,
            "events": self._events,
        }
        gets = {
            "get": self._get,
            "list": self._list,
            "spark-versions": self._spark_versions,
            "list-node-types": self._node_types,
            "list-zones": self._zones,
        }
        return [
            *(Operation("POST", f"/clusters/{name}", do, both) for name, do in posts.items()),
            *(Operation("GET", f"/clusters/{name}", do, both) for name, do in gets.items()),
        ]

    async def _create(self, call: Call) -> Mapping[str, Any]:
        token = call.text("idempotency_token", "")
        known = token and self._store.get("cluster_token", token)
        if known and known["cluster_id"] in self._lifecycle.clusters:
            return known
        cluster = self._lifecycle.create(checked_spec(call.fields), call.user)
        answer = {"cluster_id": cluster.cluster_id}
        if token:
            self._store.put("cluster_token", token, answer)
        return answer

    async def _edit(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        self._lifecycle.edit(cluster, checked_spec(call.fields), call.user)
        return _EMPTY

    async def _update(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        changes = call.mapping("cluster", {})
        spec = dict(cluster.record.spec)
        for name in call.text("update_mask").split(","):
            top, _, rest = name.strip().partition(".")
            if rest or top not in changes:
                spec.pop(top, None)
            if top in changes:
                spec[top] = changes[top]
            if top in ("num_workers", "autoscale"):
                spec.pop("autoscale" if top == "num_workers" else "num_workers", None)
        self._lifecycle.edit(cluster, checked_spec(spec), call.user)
        return _EMPTY

    async def _get(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        if cluster.record.state not in ("RUNNING", "TERMINATED"):
            await cluster.bell.wait()
        return cluster.details()

    async def _list(self, call: Call) -> Mapping[str, Any]:
        month_ago = now() - _MONTH
        clusters = [
            cluster
            for cluster in self._lifecycle.clusters.values()
            if cluster.record.pinned_time
            or cluster.record.state != "TERMINATED"
            or cluster.record.terminated_time >= month_ago
        ]
        clusters.sort(key=lambda cluster: cluster.record.start_time, reverse=True)
        if call.version == "2.0":
            return {"clusters": [cluster.details() for cluster in clusters]} if clusters else {}
        shown = _sorted(call, _filtered(call, clusters))
        page, tokens = page_of(call, shown, size="page_size", usual=20, most=100)
        return {"clusters": [cluster.details() for cluster in page], **tokens}

    async def _start(self, call: Call) -> Mapping[str, Any]:
        self._lifecycle.start(self._cluster(call), call.user)
        return _EMPTY

    async def _restart(self, call: Call) -> Mapping[str, Any]:
        self._lifecycle.restart(self._cluster(call), call.user)
        return _EMPTY

    async def _delete(self, call: Call) -> Mapping[str, Any]:
        why = reason("USER_REQUEST", "SUCCESS", username=call.user)
        self._lifecycle.terminate(self._cluster(call), why)
        return _EMPTY

    async def _permanent_delete(self, call: Call) -> Mapping[str, Any]:
        self._lifecycle.forget(self._cluster(call))
        return _EMPTY

    async def _resize(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        self._lifecycle.resize(cluster, _checked_size(call.fields), call.user)
        return _EMPTY

    async def _pin(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        if not cluster.record.pinned_time:
            cluster.record.pinned_time = now()
            self._lifecycle.event(cluster, "PINNED", user=call.user)
            self._lifecycle.save(cluster)
        return _EMPTY

    async def _unpin(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        if cluster.record.pinned_time:
            cluster.record.pinned_time = 0
            self._lifecycle.event(cluster, "UNPINNED", user=call.user)
            self._lifecycle.save(cluster)
        return _EMPTY

    async def _change_owner(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        if cluster.record.state != "TERMINATED":
            raise unexpected(cluster)
        cluster.record.creator = call.text("owner_username")
        self._lifecycle.save(cluster)
        return _EMPTY

    async def _events(self, call: Call) -> Mapping[str, Any]:
        cluster = self._cluster(call)
        ascending = call.text("order", "DESC").upper() == "ASC"
        kinds = [str(kind) for kind in call.items("event_types", [])]
        size = "limit" if call.fields.get("limit") else "page_size"
        offset, limit = page_bounds(call, size=size, usual=50, most=500)
        where = "cluster_id = ? AND timestamp >= ? AND timestamp <= ?"
        since, until = call.whole("start_time", 0), call.whole("end_time", 1 << 62)
        values: list[Any] = [cluster.cluster_id, since, until]
        if kinds:
            where += f" AND type IN ({','.join('?' * len(kinds))})"
            values += kinds
        (total,) = self._store.connection.execute(
            f"SELECT count(*) FROM cluster_events WHERE {where}",  # noqa: S608 - only ? in it
            values,
        ).fetchone()
        order = "ASC" if ascending else "DESC"
        rows = self._store.connection.execute(
            f"SELECT timestamp, type, details FROM cluster_events WHERE {where}"  # noqa: S608
            f" ORDER BY timestamp {order}, rowid {order} LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )
        answer: dict[str, Any] = {
            "events": [
                {
                    "cluster_id": cluster.cluster_id,
                    "timestamp": timestamp,
                    "type": kind,
                    "details": json.loads(details),
                }
                for timestamp, kind, details in rows
            ],
            "total_count": total,
        }
        if offset + limit < total:
            answer["next_page"] = {
                "cluster_id": cluster.cluster_id,
                "order": order,
                "offset": offset + limit,
                "limit": limit,
                **({"end_time": until} if until < 1 << 62 else {}),
                **({"event_types": kinds} if kinds else {}),
            }
            answer["next_page_token"] = str(offset + limit)
        return answer

    async def _spark_versions(self, _: Call) -> Mapping[str, Any]:
        return offers.spark_versions()

    async def _node_types(self, _: Call) -> Mapping[str, Any]:
        return offers.node_types()

    async def _zones(self, _: Call) -> Mapping[str, Any]:
        return offers.zones()

    def _cluster(self, call: Call) -> Cluster:
        return self._lifecycle.get(call.text("cluster_id"))


def checked_spec(fields: Mapping[str, Any]) -> Spec:
    """The spec in a request, if a cluster can be made of it; unknown fields stay as they are."""
    spec = {name: value for name, value in fields.items() if name not in _NOT_SPEC}
    runtime = spec.get("spark_version")
    if not isinstance(runtime, str) or not runtime:
        raise invalid("Missing required field: spark_version")
    offers.check_runtime(runtime)
    pooled = spec.get("instance_pool_id")
    if not spec.get("node_type_id") and not pooled:
        raise invalid("Missing required field: node_type_id")
    for name in ("node_type_id", "driver_node_type_id"):
        if spec.get(name):
            offers.check_node_type(str(spec[name]))
    for name in ("spark_conf", "spark_env_vars", "custom_tags"):
        if not isinstance(spec.get(name) or {}, dict):
            raise invalid(f"Field {name} must be an object of strings.")
    if not isinstance(spec.get("cluster_name") or "", str):
        raise invalid("Field cluster_name must be a string.")
    minutes = as_whole("autotermination_minutes", spec.get("autotermination_minutes") or 0)
    if not 0 <= minutes <= 10000:
        raise invalid("Field autotermination_minutes must be 0 or between 1 and 10000.")
    if spec.get("is_single_node") and "num_workers" not in spec:
        spec["num_workers"] = 0
    size = _checked_size(spec)
    spec = {k: v for k, v in spec.items() if k not in ("num_workers", "autoscale")} | size
    if spec.get("node_type_id"):
        spec.setdefault("driver_node_type_id", spec["node_type_id"])
    spec.setdefault("enable_elastic_disk", False)
    return {**spec, "autotermination_minutes": minutes}


def _checked_size(fields: Mapping[str, Any]) -> dict[str, Any]:
    workers, autoscale = fields.get("num_workers"), fields.get("autoscale")
    if (workers is None) == (autoscale is None):
        raise invalid("Exactly 1 of num_workers or autoscale must be specified.")
    if workers is not None:
        number = as_whole("num_workers", workers)
        if number < 0:
            raise invalid(f"Field num_workers must be 0 or more, got {number}.")
        return {"num_workers": number}
    if not isinstance(autoscale, dict):
        raise invalid("Field autoscale must be an object with min_workers and max_workers.")
    fewest = as_whole("autoscale.min_workers", autoscale.get("min_workers", 0))
    most = as_whole("autoscale.max_workers", autoscale.get("max_workers", 0))
    if not 0 <= fewest <= most:
        raise invalid(f"autoscale.min_workers {fewest} must not exceed max_workers {most}.")
    return {"autoscale": {**autoscale, "min_workers": fewest, "max_workers": most}}


def _filtered(call: Call, clusters: list[Cluster]) -> list[Cluster]:
    states = call.items("filter_by.cluster_states", [])
    sources = call.items("filter_by.cluster_sources", [])
    if states:
        clusters = [cluster for cluster in clusters if cluster.record.state in states]
    if sources:
        clusters = [cluster for cluster in clusters if cluster.record.source in sources]
    # Clients send is_pinned=False when they mean "whether pinned or not".
    if call.flag("filter_by.is_pinned"):
        clusters = [cluster for cluster in clusters if cluster.record.pinned_time]
    return clusters


def _sorted(call: Call, clusters: list[Cluster]) -> list[Cluster]:
    if call.text("sort_by.field", "DEFAULT") == "CLUSTER_NAME":
        clusters = sorted(clusters, key=lambda cluster: cluster.name)
    else:
        # Databricks' own order: pinned ones, living ones, then the others, each newest first.
        clusters = sorted(
            clusters,
            key=lambda cluster: (not cluster.record.pinned_time, cluster.record.state not in LIVE),
        )
    return clusters[::-1] if call.text("sort_by.direction", "ASC") == "DESC" else clusters
