"""Start, stop and death of the server: nothing that was acknowledged is lost."""

from __future__ import annotations

import base64
import json
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.service.compute import Library, LibraryInstallStatus, PythonPyPiLibrary, State
from databricks.sdk.service.jobs import JobSettings, RunLifeCycleState
from databricks.sdk.service.workspace import ImportFormat, Language


def again(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Try to serve a folder; it must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "dbx_magic.local", "--home", str(home), *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_one_server_per_folder(own_server: Callable[..., Any]) -> None:
    server = own_server()
    second = again(server.home)
    assert second.returncode == 5
    assert second.stderr == f"{server.home} is served already, by process {server.process.pid}.\n"
    state = json.loads((server.home / "server.json").read_text())
    assert set(state) == {"url", "token", "pid", "version"}
    assert state["pid"] == server.process.pid
    for name in ("server.json", "token", "workspace.db"):
        assert stat.S_IMODE((server.home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
    assert server.stop() == 0
    assert not (server.home / "server.json").exists()


def test_a_port_that_is_taken(own_server: Callable[..., Any], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = again(tmp_path / "home", f"--port={port}")
    assert done.returncode == 5
    assert done.stderr.startswith(f"Port {port} cannot be used: Address already in use.")
    assert done.stderr.count("\n") == 1


def test_the_usual_port_may_be_taken(
    own_server: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    first = own_server("--home", str(tmp_path / "home"))
    other = tmp_path / "other"
    second = subprocess.Popen([sys.executable, "-m", "dbx_magic.local", "--home", str(other)])
    try:
        wait_until((other / "server.json").exists, "listening")
        url = json.loads((other / "server.json").read_text())["url"]
    finally:
        second.terminate()
        assert second.wait(timeout=30) == 0
    assert url.startswith("http://127.0.0.1:")
    assert url != first.url


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = again(tmp_path / "file")
    assert done.returncode == 5
    assert "cannot be used" in done.stderr
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "workspace.db").write_bytes(b"no database" * 1000)
    done = again(tmp_path / "damaged")
    assert done.returncode == 5
    assert "workspace.db cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_was_damaged_later(own_server: Callable[..., Any]) -> None:
    server = own_server()
    for number in range(300):
        server.client.secrets.create_scope(f"scope-{number}")
    server.stop()
    database = server.home / "workspace.db"
    content = bytearray(database.read_bytes())
    content[8192:16384] = b"\xa5" * 8192
    database.write_bytes(content)
    done = again(server.home, "--port=0")
    assert done.returncode == 5
    assert done.stderr.startswith(f"{database} cannot be read (")
    assert done.stderr.count("\n") == 1


def test_the_token_stays_from_start_to_start(own_server: Callable[..., Any]) -> None:
    first = own_server()
    token = first.token
    first.stop()
    assert own_server().token == token


def test_what_was_acknowledged_survives_a_kill(
    own_server: Callable[..., Any], spec: dict[str, Any], wait_until: Callable[..., Any]
) -> None:
    server = own_server()
    client = server.client
    cluster_id = client.clusters.create_and_wait(cluster_name="kept", **spec).cluster_id
    library = Library(pypi=PythonPyPiLibrary(package="humanize==4.9.0"))
    client.libraries.install(cluster_id, [library])
    client.secrets.create_scope("scope")
    client.secrets.put_secret("scope", "key", string_value="the secret words")
    client.workspace.mkdirs("/Shared/p")
    content = base64.b64encode(
        b"# Databricks notebook source\nimport time; time.sleep(600)"
    ).decode()
    client.workspace.import_(
        "/Shared/p/sleep", content=content, format=ImportFormat.SOURCE, language=Language.PYTHON
    )
    object_id = client.workspace.get_status("/Shared/p/sleep").object_id
    task = {
        "task_key": "a",
        "existing_cluster_id": cluster_id,
        "notebook_task": {"notebook_path": "/Shared/p/sleep"},
    }
    created = client.api_client.do(
        "POST", "/api/2.2/jobs/create", body={"name": "j", "tasks": [task]}
    )
    run_id = client.jobs.run_now(created["job_id"]).run_id
    wait_until(
        lambda: client.jobs.get_run(run_id).state.life_cycle_state == RunLifeCycleState.RUNNING,
        "running",
    )
    starting = client.clusters.create(cluster_name="starting", **spec).cluster_id
    processes = descendants(server.process.pid)
    assert len(processes) >= 2
    assert stat.S_IMODE((server.home / "secrets.key").stat().st_mode) == 0o600
    server.kill()
    wait_until(lambda: not any(map(alive, processes)), "the end of what the server had started")

    server = own_server()
    client = server.client
    cluster = client.clusters.get(cluster_id)
    assert cluster.state == State.TERMINATED
    assert cluster.termination_reason.code.value == "COMMUNICATION_LOST"
    assert client.clusters.get(starting).state == State.TERMINATED
    (status,) = client.libraries.cluster_status(cluster_id)
    assert (status.library, status.status) == (library, LibraryInstallStatus.PENDING)
    assert client.workspace.get_status("/Shared/p/sleep").object_id == object_id
    assert (
        client.secrets.get_secret("scope", "key").value
        == base64.b64encode(b"the secret words").decode()
    )
    assert b"the secret words" not in b"".join(
        file.read_bytes() for file in server.home.glob("workspace.db*")
    )
    assert isinstance(client.jobs.get(created["job_id"]).settings, JobSettings)
    run = client.jobs.get_run(run_id)
    assert run.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR
    assert "killed" in run.state.state_message
    client.clusters.start_and_wait(cluster_id)
    assert client.clusters.get(cluster_id).state == State.RUNNING
    # A clean end takes everything along that was started.
    processes = descendants(server.process.pid)
    assert server.stop() == 0
    assert not any(map(alive, processes))


def test_a_full_disk_is_said_to_be_full(own_server: Callable[..., Any], tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path / "home"],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    try:
        server = own_server()
        large = base64.b64encode(b"x" * 3_000_000).decode()
        body = {"path": "/Shared/large", "format": "RAW", "content": large}
        answer = server.call("POST", "/api/2.0/workspace/import", json=body)
        small = {**body, "path": "/Shared/small", "content": content_of(0)}
        after = server.call("POST", "/api/2.0/workspace/import", json=small)
        listed = [item.path for item in server.client.workspace.list("/Shared")]
    finally:
        server.stop()
        subprocess.run(["umount", tmp_path / "home"], check=True)
    assert (answer.status_code, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert answer.json()["message"] == "The disk that holds the local workspace is full."
    assert after.ok
    assert listed == ["/Shared/small"]


@pytest.mark.parametrize("after", [0.0, 0.003, 0.02])
def test_a_kill_while_writing_leaves_all_that_was_acknowledged(
    own_server: Callable[..., Any], after: float
) -> None:
    server = own_server()
    acknowledged = []
    killer = threading.Timer(after, server.process.kill)
    for number in range(10_000):
        if number == 20:
            killer.start()
        path, body = write_of(number)
        try:
            server.call("POST", path, json=body).raise_for_status()
        except OSError:
            break
        acknowledged.append(number)
    killer.join()
    server.process.wait()
    assert len(acknowledged) >= 20
    client = own_server().client
    files = {item.path for item in client.workspace.list("/Shared")}
    files |= {item.path for item in client.dbfs.list("/writes")}
    jobs = {job.settings.name for job in client.jobs.list()}
    for number in acknowledged:
        path, body = write_of(number)
        assert body.get("name", "") in {"", *jobs}
        if path.endswith("import"):
            found = client.workspace.download(body["path"]).read()
            assert base64.b64encode(found).decode() == content_of(number)
        elif path.endswith("put"):
            found = client.dbfs.download(body["path"]).read()
            assert base64.b64encode(found).decode() == content_of(number)
    assert len(files | jobs) - len(acknowledged) in (0, 1)
    assert list((server.home / "scratch").iterdir()) == []


def write_of(number: int) -> tuple[str, dict[str, Any]]:
    """A request that writes: an object, a file of DBFS or a job."""
    content = content_of(number)
    return (
        (
            "/api/2.0/workspace/import",
            {"path": f"/Shared/n{number}", "format": "RAW", "content": content},
        ),
        ("/api/2.0/dbfs/put", {"path": f"/writes/n{number}", "contents": content}),
        ("/api/2.1/jobs/create", {"name": f"n{number}"}),
    )[number % 3]


def content_of(number: int) -> str:
    """What is written into one file: long enough to be caught half-way."""
    return base64.b64encode(f"{number}:".encode() + b"x" * 200_000).decode()


def descendants(pid: int) -> list[int]:
    """All processes that a process has started, and those that these have."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").exists():
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        waiting += (below := children.get(waiting.pop(), []))
        found += below
    return found


def alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
