"""The door to the project's files: where they are, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import ConflictError, ProjectError
from .settings import Settings, Target, read_settings
from .spec import PLACEHOLDER, ClusterSpec, parse_spec

SPEC = Path("pipelines/config.cluster.json")
PARTIAL = ".dbx-part"  # ends the name of a file that is being written


class Project:
    """A folder with ``notebooks/``, ``workspace/`` and ``pipelines/`` (or the start of one)."""

    def __init__(self, root: Path, target: str | None = None) -> None:
        self.root = root
        self._target = target

    @classmethod
    def around(cls, folder: Path, target: str | None = None) -> Project:
        """Find the project that ``folder`` is in: the nearest folder above with its marks.

        A folder outside any project is taken as one that has not been initialised.
        """
        folder = folder.resolve()
        for candidate in (folder, *folder.parents):
            if (candidate / "dbx.toml").is_file() or (candidate / SPEC).is_file():
                return cls(candidate, target)
        return cls(folder, target)

    @property
    def exists(self) -> bool:
        """Whether the folder holds a project at all."""
        return (self.root / "dbx.toml").is_file() or (self.root / SPEC).is_file()

    def must_exist(self) -> None:
        """Refuse to work in a folder that is no project.

        Raises:
            ProjectError: neither ``dbx.toml`` nor a cluster spec is here or above.
        """
        if not self.exists:
            raise ProjectError(
                f"{self.root} is not a project: it has no dbx.toml and no {SPEC}.",
                "Make one here with `init`.",
            )

    @cached_property
    def settings(self) -> Settings:
        """What ``dbx.toml`` says."""
        return read_settings(self.root)

    @property
    def target(self) -> Target:
        """The target asked for, else the one chosen with ``use``, else ``dbx.toml``'s."""
        usual = self.settings.target if self.settings.targets else ""
        return self.settings.target_named(self._target or self.state().get("target", usual))

    @property
    def spec_path(self) -> Path:
        """The cluster spec."""
        return self.root / SPEC

    def cluster_spec(self) -> ClusterSpec:
        """The cluster spec for the target in use, read and checked.

        Raises:
            ProjectError: there is none, it cannot be read, or it holds what no cluster can have.
        """
        target = self.target
        try:
            text = self.spec_path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise ProjectError(
                f"{self.root} has no cluster spec.",
                f"Write one to {SPEC}, or make a project with `init`.",
            ) from None
        except UnicodeDecodeError:
            raise ProjectError(f"{SPEC} is not UTF-8.", "Save it as UTF-8.") from None
        spec = parse_spec(
            text, target.cluster, where=str(SPEC), overrides=target.spec, target=target.name
        )
        if spec.name != target.cluster and (self.root / "dbx.toml").is_file():
            raise ProjectError(
                f"{spec.place('cluster_name')}: the cluster is named {spec.name!r}, "
                f"but dbx.toml names it {target.cluster!r}.",
                f'Write "{PLACEHOLDER}" there: it is replaced by the name in dbx.toml.',
            )
        return spec

    @property
    def notebooks(self) -> Path:
        """What people edit."""
        return self.root / "notebooks"

    @property
    def workspace(self) -> Path:
        """What is deployed: Databricks sources and plain files."""
        return self.root / "workspace"

    @property
    def state_folder(self) -> Path:
        """What only this checkout knows; ignored by git."""
        return self.root / ".dbx" / "state"

    def state(self) -> dict[str, Any]:
        """What was chosen here: the target, and the picked cluster of each target."""
        try:
            text = (self.state_folder / "state.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        return dict(json.loads(text))

    def remember(self, **changes: Any) -> None:
        """Keep choices in the state; ``None`` forgets one."""
        state = {key: value for key, value in {**self.state(), **changes}.items() if value}
        self.write_state("state.json", json.dumps(state, indent=1, sort_keys=True))

    def write_state(self, name: str, text: str) -> None:
        """Write a file of the state folder."""
        write(self.state_file(name), text)

    def state_file(self, name: str) -> Path:
        """Where a file of the state folder is; the folder is made, and git told to ignore it."""
        ignore = self.root / ".dbx" / ".gitignore"
        if not ignore.exists():
            write(ignore, "*\n")
        self.state_folder.mkdir(parents=True, exist_ok=True)
        return self.state_folder / name

    @property
    def picked(self) -> str | None:
        """The id of the cluster picked for the target in use."""
        value = self.state().get("picked", {}).get(self.target.name)
        return str(value) if value else None

    def pick(self, cluster_id: str | None) -> None:
        """Make a cluster the picked one of the target in use."""
        picked: Mapping[str, Any] = self.state().get("picked", {})
        self.remember(picked={**picked, self.target.name: cluster_id})

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the project for one changing verb; the system releases it when a process dies.

        Raises:
            ConflictError: another process works on the project.
        """
        self.write_state("lock", "")
        with (self.state_folder / "lock").open("r+") as file:
            try:
                hold(file.fileno())
            except OSError:
                raise ConflictError(
                    f"Another dbx_magic is changing {self.root} right now.",
                    "Wait until it is done, then try again.",
                ) from None
            try:
                yield
            finally:
                release(file.fileno())


def hold(descriptor: int) -> None:
    """Lock an open file for as long as it is open, or raise OSError when somebody else has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def release(descriptor: int) -> None:
    """Unlock a file at once.

    To close it would not do: while another thread starts a program, that has it open for a moment.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, making its folder; an equal file is left untouched."""
    data = content.encode() if isinstance(content, str) else content
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == data:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        if path.exists():
            temporary.chmod(path.stat().st_mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
