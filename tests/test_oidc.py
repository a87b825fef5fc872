"""Pipelines without a token: their environment signs in through the unmodified SDK, over HTTP.

In front of the local workspace stands what Databricks and the forges have for it: a forge vouches
for its pipeline with a JWT, which is exchanged for a token of the workspace.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from ruamel.yaml import YAML

from dbx_magic import local_process
from dbx_magic.dbx import Dbx
from dbx_magic.errors import WorkspaceError
from dbx_magic.events import drive
from dbx_magic.verbs import perform

CLIENT = "0b0e1c5e-service-principal"
AZURE_AUDIENCE = "api://AzureADTokenExchange"  # Azure DevOps gives no other
HUB = "/azure/p-1/_apis/distributedtask/hubs/build/plans/plan-1/jobs/job-1/oidctoken"
FORGES = ["azure", "github", "gitlab"]


def jwt(audience: str, key: str) -> str:
    """What a forge gives its pipeline; only its ``key`` makes it one of that forge's."""
    claims = {"iss": "https://forge.example.org", "sub": "repo:owner/thing", "aud": audience}
    parts = ({"alg": "none"}, claims, {"key": key})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join(one.rstrip("=") for one in encoded)


class Federation:
    """Databricks with a federation policy, and the forge that it trusts; ``audience`` is policy."""

    def __init__(self, local: local_process.Server) -> None:
        self.local = local
        self.key, self.request_token = secrets.token_hex(8), secrets.token_hex(8)
        self.tokens: set[str] = set()
        self.address = self.audience = ""
        self.exchanges = 0

    def answer(self, method: str, path: str, sent: Any, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        query, is_forge = dict(parse_qsl(parts.query)), sent == f"Bearer {self.request_token}"
        endpoint = f"{self.address}/oidc/v1/token"
        match method, parts.path:
            case "GET", "/.well-known/databricks-config":
                return 200, {"oidc_endpoint": f"{self.address}/oidc", "workspace_id": "1"}
            case "GET", "/oidc/.well-known/oauth-authorization-server":
                page = f"{self.address}/oidc/v1/authorize"
                return 200, {"authorization_endpoint": page, "token_endpoint": endpoint}
            case "GET", "/github" if is_forge:
                return 200, {"value": jwt(query["audience"], self.key)}
            case "POST", path if path == HUB and is_forge and query["api-version"]:
                return 200, {"oidcToken": jwt(AZURE_AUDIENCE, self.key)}
            case "POST", "/oidc/v1/token":
                return self.exchange(dict(parse_qsl(body.decode())))
        return 404, {"message": "there is no such thing"}

    def exchange(self, form: dict[str, str]) -> tuple[int, Any]:
        wanted = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "subject_token": jwt(self.audience, self.key),
            "client_id": CLIENT,
        }
        if any(form.get(name) != value for name, value in wanted.items()):
            return 401, {"error": "invalid_client", "error_description": "no policy allows it"}
        self.exchanges += 1
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def forwarded(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Ask the local workspace, for those who have signed in."""
        if headers["Authorization"].removeprefix("Bearer ") not in self.tokens:
            return 401, {"error_code": "UNAUTHENTICATED", "message": "Invalid token"}
        ours = {name: headers[name] for name in ("Content-Type",) if headers[name]}
        ours["Authorization"] = f"Bearer {self.local.token}"
        connection = http.client.HTTPConnection(urlsplit(self.local.url).netloc, timeout=60)
        try:
            connection.request(method, path, body, ours)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def federation(local: local_process.Server) -> Iterator[Federation]:
    there = Federation(local)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            ask = there.forwarded if self.path.startswith("/api/") else there.answer
            sent: Any = self.headers if ask == there.forwarded else self.headers["Authorization"]
            status, content = ask(self.command, self.path, sent, body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _do  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    there.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield there
    server.shutdown()
    thread.join()
    server.server_close()


def env_of(steps: list[Any]) -> dict[str, str]:
    [found] = [step["env"] for step in steps if "dbx-magic push" in str(step)]
    return dict(found)


def environment(forge: str, dbx: Dbx, federation: Federation) -> dict[str, str]:
    """What the generated pipeline and its forge give to the step that pushes."""
    arguments = {"action": forge, "oidc": True}
    *_, path = drive(perform(dbx, "pipeline", arguments), lambda _: None).written
    pipeline = YAML(typ="safe", pure=True).load(dbx.project.root / path)
    known = {"databricks_host": federation.address, "databricks_client_id": CLIENT}
    federation.audience = f"{federation.address}/oidc/v1/token"
    match forge:
        case "azure":
            federation.audience = AZURE_AUDIENCE
            known["system.accesstoken"] = federation.request_token
            [job] = pipeline["stages"][1]["jobs"]
            found = env_of(job["strategy"]["runOnce"]["deploy"]["steps"])
            names = ("COLLECTION", "TEAMPROJECTID", "PLANID", "JOBID", "HOSTTYPE")
            values = (f"{federation.address}/azure/", "p-1", "plan-1", "job-1", "build")
            given = {f"SYSTEM_{name}": one for name, one in zip(names, values, strict=True)}
            given["SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"] = given.pop("SYSTEM_COLLECTION")
        case "github":
            found = env_of(pipeline["jobs"]["dev"]["steps"])
            given = {
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": federation.request_token,
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{federation.address}/github?v=1",
            }
        case _:
            [(name, token)] = pipeline["sync-workspace:dev"]["id_tokens"].items()
            given = {name.upper(): value for name, value in known.items()}
            audience = token["aud"].replace("$DATABRICKS_HOST", federation.address)
            found = {**pipeline["variables"], name: jwt(audience, federation.key)}

    def filled(value: str) -> str:
        pattern = r"\$\(([\w.]+)\)|\$\{\{ \w+\.(\w+) \}\}"
        return re.sub(pattern, lambda match: known[(match[1] or match[2]).lower()], value)

    return given | {name: filled(str(value)) for name, value in found.items()}


@pytest.fixture
def dev(git_project: Path) -> Dbx:
    with (git_project / "dbx.toml").open("a") as file:
        file.write("[targets.dev]\n")
    return Dbx(git_project, "dev")


def push(dbx: Dbx) -> Any:
    return drive(perform(dbx, "push", {}), lambda _: None)


@pytest.mark.parametrize("forge", FORGES)
def test_a_generated_pipeline_deploys_without_a_token(
    forge: str, dev: Dbx, dbx: Dbx, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(forge, dev, federation)
    assert "DATABRICKS_TOKEN" not in given
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert push(dev).sent == ("greet",)
    assert b"hello" in dbx.workspace.fetch("/Shared/hello/greet")
    assert federation.exchanges < 3, "not one for each request"


def test_whoever_the_policy_does_not_allow_is_told_so(
    dev: Dbx, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment("gitlab", dev, federation)
    federation.key = "that of another forge"
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        WorkspaceError, match=r"Signing in .* failed: .*no policy allows it"
    ) as caught:
        push(dev)
    assert given["DATABRICKS_OIDC_TOKEN"] not in str(caught.value)
