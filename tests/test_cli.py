"""``dbx-magic`` as a process: what it prints where, and its exit code."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dbx_magic import errors, local_process

Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]


@pytest.fixture
def cli(project: Path) -> Cli:
    def cli(*arguments: str, cwd: Path = project, **env: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "dbx_magic", *arguments],
            cwd=cwd,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    return cli


def test_version_imports_nothing_to_say_it(cli: Cli) -> None:
    code = "import sys; from dbx_magic.cli import main; main(['--version'])\n"
    code += "print(*(name for name in ('click', 'requests', 'rich') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("dbx-magic 0.")
    assert done.stdout.split("\n")[1] == ""


def test_the_result_is_on_stdout_and_the_rest_on_stderr(
    cli: Cli, local: local_process.Server
) -> None:
    done = cli("status")
    assert done.returncode == 0
    assert local.url in done.stdout
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_json_ends_with_the_result_or_the_error(cli: Cli, local: local_process.Server) -> None:
    *_, last = cli("status", "--json").stdout.splitlines()
    assert json.loads(last)["result"]["project"] == "hello"
    done = cli("pick", "nothing", "--json")
    assert done.stderr == ""
    error = json.loads(done.stdout)["error"]
    assert error["type"] == "NotFoundError"
    assert "no cluster 'nothing'" in error["message"]
    assert done.returncode == 5


def test_a_terminal_gets_colours(project: Path, local: local_process.Server) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "dbx_magic", "local"],
        cwd=project,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    ) as process:
        process.wait()
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "\x1b[32m●\x1b[0m" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["rebuld"], 2, "✗ 'rebuld' is not a verb. Did you mean 'rebuild'?"),
        (["rebuild", "--spec"], 2, "✗ rebuild: No such option"),
        (["use", "prod"], 2, "✗ There is no target 'prod' in dbx.toml."),
        (["-t", "x"], 2, "✗ '-t' is not a verb."),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    cli: Cli, arguments: list[str], code: int, words: str
) -> None:
    done = cli(*arguments)
    assert done.returncode == code
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_every_exit_code_is_told(cli: Cli) -> None:
    told = cli("--help").stdout
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.DbxError):
            assert f" {error.exit_code} " in told.partition("Exit codes:")[2].replace("\n", " ")


def test_a_misspelt_field_of_the_spec_is_named_with_its_line(
    cli: Cli, project: Path, local: local_process.Server
) -> None:
    spec = project / "pipelines" / "config.cluster.json"
    spec.write_text(spec.read_text().replace("num_workers", "num_worker"))
    done = cli("rebuild")
    assert done.returncode == 3
    assert 'line 5: "num_worker" is not a field of a cluster' in done.stderr.replace(
        ", column 3", ""
    )
    assert 'Did you mean "num_workers"?' in done.stderr


def test_a_missing_spec_is_one_line(cli: Cli, project: Path, local: local_process.Server) -> None:
    (project / "pipelines" / "config.cluster.json").unlink()
    done = cli("rebuild")
    assert done.returncode == 3
    assert "config.cluster.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_repository_is_one_line(cli: Cli) -> None:
    done = cli("commit", "-m", "x")
    assert done.returncode == 6
    assert "is not in a git repository" in done.stderr
    assert "git init" in done.stderr


def test_a_host_that_does_not_answer_is_one_line(cli: Cli, project: Path) -> None:
    (project / "dbx.toml").unlink()
    done = cli("clusters", DATABRICKS_HOST="http://127.0.0.1:9", DATABRICKS_TOKEN="dapi1")
    assert done.returncode == 5
    assert done.stderr.startswith("✗ http://127.0.0.1:9 cannot be reached.")
    assert done.stderr.count("\n") == 1


def test_a_local_workspace_that_cannot_start_says_why(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the data folder should be")
    done = cli("local", "up", DBX_MAGIC_HOME=str(tmp_path / "taken"))
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "taken") in done.stderr


def test_ctrl_c_ends_with_130_and_stops_the_cell(
    cli: Cli, project: Path, shared_cluster: str
) -> None:
    assert cli("pick", shared_cluster).returncode == 0
    code = "print('go', flush=True)\nimport time\ntime.sleep(120)"
    with subprocess.Popen(
        [sys.executable, "-m", "dbx_magic", "exec", code],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped." in stderr
    assert "Traceback" not in stderr


def test_remote_errors_exit_8_with_the_remote_traceback(cli: Cli, shared_cluster: str) -> None:
    cli("pick", shared_cluster)
    done = cli("exec", "1/0")
    assert done.returncode == 8
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("options", [(), ("--proxy",)])
def test_a_shell_finds_the_local_workspace(
    cli: Cli, local: local_process.Server, options: tuple[str, ...]
) -> None:
    """What `eval "$(dbx-magic local env)"` gives is enough for curl, and shows no token."""
    shown = cli("local", "env", *options).stdout
    assert local.token not in shown
    script = (
        f'{shown}\ncurl -sf -H "Authorization: Bearer $DATABRICKS_TOKEN" '
        '"$DATABRICKS_HOST/api/2.0/preview/scim/v2/Me"'
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["userName"]
