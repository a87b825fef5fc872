"""The cluster spec: ``pipelines/config.cluster.json``, read and checked before anything is sent.

What a spec may hold is said once, in ``schemas/cluster.json``; editors read the same file.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from .errors import ProjectError
from .json_places import Document, Path, merged
from .secrets_scan import scan
from .view import listed

Json = Mapping[str, Any]
Place = Callable[[Path], str]
PLACEHOLDER = "CLUSTER_NAME"
SCHEMA = "cluster.schema.json"
SIZE = ("num_workers", "autoscale")
TEXTS = ("spark_conf", "spark_env_vars", "custom_tags")
_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object { … }",
    "array": "a list [ … ]",
}
_SECRET = re.compile(
    r"passw(or)?d|secret|account\.key|access\.?key(?!\.?id)|primary_key|fixed\.token"
    r"|(^|[._-])token$|api[._-]?key",
    re.IGNORECASE,
)
# Settings about a secret, which hold none: where it is, how it is got.
_ABOUT_SECRET = re.compile(
    r"provider|type|class|enable|endpoint|scope|path|file|url|expir|renew|lifetime|interval|name",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"\{\{secrets/|\$|(true|false|[\d.]*)$", re.IGNORECASE)


@dataclass(frozen=True)
class ClusterSpec:
    """A cluster as it should be: ``body`` is what the Clusters API takes, under its own names.

    ``libraries`` is ``None`` when the spec says nothing of them: then they are left alone.
    ``unknown`` names fields that this version does not know; they are sent as they are.
    """

    name: str
    body: Json
    libraries: tuple[Json, ...] | None = None
    unknown: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """A short hash of all of it: equal specs make equal clusters."""
        return _hash([self.body, self.libraries])

    @property
    def configuration(self) -> str:
        """A short hash of what needs a restart to change: without its size and its libraries."""
        return _hash({key: value for key, value in self.body.items() if key not in SIZE})

    def place(self, name: str) -> str:
        """Where a field stands: file, line and column."""
        return self.places.get(name, "the cluster spec")


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def parse_spec(
    text: str, name: str, *, where: str, overrides: Json | None = None, target: str = ""
) -> ClusterSpec:
    """Read and check a spec for the cluster ``name``; ``where`` names the file in errors.

    ``overrides`` are the fields that ``dbx.toml`` has for the ``target``; they win.

    Raises:
        ProjectError: it is no JSON, or holds what no cluster can have; the message says where.
    """
    document = Document(text, where)
    over = overrides or {}
    value = _named(_overridden(document.value, over), name)

    def place(path: Path) -> str:
        if path and path[0] in over:
            return f"dbx.toml, [targets.{target}.spec]"
        return document.place(path)

    known = copy.deepcopy(value)
    unknown: list[str] = []
    for path, names in _unknown(value, schema(), ()):
        _refuse_misspelt(path, names, place)
        unknown.append(f'{place(path)}: "{_dotted(path)}"')
        _drop(known, path)
    _check(known, place)
    return ClusterSpec(
        str(value["cluster_name"]),
        {key: item for key, item in value.items() if is_sent(key)},
        tuple(value["libraries"]) if "libraries" in value else None,
        tuple(unknown),
        {key: place((key,)) for key in value},
    )


@cache
def schema() -> Json:
    """What a spec may hold, as a JSON Schema."""
    return dict(json.loads(schema_text()))


def schema_text() -> str:
    """The schema's own text, for editors that complete and check the file."""
    return resources.files(__package__).joinpath("schemas/cluster.json").read_text("utf-8")


@cache
def _validate() -> Callable[[Json], None]:
    import fastjsonschema

    return fastjsonschema.compile(dict(schema()), use_default=False)


def is_sent(name: str) -> bool:
    """Whether a field is for the Clusters API: not the libraries, not what the workspace tells."""
    return name != "libraries" and not schema()["properties"].get(name, {}).get("readOnly")


def _overridden(value: Json, over: Json) -> dict[str, Any]:
    # One size replaces the other; both together no cluster can have.
    size = any(key in over for key in SIZE)
    base = {key: item for key, item in value.items() if not (size and key in SIZE)}
    return merged(base, over)


def _named(value: Json, name: str) -> dict[str, Any]:
    """Put the name in, and write what must be a text as one."""

    def replaced(item: Any) -> Any:
        match item:
            case str():
                return item.replace(PLACEHOLDER, name)
            case dict():
                return {key: replaced(inner) for key, inner in item.items()}
            case list():
                return [replaced(inner) for inner in item]
        return item

    said = {key: replaced(item) for key, item in value.items() if item is not None}
    full = {"cluster_name": name} | said
    for key in TEXTS:
        if isinstance(full.get(key), dict):
            full[key] = {name: _text(item) for name, item in full[key].items()}
    return full


def _text(item: Any) -> Any:
    if isinstance(item, bool):
        return "true" if item else "false"
    return str(item) if isinstance(item, int | float) else item


def _unknown(value: Any, rules: Json, path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Give each field that the schema does not name, and the names that it has there."""
    if isinstance(value, dict):
        properties = rules.get("properties", {})
        for key, item in value.items():
            if key in properties:
                yield from _unknown(item, properties[key], (*path, key))
            elif rules.get("additionalProperties") is False:
                yield (*path, key), list(properties)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(item, rules.get("items", {}), (*path, number))


def _refuse_misspelt(path: Path, names: list[str], place: Place) -> None:
    near = difflib.get_close_matches(str(path[-1]), names, 1, 0.75)
    # Deeper down there are few names, and Databricks adds none of them in passing.
    if near or len(path) > 1:
        what = "a cluster" if len(path) == 1 else f'"{_dotted(path[:-1])}"'
        raise ProjectError(
            f'{place(path)}: "{path[-1]}" is not a field of {what}.',
            f'Did you mean "{near[0]}"?' if near else f"It has: {listed(names, 8)}.",
        )


def _drop(value: Any, path: Path) -> None:
    for part in path[:-1]:
        value = value[part]
    del value[path[-1]]


def _check(value: Json, place: Place) -> None:
    import fastjsonschema

    try:
        _validate()(value)
    except fastjsonschema.JsonSchemaValueException as error:
        raise _refusal(value, error, place) from None
    scale = value.get("autoscale")
    if scale and scale["min_workers"] > scale["max_workers"]:
        raise ProjectError(
            f'{place(("autoscale",))}: "min_workers" is {scale["min_workers"]}, '
            f'more than "max_workers", which is {scale["max_workers"]}.'
        )
    for path, text in _texts(value, ()):
        name = str(path[-1])
        named = _SECRET.search(name) and not _ABOUT_SECRET.search(name)
        if (named and not _NO_SECRET.match(text)) or scan("", text.encode()):
            raise ProjectError(
                f'{place(path)}: "{name}" holds a secret in plain text.',
                "Put it into a secret scope and write {{secrets/SCOPE/KEY}} here.",
            )


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    for part, item in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield from _texts(item, (*path, part))


def _refusal(value: Json, error: Any, place: Place) -> ProjectError:
    """Say what the schema forbids as people would."""
    path = _path(value, error.name)
    where = f'{place(path)}: "{_dotted(path)}"' if path else place(path)
    found = json.dumps(error.value, ensure_ascii=False)[:60]
    rule = error.rule_definition
    match error.rule:
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            wanted = " or ".join(_KINDS[kind] for kind in kinds)
            return ProjectError(f"{where} must be {wanted}, not {found}.")
        case "enum":
            near = difflib.get_close_matches(str(error.value).upper(), rule, 1)
            hint = (
                f"Did you mean {json.dumps(near[0])}?" if near else f"It can be: {listed(rule, 9)}."
            )
            return ProjectError(f"{where} cannot be {found}.", hint)
        case "minimum":
            return ProjectError(f"{where} must be at least {rule}, not {found}.")
        case "maximum":
            return ProjectError(f"{where} must be at most {rule}, not {found}.")
        case "minLength":
            return ProjectError(f"{where} is empty.")
        case "required":
            missing = next(name for name in rule if name not in error.value)
            return ProjectError(f'{where} has no "{missing}".', "Add it.")
        case "minProperties" | "maxProperties":
            kinds = listed(list(error.definition["properties"]), 8)
            return ProjectError(f"{where} must have exactly one of: {kinds}.")
        case "not" | "anyOf":
            return ProjectError(f"{where}: {error.definition['description']}.")
    return ProjectError(f"{where}: {error.message}.")


def _path(value: Any, name: str) -> Path:
    """Read ``data.libraries[0].pypi``; names may hold dots themselves."""
    path: list[str | int] = []
    rest = name.removeprefix("data")
    while rest:
        part: str | int
        if rest[0] == "[":
            number, _, rest = rest[1:].partition("]")
            part = int(number)
        else:
            rest = rest[1:]
            name = max(_beginning(value, rest), key=len)
            part, rest = name, rest[len(name) :]
        path.append(part)
        value = value[part]
    return tuple(path)


def _beginning(names: Iterable[str], text: str) -> list[str]:
    return [name for name in names if f"{text}.".startswith((f"{name}.", f"{name}["))]


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
