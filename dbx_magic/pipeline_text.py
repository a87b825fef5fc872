"""The text of pipeline files: the templates of a forge, filled in, and whether one was edited."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Set
from importlib.resources import files
from typing import Literal

Forge = Literal["azure", "github", "gitlab"]

# Where each template goes; the same places are checked.
FILES: Mapping[Forge, Mapping[str, str]] = {
    "azure": {
        "build-cluster.yml": "pipelines/build-cluster.yml",
        "build-workspace.yml": "pipelines/build-workspace.yml",
    },
    "github": {
        "create-cluster.yml": ".github/workflows/create-cluster.yml",
        "sync-workspace.yml": ".github/workflows/sync-workspace.yml",
    },
    "gitlab": {"gitlab-ci.yml": ".gitlab-ci.yml"},
}
_UNSIGNED = "__FINGERPRINT__"
_FINGERPRINT = re.compile(
    r"^# Written by `dbx-magic pipeline \w+` \(([0-9a-f]{12})\)", re.MULTILINE
)
_TESTS = re.compile(r"^ *(- stage: )?tests:?$", re.MULTILINE)
_EACH = "#each\n"
_GROUP = "databricks_cli"
# What a line of a template is for, where it is not for every project: how one signs in, and
# whether there is data or a model to validate.
_MARK = re.compile(r" #(token|oidc|code|model)$")


def paths(prefix: str) -> dict[Forge, dict[str, str]]:
    """Where each template goes, seen from the top of the repository.

    A project that is in a folder of it, ``prefix``, has its pipelines there as well. Only GitHub
    looks nowhere but at the top, where the folder's name tells them from other projects'.
    """
    if not prefix:
        return {forge: dict(found) for forge, found in FILES.items()}
    found = {forge: {name: prefix + path for name, path in FILES[forge].items()} for forge in FILES}
    folder = ".github/workflows"
    found["github"] = {name: f"{folder}/{slug(prefix)}-{name}" for name in FILES["github"]}
    return found


def render(
    forge: Forge,
    targets: tuple[str, ...],
    branch: str,
    version: str,
    prefix: str = "",
    marks: Set[str] = frozenset({"token", "code"}),
) -> dict[str, str]:
    """Fill in the templates of a forge: the text of each file, by its path.

    ``prefix`` is the project's folder in its repository, ``path/to/it/``. ``marks`` are those of
    the lines to keep: with ``oidc`` no token is handed over, but the forge's word; with ``model``
    data and model are validated, too.
    """
    folder = files(__package__) / "templates" / "pipelines" / forge
    found = {}
    for name, path in paths(prefix)[forge].items():
        text = _marked((folder / name).read_text(encoding="utf-8"), marks)
        text = text.replace("__BRANCH__", branch).replace("__VERSION__", version)
        text = text.replace("__FILE__", path).replace("__PREFIX__", prefix)
        if prefix:
            text = text.replace("__FOLDER__", prefix.rstrip("/"))
        # At the top there is no folder to go to.
        text = "".join(line for line in text.splitlines(keepends=True) if "__FOLDER__" not in line)
        head, _, each = text.partition(_EACH)
        after, after_cluster = "tests" if _TESTS.search(head) else "", ""
        for target in targets:
            stage = re.sub(r"\W", "_", target)
            values = {
                "TARGET": target,
                "STAGE": stage,
                "GROUP": group(targets, target),
                "AFTER": after,
                "AFTER_CLUSTER": after_cluster,
            }
            part = _filled(each, values)
            head += part.replace("    needs: []\n", "") if forge == "github" else part
            after = f"sync-workspace:{target}" if forge == "gitlab" else stage
            after_cluster = f"create-cluster:{target}"
        found[path] = head.replace(_UNSIGNED, _fingerprint(head), 1)
    return found


def _marked(text: str, marks: Set[str]) -> str:
    """Leave out the lines with another mark than these, and the marks."""
    found = ((line, _MARK.search(line)) for line in text.split("\n"))
    lines = (_MARK.sub("", line) for line, mark in found if mark is None or mark[1] in marks)
    return "\n".join(lines)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"__([A-Z_]+?)__", lambda name: values[name[1]], text)


def group(targets: tuple[str, ...], target: str) -> str:
    """The variable group of a target, which has its host and token at Azure DevOps."""
    return _GROUP if len(targets) == 1 else f"{_GROUP}_{target}"


def is_edited(text: str) -> bool:
    """Whether a file is not as it was written: its fingerprint says what that was."""
    found = _FINGERPRINT.search(text)
    if not found:
        return bool(text)
    return _fingerprint(text.replace(found[1], _UNSIGNED, 1)) != found[1]


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def slug(prefix: str) -> str:
    """A folder as a part of a name."""
    return re.sub(r"[^\w.]+", "-", prefix.strip("/"))
