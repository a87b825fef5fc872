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
from starlette.responses import FileResponse, Response

from .call import Call, Operation
from .errors import Refused, exists, invalid
from .formats import FILE_FORMATS, JUPYTER_LIMIT, exported, imported
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
        self._must_be_as_seen(path, call)
        self._tree.delete(path, recursive=recursive)
        return {}

    def _must_be_as_seen(self, path: str, call: Call) -> None:
        """Refuse to replace what was edited after the client saw it; Databricks cannot be asked."""
        seen = call.whole("if_modified_at", 0)
        there = self._tree.find(path) if seen else None
        if seen and (there is None or there.modified_at != seen):
            raise Refused("ABORTED", f"{path} was edited since {seen}.", 409)

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
        self._must_be_as_seen(top.path, call)
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
                    original=found.original,
                )
        return {"object_id": item.object_id}

    async def _export(self, call: Call) -> Response | Mapping[str, Any]:
        item = self._tree.get(_path(call))
        kind = call.text("format", "SOURCE").upper()
        name = item.path.rpartition("/")[2]
        if call.flag("direct_download"):
            if item.object_type == "FILE" and kind in FILE_FORMATS:
                return FileResponse(self._tree.file(item.path), filename=name)
            content, suffix = exported(self._tree, item, kind)
            headers = {
                "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}.{suffix}"
            }
            return Response(content, media_type="application/octet-stream", headers=headers)
        if item.size > JUPYTER_LIMIT:
            raise too_large(JUPYTER_LIMIT)
        content, suffix = exported(self._tree, item, kind)
        return {"content": base64.b64encode(content).decode(), "file_type": suffix}

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
            self._must_be_as_seen(found.path, call)
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
                original=found.original,
            )
        return {"object_id": item.object_id}

    async def _read_file(self, call: Call) -> Response:
        item = self._tree.get(clean_path("/" + str(call.fields["path"])))
        if _is_folder(item):
            raise invalid(f"Path ({item.path}) is a folder.")
        file = self._tree.file(item.path)
        return FileResponse(file, media_type="application/octet-stream")


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
