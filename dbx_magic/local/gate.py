"""Who may come in: token, host and origin are checked; every error has Databricks' form."""

from __future__ import annotations

import base64
import binascii
import errno
import hmac
import json
import logging
import re
import sqlite3
import uuid
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import Refused

# Clients that drop the port reach the workspace through it as their proxy, under this name.
PROXY_HOST = "dbx.local"
_HOSTS = {"127.0.0.1", "localhost", "::1", PROXY_HOST}
_OPEN_PATHS = ("/.well-known/", "/oidc/")
_log = logging.getLogger("dbx_magic.local")


class Gate:
    """The outermost layer: nothing gets past it that has no business here, or that is a traceback.

    A web page that the user has open elsewhere can send requests to this machine too; it does not
    know the token, and neither a foreign ``Host`` nor a foreign ``Origin`` gets in.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-dbx-magic", b"events names if-modified-at"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        scope["path"] = re.sub("/{2,}", "/", scope["path"]).rstrip("/") or "/"
        try:
            self._check(scope)
            await self.app(scope, receive, send_marked)
        except ClientDisconnect:
            return
        except Exception as problem:  # noqa: BLE001 - a client must get an answer to everything
            refused = _refusal(problem, scope, request_id)
            if not started:
                await _answer(refused, scope, send_marked)

    def _check(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if _host_name(host) not in _HOSTS:
            raise Refused("PERMISSION_DENIED", "This host name is not the local workspace's.")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") != f"http://{host}":
            raise Refused("PERMISSION_DENIED", "Requests from other web pages are not answered.")
        if scope["path"] == "/" or scope["path"].startswith(_OPEN_PATHS):
            return
        credential = _credential(headers.get(b"authorization", b""))
        if not credential:
            raise Refused("401", "Credential was not sent or was of an unsupported type.", 401)
        if not hmac.compare_digest(credential, self._token):
            raise Refused("403", "Invalid access token.", 403)


def _host_name(netloc: str) -> str:
    try:
        return urlsplit("//" + netloc).hostname or ""
    except ValueError:
        return ""


def _credential(header: bytes) -> bytes:
    scheme, _, value = header.strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return value.strip()
        case b"basic":
            try:
                return base64.b64decode(value, validate=True).partition(b":")[2]
            except binascii.Error:
                return b""
    return b""


def _refusal(problem: Exception, scope: Scope, request_id: str) -> Refused:
    match problem:
        case Refused():
            return problem
        case HTTPException(status_code=404 | 405):
            target = f"{scope['method']} {scope['path']}"
            return Refused("ENDPOINT_NOT_FOUND", f"No API found for '{target}'")
        case HTTPException():
            return Refused("MALFORMED_REQUEST", str(problem.detail), problem.status_code)
    _log.exception("%s %s (%s)", scope["method"], scope["path"], request_id, exc_info=problem)
    full = isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or (isinstance(problem, sqlite3.OperationalError) and "full" in str(problem)):
        return Refused("INTERNAL_ERROR", "The disk that holds the local workspace is full.")
    if isinstance(problem, sqlite3.DatabaseError):
        return Refused("INTERNAL_ERROR", f"The local workspace's database fails: {problem}.")
    return Refused("INTERNAL_ERROR", f"Internal error; see request {request_id} in the server log.")


async def _answer(refused: Refused, scope: Scope, send: Send) -> None:
    body: dict[str, str]
    if scope["path"].startswith("/api/1.2/"):
        body = {"error": refused.message}
    else:
        body = {"error_code": refused.code, "message": refused.message}
    content = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send(
        {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content}
    )
