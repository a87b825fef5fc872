"""The table of verbs: every verb is complete, and bad arguments are refused before anything."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest

from dbx_magic import events, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import UsageError
from dbx_magic.view import Viewable

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", verbs.VERBS.values(), ids=lambda verb: verb.name)
def test_every_verb_is_said_in_words_and_types(verb: verbs.Verb) -> None:
    """Its help, a line for each argument, and a result that JSON and TypeScript can say."""
    assert verb.help.endswith(".")
    assert f"| `{verb.name}` | {verb.help} |" in README, (
        "the README's table of verbs is out of date"
    )
    missing = set(verb.parameters) - set(verb.parameter_help)
    assert not missing, f"{verb.name} does not say what {missing} are"
    for kind in typing.get_args(verb.result) or (verb.result,):
        assert dataclasses.is_dataclass(kind)
        assert issubclass(kind, Viewable)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("rebuld", {}, r"'rebuld' is not a verb. Did you mean 'rebuild'\?"),
        (
            "rebuild",
            {"dryrun": True},
            r"rebuild has no argument 'dryrun'. Did you mean 'dry_run'\?",
        ),
        ("rebuild", {"dry_run": "yes"}, "rebuild: dry_run cannot be 'yes'"),
        ("exec", {"code": "1", "language": "cobol"}, "language cannot be 'cobol'"),
        ("run", {"notebook": "x", "parameter": {"a": 1}}, "parameter cannot be"),
        ("run", {}, "run needs NOTEBOOK"),
        ("pick", {"cluster": 3}, "cannot be 3"),
    ],
)
def test_bad_calls_are_refused(
    tmp_path: Path, name: str, arguments: dict[str, object], words: str
) -> None:
    dbx = Dbx(tmp_path)
    with pytest.raises(UsageError, match=words):
        events.drive(verbs.perform(dbx, name, arguments), lambda _: None)
    assert list(tmp_path.iterdir()) == []
