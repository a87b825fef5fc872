"""The cells that are not Python: what runs under `%sql`, `%scala`, `%sh`, `%run` and the others."""

from __future__ import annotations

import codecs
import contextlib
import importlib
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .dbutils import NotebookExit
from .paths import folders, from_uri
from .r import run_r
from .shell import Failed
from .show import show_frame, show_table
from .text import statements

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from dbx_magic.notebook import Notebook

    from .dbutils import DbUtils
    from .scala import Scala


class Cells:
    """The handlers of one context."""

    def __init__(
        self, shell: Any, spark: SparkSession, dbutils: DbUtils, ask: Callable[..., Any]
    ) -> None:
        self.folder = "/"  # the workspace folder of the notebook that runs now
        self.packages: Path | None = None  # where %pip installs
        self._scala: Scala | None = None
        self._shell = shell
        self._spark = spark
        self._dbutils = dbutils
        self._ask = ask
        for name in ("sql", "scala", "r", "sh", "fs", "md", "html", "run"):
            handler = getattr(self, name)
            shell.register_magic_function(
                lambda line, cell, handler=handler: handler(f"{line}\n{cell}".strip()),
                magic_kind="cell",
                magic_name=name,
            )
        shell.register_magic_function(
            lambda _, cell: self.html(cell), magic_kind="cell", magic_name="md-sandbox"
        )
        shell.register_magic_function(self.pip, magic_kind="line", magic_name="pip")

    def sql(self, text: str) -> None:
        """Run SQL statements and show the result of the last one, which is `_sqldf` then."""
        from pyspark.errors import PySparkException

        widgets = self._dbutils.widgets.getAll()
        frame = None
        try:
            for statement in statements(_with_widgets(text, widgets)):
                marked = {n: v for n, v in widgets.items() if re.search(rf":{n}\b", statement)}
                frame = self._spark.sql(statement, args=marked or None)
            if frame is None:
                return
            if not frame.columns:
                print("OK")  # noqa: T201 - a statement without a result, as Databricks says it
                return
            self._shell.push({"_sqldf": frame})
            show_frame(frame)
        except PySparkException as error:
            # The frames of Spark's Python side say nothing about a statement.
            said = f"{type(error).__name__}: {error}"
            error._render_traceback_ = lambda: [said]  # type: ignore[attr-defined]
            raise

    def scala(self, code: str) -> None:
        """Run Scala in the cluster's Java."""
        if self._scala is None:
            from .scala import Scala

            self._scala = Scala(self._spark)
        self._scala.run(code)

    def r(self, code: str) -> None:
        """Run R, where this machine has it."""
        run_r(code, run_program)

    def sh(self, script: str) -> None:
        """Run a shell script; with `-e` in front, a code that is not 0 is an error."""
        strict = re.match(r"-e\s", script + "\n")
        if strict:
            script = script[2:].lstrip()
        code = run_program([shutil.which("bash") or "sh", "-c", _with_folders(script)])
        if code and strict:
            raise _quiet(RuntimeError(f"The shell script ended with code {code}."))

    def fs(self, line: str) -> None:
        """Run one of dbutils.fs, as in `%fs ls /tmp`."""
        verb, *words = shlex.split(line)
        function = getattr(self._dbutils.fs, verb, None)
        if function is None or verb.startswith("_"):
            raise _quiet(
                ValueError(f"%fs has no {verb!r}; it has ls, head, put, mkdirs, cp, mv, rm")
            )
        flags = {"-r": "recurse", "--recurse": "recurse", "--overwrite": "overwrite"}
        options = {flags[word]: True for word in words if word in flags}
        result = function(*(word for word in words if word not in flags), **options)
        if isinstance(result, list):
            kinds = {"path": "string", "name": "string", "size": "bigint"}
            show_table({**kinds, "modificationTime": "bigint"}, [list(info) for info in result])
        elif result is not None:
            print(result)  # noqa: T201 - this is its output

    def md(self, text: str) -> None:
        """Show Markdown."""
        from IPython.display import Markdown, display

        display(Markdown(text))

    def html(self, text: str) -> None:
        """Show HTML."""
        from IPython.display import HTML, display

        display(HTML(text))

    def run(self, line: str) -> None:
        """Run the cells of another notebook here, as in `%run ./other $name="value"`."""
        words = shlex.split(line.strip())
        if not words:
            raise _quiet(ValueError("%run needs a notebook, as in: %run ./other"))
        path = os.path.normpath(PurePosixPath("/", self.folder, words[0]))
        path = path.removeprefix("/Workspace")
        given = dict(word.lstrip("$").split("=", 1) for word in words[1:] if "=" in word)
        notebook = self._notebook(path)
        before, self.folder = self.folder, str(PurePosixPath(path).parent)
        self._dbutils.widgets.given.update(given)
        self._shell.nested += 1
        try:
            for number, cell in enumerate(notebook.cells, 1):
                if cell.kind != "code":
                    continue
                code = cell.text
                if notebook.language != "python" and not code.lstrip().startswith("%"):
                    code = f"%{notebook.language}\n{code}"
                result = self._shell.run_cell(code, store_history=False)
                error = result.error_before_exec or result.error_in_exec
                if isinstance(error, NotebookExit):
                    break
                if error is not None:
                    where = f"%run {path}: its cell {number} failed."
                    print(where, file=sys.stderr)  # noqa: T201 - below the error
                    raise Failed
        finally:
            self.folder = before
            self._shell.nested -= 1

    def _notebook(self, path: str) -> Notebook:
        """The notebook at a path of the workspace; in a clone it is a file with a suffix."""
        from dbx_magic.notebook import EXTENSIONS
        from dbx_magic.source import parse_source

        for suffix in ("", *EXTENSIONS.values()):
            file = Path(os.environ["DBX_WORKSPACE"] + path + suffix)
            if file.is_file():
                language = "" if suffix else self._language(path)
                return parse_source(file.read_text(encoding="utf-8"), path + suffix, language)
        raise _quiet(FileNotFoundError(f"%run: there is no notebook {path}"))

    def _language(self, path: str) -> str:
        # For the sake of R: its notebooks begin like Python's, only the workspace knows them apart.
        with contextlib.suppress(Exception):
            told = self._ask("GET", "2.0/workspace/get-status", {"path": path})
            return str(told["language"]).lower()
        return ""

    def pip(self, line: str) -> None:
        """Install packages for this context only."""
        verb, *words = shlex.split(line)
        environment = Path(os.environ["VIRTUAL_ENV"])
        command = [os.environ["DBX_UV"], "--color=never", "--no-progress", "pip", verb]
        words = [real_path(word) for word in words if word not in ("-y", "-q", "--quiet")]
        if verb == "install":
            command += ["--override", str(environment / "overrides.txt")]
            command += ["--constraint", str(environment / "constraints.txt")]
        if verb in ("install", "uninstall"):
            command += ["--target", str(self.packages)]
        before = self._installed()
        if code := run_program([*command, "--python", sys.executable, *words]):
            raise _quiet(RuntimeError(f"%pip {verb} ended with code {code}."))
        importlib.invalidate_caches()
        installed = self._installed().items() - before.items()
        if stale := sorted({name for name, _ in installed} & sys.modules.keys()):
            print(  # noqa: T201 - this is its output
                f"Imported before, so still the old one: {', '.join(stale)}. "
                "dbutils.library.restartPython() brings the new one; variables are lost."
            )

    def _installed(self) -> dict[str, int]:
        """The modules that %pip has installed, and when."""
        if self.packages is None or not self.packages.is_dir():
            return {}
        return {item.stem: item.stat().st_ctime_ns for item in self.packages.iterdir()}


def run_program(command: Sequence[str]) -> int:
    """Run a program and print what it writes while it runs; return its code."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    written: Any = process.stdout
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    try:
        with selectors.DefaultSelector() as ready:
            ready.register(written, selectors.EVENT_READ)
            while True:
                if ready.select(timeout=0.1):
                    data = os.read(written.fileno(), 1 << 16)
                    if not data:
                        break
                    print(decode(data), end="", flush=True)  # noqa: T201 - the program's output
                elif process.poll() is not None:
                    # What it has left running keeps the pipe open. It ends with the context.
                    with Path(os.environ["DBX_LINKS"], "left").open("a") as left:
                        left.write(f"{process.pid}\n")
                    break
        return process.wait()
    finally:
        written.close()
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _with_widgets(sql: str, widgets: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: widgets.get(found[1], found[0]), sql)


def _with_folders(script: str) -> str:
    # Programs do not know our /dbfs; there is a link without spaces for each of these folders.
    links = os.environ.get("DBX_LINKS", "")
    return re.sub(rf"(?<![\w./-])({'|'.join(folders())})(?=[/\s\"';|&)]|$)", rf"{links}\1", script)


def real_path(word: str) -> str:
    """An argument with the path on this machine, if it is one of Databricks' paths."""
    is_path = word.startswith(("dbfs:", "file:", *folders()))
    return from_uri(word if ":" in word else f"file:{word}") if is_path else word


def _quiet(error: Exception) -> Exception:
    """An error that shows as one line: there is no code of the user's to point at."""
    said = f"{type(error).__name__}: {error}"
    error._render_traceback_ = lambda: [said]  # type: ignore[attr-defined]
    return error
