"""Jupyter's contents manager opens Databricks source as notebooks, and saves it unchanged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[1] / "corpus"


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """A server with our extension, where jupytext's contents manager is in charge."""
    manager = "jupytext.AsyncTextFileContentsManager"
    return {
        "ServerApp": {"jpserver_extensions": {"dbx_magic": True}, "contents_manager_class": manager}
    }


async def test_jupyter_opens_databricks_source_as_a_notebook(
    jp_root_dir: Path, jp_fetch: Callable[..., Awaitable[Any]]
) -> None:
    for suffix in (".py", ".sql", ".scala", ".r"):
        path = next(CORPUS.glob(f"[a-e]*{suffix}"), CORPUS / f"stream{suffix}")
        shutil.copy(path, jp_root_dir)
        answer = await jp_fetch("api", "contents", path.name, params={"type": "notebook"})
        model = json.loads(answer.body)
        assert len(model["content"]["cells"]) > 0
        body = json.dumps({"type": "notebook", "content": model["content"]})
        await jp_fetch("api", "contents", path.name, method="PUT", body=body)
        assert (jp_root_dir / path.name).read_bytes() == path.read_bytes()
