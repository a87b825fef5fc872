"""The Repos API 2.0: real clones of git repositories, under ``/Repos``."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .call import Call, Operation
from .errors import Refused, exists, invalid, missing
from .home import Home, discard
from .store import Store
from .tree import Tree, clean_path, parent_of

_GIT_SECONDS = 300
_BRANCH = re.compile(r"(?!-)[\w./\-+@]+")


class Repos:
    """What can be asked of repositories over HTTP."""

    def __init__(self, store: Store, tree: Tree, home: Home) -> None:
        self._home = home
        self._store = store
        self._tree = tree

    def operations(self) -> list[Operation]:
        """The operations of the API."""
        return [
            Operation("POST", "/repos", self._create),
            Operation("GET", "/repos", self._list),
            Operation("GET", "/repos/{id}", self._get),
            Operation("PATCH", "/repos/{id}", self._update),
            Operation("DELETE", "/repos/{id}", self._delete),
        ]

    async def _create(self, call: Call) -> Mapping[str, Any]:
        url, provider = call.text("url"), call.text("provider")
        name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
        path = clean_path(call.text("path", "") or f"/Repos/{call.user}/{name}")
        if self._tree.find(path):
            raise exists(f"Path ({path}) already exists.")
        self._tree.make_folder(parent_of(path))
        clone = self._home.scratch_path()
        try:
            await _git(None, "clone", "--quiet", "--", url, str(clone))
            clone.rename(self._tree.file(path))
        finally:
            discard(clone)
        item = self._tree.make_repo(path)
        repo = {"id": item.object_id, "path": path, "url": url, "provider": provider}
        self._store.put("repo", item.object_id, repo)
        return await self._details(repo)

    async def _list(self, call: Call) -> Mapping[str, Any]:
        prefix = call.text("path_prefix", "")
        repos = [
            await self._details(repo)
            for repo in self._store.all("repo").values()
            if repo["path"].startswith(prefix) and self._tree.find(repo["path"])
        ]
        return {"repos": repos}

    async def _get(self, call: Call) -> Mapping[str, Any]:
        return await self._details(self._repo(call))

    async def _update(self, call: Call) -> Mapping[str, Any]:
        repo = self._repo(call)
        folder = self._tree.file(repo["path"])
        branch, tag = call.text("branch", ""), call.text("tag", "")
        if bool(branch) == bool(tag):
            raise invalid("Exactly one of branch and tag must be specified.")
        if not _BRANCH.fullmatch(branch or tag):
            raise invalid(f"{branch or tag!r} is no name of a branch or tag.")
        await _git(folder, "fetch", "--quiet", "--tags", "origin")
        if tag:
            await _git(folder, "checkout", "--quiet", "--detach", f"refs/tags/{tag}")
        else:
            await _git(folder, "checkout", "--quiet", branch)
            await _git(folder, "merge", "--quiet", "--ff-only", f"origin/{branch}")
        return await self._details(repo)

    async def _delete(self, call: Call) -> Mapping[str, Any]:
        repo = self._repo(call)
        self._tree.delete(repo["path"], recursive=True)
        self._store.delete("repo", repo["id"])
        return {}

    def _repo(self, call: Call) -> dict[str, Any]:
        repo = self._store.get("repo", str(call.fields["id"]))
        if repo is None or self._tree.find(repo["path"]) is None:
            raise missing(f"Repo {call.fields['id']} does not exist.")
        return repo

    async def _details(self, repo: dict[str, Any]) -> dict[str, Any]:
        folder = self._tree.file(repo["path"])
        details = {**repo, "head_commit_id": await _git(folder, "rev-parse", "HEAD")}
        branch = await _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
        return details if branch == "HEAD" else {**details, "branch": branch}


async def _git(folder: Path | None, *arguments: str) -> str:
    """What git answers; where it fails, its own last words."""
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        # A clone must not run programs: no ext::, no hooks of a template.
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _GIT_SECONDS)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        words = err.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise Refused("BAD_REQUEST", f"Git: {words[-1]}")
    return out.decode().strip()
