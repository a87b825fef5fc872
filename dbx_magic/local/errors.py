"""What the workspace refuses, in Databricks' own codes."""

from __future__ import annotations

_STATUS = {
    "ENDPOINT_NOT_FOUND": 404,
    "FEATURE_DISABLED": 404,
    "INTERNAL_ERROR": 500,
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "UNAUTHENTICATED": 401,
}


class Refused(Exception):  # noqa: N818 - said to the client in words, not a programming error
    """A request that is not carried out: Databricks' error code, its words and the HTTP status."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _STATUS.get(code, 400)


def invalid(message: str) -> Refused:
    """A field is missing, of the wrong type or out of range."""
    return Refused("INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> Refused:
    """There is no such thing."""
    return Refused("RESOURCE_DOES_NOT_EXIST", message)


def exists(message: str) -> Refused:
    """There is one already."""
    return Refused("RESOURCE_ALREADY_EXISTS", message)
