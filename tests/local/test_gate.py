"""Who may come in, and how errors leave."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from databricks.sdk import WorkspaceClient

ME = "/api/2.0/preview/scim/v2/Me"


def bare(server: Any, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Any:
    """A request with exactly this target and these headers: its status and body."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_me(server: Any, client: WorkspaceClient) -> None:
    me = client.current_user.me()
    assert me.user_name.endswith("@local")
    assert me.groups[0].display == "admins"
    answer = server.call("GET", ME)
    assert answer.headers["X-Databricks-Org-Id"]
    assert answer.headers["x-request-id"]
    assert "events" in answer.headers["x-dbx-magic"].split()


def test_a_browser_is_told_what_this_is(server: Any) -> None:
    answer = requests.get(server.url, timeout=30)
    assert "The local workspace is up" in answer.text
    assert server.token not in answer.text


def test_discovery_needs_no_token(server: Any) -> None:
    answer = requests.get(f"{server.url}/.well-known/databricks-config", timeout=30)
    assert set(answer.json()) == {"oidc_endpoint", "account_id", "workspace_id", "cloud"}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, 401),
        ({"Authorization": "Digest x"}, 401),
        ({"Authorization": "Basic !!!"}, 401),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": "Bearer wröng".encode().decode("latin-1")}, 403),
    ],
)
def test_without_the_token_nothing_is_told(
    server: Any, header: dict[str, str], status: int
) -> None:
    for path in (ME, "/api/2.0/clusters/list", "/nothing", "/api/9.9/nothing"):
        answer = requests.get(f"{server.url}{path}", headers=header, timeout=30)
        assert answer.status_code == status
        assert set(answer.json()) == {"error_code", "message"}
        assert server.token not in answer.text


def test_the_token_may_be_a_password(server: Any) -> None:
    basic = base64.b64encode(f"token:{server.token}".encode()).decode()
    answer = requests.get(
        f"{server.url}{ME}", headers={"Authorization": f"Basic {basic}"}, timeout=30
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:7070"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_other_web_pages_get_nothing(server: Any, headers: dict[str, str]) -> None:
    token = {"Authorization": f"Bearer {server.token}"}
    own = {"Host": urlsplit(server.url).netloc}
    status, text = bare(server, "GET", ME, {**own, **token, **headers})
    assert status == 403
    assert "PERMISSION_DENIED" in text


def test_a_client_that_drops_the_port_comes_through_the_proxy(server: Any) -> None:
    token = {"Authorization": f"Bearer {server.token}"}
    for host in ("dbx.local", "127.0.0.1"):
        status, text = bare(server, "GET", f"http://{host}{ME}", {"Host": host, **token})
        assert (status, "@local" in text) == (200, True)
    status, _ = bare(server, "GET", "http://evil.example/", {"Host": "evil.example", **token})
    assert status == 403
    answer = requests.get(
        f"http://dbx.local{ME}", headers=token, proxies={"http": server.url}, timeout=30
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/2.0/nothing/here", b"{}", 404, "ENDPOINT_NOT_FOUND"),
        ("/api/2.0/clusters/list", b"{}", 404, "ENDPOINT_NOT_FOUND"),
        ("/api/2.0/workspace/mkdirs", b"not json", 400, "MALFORMED_REQUEST"),
        ("/api/2.0/workspace/mkdirs", b"[1, 2]", 400, "MALFORMED_REQUEST"),
        ("/api/2.0/workspace/mkdirs", b"\xff\xfe", 400, "MALFORMED_REQUEST"),
        ("/api/2.0/workspace/mkdirs", b"[" * 100000, 400, "MALFORMED_REQUEST"),
        ("/api/2.0/workspace/mkdirs", b"{}", 400, "INVALID_PARAMETER_VALUE"),
        ("/api/2.0/workspace/mkdirs", b'{"path": {"a": 1}}', 400, "INVALID_PARAMETER_VALUE"),
        (
            "/api/2.0/workspace/delete",
            b'{"path": "/x", "recursive": "maybe"}',
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        ("/api/2.0/jobs/runs/cancel", b'{"run_id": "abc"}', 400, "INVALID_PARAMETER_VALUE"),
        ("/api/2.0/jobs/runs/cancel", b'{"run_id": 1e400}', 400, "INVALID_PARAMETER_VALUE"),
        ("/api/2.0/jobs/runs/cancel", b'{"run_id": [1]}', 400, "INVALID_PARAMETER_VALUE"),
        ("/api/2.1/jobs/list?page_token=x", b"", 400, "INVALID_PARAMETER_VALUE"),
        ("/api/2.1/jobs/runs/list?offset=-1", b"", 400, "INVALID_PARAMETER_VALUE"),
        ("/api/2.1/clusters/list?page_size=-1", b"", 400, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_errors_have_databricks_form(
    server: Any, path: str, body: bytes, status: int, code: str
) -> None:
    method = "POST" if body else "GET"
    answer = server.call(method, path, data=body, headers={"Content-Type": "text/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("content_type", ["text/json", "application/json", "text/plain", ""])
def test_json_is_json_whatever_it_is_called(server: Any, content_type: str) -> None:
    answer = server.call(
        "POST",
        "/api/2.0//workspace/mkdirs/",
        data=b'{"path": "/Shared/called"}',
        headers={"Content-Type": content_type},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/fs/files/../../../../etc/passwd",
        "/api/2.0/fs/files/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/api/2.0/fs/files/Volumes/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/api/2.0/fs/directories/%2e%2e",
        "/api/2.0/workspace-files/%2e%2e/%2e%2e/token",
        "/api/2.0/workspace-files/..%2ftoken",
        "/api/2.0/dbfs/read?path=/../token",
        "/api/2.0/dbfs/list?path=dbfs:/a/../..",
        "/api/2.0/workspace/export?path=/../server.json",
        "/api/2.0/workspace/list?path=/Shared/../..",
    ],
)
def test_no_path_leads_out(server: Any, path: str) -> None:
    headers = {"Authorization": f"Bearer {server.token}", "Host": urlsplit(server.url).netloc}
    status, text = bare(server, "GET", path, headers)
    assert status in (400, 404)
    assert "error_code" in text
    assert "root:" not in text


def test_nothing_is_written_outside(server: Any) -> None:
    """Into the data folder, or not at all."""
    content = base64.b64encode(b"escaped").decode()
    headers = {"Authorization": f"Bearer {server.token}", "Host": urlsplit(server.url).netloc}
    ways = [
        ("PUT", "/api/2.0/fs/files/%2e%2e/%2e%2e/escaped", {}),
        ("PUT", "/api/2.0/fs/files/Volumes/..%2f..%2f..%2fescaped", {}),
        ("PUT", "/api/2.0/fs/directories/..%2f..%2fescaped", {}),
        ("POST", "/api/2.0/workspace-files/import-file/..%2f..%2fescaped", {}),
    ]
    for path in ("/../../escaped", "/Shared/../../../escaped", "../../escaped", "/a\0/escaped"):
        ways += [
            ("POST", "/api/2.0/dbfs/put", {"path": path, "contents": content}),
            ("POST", "/api/2.0/dbfs/create", {"path": path}),
            ("POST", "/api/2.0/dbfs/mkdirs", {"path": path}),
            ("POST", "/api/2.0/workspace/mkdirs", {"path": path}),
            (
                "POST",
                "/api/2.0/workspace/import",
                {"path": path, "format": "RAW", "content": content},
            ),
        ]
    for method, target, body in ways:
        sent = json.dumps(body).encode() if body else b"escaped"
        status, text = bare(server, method, target, headers, sent)
        assert (status in (400, 404), "error_code" in text) == (True, True), (target, body, text)
    found = {path.name for path in server.home.parent.rglob("*")}
    assert "escaped" not in found


def test_the_largest_body_is_bounded(server: Any) -> None:
    body = b'{"path": "/Shared/x", "content": "' + b"A" * (141 * 1024 * 1024) + b'"}'
    answer = server.call("POST", "/api/2.0/workspace/import", data=body)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "MAX_REQUEST_SIZE_EXCEEDED")


def test_many_connections_are_held(server: Any) -> None:
    address = urlsplit(server.url)
    held = [socket.create_connection((address.hostname, address.port)) for _ in range(200)]
    try:
        request = (
            f"GET {ME} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Authorization: Bearer {server.token}\r\n\r\n"
        )
        for connection in held:
            connection.sendall(request.encode())
        for connection in held:
            assert connection.recv(12) == b"HTTP/1.1 200"
    finally:
        for connection in held:
            connection.close()


def test_a_client_that_goes_away_harms_nobody(server: Any) -> None:
    address = urlsplit(server.url)
    head = (
        f"POST /api/2.0/workspace/import HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {server.token}\r\nContent-Length: 1000\r\n\r\n"
    )
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(head.encode() + b'{"path"')
    assert server.call("GET", ME).status_code == 200
