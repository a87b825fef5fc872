"""One request as the operations see it: its fields, wherever and however the client put them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .errors import Refused, invalid

# A notebook of 100 MB, the largest that Databricks takes, in base64.
BODY_LIMIT = 140 * 1024 * 1024

Answer = Mapping[str, Any] | Response


@dataclass(frozen=True)
class Call:
    """The fields of query, path, form and JSON body in one; numbers and flags may come as text."""

    request: Request
    version: str
    user: str
    fields: Mapping[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        """A field that is text; without a default it must be there."""
        value = self.fields.get(name)
        if value is None or (value == "" and default is None):
            if default is None:
                raise invalid(f"Missing required field: {name}")
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise invalid(f"Field {name} must be a string, got {json.dumps(value)[:100]}")
        return str(value)

    def whole(self, name: str, default: int | None = None) -> int:
        """A field that is a whole number; without a default it must be there."""
        value = self.fields.get(name)
        if value is None or value == "":
            if default is None:
                raise invalid(f"Missing required field: {name}")
            return default
        return as_whole(name, value)

    def seconds(self, name: str, longest: float) -> float:
        """How long a client is ready to wait, cut to what the server allows."""
        try:
            return max(0.0, min(float(self.text(name, "0")), longest))
        except ValueError:
            raise invalid(f"Field {name} must be a number of seconds.") from None

    def flag(self, name: str, default: bool = False) -> bool:
        """A field that is true or false, in any of the ways that clients write it."""
        value = self.fields.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
        match str(value).lower():
            case "true" | "1":
                return True
            case "false" | "0":
                return False
        raise invalid(f"Field {name} must be true or false, got {value!r}")

    def mapping(self, name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        """A field that is an object; without a default it must be there."""
        value = self.fields.get(name)
        if value is None:
            if default is None:
                raise invalid(f"Missing required field: {name}")
            return default
        if not isinstance(value, dict):
            raise invalid(f"Field {name} must be an object, got {json.dumps(value)[:100]}")
        return value

    def items(self, name: str, default: list[Any] | None = None) -> list[Any]:
        """A field that is a list; without a default it must be there."""
        value = self.fields.get(name)
        if value is None:
            if default is None:
                raise invalid(f"Missing required field: {name}")
            return default
        return value if isinstance(value, list) else [value]


def as_whole(name: str, value: Any) -> int:
    """The whole number that a client means by 3, "3" or 3.0."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise invalid(f"Field {name} must be a whole number, got {json.dumps(value)[:100]}")
    try:
        number = int(value)
    except (ValueError, OverflowError):
        raise invalid(f"Field {name} must be a whole number, got {value!r}") from None
    if isinstance(value, float) and number != value:
        raise invalid(f"Field {name} must be a whole number, got {value!r}")
    return number


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Operation:
    """One operation of the API: the function that carries it out, and where it is mounted."""

    method: str
    path: str
    handler: Handler
    versions: tuple[str, ...] = ("2.0",)
    raw_body: bool = False


async def read_call(request: Request, version: str, user: str, *, raw_body: bool) -> Call:
    """The fields of a request; a later source overrules an earlier one: query, body, path.

    The content type is believed only when it names a form: old clients send JSON as ``text/json``.
    With ``raw_body`` the body is left in the request, for the operation to stream.
    """
    fields: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        known = fields.get(name)
        if known is None:
            fields[name] = value
        else:
            fields[name] = [*known, value] if isinstance(known, list) else [known, value]
    if not raw_body:
        content_type = request.headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            fields |= await _form(request)
        else:
            body = await _body(request)
            # `curl -d '{…}'` calls its JSON a form.
            is_form = content_type.startswith("application/x-www-form-urlencoded")
            is_form = is_form and not body.lstrip().startswith(b"{")
            fields |= dict(parse_qsl(body.decode("utf-8", "replace"))) if is_form else _json(body)
    fields |= request.path_params
    return Call(request, version, user, fields)


async def _body(request: Request) -> bytes:
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_LIMIT:
            chunks.append(chunk)
    if size > BODY_LIMIT:
        raise Refused(
            "MAX_REQUEST_SIZE_EXCEEDED", f"The request has {size} bytes, at most {BODY_LIMIT}.", 413
        )
    return b"".join(chunks)


def _json(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("MALFORMED_REQUEST", "The request body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise Refused("MALFORMED_REQUEST", "The request body must be a JSON object.")
    return fields


async def _form(request: Request) -> dict[str, Any]:
    try:
        form: FormData = await request.form()
    except HTTPException as problem:
        raise Refused("MALFORMED_REQUEST", f"The form cannot be read: {problem.detail}") from None
    return dict(form.multi_items())
