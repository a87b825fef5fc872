"""The Jupyter server's side: who may call, for which project, and what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from dbx_magic.dbx import Dbx
from dbx_magic.errors import ProjectError, UsageError
from dbx_magic.events import drive
from dbx_magic.project import Project
from dbx_magic.server import open_project
from dbx_magic.verbs import perform

Fetch = Callable[..., Awaitable[HTTPResponse]]
Lines = list[dict[str, Any]]
Listen = Callable[..., contextlib.AbstractAsyncContextManager[AsyncIterator[Any]]]
Post = Callable[..., Awaitable[tuple[int, Lines]]]


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"dbx_magic": True}}}


@pytest.fixture
def jp_root_dir(project: Path) -> Path:
    """Jupyter is started in the folder above the project ``hello``."""
    return project.parent


@pytest.fixture
def fetch(jp_fetch: Fetch) -> Fetch:
    """With the token, and with patience for a loaded machine."""
    return functools.partial(jp_fetch, "dbx-magic", request_timeout=120)


@pytest.fixture
def post(fetch: Fetch) -> Post:
    """Call a verb as JupyterLab does, with the token, and give the status and the lines."""

    async def post(verb: str, body: Any) -> tuple[int, Lines]:
        answer = await fetch(verb, method="POST", body=json.dumps(body), raise_error=False)
        return answer.code, [json.loads(line) for line in answer.body.decode().splitlines()]

    return post


@pytest.fixture
def browser(http_server_client: Any, jp_base_url: str, jp_serverapp: Any) -> Fetch:
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
    assert (await browser(**{"X-XSRFToken": "guessed"})).code == 403


async def test_cookies_are_enough_for_a_page_of_jupyters_own(browser: Fetch, dbx: Dbx) -> None:
    """Under JupyterHub a page may have no token."""
    answer = await browser(**{"X-XSRFToken": "abc"})
    assert answer.code == 200
    assert b'"result"' in answer.body


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


@pytest.fixture
def listen(jp_serverapp: Any, http_server: object, jp_http_port: int) -> Listen:
    """Give a request's lines as they come; leaving closes the connection, as a page does."""

    @contextlib.asynccontextmanager
    async def listen(
        method: str, place: str, body: Any = None
    ) -> AsyncIterator[AsyncIterator[Any]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
        content = json.dumps(body).encode()
        head = (
            f"{method} {jp_serverapp.base_url}dbx-magic{place} HTTP/1.1",
            f"Host: 127.0.0.1:{jp_http_port}",
            f"Authorization: token {jp_serverapp.identity_provider.token}",
            f"Content-Length: {len(content)}",
        )
        writer.write("\r\n".join([*head, "", ""]).encode() + content)

        async def lines() -> AsyncIterator[Any]:
            while line := await asyncio.wait_for(reader.readline(), 60):
                if line.startswith(b"{"):  # the rest is HTTP: headers, and sizes of chunks
                    told = json.loads(line)
                    yield told
                    if "result" in told or "error" in told:
                        return

        try:
            yield lines()
        finally:
            writer.close()
            await writer.wait_closed()

    return listen


@pytest.fixture
def running(dbx: Dbx) -> None:
    """The project's cluster runs."""
    drive(perform(dbx, "rebuild", {}), lambda _: None)


def sleeping(folder: Path) -> str:
    """Code for the cluster that tells by files that it began and that it was stopped."""
    return (
        "import pathlib, time\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "(here / 'begun').touch()\n"
        "print('begun', flush=True)\n"
        "try:\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    (here / 'stopped').touch()\n    raise\n"
    )


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def exec_has_ended() -> bool:
    return all(task.get_name() != "dbx exec" for task in asyncio.all_tasks())


async def test_events_come_as_they_happen(listen: Listen, running: None, tmp_path: Path) -> None:
    """The output of a cell that still runs is there."""
    async with listen("POST", "/exec", call(code=sleeping(tmp_path))) as lines:
        async for line in lines:
            if line["event"] == "Shown":
                break
        assert line["text"] == "begun\n"
        assert not (tmp_path / "stopped").exists()
    await until(exec_has_ended)


async def test_a_client_that_goes_away_stops_a_cell(
    listen: Listen, running: None, tmp_path: Path
) -> None:
    async with listen("POST", "/exec", call(code=sleeping(tmp_path))):
        await until((tmp_path / "begun").exists)
    await until(exec_has_ended)
    assert (tmp_path / "stopped").exists()


async def test_a_run_outlives_the_page(
    post: Post, listen: Listen, fetch: Fetch, running: None, project: Path
) -> None:
    """Neither a closed page nor a push stops it; a page finds it, and its own Stop stops it."""
    source = "# Databricks notebook source\nprint('begun', flush=True)\nwhile True:\n    pass\n"
    (project / "workspace" / "greet.py").write_text(source)
    await post("push", call(force=True))
    async with listen("POST", "/run", call(notebook="greet")) as lines:
        await anext(lines)
    code, [refused] = await post("run", call(notebook="greet"))
    assert code == 409
    assert "run is under way" in refused["error"]["message"]
    code, _ = await post("push", call())
    assert code == 200
    async with listen("GET", "?path=hello") as lines:
        assert await anext(lines) == {"verb": "run"}
        await fetch("push", method="DELETE", params={"path": "hello"})
        await fetch("run", method="DELETE", params={"path": "hello"})
        last = [line async for line in lines][-1]
    assert last["error"]["message"] == "run was stopped."


async def test_a_rebuild_outlives_the_page(post: Post, listen: Listen, running: None) -> None:
    """A page that is reloaded finds it, its plan and its latest progress; so does a second one."""
    async with listen("POST", "/rebuild", call(fresh=True)) as lines:
        planned = await anext(lines)
    assert planned["event"] == "Planned"
    code, [refused] = await post("rebuild", call())
    assert code == 409
    assert "rebuild is under way" in refused["error"]["message"]
    async with listen("GET", "?path=hello/notebooks") as lines:
        told = [line async for line in lines]
    assert told[:2] == [{"verb": "rebuild"}, planned]
    assert told[-1]["result"]["cluster"] == "hello"
    assert any(line.get("event") == "Progress" for line in told)


async def test_stop(post: Post, listen: Listen, fetch: Fetch, running: None) -> None:
    async with listen("POST", "/rebuild", call(fresh=True)) as lines:
        assert (await anext(lines))["event"] == "Planned"
        await fetch("rebuild", method="DELETE", params={"path": "hello"})
        last = [line async for line in lines][-1]
    assert last["error"]["message"] == "rebuild was stopped."
    code, lines = await post("rebuild", call())
    assert code == 200
    assert lines[-1]["result"]["ready"]


async def test_what_has_ended_is_told_until_it_is_forgotten(
    post: Post, fetch: Fetch, running: None
) -> None:
    await post("rebuild", call(dry_run=True))
    told = await fetch(params={"path": "hello"})
    assert b'"dry_run": true' in told.body.splitlines()[-1]
    await post("run", call(notebook="nothing"))
    told = await fetch(params={"path": "hello"}, raise_error=False)
    assert json.loads(told.body.splitlines()[0]) == {"verb": "run"}  # the last
    await fetch("run", method="DELETE", params={"path": "hello"})
    assert (await fetch(params={"path": "hello"})).code == 204


async def test_a_notebook_is_made_of_source(post: Post, project: Path) -> None:
    """Names in a call are relative to the document it is for, not to where the server stands."""
    arguments = {"paths": ["greet.py"], "to": "ipynb", "into": "../notebooks"}
    code, lines = await post("convert", call("hello/workspace/greet.py", **arguments))
    assert (code, "result" in lines[-1]) == (200, True)
    made = json.loads((project / "notebooks" / "greet.ipynb").read_text())
    assert "".join(made["cells"][0]["source"]) == 'print("hello")'


def test_a_start_of_jupyter_hardly_waits_for_us() -> None:
    """The verbs and their doors are imported with the first request, not before."""
    code = "import sys, dbx_magic.server\nprint(*[name for name in sys.modules if 'dbx' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"dbx_magic", "dbx_magic.errors", "dbx_magic.server"}


async def test_nothing_under_way(fetch: Fetch) -> None:
    assert (await fetch(params={"path": "hello"})).code == 204


async def test_another_process_changes_the_project(
    post: Post, project: Path, local: object
) -> None:
    with Project(project).lock():
        code, [line] = await post("rebuild", call())
    assert code == 409
    assert line["error"]["type"] == "ConflictError"
