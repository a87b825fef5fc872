"""The Secrets API 2.0; values are encrypted on the disk."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from .call import Call, Operation
from .cluster import now
from .errors import Refused, exists, invalid, missing
from .store import Store
from .vault import Vault

_NAME = re.compile(r"[A-Za-z0-9\-_.@]{1,128}")
_VALUE_LIMIT = 128 * 1024
_PERMISSIONS = ("MANAGE", "WRITE", "READ")


class Secrets:
    """What can be asked of secrets over HTTP."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    def operations(self) -> list[Operation]:
        """The operations of the API."""
        posts = {
            "scopes/create": self._create_scope,
            "scopes/delete": self._delete_scope,
            "put": self._put,
            "delete": self._delete,
            "acls/put": self._put_acl,
            "acls/delete": self._delete_acl,
        }
        gets = {
            "scopes/list": self._list_scopes,
            "list": self._list,
            "get": self._get,
            "acls/list": self._list_acls,
            "acls/get": self._get_acl,
        }
        return [
            *(Operation("POST", f"/secrets/{name}", do) for name, do in posts.items()),
            *(Operation("GET", f"/secrets/{name}", do) for name, do in gets.items()),
        ]

    async def _create_scope(self, call: Call) -> Mapping[str, Any]:
        name = _name(call, "scope")
        if self._store.get("secret_scope", name):
            raise exists(f"Scope {name} already exists!")
        backend = call.text("scope_backend_type", "DATABRICKS")
        if backend != "DATABRICKS":
            raise invalid(f"The local workspace has no secrets of the kind {backend}.")
        principal = call.text("initial_manage_principal", "") or call.user
        scope = {"name": name, "backend_type": backend, "acls": {principal: "MANAGE"}}
        self._store.put("secret_scope", name, scope)
        return {}

    async def _delete_scope(self, call: Call) -> Mapping[str, Any]:
        scope = self._scope(call)
        for key in self._secrets(scope):
            self._store.delete("secret", f"{scope['name']}/{key}")
        self._store.delete("secret_scope", scope["name"])
        return {}

    async def _list_scopes(self, _: Call) -> Mapping[str, Any]:
        scopes = [
            {"name": scope["name"], "backend_type": scope["backend_type"]}
            for scope in self._store.all("secret_scope").values()
        ]
        return {"scopes": scopes} if scopes else {}

    async def _put(self, call: Call) -> Mapping[str, Any]:
        scope, key = self._scope(call), _name(call, "key")
        given = [
            name for name in ("string_value", "bytes_value") if call.fields.get(name) is not None
        ]
        if len(given) != 1:
            raise invalid("Exactly one of string_value and bytes_value must be specified.")
        if given == ["string_value"]:
            value = call.text("string_value", "").encode()
        else:
            value = _decoded(call.text("bytes_value", ""))
        if len(value) > _VALUE_LIMIT:
            raise invalid(f"The secret has {len(value)} bytes, at most {_VALUE_LIMIT} are kept.")
        secret = {"sealed": self._vault.seal(value), "last_updated_timestamp": now()}
        self._store.put("secret", f"{scope['name']}/{key}", secret)
        return {}

    async def _get(self, call: Call) -> Mapping[str, Any]:
        scope, key = self._scope(call), call.text("key")
        secret = self._secret(scope, key)
        value = base64.b64encode(self._vault.open(secret["sealed"])).decode()
        return {"key": key, "value": value}

    async def _list(self, call: Call) -> Mapping[str, Any]:
        secrets = self._secrets(self._scope(call))
        if not secrets:
            return {}
        return {
            "secrets": [
                {"key": key, "last_updated_timestamp": secret["last_updated_timestamp"]}
                for key, secret in secrets.items()
            ]
        }

    async def _delete(self, call: Call) -> Mapping[str, Any]:
        scope, key = self._scope(call), call.text("key")
        self._secret(scope, key)
        self._store.delete("secret", f"{scope['name']}/{key}")
        return {}

    async def _put_acl(self, call: Call) -> Mapping[str, Any]:
        scope, principal = self._scope(call), call.text("principal")
        permission = call.text("permission")
        if permission not in _PERMISSIONS:
            raise invalid(f"Permission must be one of: {', '.join(_PERMISSIONS)}.")
        acls = {**scope["acls"], principal: permission}
        self._store.put("secret_scope", scope["name"], {**scope, "acls": acls})
        return {}

    async def _delete_acl(self, call: Call) -> Mapping[str, Any]:
        scope = self._scope(call)
        acl = self._acl(scope, call)
        acls = {name: right for name, right in scope["acls"].items() if name != acl["principal"]}
        self._store.put("secret_scope", scope["name"], {**scope, "acls": acls})
        return {}

    async def _list_acls(self, call: Call) -> Mapping[str, Any]:
        acls = self._scope(call)["acls"]
        items = [{"principal": name, "permission": right} for name, right in acls.items()]
        return {"items": items} if items else {}

    async def _get_acl(self, call: Call) -> Mapping[str, Any]:
        return self._acl(self._scope(call), call)

    def _scope(self, call: Call) -> dict[str, Any]:
        name = call.text("scope")
        scope = self._store.get("secret_scope", name)
        if scope is None:
            raise missing(f"Scope {name} does not exist!")
        return scope

    def _secrets(self, scope: dict[str, Any]) -> dict[str, dict[str, Any]]:
        prefix = f"{scope['name']}/"
        secrets = self._store.all("secret")
        return {k.removeprefix(prefix): v for k, v in secrets.items() if k.startswith(prefix)}

    def _secret(self, scope: dict[str, Any], key: str) -> dict[str, Any]:
        secret = self._store.get("secret", f"{scope['name']}/{key}")
        if secret is None:
            raise missing(f"Secret does not exist with scope: {scope['name']} and key: {key}")
        return secret

    def _acl(self, scope: dict[str, Any], call: Call) -> dict[str, Any]:
        principal = call.text("principal")
        if principal not in scope["acls"]:
            raise missing(f"{principal} has no permission on scope {scope['name']}.")
        return {"principal": principal, "permission": scope["acls"][principal]}


def _name(call: Call, field: str) -> str:
    name = call.text(field)
    if not _NAME.fullmatch(name):
        raise Refused(
            "INVALID_PARAMETER_VALUE",
            f"{field} {name[:100]!r} must be 1 to 128 letters, digits, '-', '_', '.' or '@'.",
        )
    return name


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        raise invalid("Field bytes_value must be base64.") from None
