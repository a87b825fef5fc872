"""Mistakes in pipeline files, found before a forge finds them: by the forges' own schemas."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import secrets_scan
from .errors import PipelineError

_SCHEMAS: Mapping[str, tuple[str, ...]] = {
    "azure": ("vendor.azure-pipelines", "--data-transform", "azure-pipelines"),
    "github": ("vendor.github-workflows",),
    "gitlab": ("vendor.gitlab-ci", "--data-transform", "gitlab-ci"),
}
_NEEDS = {"azure": "dependsOn", "github": "needs", "gitlab": "needs"}
# Where a command stands, and how it would be handed a secret on its own command line.
_COMMANDS = {"script", "bash", "run", "args", "arguments"}
_HANDED = re.compile(
    r"\$\((databricks_token)\)|\$\{\{ *(secrets\.\w+) *\}\}|\$\{?(DATABRICKS_TOKEN)\b"
)
_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")
_DUMP = re.compile(r"^[{\[].{200,}? (is|does) ", re.DOTALL)


@dataclass(frozen=True)
class Problem:
    """One mistake, and where it is."""

    where: str
    what: str
    hint: str = ""


def find_problems(texts: Mapping[str, str]) -> list[Problem]:
    """Look for mistakes in pipeline files, given by their path in the project.

    Raises:
        PipelineError: the schemas are not installed.
    """
    read = [_read(path, text) for path, text in texts.items()]
    found = [item for item in read if isinstance(item, Problem)]
    files = [item for item in read if isinstance(item, _Yaml)]
    for yaml in files:
        found += [
            Problem(secret.where, f"{secret.kind} ({secret.start}…)", "Make it a secret variable.")
            for secret in secrets_scan.scan(yaml.path, yaml.text.encode())
        ]
        found += _handed_secrets(yaml)
        found += _missing_needs(yaml)
    return [*found, *_schema_problems(files)]


class _Yaml:
    """A YAML file with the lines of its parts."""

    def __init__(self, path: str, text: str, value: Any, root: Any) -> None:
        self.path, self.text = path, text
        self.value = value if isinstance(value, dict) else {}
        self._root = root

    @property
    def forge(self) -> str:
        """Whose file it is, by its place."""
        if self.path.startswith(".github/"):
            return "github"
        return "gitlab" if Path(self.path).name.startswith(".gitlab") else "azure"

    def where(self, path: Iterable[str | int]) -> str:
        """Name file and line of a part; of its nearest parent when there is no such part."""
        node, line = self._root, 1
        for part in path:
            found = None
            for key, value in getattr(node, "value", None) or () if isinstance(part, str) else ():
                if key.value == part:
                    found, line = value, key.start_mark.line + 1
            if isinstance(part, int) and part < len(node.value):
                found = node.value[part]
                line = found.start_mark.line + 1
            if found is None:
                break
            node = found
        return f"{self.path}:{line}"


def _read(path: str, text: str) -> _Yaml | Problem:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        value = YAML(typ="safe", pure=True).load(text)
        return _Yaml(path, text, value, YAML(pure=True).compose(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return Problem(f"{path}:{line}", f"not valid YAML: {error.problem}")
    except YAMLError as error:
        return Problem(path, f"not valid YAML: {str(error).splitlines()[0]}")


def _parts(
    value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _parts(item, (*path, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _parts(item, (*path, number))


def _handed_secrets(yaml: _Yaml) -> Iterator[Problem]:
    for path, value in _parts(yaml.value):
        command = any(part in _COMMANDS for part in path) and "env" not in path
        if command and isinstance(value, str) and (handed := _HANDED.search(value)):
            name = next(filter(None, handed.groups()))
            yield Problem(
                yaml.where(path),
                f"the secret {name} is handed over on a command line, where other processes see it",
                "Hand it over with env:",
            )


def _missing_needs(yaml: _Yaml) -> Iterator[Problem]:
    """Find stages and jobs that wait for one that is not there."""
    names = _names(yaml)
    for path, value in _parts(yaml.value):
        if not path or path[-1] != _NEEDS[yaml.forge]:
            continue
        wanted = value if isinstance(value, list) else [value]
        for item in wanted:
            name = item.get("job") if isinstance(item, dict) else item
            if isinstance(name, str) and name not in names:
                yield Problem(yaml.where(path), f"it waits for {name!r}, which is not there")


def _names(yaml: _Yaml) -> set[str]:
    """All that a stage or job can wait for."""
    match yaml.forge:
        case "gitlab":
            return set(yaml.value)
        case "github":
            return set(yaml.value.get("jobs") or ())
    kinds = ("stage", "job", "deployment")
    found = [value for _, value in _parts(yaml.value) if isinstance(value, dict)]
    return {str(value[kind]) for value in found for kind in kinds if kind in value}


def _schema_problems(files: Sequence[_Yaml]) -> Iterator[Problem]:
    if importlib.util.find_spec("check_jsonschema") is None:
        raise PipelineError(
            "The schemas of pipelines are not installed.",
            'Install them with: pip install "dbx-magic[pipelines]"',
        )
    with tempfile.TemporaryDirectory() as folder:
        for forge, schema in _SCHEMAS.items():
            copies = {
                str(Path(folder, f"{forge}{number}.yml")): yaml
                for number, yaml in enumerate(files)
                if yaml.forge == forge
            }
            for copy, yaml in copies.items():
                Path(copy).write_text(yaml.text, encoding="utf-8")
            for error in _validate(schema, list(copies)) if copies else ():
                best = error.get("best_deep_match") or error
                path = [
                    int(number) if number else (name or quoted)
                    for name, number, quoted in _PART.findall(best["path"].removeprefix("$"))
                ]
                yaml = copies[error["filename"]]
                yield Problem(yaml.where(path), _shortened(best["message"]))


def _validate(schema: Sequence[str], paths: Sequence[str]) -> list[dict[str, Any]]:
    options = ("--regex-variant", "nonunicode", "--output-format", "json")
    command = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, *options)
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise PipelineError(f"check-jsonschema failed: {done.stderr.strip()}")
    errors: list[dict[str, Any]] = json.loads(done.stdout)["errors"]
    return errors


def _shortened(message: str) -> str:
    """Leave out the part of the file that a schema's message repeats."""
    return re.sub(_DUMP, r"this \1 ", message)[:300]
