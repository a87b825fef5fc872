"""The local workspace's front: finds the operation for a request and writes its answer."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from .call import Operation, read_call
from .errors import Refused


class Operations:
    """The ASGI application that answers the operations, each at every version it is mounted at."""

    def __init__(self, operations: list[Operation], user: str) -> None:
        self._user = user
        # Hundreds of fixed paths are looked up at once; only the few with an id in them are tried.
        self._exact: dict[tuple[str, str], tuple[Operation, str]] = {}
        self._patterns = []
        for operation in operations:
            for version in operation.versions:
                path = f"/api/{version}{operation.path}" if version else operation.path
                if "{" in path:
                    regex, _, convertors = compile_path(path)
                    self._patterns.append((operation, version, regex, convertors))
                else:
                    self._exact[operation.method, path] = operation, version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        operation, version = self._find(scope)
        request = Request(scope, receive)
        try:
            call = await read_call(request, version, self._user, raw_body=operation.raw_body)
            result: Any = await operation.handler(call)
        finally:
            await request.close()
        response = result if isinstance(result, Response) else JSONResponse(result)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Operation, str]:
        method, path = scope["method"], scope["path"]
        found = self._exact.get((method, path))
        if found:
            return found
        for operation, version, regex, convertors in self._patterns:
            match = regex.match(path) if operation.method == method else None
            if match:
                scope["path_params"] = {
                    name: convertors[name].convert(value)
                    for name, value in match.groupdict().items()
                }
                return operation, version
        raise Refused("ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")
