"""What ``dbx.lock`` holds: the fingerprints of everything that makes up a version.

It is made from what is committed and from nothing else, no time and no machine: an unchanged
project gives an unchanged file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ProjectError

NAME = "dbx.lock"
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
