"""Where in a JSON file each value stands, so that an error can name the line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from .errors import ProjectError

Path = tuple[str | int, ...]
_WIDTH = 100
_SPACE = re.compile(r"\s*")


class Document:
    """A JSON object as it stands in a file: its ``value``, and the place of each part of it."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self._text = text
        self._offsets: dict[Path, int] = {}
        self._ends: dict[str, int] = {}  # of the fields of the object itself
        try:
            self.value: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise ProjectError(
                f"{self._at(error.pos)}: this is not valid JSON: {_words(error)}.",
                _hint(text, error.pos),
            ) from None
        if not isinstance(self.value, dict):
            raise ProjectError(f"{where} must hold one JSON object: {{ … }}.")
        self._read(self._skip(0), ())

    def place(self, path: Path) -> str:
        """Where a value stands: ``config.cluster.json, line 7, column 3``; a field at its name."""
        while path not in self._offsets and path:
            path = path[:-1]
        return self._at(self._offsets[path]) if path else self.where

    def with_field(self, name: str, value: Any) -> str:
        """The text with one of its fields set, or taken away; everything else stays as it stands.

        >>> Document('{ "a": 1,  "b": [2] }', "").with_field("a", 3)
        '{ "a": 3,  "b": [2] }'
        """
        if value == self.value.get(name) and type(value) is type(self.value.get(name)):
            return self._text
        names = list(self._ends)
        if name in names and value is None:
            return self._without(names, names.index(name))
        if name in names:
            start = self._skip(self._skip(scanstring(self._text, self._offsets[name,] + 1)[1]) + 1)
            end = self._ends[name]
            written = _written(value, self._indent, flat="\n" not in self._text[start:end])
            return self._text[:start] + written + self._text[end:]
        if value is None:
            return self._text
        indent = self._indent
        written = f"{json.dumps(name)}: {_written(value, indent, flat=isinstance(value, dict))}"
        gap = f"\n{indent}" if indent or not names else " "
        if names:
            at = self._ends[names[-1]]
            return f"{self._text[:at]},{gap}{written}{self._text[at:]}"
        return f"{{{gap}{written}\n}}\n"

    def _without(self, names: list[str], index: int) -> str:
        start, end = self._offsets[names[index],], self._ends[names[index]]
        if index + 1 < len(names):
            end = self._offsets[names[index + 1],]
        elif index:
            start = self._ends[names[index - 1]]
        return self._text[:start] + self._text[end:]

    @property
    def _indent(self) -> str:
        """What stands before a field on its line; nothing when all stands on one line."""
        first = min((self._offsets[name,] for name in self._ends), default=0)
        line = self._text[self._text.rfind("\n", 0, first) + 1 : first]
        if not self._ends:
            return "  "
        return "" if line.strip() else line

    def _at(self, offset: int) -> str:
        line = self._text.count("\n", 0, offset) + 1
        column = offset - self._text.rfind("\n", 0, offset)
        return f"{self.where}, line {line}, column {column}"

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _read(self, at: int, path: Path) -> int:
        """Note the places from ``at`` on and give the end; the text is known to be valid."""
        self._offsets.setdefault(path, at)
        if self._text[at] not in "{[":
            return json.JSONDecoder().raw_decode(self._text, at)[1]
        in_object = self._text[at] == "{"
        number = 0
        at = self._skip(at + 1)
        while self._text[at] not in "}]":
            part: str | int = number
            if in_object:
                part, end = scanstring(self._text, at + 1)
                self._once((*path, part), at)
                at = self._skip(self._skip(end) + 1)
            end = self._read(at, (*path, part))
            if not path:
                self._ends[str(part)] = end
            at = self._skip(end)
            if self._text[at] == ",":
                at = self._skip(at + 1)
            number += 1
        return at + 1

    def _once(self, path: Path, at: int) -> None:
        if path in self._offsets:
            first = self._at(self._offsets[path]).removeprefix(f"{self.where}, ")
            raise ProjectError(
                f'{self._at(at)}: "{path[-1]}" is there twice, first in {first}.', "Keep one."
            )
        self._offsets[path] = at


def _written(value: Any, indent: str, *, flat: bool = False) -> str:
    """Write a value: a long list or object with a line for each of its parts."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, list | dict) or not value or not indent:
        return line
    if flat and len(line) <= _WIDTH - len(indent):
        return line
    inner = indent * 2
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}}}"
    return (
        "[\n"
        + ",\n".join(inner + json.dumps(item, ensure_ascii=False) for item in value)
        + f"\n{indent}]"
    )


def _words(error: json.JSONDecodeError) -> str:
    return error.msg[0].lower() + error.msg[1:]


def _hint(text: str, at: int) -> str:
    before = text[:at].rstrip()
    rest = text[at:].lstrip()
    if before.endswith(",") and rest[:1] in ("}", "]"):
        return "Take away the comma before it."
    if rest.startswith(("//", "/*", "#")):
        return "JSON has no comments; take it away."
    if rest.startswith('"') and before[-1:] not in ("{", "[", ",", ":"):
        return "A comma is missing before it."
    if rest.startswith("'"):
        return 'Texts stand in double quotes: "…".'
    return "Correct that line."


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one object over another: objects are merged, everything else is replaced."""
    both = dict(base)
    for key, value in over.items():
        old = both.get(key)
        both[key] = (
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both
