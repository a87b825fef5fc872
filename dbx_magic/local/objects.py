"""The Workspace API: folders, notebooks and files under ``/``."""

from __future__ import annotations

import base64
import binascii
import io
import tempfile
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import Response

from .call import Call, Operation
from .errors import Refused, exists, invalid
from .formats import exported, imported
from .tree import Item, Tree, clean_path

FILE_LIMIT = 500 * 1024 * 1024
_BIG = 1024 * 1024


class Objects:
    """What can be asked of the workspace tree over HTTP."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def operations(self) -> list[Operation]:
        """The operations of the API, and the two by which plain files are sent and fetched."""
        return [
            Operation("POST", "/workspace/mkdirs", self._mkdirs),
            Operation("POST", "/workspace/import", self._import),
            Operation("POST", "/workspace/delete", self._delete),
            Operation("GET", "/workspace/list", self._list),
            Operation("GET", "/workspace/get-status", self._get_status),
            Operation("GET", "/workspace/export", self._export),
            Operation(
                "POST",
                "/workspace-files/import-file/{path:path}",
                self._import_file,
                raw_body=True,
            ),
            Operation("GET", "/workspace-files/{path:path}", self._read_file),
        ]

    async def _mkdirs(self, call: Call) -> Mapping[str, Any]:
        item = self._tree.make_folder(_path(call))
        return {"object_id": item.object_id}

    async def _list(self, call: Call) -> Mapping[str, Any]:
        item = self._tree.get(_path(call))
        since = call.whole("notebooks_modified_after", 0)
        items = [item] if not _is_folder(item) else self._tree.children(item.path)
        if since:
            items = [
                item
                for item in items
                if item.object_type == "NOTEBOOK" and item.modified_at > since
            ]
        return {"objects": [item.details() for item in items]} if items else {}

    async def _get_status(self, call: Call) -> Mapping[str, Any]:
        item = self._tree.get(_path(call))
        details = item.details()
        if call.flag("return_export_info") and item.object_type == "NOTEBOOK":
            details["repos_export_format"] = "SOURCE"
        return details

    async def _delete(self, call: Call) -> Mapping[str, Any]:
        path, recursive = _path(call), call.flag("recursive")
        self._tree.delete(path, recursive=recursive)
        return {}

    async def _import(self, call: Call) -> Mapping[str, Any]:
        content, size = await _content(call)
        objects = imported(
            _path(call),
            content,
            size,
            call.text("format", "SOURCE").upper(),
            call.text("language", "").upper(),
        )
        overwrite = call.flag("overwrite")
        top = objects[0]
        if len(objects) > 1 and self._tree.find(top.path):
            raise exists(f"{top.path} already exists; an archive is imported as a new folder.")
        for found in objects:
            if found.object_type == "DIRECTORY":
                item = self._tree.make_folder(found.path)
            else:
                item = self._tree.write(
                    found.path,
                    found.content,
                    found.object_type,
                    found.language,
                    overwrite=overwrite,
                )
        return {"object_id": item.object_id}

    async def _export(self, call: Call) -> Response | Mapping[str, Any]:
        item = self._tree.get(_path(call))
        content, kind = exported(self._tree, item, call.text("format", "SOURCE").upper())
        if call.flag("direct_download"):
            name = quote(item.path.rpartition("/")[2] + (f".{kind}" if kind != "file" else ""))
            return Response(
                content,
                media_type="application/octet-stream",
                headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
            )
        return {"content": base64.b64encode(content).decode(), "file_type": kind}

    async def _import_file(self, call: Call) -> Mapping[str, Any]:
        path = clean_path("/" + str(call.fields["path"]))
        with tempfile.SpooledTemporaryFile(_BIG) as body:
            async for chunk in call.request.stream():
                if body.tell() + len(chunk) > FILE_LIMIT:
                    raise too_large(FILE_LIMIT)
                body.write(chunk)
            size = body.tell()
            body.seek(0)
            found = imported(path, body, size, "AUTO", "")[0]
            there = self._tree.find(found.path)
            if there and there.object_type == "FILE" and not call.flag("overwrite"):
                # By this status the clients of this address know it.
                raise Refused("RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.", 409)
            item = self._tree.write(
                found.path,
                found.content,
                found.object_type,
                found.language,
                overwrite=call.flag("overwrite"),
            )
        return {"object_id": item.object_id}

    async def _read_file(self, call: Call) -> Response:
        item = self._tree.get(clean_path("/" + str(call.fields["path"])))
        if _is_folder(item):
            raise invalid(f"Path ({item.path}) is a folder.")
        content, _ = exported(self._tree, item, "AUTO")
        return Response(content, media_type="application/octet-stream")


def too_large(limit: int) -> Refused:
    """The refusal of a file that Databricks would not take either."""
    return Refused("MAX_NOTEBOOK_SIZE_EXCEEDED", f"File size exceeded max size ({limit} bytes)")


async def _content(call: Call) -> tuple[IO[bytes], int]:
    content = call.fields.get("content")
    if isinstance(content, UploadFile):
        return content.file, content.size or 0
    try:
        data = base64.b64decode(call.text("content", ""), validate=False)
    except (binascii.Error, ValueError):
        raise invalid("Field content must be base64.") from None
    return io.BytesIO(data), len(data)


def _path(call: Call) -> str:
    return clean_path(call.text("path"))


def _is_folder(item: Item) -> bool:
    return item.object_type in ("DIRECTORY", "REPO")
