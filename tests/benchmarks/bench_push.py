"""How long a push takes, beside the legacy command line and Databricks' SDK, in one run.

``python tests/benchmarks/bench_push.py`` pushes 200 notebooks in 20 folders through a wire that
delays each request by 50 ms, and then looks at a project of 10,000 notebooks.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dbx_magic import events, local_process, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.events import drive
from dbx_magic.exchange import entries_of, open_base
from dbx_magic.notebook import Cell, Notebook
from dbx_magic.remote import Folder
from dbx_magic.source import render_source

NOTEBOOKS, FOLDERS = 200, 20


def notebook(number: int, version: str = "first") -> str:
    """A notebook of 40 cells."""
    cells = [Cell("code", f"x{cell} = {number}\nprint({version!r}, x{cell})") for cell in range(40)]
    return render_source(Notebook("python", tuple(cells)))


def fill(folder: Path, count: int, folders: int) -> None:
    """Write so many notebooks into so many folders."""
    for number in range(count):
        path = folder / f"f{number % folders}" / f"n{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(notebook(number))


@contextlib.contextmanager
def slow_workspace(delay: float) -> Iterator[tuple[str, str]]:
    """A local workspace of its own behind a slow wire; gives the wire's address and the token."""
    server = local_process.start()
    script = str(Path(__file__).parents[1] / "wire.py")
    command = [sys.executable, script, server.url, "--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wire:
        assert wire.stdout
        try:
            yield wire.stdout.readline().strip(), server.token
        finally:
            wire.terminate()
            local_process.stop()


def timed(what: str, work: Callable[[], object], baseline: float = 0.0) -> float:
    """Do something and say how long it took."""
    begun = time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    times = f"   {baseline / seconds:6.1f} times as fast as import_dir" if baseline else ""
    print(f"{what:<58}{seconds:8.3f} s{times}", flush=True)  # noqa: T201
    return seconds


def legacy_command(home: Path) -> Path:
    """The legacy command line in an environment of its own, because it shares no versions."""
    there = home / "legacy"
    if not (there / "bin" / "databricks").exists():
        venv.create(there, with_pip=True)
        command = [str(there / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*command, "databricks-cli==0.18.0"], check=True)
    return there / "bin" / "databricks"


def import_dir(command: Path, url: str, token: str, folder: Path) -> None:
    """Upload a folder as the seed's pipeline does; it drops ports, so the wire is its proxy."""
    environment = {
        **os.environ,
        "DATABRICKS_HOST": "http://dbx.local",
        "DATABRICKS_TOKEN": token,
        "HTTP_PROXY": url,
        "http_proxy": url,
        "NO_PROXY": "",
        "no_proxy": "",
    }
    arguments = ["workspace", "import_dir", "--overwrite", str(folder), "/Shared/legacy"]
    subprocess.run([str(command), *arguments], env=environment, check=True, capture_output=True)


def sdk_upload(url: str, token: str, folder: Path, threads: int) -> None:
    """Upload a folder with the SDK."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.workspace import ImportFormat, Language

    client = WorkspaceClient(host=url, token=token)
    root = f"/Shared/sdk{threads}"
    for path in sorted(folder.iterdir()):
        client.workspace.mkdirs(f"{root}/{path.name}")

    def upload(path: Path) -> None:
        target = f"{root}/{path.relative_to(folder).with_suffix('').as_posix()}"
        with path.open("rb") as file:
            client.workspace.upload(
                target, file, format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True
            )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(upload, sorted(folder.rglob("*.py"))))


def push(dbx: Dbx, sent: int) -> None:
    """Push, and make sure that it did what is measured."""
    result = events.drive(verbs.perform(dbx, "push", {}), lambda _: None)
    assert len(result.sent) == sent, result


def project_side(dbx: Dbx) -> None:
    """Everything that a push does before it asks the workspace."""
    with open_base(dbx, Folder(dbx.workspace, "/Shared/large")) as base:
        drive(entries_of(dbx, base, dry_run=False), lambda _: None)


def main() -> None:
    """Measure, and print a line for each thing measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds for each request")
    parser.add_argument("--no-legacy", action="store_true", help="without the legacy command line")
    parser.add_argument("--large", type=int, default=10_000, help="notebooks of the large project")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="dbx-bench-"))
    os.environ |= {"HOME": str(home), "DBX_MAGIC_HOME": str(home / "workspace")}
    project = home / "bench"
    fill(project / "workspace", NOTEBOOKS, FOLDERS)
    (project / "dbx.toml").write_text('project = "bench"\n')
    with slow_workspace(options.delay) as (url, token):
        baseline = 0.0
        if not options.no_legacy:
            command = legacy_command(home)
            baseline = timed(
                "legacy databricks workspace import_dir",
                lambda: import_dir(command, url, token, project / "workspace"),
            )
        for threads in (1, 16):
            timed(
                f"databricks-sdk workspace.upload, {threads} threads",
                lambda threads=threads: sdk_upload(url, token, project / "workspace", threads),  # type: ignore[misc]
                baseline,
            )
        os.environ |= {"DATABRICKS_HOST": url, "DATABRICKS_TOKEN": token}
        dbx = Dbx(project)
        dbx.workspace.user()  # a kernel has loaded everything and is connected
        timed("push, everything new", lambda: push(dbx, NOTEBOOKS), baseline)
        timed("push, nothing changed", lambda: push(dbx, 0), baseline)
        (project / "workspace/f3/n3.py").write_text(notebook(3, "second"))
        timed("push, one notebook changed", lambda: push(dbx, 1), baseline)
        timed("push, nothing changed", lambda: push(dbx, 0), baseline)
        command_line = [sys.executable, "-m", "dbx_magic", "push"]
        timed(
            "dbx-magic push, nothing changed, whole process",
            lambda: subprocess.run(command_line, cwd=project, check=True, capture_output=True),
            baseline,
        )
        large = home / "large"
        fill(large / "workspace", options.large, 100)
        (large / "dbx.toml").write_text('project = "large"\n')
        dbx.close()
        dbx = Dbx(large)
        timed(f"{options.large:,} notebooks, project side, first time", lambda: project_side(dbx))
        (large / "workspace/f3/n3.py").write_text(notebook(3, "second"))
        timed(f"{options.large:,} notebooks, project side, one changed", lambda: project_side(dbx))
        dbx.close()


if __name__ == "__main__":
    main()
