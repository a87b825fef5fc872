"""What ``dbx.toml`` says: names and places of a project, never a secret."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .errors import ProjectError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCAL = "local"
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Target:
    """One workspace the project goes to.

    ``profile`` names a section of ``~/.databrickscfg``; ``local`` is the local workspace and the
    empty default takes what the environment offers. ``spec`` overrides fields of the cluster spec.
    ``volume`` is a folder of a volume for DataFrames on their way, where DBFS may not be used.
    """

    name: str
    profile: str = ""
    root: str = ""
    cluster: str = ""
    spec: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    volume: str = ""


@dataclass(frozen=True)
class Settings:
    """The whole of ``dbx.toml``; every field has a default that comes from the folder's name."""

    project: str
    cluster: str
    target: str = LOCAL
    targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    exclude: tuple[str, ...] = ()
    outputs: str = "strip"

    def target_named(self, name: str) -> Target:
        """Give the target of that name, with root and cluster filled in.

        Raises:
            UsageError: there is no such target; the hint names those there are.
        """
        found = self.targets.get(name)
        if found is None:
            if name == LOCAL:
                found = Target(LOCAL, LOCAL)
            elif not self.targets and name == "":
                found = Target("")
            else:
                raise UsageError(
                    f"There is no target {name!r} in dbx.toml.",
                    f"There are: {', '.join(sorted({*self.targets, LOCAL}))}.",
                )
        return Target(
            found.name,
            found.profile,
            found.root or f"/Shared/{self.project}",
            found.cluster or self.cluster,
            found.spec,
            found.volume,
        )


def read_settings(root: Path) -> Settings:
    """Read ``dbx.toml`` of the project in ``root``; without the file all is default.

    Raises:
        ProjectError: the file is no TOML, or has a key or a value that is not understood.
    """
    path = root / "dbx.toml"
    name = root.name or "project"
    if not path.exists():
        return Settings(project=name, cluster=name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} is not valid TOML: {error}.", "Correct that line.") from None
    targets = table.pop("targets", {})
    _check(path, "", table, Settings)
    project = table.get("project", name)
    if not isinstance(targets, dict):
        raise ProjectError(f'{path}: "targets" must be a table of tables.')
    return Settings(
        project=project,
        cluster=table.get("cluster", project),
        target=table.get("target", next(iter(targets), LOCAL)),
        targets=MappingProxyType(
            {key: _target(path, key, value) for key, value in targets.items()}
        ),
        exclude=tuple(table.get("exclude", ())),
        outputs=table.get("outputs", "strip"),
    )


def _target(path: Path, name: str, value: object) -> Target:
    if not isinstance(value, dict):
        raise ProjectError(f'{path}: "targets.{name}" must be a table.')
    _check(path, f"targets.{name}.", value, Target)
    root = value.get("root", "")
    if root and not root.startswith("/"):
        raise ProjectError(
            f'{path}: "targets.{name}.root" is {root!r}, but a workspace folder begins with "/".',
            f'Write "/Shared/{root}", say.',
        )
    return Target(
        name,
        value.get("profile", LOCAL if name == LOCAL else name),
        root.rstrip("/"),
        value.get("cluster", ""),
        MappingProxyType(value.get("spec", {})),
        _volume(path, name, value.get("volume", "")),
    )


def _volume(path: Path, target: str, volume: str) -> str:
    if volume and not volume.startswith("/Volumes/"):
        raise ProjectError(
            f'{path}: "targets.{target}.volume" is {volume!r}, but volumes are below "/Volumes/".',
            'Write "/Volumes/catalog/schema/volume".',
        )
    return volume.rstrip("/")


def _check(path: Path, prefix: str, table: Mapping[str, Any], kind: type) -> None:
    known = {item.name: item.type for item in fields(kind)} | {}
    for key, value in table.items():
        if key not in known or (kind is Target and key == "name"):
            near = difflib.get_close_matches(key, known, 1)
            hint = f'Did you mean "{prefix}{near[0]}"?' if near else ""
            raise ProjectError(f'{path}: "{prefix}{key}" is not a setting.', hint)
        wanted: tuple[type, str] = (str, "a text")
        if str(known[key]).startswith("tuple"):
            wanted = (list, "a list of texts")
        elif str(known[key]).startswith("Mapping"):
            wanted = (dict, "a table")
        if not isinstance(value, wanted[0]):
            raise ProjectError(f'{path}: "{prefix}{key}" must be {wanted[1]}, not {value!r}.')
    if table.get("outputs", "strip") not in ("strip", "keep"):
        raise ProjectError(f'{path}: "outputs" must be "strip" or "keep".')
