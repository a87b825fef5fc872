"""Where in a JSON file each value stands, so that an error can name the line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from .errors import ProjectError

Path = tuple[str | int, ...]
_SPACE = re.compile(r"\s*")


class Document:
    """A JSON object as it stands in a file: its ``value``, and the place of each part of it."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self._text = text
        self._offsets: dict[Path, int] = {}
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
            at = self._skip(self._read(at, (*path, part)))
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
