"""What ``dbx.lock`` holds: the fingerprints of everything that makes up a version.

It is made from what is committed and from nothing else, no time and no machine: an unchanged
project gives an unchanged file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .errors import ProjectError
from .library import library_name
from .spec import parse_spec

NAME = "dbx.lock"
# What a version consists of; dbx.lock says what is in it.
PATHS = (
    *(".gitignore", "dbx.toml", NAME, "notebooks", "workspace", "pipelines", "tests"),
    # Where GitHub and GitLab look for what `pipeline` writes.
    *(".github/workflows/create-cluster.yml", ".github/workflows/sync-workspace.yml"),
    ".gitlab-ci.yml",
)
_FORMAT = 1


@dataclass(frozen=True)
class Lock:
    """``notebooks`` and ``workspace`` map a path to git's id of its content.

    ``data`` and ``models`` map a name to what training recorded of it; a commit carries them on.
    """

    cluster: str = ""
    spec: str = ""
    libraries: tuple[str, ...] = ()
    notebooks: Mapping[str, str] = field(default_factory=dict)
    workspace: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def trailers(self) -> Mapping[str, str]:
        """What the commit's message says of it, for `git log` to find."""
        trailers = {
            "Dbx-Cluster": f"{self.cluster} {self.spec}".strip(),
            "Dbx-Model": ", ".join(f"{name} {value}" for name, value in self.models.items()),
            "Dbx-Data": ", ".join(f"{name} {value}" for name, value in self.data.items()),
        }
        return {name: value for name, value in trailers.items() if value}

    def render(self) -> str:
        """Write it as the file's text, sorted, one entry a line, so that git can merge it."""
        content: dict[str, Any] = {
            "format": _FORMAT,
            "cluster": {
                "name": self.cluster,
                "spec": self.spec,
                "libraries": sorted(self.libraries),
            },
            "notebooks": dict(self.notebooks),
            "workspace": dict(self.workspace),
            "data": dict(self.data),
            "models": dict(self.models),
        }
        return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def renewed(
    before: Lock, blobs: Mapping[str, str], spec: str | None, cluster: str, where: str
) -> Lock:
    """Say what files with these ids make up; ``before`` tells what training recorded.

    ``spec`` is the text of the cluster spec, ``where`` its name. It counts as it is for every
    target: what dbx.toml overrides for one of them is in dbx.toml.

    Raises:
        ProjectError: the spec is wrong.
    """
    lock = Lock(
        notebooks=_below("notebooks/", blobs),
        workspace=_below("workspace/", blobs),
        data=before.data,
        models=before.models,
    )
    if spec is None:
        return lock
    found = parse_spec(spec, cluster, where=where)
    libraries = tuple(library_name(item) for item in found.libraries or ())
    return replace(lock, cluster=found.name, spec=found.fingerprint, libraries=libraries)


def _below(folder: str, blobs: Mapping[str, str]) -> dict[str, str]:
    return {path: blob for path, blob in blobs.items() if path.startswith(folder)}


def read(root: Path) -> Lock:
    """``dbx.lock`` of the project in ``root`` as it is on disk; an empty one where there is none.

    Raises:
        ProjectError: it cannot be read.
    """
    try:
        text = (root / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Lock()
    return parse(text)


def parse(text: str, where: str = NAME) -> Lock:
    """Read ``dbx.lock``; ``where`` names it in errors.

    Raises:
        ProjectError: it is no lock file, or of a format that this version does not know.
    """
    try:
        content = json.loads(text)
        known = content["format"]
        cluster = content["cluster"]
        lock = Lock(
            cluster["name"],
            cluster["spec"],
            tuple(cluster["libraries"]),
            *(_texts(content[name]) for name in ("notebooks", "workspace", "data", "models")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ProjectError(
            f"{where} cannot be read.", "Delete it: `commit` writes it anew."
        ) from None
    if known != _FORMAT:
        raise ProjectError(
            f"{where} has format {known}, but this dbx_magic knows format {_FORMAT}.",
            "Update dbx_magic.",
        )
    return lock


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()}
