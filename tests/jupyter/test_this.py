"""``%dbx push this`` in a kernel that Jupyter's own server started for a notebook."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from place import ipynb, write
from tornado.httpclient import HTTPResponse

from dbx_magic.dbx import Dbx

Fetch = Callable[..., Awaitable[HTTPResponse]]


@pytest.fixture
def jp_root_dir(project: Path) -> Path:
    """Jupyter is started in the folder above the project ``hello``."""
    return project.parent


async def test_the_name_of_the_notebook_is_found(
    jp_serverapp: Any, jp_fetch: Fetch, project: Path, dbx: Dbx
) -> None:
    """As JupyterLab and Notebook 7 start it, and after it was renamed there."""
    write(project, "notebooks/deep/train.ipynb", ipynb("a = 1"))
    path = "hello/notebooks/deep/train.ipynb"
    body = {
        "path": path,
        "name": "train.ipynb",
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    answer = await jp_fetch("api", "sessions", method="POST", body=json.dumps(body))
    kernel_id = json.loads(answer.body)["kernel"]["id"]
    client = jp_serverapp.kernel_manager.get_kernel(kernel_id).client()
    client.start_channels()
    told: list[str] = []

    def tell(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] in ("display_data", "update_display_data", "execute_result"):
            told.append(content["data"]["text/plain"])
        elif message["msg_type"] == "stream":
            told.append(content["text"])
        elif message["msg_type"] == "error":
            told.extend(content["traceback"])

    try:
        await client.wait_for_ready(timeout=120)
        code = "%load_ext dbx_magic\n%dbx push this"
        await client.execute_interactive(code, timeout=120, output_hook=tell)
        assert "1 sent (deep/train)" in "".join(told)
        assert dbx.workspace.fetch(f"{dbx.project.target.root}/deep/train").endswith(b"a = 1\n")
        (project / "notebooks/deep/train.ipynb").rename(project / "notebooks/deep/score.ipynb")
        await client.execute_interactive("%dbx push this", timeout=120, output_hook=tell)
        assert "deep/train.ipynb is not there" in "".join(told)
    finally:
        client.stop_channels()
        await jp_serverapp.kernel_manager.shutdown_kernel(kernel_id, now=True)
