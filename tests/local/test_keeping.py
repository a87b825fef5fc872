"""What clients keep here, through the unmodified SDK: secrets, permissions, clones, records."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    InvalidParameterValue,
    NotFound,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
from databricks.sdk.service.compute import (
    ClusterAccessControlRequest,
    ClusterPolicyAccessControlRequest,
    InstancePoolAccessControlRequest,
)
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.jobs import JobAccessControlRequest
from databricks.sdk.service.workspace import (
    AclPermission,
    ExportFormat,
    ObjectType,
    RepoAccessControlRequest,
    WorkspaceObjectAccessControlRequest,
)


@pytest.fixture
def scope(client: WorkspaceClient) -> Iterator[str]:
    """A scope of secrets."""
    client.secrets.create_scope("test-scope")
    yield "test-scope"
    client.secrets.delete_scope("test-scope")


def test_secrets(client: WorkspaceClient, scope: str) -> None:
    client.secrets.put_secret(scope, "text", string_value="größe")
    client.secrets.put_secret(scope, "bytes", bytes_value=base64.b64encode(b"\0\xff").decode())
    assert base64.b64decode(client.secrets.get_secret(scope, "text").value).decode() == "größe"
    assert client.dbutils.secrets.get(scope, "text") == "größe"
    assert client.dbutils.secrets.getBytes(scope, "bytes") == b"\0\xff"
    assert {secret.key for secret in client.secrets.list_secrets(scope)} == {"text", "bytes"}
    assert scope in {one.name for one in client.secrets.list_scopes()}
    client.secrets.put_secret(scope, "text", string_value="other")
    assert base64.b64decode(client.secrets.get_secret(scope, "text").value) == b"other"
    client.secrets.delete_secret(scope, "text")
    with pytest.raises(ResourceDoesNotExist, match="Secret does not exist"):
        client.secrets.get_secret(scope, "text")
    with pytest.raises(ResourceAlreadyExists, match="already exists"):
        client.secrets.create_scope(scope)
    with pytest.raises(ResourceDoesNotExist, match="Scope nowhere does not exist"):
        client.secrets.put_secret("nowhere", "key", string_value="x")
    with pytest.raises(InvalidParameterValue, match="at most"):
        client.secrets.put_secret(scope, "large", string_value="x" * 200_000)
    with pytest.raises(InvalidParameterValue, match="letters"):
        client.secrets.put_secret(scope, "a/b", string_value="x")


def test_acls_of_secrets(client: WorkspaceClient, scope: str) -> None:
    client.secrets.put_acl(scope, "ada@example.org", AclPermission.READ)
    assert client.secrets.get_acl(scope, "ada@example.org").permission == AclPermission.READ
    assert len(list(client.secrets.list_acls(scope))) == 2
    client.secrets.delete_acl(scope, "ada@example.org")
    with pytest.raises(ResourceDoesNotExist):
        client.secrets.get_acl(scope, "ada@example.org")


def test_permissions(client: WorkspaceClient, folder: str) -> None:
    object_id = str(client.workspace.get_status(folder).object_id)
    levels = client.permissions.get_permission_levels("directories", object_id).permission_levels
    assert PermissionLevel.CAN_EDIT in {level.permission_level for level in levels}
    grant = AccessControlRequest(
        user_name="ada@example.org", permission_level=PermissionLevel.CAN_RUN
    )
    told = client.permissions.update("directories", object_id, access_control_list=[grant])
    assert (told.object_id, told.object_type) == (f"/directories/{object_id}", "directory")
    granted = {entry.user_name: entry.all_permissions for entry in told.access_control_list}
    assert granted["ada@example.org"][0].permission_level == PermissionLevel.CAN_RUN
    assert len(granted) == 3
    told = client.permissions.set("directories", object_id, access_control_list=[grant])
    assert len(told.access_control_list) == 2
    assert client.permissions.get("directories", object_id) == told
    with pytest.raises(ResourceDoesNotExist, match="Cluster nothing does not exist"):
        client.clusters.get_permissions("nothing")
    with pytest.raises(InvalidParameterValue, match="is none of"):
        client.api_client.do(
            "PUT",
            f"/api/2.0/permissions/directories/{object_id}",
            body={"access_control_list": [{"user_name": "a", "permission_level": "IS_OWNER"}]},
        )


def test_permissions_of_each_kind(
    client: WorkspaceClient, spec: dict[str, Any], tmp_path: Path
) -> None:
    cluster_id = client.clusters.create(cluster_name="granted", **spec).cluster_id
    policy_id = client.cluster_policies.create(name="granted", definition="{}").policy_id
    pool_id = client.instance_pools.create("granted", "Standard_DS3_v2").instance_pool_id
    job_id = client.jobs.create(name="granted").job_id
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "One")
    repo_id = client.repos.create(str(tmp_path), "gitHub", path="/Repos/tests/granted").id
    home = client.workspace.get_status("/Shared").object_id
    kinds: list[tuple[Any, tuple[str, ...], type[Any], str]] = [
        (client.clusters, (cluster_id,), ClusterAccessControlRequest, "CAN_RESTART"),
        (client.cluster_policies, (policy_id,), ClusterPolicyAccessControlRequest, "CAN_USE"),
        (client.instance_pools, (pool_id,), InstancePoolAccessControlRequest, "CAN_ATTACH_TO"),
        (client.jobs, (str(job_id),), JobAccessControlRequest, "CAN_VIEW"),
        (client.repos, (str(repo_id),), RepoAccessControlRequest, "CAN_RUN"),
        (
            client.workspace,
            ("directories", str(home)),
            WorkspaceObjectAccessControlRequest,
            "CAN_READ",
        ),
    ]
    for api, key, entry, level in kinds:
        levels = api.get_permission_levels(*key).permission_levels
        assert level in {one.permission_level.value for one in levels}
        entries = [entry.from_dict({"user_name": "ada@example.org", "permission_level": level})]
        if api is client.jobs:
            owner = {"user_name": "own@example.org", "permission_level": "IS_OWNER"}
            entries.append(entry.from_dict(owner))
        told = api.set_permissions(*key, access_control_list=entries)
        assert told.access_control_list[0].all_permissions[0].permission_level.value == level
        assert api.update_permissions(*key, access_control_list=entries[:1]) == told
        assert api.get_permissions(*key) == told
    client.clusters.permanent_delete(cluster_id)
    client.cluster_policies.delete(policy_id)
    client.instance_pools.delete(pool_id)
    client.jobs.delete(job_id)
    client.repos.delete(repo_id)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_repositories_are_cloned(server: Any, client: WorkspaceClient, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    (origin / "train.py").write_text("# Databricks notebook source\nprint(1)\n")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "One")
    git(origin, "tag", "v1")
    first = git(origin, "rev-parse", "HEAD")
    repo = client.repos.create(url=str(origin), provider="gitHub", path="/Repos/tests/origin")
    assert (repo.branch, repo.head_commit_id) == ("main", first)
    assert client.workspace.get_status("/Repos/tests/origin").object_type == ObjectType.REPO
    assert [item.path for item in client.workspace.list("/Repos/tests/origin")] == [
        "/Repos/tests/origin/train.py"
    ]
    git(origin, "commit", "-q", "--allow-empty", "-m", "Two")
    client.repos.update(repo.id, branch="main")
    assert client.repos.get(repo.id).head_commit_id == git(origin, "rev-parse", "HEAD")
    client.repos.update(repo.id, tag="v1")
    assert client.repos.get(repo.id).head_commit_id == first
    assert [one.id for one in client.repos.list(path_prefix="/Repos/tests")] == [repo.id]
    with pytest.raises(BadRequest, match="Git: "):
        client.repos.update(repo.id, branch="nowhere")
    with pytest.raises(InvalidParameterValue, match="no name of a branch"):
        client.repos.update(repo.id, branch="--upload-pack=touch /tmp/x")
    for url in (f"ext::sh -c 'touch {tmp_path}/owned'", "--upload-pack=x"):
        with pytest.raises(BadRequest, match="Git: "):
            client.repos.create(url=url, provider="gitHub", path="/Repos/tests/evil")
    assert not (tmp_path / "owned").exists()
    client.repos.delete(repo.id)
    with pytest.raises(ResourceDoesNotExist):
        client.repos.get(repo.id)
    with pytest.raises(NotFound):
        client.workspace.export("/Repos/tests/origin/train.py", format=ExportFormat.SOURCE)


def test_git_credentials_keep_their_token(server: Any, client: WorkspaceClient) -> None:
    kept = client.git_credentials.create(
        git_provider="gitHub", git_username="ada", personal_access_token="the-token-of-ada"
    )
    client.git_credentials.update(kept.credential_id, git_provider="gitLab")
    told = client.git_credentials.get(kept.credential_id)
    assert (told.git_provider, told.git_username) == ("gitLab", "ada")
    assert [one.credential_id for one in client.git_credentials.list()] == [kept.credential_id]
    assert "the-token" not in server.call("GET", "/api/2.0/git-credentials").text
    stored = b"".join(file.read_bytes() for file in server.home.glob("workspace.db*"))
    assert b"the-token-of-ada" not in stored
    client.git_credentials.delete(kept.credential_id)
    assert list(client.git_credentials.list()) == []


def test_policies_pools_and_profiles(client: WorkspaceClient) -> None:
    policy = client.cluster_policies.create(name="small", definition="{}").policy_id
    client.cluster_policies.edit(policy, name="smaller", definition='{"a": 1}')
    told = client.cluster_policies.get(policy)
    assert (told.name, told.definition, told.is_default) == ("smaller", '{"a": 1}', False)
    assert [one.policy_id for one in client.cluster_policies.list()] == [policy]
    assert client.cluster_policies.get_permissions(policy).object_type == "cluster-policy"
    client.cluster_policies.delete(policy)
    with pytest.raises(ResourceDoesNotExist, match="no policy"):
        client.cluster_policies.get(policy)
    pool = client.instance_pools.create("pool", "Standard_DS3_v2", min_idle_instances=1)
    client.instance_pools.edit(pool.instance_pool_id, "edited", "Standard_DS3_v2")
    got = client.instance_pools.get(pool.instance_pool_id)
    assert (got.instance_pool_name, got.min_idle_instances) == ("edited", 1)
    assert got.stats.used_count == 0
    assert len(list(client.instance_pools.list())) == 1
    client.instance_pools.delete(pool.instance_pool_id)
    arn = "arn:aws:iam::1:instance-profile/p"
    client.instance_profiles.add(arn, skip_validation=True)
    client.instance_profiles.edit(arn, iam_role_arn="arn:aws:iam::1:role/r")
    (profile,) = client.instance_profiles.list()
    assert profile.iam_role_arn == "arn:aws:iam::1:role/r"
    client.instance_profiles.remove(arn)
    assert list(client.instance_profiles.list()) == []


def test_lists_that_are_empty_here(client: WorkspaceClient) -> None:
    assert list(client.warehouses.list()) == []
    assert list(client.serving_endpoints.list()) == []
    assert list(client.tokens.list()) == []
    assert list(client.catalogs.list()) == []
    assert list(client.schemas.list("main")) == []
    assert list(client.tables.list("main", "default")) == []
    assert list(client.volumes.list("main", "default")) == []
