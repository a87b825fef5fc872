"""One grammar for ``%dbx …`` and ``dbx-magic …``, made from the verbs' signatures.

A positional parameter is an argument, a keyword-only one an option. Options that many verbs share
have one short name everywhere.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .verbs import VERBS, Verb, find_verb

if TYPE_CHECKING:
    import click

SHORT = {
    "message": "-m",
    "parameter": "-p",
    "rows": "-n",
    "cluster": "-c",
    "send": "-i",
    "output": "-o",
}
TARGET = "The target to work on, this time only."


@dataclass(frozen=True)
class Call:
    """A verb with its arguments, as it was written; ``help`` is set when help was asked for."""

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    help: str = ""


def parse(tokens: Sequence[str], name: str) -> Call:
    """Read the words after ``%dbx`` or ``dbx-magic`` (the ``name`` that help shows).

    Raises:
        UsageError: an unknown verb or option, a value that does not fit, or one that is missing.
    """
    if not tokens:
        return Call("status")
    if tokens[0] in ("--help", "-h", "help"):
        return parse([tokens[1], "--help"], name) if len(tokens) > 1 else Call("", help=page(name))
    verb = find_verb(tokens[0])
    if any(token in ("--help", "-h") for token in tokens[1:]):
        return Call(verb.name, help=page(name, verb))
    return _parse(verb, tokens[1:], name)


def _parse(verb: Verb, tokens: Sequence[str], name: str) -> Call:
    import click

    values: dict[str, Any] = {}
    command = _command(verb, values.update)
    try:
        command.main(list(tokens), prog_name=f"{name} {verb.name}", standalone_mode=False)
    except click.exceptions.UsageError as error:
        raise UsageError(
            f"{verb.name}: {error.format_message()}", f"See: {name} {verb.name} --help"
        ) from None
    # `use TARGET` is about a target itself, so it has no such option.
    target = None if "target" in verb.parameters else values.pop("target")
    given = {
        key: _value(verb.parameters[key], value)
        for key, value in values.items()
        if value is not None and value != ()
    }
    return Call(verb.name, given, target)


def _command(verb: Verb, take: Callable[..., None]) -> click.Command:
    import click

    params = [
        _parameter(item, verb.parameter_help.get(name, ""))
        for name, item in verb.parameters.items()
    ]
    if "target" not in verb.parameters:
        params.append(click.Option(["--target", "-t"], help=TARGET, metavar="NAME"))
    return click.Command(verb.name, params=params, callback=take, help=verb.help)


def _parameter(parameter: inspect.Parameter, words: str) -> click.Parameter:
    import click

    kind, many = _without_none(parameter.annotation), False
    if typing.get_origin(kind) is tuple or _is_mapping(kind):
        kind, many = str, True
    if typing.get_origin(kind) is typing.Literal:
        kind = click.Choice(typing.get_args(kind))
    required = parameter.default is parameter.empty
    # Only what was given is handed on, so a default stands in one place: the signature.
    if parameter.kind is not parameter.KEYWORD_ONLY:
        return click.Argument(
            [parameter.name], type=kind, nargs=-1 if many else 1, required=required
        )
    names = option_names(parameter)
    if kind is bool:
        if parameter.default is True:
            names = [f"{names[0]}/--no-{parameter.name.replace('_', '-')}"]
        return click.Option([*names, parameter.name], is_flag=True, default=None, help=words)
    return click.Option(
        [*names, parameter.name], type=kind, multiple=many, required=required, help=words
    )


def option_names(parameter: inspect.Parameter) -> list[str]:
    """The names of an option: ``--dry-run``, and its short one where it has one."""
    # A name that is one of Python's own words has an underscore at its end: `as_`.
    names = ["--" + parameter.name.rstrip("_").replace("_", "-")]
    return [*names, SHORT[parameter.name]] if parameter.name in SHORT else names


def _value(parameter: inspect.Parameter, value: Any) -> Any:
    if not _is_mapping(_without_none(parameter.annotation)):
        return value
    pairs = [item.partition("=") for item in value]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise UsageError(f"{option_names(parameter)[-1]} takes name=value, not {key!r}.")
    return {key: item for key, _, item in pairs}


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(item for item in typing.get_args(annotation) if item is not type(None))
    return annotation


def _is_mapping(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def page(name: str, verb: Verb | None = None) -> str:
    """The help page of everything, or of one verb."""
    if verb is None:
        return _overview(name)
    import click

    command = _command(verb, lambda **_: None)
    text = command.get_help(click.Context(command, info_name=f"{name} {verb.name}"))
    arguments = [
        (item.name.upper(), verb.parameter_help.get(item.name, ""))
        for item in verb.parameters.values()
        if item.kind is not item.KEYWORD_ONLY
    ]
    if not arguments:
        return text
    formatter = click.HelpFormatter(width=80)
    with formatter.section("Arguments"):
        formatter.write_dl(arguments)
    return text.replace("\nOptions:", f"\n{formatter.getvalue()}\nOptions:", 1)


def _overview(name: str) -> str:
    width = max(map(len, VERBS))
    lines = [f"  {item.name:<{width}}  {item.help.partition('. ')[0]}" for item in VERBS.values()]
    return "\n".join(
        [
            f"Usage: {name} VERB [ARGUMENTS]",
            "",
            "From a data scientist's computer to production on Databricks.",
            "",
            *lines,
            "",
            f"{name} alone shows where things stand. {name} VERB --help tells more about a verb.",
        ]
    )
