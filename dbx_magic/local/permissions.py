"""The Permissions API 2.0: kept and told; there is one user, so nothing is forbidden to anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .call import Call, Operation
from .errors import Refused, invalid, missing
from .store import Store

_USE = ("CAN_USE", "CAN_MANAGE")
_FILES = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")
LEVELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "clusters": ("cluster", ("CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE")),
    "cluster-policies": ("cluster-policy", ("CAN_USE",)),
    "instance-pools": ("instance-pool", ("CAN_ATTACH_TO", "CAN_MANAGE")),
    "jobs": ("job", ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER")),
    "notebooks": ("notebook", _FILES),
    "directories": ("directory", _FILES),
    "files": ("file", _FILES),
    "repos": ("repo", _FILES),
    "experiments": ("mlflowExperiment", ("CAN_READ", "CAN_EDIT", "CAN_MANAGE")),
    "registered-models": ("registered-model", ("CAN_READ", "CAN_EDIT", "CAN_MANAGE")),
    "serving-endpoints": ("serving-endpoint", ("CAN_VIEW", "CAN_QUERY", "CAN_MANAGE")),
    "pipelines": ("pipelines", ("CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER")),
    "sql/warehouses": ("warehouses", ("CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER")),
    "authorization/tokens": ("tokens", _USE),
    "authorization/passwords": ("passwords", _USE),
}
_PRINCIPALS = ("user_name", "group_name", "service_principal_name")


class Permissions:
    """What can be asked of permissions over HTTP; ``known`` tells whether there is such a thing."""

    def __init__(self, store: Store, known: Mapping[str, Callable[[str], bool]]) -> None:
        self._store = store
        self._known = known

    def operations(self) -> list[Operation]:
        """The operations of the API, for each kind of thing."""
        operations = []
        for kind in LEVELS:
            path = f"/permissions/{kind}/{{id}}"
            operations += [
                Operation("GET", f"{path}/permissionLevels", self._levels(kind)),
                Operation("GET", path, self._get(kind)),
                Operation("PUT", path, self._set(kind, whole=True)),
                Operation("PATCH", path, self._set(kind, whole=False)),
            ]
        return operations

    def _levels(self, kind: str) -> Callable[[Call], Any]:
        async def levels(_: Call) -> Mapping[str, Any]:
            return {
                "permission_levels": [
                    {"permission_level": level, "description": level.replace("_", " ").lower()}
                    for level in LEVELS[kind][1]
                ]
            }

        return levels

    def _get(self, kind: str) -> Callable[[Call], Any]:
        async def get(call: Call) -> Mapping[str, Any]:
            return self._details(kind, self._id(kind, call), call.user)

        return get

    def _set(self, kind: str, *, whole: bool) -> Callable[[Call], Any]:
        async def change(call: Call) -> Mapping[str, Any]:
            key = self._id(kind, call)
            granted = _granted(kind, call.items("access_control_list", []))
            if not whole:
                granted = {**self._granted(kind, key, call.user), **granted}
            owner = next((p for p, level in granted.items() if level == "IS_OWNER"), None)
            if "IS_OWNER" in LEVELS[kind][1] and owner is None:
                raise invalid(f"The {LEVELS[kind][0]} must have exactly one owner.")
            self._store.put("permissions", f"{kind}/{key}", {"granted": granted})
            return self._details(kind, key, call.user)

        return change

    def _id(self, kind: str, call: Call) -> str:
        key = str(call.fields["id"])
        if kind in self._known and not self._known[kind](key):
            raise missing(f"{LEVELS[kind][0].capitalize()} {key} does not exist.")
        return key

    def _granted(self, kind: str, key: str, user: str) -> dict[str, str]:
        stored = self._store.get("permissions", f"{kind}/{key}")
        if stored:
            return dict(stored["granted"])
        top = "IS_OWNER" if "IS_OWNER" in LEVELS[kind][1] else LEVELS[kind][1][-1]
        return {f"user_name:{user}": top}

    def _details(self, kind: str, key: str, user: str) -> Mapping[str, Any]:
        entries = []
        for principal, level in self._granted(kind, key, user).items():
            field, _, name = principal.partition(":")
            permission = {"permission_level": level, "inherited": False}
            entries.append({field: name, "display_name": name, "all_permissions": [permission]})
        inherited = {
            "permission_level": "CAN_MANAGE",
            "inherited": True,
            "inherited_from_object": [f"/{kind}/"],
        }
        entries.append({"group_name": "admins", "all_permissions": [inherited]})
        return {
            "object_id": f"/{kind}/{key}",
            "object_type": LEVELS[kind][0],
            "access_control_list": entries,
        }


def _granted(kind: str, entries: list[Any]) -> dict[str, str]:
    granted = {}
    for entry in entries:
        fields = [name for name in _PRINCIPALS if isinstance(entry, dict) and entry.get(name)]
        if len(fields) != 1:
            raise invalid(f"Each entry must name exactly one of: {', '.join(_PRINCIPALS)}.")
        level = entry.get("permission_level")
        if level not in LEVELS[kind][1]:
            raise Refused(
                "INVALID_PARAMETER_VALUE",
                f"Permission {level} is none of: {', '.join(LEVELS[kind][1])}.",
            )
        granted[f"{fields[0]}:{entry[fields[0]]}"] = str(level)
    return granted
