"""Whether a push starts a pipeline: branches and paths, as Azure documents them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any


def why_not(trigger: Any, branch: str, paths: Sequence[str]) -> str:
    """Say why a push does not start a pipeline; empty when it does.

    ``trigger`` is what the file has there; without any, every push starts it.
    """
    if trigger == "none":
        return "it has no trigger"
    if isinstance(trigger, list):
        trigger = {"branches": {"include": trigger}}
    rules = trigger if isinstance(trigger, dict) else {}
    if not _passes(rules.get("branches"), [branch], _branch_pattern):
        return f"branch {branch} is not included"
    if not _passes(rules.get("paths"), paths, _path_pattern):
        return "no changed path matches"
    return ""


def _passes(rules: Any, names: Iterable[str], pattern: Any) -> bool:
    if isinstance(rules, list):
        rules = {"include": rules}
    if not isinstance(rules, dict):
        return True
    include, exclude = rules.get("include") or [], rules.get("exclude") or []
    return any(
        (not include or any(pattern(rule).fullmatch(name) for rule in include))
        and not any(pattern(rule).fullmatch(name) for rule in exclude)
        for name in names
    )


@cache
def _branch_pattern(rule: str) -> re.Pattern[str]:
    """``*`` is any text, slashes too."""
    text = re.escape(rule.removeprefix("refs/heads/"))
    return re.compile(text.replace(r"\*", ".*").replace(r"\?", "."))


@cache
def _path_pattern(rule: str) -> re.Pattern[str]:
    """``**`` is any text, ``*`` any but a slash; a folder means all that is in it."""
    parts = re.split(r"(\*\*|\*|\?)", rule.strip("/"))
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(wild.get(part) or re.escape(part) for part in parts)
    return re.compile(text if len(parts) > 1 else f"{text}(?:/.*)?")
