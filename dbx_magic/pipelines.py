"""Pipelines that carry what was published to the workspace: written for a forge, and checked."""

from __future__ import annotations

import contextlib
import difflib
import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .dbx import Dbx
from .errors import ConflictError, GitError, PipelineError, ProjectError
from .events import Planned, Work
from .forge_setup import Registered, complaints, register
from .local_remote import LocalRemote
from .pipeline_check import Problem, find_problems
from .pipeline_text import Forge, group, is_edited, paths, render, slug
from .plan import Change, Plan
from .project import write
from .publishing import destination
from .repo import Repo
from .settings import LOCAL
from .view import Line, View, counted, listed

# What the Azure pipelines are called where they are registered.
_NAMES = {"build-cluster": "create-cluster", "build-workspace": "sync-workspace"}
_NEXT: Mapping[Forge, str] = {
    "azure": "Publish them, then `pipeline register` makes them pipelines of Azure DevOps, and the "
    "variable group {group} with databricks_host and {proof}.",
    "github": "In the repository's settings: make the environment {targets} with the secret "
    "DATABRICKS_HOST and the {proof}.",
    "gitlab": "In the project's settings: make the variables DATABRICKS_HOST and {proof} for the "
    "environment {targets}.",
}
# What shows who is asking: a token, or with OIDC only a name.
_PROOFS: Mapping[Forge, tuple[str, str]] = {
    "azure": ("databricks_token (secret)", "databricks_client_id"),
    "github": ("secret DATABRICKS_TOKEN", "variable DATABRICKS_CLIENT_ID"),
    "gitlab": ("DATABRICKS_TOKEN (masked)", "DATABRICKS_CLIENT_ID"),
}
# What else there is to do for a project that is not at the top of its repository.
_BELOW: Mapping[Forge, str] = {
    "azure": "",
    "github": " These files are outside of {prefix}: commit them with git.",
    "gitlab": " In that at the top, include it: `include: [{{local: {prefix}.gitlab-ci.yml}}]`.",
}


@dataclass(frozen=True)
class PipelineFiles:
    """Pipelines for one forge; ``next`` is what has to be set up there, once."""

    forge: Forge
    targets: tuple[str, ...]
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    next: str
    dry_run: bool = False

    def view(self) -> View:
        """What was written, and what is left to do."""
        if self.dry_run:
            return []
        words = f"written: {', '.join(self.written)}" if self.written else "nothing had changed"
        return [
            Line(f"pipelines for {self.forge}, to {', '.join(self.targets)}", "✓"),
            Line(words, indent=1),
            Line(self.next, indent=1),
            Line("They run when they are published: `commit -m … --publish`", indent=1),
        ]


@dataclass(frozen=True)
class Checked:
    """The pipelines that are there, and what is wrong with them."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return PipelineError.exit_code if self.problems else 0

    def view(self) -> View:
        """One line for each problem, or that there is none."""
        if not self.problems:
            return [Line(f"{listed(self.files)}: nothing wrong", "✓")]
        return [
            Line(f"{problem.where}: {problem.what}", "✗", note=problem.hint)
            for problem in self.problems
        ]


@dataclass(frozen=True)
class LocalRunner:
    """The remote ``local``, and the pipelines that it will run."""

    folder: str
    files: tuple[str, ...]

    def view(self) -> View:
        """Where it is, and how to go on."""
        go_on = "`commit -m … --publish`" if self.files else "`pipeline azure` writes them"
        return [
            Line("the remote local runs Azure pipelines here, by the local runner", "✓"),
            Line(f"pipelines: {', '.join(self.files) or 'none yet'}", note=go_on, indent=1),
            Line(f"repository: {self.folder}", indent=1),
        ]


@dataclass(frozen=True)
class Write:
    """Write one pipeline file."""

    path: str
    text: str


def pipeline(
    dbx: Dbx,
    action: Literal["azure", "github", "gitlab", "check", "register", "local"],
    *,
    oidc: bool = False,
    force: bool = False,
    dry_run: bool = False,
    expect: str = "",
) -> Work[PipelineFiles | Checked | Registered | LocalRunner]:
    """Write the pipelines that deploy what is published, for Azure DevOps, GitHub or GitLab.

    There are two: create-cluster runs when the cluster spec changes, sync-workspace when notebooks
    or code do; it runs the tests first. Each goes to the targets of dbx.toml, one after the other.

    Args:
        action: The forge to write for; `check` looks for mistakes in what is there, and asks the
            forge too when you are signed in there; `register` makes the pipelines and the variable
            group at Azure DevOps; `local` adds the remote `local`, which runs the Azure pipelines
            of what is published to it on this machine, against the local workspace.
        oidc: Write pipelines that need no token: the forge vouches for them, and a federation
            policy of a Databricks service principal says that it may.
        force: Also write a file again that was edited here.
        dry_run: Only show what would be written or made.
        expect: Write only if the plan is still the one with this fingerprint.

    Raises:
        ProjectError: a target's name is odd, or is no target for a pipeline at a forge.
        ConflictError: a file that would be written was edited, or the plan is not the expected one.
        PipelineError: there is nothing to check, or no means to check it; the forge refuses.
    """
    dbx.project.must_exist()
    if action == "check":
        return (yield from _check(dbx))
    dbx.repo.must_exist()
    if action == "register":
        return (yield from _register(dbx, dry_run=dry_run, expect=expect))
    if action == "local":
        return _local(dbx)
    return (yield from _written(dbx, action, oidc, force=force, dry_run=dry_run, expect=expect))


def _local(dbx: Dbx) -> LocalRunner:
    remote = LocalRemote.create(dbx.repo, dbx.project.settings.project)
    azure = paths(dbx.repo.prefix)["azure"].values()
    return LocalRunner(str(remote.folder), tuple(path for path in azure if _read(dbx, path)))


def _written(
    dbx: Dbx, action: Forge, oidc: bool, *, force: bool, dry_run: bool, expect: str
) -> Work[PipelineFiles]:
    repo, targets = dbx.repo, _targets(dbx)
    version = importlib.metadata.version("dbx-magic")
    settings = dbx.project.settings
    marks = {"oidc" if oidc else "token", "model" if settings.data or settings.model else "code"}
    wanted = render(action, targets, _branch(repo), version, repo.prefix, marks)
    there_now = {path: _read(dbx, path) for path in wanted}
    steps = tuple(Write(path, text) for path, text in wanted.items() if there_now[path] != text)
    edited = [step.path for step in steps if is_edited(there_now[step.path])]
    plan = _plan(action, steps, there_now)
    if dry_run:
        yield Planned(plan)
    plan.must_be(expect)
    if edited and not force and not dry_run:
        raise ConflictError(
            f"{listed(edited)} {'was' if len(edited) == 1 else 'were'} edited, "
            "so nothing was written.",
            f"See what would change: `pipeline {action} --dry-run`; overwrite with --force.",
        )
    if not dry_run:
        for step in steps:
            write(_top(dbx) / step.path, step.text)
    return PipelineFiles(
        action,
        targets,
        tuple(step.path for step in steps),
        tuple(path for path in wanted if there_now[path] == wanted[path]),
        _NEXT[action].format(
            group=_groups(targets),
            targets=" and ".join(targets),
            proof=_PROOFS[action][oidc],
        )
        + (_BELOW[action].format(prefix=repo.prefix) if repo.prefix else ""),
        dry_run,
    )


def _check(dbx: Dbx) -> Work[Checked]:
    places = paths(dbx.repo.prefix if dbx.repo.exists else "")
    found = {path: _read(dbx, path) for known in places.values() for path in known.values()}
    texts = {path: text for path, text in found.items() if text}
    if not texts:
        raise PipelineError("There is no pipeline yet.", "Write some with `pipeline azure`.")
    problems = tuple(find_problems(texts))
    if not problems and dbx.repo.exists:
        with contextlib.suppress(GitError):  # no remote, or none that is meant
            remote = destination(dbx.repo, dbx.repo.branch or "").remote
            names = {path: name for name, path in _names(dbx).items()}
            problems = yield from complaints(dbx.repo, remote, texts, names)
    return Checked(tuple(texts), problems)


def _register(dbx: Dbx, *, dry_run: bool, expect: str) -> Work[Registered]:
    names = _names(dbx)
    missing = [path for path in names.values() if not _read(dbx, path)]
    if missing:
        raise PipelineError(f"There is no {listed(missing)}.", "Write it with `pipeline azure`.")
    targets = _targets(dbx)
    groups = {group(targets, name): dbx.project.settings.target_named(name) for name in targets}
    remote = destination(dbx.repo, dbx.repo.branch or "").remote
    oidc = any("azure-devops-oidc" in _read(dbx, path) for path in names.values())
    work = register(dbx.repo, remote, names, groups, oidc=oidc, dry_run=dry_run, expect=expect)
    return (yield from work)


def _names(dbx: Dbx) -> dict[str, str]:
    """The Azure pipelines: the file of each by the name that it has there."""
    prefix = dbx.repo.prefix if dbx.repo.exists else ""
    before = f"{slug(prefix)}-" if prefix else ""
    azure = paths(prefix)["azure"].values()
    return {f"{before}{_NAMES[Path(path).stem]}": path for path in azure}


def _groups(targets: tuple[str, ...]) -> str:
    return " and ".join(group(targets, target) for target in targets)


def _targets(dbx: Dbx) -> tuple[str, ...]:
    """The targets in the order of dbx.toml; the local workspace only when there is no other."""
    names = tuple(name for name in dbx.project.settings.targets if name != LOCAL) or (LOCAL,)
    for name in names:
        if not re.fullmatch(r"[A-Za-z][\w-]*", name):
            raise ProjectError(
                f"dbx.toml: a pipeline cannot have a stage for the target {name!r}.",
                "Begin its name with a letter, and use letters, digits, - and _.",
            )
    return names


def _branch(repo: Repo) -> str:
    """The branch that is deployed: the remote's main one, else the one that is checked out."""
    head = repo.run("symbolic-ref", "--short", "-q", "refs/remotes/origin/HEAD", check=False)
    return head.removeprefix("origin/") or repo.branch or "main"


def _top(dbx: Dbx) -> Path:
    """The top of the repository, from where forges and we name pipeline files."""
    prefix = dbx.repo.prefix if dbx.repo.exists else ""
    return dbx.project.root.parents[prefix.count("/") - 1] if prefix else dbx.project.root


def _read(dbx: Dbx, path: str) -> str:
    file = _top(dbx) / path
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _plan(forge: Forge, steps: tuple[Write, ...], there: Mapping[str, str]) -> Plan[Write]:
    changes = tuple(
        Change("~" if there[step.path] else "+", step.path, reason=_reason(step, there[step.path]))
        for step in steps
    )
    title = f"{counted(len(steps), 'pipeline file')} for {forge} will be written"
    return Plan(title, steps, changes, f"pipeline {forge}")


def _reason(step: Write, before: str) -> str:
    if not before:
        return ""
    lines = difflib.unified_diff(before.splitlines(), step.text.splitlines(), n=0, lineterm="")
    changed = [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]
    return f"{counted(len(changed), 'line')} changed"
