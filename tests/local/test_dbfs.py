"""DBFS and the Files API through the unmodified SDK."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    AlreadyExists,
    BadRequest,
    DatabricksError,
    InvalidParameterValue,
    NotFound,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)


@pytest.fixture
def place(client: WorkspaceClient, request: pytest.FixtureRequest) -> str:
    """An empty folder of DBFS for one test."""
    path = f"/tests/{request.node.name}"
    client.dbfs.delete(path, recursive=True)
    client.dbfs.mkdirs(path)
    return path


def test_blocks_add_up(client: WorkspaceClient, place: str) -> None:
    content = bytes(range(256)) * 10_000
    client.dbfs.upload(f"{place}/deep/blocks.bin", io.BytesIO(content))
    assert client.dbfs.download(f"{place}/deep/blocks.bin").read() == content
    status = client.dbfs.get_status(f"dbfs:{place}/deep/blocks.bin")
    assert (status.path, status.file_size) == (f"{place}/deep/blocks.bin", len(content))
    with pytest.raises(DatabricksError, match="already exists"):
        client.dbfs.upload(f"{place}/deep/blocks.bin", io.BytesIO(b"other"))
    assert [(file.path, file.is_dir) for file in client.dbfs.list(place)] == [
        (f"{place}/deep", True)
    ]
    assert [file.path for file in client.dbfs.list(place, recursive=True)] == [
        f"{place}/deep/blocks.bin"
    ]


def test_put_read_move_and_delete(client: WorkspaceClient, place: str) -> None:
    client.dbfs.put(f"{place}/a", contents=base64.b64encode(b"hello").decode())
    read = client.dbfs.read(f"{place}/a", offset=1, length=3)
    assert (base64.b64decode(read.data), read.bytes_read) == (b"ell", 3)
    assert client.dbfs.read(f"{place}/a", offset=99).bytes_read == 0
    client.dbfs.move(f"{place}/a", f"{place}/b")
    assert not client.dbfs.exists(f"{place}/a")
    client.dbfs.put(f"{place}/a", contents="")
    with pytest.raises(ResourceAlreadyExists):
        client.dbfs.move(f"{place}/a", f"{place}/b")
    with pytest.raises(ResourceAlreadyExists):
        client.dbfs.mkdirs(f"{place}/a")
    with pytest.raises(BadRequest, match="not empty"):
        client.api_client.do("POST", "/api/2.0/dbfs/delete", body={"path": place})
    client.dbfs.delete(place, recursive=True)
    client.dbfs.delete(place, recursive=True)
    with pytest.raises(ResourceDoesNotExist, match="No file or directory exists on path"):
        client.dbfs.get_status(place)


def test_an_upload_shows_only_when_it_is_whole(client: WorkspaceClient, place: str) -> None:
    handle = client.dbfs.create(f"{place}/late").handle
    client.dbfs.add_block(handle, base64.b64encode(b"half").decode())
    assert not client.dbfs.exists(f"{place}/late")
    client.dbfs.add_block(handle, base64.b64encode(b" and half").decode())
    client.dbfs.close(handle)
    assert client.dbfs.download(f"{place}/late").read() == b"half and half"
    with pytest.raises(ResourceDoesNotExist, match="no open upload"):
        client.dbfs.close(handle)


def test_limits(client: WorkspaceClient, place: str) -> None:
    large = base64.b64encode(b"x" * (1024 * 1024 + 1)).decode()
    handle = client.dbfs.create(f"{place}/large").handle
    for refused, words in (
        (lambda: client.dbfs.add_block(handle, large), "at most"),
        (lambda: client.dbfs.put(f"{place}/large", contents=large), "at most"),
        (lambda: client.dbfs.read(f"{place}", length=10), "is a folder"),
    ):
        with pytest.raises(BadRequest, match=words):
            refused()
    client.dbfs.put(f"{place}/small", contents="")
    with pytest.raises(BadRequest, match="At most"):
        client.dbfs.read(f"{place}/small", length=2_000_000)
    with pytest.raises(InvalidParameterValue):
        client.dbfs.read(f"{place}/small", offset=-1)


def test_dbutils_of_the_sdk(client: WorkspaceClient, place: str) -> None:
    fs = client.dbutils.fs
    fs.put(f"dbfs:{place}/a.txt", "hello", True)
    assert fs.head(f"dbfs:{place}/a.txt") == "hello"
    fs.mkdirs(f"dbfs:{place}/deep")
    fs.cp(f"dbfs:{place}/a.txt", f"dbfs:{place}/deep/b.txt")
    fs.mv(f"dbfs:{place}/a.txt", f"dbfs:{place}/c.txt")
    assert {file.name for file in fs.ls(f"dbfs:{place}")} == {"c.txt", "deep"}
    fs.rm(f"dbfs:{place}/deep", True)
    assert [file.size for file in fs.ls(f"dbfs:{place}")] == [5]


def test_files_of_volumes(server: Any, client: WorkspaceClient, place: str) -> None:
    volume = f"/Volumes/main/default{place}"
    content = bytes(range(256)) * 1000
    client.files.create_directory(f"{volume}/a/b")
    client.files.create_directory(f"{volume}/a/b")
    client.files.upload(f"{volume}/a/ü b.bin", io.BytesIO(content))
    assert client.files.download(f"{volume}/a/ü b.bin").contents.read() == content
    told = client.files.get_metadata(f"{volume}/a/ü b.bin")
    assert told.content_length == len(content)
    assert told.last_modified
    with pytest.raises(AlreadyExists):
        client.files.upload(f"{volume}/a/ü b.bin", io.BytesIO(b"other"))
    client.files.upload(f"{volume}/a/ü b.bin", io.BytesIO(b"other"), overwrite=True)
    for number in range(5):
        client.files.upload(f"{volume}/a/{number}", io.BytesIO(b""))
    listed = list(client.files.list_directory_contents(f"{volume}/a", page_size=2))
    assert [entry.name for entry in listed] == ["0", "1", "2", "3", "4", "b", "ü b.bin"]
    assert [entry.is_directory for entry in listed] == [False] * 5 + [True, False]
    assert listed[-1].file_size == 5
    client.files.get_directory_metadata(f"{volume}/a")
    with pytest.raises(BadRequest, match="not empty"):
        client.files.delete_directory(f"{volume}/a")
    client.files.delete_directory(f"{volume}/a/b")
    client.files.delete(f"{volume}/a/0")
    for gone in (client.files.get_metadata, client.files.download, client.files.delete):
        with pytest.raises(NotFound):
            gone(f"{volume}/a/0")
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(f"{volume}/a/b")
    ranged = server.call(
        "GET", f"/api/2.0/fs/files{volume}/a/%C3%BC%20b.bin", headers={"Range": "bytes=1-2"}
    )
    assert (ranged.status_code, ranged.content) == (206, b"th")


def test_a_link_does_not_lead_out(server: Any, client: WorkspaceClient, place: str) -> None:
    folder = server.home / "dbfs" / place.lstrip("/")
    (folder / "away").symlink_to("/etc")
    for path in (f"{place}/away", f"{place}/away/passwd"):
        with pytest.raises(InvalidParameterValue, match="leads out"):
            client.dbfs.get_status(path)
    assert list(client.dbfs.list(place)) == []
