"""What can come next after ``%dbx``: verbs, options, cluster names, paths. Nothing is asked for."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable
from pathlib import Path

from .grammar import option_names
from .project import Project
from .verbs import VERBS, Verb

# Which of the state's lists or folders a parameter takes its values from.
_CLUSTERS = ("cluster", "clusters")
_PATHS = ("path", "paths", "notebook", "into")


def complete(line: str, folder: Path) -> list[str]:
    """Give the words that fit after ``line``: all that stands between ``%dbx `` and the cursor."""
    words = line.split(" ")
    word, before = words[-1], [item for item in words[:-1] if item]
    if not before:
        return [name for name in VERBS if name.startswith(word)]
    verb = VERBS.get(before[0])
    if verb is None:
        return []
    option = next((item for item in verb.parameters.values() if before[-1] in _names(item)), None)
    if option is not None and option.annotation is not bool:
        return _fitting(word, option, folder)
    if word.startswith("-"):
        options = (option_names(item)[0] for item in verb.parameters.values() if _is_option(item))
        return [name for name in (*options, "--target", "--help") if name.startswith(word)]
    return _positional(verb, word, folder)


def _positional(verb: Verb, word: str, folder: Path) -> list[str]:
    found = [
        fitting
        for item in verb.parameters.values()
        if not _is_option(item)
        for fitting in _fitting(word, item, folder)
    ]
    return list(dict.fromkeys(found))


def _fitting(word: str, parameter: inspect.Parameter, folder: Path) -> list[str]:
    return sorted(value for value in _values(word, parameter, folder) if value.startswith(word))


def _values(word: str, parameter: inspect.Parameter, folder: Path) -> Iterable[str]:
    if typing.get_origin(parameter.annotation) is typing.Literal:
        return [str(value) for value in typing.get_args(parameter.annotation)]
    if parameter.name in _CLUSTERS:
        names: list[str] = Project.around(folder).state().get("clusters", [])
        return names
    if parameter.name == "target":
        return [*Project.around(folder).settings.targets, "local"]
    if parameter.name in _PATHS:
        return _paths(word, folder)
    return []


def _paths(word: str, folder: Path) -> Iterable[str]:
    start, slash, _ = word.rpartition("/")
    parent = folder / (start or ("/" if slash else "."))
    if not parent.is_dir():
        return []
    return [
        f"{start}{slash}{item.name}{'/' if item.is_dir() else ''}"
        for item in parent.iterdir()
        if not item.name.startswith((".", "__"))
    ]


def _names(parameter: inspect.Parameter) -> list[str]:
    return option_names(parameter) if _is_option(parameter) else []


def _is_option(parameter: inspect.Parameter) -> bool:
    return parameter.kind is inspect.Parameter.KEYWORD_ONLY
