"""The project's files: found from anywhere inside, written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbx_magic.errors import ConflictError, ProjectError
from dbx_magic.project import Project, write


def test_found_from_a_folder_inside(project: Path) -> None:
    inside = project / "notebooks" / "deep"
    inside.mkdir()
    assert Project.around(inside).root == project


def test_a_seed_project_needs_no_settings(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "config.cluster.json").write_text("{}")
    found = Project.around(tmp_path / "pipelines")
    assert found.root == tmp_path
    found.must_exist()


def test_elsewhere_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"is not a project.*`init`"):
        Project.around(tmp_path).must_exist()


def test_choices_last_and_stay_out_of_git(git_project: Path) -> None:
    project = Project(git_project)
    project.pick("0101-1")
    project.remember(target="local")
    again = Project(git_project)
    assert again.picked == "0101-1"
    assert again.state()["target"] == "local"
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=git_project, capture_output=True, check=True
    )
    assert b".dbx/state" not in status.stdout
    project.pick(None)
    assert Project(git_project).picked is None


def test_each_target_has_its_own_pick(project: Path) -> None:
    with (project / "dbx.toml").open("a") as file:
        file.write('\n[targets.dev]\nprofile = "d"\n')
    Project(project).pick("here")
    Project(project, "dev").pick("there")
    assert Project(project).picked == "here"
    assert Project(project, "dev").picked == "there"


def test_a_second_change_is_refused_and_a_dead_one_holds_nothing(project: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from dbx_magic.project import Project\n"
        "with Project(Path(sys.argv[1])).lock(): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(project)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConflictError, match="Another dbx_magic"), Project(project).lock():
            pass
        holder.kill()
        holder.wait()
        with Project(project).lock():
            pass


def test_a_program_that_another_thread_starts_does_not_keep_the_lock(project: Path) -> None:
    """Until it is another program, what is forked has all files open, the lock's too."""
    again = (
        "import os, sys; from pathlib import Path; from dbx_magic.project import Project\n"
        "project, (reader, writer) = Project(Path(sys.argv[1])), os.pipe()\n"
        "with project.lock():\n"
        "    if not os.fork(): os.close(writer); os._exit(len(os.read(reader, 1)))\n"
        "with project.lock(): os.write(writer, b'.')\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    command = [sys.executable, "-c", again, str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "1\n", done.stderr


def test_write_leaves_equal_files_and_modes_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.sh"
    write(path, "one")
    path.chmod(0o755)
    os.utime(path, (1, 1))
    write(path, "one")
    assert path.stat().st_mtime == 1
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o755
    assert [item.name for item in path.parent.iterdir()] == ["file.sh"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "inside").write_text("x")
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        write(folder, "text")
    assert [item.name for item in tmp_path.iterdir()] == ["taken"]
