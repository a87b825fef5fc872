"""Whether a cluster spec keeps to the compute policy that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import ProjectError
from .spec import TEXTS, ClusterSpec, Json


def check_rules(spec: ClusterSpec, policy: Json) -> None:
    """Refuse a spec that its policy would: before anything is sent, naming field and rule.

    What a spec leaves out the policy may fill in; rules of kinds never seen before are passed over.

    Raises:
        ProjectError: a field that the policy forbids, or a value that it does not allow.
    """
    rules: Mapping[str, Any] = json.loads(policy.get("definition") or "{}")
    for path, rule in rules.items():
        for value in _values(spec.body, path):
            why = _against(value, rule)
            if why:
                raise ProjectError(
                    f"{spec.place(path.partition('.')[0])}: the policy {policy.get('name')!r} "
                    f'{why} "{path}", which is {json.dumps(value, ensure_ascii=False)}.',
                    "Change it, or leave it out for the policy to fill in.",
                )


def _values(body: Json, path: str) -> Iterator[Any]:
    """What the spec says at a policy's path: none, one, or several where it has a ``*``."""
    top, _, rest = path.partition(".")
    if top in TEXTS:
        if rest in body.get(top, {}):
            yield body[top][rest]
        return
    yield from _deeper(body, path.split("."))


def _deeper(value: Any, parts: list[str]) -> Iterator[Any]:
    if not parts:
        yield value
    elif isinstance(value, dict) and parts[0] in value:
        yield from _deeper(value[parts[0]], parts[1:])
    elif isinstance(value, list) and (parts[0] == "*" or parts[0].isdecimal()):
        chosen = value if parts[0] == "*" else value[int(parts[0]) : int(parts[0]) + 1]
        for item in chosen:
            yield from _deeper(item, parts[1:])


def _against(value: Any, rule: Mapping[str, Any]) -> str:
    """What the rule does with a value that it does not allow, as a verb; empty when it does."""
    match rule.get("type"):
        case "forbidden":
            return "forbids"
        case "fixed" if not _equal(value, rule.get("value")):
            return f"wants {json.dumps(rule.get('value'), ensure_ascii=False)} as"
        case "allowlist" if not any(_equal(value, item) for item in rule.get("values", [])):
            return f"allows only {', '.join(map(str, rule.get('values', [])))} as"
        case "blocklist" if any(_equal(value, item) for item in rule.get("values", [])):
            return "forbids this"
        case "regex" if not re.fullmatch(str(rule.get("pattern", "")), str(value)):
            return f"allows only what matches {rule.get('pattern')} as"
        case "range" if isinstance(value, int | float):
            least, most = rule.get("minValue", value), rule.get("maxValue", value)
            if not least <= value <= most:
                limits = [f"at least {least}"] if "minValue" in rule else []
                limits += [f"at most {most}"] if "maxValue" in rule else []
                return f"wants {' and '.join(limits)} as"
    return ""


def _equal(value: Any, wanted: Any) -> bool:
    """Policies write texts, numbers and booleans as either."""
    return bool(value == wanted) or str(value).lower() == str(wanted).lower()
