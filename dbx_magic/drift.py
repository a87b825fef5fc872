"""Where a cluster is not what its spec says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .plan import Change
from .spec import SIZE, TEXTS, ClusterSpec, Json, is_sent, schema
from .view import counted

TAG = "dbx_spec"


def told_body(cluster: Json) -> dict[str, Any]:
    """The configuration of a cluster, as ``edit`` and ``create`` take it."""
    told = cluster.get("spec") or cluster
    body = {key: value for key, value in told.items() if is_sent(key) and value not in (None, "")}
    if "instance_pool_id" in body:
        body = {key: value for key, value in body.items() if not key.endswith("node_type_id")}
    size = size_of(cluster)
    return {**{key: value for key, value in body.items() if key not in SIZE}, **size}


@dataclass(frozen=True)
class Difference:
    """A field of the spec that the cluster has otherwise; ``None`` is: not at all."""

    field: str
    before: Any
    after: Any

    def change(self, reason: str) -> Change:
        """As it is shown."""
        symbol: Literal["~", "+", "−"] = "~"
        if self.before is None:
            symbol = "+"
        elif self.after is None:
            symbol = "−"
        return Change(symbol, self.field, _shown(self.before), _shown(self.after), reason)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def differences(spec: ClusterSpec, cluster: Json) -> list[Difference]:
    """Where a cluster is not what the spec says.

    Only what the spec says counts; what the workspace filled in is no difference. What an earlier
    spec said and this one no longer does is one, as long as the cluster was made from another.
    """
    told: Json = cluster.get("spec") or {}
    found: list[Difference] = []
    for key, value in spec.body.items():
        if key not in ("cluster_name", *SIZE):
            found += _differ(key, value, cluster.get(key), told.get(key))
    if (cluster.get("custom_tags") or {}).get(TAG) != spec.configuration:
        found += _left_out(spec.body, told)
    size = size_of(spec.body)
    have = size_of({key: value for key, value in cluster.items() if key in SIZE and value})
    have = have or {"num_workers": cluster.get("num_workers", 0)}
    if size and not _same(size, have):
        found.append(Difference(*_size_fields(size, have)))
    return found


def size_of(body: Json) -> Json:
    """A running autoscaling cluster tells its workers of the moment too; they are not its size."""
    if body.get("autoscale"):
        return {"autoscale": body["autoscale"]}
    return {"num_workers": body["num_workers"]} if "num_workers" in body else {}


def _size_fields(size: Json, have: Json) -> tuple[str, Any, Any]:
    name = next(iter(size))
    if name in have and name == "num_workers":
        return name, have[name], size[name]
    return name, workers_words(have), workers_words(size)


def _differ(name: str, want: Any, have: Any, told: Any) -> Iterator[Difference]:
    """Compare one field with what the cluster has and with what it was last told.

    A workspace may change what it was told (Azure always has elastic disks): that is no drift.
    """
    if isinstance(want, dict) and want:
        for key, value in want.items():
            yield from _differ(f"{name}.{key}", value, _part(have, key), _part(told, key))
    elif not _same(want, have) and (told is None or not _same(want, told)):
        yield Difference(name, have, want)


def _part(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _same(want: Any, have: Any) -> bool:
    if isinstance(want, dict) and isinstance(have, dict):
        return all(_same(value, have.get(key)) for key, value in want.items())
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        return all(map(_same, want, have))
    return bool(want == have or (not want and not have))


def _left_out(body: Json, told: Json) -> Iterator[Difference]:
    """What the cluster was told and the spec does not say, apart from what is always filled in."""
    properties = schema()["properties"]
    for key, value in told.items():
        filled = key == "driver_node_type_id" and value == told.get("node_type_id")
        known = key in properties and is_sent(key) and key not in ("cluster_name", *SIZE)
        if filled or not known:
            continue
        if key in TEXTS:
            for name, item in (value or {}).items():
                if name not in body.get(key, {}) and not name.startswith("dbx_"):
                    yield Difference(f"{key}.{name}", item, None)
        elif key not in body and value:
            yield Difference(key, value, None)


def workers_words(cluster: Json) -> str:
    """How many workers a cluster or spec has: ``3 workers``, ``2 to 8 workers``."""
    scale = cluster.get("autoscale")
    if scale:
        return f"{scale.get('min_workers')} to {scale.get('max_workers')} workers"
    workers = cluster.get("num_workers")
    return counted(int(workers), "worker") if workers is not None else ""
