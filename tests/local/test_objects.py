"""The workspace tree through the unmodified SDK and bare requests."""

from __future__ import annotations

import base64
import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    DatabricksError,
    InvalidParameterValue,
    NotFound,
    ResourceAlreadyExists,
)
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

SOURCE = (
    b"# Databricks notebook source\nprint('hello')\n\n# COMMAND ----------\n\n# MAGIC %md Done\n"
)


def evil_zip() -> bytes:
    """An archive that wants to be unpacked elsewhere."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../out.python", '{"language": "python", "commands": []}')
    return packed.getvalue()


def text(content: str | bytes) -> str:
    """Base64, as the API takes it."""
    return base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()


def exported(client: WorkspaceClient, path: str, kind: ExportFormat) -> bytes:
    """The content of an object in a format."""
    return base64.b64decode(client.workspace.export(path, format=kind).content)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        (Language.PYTHON, SOURCE),
        (Language.PYTHON, SOURCE.replace(b"\n", b"\r\n")),
        (Language.SQL, b"-- Databricks notebook source\nselect 1"),
        (Language.SCALA, "// Databricks notebook source\nval ü = 1\n\n\n".encode()),
        (Language.R, b"# Databricks notebook source\nx <- 1\n"),
    ],
)
def test_source_comes_back_byte_for_byte(
    client: WorkspaceClient, folder: str, language: Language, source: bytes
) -> None:
    path = f"{folder}/one"
    client.workspace.import_(
        path, content=text(source), format=ImportFormat.SOURCE, language=language
    )
    assert exported(client, path, ExportFormat.SOURCE) == source
    found = client.workspace.get_status(path)
    assert (found.object_type, found.language) == (ObjectType.NOTEBOOK, language)
    assert client.workspace.download(path).read() == source


def test_jupyter_notebooks_are_kept_as_source(client: WorkspaceClient, folder: str) -> None:
    notebook = {
        "cells": [
            {"cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": []},
            {"cell_type": "markdown", "source": "# Title", "metadata": {}},
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    path = f"{folder}/jupyter"
    client.workspace.upload(path, json.dumps(notebook).encode(), format=ImportFormat.JUPYTER)
    source = exported(client, path, ExportFormat.SOURCE).decode()
    assert source.startswith("# Databricks notebook source\nx = 1\n")
    assert "# MAGIC # Title" in source
    back = json.loads(exported(client, path, ExportFormat.JUPYTER))
    assert [cell["cell_type"] for cell in back["cells"]] == ["code", "markdown"]


def test_outputs_stay_with_the_code_they_came_from(
    server: Any, client: WorkspaceClient, folder: str
) -> None:
    def cell(source: str, *shown: str) -> dict[str, Any]:
        outputs = [{"output_type": "stream", "name": "stdout", "text": text} for text in shown]
        code = {"cell_type": "code", "source": source, "metadata": {}, "execution_count": 7}
        return {**code, "outputs": outputs}

    def outputs() -> dict[str, list[str]]:
        back = json.loads(exported(client, path, ExportFormat.JUPYTER))
        return {
            "".join(one["source"]): [output["text"] for output in one["outputs"]]
            for one in back["cells"]
        }

    def put(kind: ImportFormat, content: bytes) -> None:
        client.workspace.upload(
            path, content, format=kind, language=Language.PYTHON, overwrite=True
        )

    path = f"{folder}/shown"
    cells = [cell("first", "1\n"), cell("second", "2\n"), cell("third")]
    came = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    put(ImportFormat.JUPYTER, came.encode())
    assert outputs() == {"first": ["1\n"], "second": ["2\n"], "third": []}
    # A program edits a cell: its output would no longer be true.
    file = server.home / "workspace" / path.lstrip("/")
    file.write_text(file.read_text().replace("second", "edited"))
    assert outputs() == {"first": ["1\n"], "edited": [], "third": []}
    put(ImportFormat.SOURCE, exported(client, path, ExportFormat.SOURCE))
    assert outputs()["first"] == []
    put(ImportFormat.JUPYTER, came.encode())
    client.workspace.delete(path)
    assert list((server.home / "originals").iterdir()) == []


CELLS = (
    b"# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC # Title\n"
    b"\n# COMMAND ----------\n\n# DBTITLE 1,Named\n# MAGIC %sql\n# MAGIC select '</script>'\n"
)


@pytest.mark.parametrize("kind", ["HTML", "JUPYTER"])
def test_a_notebook_goes_out_and_comes_back(
    client: WorkspaceClient, folder: str, kind: str
) -> None:
    python = {"format": ImportFormat.SOURCE, "language": Language.PYTHON}
    client.workspace.import_(f"{folder}/one", content=text(CELLS), **python)
    out = exported(client, f"{folder}/one", ExportFormat[kind])
    client.workspace.import_(f"{folder}/two", content=text(out), format=ImportFormat[kind])
    assert exported(client, f"{folder}/two", ExportFormat.SOURCE).strip() == CELLS.strip()
    assert out.count(b"</script>") <= 1


@pytest.mark.parametrize("kind", ["DBC", "SOURCE"])
def test_a_folder_goes_out_and_comes_back(client: WorkspaceClient, folder: str, kind: str) -> None:
    python = {"format": ImportFormat.SOURCE, "language": Language.PYTHON}
    client.workspace.mkdirs(f"{folder}/p/deep/empty")
    client.workspace.import_(f"{folder}/p/deep/one", content=text(CELLS), **python)
    client.workspace.upload(f"{folder}/p/data.csv", b"a,b", format=ImportFormat.AUTO)
    out = exported(client, f"{folder}/p", ExportFormat[kind])
    client.workspace.import_(f"{folder}/back", content=text(out), format=ImportFormat[kind])
    listed = {item.path.removeprefix(f"{folder}/back/p") for item in walk(client, f"{folder}/back")}
    # Archives of Databricks hold notebooks alone.
    assert listed - {"/data.csv"} == {"", "/deep", "/deep/empty", "/deep/one"}
    assert ("/data.csv" in listed) == (kind == "SOURCE")
    one = exported(client, f"{folder}/back/p/deep/one", ExportFormat.SOURCE)
    assert one.strip() == CELLS.strip()
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.import_(f"{folder}/back", content=text(out), format=ImportFormat[kind])


def walk(client: WorkspaceClient, path: str) -> list[Any]:
    """Everything below a folder."""
    found = list(client.workspace.list(path))
    folders = [item.path for item in found if item.object_type == ObjectType.DIRECTORY]
    return found + [item for inner in folders for item in walk(client, inner)]


def test_r_markdown(client: WorkspaceClient, folder: str) -> None:
    markdown = "# Title\n\n```{r}\nx <- 1\n```\n\nThe end.\n"
    client.workspace.import_(f"{folder}/r", content=text(markdown), format=ImportFormat.R_MARKDOWN)
    assert client.workspace.get_status(f"{folder}/r").language == Language.R
    assert exported(client, f"{folder}/r", ExportFormat.R_MARKDOWN).decode() == markdown


@pytest.mark.parametrize("kind", [ImportFormat.DBC, ImportFormat.HTML])
@pytest.mark.parametrize("content", [b"", b"PK nothing", b"<html>nothing</html>", evil_zip()])
def test_archives_that_are_refused(
    server: Any, client: WorkspaceClient, folder: str, kind: ImportFormat, content: bytes
) -> None:
    with pytest.raises(InvalidParameterValue):
        client.workspace.import_(f"{folder}/x", content=text(content), format=kind)
    assert not (server.home / "workspace" / "out.python").exists()


@pytest.mark.parametrize(
    ("name", "content", "at", "kind"),
    [
        ("train.py", SOURCE, "train", ObjectType.NOTEBOOK),
        ("plain.py", b"def f(): pass\n", "plain.py", ObjectType.FILE),
        ("data.csv", b"a,b\n1,2\n", "data.csv", ObjectType.FILE),
        ("query.SQL", b"-- Databricks notebook source\nselect 1", "query", ObjectType.NOTEBOOK),
        ("not.ipynb", b"{}", "not.ipynb", ObjectType.FILE),
        ("binary.whl", bytes(range(256)), "binary.whl", ObjectType.FILE),
    ],
)
def test_auto_tells_notebooks_from_files(
    client: WorkspaceClient, folder: str, name: str, content: bytes, at: str, kind: ObjectType
) -> None:
    client.workspace.upload(f"{folder}/{name}", content, format=ImportFormat.AUTO)
    (found,) = client.workspace.list(folder)
    assert (found.path, found.object_type) == (f"{folder}/{at}", kind)
    assert client.workspace.download(found.path).read() == content


def test_the_tree(client: WorkspaceClient, folder: str) -> None:
    assert list(client.workspace.list(folder)) == []
    client.workspace.mkdirs(f"{folder}/a/b/c")
    client.workspace.upload(f"{folder}/a/f.txt", b"12345", format=ImportFormat.RAW)
    listed = {item.path.removeprefix(folder): item for item in client.workspace.list(f"{folder}/a")}
    assert {path: item.object_type for path, item in listed.items()} == {
        "/a/b": ObjectType.DIRECTORY,
        "/a/f.txt": ObjectType.FILE,
    }
    assert listed["/a/f.txt"].size == 5
    assert listed["/a/f.txt"].object_id != listed["/a/b"].object_id
    every = client.workspace.list(folder, recursive=True)
    assert [item.path.removeprefix(folder) for item in every] == ["/a/f.txt"]
    assert [item.path for item in client.workspace.list(f"{folder}/a/f.txt")] == [
        f"{folder}/a/f.txt"
    ]
    with pytest.raises(BadRequest, match="is not empty"):
        client.workspace.delete(f"{folder}/a")
    client.workspace.delete(f"{folder}/a", recursive=True)
    with pytest.raises(NotFound, match=r"Path \(.*/a\) doesn't exist"):
        client.workspace.get_status(f"{folder}/a")


def test_an_object_keeps_its_id_while_it_is_overwritten(
    client: WorkspaceClient, folder: str
) -> None:
    path = f"{folder}/kept"
    found = []
    for content in (SOURCE, SOURCE + b"# more\n"):
        client.workspace.upload(
            path, content, format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True
        )
        found.append(client.workspace.get_status(path))
    first, again = found
    assert again.object_id == first.object_id
    assert again.modified_at >= first.modified_at
    client.workspace.delete(path)
    client.workspace.upload(path, SOURCE, format=ImportFormat.SOURCE, language=Language.PYTHON)
    assert client.workspace.get_status(path).object_id != first.object_id


def test_what_is_there_is_not_overwritten_by_mistake(client: WorkspaceClient, folder: str) -> None:
    path = f"{folder}/one"
    client.workspace.upload(path, b"first", format=ImportFormat.RAW)
    with pytest.raises(ResourceAlreadyExists, match="already exists"):
        client.workspace.upload(path, b"second", format=ImportFormat.RAW)
    with pytest.raises(InvalidParameterValue, match="type mismatch"):
        client.workspace.import_(
            path,
            content=text(SOURCE),
            format=ImportFormat.SOURCE,
            language=Language.PYTHON,
            overwrite=True,
        )
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.mkdirs(path)
    with pytest.raises(DatabricksError, match="type mismatch"):
        client.workspace.upload(folder, b"x", format=ImportFormat.RAW, overwrite=True)
    assert client.workspace.download(path).read() == b"first"


def test_what_was_edited_meanwhile_is_not_replaced(
    server: Any, client: WorkspaceClient, folder: str
) -> None:
    path = f"{folder}/one.txt"
    client.workspace.upload(path, b"first", format=ImportFormat.RAW)
    seen = client.workspace.get_status(path).modified_at
    body = {"path": path, "format": "RAW", "overwrite": True, "content": text("mine")}
    later = {**body, "if_modified_at": seen - 1}
    for operation in ("import", "delete"):
        answer = server.call("POST", f"/api/2.0/workspace/{operation}", json=later)
        assert (answer.status_code, answer.json()["error_code"]) == (409, "ABORTED")
    assert client.workspace.download(path).read() == b"first"
    same = {**body, "if_modified_at": seen}
    assert server.call("POST", "/api/2.0/workspace/import", json=same).ok
    assert client.workspace.download(path).read() == b"mine"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"path": "/Shared/tests/nowhere/x", "format": "RAW"}, NotFound, "The parent folder"),
        ({"path": "relative", "format": "RAW"}, InvalidParameterValue, "must be absolute"),
        ({"path": "/Shared/../../x", "format": "RAW"}, InvalidParameterValue, "must not contain"),
        ({"path": "/Shared/x\x00y", "format": "RAW"}, InvalidParameterValue, "absolute"),
        ({"path": "/Shared/" + "n" * 300, "format": "RAW"}, InvalidParameterValue, "too long"),
        ({"path": "/Shared/x", "format": "SOURCE"}, InvalidParameterValue, "language"),
        ({"path": "/Shared/x", "format": "PDF"}, InvalidParameterValue, "Unknown format"),
        (
            {"path": "/Shared/x", "format": "SOURCE", "language": "COBOL"},
            InvalidParameterValue,
            "COBOL",
        ),
        ({"path": "/Shared/x", "format": "JUPYTER"}, InvalidParameterValue, "could not be read"),
    ],
)
def test_imports_that_are_refused(
    client: WorkspaceClient, arguments: dict[str, str], error: type[Exception], words: str
) -> None:
    body = {"content": text("hello"), **arguments}
    with pytest.raises(error, match=words):
        client.api_client.do("POST", "/api/2.0/workspace/import", body=body)
    assert client.workspace.get_status("/Shared").object_type == ObjectType.DIRECTORY


def test_too_large_a_notebook_is_refused(client: WorkspaceClient, folder: str) -> None:
    with pytest.raises(BadRequest, match=r"exceeded max size \(10485760 bytes\)"):
        client.workspace.upload(
            f"{folder}/large",
            b"# " + b"x" * (10 * 1024 * 1024),
            format=ImportFormat.SOURCE,
            language=Language.PYTHON,
        )
    assert list(client.workspace.list(folder)) == []


def test_a_large_file_is_taken_without_filling_the_memory(
    server: Any, client: WorkspaceClient, folder: str
) -> None:
    content = io.BytesIO(b"0123456789" * 10 * 1024 * 1024)  # 100 MB
    before = memory(server.process.pid)
    client.workspace.upload(f"{folder}/large.bin", content, format=ImportFormat.AUTO)
    assert client.workspace.get_status(f"{folder}/large.bin").size == 100 * 1024 * 1024
    back = server.call("GET", f"/api/2.0/workspace-files{folder}/large.bin", stream=True)
    assert sum(map(len, back.iter_content(65536))) == 100 * 1024 * 1024
    assert memory(server.process.pid) - before < 40


def memory(pid: int) -> int:
    """The memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1]) // 1024


@pytest.mark.parametrize("spelled", ["/Workspace{0}", "/{0}/", "{0}//", "/Workspace/{0}"])
def test_one_object_has_many_spellings(client: WorkspaceClient, folder: str, spelled: str) -> None:
    path = spelled.format(folder)
    assert client.workspace.get_status(path).path == folder


def test_plain_files_go_by_path(server: Any, client: WorkspaceClient, folder: str) -> None:
    path = f"/api/2.0/workspace-files/import-file{folder}/some%20folder/über.txt"
    assert server.call("POST", path, data=b"hello").status_code == 404
    client.workspace.mkdirs(f"{folder}/some folder")
    assert server.call("POST", path, data=b"hello").status_code == 200
    again = server.call("POST", path, data=b"again")
    assert (again.status_code, again.json()["error_code"]) == (409, "RESOURCE_ALREADY_EXISTS")
    assert server.call("POST", f"{path}?overwrite=true", data=b"again").status_code == 200
    assert client.workspace.download(f"{folder}/some folder/über.txt").read() == b"again"
    got = server.call("GET", f"/api/2.0/workspace-files{folder}/some%20folder/über.txt")
    assert got.content == b"again"
    source = f"/api/2.0/workspace-files/import-file{folder}/train.py"
    assert server.call("POST", source, data=SOURCE).status_code == 200
    assert client.workspace.get_status(f"{folder}/train").language == Language.PYTHON


def test_files_that_programs_write_are_objects(
    server: Any, client: WorkspaceClient, folder: str
) -> None:
    real = server.home / "workspace" / folder.lstrip("/")
    (real / "made").mkdir()
    (real / "made" / "by hand.txt").write_text("hello")
    (real / "made" / "notebook").write_bytes(SOURCE)
    (real / "made" / "away").symlink_to("/etc")
    found = {
        item.path.removeprefix(f"{folder}/made/"): item
        for item in client.workspace.list(f"{folder}/made")
    }
    assert {name: item.object_type for name, item in found.items()} == {
        "by hand.txt": ObjectType.FILE,
        "notebook": ObjectType.NOTEBOOK,
    }
    again = client.workspace.get_status(f"{folder}/made/notebook")
    assert again.object_id == found["notebook"].object_id
    for path in ("made/away", "made/away/passwd"):
        with pytest.raises(NotFound):
            client.workspace.export(f"{folder}/{path}", format=ExportFormat.SOURCE)


def test_protected_folders_stay(client: WorkspaceClient) -> None:
    for path in ("/", "/Shared", "/Users", "/Repos"):
        with pytest.raises(Exception, match="protected"):
            client.workspace.delete(path, recursive=True)


def test_two_hundred_files_over_one_connection(
    server: Any, client: WorkspaceClient, folder: str
) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {server.token}"
        for directory in range(21):
            session.post(
                f"{server.url}/api/2.0/workspace/mkdirs", json={"path": f"{folder}/{directory}"}
            ).raise_for_status()
            for number in range(10 if directory < 20 else 0):
                body = {
                    "path": f"{folder}/{directory}/n{number}",
                    "format": "SOURCE",
                    "language": "PYTHON",
                    "overwrite": True,
                    "content": text(SOURCE),
                }
                session.post(f"{server.url}/api/2.0/workspace/import", json=body).raise_for_status()
    assert len(list(client.workspace.list(folder, recursive=True))) == 200


def test_many_at_the_same_time(server: Any, client: WorkspaceClient, folder: str) -> None:
    sessions = threading.local()

    def put(number: int) -> None:
        if not hasattr(sessions, "own"):
            sessions.own = requests.Session()
        body = {"path": f"{folder}/n{number}", "format": "RAW", "content": text("x" * 1000)}
        headers = {"Authorization": f"Bearer {server.token}"}
        sessions.own.post(
            f"{server.url}/api/2.0/workspace/import", json=body, headers=headers
        ).raise_for_status()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(200)))
    assert len(list(client.workspace.list(folder))) == 200
