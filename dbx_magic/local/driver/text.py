"""Read the text of cells: in which language one is, and the statements in SQL."""

from __future__ import annotations

import re

# Cells that begin with one of these are not Python, or not as they stand.
HEADERS = ("python", "sql", "scala", "r", "sh", "fs", "md", "md-sandbox", "html", "run")

_HEADER = re.compile(rf"\s*%({'|'.join(HEADERS)})(?![\w-])[ \t]*(.*)", re.DOTALL)

# What a semicolon does not end a statement in, what ends one, and anything else.
_SQL_PART = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | '(?:[^'\\]|\\.|'')*(?:'|\Z) | "(?:[^"\\]|\\.|"")*(?:"|\Z) | `(?:[^`]|``)*(?:`|\Z)
    | (?P<end> ; )
    | [^-/'"`;]+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


def header(code: str) -> tuple[str, str] | None:
    """The magic that a cell begins with and the rest of the cell; None for plain code."""
    found = _HEADER.match(code)
    return (found[1], found[2]) if found else None


def statements(sql: str) -> list[str]:
    """The statements in a text, without the semicolons; those of comments only are left out."""
    found: list[str] = []
    current, real = "", False
    for part in _SQL_PART.finditer(sql):
        if part["end"]:
            if real:
                found.append(current.strip())
            current, real = "", False
            continue
        current += part[0]
        real = real or not (part["comment"] or part[0].isspace())
    return [*found, current.strip()] if real else found
