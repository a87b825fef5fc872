"""Floors and doors (design.md §2): imports go strictly down, one door per outsider."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dbx_magic

PACKAGE = Path(dbx_magic.__file__).parent

# Ground floor first. A module may import what stands below it, and on the first two floors
# (values and doors) what stands to its left.
FLOORS = [
    ["on_cluster", "errors", "view", "table", "output", "plan", "events", "settings"],
    # More values: each knows only the ground and those to its left.
    [
        "serverless",
        "notebook",
        "source",
        "bridge",
        "merge",
        "textformats",
        "formats",
        "secrets_scan",
        "json_places",
    ],
    [
        *("comparison", "celldiff", "strip", "pipeline_run", "pipeline_text"),
        *("library", "spec", "lockfile", "drift", "rebuild_plan", "policy", "offered"),
        *("quality", "profile", "distances", "metric_tables", "windows"),
    ],
    ["project", "base", "tree", "repo", "draft", "conversion", "throttle", "rest", "auth"],
    ["local_process", "workspace", "tracking", "forge_host", "azure_devops", "github", "gitlab"],
    ["crew", "remote", "pushlock", "sides", "sending", "pushing", "pulling"],
    ["dbx"],
    ["cluster_state", "pipeline_check", "local_remote", "exchange"],
    ["forge"],
    ["forge_setup", "review"],
    ["publishing"],
    ["commands"],
    ["frames", "data"],
    [
        *("setup", "clusters", "cluster_facts", "rebuild"),
        *("convert", "transfer", "pull", "cells", "spark", "runs"),
        *("versions", "history", "compare", "rollback", "pipelines", "follow"),
        "promote",
    ],
    ["status", "demo", "ship", "remote_mode", "names", "track", "validate"],
    ["monitor"],
    ["verbs", "side_by_side"],
    ["grammar", "protocol", "show"],
    ["completion", "display"],
    ["widgets"],
    ["magics", "cli", "server"],
]
LEFT_TO_RIGHT = 6  # so many floors, from the ground
ASIDE = {"__init__", "__main__"}
OUTSIDERS = {
    "requests": {"rest"},
    "databricks": {"auth"},
    "jupytext": {"textformats"},
    "IPython": {"magics", "display", "widgets"},
    "ipywidgets": {"widgets"},
    "mlflow": set(),
    "tornado": {"server"},
}
HEAVY = ["databricks", "jupytext", "nbformat", "pandas", "mlflow", "ipywidgets", "pyspark"]


def modules() -> list[str]:
    return sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem not in ASIDE)


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """Name what a module imports at run time, and whether that is inside the package."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((str(name).split(".")[0], True) for name in names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).split(".")[0], False


def place(module: str) -> tuple[int, int]:
    for floor, names in enumerate(FLOORS):
        if module in names:
            return floor, names.index(module)
    pytest.fail(f"{module}.py stands on no floor: put it into FLOORS")


@pytest.mark.parametrize("module", modules())
def test_imports_go_down(module: str) -> None:
    floor, column = place(module)
    for name, inside in imports(module):
        if not inside:
            continue
        assert name != "local", f"{module} imports the local workspace, which speaks HTTP only"
        below, left = place(name)
        beside = below == floor and floor < LEFT_TO_RIGHT and left < column
        assert below < floor or beside, f"{module} imports {name}, which is not below it"


@pytest.mark.parametrize("module", modules())
def test_one_door_per_outsider(module: str) -> None:
    for name, _ in imports(module):
        if name in OUTSIDERS:
            assert module in OUTSIDERS[name], f"{module} imports {name}"
    if module != "repo":
        source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        assert '["git"' not in source, f"{module} runs git; repo.py is its door"


def test_the_local_workspace_knows_only_values() -> None:
    values = {name for names in FLOORS[:3] for name in names}
    for path in (PACKAGE / "local").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        depth = len(path.relative_to(PACKAGE).parts)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level >= depth:
                name = str(node.module).split(".")[0]
                assert name in values, f"{path} imports {name}"


def test_the_panels_are_a_face() -> None:
    """They know what faces know, and no face but their own."""
    below = {name for names in FLOORS[: FLOORS.index(["widgets"])] for name in names}
    for path in (PACKAGE / "widgets").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dbx_magic."):
                assert str(node.module).split(".")[1] in below, f"{path} imports {node.module}"


@pytest.mark.parametrize(
    "code",
    [
        "import dbx_magic",
        (
            "from IPython.core.interactiveshell import InteractiveShell\n"
            "InteractiveShell.instance().run_line_magic('load_ext', 'dbx_magic')"
        ),
    ],
)
def test_loading_imports_nothing_heavy(code: str) -> None:
    code += f"\nimport sys\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
