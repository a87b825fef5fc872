"""The serverless environment of a notebook: a block of comments in source, a key in .ipynb."""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = r'"(?:[^"\\]|\\.)*"'
_VALUE = re.compile(rf"^(base_environment|environment_version) = ({_STRING})$", re.MULTILINE)
_DEPENDENCY = re.compile(rf"^  ({_STRING}),$", re.MULTILINE)


def environment_block(environment: object, comment: str) -> str:
    """Write Databricks' ``environmentMetadata`` as its block; empty when it says nothing.

    ``comment`` is what begins a comment in the notebook's language.
    """
    if not isinstance(environment, dict):
        return ""
    lines = [
        f"{key} = {_quoted(value)}"
        for key in ("base_environment", "environment_version")
        if isinstance(value := environment.get(key), str) and value
    ]
    found = environment.get("dependencies")
    if isinstance(found, list) and (names := [name for name in found if isinstance(name, str)]):
        lines += ["dependencies = [", *(f"  {_quoted(name)}," for name in names), "]"]
    if not lines:
        return ""
    block = ["/// script", "[tool.databricks.environment]", *lines, "///"]
    return "\n".join([f"{comment} {line}" for line in block])


def environment_metadata(block: str, comment: str) -> dict[str, Any] | None:
    """Read such a block; ``None`` for none, and for one that Databricks writes differently."""
    if not block:
        return None
    text = "\n".join([line.removeprefix(comment)[1:] for line in block.split("\n")])
    try:
        environment: dict[str, Any] = {"base_environment": ""}
        environment.update((found[1], json.loads(found[2])) for found in _VALUE.finditer(text))
        if names := [json.loads(found[1]) for found in _DEPENDENCY.finditer(text)]:
            environment["dependencies"] = names
    except ValueError:
        return None
    return environment if environment_block(environment, comment) == block else None


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
