"""``%dbx`` in a real IPython, and the project's notebooks in a real kernel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import nbformat
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient
from place import ipynb
from traitlets.config import Config

from dbx_magic import local_process, lockfile
from dbx_magic.dbx import Dbx
from dbx_magic.errors import WorkspaceError
from dbx_magic.output import plain

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture
def shell(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.chdir(project)
    # A shell of its own keeps no history: it would write into a home that is gone at the end.
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "dbx_magic")
    yield shell
    shell.run_line_magic("unload_ext", "dbx_magic")
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, cell: str) -> tuple[Any, str]:
    """Run a cell and give its result and everything it showed as text."""
    with capture_output() as captured:
        done = shell.run_cell(cell)
    shown = "".join(str(output.data.get("text/plain", "")) for output in captured.outputs)
    return done, captured.stdout + captured.stderr + shown


def test_the_status_card_is_shown_and_can_be_assigned(
    shell: InteractiveShell, local: local_process.Server
) -> None:
    done, shown = run(shell, "status = %dbx\nstatus")
    assert done.success
    assert shell.user_ns["status"].project == "hello"
    assert local.url in shown
    assert "text/html" in shell.display_formatter.format(shell.user_ns["status"])[0]


@pytest.mark.parametrize("line", ["%dbx rebuild --help", "%dbx help rebuild", "%dbx rebuild?"])
def test_help_is_the_same_as_on_the_command_line(shell: InteractiveShell, line: str) -> None:
    _, shown = run(shell, line)
    done = subprocess.run(
        [sys.executable, "-m", "dbx_magic", "rebuild", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.replace("%dbx", "dbx-magic").strip() == done.stdout.strip()


def test_a_question_mark_explains_the_magic(shell: InteractiveShell) -> None:
    _, shown = run(shell, "%dbx?")
    assert "VERB" in shown


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%dbx rebuld", "✗ 'rebuld' is not a verb. Did you mean 'rebuild'?"),
        ("%dbx run", "✗ run: Missing argument 'NOTEBOOK'."),
        ("%%dbx cobol\n1", "✗ %%dbx cannot run 'cobol'."),
        ("%dbx run 'open quote", "✗ %dbx run 'open quote: No closing quotation."),
        ("%dbx use nowhere", "✗ There is no target 'nowhere' in dbx.toml."),
    ],
)
def test_a_mistake_is_one_line_and_stops_run_all(
    shell: InteractiveShell, cell: str, words: str
) -> None:
    done, shown = run(shell, cell)
    assert not done.success
    assert words in shown
    assert "Traceback" not in shown


def test_push_this_in_vs_code(shell: InteractiveShell, project: Path, dbx: Dbx) -> None:
    """It names the notebook in a variable, also one that was never saved."""
    file = project / "notebooks" / "train.ipynb"
    file.write_text(ipynb("a = 1"))
    shell.user_ns["__vsc_ipynb_file__"] = str(file)
    done, shown = run(shell, "%dbx push this")
    assert done.success, shown
    assert dbx.workspace.fetch(f"{dbx.project.target.root}/train").endswith(b"a = 1\n")
    shell.user_ns["__vsc_ipynb_file__"] = str(project / "Untitled-1.ipynb")
    done, shown = run(shell, "%dbx push this")
    assert not done.success
    assert "✗ Untitled-1.ipynb is not there. Save this notebook" in shown


def test_an_unknown_cluster_is_one_line(
    shell: InteractiveShell, local: local_process.Server
) -> None:
    done, shown = run(shell, "%dbx pick nothing")
    assert not done.success
    assert "has no cluster 'nothing'" in shown
    assert "Traceback" not in shown


def test_a_cell_runs_on_the_cluster(shell: InteractiveShell, shared_cluster: str) -> None:
    run(shell, f"%dbx pick {shared_cluster}")
    done, shown = run(shell, "%%dbx\nprint('there')\n6 * 7")
    assert done.success
    assert "there" in shown
    assert "42" in shown
    done, shown = run(shell, "%%dbx\nraise KeyError('x')")
    assert not done.success
    assert "KeyError: 'x'" in plain(shown)
    assert "dbx_magic" not in shown


def test_values_go_to_the_cluster_and_come_back(
    shell: InteractiveShell, shared_cluster: str
) -> None:
    run(shell, f"%dbx pick {shared_cluster}")
    run(shell, "zones = [1, 2, 3]")
    done, shown = run(shell, "%%dbx -i zones -o total\nsum(zones)")
    assert done.success
    assert shell.user_ns["total"] == 6
    assert "total: int" in shown
    run(shell, "%%dbx sql -o frame --as list -n 2\nselect * from range(5)")
    assert shell.user_ns["frame"] == [{"id": 0}, {"id": 1}]
    done, shown = run(shell, "%%dbx --background\nprint('over')")
    assert "cell 1 runs on shared" in shown
    while "over" not in shown:
        _, shown = run(shell, "%dbx cells 1")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("%dbx reb", "rebuild"),
        ("%dbx rebuild --dr", "--dry-run"),
        ("%%dbx sq", "sql"),
        ("%%dbx --clu", "--cluster"),
        ("%dbx push noteb", "notebooks/"),
    ],
)
def test_completion(shell: InteractiveShell, line: str, word: str) -> None:
    with provisionalcompleter():
        found = [item.text for item in shell.Completer.completions(line, len(line))]
    assert found == [word]


def test_loading_twice_completes_once(shell: InteractiveShell) -> None:
    shell.run_line_magic("reload_ext", "dbx_magic")
    shell.run_line_magic("load_ext", "dbx_magic")
    names = [matcher.__name__ for matcher in shell.Completer.custom_matchers]
    assert "dbx_matcher" in names
    assert len(set(names)) == len(names)


@pytest.fixture
def kernel_home(
    local: local_process.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A home for kernels, which find the local workspace of this test run."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    return tmp_path


def shown_by(name: str, home: Path) -> str:
    """Run a notebook of the project in a kernel, and give all that its cells show."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(notebook, timeout=400).execute(cwd=str(home))
    return "\n".join(
        output.get("text", "") or output.get("evalue", "") or output["data"].get("text/plain", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


def test_the_quickstart_notebook_runs(kernel_home: Path) -> None:
    shown = shown_by("01_quickstart.ipynb", kernel_home)
    for words in ("333 penguins", "Gentoo", "/Shared/penguins", "running, equal to its spec"):
        assert words in shown
    there = Dbx(kernel_home / "dbx-quickstart" / "penguins")
    there.workspace.delete_cluster(str(there.project.picked))
    there.close()
    commits = subprocess.run(
        ["git", "log", "--format=%s"],
        cwd=kernel_home / "dbx-quickstart" / "penguins",
        capture_output=True,
        text=True,
        check=True,
    )
    assert commits.stdout == "Let pipelines deploy it\nWeigh the penguins\n"
    assert "build-workspace #2" in shown
    assert "local/1" in shown  # where the history says that the version is


@pytest.mark.timeout(600)  # MLflow may have to be downloaded
def test_the_notebook_about_models_runs(
    kernel_home: Path, unavailable: Callable[[str], NoReturn]
) -> None:
    there = Dbx(kernel_home, "local")
    try:
        there.tracking.aliases("nothing")
    except WorkspaceError as error:
        unavailable(error.message)
    shown = shown_by("02_models.ipynb", kernel_home)
    assert there.tracking.aliases("species") == {"champion": "1"}
    for words in ("species 1 is the champion", "✗ species 2: accuracy", "2 failed validation"):
        assert words in shown
    project = Dbx(kernel_home / "dbx-quickstart" / "species")
    assert lockfile.read(project.project.root).models == {"species": "2"}
    project.workspace.delete_cluster(str(project.project.picked))
    there.close()


def test_an_interrupt_stops_the_cell_and_leaves_the_kernel_usable(
    kernel_home: Path, project: Path, shared_cluster: str
) -> None:
    """The kernel gets SIGINT while a cell runs on the cluster, as from Jupyter's Stop button."""
    client = NotebookClient(
        nbformat.v4.new_notebook(), timeout=120, resources={"metadata": {"path": str(project)}}
    )
    with client.setup_kernel():
        kernel = client.km

        def execute(code: str) -> Any:
            cell = nbformat.v4.new_code_cell(code)
            client.nb.cells.append(cell)
            return client.execute_cell(cell, len(client.nb.cells) - 1)

        execute("%load_ext dbx_magic\nimport os, signal, threading")
        execute(f"%dbx pick {shared_cluster}")
        execute("%%dbx\nfinished = False")
        # The first thing the cell prints there makes this kernel interrupt itself here.
        execute(
            "class Trap:\n"
            "    def write(self, text):\n"
            "        if 'go' in text: os.kill(os.getpid(), signal.SIGINT)\n"
            "    def flush(self): pass\n"
            "import contextlib"
        )
        cell = execute(
            "with contextlib.redirect_stdout(Trap()):\n"
            "    try:\n"
            "        get_ipython().run_cell_magic('dbx', '', "
            "'print(\"go\", flush=True)\\nimport time\\ntime.sleep(100)\\nfinished = True')\n"
            "    except Exception as error: stopped = error\n"
            "print(type(stopped).__name__)"
        )
        assert cell.outputs[0]["text"] == "StoppedError\n"
        cell = execute("%%dbx\nprint('finished' , finished)")
        assert "finished False" in cell.outputs[0]["text"]
        assert kernel is not None
