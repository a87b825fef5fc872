"""Secrets that must not get into a commit: found by the shape their issuers gave them.

There is no guessing by entropy: a commit id or a content hash is never taken for a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ALLOWED = "pragma: allowlist secret"
_SHOWN = 6


@dataclass(frozen=True)
class Found:
    """One secret: what it is, where, and its first characters, never more of it."""

    where: str
    kind: str
    start: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind} ({self.start}…)"


@dataclass(frozen=True)
class _Rule:
    """``literal`` must occur for ``pattern`` to be tried; group 1, if any, is the secret itself."""

    kind: str
    literal: str
    pattern: re.Pattern[str]


def _rule(kind: str, literal: str, pattern: str) -> _Rule:
    return _Rule(kind, literal, re.compile(pattern))


_RULES = (
    _rule("a Databricks token", "dapi", r"\bdapi[0-9a-f]{32}(?:-\d+)?\b"),
    _rule("a Databricks OAuth secret", "dose", r"\bdose[0-9a-f]{32}\b"),
    _rule("an Azure DevOps token", "AZDO", r"\b[A-Za-z0-9]{72,80}AZDO[A-Za-z0-9]{4}\b"),
    _rule("an Azure client secret", "Q~", r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])"),
    _rule("an Azure storage key", "AccountKey=", r"AccountKey=([A-Za-z0-9+/]{86}==)"),
    _rule("an Azure shared access signature", "sig=", r"[?&]sig=([A-Za-z0-9%+/]{40,}(?:%3D|=))"),
    _rule("an AWS access key", "AKIA", r"\bAKIA[A-Z2-7]{16}\b"),
    _rule("an AWS session key", "ASIA", r"\bASIA[A-Z2-7]{16}\b"),
    _rule("a Google API key", "AIza", r"\bAIza[0-9A-Za-z_-]{35}(?![\w-])"),
    _rule("a GitHub token", "gh", r"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    _rule("a GitHub token", "github_pat_", r"\bgithub_pat_\w{82}\b"),
    _rule("a GitLab token", "glpat-", r"\bglpat-[\w.-]{20,}"),
    _rule("a Slack token", "xox", r"\bxox[abeoprs]-[\w-]{10,}"),
    _rule("a Hugging Face token", "hf_", r"\bhf_[A-Za-z]{34}\b"),
    _rule("an OpenAI key", "sk-", r"\bsk-(?:proj-|svcacct-)?[\w-]*T3BlbkFJ[\w-]{20,}"),
    _rule("an Anthropic key", "sk-ant-", r"\bsk-ant-[\w-]{80,}"),
    _rule("a package index token", "pypi-", r"\bpypi-AgE[\w-]{50,}"),
    _rule("a private key", "PRIVATE KEY", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    # Not ${PASSWORD}, {{secrets/scope/key}}, <password> or ***: those are what to write instead.
    _rule(
        "a password in an address",
        "://",
        r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@'\"]{1,100}:(?![$<{*%])([^\s/:@'\"]{3,200})@[\w\[]",
    ),
)


def scan(path: str, data: bytes) -> list[Found]:
    """Find the secrets in a file; of a notebook, in each cell and each output as it reads.

    A line with ``pragma: allowlist secret`` is passed over.
    """
    text = data.decode("utf-8", "replace")
    if path.endswith(".ipynb"):
        try:
            notebook = json.loads(text)
            places = list(_places(path, notebook))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            places = []  # no notebook after all: read as plain text
        if places:
            return [found for where, part in places for found in _scan_text(where, part)]
    return list(_scan_text(f"{path}:", text))


def _places(path: str, notebook: Any) -> Iterator[tuple[str, str]]:
    """Give each text of a notebook with where it is; a line number follows the ``where``."""
    for number, cell in enumerate(notebook["cells"], 1):
        where = f"{path}, cell {number}"
        yield f"{where}, line ", _joined(cell.get("source", ""))
        rest = {key: value for key, value in cell.items() if key not in ("source", "outputs")}
        yield f"{where}, metadata line ", "\n".join(_strings(rest))
        yield f"{where}, output line ", "\n".join(_strings(cell.get("outputs", [])))
    rest = {key: value for key, value in notebook.items() if key != "cells"}
    yield f"{path}, metadata line ", "\n".join(_strings(rest))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield _joined(value)  # nbformat's lines, which end in their own newline
            return
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)


def _joined(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def _scan_text(where: str, text: str) -> Iterator[Found]:
    for rule in _RULES:
        if rule.literal not in text:
            continue
        for match in rule.pattern.finditer(text):
            begin, end = match.span(match.lastindex or 0)
            line_begin = text.rfind("\n", 0, begin) + 1
            line_end = text.find("\n", end)
            line = text[line_begin : line_end if line_end >= 0 else len(text)]
            if ALLOWED not in line:
                number = text.count("\n", 0, begin) + 1
                shown = min(_SHOWN, (end - begin) // 4)
                yield Found(f"{where}{number}", rule.kind, text[begin : begin + shown])
