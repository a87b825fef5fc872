"""Where work happens: a new project, another target, the local workspace on this machine."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from . import local_process
from .dbx import Dbx
from .errors import ConflictError, ProjectError, UsageError
from .events import Planned, Work
from .local_remote import LocalRemote
from .notebook import render_ipynb
from .plan import Change, Plan
from .project import SPEC, write
from .repo import Repo
from .settings import LOCAL
from .source import parse_source
from .spec import SCHEMA, schema_text
from .view import Line, Table, View, size

if sys.version_info >= (3, 11):
    from importlib.resources.abc import Traversable
else:
    from importlib.abc import Traversable

_LOCAL_REMOTE = "the remote local, which runs the pipelines of what is published to it here"
_IGNORED = ".ipynb_checkpoints/\n__pycache__/\n.venv/\n"


@dataclass(frozen=True)
class Initialised:
    """A project that is ready to work in."""

    root: str
    made: tuple[str, ...]
    kept: tuple[str, ...]
    dry_run: bool = False

    def view(self) -> View:
        """Where it is, what is new, how to go on; nothing after a dry run."""
        if self.dry_run:
            return []
        new = ", ".join(self.made) or "nothing, all of it was there"
        return [
            Line(f"{self.root} is a project", "✓"),
            Line(f"new: {new}", indent=1),
            *([Line(f"kept: {', '.join(self.kept)}", indent=1)] if self.kept else []),
            Line("Go on with `rebuild`, `push`, `run NOTEBOOK`, `commit -m …`", indent=1),
        ]


@dataclass(frozen=True)
class Write:
    """Write one file that is not there yet."""

    path: str
    content: str


def init(
    dbx: Dbx, name: str = "", *, example: bool = False, dry_run: bool = False, expect: str = ""
) -> Work[Initialised]:
    """Leave a working project here: settings, a cluster spec, a first notebook, a git repository.

    What is there already is kept as it is.

    Args:
        name: Make it in a new folder of this name; without it, in this folder.
        example: Begin with notebooks over a real data set instead of an almost empty one.
        dry_run: Only show what would be written.
        expect: Apply only if the plan is still the one with this fingerprint.

    Raises:
        UsageError: the name cannot be a folder's name.
        ProjectError: this folder is inside another project.
    """
    root = _new_root(dbx, name)
    wanted = _starting_files(root.name, example)
    steps = tuple(Write(path, text) for path, text in wanted.items() if not (root / path).exists())
    repository = not _in_repository(root)
    changes = [Change("+", step.path) for step in steps]
    new: tuple[str, ...] = ("a git repository", _LOCAL_REMOTE) if repository else ()
    changes += (Change("+", what) for what in new)
    plan = Plan(f"{root} becomes a project", steps, tuple(changes), f"init {name}".strip())
    kept = tuple(path for path in wanted if (root / path).exists())
    if dry_run:
        yield Planned(plan)
        return Initialised(str(root), (), kept, dry_run)
    plan.must_be(expect)
    for step in steps:
        write(root / step.path, step.content)
    (root / "workspace").mkdir(exist_ok=True)
    dbx.refresh(root)
    if repository:
        dbx.repo.run("init", "-q", "-b", "main")
        LocalRemote.create(dbx.repo, root.name)
    return Initialised(str(root), (*(step.path for step in steps), *new), kept)


def _new_root(dbx: Dbx, name: str) -> Path:
    if name and not re.fullmatch(r"[\w][\w .-]*", name):
        raise UsageError(
            f"{name!r} cannot be a project's name.", "Use letters, digits, spaces, '.', '-', '_'."
        )
    here = dbx.project.root
    if not name:
        return here
    if dbx.project.exists:
        raise ProjectError(f"This is inside the project {here}.", "Make the new one outside of it.")
    return here / name


def _in_repository(root: Path) -> bool:
    """Whether a repository is around ``root`` that would take its files and not ignore them."""
    start = next(folder for folder in (root, *root.parents) if folder.is_dir())
    around = Repo(start)
    return around.exists and not around.run("check-ignore", "--", str(root), check=False)


def _starting_files(name: str, example: bool) -> dict[str, str]:
    quoted = json.dumps(name, ensure_ascii=False)
    return {
        "dbx.toml": (
            f"project = {quoted}\ncluster = {quoted}\n\n"
            "# A target is a workspace to go to; `use NAME` switches.\n"
            f'[targets.{LOCAL}]\nprofile = "{LOCAL}"\n\n'
            "# [targets.dev]\n"
            '# profile = "dev"                  # a section of ~/.databrickscfg\n'
            f'# root = "/Shared/{name}"\n'
        ),
        ".gitignore": _IGNORED,
        str(SPEC.with_name(SCHEMA)): schema_text(),
        **dict(_template(files(__package__) / "templates" / ("example" if example else "project"))),
    }


def _template(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every file of a template; a notebook's source in ``notebooks/`` becomes an .ipynb."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        path = prefix + item.name
        if item.is_dir():
            yield from _template(item, f"{path}/")
            continue
        text = item.read_text(encoding="utf-8")
        if path.startswith("notebooks/"):
            yield f"{path.removesuffix('.py')}.ipynb", render_ipynb(parse_source(text))
        elif "__pycache__" not in path:
            yield path, text


@dataclass(frozen=True)
class InUse:
    """The target that verbs work on from now on."""

    target: str
    host: str
    user: str

    def view(self) -> View:
        """One line."""
        return [Line(f"{self.target}: {self.host}, as {self.user}", "✓")]


def use(dbx: Dbx, target: str) -> InUse:
    """Switch this checkout to another target: the local workspace or a real one.

    Args:
        target: A target of dbx.toml, or `local`.

    Raises:
        UsageError: there is no such target.
        WorkspaceError: its workspace does not let us in; then nothing is switched.
    """
    dbx.project.must_exist()
    there = Dbx(dbx.project.root, target)
    name = there.project.target.name
    user, host = there.workspace.user(), there.workspace.host
    dbx.notes += there.notes
    dbx.project.remember(target=name)
    return InUse(name, host, user)


@dataclass(frozen=True)
class LocalWorkspace:
    """The local workspace as it is."""

    url: str
    home: str
    pid: int | None
    clusters: tuple[str, ...] = ()
    memory: int = 0
    disk: int = 0

    def view(self) -> View:
        """A card; one line when it is not up."""
        if self.pid is None:
            return [
                Line("the local workspace is not up", "○", note=f"its data is in {self.home}"),
            ]
        return [
            Table(
                (
                    ("local workspace", f"● {self.url}"),
                    ("clusters", ", ".join(self.clusters) or "none"),
                    ("memory", size(self.memory)),
                    ("data", f"{self.home}, {size(self.disk)}"),
                    ("log", f"{self.home}/server.log"),
                    ("process", str(self.pid)),
                )
            )
        ]


@dataclass(frozen=True)
class ShellVariables:
    """What a shell evaluates so that any Databricks client finds the local workspace."""

    lines: tuple[str, ...]

    def view(self) -> View:
        """The lines, as a shell reads them."""
        return [Line(line) for line in self.lines]


def local(
    dbx: Dbx,
    action: Literal["status", "up", "down", "env", "reset"] = "status",
    *,
    proxy: bool = False,
    yes: bool = False,
) -> LocalWorkspace | ShellVariables:
    """Start, stop, show or empty the local workspace.

    `eval "$(dbx-magic local env)"` gives any Databricks client its host and token.

    Args:
        action: up, down, status, env (lines for a shell) or reset (delete all it holds).
        proxy: With env, for clients that drop the port of a host: a host name and HTTP_PROXY.
        yes: With reset, do it; all clusters, notebooks and files of the local workspace go.

    Raises:
        WorkspaceError: it does not start.
        ConflictError: reset without --yes.
    """
    match action:
        case "up":
            local_process.start()
        case "down":
            local_process.stop()
        case "env":
            return ShellVariables(_shell_lines(local_process.start(), proxy=proxy))
        case "reset":
            _reset(yes=yes)
    return _local_status(dbx)


def _shell_lines(server: local_process.Server, *, proxy: bool) -> tuple[str, ...]:
    # The shell reads the token from its file, so that it stands in no output and no history.
    token = f'export DATABRICKS_TOKEN="$(cat {shlex.quote(str(server.token_path))})"'
    if not proxy:
        return (f"export DATABRICKS_HOST={server.url}", token)
    return (
        "export DATABRICKS_HOST=http://dbx.local",
        token,
        f"export HTTP_PROXY={server.url}",
        f"export http_proxy={server.url}",
        "unset NO_PROXY no_proxy",
    )


def _reset(*, yes: bool) -> None:
    home = local_process.home()
    if not yes:
        raise ConflictError(
            f"This deletes all clusters, notebooks, files and secrets in {home}.",
            "If that is meant: local reset --yes",
        )
    local_process.stop()
    for item in sorted(home.iterdir()) if home.exists() else []:
        # The cache holds nothing of the user's: the class archive and downloaded packages.
        if item.name != "cache":
            shutil.rmtree(item) if item.is_dir() else item.unlink()


def _local_status(dbx: Dbx) -> LocalWorkspace:
    server = local_process.find()
    home = str(local_process.home())
    if server is None:
        return LocalWorkspace("", home, None)
    here = Dbx(dbx.project.root, LOCAL)
    clusters = tuple(
        f"{item['cluster_name']} {item['state'].lower()}" for item in here.workspace.clusters()
    )
    disk = sum(path.lstat().st_size for path in server.home.rglob("*") if path.is_file())
    memory = local_process.memory(server)
    return LocalWorkspace(server.url, home, server.pid, clusters, memory, disk)
