"""One grammar for the magic and the command line, and what comes next in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbx_magic.completion import complete
from dbx_magic.errors import UsageError
from dbx_magic.grammar import Call, page, parse
from dbx_magic.project import Project
from dbx_magic.verbs import VERBS


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ([], Call("status")),
        (["status"], Call("status")),
        (["pick", "big one"], Call("pick", {"cluster": "big one"})),
        (["use", "dev"], Call("use", {"target": "dev"})),
        (["rebuild", "--dry-run"], Call("rebuild", {"dry_run": True})),
        (["rebuild", "--no-wait"], Call("rebuild", {"wait": False})),
        (
            ["run", "train", "-p", "a=1", "--parameter", "b=x=y", "-t", "dev"],
            Call("run", {"notebook": "train", "parameter": {"a": "1", "b": "x=y"}}, "dev"),
        ),
        (
            ["exec", "--language", "sql", "--", "-- a comment\nselect 1"],
            Call("exec", {"code": "-- a comment\nselect 1", "language": "sql"}),
        ),
        (["local", "up"], Call("local", {"action": "up"})),
    ],
)
def test_lines_become_calls(line: list[str], call: Call) -> None:
    assert parse(line, "dbx-magic") == call


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["pusj"], r"'pusj' is not a verb. Did you mean 'push'\?"),
        (["rebuild", "--dry-rum"], r"rebuild: No such option '--dry-rum'.*--dry-run"),
        (["run"], r"run: Missing argument 'NOTEBOOK'. See: dbx-magic run --help"),
        (["run", "x", "-p", "a"], r"-p takes name=value, not 'a'"),
        (["local", "upp"], "local: .*'upp' is not one of"),
        (["rebuild", "--timeout", "soon"], "rebuild: .*'soon' is not a valid"),
    ],
)
def test_mistakes_name_the_way_out(line: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(line, "dbx-magic")


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_in_both_faces(name: str) -> None:
    for face in ("%dbx", "dbx-magic"):
        shown = parse([name, "--help"], face).help
        assert shown == page(face, VERBS[name])
        assert f"Usage: {face} {name}" in shown
        for parameter in VERBS[name].parameters.values():
            is_option = parameter.kind is parameter.KEYWORD_ONLY
            written = (
                parameter.name.rstrip("_").replace("_", "-")
                if is_option
                else parameter.name.upper()
            )
            assert written in shown


def test_help_lists_every_verb() -> None:
    shown = parse(["--help"], "%dbx").help
    assert all(f"\n  {name} " in shown for name in VERBS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("reb", ["rebuild"]),
        ("rebuild --d", ["--dry-run", "--delete-first"]),
        ("rebuild --dry-run --no", []),
        ("exec --language s", ["scala", "sh", "sql"]),
        ("exec --cluster h", ["hello"]),
        ("pick ", ["big", "hello"]),
        ("use l", ["local"]),
        ("local ", ["down", "env", "reset", "status", "up"]),
        ("run notebooks/", ["notebooks/train.ipynb"]),
        ("nonsense ", []),
    ],
)
def test_what_comes_next(project: Path, line: str, words: list[str]) -> None:
    (project / "notebooks" / "train.ipynb").write_text("{}")
    Project(project).remember(clusters=["hello", "big"])
    assert complete(line, project) == words
