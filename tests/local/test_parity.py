"""The unmodified SDK: each operation of what is served here is called, and its work looked at."""

from __future__ import annotations

import ast
import base64
import contextlib
import inspect
import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, NotFound, ResourceDoesNotExist
from databricks.sdk.service import compute, files, iam, jobs, workspace
from databricks.sdk.service.compute import CommandStatus, ContextStatus, Language, State

SERVED = (
    compute.ClusterPoliciesAPI,
    compute.ClustersAPI,
    compute.CommandExecutionAPI,
    iam.CurrentUserAPI,
    files.DbfsAPI,
    files.FilesAPI,
    workspace.GitCredentialsAPI,
    compute.GlobalInitScriptsAPI,
    compute.InstancePoolsAPI,
    compute.InstanceProfilesAPI,
    jobs.JobsAPI,
    compute.LibrariesAPI,
    iam.PermissionsAPI,
    workspace.ReposAPI,
    workspace.SecretsAPI,
    workspace.WorkspaceAPI,
)
ROOT = Path(__file__).parents[2]


def operations(served: type[Any]) -> set[str]:
    """The names of what an API can do; waiting for it is the SDK's own doing."""
    return {
        name
        for name, function in vars(served).items()
        if inspect.isfunction(function)
        and not name.startswith(("_", "wait_"))
        and not name.endswith("_and_wait")
    }


class Noted:
    """An API of the SDK that notes which of its operations were called."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self.api, name)


@contextlib.contextmanager
def whole(api: Any) -> Iterator[Any]:
    """Let a test use an API; at its end it must have used the whole of it."""
    noted = Noted(api)
    yield noted
    (served,) = {one for one in type(api).__mro__ if one in SERVED}
    assert noted.called == operations(served)


def b64(content: bytes) -> str:
    """Content as most of the API wants it."""
    return base64.b64encode(content).decode()


def granted(told: Any) -> dict[str, str]:
    """Who may do what."""
    return {
        entry.user_name: entry.all_permissions[0].permission_level.value
        for entry in told.access_control_list
        if entry.user_name
    }


def check_permissions(api: Any, request: type[Any], level: str, *key: str) -> None:
    """What is granted is told; ``set`` replaces all grants, ``update`` adds to them."""

    def grants(**levels: str) -> list[Any]:
        return [
            request.from_dict({"user_name": name, "permission_level": level})
            for name, level in levels.items()
        ]

    levels = {
        one.permission_level.value for one in api.get_permission_levels(*key).permission_levels
    }
    assert level in levels
    owner = {"owner": "IS_OWNER"} if "IS_OWNER" in levels else {}
    assert "ada" not in granted(api.get_permissions(*key))
    api.update_permissions(*key, access_control_list=grants(ada=level))
    assert granted(api.get_permissions(*key)).items() > {"ada": level}.items()
    api.set_permissions(*key, access_control_list=grants(eve=level, **owner))
    assert granted(api.get_permissions(*key)) == {"eve": level, **owner}


def test_cluster_policies(client: WorkspaceClient) -> None:
    with whole(client.cluster_policies) as policies:
        policy_id = policies.create(name="small", definition="{}").policy_id
        policies.edit(policy_id, name="smaller", definition='{"a": 1}')
        policy = policies.get(policy_id)
        assert (policy.name, policy.definition) == ("smaller", '{"a": 1}')
        assert [one.policy_id for one in policies.list()] == [policy_id]
        check_permissions(policies, compute.ClusterPolicyAccessControlRequest, "CAN_USE", policy_id)
        policies.delete(policy_id)
        with pytest.raises(ResourceDoesNotExist, match="no policy"):
            policies.get(policy_id)


def test_clusters(
    client: WorkspaceClient, spec: dict[str, Any], becomes: Callable[..., Any]
) -> None:
    with whole(client.clusters) as clusters:
        assert spec["spark_version"] in {one.key for one in clusters.spark_versions().versions}
        offered = {one.node_type_id for one in clusters.list_node_types().node_types}
        assert spec["node_type_id"] in offered
        zones = clusters.list_zones()
        assert zones.default_zone in zones.zones

        key = clusters.create(cluster_name="parity", **spec).cluster_id
        assert clusters.get(key).state == State.PENDING
        assert key in {one.cluster_id for one in clusters.list()}
        first = becomes(key, State.RUNNING)
        clusters.resize(key, num_workers=2)
        assert becomes(key, State.RUNNING).num_workers == 2
        clusters.restart(key)
        assert becomes(key, State.RUNNING).spark_context_id != first.spark_context_id
        clusters.delete(key)
        becomes(key, State.TERMINATED)

        clusters.edit(key, cluster_name="edited", **spec)
        assert (clusters.get(key).cluster_name, clusters.get(key).num_workers) == ("edited", 1)
        tags = compute.UpdateClusterResource(custom_tags={"team": "blue"})
        clusters.update(key, "custom_tags", cluster=tags)
        assert clusters.get(key).custom_tags == {"team": "blue"}
        clusters.change_owner(key, "ada@example.org")
        assert clusters.get(key).creator_user_name == "ada@example.org"
        is_pinned = compute.ListClustersFilterBy(is_pinned=True)
        clusters.pin(key)
        assert [one.cluster_id for one in clusters.list(filter_by=is_pinned)] == [key]
        clusters.unpin(key)
        assert list(clusters.list(filter_by=is_pinned)) == []
        check_permissions(clusters, compute.ClusterAccessControlRequest, "CAN_RESTART", key)

        clusters.start(key)
        assert clusters.get(key).state == State.PENDING
        told = [event.type.value for event in clusters.events(key)][::-1]
        for kinds in ("CREATING RUNNING RESIZING RESTARTING TERMINATING STARTING", "EDITED PINNED"):
            assert [kind for kind in dict.fromkeys(told) if kind in kinds.split()] == kinds.split()
        clusters.permanent_delete(key)
        with pytest.raises(ResourceDoesNotExist, match=f"Cluster {key} does not exist"):
            clusters.get(key)


def test_commands(client: WorkspaceClient, cluster_id: str, wait_until: Callable[..., Any]) -> None:
    with whole(client.command_execution) as execution:
        made = execution.create(cluster_id=cluster_id, language=Language.PYTHON)
        where = {"cluster_id": cluster_id, "context_id": made.result().id}
        assert execution.context_status(**where).status == ContextStatus.RUNNING

        def execute(code: str) -> Any:
            return execution.execute(**where, language=Language.PYTHON, command=code)

        def ended(command_id: str) -> Any:
            told = execution.command_status(**where, command_id=command_id)
            return told.status not in (CommandStatus.QUEUED, CommandStatus.RUNNING) and told

        told = wait_until(lambda: ended(execute("6 * 7").command_id), "the answer")
        assert (told.status, told.results.data) == (CommandStatus.FINISHED, "42")
        endless = execute("while True: pass").command_id
        execution.cancel(**where, command_id=endless)
        assert ended(endless).status == CommandStatus.CANCELLED
        execution.destroy(**where)
        with pytest.raises(DatabricksError, match="Context not found"):
            execution.context_status(**where)


def test_current_user(client: WorkspaceClient) -> None:
    with whole(client.current_user) as users:
        assert users.me().user_name.endswith("@local")


def test_dbfs(client: WorkspaceClient) -> None:
    with whole(client.dbfs) as dbfs:
        dbfs.mkdirs("/parity/deep")
        handle = dbfs.create("/parity/blocks").handle
        for block in (b"one ", b"two"):
            dbfs.add_block(handle, b64(block))
        dbfs.close(handle)
        assert dbfs.get_status("/parity/blocks").file_size == 7
        dbfs.put("/parity/deep/put", contents=b64(b"hello"))
        assert base64.b64decode(dbfs.read("/parity/deep/put", offset=1, length=3).data) == b"ell"
        dbfs.move("/parity/deep/put", "/parity/moved")
        assert {(one.path, one.is_dir) for one in dbfs.list("/parity")} == {
            ("/parity/blocks", False),
            ("/parity/moved", False),
            ("/parity/deep", True),
        }
        dbfs.delete("/parity", recursive=True)
        with pytest.raises(ResourceDoesNotExist):
            dbfs.get_status("/parity")


def test_files(client: WorkspaceClient) -> None:
    folder = "/Volumes/main/default/parity"
    with whole(client.files) as volume:
        volume.create_directory(f"{folder}/deep")
        volume.upload(f"{folder}/deep/a b.bin", io.BytesIO(b"content"))
        assert volume.get_metadata(f"{folder}/deep/a b.bin").content_length == 7
        assert volume.download(f"{folder}/deep/a b.bin").contents.read() == b"content"
        volume.get_directory_metadata(f"{folder}/deep")
        listed = list(volume.list_directory_contents(f"{folder}/deep"))
        assert [(one.name, one.file_size) for one in listed] == [("a b.bin", 7)]
        volume.delete(f"{folder}/deep/a b.bin")
        assert list(volume.list_directory_contents(f"{folder}/deep")) == []
        volume.delete_directory(f"{folder}/deep")
        with pytest.raises(NotFound):
            volume.get_directory_metadata(f"{folder}/deep")


def test_git_credentials(client: WorkspaceClient) -> None:
    with whole(client.git_credentials) as credentials:
        key = credentials.create(
            git_provider="gitHub", git_username="ada", personal_access_token="a-token"
        ).credential_id
        credentials.update(key, git_provider="gitLab", git_username="eve")
        told = credentials.get(key)
        assert (told.git_provider, told.git_username) == ("gitLab", "eve")
        assert [one.credential_id for one in credentials.list()] == [key]
        credentials.delete(key)
        assert list(credentials.list()) == []


def test_global_init_scripts(client: WorkspaceClient) -> None:
    with whole(client.global_init_scripts) as scripts:
        key = scripts.create("first", b64(b"echo one")).script_id
        scripts.update(key, "second", b64(b"echo two"))
        assert [(one.script_id, one.name, one.enabled) for one in scripts.list()] == [
            (key, "second", False)
        ]
        assert base64.b64decode(scripts.get(key).script) == b"echo two"
        scripts.delete(key)
        assert list(scripts.list()) == []


def test_instance_pools(client: WorkspaceClient) -> None:
    with whole(client.instance_pools) as pools:
        key = pools.create("pool", "Standard_DS3_v2", min_idle_instances=1).instance_pool_id
        pools.edit(key, "edited", "Standard_DS3_v2")
        pool = pools.get(key)
        assert (pool.instance_pool_name, pool.min_idle_instances) == ("edited", 1)
        assert [one.instance_pool_id for one in pools.list()] == [key]
        check_permissions(pools, compute.InstancePoolAccessControlRequest, "CAN_ATTACH_TO", key)
        pools.delete(key)
        assert list(pools.list()) == []


def test_instance_profiles(client: WorkspaceClient) -> None:
    arn, role = "arn:aws:iam::1:instance-profile/p", "arn:aws:iam::1:role/r"
    with whole(client.instance_profiles) as profiles:
        profiles.add(arn, skip_validation=True)
        profiles.edit(arn, iam_role_arn=role)
        listed = [(one.instance_profile_arn, one.iam_role_arn) for one in profiles.list()]
        assert listed == [(arn, role)]
        profiles.remove(arn)
        assert list(profiles.list()) == []


def test_jobs(client: WorkspaceClient, cluster_id: str, notebook: Callable[..., str]) -> None:
    said = notebook("said", "print('so')\ndbutils.notebook.exit(dbutils.widgets.get('word'))")
    fails = notebook("fails", "raise ValueError('no')")
    endless = notebook("endless", "while True: pass")

    def task(path: str, kind: type[Any] = jobs.Task) -> Any:
        task = jobs.NotebookTask(notebook_path=path, base_parameters={"word": "default"})
        return kind(task_key="a", existing_cluster_id=cluster_id, notebook_task=task)

    with whole(client.jobs) as api:
        key = api.create(name="parity", tasks=[task(endless)], max_concurrent_runs=2).job_id
        assert api.get(key).settings.name == "parity"
        cancelled = [api.run_now(key) for _ in range(2)]
        active = {one.run_id for one in api.list_runs(job_id=key, active_only=True)}
        assert active == {one.run_id for one in cancelled}
        api.cancel_run(cancelled[0].run_id)
        api.cancel_all_runs(job_id=key)
        for one in cancelled:
            assert one.result().state.result_state == jobs.RunResultState.CANCELED

        api.update(key, new_settings=jobs.JobSettings(name="updated"))
        assert [(one.job_id, one.settings.name) for one in api.list(name="updated")] == [
            (key, "updated")
        ]
        api.reset(key, jobs.JobSettings(name="reset", tasks=[task(said)]))
        assert [one.notebook_task for one in api.get(key).settings.tasks] == [
            task(said).notebook_task
        ]
        check_permissions(api, jobs.JobAccessControlRequest, "CAN_VIEW", str(key))
        run = api.run_now(key, notebook_params={"word": "given"}).result()
        attempt = run.tasks[0].run_id
        assert api.get_run_output(attempt).notebook_output.result == "given"
        (view,) = api.export_run(attempt).views
        assert (view.name, "so" in view.content) == ("said", True)

        failing = api.submit(run_name="once", tasks=[task(fails, jobs.SubmitTask)])
        run = failing.result()
        assert run.state.result_state == jobs.RunResultState.FAILED
        notebook("fails", "print('mended')")
        repaired = api.repair_run(failing.run_id, rerun_all_failed_tasks=True).result()
        assert repaired.state.result_state == jobs.RunResultState.SUCCESS
        api.delete_run(failing.run_id)
        with pytest.raises(ResourceDoesNotExist, match=f"Run {failing.run_id} does not exist"):
            api.get_run(failing.run_id)
        api.delete(key)
        with pytest.raises(ResourceDoesNotExist, match=f"Job {key} does not exist"):
            api.get(key)


def test_libraries(
    client: WorkspaceClient, cluster_id: str, wait_until: Callable[..., Any]
) -> None:
    library = compute.Library(pypi=compute.PythonPyPiLibrary(package="toolz"))

    with whole(client.libraries) as libraries:

        def status() -> Any:
            told = libraries.cluster_status(cluster_id)
            return next(one.status for one in told if one.library == library)

        libraries.install(cluster_id, [library])
        wait_until(lambda: status() == compute.LibraryInstallStatus.INSTALLED, "installing")
        everywhere = {one.cluster_id: one for one in libraries.all_cluster_statuses()}
        told = everywhere[cluster_id].library_statuses
        assert library in [one.library for one in told]
        libraries.uninstall(cluster_id, [library])
        assert status() == compute.LibraryInstallStatus.UNINSTALL_ON_RESTART


def test_permissions(client: WorkspaceClient, folder: str) -> None:
    key = "directories", str(client.workspace.get_status(folder).object_id)

    def grant(name: str) -> list[Any]:
        level = iam.PermissionLevel.CAN_RUN
        return [iam.AccessControlRequest(user_name=name, permission_level=level)]

    with whole(client.permissions) as permissions:
        levels = permissions.get_permission_levels(*key).permission_levels
        assert iam.PermissionLevel.CAN_RUN in {one.permission_level for one in levels}
        permissions.update(*key, access_control_list=grant("ada"))
        assert len(granted(permissions.get(*key))) == 2
        permissions.set(*key, access_control_list=grant("eve"))
        assert granted(permissions.get(*key)) == {"eve": "CAN_RUN"}


def test_repos(client: WorkspaceClient, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "One")
    git("branch", "other")
    git("commit", "-q", "--allow-empty", "-m", "Two")
    with whole(client.repos) as repos:
        repo = repos.create(str(tmp_path), "gitHub", path="/Repos/tests/parity")
        assert repo.head_commit_id == git("rev-parse", "HEAD")
        repos.update(repo.id, branch="other")
        told = repos.get(repo.id)
        assert (told.branch, told.head_commit_id) == ("other", git("rev-parse", "other"))
        assert [one.path for one in repos.list(path_prefix="/Repos/tests/parity")] == [told.path]
        check_permissions(repos, workspace.RepoAccessControlRequest, "CAN_RUN", str(repo.id))
        repos.delete(repo.id)
        with pytest.raises(ResourceDoesNotExist):
            repos.get(repo.id)


def test_secrets(client: WorkspaceClient) -> None:
    scope = "parity"
    with whole(client.secrets) as secrets:
        secrets.create_scope(scope)
        assert scope in {one.name for one in secrets.list_scopes()}
        secrets.put_secret(scope, "key", string_value="words")
        assert base64.b64decode(secrets.get_secret(scope, "key").value) == b"words"
        assert [one.key for one in secrets.list_secrets(scope)] == ["key"]
        secrets.delete_secret(scope, "key")
        assert list(secrets.list_secrets(scope)) == []
        secrets.put_acl(scope, "ada", workspace.AclPermission.READ)
        assert secrets.get_acl(scope, "ada").permission == workspace.AclPermission.READ
        assert "ada" in {one.principal for one in secrets.list_acls(scope)}
        secrets.delete_acl(scope, "ada")
        assert "ada" not in {one.principal for one in secrets.list_acls(scope)}
        secrets.delete_scope(scope)
        assert scope not in {one.name for one in secrets.list_scopes()}


def test_workspace(client: WorkspaceClient, folder: str) -> None:
    source = b"# Databricks notebook source\nprint(1)\n"
    kind, python = workspace.ImportFormat.SOURCE, workspace.Language.PYTHON
    with whole(client.workspace) as objects:
        objects.mkdirs(f"{folder}/deep/deeper")
        objects.import_(f"{folder}/deep/n", content=b64(source), format=kind, language=python)
        told = objects.get_status(f"{folder}/deep/n")
        assert (told.object_type.value, told.language) == ("NOTEBOOK", python)
        assert {one.path for one in objects.list(f"{folder}/deep")} == {
            f"{folder}/deep/deeper",
            f"{folder}/deep/n",
        }
        exported = objects.export(f"{folder}/deep/n", format=workspace.ExportFormat.SOURCE)
        assert base64.b64decode(exported.content) == source
        request = workspace.WorkspaceObjectAccessControlRequest
        check_permissions(objects, request, "CAN_READ", "notebooks", str(told.object_id))
        objects.delete(f"{folder}/deep", recursive=True)
        with pytest.raises(ResourceDoesNotExist):
            objects.get_status(f"{folder}/deep/n")


def test_the_documents_tell_the_score() -> None:
    """The scores are those of this file and of the one for the legacy command."""
    source = ast.parse((Path(__file__).parent / "test_legacy_cli.py").read_text())
    commands = {
        tuple(ast.literal_eval(word) for word in call.args[:2])
        for call in ast.walk(source)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("cli", "cli.json")
        and all(isinstance(word, ast.Constant) for word in call.args[:2])
    }
    scores = len(commands), sum(len(operations(served)) for served in SERVED)
    for name in ("README.md", "docs/local-workspace.md"):
        text = (ROOT / name).read_text()
        assert all(f"{score} of" in text for score in scores), (name, scores)
