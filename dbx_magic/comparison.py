"""What differs between the project and the workspace, whose change it is, and what to do about it.

Three sides are compared: *here* is the project, *there* the workspace, and *base* what both were
the last time they were equal. Nothing is compared by time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["notebook", "file", "folder", "other"]
Edit = Literal["", "new", "edited", "removed"]

_BLANK_MAGIC = re.compile(rb"^((?:#|//|--) MAGIC) $", re.MULTILINE)


@dataclass(frozen=True)
class Content:
    """What stands at a path on one side; equal content has an equal fingerprint.

    ``other`` is what cannot be pushed or pulled: a dashboard, say.
    """

    kind: Kind
    fingerprint: str = ""
    language: str = ""


FOLDER = Content("folder")
GONE = Content("other", "gone")  # what a push is about to remove
Side = Mapping[str, Content]


def content_of(data: bytes, language: str = "") -> Content:
    """Describe a file, or a notebook when it has a language.

    Databricks changes the last newline and the space after an empty ``# MAGIC`` as it likes, so
    they make no difference in a notebook.
    """
    if not language:
        return Content("file", hashlib.sha256(data).hexdigest()[:32])
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").removesuffix(b"\n")
    if b" MAGIC \n" in text or text.endswith(b" MAGIC "):
        text = _BLANK_MAGIC.sub(rb"\1", text)
    digest = hashlib.sha256(language.encode() + b"\0" + text)
    return Content("notebook", digest.hexdigest()[:32], language)


@dataclass(frozen=True)
class Difference:
    """A path at which project and workspace are not equal."""

    path: str
    here: Content | None = None
    base: Content | None = None
    there: Content | None = None

    @property
    def edit_here(self) -> Edit:
        """What happened to it in the project since the two were equal."""
        return _edit(self.base, self.here)

    @property
    def edit_there(self) -> Edit:
        """What happened to it in the workspace since the two were equal."""
        return _edit(self.base, self.there)


def _edit(base: Content | None, now: Content | None) -> Edit:
    if now == base:
        return ""
    if base is None:
        return "new"
    return "edited" if now else "removed"


def compare(here: Side, base: Side, there: Side) -> tuple[Difference, ...]:
    """Find all differences, by path."""
    return tuple(
        Difference(path, here.get(path), base.get(path), there.get(path))
        for path in sorted(here.keys() | there.keys())
        if here.get(path) != there.get(path)
    )


@dataclass(frozen=True)
class Send:
    """Write an object in the workspace; ``over`` is what it replaces there."""

    path: str
    content: Content
    over: Content | None
    reason: str


@dataclass(frozen=True)
class Remove:
    """Remove an object from the workspace."""

    path: str
    content: Content
    reason: str


@dataclass(frozen=True)
class Take:
    """Write an object in the project; ``over`` is what it replaces here."""

    path: str
    content: Content
    over: Content | None
    reason: str


@dataclass(frozen=True)
class Merge:
    """Bring together what was edited on both sides: a notebook by cell, a file by line."""

    path: str
    here: Content
    base: Content | None
    there: Content
    reason: str


@dataclass(frozen=True)
class Drop:
    """Remove an object from the project."""

    path: str
    content: Content
    reason: str


@dataclass(frozen=True)
class Conflict:
    """Leave an object as it is on both sides, because either choice would lose something."""

    path: str
    reason: str


PushStep = Send | Remove | Conflict
PullStep = Take | Merge | Drop | Conflict


def push_steps(
    differences: Iterable[Difference], *, force: bool = False, prune: bool = False
) -> tuple[PushStep, ...]:
    """Say what makes the workspace equal to the project without losing an edit made there.

    ``force`` overrides what was edited there, ``prune`` removes what was never pushed.
    """
    differences = tuple(differences)
    moved = _moves((one.path, one.there) for one in differences if one.edit_there == "new")
    steps: list[PushStep] = []
    for one in differences:
        step = _push(one, moved, prune=prune)
        is_other = one.there is not None and one.there.kind == "other"
        if force and isinstance(step, Conflict) and not is_other:
            step = _forced_push(one, step.reason)
        if step:
            steps.append(step)
    removed = {step.path for step in steps if isinstance(step, Remove)}
    full = _folders_of(one.path for one in differences if one.there and one.path not in removed)
    return tuple(fit for step in steps if (fit := _fitting(step, full)))


def _push(one: Difference, moved: Mapping[str, str], *, prune: bool) -> PushStep | None:
    here, base, there = one.here, one.base, one.there
    if here is None and there:
        if base is None:
            return (
                Remove(one.path, there, "not in the project")
                if prune and there.kind != "other"
                else None
            )
        if there == base:
            return Remove(one.path, there, "no longer in the project")
        return Conflict(one.path, "edited in the workspace, removed here")
    if here is None:
        return None
    if there is None:
        if base is None:
            return Send(one.path, here, None, "new in the project")
        if here.kind == "folder":
            return Send(one.path, here, None, "missing in the workspace")
        target = moved.get(base.fingerprint)
        gone = f"moved to {target} in the workspace" if target else "removed in the workspace"
        return Conflict(one.path, gone if here == base else f"{gone}, edited here")
    if base is None:
        return Conflict(one.path, f"in the workspace already, with other content{_type(one)}")
    if there == base:
        return Send(one.path, here, there, f"edited in the project{_type(one)}")
    and_here = "" if here == base else " and here"
    return Conflict(one.path, f"edited in the workspace{and_here}{_type(one)}")


def _forced_push(one: Difference, reason: str) -> PushStep:
    if one.here:
        return Send(one.path, one.here, one.there, f"overrides: {reason}")
    if one.there:
        return Remove(one.path, one.there, f"overrides: {reason}")
    return Conflict(one.path, reason)


def _fitting(step: PushStep, full: set[str]) -> PushStep | None:
    """Let no step remove a folder in which something stays."""
    if step.path in full:
        match step:
            case Remove(content=Content(kind="folder")):
                return None
            case Send(over=Content(kind="folder")):
                return Conflict(step.path, "a folder in the workspace that is not empty")
    return step


def pull_steps(differences: Iterable[Difference], *, force: bool = False) -> tuple[PullStep, ...]:
    """Say what brings the workspace's edits into the project without losing an edit made here.

    ``force`` takes the workspace's side where both were edited.
    """
    differences = tuple(differences)
    steps: list[PullStep] = []
    for one in differences:
        step = _pull(one)
        if force and isinstance(step, Conflict | Merge):
            reason = f"overrides: {step.reason}"
            if one.there:
                step = Take(one.path, one.there, one.here, reason)
            elif one.here:
                step = Drop(one.path, one.here, reason)
        if step:
            steps.append(step)
    dropped = {step.path for step in steps if isinstance(step, Drop)}
    full = _folders_of(one.path for one in differences if one.here and one.path not in dropped)
    return tuple(
        step
        for step in steps
        if not (isinstance(step, Drop) and step.content == FOLDER and step.path in full)
    )


def _pull(one: Difference) -> PullStep | None:
    here, base, there = one.here, one.base, one.there
    if not one.edit_there or (there and there.kind == "other"):
        return None
    if there is None:
        if here is None:
            return None
        if here == base:
            return Drop(one.path, here, "removed in the workspace")
        return Conflict(one.path, "removed in the workspace, edited here")
    if here is None:
        reason = "edited in the workspace, removed here" if base else "new in the workspace"
        return Take(one.path, there, None, reason)
    if here == base:
        return Take(one.path, there, here, f"edited in the workspace{_type(one)}")
    reason = "edited in the workspace and here" if base else "new in the workspace and here"
    if here.kind == there.kind and here.language == there.language:
        return Merge(one.path, here, base, there, reason)
    return Conflict(one.path, f"{reason}{_type(one)}")


def _type(one: Difference) -> str:
    here, there = one.here, one.there
    if here and there and here.kind != there.kind:
        return f" (a {here.kind} here, a {there.kind} there)"
    if here and there and here.language != there.language:
        return f" ({here.language} here, {there.language} there)"
    return ""


def _moves(new: Iterable[tuple[str, Content | None]]) -> Mapping[str, str]:
    return {
        content.fingerprint: path for path, content in new if content and content.kind != "folder"
    }


def _folders_of(paths: Iterable[str]) -> set[str]:
    return {folder for path in paths for folder in above(path)}


def above(path: str) -> Iterator[str]:
    """The folders that a path is in, the outermost first.

    >>> list(above("a/b/c"))
    ['a', 'a/b']
    """
    for index, character in enumerate(path):
        if character == "/":
            yield path[:index]
