"""The verbs: one table for every face, and the one way to perform one."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .dbx import Dbx
from .errors import UsageError
from .events import Work


@dataclass(frozen=True)
class Verb:
    """One verb. ``changes`` says that only one of its kind may run on a project at a time.

    ``outlives_page`` says that it goes on when the page that began it is closed.
    """

    name: str
    module: str
    changes: bool = False
    outlives_page: bool = False

    @property
    def lasts(self) -> bool:
        """Whether it goes on when nobody listens any more: a change is never left half-done."""
        return self.changes or self.outlives_page

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function behind it; its module is imported now, not before."""
        module = importlib.import_module(f".{self.module}", __package__)
        function: Callable[..., Any] = getattr(module, _FUNCTIONS.get(self.name, self.name))
        return function

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Its parameters without ``dbx``, annotations resolved."""
        hints = typing.get_type_hints(self.function)
        found = inspect.signature(self.function).parameters.values()
        return {
            item.name: item.replace(annotation=hints[item.name])
            for item in found
            if item.name != "dbx"
        }

    @cached_property
    def result(self) -> Any:
        """The type of its result."""
        hint = typing.get_type_hints(self.function)["return"]
        if typing.get_origin(hint) is Generator:
            return typing.get_args(hint)[2]
        return hint

    @property
    def help(self) -> str:
        """What it does for the user: the first paragraph of its docstring."""
        return inspect.cleandoc(self.function.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    @cached_property
    def parameter_help(self) -> Mapping[str, str]:
        """A line for each parameter, from the docstring's ``Args:``."""
        return _args_section(inspect.cleandoc(self.function.__doc__ or ""))


# `exec`'s function cannot be called what the verb is called: it would hide Python's own.
_FUNCTIONS = {"exec": "execute"}

VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("status", "status"),
        Verb("init", "setup"),
        Verb("use", "setup"),
        Verb("clusters", "clusters"),
        Verb("pick", "clusters"),
        Verb("rebuild", "rebuild", changes=True),
        Verb("start", "clusters"),
        Verb("stop", "clusters"),
        Verb("restart", "clusters"),
        Verb("resize", "clusters"),
        Verb("delete", "clusters"),
        Verb("pin", "clusters"),
        Verb("events", "cluster_facts"),
        Verb("logs", "cluster_facts"),
        Verb("libraries", "cluster_facts"),
        Verb("spec", "cluster_facts"),
        Verb("convert", "convert"),
        Verb("push", "transfer", changes=True),
        Verb("pull", "pull", changes=True),
        Verb("diff", "pull"),
        Verb("exec", "cells"),
        Verb("cells", "cells"),
        Verb("spark", "spark"),
        Verb("run", "runs", outlives_page=True),
        Verb("remote", "remote_mode"),
        Verb("track", "track", outlives_page=True),
        Verb("validate", "validate"),
        Verb("promote", "promote"),
        Verb("monitor", "monitor", outlives_page=True),
        Verb("commit", "versions", changes=True),
        Verb("publish", "versions", changes=True),
        Verb("history", "history"),
        Verb("compare", "compare"),
        Verb("rollback", "rollback", changes=True),
        Verb("pipeline", "pipelines", changes=True),
        Verb("follow", "follow"),
        Verb("ship", "ship", changes=True),
        Verb("local", "setup"),
        Verb("demo", "demo"),
    )
}


def find_verb(name: str) -> Verb:
    """Look a verb up.

    Raises:
        UsageError: there is no such verb; the hint names the nearest.
    """
    if name in VERBS:
        return VERBS[name]
    near = difflib.get_close_matches(name, VERBS, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(VERBS)}."
    raise UsageError(f"{name!r} is not a verb.", hint)


def perform(dbx: Dbx, name: str, arguments: Mapping[str, Any]) -> Work[Any]:
    """Perform a verb: yields its events, returns its result.

    Raises:
        UsageError: unknown verb or argument, or a value of the wrong type.
        DbxError: whatever the verb raises.
    """
    verb = find_verb(name)
    _check(verb, arguments)
    # What watches locks for each of its rounds, not for ever.
    locks = verb.changes and not arguments.get("watch")
    with dbx.project.lock() if locks else contextlib.nullcontext():
        work = verb.function(dbx, **arguments)
        if isinstance(work, Generator):
            return (yield from dbx.telling(work))
        yield from dbx.told()
        return work


def _check(verb: Verb, arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if name not in verb.parameters:
            near = difflib.get_close_matches(name, verb.parameters, 1)
            hint = f"Did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"{verb.name} has no argument {name!r}.", hint)
        annotation = verb.parameters[name].annotation
        if not _fits(value, annotation):
            raise UsageError(f"{verb.name}: {name} cannot be {value!r}.")
    for name, parameter in verb.parameters.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise UsageError(
                f"{verb.name} needs {name.upper()}.", verb.parameter_help.get(name, "")
            )


def _fits(value: object, annotation: Any) -> bool:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, item) for item in inner)
    if origin is typing.Literal:
        return value in inner
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, inner[0]) for item in value)
    if origin is not None:  # Mapping[str, str], the only other one there is
        return isinstance(value, Mapping) and all(
            _fits(key, inner[0]) and _fits(item, inner[1]) for key, item in value.items()
        )
    if annotation in (int, float):
        kinds = (int,) if annotation is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, annotation)


def _args_section(text: str) -> dict[str, str]:
    """Read ``name: what it is`` from a Google-style ``Args:`` section."""
    _, _, rest = text.partition("\nArgs:\n")
    found: dict[str, str] = {}
    name = ""
    for line in rest.split("\n"):
        if line and not line.startswith("    "):
            break
        if line.startswith("        ") and name:
            found[name] += " " + line.strip()
        elif ":" in line:
            name, _, words = line.strip().partition(": ")
            found[name] = words
    return found
