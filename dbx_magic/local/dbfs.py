"""The DBFS API 2.0."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile

from .call import Call, Operation
from .disk import Disk
from .errors import Refused, exists, invalid, missing
from .store import Store

_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class _Upload:
    incoming: Path
    file: Path


class Dbfs:
    """What can be asked of DBFS over HTTP."""

    def __init__(self, disk: Disk, store: Store) -> None:
        self._disk = disk
        self._store = store
        self._uploads: dict[int, _Upload] = {}

    def operations(self) -> list[Operation]:
        """The operations of the API."""
        posts = {
            "mkdirs": self._mkdirs,
            "put": self._put,
            "create": self._create,
            "add-block": self._add_block,
            "close": self._close,
            "move": self._move,
            "delete": self._delete,
        }
        gets = {"get-status": self._get_status, "list": self._list, "read": self._read}
        return [
            *(Operation("POST", f"/dbfs/{name}", do) for name, do in posts.items()),
            *(Operation("GET", f"/dbfs/{name}", do) for name, do in gets.items()),
        ]

    async def _get_status(self, call: Call) -> Mapping[str, Any]:
        return self._details(self._existing(call.text("path")))

    async def _list(self, call: Call) -> Mapping[str, Any]:
        file = self._existing(call.text("path"))
        found = sorted(file.iterdir()) if file.is_dir() else [file]
        files = [self._details(child) for child in found if not child.is_symlink()]
        return {"files": files} if files else {}

    async def _mkdirs(self, call: Call) -> Mapping[str, Any]:
        file = self._disk.file(call.text("path"))
        try:
            file.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise exists(f"A file already exists at {self._disk.path(file)}.") from None
        return {}

    async def _put(self, call: Call) -> Mapping[str, Any]:
        file = self._target(call)
        content = call.fields.get("file") or call.fields.get("contents")
        with self._disk.home.incoming() as incoming:
            if isinstance(content, UploadFile):
                await asyncio.to_thread(_copy, content, incoming)
            else:
                incoming.write_bytes(_block(call.text("contents", "")))
            self._disk.place(incoming, file)
        return {}

    async def _create(self, call: Call) -> Mapping[str, Any]:
        file = self._target(call)
        handle = self._store.next_number("dbfs_handle")
        self._uploads[handle] = _Upload(self._disk.home.scratch_path(), file)
        self._uploads[handle].incoming.touch()
        return {"handle": handle}

    async def _add_block(self, call: Call) -> Mapping[str, Any]:
        upload = self._upload(call)
        block = _block(call.text("data", ""))
        with upload.incoming.open("ab") as incoming:
            incoming.write(block)
        return {}

    async def _close(self, call: Call) -> Mapping[str, Any]:
        upload = self._upload(call)
        del self._uploads[call.whole("handle")]
        self._disk.place(upload.incoming, upload.file)
        return {}

    async def _read(self, call: Call) -> Mapping[str, Any]:
        file = self._existing(call.text("path"))
        offset, length = call.whole("offset", 0), call.whole("length", _BLOCK // 2)
        if file.is_dir():
            raise invalid(f"Path ({self._disk.path(file)}) is a folder.")
        if offset < 0 or length < 0:
            raise invalid("Fields offset and length must be 0 or more.")
        if length > _BLOCK:
            raise Refused("MAX_READ_SIZE_EXCEEDED", f"At most {_BLOCK} bytes can be read at once.")
        with file.open("rb") as content:
            content.seek(offset)
            data = content.read(length)
        return {"bytes_read": len(data), "data": base64.b64encode(data).decode()}

    async def _move(self, call: Call) -> Mapping[str, Any]:
        source = self._existing(call.text("source_path"))
        target = self._disk.file(call.text("destination_path"))
        if target.exists():
            raise exists(f"A file or folder already exists at {self._disk.path(target)}.")
        if target.is_relative_to(source):
            raise invalid("A folder cannot be moved into itself.")
        self._disk.place(source, target)
        return {}

    async def _delete(self, call: Call) -> Mapping[str, Any]:
        file = self._disk.file(call.text("path"))
        if self._disk.path(file) == "/":
            raise Refused("PERMISSION_DENIED", "The root of DBFS cannot be deleted.")
        if file.is_dir() and not call.flag("recursive") and any(file.iterdir()):
            raise Refused("IO_ERROR", f"Path ({self._disk.path(file)}) is not empty.")
        with contextlib.suppress(FileNotFoundError):
            self._disk.home.throw_away(file)
        return {}

    def _target(self, call: Call) -> Path:
        file = self._disk.file(call.text("path"))
        if file.is_dir() or (file.exists() and not call.flag("overwrite")):
            raise exists(f"A file or folder already exists at {self._disk.path(file)}.")
        return file

    def _existing(self, path: str) -> Path:
        file = self._disk.file(path)
        if not file.exists():
            raise missing(f"No file or directory exists on path {self._disk.path(file)}.")
        return file

    def _upload(self, call: Call) -> _Upload:
        try:
            return self._uploads[call.whole("handle")]
        except KeyError:
            raise missing(f"There is no open upload {call.whole('handle')}.") from None

    def _details(self, file: Path) -> dict[str, Any]:
        found = file.stat()
        return {
            "path": self._disk.path(file),
            "is_dir": file.is_dir(),
            "file_size": 0 if file.is_dir() else found.st_size,
            "modification_time": found.st_mtime_ns // 1_000_000,
        }


def _copy(upload: UploadFile, incoming: Path) -> None:
    with incoming.open("wb") as file:
        shutil.copyfileobj(upload.file, file, _BLOCK)


def _block(text: str) -> bytes:
    try:
        data = base64.b64decode(text)
    except (binascii.Error, ValueError):
        raise invalid("The data must be base64.") from None
    if len(data) > _BLOCK:
        raise Refused("MAX_BLOCK_SIZE_EXCEEDED", f"A block has at most {_BLOCK} bytes.")
    return data
