"""Events, results and errors as JSON lines, and the same as TypeScript for JupyterLab."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from . import errors, events, output
from .plan import Plan
from .verbs import VERBS
from .view import Line


def event_line(event: events.Event) -> str:
    """One event as a JSON line: ``{"event": "Progress", "subject": …}``."""
    if isinstance(event, events.Shown):
        return _line({"event": "Shown", "kind": type(event.output).__name__, **_json(event.output)})
    return _line({"event": type(event).__name__, **_json(event)})


def result_line(result: Any) -> str:
    """The last line of a verb that was done: ``{"result": {"type": "Pushed", "view": […], …}}``.

    ``view`` is the result in sentences, for a face with no words of its own for it.
    """
    lines = [_json(block) for block in result.view() if isinstance(block, Line)]
    return _line({"result": {"type": type(result).__name__, "view": lines, **_json(result)}})


def error_line(error: errors.DbxError) -> str:
    """The last line of a verb that failed: ``{"error": {"type", "message", "hint"}}``."""
    body = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    return _line({"error": body})


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json(value: Any) -> Any:
    if isinstance(value, Plan):
        changes = [_json(change) for change in value.changes]
        return {"title": value.title, "changes": changes, "fingerprint": value.fingerprint}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # as JSON.stringify has it
    return value


def typescript() -> str:
    """Write ``labextension/src/protocol.ts``: what the browser may send and will get."""
    known: dict[str, str] = {}
    arguments = [
        f"  {name}: {{ {_arguments(name)} }};"
        if VERBS[name].parameters
        else f"  {name}: Record<string, never>;"
        for name in VERBS
    ]
    results = [f"  {name}: {_result(verb.result, known)};" for name, verb in VERBS.items()]
    lasting = [name for name, verb in VERBS.items() if verb.lasts]
    shown = [output.Stream, output.Display, output.Clear, output.Failure]
    told = [events.Note, events.Progress]
    lines = [
        "// Written by dbx_magic/protocol.py (`make protocol`); a test holds the two together.",
        "",
        "export interface IArguments {",
        *arguments,
        "}",
        "",
        "export interface IResults {",
        *results,
        "}",
        "",
        f"export const VERBS = [{', '.join(repr(name) for name in VERBS)}] as const;",
        "",
        "export type Verb = (typeof VERBS)[number];",
        "",
        f"export const LASTING: readonly Verb[] = [{', '.join(repr(name) for name in lasting)}];",
        "",
        "export type Event =",
        *(f"  | ({{ event: '{kind.__name__}' }} & {_type(kind, known)})" for kind in told),
        f"  | {{ event: 'Planned'; plan: {_type(Plan, known)} }}",
        *(
            f"  | ({{ event: 'Shown'; kind: '{kind.__name__}' }} & {_type(kind, known)})"
            for kind in shown
        ),
        "  ;",
        "",
        "export interface IError {",
        "  type: string;",
        "  message: string;",
        "  hint: string;",
        "}",
        "",
    ]
    return "\n".join([*lines, *known.values()])


def _arguments(name: str) -> str:
    return "; ".join(
        f"{item.name}{'' if item.default is item.empty else '?'}: {_type(item.annotation, {})}"
        for item in VERBS[name].parameters.values()
    )


def _result(kind: Any, known: dict[str, str]) -> str:
    kinds = typing.get_args(kind) or (kind,)
    return " | ".join(
        f"({{ type: '{one.__name__}'; view: {_type(Line, known)}[] }} & {_type(one, known)})"
        for one in kinds
    )


_PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", Any: "unknown"}


def _type(kind: Any, known: dict[str, str]) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is None or kind is type(None):
        return "null"
    if kind in _PLAIN:
        return _PLAIN[kind]
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(_type(item, known) for item in inner))
    if origin is typing.Literal:
        return " | ".join(f"'{item}'" for item in inner)
    if origin is tuple:
        if inner[-1] is not Ellipsis:
            return f"[{', '.join(_type(item, known) for item in inner)}]"
        element = _type(inner[0], known)
        return f"({element})[]" if "|" in element else f"{element}[]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"Record<string, {_type(inner[1], known)}>"
    return _interface(origin or kind, known)


def _interface(kind: Any, known: dict[str, str]) -> str:
    if kind is object:
        return "unknown"
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise TypeError(f"{kind} cannot be said in TypeScript")
    name = f"I{kind.__name__}"
    if name in known:
        return name
    known[name] = ""
    if kind is Plan:
        from .plan import Change

        fields = {"title": "string", "fingerprint": "string"}
        fields["changes"] = f"{_type(Change, known)}[]"
    else:
        hints = typing.get_type_hints(kind)
        fields = {item.name: _type(hints[item.name], known) for item in dataclasses.fields(kind)}
    body = "".join(f"  {key}: {value};\n" for key, value in fields.items())
    del known[name]
    known[name] = f"export interface {name} {{\n{body}}}\n"
    return name


if __name__ == "__main__":
    print(typescript(), end="")  # noqa: T201
