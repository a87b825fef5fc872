"""One grammar for ``%dbx …`` and ``dbx-magic …``, made from the verbs' signatures.

A positional parameter is an argument, a keyword-only one an option. Options that many verbs share
have one short name everywhere.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from .errors import UsageError
from .verbs import VERBS, Verb, find_verb

SHORT = {"message": "-m", "parameter": "-p", "rows": "-n", "cluster": "-c", "output": "-o"}
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

    try:
        call: Call = _command(verb, name).main(
            list(tokens), prog_name=f"{name} {verb.name}", standalone_mode=False
        )
    except click.exceptions.UsageError as error:
        raise UsageError(
            f"{verb.name}: {error.format_message()}", f"See: {name} {verb.name} --help"
        ) from None
    return call


def _command(verb: Verb, name: str) -> Any:
    import typer
    import typer.main

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(
        verb.name,
        help=verb.help,
        epilog=f"Exit codes and --json: {name} --help" if name == "dbx-magic" else None,
    )(_callback(verb))
    return typer.main.get_command(app)


def _callback(verb: Verb) -> Callable[..., Call]:
    import typer

    def call(**values: Any) -> Call:
        target = values.pop("target")
        arguments = {
            key: _value(verb, key, value)
            for key, value in values.items()
            if value is not None and value != []
        }
        return Call(verb.name, arguments, target)

    parameters = [
        parameter.replace(
            annotation=_annotation(verb, parameter),
            default=_default(parameter),
            kind=inspect.Parameter.KEYWORD_ONLY,
        )
        for parameter in verb.parameters.values()
    ]
    parameters.append(
        inspect.Parameter(
            "target",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option("--target", "-t", help=TARGET)],
        )
    )
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {item.name: item.annotation for item in parameters}
    return call


def _annotation(verb: Verb, parameter: inspect.Parameter) -> Any:
    import typer

    words = verb.parameter_help.get(parameter.name, "")
    kind = parameter.annotation
    if typing.get_origin(kind) is tuple or _is_mapping(kind):
        kind = list[str]
    if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
        return Annotated[kind, typer.Argument(help=words, show_default=False)]
    return Annotated[kind, typer.Option(*option_names(parameter), help=words, show_default=False)]


def option_names(parameter: inspect.Parameter) -> list[str]:
    """The names of an option: ``--dry-run``, and its short one where it has one."""
    names = ["--" + parameter.name.replace("_", "-")]
    return [*names, SHORT[parameter.name]] if parameter.name in SHORT else names


def _default(parameter: inspect.Parameter) -> Any:
    if parameter.default in ((), None) or isinstance(parameter.default, Mapping):
        return None if parameter.default is None else []
    return parameter.default


def _value(verb: Verb, name: str, value: Any) -> Any:
    if _is_mapping(verb.parameters[name].annotation):
        pairs = [item.partition("=") for item in value]
        for key, equals, _ in pairs:
            if not key or not equals:
                raise UsageError(
                    f"{verb.name}: write {option_names(verb.parameters[name])[0]} k=v."
                )
        return {key: item for key, _, item in pairs}
    return tuple(value) if isinstance(value, list) else value


def _is_mapping(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def page(name: str, verb: Verb | None = None) -> str:
    """The help page of everything, or of one verb."""
    if verb is not None:
        import click

        command = _command(verb, name)
        context = click.Context(command, info_name=f"{name} {verb.name}")
        return str(command.get_help(context))
    width = max(map(len, VERBS))
    lines = [f"  {item.name:<{width}}  {item.help}" for item in VERBS.values()]
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
