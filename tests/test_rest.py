"""The door to HTTP, against a real server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dbx_magic.errors import NotFoundError, WorkspaceError
from dbx_magic.rest import Rest

Answer = tuple[int, dict[str, str], str]


class Host:
    """A server on loopback that gives its ``answers`` in order, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer | None] = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                host.seen.append((self.command, self.path, dict(self.headers), body))
                answer = host.answers.pop(0) if len(host.answers) > 1 else host.answers[0]
                if answer is None:  # cut the connection in the middle
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return
                status, headers, text = answer
                data = text.encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET  # noqa: N815 - http.server names it

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    thread = threading.Thread(target=host.server.serve_forever, args=(0.01,))
    thread.start()
    yield host
    host.server.shutdown()
    thread.join()
    host.server.server_close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def rest(host: Host, pauses: list[float]) -> Iterator[Rest]:
    rest = Rest(host.url, lambda: {"Authorization": "Bearer dapi-secret"}, sleep=pauses.append)
    yield rest
    rest.close()


def error(status: int, code: str, message: str) -> Answer:
    return status, {}, json.dumps({"error_code": code, "message": message})


OK: Answer = (200, {}, '{"fine": true}')


def test_signs_and_says_who_asks(host: Host, rest: Rest) -> None:
    host.answers = [OK]
    assert rest.get("2.0/x", {"a": 1}) == {"fine": True}
    method, path, headers, _ = host.seen[0]
    assert (method, path) == ("GET", "/api/2.0/x?a=1")
    assert headers["Authorization"] == "Bearer dapi-secret"
    assert headers["User-Agent"].startswith("dbx-magic/")


def test_waits_as_long_as_a_busy_host_asks(host: Host, rest: Rest, pauses: list[float]) -> None:
    host.answers = [(429, {"Retry-After": "7"}, ""), OK]
    assert rest.post("2.0/x", {}) == {"fine": True}
    assert pauses == [7.0]


@pytest.mark.parametrize("trouble", [None, (500, {}, "oops"), (502, {}, ""), (504, {}, "")])
def test_repeats_only_what_does_no_harm(host: Host, rest: Rest, trouble: Answer | None) -> None:
    host.answers = [trouble, OK]
    with pytest.raises(WorkspaceError):
        rest.post("2.0/clusters/create", {})
    assert len(host.seen) == 1
    host.answers = [trouble, OK]
    assert rest.post("2.0/clusters/get", {}, safe=True) == {"fine": True}


def test_gives_up_when_patience_ends(host: Host, pauses: list[float]) -> None:
    host.answers = [(503, {}, "busy")]
    rest = Rest(host.url, dict, patience=0.0, sleep=pauses.append)
    with pytest.raises(WorkspaceError, match="busy"):
        rest.get("2.0/x")
    assert len(host.seen) == 1
    rest.close()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(404, "RESOURCE_DOES_NOT_EXIST", "Path (/x) doesn't exist."), NotFoundError, "Path"),
        (
            error(400, "INVALID_PARAMETER_VALUE", "Cluster 1 does not exist"),
            NotFoundError,
            "Cluster 1",
        ),
        (error(400, "INVALID_STATE", "Cluster is Terminated"), WorkspaceError, "Terminated"),
        ((400, {}, '{"error": "requirement failed"}'), WorkspaceError, "requirement failed"),
        ((401, {}, ""), WorkspaceError, "does not accept the token"),
        ((302, {"Location": "http://127.0.0.1:1/"}, ""), WorkspaceError, "redirects"),
        ((418, {}, "<pre>I am a teapot</pre>"), WorkspaceError, "I am a teapot"),
    ],
)
def test_says_errors_in_words(
    host: Host, rest: Rest, answer: Answer, kind: type[WorkspaceError], words: str
) -> None:
    host.answers = [answer]
    with pytest.raises(kind, match=words) as caught:
        rest.get("2.0/x")
    assert "dapi-secret" not in str(caught.value)
    assert len(host.seen) == 1


@pytest.mark.parametrize("text", ["<html>Sign in</html>", "[1]", "{", "\x00\xff"])
def test_what_is_no_answer_of_a_workspace_is_asked_for_again_then_said(
    host: Host, rest: Rest, text: str
) -> None:
    host.answers = [(200, {}, text)]
    with pytest.raises(WorkspaceError, match="no Databricks workspace"):
        rest.get("2.0/x")
    assert len(host.seen) == 3
    host.answers = [OK, *[(200, {}, text)] * 5, OK]
    assert [rest.get("2.0/x"), rest.get("2.0/x")] == [{"fine": True}] * 2


def test_looks_again_before_it_repeats_a_request(host: Host, rest: Rest) -> None:
    """What happened in between may be a reason not to."""
    looked: list[int] = []
    host.answers = [None, error(429, "", "busy"), OK]
    rest.send("POST", "2.0/x", body={}, safe=True, again=lambda: looked.append(len(host.seen)))
    assert looked == [1, 2]


def test_what_exists_already_has_its_code(host: Host, rest: Rest) -> None:
    host.answers = [(409, {}, '{"message": "Path (/Shared/x) already exists."}')]
    with pytest.raises(WorkspaceError) as caught:
        rest.post("2.0/x", {})
    assert caught.value.code == "RESOURCE_ALREADY_EXISTS"


def test_a_host_that_is_not_there_is_one_line(pauses: list[float]) -> None:
    rest = Rest("http://127.0.0.1:9", dict, sleep=pauses.append)
    with pytest.raises(WorkspaceError, match=r"http://127.0.0.1:9 cannot be reached"):
        rest.get("2.0/x")
    assert len(pauses) == 2
    rest.close()


def test_a_netrc_entry_does_not_replace_the_token(
    host: Host, rest: Rest, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    host.answers = [OK]
    rest.get("2.0/x")
    assert host.seen[0][2]["Authorization"] == "Bearer dapi-secret"


def test_connections_are_kept(host: Host, rest: Rest) -> None:
    host.answers = [OK]
    opened = []
    process: Callable[..., Any] = host.server.process_request
    host.server.process_request = lambda *item: (opened.append(item), process(*item))[1]  # type: ignore[method-assign]
    for _ in range(5):
        rest.get("2.0/x")
    assert len(opened) == 1
