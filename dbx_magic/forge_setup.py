"""What a forge has to be told once, and what it says of pipelines before they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from .auth import Login, find_login
from .azure_devops import AzureDevOps
from .errors import PipelineError, ProjectError
from .events import Note, Planned, Work
from .exchange import asked
from .forge import open_forge, open_host
from .pipeline_check import Problem
from .plan import Change, Plan
from .repo import Repo
from .settings import LOCAL, Target
from .view import Line, View, counted

_HOST, _TOKEN, _CLIENT = "databricks_host", "databricks_token", "databricks_client_id"


@dataclass(frozen=True)
class Registered:
    """What Azure DevOps has now; ``left`` are variables that somebody has to fill in there."""

    project: str
    made: tuple[str, ...]
    kept: tuple[str, ...]
    left: tuple[str, ...]
    dry_run: bool = False

    def view(self) -> View:
        """What was made, and what is left to do."""
        if self.dry_run:
            return []
        words = ", ".join(self.made) or "nothing was missing"
        lines = [Line(f"Azure DevOps, project {self.project}: {words}", "✓")]
        if self.kept:
            lines.append(
                Line(f"there already, and left as it is: {', '.join(self.kept)}", indent=1)
            )
        lines += [Line(f"{what} has to be filled in there", "!", indent=1) for what in self.left]
        if self.made:
            lines.append(Line("Their first run asks there for permission to use them.", indent=1))
        return lines


@dataclass(frozen=True)
class _Pipeline:
    """Make a pipeline of a file."""

    name: str
    path: str


@dataclass(frozen=True)
class _Group:
    """Make a variable group with a target's host, and its token if there is one to give.

    With ``oidc`` there is no token, but the id of a service principal, which nobody here knows.
    """

    name: str
    login: Login
    oidc: bool

    @property
    def token(self) -> str:
        """The profile's token; empty when it signs in otherwise."""
        if self.oidc or not self.login.has_token:
            return ""
        return self.login.headers()["Authorization"].removeprefix("Bearer ")


def register(
    repo: Repo,
    remote: str,
    pipelines: Mapping[str, str],
    groups: Mapping[str, Target],
    *,
    oidc: bool,
    dry_run: bool,
    expect: str,
) -> Work[Registered]:
    """Make the pipelines and variable groups that Azure DevOps does not have yet.

    ``pipelines`` gives the file of each by its name, ``groups`` the target of each. What is there
    is never changed.

    Raises:
        PipelineError: the remote is not at Azure DevOps, which refuses or cannot be reached.
        ProjectError: a target is the local workspace, which no pipeline can reach.
    """
    forge = open_forge(repo, remote)
    if not isinstance(forge, AzureDevOps):
        raise PipelineError(
            f"The remote {remote} is at {forge.name}, where nothing has to be registered.",
            "Pipelines run there as soon as their files are published.",
        )
    wanted = [_Group(name, _login(target), oidc) for name, target in groups.items()]
    steps = yield from asked(forge.name, partial(_missing, forge, pipelines, wanted))
    plan = Plan(
        f"Azure DevOps, project {forge.project}: {counted(len(steps), 'thing')} to make",
        steps,
        tuple(_change(step) for step in steps),
        "pipeline register",
    )
    yield Planned(plan)
    plan.must_be(expect)
    made = tuple(_name(step) for step in steps)
    names = [f"pipeline {name}" for name in pipelines] + [_name(one) for one in wanted]
    kept = tuple(name for name in names if name not in made)
    variable = _CLIENT if oidc else _TOKEN
    left = tuple(
        f"{variable} of {step.name}"
        for step in steps
        if isinstance(step, _Group) and not step.token
    )
    done = Registered(forge.project, made, kept, left, dry_run)
    if dry_run:
        return done
    for step in steps:
        yield from asked(forge.name, partial(_make, forge, step))
        yield Note(f"made: {_name(step)}", "✓")
    return done


def _login(target: Target) -> Login:
    login = None if target.name == LOCAL else find_login(target.profile)
    if login is None:
        raise ProjectError(
            f"The target {target.name or LOCAL} is the local workspace, which no pipeline at Azure "
            "DevOps can reach.",
            "Add a target with another profile to dbx.toml, then write the pipelines again.",
        )
    return login


def _missing(
    forge: AzureDevOps, pipelines: Mapping[str, str], groups: list[_Group]
) -> tuple[_Pipeline | _Group, ...]:
    there = forge.pipelines()
    # The groups first: a pipeline may begin as soon as it is there.
    return (
        *(group for group in groups if not forge.has_group(group.name)),
        *(_Pipeline(name, path) for name, path in pipelines.items() if name not in there),
    )


def _name(step: _Pipeline | _Group) -> str:
    kind = "pipeline" if isinstance(step, _Pipeline) else "variable group"
    return f"{kind} {step.name}"


def _change(step: _Pipeline | _Group) -> Change:
    match step:
        case _Pipeline(path=path):
            reason = f"of {path}"
        case _Group(login=login):
            token = f", and the token of the profile {login.profile} as a secret"
            reason = f"{_HOST} = {login.host}{token if step.token else ''}"
    return Change("+", _name(step), reason=reason)


def _make(forge: AzureDevOps, step: _Pipeline | _Group) -> None:
    match step:
        case _Pipeline(name, path):
            forge.create_pipeline(name, path)
        case _Group(name, login, oidc):
            plain = {_HOST: login.host} | ({_CLIENT: ""} if oidc else {})
            forge.create_group(name, plain, {} if oidc else {_TOKEN: step.token})


def complaints(
    repo: Repo, remote: str, texts: Mapping[str, str], names: Mapping[str, str]
) -> Work[tuple[Problem, ...]]:
    """Ask the forge itself what it would say of pipeline files, where it has a way to ask.

    ``names`` gives the pipeline of each file. Nothing is asked when nobody is signed in there; what
    goes wrong in asking is only told.
    """
    try:
        host = open_host(repo, remote)
    except PipelineError:
        return ()
    if host is None:
        return ()
    try:
        said = yield from asked(host.name, partial(host.complaints, texts, names))
    except PipelineError as error:
        yield Note(f"Not checked by {host.name} itself: {error}", "!")
        return ()
    return tuple(
        Problem(path, words, f"{host.name} itself says so.")
        for path, words in said.items()
        if words
    )
