"""Things that clients make and read, and that change nothing here: policies, pools, profiles …"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .call import Call, Operation
from .cluster import now
from .errors import exists, invalid, missing
from .store import Store
from .vault import Vault

Handler = Callable[[Call], Awaitable[Mapping[str, Any]]]

# Lists that are empty here, by their address and the key that clients look for.
_EMPTY_LISTS = {
    "/sql/warehouses": "warehouses",
    "/serving-endpoints": "endpoints",
    "/token/list": "token_infos",
    "/pipelines": "statuses",
}
_EMPTY_CATALOG_LISTS = ("catalogs", "schemas", "tables", "volumes", "functions", "metastores")


@dataclass(frozen=True)
class Kind:
    """One kind of record: its address, the field with its id, the one with its name, its list."""

    path: str
    key: str
    name: str
    plural: str


_POLICIES = Kind("/policies/clusters", "policy_id", "name", "policies")
_POOLS = Kind("/instance-pools", "instance_pool_id", "instance_pool_name", "instance_pools")


class Records:
    """What can be asked of such records over HTTP."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    def operations(self) -> list[Operation]:
        """The operations of their APIs."""
        by_id = "/{id}"
        scripts, credentials = "/global-init-scripts", "/git-credentials"
        return [
            *self._kept(_POLICIES, lambda _: {"is_default": False}),
            *self._kept(_POOLS, _pool),
            Operation("GET", "/instance-profiles/list", self._list_profiles),
            Operation("POST", "/instance-profiles/add", self._add_profile),
            Operation("POST", "/instance-profiles/edit", self._edit_profile),
            Operation("POST", "/instance-profiles/remove", self._remove_profile),
            Operation("POST", scripts, self._create_script),
            Operation("GET", scripts, self._list_scripts),
            Operation("GET", scripts + by_id, self._get_script),
            Operation("PATCH", scripts + by_id, self._update_script),
            Operation("DELETE", scripts + by_id, self._delete_script),
            Operation("POST", credentials, self._create_credential),
            Operation("GET", credentials, self._list_credentials),
            Operation("GET", credentials + by_id, self._get_credential),
            Operation("PATCH", credentials + by_id, self._update_credential),
            Operation("DELETE", credentials + by_id, self._delete_credential),
            *(Operation("GET", path, _empty(key)) for path, key in _EMPTY_LISTS.items()),
            *(
                Operation("GET", f"/unity-catalog/{key}", _empty(key), ("2.0", "2.1"))
                for key in _EMPTY_CATALOG_LISTS
            ),
        ]

    def _kept(self, kind: Kind, extra: Callable[[Call], dict[str, Any]]) -> list[Operation]:
        async def create(call: Call) -> Mapping[str, Any]:
            call.text(kind.name)
            key = secrets.token_hex(8).upper()
            created = {"creator_user_name": call.user, "created_at_timestamp": now()}
            self._store.put(kind.key, key, {**extra(call), **created, **call.fields, kind.key: key})
            return {kind.key: key}

        async def edit(call: Call) -> Mapping[str, Any]:
            record = self._record(kind.key, call.text(kind.key))
            self._store.put(kind.key, record[kind.key], {**record, **call.fields})
            return {}

        async def get(call: Call) -> Mapping[str, Any]:
            return self._record(kind.key, call.text(kind.key))

        async def every(_: Call) -> Mapping[str, Any]:
            return {kind.plural: list(self._store.all(kind.key).values())}

        async def delete(call: Call) -> Mapping[str, Any]:
            self._record(kind.key, call.text(kind.key))
            self._store.delete(kind.key, call.text(kind.key))
            return {}

        return [
            Operation("POST", f"{kind.path}/create", create),
            Operation("POST", f"{kind.path}/edit", edit),
            Operation("GET", f"{kind.path}/get", get),
            Operation("GET", f"{kind.path}/list", every),
            Operation("POST", f"{kind.path}/delete", delete),
        ]

    def _record(self, kind: str, key: str) -> dict[str, Any]:
        record = self._store.get(kind, key)
        if record is None:
            raise missing(f"There is no {kind.removesuffix('_id').replace('_', ' ')} {key}.")
        return record

    async def _list_profiles(self, _: Call) -> Mapping[str, Any]:
        return {"instance_profiles": list(self._store.all("instance_profile").values())}

    async def _add_profile(self, call: Call) -> Mapping[str, Any]:
        arn = call.text("instance_profile_arn")
        if self._store.get("instance_profile", arn):
            raise exists(f"Instance profile {arn} already exists.")
        kept = {k: v for k, v in call.fields.items() if k != "skip_validation"}
        self._store.put("instance_profile", arn, kept)
        return {}

    async def _edit_profile(self, call: Call) -> Mapping[str, Any]:
        profile = self._record("instance_profile", call.text("instance_profile_arn"))
        self._store.put(
            "instance_profile", profile["instance_profile_arn"], {**profile, **call.fields}
        )
        return {}

    async def _remove_profile(self, call: Call) -> Mapping[str, Any]:
        profile = self._record("instance_profile", call.text("instance_profile_arn"))
        self._store.delete("instance_profile", profile["instance_profile_arn"])
        return {}

    async def _create_script(self, call: Call) -> Mapping[str, Any]:
        key = secrets.token_hex(8).upper()
        script = _script(call, {"name": call.text("name"), "script": call.text("script")})
        others = len(self._store.all("init_script"))
        created = {"created_by": call.user, "created_at": now(), "script_id": key}
        self._store.put("init_script", key, {"position": others, **script, **created})
        return {"script_id": key}

    async def _list_scripts(self, _: Call) -> Mapping[str, Any]:
        scripts = sorted(self._store.all("init_script").values(), key=lambda one: one["position"])
        without = [{k: v for k, v in script.items() if k != "script"} for script in scripts]
        return {"scripts": without}

    async def _get_script(self, call: Call) -> Mapping[str, Any]:
        return self._record("init_script", str(call.fields["id"]))

    async def _update_script(self, call: Call) -> Mapping[str, Any]:
        script = self._record("init_script", str(call.fields["id"]))
        self._store.put("init_script", script["script_id"], {**script, **_script(call, script)})
        return {}

    async def _delete_script(self, call: Call) -> Mapping[str, Any]:
        script = self._record("init_script", str(call.fields["id"]))
        self._store.delete("init_script", script["script_id"])
        return {}

    async def _create_credential(self, call: Call) -> Mapping[str, Any]:
        number = self._store.next_number("git_credential")
        credential = {"credential_id": number, "git_provider": call.text("git_provider")}
        return self._keep_credential(credential, call)

    async def _list_credentials(self, _: Call) -> Mapping[str, Any]:
        credentials = self._store.all("git_credential").values()
        return {"credentials": [_told(credential) for credential in credentials]}

    async def _get_credential(self, call: Call) -> Mapping[str, Any]:
        return _told(self._record("git_credential", str(call.fields["id"])))

    async def _update_credential(self, call: Call) -> Mapping[str, Any]:
        self._keep_credential(self._record("git_credential", str(call.fields["id"])), call)
        return {}

    async def _delete_credential(self, call: Call) -> Mapping[str, Any]:
        credential = self._record("git_credential", str(call.fields["id"]))
        self._store.delete("git_credential", credential["credential_id"])
        return {}

    def _keep_credential(self, credential: dict[str, Any], call: Call) -> Mapping[str, Any]:
        kept = ("git_provider", "git_username", "git_email", "name", "is_default_for_provider")
        credential |= {name: call.fields[name] for name in kept if name in call.fields}
        if token := call.text("personal_access_token", ""):
            credential["sealed"] = self._vault.seal(token.encode())
        self._store.put("git_credential", credential["credential_id"], credential)
        return _told(credential)


def _told(credential: dict[str, Any]) -> dict[str, Any]:
    """A credential without its token, which is never given out."""
    return {name: value for name, value in credential.items() if name != "sealed"}


def _pool(_: Call) -> dict[str, Any]:
    stats = ("used_count", "idle_count", "pending_used_count", "pending_idle_count")
    return {"state": "ACTIVE", "stats": dict.fromkeys(stats, 0), "status": {}}


def _script(call: Call, script: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a global init script in a request."""
    changed: dict[str, Any] = {
        "name": call.text("name", str(script["name"])),
        "script": call.text("script", str(script["script"])),
        "enabled": call.flag("enabled", bool(script.get("enabled"))),
        "updated_by": call.user,
        "updated_at": now(),
    }
    if call.fields.get("position") is not None:
        changed["position"] = call.whole("position")
    try:
        base64.b64decode(changed["script"]).decode()
    except ValueError:
        raise invalid("Field script must be the script's text in base64.") from None
    return changed


def _empty(key: str) -> Handler:
    async def nothing(_: Call) -> Mapping[str, Any]:
        return {key: []}

    return nothing
