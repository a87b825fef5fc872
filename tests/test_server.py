"""The Jupyter server's side: who may call, for which project, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from dbx_magic.errors import ProjectError, UsageError
from dbx_magic.server import open_project

pytest_plugins = ["pytest_jupyter.jupyter_server"]

Fetch = Callable[..., Awaitable[HTTPResponse]]
Lines = list[dict[str, Any]]
Post = Callable[..., Awaitable[tuple[int, Lines]]]


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"dbx_magic": True}}}


@pytest.fixture
def jp_root_dir(project: Path) -> Path:
    """Jupyter is started in the folder above the project ``hello``."""
    return project.parent


@pytest.fixture
def post(jp_fetch: Fetch) -> Post:
    """Call a verb as JupyterLab does, with the token, and give the status and the lines."""

    async def post(verb: str, body: Any) -> tuple[int, Lines]:
        answer = await jp_fetch(
            "dbx-magic", verb, method="POST", body=json.dumps(body), raise_error=False
        )
        return answer.code, [json.loads(line) for line in answer.body.decode().splitlines()]

    return post


@pytest.fixture
def browser(jp_fetch: Fetch, http_server_client: Any, jp_base_url: str, jp_serverapp: Any) -> Fetch:
    """Call `status` as a page in a logged-in browser would: with cookies, not with the token."""

    async def fetch(**headers: str) -> HTTPResponse:
        token = jp_serverapp.identity_provider.token
        page = await http_server_client.fetch(f"{jp_base_url}api/me?token={token}")
        cookies = [item.partition(";")[0] for item in page.headers.get_list("Set-Cookie")]
        return await http_server_client.fetch(
            f"{jp_base_url}dbx-magic/status",
            method="POST",
            body=json.dumps(call()),
            headers={"Cookie": "; ".join([*cookies, "_xsrf=abc"]), **headers},
            raise_error=False,
        )

    return fetch


def call(path: str = "hello", **arguments: Any) -> dict[str, Any]:
    return {"arguments": arguments, "path": path}


async def test_without_the_token(
    jp_serverapp: Any, http_server_client: Any, jp_base_url: str
) -> None:
    answer = await http_server_client.fetch(
        f"{jp_base_url}dbx-magic/status", method="POST", body="{}", raise_error=False
    )
    assert answer.code == 403


async def test_a_page_needs_jupyters_own_header(browser: Fetch) -> None:
    """A form on a foreign page is sent with the browser's cookies; it is refused all the same."""
    assert (await browser()).code == 403


async def test_a_foreign_page_is_refused(browser: Fetch) -> None:
    answer = await browser(**{"X-XSRFToken": "abc", "Origin": "https://somebody.test"})
    assert answer.code in (403, 404)
    assert b"result" not in answer.body


async def test_an_unknown_verb(post: Post) -> None:
    error = {"type": "UsageError", "message": "'pusch' is not a verb."}
    assert await post("pusch", call()) == (
        404,
        [{"error": {**error, "hint": "Did you mean 'push'?"}}],
    )


@pytest.mark.parametrize("body", [[], {}, call() | {"path": 1}, call() | {"arguments": []}])
async def test_a_malformed_call(post: Post, body: Any) -> None:
    code, [line] = await post("clusters", body)
    assert code == 400
    assert "The body must be" in line["error"]["message"]


async def test_an_argument_of_the_wrong_type(post: Post) -> None:
    code, [line] = await post("run", call(notebook=7))
    assert code == 400
    assert line["error"]["type"] == "UsageError"


@pytest.mark.parametrize("path", ["..", "../other/x.ipynb", "hello/../../x", "hello\0"])
async def test_outside_the_servers_root(post: Post, path: str) -> None:
    code, [line] = await post("clusters", call(path))
    assert code == 400
    assert "outside the folder that Jupyter was started in" in line["error"]["message"]


def test_a_link_out_of_the_root(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (project / "out").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(UsageError):
        open_project(project, "out/train.ipynb")


def test_a_project_that_reaches_out_of_the_root(project: Path) -> None:
    with pytest.raises(ProjectError) as refused:
        open_project(project / "notebooks", "")
    assert "Start Jupyter" in refused.value.hint


@pytest.mark.parametrize("path", ["hello", "/hello", "hello/notebooks/new.ipynb"])
def test_the_documents_folder_decides_the_project(project: Path, path: str) -> None:
    assert open_project(project.parent, path).project.root == project.resolve()
