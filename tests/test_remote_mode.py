"""Remote mode: a Databricks notebook in a real kernel, its cells on a real cluster."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from place import ipynb, source
from wire import Wire, running

from dbx_magic.auth import Login
from dbx_magic.dbx import Dbx
from dbx_magic.events import Event, Shown
from dbx_magic.formats import read_notebook
from dbx_magic.local_process import Server
from dbx_magic.names import complete, inspect
from dbx_magic.output import Clear, Display, Failure, Stream, from_event, plain
from dbx_magic.remote_mode import parts
from dbx_magic.table import TABLE
from dbx_magic.workspace import Workspace

Run = Callable[[str], Any]


@pytest.fixture(scope="module")
def kernel(local_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookClient]:
    """A kernel in a folder ``notebooks`` of a project."""
    root = tmp_path_factory.mktemp("remote") / "hello"
    for name in ("notebooks", "workspace"):
        (root / name).mkdir(parents=True)
    (root / "dbx.toml").write_text(
        'project = "hello"\ncluster = "hello"\n\n[targets.local]\nprofile = "local"\n'
    )
    client = NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=240,
        allow_errors=True,
        resources={"metadata": {"path": str(root / "notebooks")}},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBX_MAGIC_HOME", str(local_home))
        with client.setup_kernel():
            yield client


@pytest.fixture
def notebooks(kernel: NotebookClient) -> Path:
    """The folder that the kernel's notebook is in."""
    return Path(kernel.resources["metadata"]["path"])


@pytest.fixture
def here(kernel: NotebookClient) -> Run:
    """Run a cell in the kernel, in whatever mode it is."""

    def run(code: str) -> Any:
        cell = nbformat.v4.new_code_cell(code)
        kernel.nb.cells.append(cell)
        return kernel.execute_cell(cell, len(kernel.nb.cells) - 1)

    return run


@pytest.fixture
def cell(here: Run, shared_cluster: str) -> Iterator[Run]:
    """Run a cell in remote mode, in a context of its own."""
    here("%load_ext dbx_magic")
    here("%reload_ext dbx_magic")
    here(f"%dbx pick {shared_cluster}")
    assert "Cells run on shared from now on." in text(here("%dbx remote on"))
    yield here
    here("%dbx remote off")


def text(cell: Any) -> str:
    """All that a cell shows, as text."""
    return "".join(
        output.get("text")
        or output.get("data", {}).get("text/plain")
        or "\n".join(output.get("traceback", ()))
        for output in cell.outputs
    )


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("x = 1\nx", [(False, "x = 1\nx")]),
        ("%dbx push", [(True, "%dbx push")]),
        ("%load_ext dbx_magic\n%dbx remote off", [(True, "%load_ext dbx_magic\n%dbx remote off")]),
        ("a\n%dbx push\nb", [(False, "a"), (True, "%dbx push"), (False, "# a\n# %dbx push\nb")]),
        ("found = %dbx clusters", [(True, "found = %dbx clusters")]),
        (
            "%dbx run a \\\n  -p x=1\n1",
            [(True, "%dbx run a \\\n  -p x=1"), (False, "# %dbx run a \\\n#   -p x=1\n1")],
        ),
        ('"""\n%dbx push\n"""', [(False, '"""\n%dbx push\n"""')]),
        ("%md\n%dbx push\n", [(False, "%md\n%dbx push\n")]),
        ("%sql\n-- %dbx push\nselect 1", [(False, "%sql\n-- %dbx push\nselect 1")]),
        ("%load_ext autoreload", [(False, "%load_ext autoreload")]),
        ("%dbx push\n%sql\nselect 1", [(True, "%dbx push"), (False, "%sql\nselect 1")]),
    ],
)
def test_what_stays_here(cell: str, expected: list[tuple[bool, str]]) -> None:
    assert parts(cell, "python") == expected


def test_cells_run_there_and_local_ones_here(here: Run, cell: Run) -> None:
    cell("%%dbx local\nwhere = 'here'")
    cell("where = 'there'")
    assert "there" in text(cell("where"))
    assert "there" in text(cell("%%dbx\nwhere"))
    assert "here" in text(cell("%%dbx local\nwhere"))
    assert "here" in text(cell("%%dbx local\n%%time\nwhere"))
    here("%dbx remote off")
    assert "here" in text(here("where"))


def test_what_a_front_end_asks_for_itself_is_no_cell(kernel: NotebookClient, cell: Run) -> None:
    """VS Code completes so, from a thread, and looks at variables."""
    cell("%%dbx local\nwhere = 'here'")
    cell("where = 'there'")
    asked = nbformat.v4.new_code_cell(
        "import threading\ncomplete = get_ipython().kernel.do_complete\n"
        "ask = lambda: print(where, complete('%dbx rebui', 10)['matches'])\n"
        "thread = threading.Thread(target=ask)\nthread.start()\nthread.join()"
    )
    kernel.nb.cells.append(asked)
    kernel.execute_cell(asked, len(kernel.nb.cells) - 1, store_history=False)
    assert text(asked) == "here ['rebuild']\n"


def test_the_progress_of_a_slow_cell_leaves_nothing_behind(cell: Run) -> None:
    """Its place among the outputs stays, and is empty."""
    done = cell("print('before')\nimport time\ntime.sleep(1.5)\nprint('after')")
    data = [output.data for output in done.outputs if output.output_type == "display_data"]
    assert data == [{"text/plain": "", "text/html": ""}]
    assert text(done).startswith("before\nafter\n")


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SHIP = "class Ship:\n    '''Sails.'''\n    def hoist(self): 1 / 0\n\nship = Ship()"
CELLS = Path(__file__).parent / "cells"


@pytest.mark.parametrize("name", ["python", "spark"])
def test_a_databricks_notebook_shows_what_it_shows_on_the_driver(
    cell: Run, dbx: Dbx, shared_cluster: str, name: str
) -> None:
    """It is opened in Jupyter as it is, and each cell is run there and by the driver itself."""
    notebook = read_notebook(f"{name}.py", (CELLS / f"{name}.py").read_bytes())
    assert notebook is not None
    texts = [item.text for item in notebook.cells if item.kind == "code"]
    assert len(texts) >= 100
    context = dbx.workspace.create_context(shared_cluster, "python")
    different = {}
    for number, text in enumerate(texts, 1):
        there = of_driver(events_of(dbx, shared_cluster, context, text))
        shown = of_kernel(cell(text).outputs)
        if shown != there:
            different[f"{number}: {text}"] = (there, shown)
    dbx.workspace.destroy_context(shared_cluster, context)
    assert not different


def events_of(dbx: Dbx, cluster: str, context: str, code: str) -> list[Any]:
    """What the driver itself shows."""
    command = dbx.workspace.execute(cluster, context, "python", code)
    found: list[Any] = []
    while True:
        answer = dbx.workspace.command_events(cluster, context, command, len(found), wait=0.9)
        found += answer["events"]
        if answer["status"] not in ("Queued", "Running"):
            return found


def of_driver(events: list[Any]) -> list[Any]:
    """What a notebook shows at the end for the driver's events."""
    found: list[Any] = []
    places: dict[str, int] = {}
    for event in events:
        match from_event(event):
            case Stream(name, text):
                found.append([name, text])
            case Failure() as failure:
                found.append(["error", "\n".join(failure.traceback)])
            case Clear():
                found.clear()
            case Display(updates=True) as shown:
                found[places[shown.display_id]] = ["display", shown.data]
            case Display() as shown:
                places[shown.display_id] = len(found)
                found.append(["display", {k: v for k, v in shown.data.items() if k != TABLE}])
    return settled(found)


def of_kernel(outputs: list[Any]) -> list[Any]:
    """What a notebook shows."""
    found: list[Any] = []
    for output in outputs:
        match output["output_type"]:
            case "stream":
                found.append([output["name"], output["text"]])
            case "error":
                found.append(["error", "\n".join(output["traceback"])])
            case _:
                found.append(["display", output["data"]])
    return settled(found)


def settled(found: list[Any]) -> list[Any]:
    """Without what differs from one process to the next; neighbouring pieces of text are one."""
    joined: list[Any] = []
    for kind, shown in found:
        if kind == "display" and not any(shown.values()):
            continue  # the place of a progress line, which only slow cells have
        if joined and joined[-1][0] == kind and kind in ("stdout", "stderr"):
            joined[-1][1] += shown
        else:
            joined.append([kind, shown])
    accident = r"ipykernel_\d+/\d+\.py|In\[\d+\]|0x[0-9a-f]+|#\d+L?"
    return [re.sub(accident, "…", plain(str(item)).replace("\\x1b", "\x1b")) for item in joined]


def asked(kernel: NotebookClient, kind: str, code: str) -> Any:
    """The kernel's answer to an editor."""
    assert kernel.kc is not None
    sent = getattr(kernel.kc, kind)(code, len(code))
    while (reply := run_sync(kernel.kc.get_shell_msg)(timeout=60))["parent_header"][
        "msg_id"
    ] != sent:
        pass
    return reply["content"]


@pytest.mark.parametrize("before", ["", "%%dbx\n", "%%dbx python -c shared\n"])
def test_names_of_the_cluster_are_completed_and_inspected(
    here: Run, cell: Run, kernel: NotebookClient, before: str
) -> None:
    cell(SHIP)
    if before:
        here("%dbx remote off")
    code = f"{before}a = 1\nship.ho"
    deadline = time.monotonic() + 60  # an answer that a busy machine gives late is left out
    while not (found := asked(kernel, "complete", code))["matches"]:
        assert time.monotonic() < deadline
    assert [code[: found["cursor_start"]] + match for match in found["matches"]] == [
        f"{before}a = 1\nship.hoist"
    ]
    while not (data := asked(kernel, "inspect", f"{before}Ship")["data"]):
        assert time.monotonic() < deadline
    assert "Sails." in data["text/plain"]


@pytest.mark.parametrize("code", ["%%dbx local\nship.ho", "%sql\nselect ship.ho", "%dbx ship.ho"])
def test_other_cells_complete_nothing_there(cell: Run, kernel: NotebookClient, code: str) -> None:
    cell(SHIP)
    assert not any("hoist" in match for match in asked(kernel, "complete", code)["matches"])


def test_a_name_here_is_inspected_here(here: Run, cell: Run, kernel: NotebookClient) -> None:
    cell("%%dbx local\nclass Anchor:\n    '''Holds.'''")
    here("%dbx remote off")
    assert "Holds." in asked(kernel, "inspect", "Anchor")["data"]["text/plain"]


def test_names_are_asked_for_by_a_command_where_the_workspace_cannot(
    dbx: Dbx, local: Server, perform: Any, shared_cluster: str
) -> None:
    """As on Databricks: IPython's own completer on the driver, and nothing of ours stays there."""
    dbx.project.pick(shared_cluster)
    known = dbx.workspace.login
    with running(Wire(local.url, hides="x-dbx-magic")) as url:
        dbx._workspace = Workspace(Login(url, known.headers, known.profile))
        assert complete(dbx, "ship.ho").found == ()  # no context is opened for it
        assert not dbx.contexts
        perform(
            "exec", code="class Ship:\n    '''Sails.'''\n    def hoist(self): 1 / 0\nship = Ship()"
        )
        deadline = time.monotonic() + 60
        while not (found := complete(dbx, "a = 1\nship.ho")).found:
            assert time.monotonic() < deadline
        assert [found.fragment, *(way.text for way in found.found)] in (
            ["ship.ho", "ship.hoist"],
            [".ho", ".hoist"],
        )
        while not (data := inspect(dbx, "Ship")):
            assert time.monotonic() < deadline
        assert "Sails." in data["text/plain"]
        assert inspect(dbx, "no_such_name") == {}
        seen: list[Event] = []
        perform("exec", seen, code="[name in globals() for name in ('answer', 'shell', 'code')]")
        (left,) = [event.output for event in seen if isinstance(event, Shown)]
        assert left == Stream("stdout", "[False, False, False]\n")
        dbx.close()


def test_another_notebook_is_run_in_the_same_context(cell: Run, notebooks: Path) -> None:
    """What is in the project counts, beside the notebook or in workspace/, pushed or not."""
    (notebooks / "inner.ipynb").write_text(ipynb("%dbx", "deep = who.upper()"))
    (notebooks.parent / "workspace" / "setup.py").write_text(
        source("who = dbutils.widgets.get('who')\nprint('hello', who)", "# MAGIC %run ./inner")
    )
    assert "hello Ada" in text(cell('%run ./setup $who="Ada"'))
    assert "'Ada ADA'" in text(cell("f'{who} {deep}'"))


def test_a_notebook_that_exits_ends_only_itself(cell: Run, notebooks: Path) -> None:
    (notebooks / "leaves.py").write_text(source("a = 1", "dbutils.notebook.exit('x')", "a = 2"))
    assert text(cell("%run ./leaves")) == ""
    assert text(cell("a")) == "1"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%run ./nowhere", "✗ %run: there is no notebook ./nowhere, seen from"),
        ("%run", "✗ %run needs a notebook."),
        ("%run ./broken", "✗ %run notebooks/broken.py: its cell 2 failed: ZeroDivisionError"),
        ("%run ./loop", "✗ %run: notebooks/loop.py → notebooks/loop.py would run for ever."),
        ("%run ./module", "✗ notebooks/module.py is no notebook, so %run cannot run it."),
    ],
)
def test_a_notebook_that_cannot_be_run(cell: Run, notebooks: Path, line: str, words: str) -> None:
    (notebooks / "broken.py").write_text(source("1", "1 / 0"))
    (notebooks / "loop.py").write_text(source("# MAGIC %run ./loop"))
    (notebooks / "module.py").write_text("x = 1\n")
    shown = text(cell(line))
    assert words in shown
    assert "dbx_magic" not in shown


def test_markdown_is_shown_without_the_cluster(cell: Run) -> None:
    (output,) = cell("%md # Title").outputs
    assert output["data"]["text/markdown"] == "# Title"


def test_a_part_of_a_cell_can_be_for_here(cell: Run) -> None:
    shown = text(cell("print('there')\nmode = %dbx clusters\n1 / 0"))
    assert "there" in shown
    assert "----> 3 1 / 0" in plain(shown)
    assert "Clusters" in text(cell("%%dbx local\ntype(mode).__name__"))


def test_a_failure_there_stops_run_all_and_everything_is_in_the_page(
    local: Server, kernel: NotebookClient, shared_cluster: str, notebooks: Path
) -> None:
    """A notebook run from top to bottom by nbconvert's own executor, and written as HTML."""
    cells = [
        f"%load_ext dbx_magic\n%dbx pick {shared_cluster}\n%dbx remote on",
        "print('\\x1b[31mred\\x1b[0m <b>')\ndisplayHTML('<i>slanted</i>')",
        "%sql\nselect id, '<script>' as s from range(3)",
        f"from IPython.display import Image\nimport base64\nImage(base64.b64decode('{PIXEL}'))",
        "%md *marked*",
        "bytes(range(3)), 'last'",
        "raise KeyError('stop')",
        "print('never')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = NotebookClient(notebook, timeout=240, resources=kernel.resources)
    with pytest.raises(CellExecutionError, match="KeyError"):
        client.execute()
    assert notebook.cells[-1].outputs == []
    page, _ = HTMLExporter().from_notebook_node(notebook)
    for words in (
        'ansi-red-fg">red</span> &lt;b&gt;',
        "<i>slanted</i>",
        "<td>&lt;script&gt;</td>",
        PIXEL[:20],
        "<em>marked</em>",
        "KeyError",
    ):
        assert words in page
    assert r"(b'\x00\x01\x02', 'last')" in html.unescape(page)
    assert "never" not in "".join(text(cell) for cell in notebook.cells)
