"""Who the user of the local workspace is."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse

from .call import Call, Operation
from .pages import WELCOME

ACCOUNT_ID = "00000000-0000-0000-0000-000000007070"
WORKSPACE_ID = "7070"
USER_ID = "1001"


def user_name() -> str:
    """The one user: whoever runs the server."""
    try:
        return f"{getpass.getuser()}@local"
    except (OSError, KeyError):  # a container without a name for its user
        return "you@local"


def operations(url: str) -> list[Operation]:
    """SCIM's view of the caller, and what clients ask before anything else, without a token."""

    async def discovery(_: Call) -> Mapping[str, Any]:
        return {
            "oidc_endpoint": f"{url}/oidc",
            "account_id": ACCOUNT_ID,
            "workspace_id": WORKSPACE_ID,
            "cloud": "Azure",
        }

    async def authorization_server(_: Call) -> Mapping[str, Any]:
        return {
            "issuer": f"{url}/oidc",
            "authorization_endpoint": f"{url}/oidc/v1/authorize",
            "token_endpoint": f"{url}/oidc/v1/token",
        }

    return [
        Operation("GET", "/", _welcome, ("",)),
        Operation("GET", "/.well-known/databricks-config", discovery, ("",)),
        Operation(
            "GET", "/oidc/.well-known/oauth-authorization-server", authorization_server, ("",)
        ),
        Operation("POST", "/telemetry-ext", _telemetry, ("",)),
        Operation("GET", "/preview/scim/v2/Me", _me),
    ]


async def _welcome(_: Call) -> HTMLResponse:
    return HTMLResponse(WELCOME)


async def _telemetry(_: Call) -> Mapping[str, Any]:
    return {"errors": [], "numProtoSuccess": 0}


async def _me(call: Call) -> JSONResponse:
    group = {"display": "admins", "value": "1", "type": "direct", "$ref": "Groups/1"}
    answer: dict[str, Any] = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": USER_ID,
        "userName": call.user,
        "displayName": call.user.partition("@")[0],
        "name": {"givenName": call.user.partition("@")[0]},
        "active": True,
        "emails": [{"type": "work", "value": call.user, "primary": True}],
        "groups": [group],
        "entitlements": [{"value": "allow-cluster-create"}, {"value": "workspace-access"}],
    }
    return JSONResponse(answer, headers={"X-Databricks-Org-Id": WORKSPACE_ID})
