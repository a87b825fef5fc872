"""Every operation that the SDK has for what the local workspace serves is answered here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from databricks.sdk import WorkspaceClient

SERVED = (
    "cluster_policies",
    "clusters",
    "command_execution",
    "current_user",
    "dbfs",
    "files",
    "git_credentials",
    "global_init_scripts",
    "instance_pools",
    "instance_profiles",
    "jobs",
    "libraries",
    "permissions",
    "repos",
    "secrets",
    "workspace",
)


class Sent(Exception):  # noqa: N818 - nothing went wrong
    """A request that the SDK was about to send."""


def operations(client: WorkspaceClient) -> Iterator[tuple[str, str, str]]:
    """Each operation of the served APIs: its name, method and path, as the SDK sends it."""
    for service in SERVED:
        # The generated class; what is mixed in calls it.
        api = type(getattr(client, service))
        generated = next(one for one in api.__mro__ if one.__name__.endswith("API"))
        for name, function in vars(generated).items():
            public = not name.startswith(("_", "wait_")) and not name.endswith("_and_wait")
            if public and inspect.isfunction(function):
                method, path = request_of(generated, function)
                yield f"{service}.{name}", method, path


def request_of(generated: type[Any], function: Any) -> tuple[str, str]:
    """What a method sends, found by letting it send."""

    class Wire:
        _cfg = type("Config", (), {"workspace_id": None})()

        def do(self, method: str, path: str = "", **_: Any) -> None:
            raise Sent(method, path)

    api = generated(Wire())
    required = {
        name: value_for(name, parameter)
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]
        if parameter.default is inspect.Parameter.empty
    }
    try:
        result = function(api, **required)
        list(result)
    except Sent as sent:
        method, path = sent.args
        return method, path
    raise AssertionError(f"{function.__qualname__} sent nothing")


def value_for(name: str, parameter: inspect.Parameter) -> Any:
    """Something of the right kind for a parameter."""
    annotation = str(parameter.annotation)
    if name == "request_object_type":
        return "clusters"
    if name == "workspace_object_type":
        return "notebooks"
    if annotation.startswith(("List", "Iterable")):
        return []
    if name in ("file_path", "directory_path"):
        return "/Volumes/x"
    if annotation == "int":
        return 1
    if annotation in ("str", "Any"):
        return "x"
    made = type("Made", (), {"as_dict": lambda _: {}, "value": "x"})
    return made()


def test_every_operation_is_answered(server: Any, client: WorkspaceClient) -> None:
    missing, answered = [], 0
    for name, method, path in operations(client):
        answer = server.call(method, path, json={} if method in ("POST", "PUT", "PATCH") else None)
        assert answer.status_code < 500, (name, answer.text)
        if method != "HEAD" and "ENDPOINT_NOT_FOUND" in answer.text:
            missing.append(name)
        else:
            answered += 1
    assert missing == []
    assert answered >= 130
