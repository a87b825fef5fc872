"""Libraries through the unmodified SDK: really installed, remembered, removed at restart."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue
from databricks.sdk.service.compute import (
    Language,
    Library,
    LibraryFullStatus,
    LibraryInstallStatus,
    PythonPyPiLibrary,
    State,
)

INSTALLED = LibraryInstallStatus.INSTALLED
FAILED = LibraryInstallStatus.FAILED


@pytest.fixture(scope="module")
def wheel(client: WorkspaceClient) -> str:
    """A small package of our own in DBFS."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        info = "greeting-1.0.dist-info"
        archive.writestr("greeting.py", "def hello():\n    return 'hello from the wheel'\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    path = "/libraries/greeting-1.0-py3-none-any.whl"
    content.seek(0)
    client.dbfs.upload(path, content, overwrite=True)
    return f"dbfs:{path}"


def statuses(client: WorkspaceClient, cluster_id: str) -> list[LibraryFullStatus]:
    """The libraries of a cluster, in the order they were asked for."""
    return list(client.libraries.cluster_status(cluster_id))


def run(client: WorkspaceClient, cluster_id: str, code: str) -> Any:
    """The result of a command in a fresh context."""
    context = client.command_execution.create_and_wait(
        cluster_id=cluster_id, language=Language.PYTHON
    )
    try:
        return client.command_execution.execute_and_wait(
            cluster_id=cluster_id, context_id=context.id, language=Language.PYTHON, command=code
        ).results
    finally:
        client.command_execution.destroy(cluster_id, context.id)


def test_a_library_is_remembered_installed_and_removed(
    client: WorkspaceClient,
    spec: dict[str, Any],
    wheel: str,
    wait_until: Callable[..., Any],
    becomes: Callable[..., Any],
) -> None:
    cluster_id = client.clusters.create(cluster_name="libraries", **spec).cluster_id
    client.clusters.delete(cluster_id)
    becomes(cluster_id, State.TERMINATED)
    # Asked for while the cluster does not run: applied when it starts.
    client.libraries.install(cluster_id, [Library(whl=wheel)])
    (status,) = statuses(client, cluster_id)
    assert (status.library.whl, status.status) == (wheel, LibraryInstallStatus.PENDING)
    assert status.is_library_for_all_clusters is False

    client.clusters.start(cluster_id)
    wait_until(lambda: statuses(client, cluster_id)[0].status == INSTALLED, "installing")
    hello = "import greeting; greeting.hello()"
    assert run(client, cluster_id, hello).data == "'hello from the wheel'"

    client.libraries.uninstall(cluster_id, [Library(whl=wheel)])
    (status,) = statuses(client, cluster_id)
    assert status.status == LibraryInstallStatus.UNINSTALL_ON_RESTART
    assert run(client, cluster_id, hello).data == "'hello from the wheel'"
    client.clusters.restart(cluster_id)
    becomes(cluster_id, State.RUNNING)
    assert statuses(client, cluster_id) == []
    assert "ModuleNotFoundError" in run(client, cluster_id, hello).cause
    client.clusters.permanent_delete(cluster_id)


def test_a_library_that_does_not_exist_fails_by_name(
    client: WorkspaceClient, cluster_id: str, wait_until: Callable[..., Any]
) -> None:
    wanted = [
        Library(pypi=PythonPyPiLibrary(package="humanize==4.9.0")),
        Library(whl="dbfs:/libraries/nowhere-1.0-py3-none-any.whl"),
    ]
    client.libraries.install(cluster_id, wanted)

    def settled() -> list[LibraryFullStatus]:
        found = [one for one in statuses(client, cluster_id) if one.library in wanted]
        return found if all(one.status in (INSTALLED, FAILED) for one in found) else []

    good, bad = sorted(wait_until(settled, "installing"), key=lambda one: wanted.index(one.library))
    assert (good.status, good.messages) == (INSTALLED, [])
    assert bad.status == FAILED
    assert "nowhere" in bad.messages[0]
    assert run(client, cluster_id, "import humanize; humanize.intcomma(12345)").data == "'12,345'"
    everywhere = client.libraries.all_cluster_statuses()
    assert cluster_id in {cluster.cluster_id for cluster in everywhere}
    assert client.clusters.get(cluster_id).state == State.RUNNING


@pytest.mark.parametrize(
    "library",
    [{"pip": {"package": "x"}}, {"pypi": {}}, {"pypi": {"package": "x"}, "whl": "y"}, {}, "x"],
)
def test_what_is_no_library_is_refused(
    client: WorkspaceClient, cluster_id: str, library: Any
) -> None:
    before = statuses(client, cluster_id)
    body = {"cluster_id": cluster_id, "libraries": [library]}
    with pytest.raises(InvalidParameterValue, match="librar"):
        client.api_client.do("POST", "/api/2.0/libraries/install", body=body)
    assert statuses(client, cluster_id) == before
