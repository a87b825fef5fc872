"""The Files API 2.0: files and folders of volumes, sent and fetched as they are."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from .call import Call, Operation
from .disk import Disk
from .errors import Refused, invalid

_LARGEST_PAGE = 1000


class Files:
    """What can be asked of files and directories over HTTP."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def operations(self) -> list[Operation]:
        """The operations of the API."""
        files, directories = "/fs/files/{path:path}", "/fs/directories/{path:path}"
        return [
            Operation("PUT", files, self._upload, raw_body=True),
            Operation("GET", files, self._download),
            Operation("HEAD", files, self._download),
            Operation("DELETE", files, self._delete),
            Operation("PUT", directories, self._make_directory),
            Operation("GET", directories, self._list),
            Operation("HEAD", directories, self._directory),
            Operation("DELETE", directories, self._delete_directory),
        ]

    async def _upload(self, call: Call) -> Response:
        file = self._file(call)
        if file.is_dir() or (file.exists() and not call.flag("overwrite")):
            raise Refused("ALREADY_EXISTS", "The file being created already exists.", 409)
        with self._disk.home.incoming() as incoming:
            with incoming.open("wb") as content:
                async for chunk in call.request.stream():
                    content.write(chunk)
            self._disk.place(incoming, file)
        return Response(status_code=204)

    async def _download(self, call: Call) -> Response:
        file = self._file(call)
        if not file.is_file():
            raise Refused("NOT_FOUND", "The file being accessed is not found.")
        return FileResponse(file, media_type="application/octet-stream")

    async def _delete(self, call: Call) -> Response:
        file = self._file(call)
        if not file.is_file():
            raise Refused("NOT_FOUND", "The file being accessed is not found.")
        file.unlink()
        return Response(status_code=204)

    async def _make_directory(self, call: Call) -> Response:
        file = self._file(call)
        try:
            file.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise Refused("ALREADY_EXISTS", "A file is in the way.", 409) from None
        return Response(status_code=204)

    async def _directory(self, call: Call) -> Response:
        found = self._existing_directory(call).stat()
        modified = formatdate(found.st_mtime, usegmt=True)
        return Response(headers={"Last-Modified": modified})

    async def _list(self, call: Call) -> Mapping[str, Any]:
        folder = self._existing_directory(call)
        size = min(call.whole("page_size", 0) or _LARGEST_PAGE, _LARGEST_PAGE)
        after = _read_token(call.text("page_token", ""))
        names = sorted(child.name for child in folder.iterdir() if not child.is_symlink())
        later = [name for name in names if name > after]
        page: dict[str, Any] = {"contents": [self._entry(folder / name) for name in later[:size]]}
        if len(later) > size:
            page["next_page_token"] = base64.urlsafe_b64encode(later[size - 1].encode()).decode()
        return page

    async def _delete_directory(self, call: Call) -> Response:
        folder = self._existing_directory(call)
        try:
            folder.rmdir()
        except OSError:
            raise Refused("DIRECTORY_NOT_EMPTY", "The directory is not empty.") from None
        return Response(status_code=204)

    def _file(self, call: Call) -> Path:
        return self._disk.file("/" + str(call.fields["path"]))

    def _existing_directory(self, call: Call) -> Path:
        folder = self._file(call)
        if not folder.is_dir():
            raise Refused("NOT_FOUND", "The directory being accessed is not found.")
        return folder

    def _entry(self, file: Path) -> dict[str, Any]:
        found = file.stat()
        entry: dict[str, Any] = {
            "path": self._disk.path(file),
            "name": file.name,
            "is_directory": file.is_dir(),
            "last_modified": found.st_mtime_ns // 1_000_000,
        }
        return entry if file.is_dir() else {**entry, "file_size": found.st_size}


def _read_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError:
        raise invalid(f"Invalid page token {token!r}") from None
