"""What is done about each combination of project, base and workspace: the table of cases."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.comparison import (
    FOLDER,
    Conflict,
    Content,
    Drop,
    Merge,
    PullStep,
    PushStep,
    Remove,
    Send,
    Side,
    Take,
    above,
    compare,
    content_of,
    pull_steps,
    push_steps,
)

A, B, C = (Content("notebook", name, "python") for name in "abc")
SQL = Content("notebook", "a-in-sql", "sql")
FILE = Content("file", "f")
OTHER = Content("other")


def side(content: Content | None) -> Side:
    return {"x": content} if content else {}


def push(
    here: Content | None, base: Content | None, there: Content | None, **options: bool
) -> PushStep | None:
    steps = push_steps(compare(side(here), side(base), side(there)), **options)
    return steps[0] if steps else None


def pull(
    here: Content | None, base: Content | None, there: Content | None, **options: bool
) -> PullStep | None:
    steps = pull_steps(compare(side(here), side(base), side(there)), **options)
    return steps[0] if steps else None


# (here, base, there): what push does, what push --force does, what pull does
TABLE = [
    ((None, None, None), None, None, None),
    ((A, A, A), None, None, None),
    ((A, None, A), None, None, None),
    ((B, A, B), None, None, None),
    ((None, A, None), None, None, None),
    # edits here
    ((A, None, None), Send, Send, None),
    ((B, A, A), Send, Send, None),
    ((None, A, A), Remove, Remove, None),
    # edits there
    ((None, None, A), None, None, Take),
    ((A, A, B), Conflict, Send, Take),
    ((A, A, None), Conflict, Send, Drop),
    # edits on both sides
    ((B, A, C), Conflict, Send, Merge),
    ((A, None, B), Conflict, Send, Merge),
    ((None, A, B), Conflict, Remove, Take),
    ((B, A, None), Conflict, Send, Conflict),
    # another language or type
    ((SQL, A, A), Send, Send, None),
    ((A, A, SQL), Conflict, Send, Take),
    ((SQL, A, B), Conflict, Send, Conflict),
    ((FILE, A, B), Conflict, Send, Conflict),
    ((FILE, A, A), Send, Send, None),
    ((A, A, FILE), Conflict, Send, Take),
    ((Content("file", "g"), FILE, Content("file", "h")), Conflict, Send, Merge),
    # folders
    ((FOLDER, None, None), Send, Send, None),
    ((FOLDER, FOLDER, None), Send, Send, Drop),
    ((None, FOLDER, FOLDER), Remove, Remove, None),
    ((None, None, FOLDER), None, None, Take),
    ((FOLDER, A, A), Send, Send, None),
    ((A, FOLDER, FOLDER), Send, Send, None),
    # a dashboard, say: never touched
    ((None, None, OTHER), None, None, None),
    ((A, None, OTHER), Conflict, Conflict, None),
    ((A, A, OTHER), Conflict, Conflict, None),
]


@pytest.mark.parametrize(("sides", "pushed", "forced", "pulled"), TABLE)
def test_the_table(
    sides: tuple[Content | None, Content | None, Content | None],
    pushed: type | None,
    forced: type | None,
    pulled: type | None,
) -> None:
    for step, kind in (
        (push(*sides), pushed),
        (push(*sides, force=True), forced),
        (pull(*sides), pulled),
    ):
        assert (type(step) if step else None) is kind
        assert step is None or step.reason


def test_nothing_edited_there_is_ever_overwritten_or_removed_unforced() -> None:
    """All combinations: what push replaces is what both sides once had in common."""
    contents = (None, A, B, C, SQL, FILE, FOLDER, OTHER)
    for here, base, there in itertools.product(contents, repeat=3):
        step = push(here, base, there)
        if isinstance(step, Send):
            assert step.over == there
            assert there in (None, base)
        if isinstance(step, Remove):
            assert there == base
        home = pull(here, base, there)
        if isinstance(home, Take):
            assert home.over == here
            assert here in (None, base)
        if isinstance(home, Drop):
            assert here == base


def test_after_push_or_pull_nothing_is_left_to_do() -> None:
    contents = (None, A, B, SQL, FILE)
    for here, base, there in itertools.product(contents, repeat=3):
        step = push(here, base, there, force=True, prune=True)
        if step is None:
            assert here == there
        forced = pull(here, base, there, force=True)
        if isinstance(forced, Take):
            assert forced.content == there


def test_prune_removes_only_what_was_never_pushed() -> None:
    step = push(None, None, A, prune=True)
    assert isinstance(step, Remove)
    assert push(None, None, OTHER, prune=True) is None
    assert isinstance(push(None, A, B, prune=True), Conflict)


def test_a_folder_in_which_something_stays_is_not_removed() -> None:
    theirs = {"d": FOLDER, "d/ours": A, "d/theirs": B}
    steps = push_steps(compare({}, {"d": FOLDER, "d/ours": A}, theirs))
    assert [step.path for step in steps] == ["d/ours"]
    steps = push_steps(compare({}, {"d": FOLDER, "d/ours": A, "d/theirs": B}, theirs))
    assert [step.path for step in steps] == ["d", "d/ours", "d/theirs"]


def test_a_notebook_does_not_replace_a_folder_in_which_something_stays() -> None:
    steps = push_steps(compare({"d": A}, {"d": FOLDER}, {"d": FOLDER, "d/theirs": B}))
    assert [type(step) for step in steps] == [Conflict]


def test_a_folder_here_with_something_of_ours_is_not_dropped() -> None:
    steps = pull_steps(compare({"d": FOLDER, "d/new": A}, {"d": FOLDER}, {}))
    assert steps == ()


def test_what_was_moved_there_is_called_moved() -> None:
    (step,) = push_steps(compare({"x": A}, {"x": A}, {"old/x": A, "old": FOLDER}))
    assert step == Conflict("x", "moved to old/x in the workspace")


def test_every_step_says_why() -> None:
    assert push(B, A, C) == Conflict("x", "edited in the workspace and here")
    assert push(SQL, A, A) == Send("x", SQL, A, "edited in the project (sql here, python there)")
    assert pull(FILE, A, B) == Conflict(
        "x", "edited in the workspace and here (a file here, a notebook there)"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"# Databricks notebook source\na\n", b"# Databricks notebook source\na"),
        (b"x\r\ny\r\n", b"x\ny\n"),
        (b"# MAGIC %md\n# MAGIC \n# MAGIC x\n", b"# MAGIC %md\n# MAGIC\n# MAGIC x\n"),
        (b"\xef\xbb\xbfx\n", b"x\n"),
    ],
)
def test_what_databricks_changes_at_will_is_no_edit(one: bytes, other: bytes) -> None:
    assert content_of(one, "python") == content_of(other, "python")
    assert content_of(one) != content_of(other)


def test_anything_else_is_an_edit() -> None:
    assert content_of(b"a\n", "python") != content_of(b"a \n", "python")
    assert content_of(b"a\n", "python") != content_of(b"a\n\n\n", "python")
    assert content_of(b"a\n", "python") != content_of(b"a\n", "r")
    assert content_of(b"x # MAGIC \n", "python") != content_of(b"x # MAGIC\n", "python")


NAMES = ("d", "e", "d/x", "d/y", "e/x")


@st.composite
def whole_sides(draw: st.DrawFn) -> Side:
    """A side as it can be: what is in a folder is in a folder."""
    side: dict[str, Content] = {}
    for path in NAMES:
        content = draw(st.sampled_from((None, A, B, FILE, FOLDER)))
        if content and all(side.get(folder) == FOLDER for folder in above(path)):
            side[path] = content
    return side


def pushed(here: Side, base: Side, there: Side, **options: bool) -> dict[str, Content]:
    """The workspace after the steps of a push, in the order in which they are taken."""
    result = dict(there)
    steps = push_steps(compare(here, base, there), **options)
    for step in reversed(steps):
        if isinstance(step, Remove):
            inside = [path for path in result if path.startswith(f"{step.path}/")]
            assert not inside, "a folder is removed that is not empty"
            del result[step.path]
    for step in steps:
        if isinstance(step, Send):
            assert all(result.get(folder) == FOLDER for folder in above(step.path))
            result[step.path] = step.content
    return result


@given(whole_sides(), whole_sides(), whole_sides())
def test_a_push_loses_no_edit_of_the_workspace(here: Side, base: Side, there: Side) -> None:
    after = pushed(here, base, there) if not conflicts(here, base, there) else dict(there)
    for path, content in there.items():
        if content != base.get(path):
            assert after.get(path) == content


@given(whole_sides(), whole_sides(), whole_sides())
def test_a_push_without_conflicts_makes_them_equal(here: Side, base: Side, there: Side) -> None:
    if conflicts(here, base, there):
        return
    after = pushed(here, base, there)
    assert {path: after.get(path) for path in here} == dict(here)
    # What is left over was never pushed, or holds something that was not.
    for path in after.keys() - here.keys():
        kept = [one for one in after if one == path or one.startswith(f"{path}/")]
        assert any(one not in base for one in kept)


def conflicts(here: Side, base: Side, there: Side) -> bool:
    """Whether a push would send nothing."""
    steps = push_steps(compare(here, base, there))
    return any(isinstance(step, Conflict) for step in steps)
