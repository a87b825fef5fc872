"""Making a project, switching its target, the local workspace's verbs."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import local_process, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, ProjectError, UsageError
from dbx_magic.events import Event, Planned, drive
from dbx_magic.notebook import parse_ipynb

Perform = Callable[..., Any]


def perform(folder: Path, verb: str, seen: list[Event] | None = None, /, **arguments: Any) -> Any:
    dbx = Dbx(folder)
    try:
        return drive(verbs.perform(dbx, verb, arguments), (seen if seen is not None else []).append)
    finally:
        dbx.close()


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != ".git"}


@pytest.mark.parametrize("example", [False, True])
def test_init_leaves_a_project_that_works(
    tmp_path: Path, local: local_process.Server, example: bool
) -> None:
    made = perform(tmp_path, "init", name="taxi", example=example)
    root = tmp_path / "taxi"
    assert made.root == str(root)
    assert {"dbx.toml", ".gitignore", "pipelines/config.cluster.json"} <= files(root)
    for notebook in (root / "notebooks").glob("*.ipynb"):
        assert parse_ipynb(notebook.read_bytes()).language == "python"
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True
    )
    assert "dbx.toml" in status.stdout
    seen: list[Event] = []
    perform(root, "rebuild", seen, dry_run=True)
    (planned,) = [event for event in seen if isinstance(event, Planned)]
    assert planned.plan.title == "taxi will be created"


def test_init_keeps_what_is_there(tmp_path: Path) -> None:
    perform(tmp_path, "init", name="taxi")
    settings = tmp_path / "taxi" / "dbx.toml"
    settings.write_text('project = "mine"\n')
    (tmp_path / "taxi" / ".gitignore").unlink()
    again = perform(tmp_path / "taxi", "init")
    assert again.made == (".gitignore",)
    assert settings.read_text() == 'project = "mine"\n'


def test_init_only_shows_with_dry_run(tmp_path: Path) -> None:
    seen: list[Event] = []
    perform(tmp_path, "init", seen, name="taxi", dry_run=True)
    assert isinstance(seen[0], Planned)
    assert list(tmp_path.iterdir()) == []


def test_a_project_inside_a_project_or_with_an_odd_name_is_refused(project: Path) -> None:
    with pytest.raises(ProjectError, match="inside the project"):
        perform(project / "notebooks", "init", name="inner")
    with pytest.raises(UsageError, match=r"'\.\./x' cannot be a project's name"):
        perform(project, "init", name="../x")


def test_a_project_in_a_repository_gets_none_of_its_own(git_project: Path, tmp_path: Path) -> None:
    root = tmp_path / "mono"
    root.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    perform(root, "init", name="part")
    assert not (root / "part" / ".git").exists()


def test_a_project_that_the_repository_around_ignores_gets_its_own(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("/demo/\n")
    (tmp_path / "demo").mkdir()
    made = perform(tmp_path / "demo", "init", name="taxi")
    assert "a git repository" in made.made


def test_use_switches_and_only_when_it_can(project: Path, local: local_process.Server) -> None:
    with (project / "dbx.toml").open("a") as file:
        file.write('\n[targets.prod]\nprofile = "nowhere"\n')
    assert perform(project, "use", target="local").host == local.url
    with pytest.raises(UsageError, match="no profile 'nowhere'"):
        perform(project, "use", target="prod")
    assert Dbx(project).project.target.name == "local"


def test_a_local_workspace_that_was_emptied_is_found_where_it_was(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "own"
    monkeypatch.setenv("DBX_MAGIC_HOME", str(home))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])

    def serve() -> None:
        command = [sys.executable, "-m", "dbx_magic.local", "--home", home, "--port", port]
        with subprocess.Popen(command) as server:
            try:
                while local_process.find() is None:
                    assert server.poll() is None
                assert dbx.workspace.object("/Shared")
                dbx.refresh(project)
            finally:
                server.terminate()

    dbx = Dbx(project)
    serve()
    perform(project, "local", action="reset", yes=True)
    serve()


def test_local_goes_up_and_down_and_keeps_its_data(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBX_MAGIC_HOME", str(tmp_path / "own"))
    assert perform(project, "local").pid is None
    up = perform(project, "local", action="up")
    assert up.pid
    assert up.memory > 20_000_000
    dbx = Dbx(project)
    dbx.workspace.make_folder("/Shared/kept")
    dbx.close()
    assert perform(project, "local", action="down").pid is None
    dbx = Dbx(project)
    assert dbx.workspace.object("/Shared/kept")
    assert "Started the local workspace" in dbx.notes[0]
    with pytest.raises(ConflictError, match="deletes all clusters, notebooks"):
        perform(project, "local", action="reset")
    assert dbx.workspace.object("/Shared/kept")
    perform(project, "local", action="reset", yes=True)
    assert perform(project, "local").pid is None
    dbx.refresh(project)
    assert dbx.workspace.object("/Shared/kept") is None
    dbx.close()
    local_process.stop()
