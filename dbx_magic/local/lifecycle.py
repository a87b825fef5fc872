"""The life of clusters: from PENDING to RUNNING to TERMINATED, with real Spark behind each."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
import shutil
import time
from collections.abc import Coroutine
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .cluster import LIVE, Cluster, Library, Record, Spec, new_cluster_id, now
from .disk import real_file
from .errors import Refused, invalid
from .home import Home
from .launch import InitScript, deliver_logs, init_scripts, run_init_scripts
from .offers import runtime_note
from .store import Store

if TYPE_CHECKING:
    from .environment import Environment

# Scripts ask for the list until they see PENDING once; a cluster that runs at once makes them
# wait for ever.
PENDING_SECONDS = 2.0
_DELIVERY_SECONDS = 60.0
_log = logging.getLogger("dbx_magic.local")


def reason(code: str, kind: str, **parameters: str) -> dict[str, Any]:
    """Why a cluster terminated, as the API gives it."""
    return {"code": code, "type": kind, "parameters": parameters}


class Lifecycle:
    """All clusters of the workspace."""

    def __init__(self, store: Store, home: Home, *, url: str, token: str) -> None:
        self._store = store
        self._home = home
        self._url = url
        self._token = token
        self.clusters: dict[str, Cluster] = {}
        self._forgetting: set[asyncio.Task[None]] = set()
        for body in store.all("cluster").values():
            cluster = Cluster(Record.load(body))
            self.clusters[cluster.cluster_id] = cluster
            if cluster.record.state != "TERMINATED":
                lost = reason("COMMUNICATION_LOST", "CLOUD_FAILURE")
                self._terminated(cluster, lost, "The local workspace was killed.")

    def get(self, cluster_id: str) -> Cluster:
        """The cluster with this id, in the words by which clients know that there is none."""
        try:
            return self.clusters[cluster_id]
        except KeyError:
            raise invalid(f"Cluster {cluster_id} does not exist") from None

    def create(self, spec: Spec, user: str, source: str = "API") -> Cluster:
        """A new cluster that starts."""
        record = Record(new_cluster_id(), spec, user, source)
        cluster = Cluster(record)
        self.clusters[cluster.cluster_id] = cluster
        self.event(cluster, "CREATING", user=user, cluster_size=cluster.size())
        self._set_out(cluster, "PENDING", self._start(cluster))
        return cluster

    def start(self, cluster: Cluster, user: str) -> None:
        """Start a terminated cluster."""
        if cluster.record.state != "TERMINATED":
            raise unexpected(cluster)
        self.event(cluster, "STARTING", user=user, cluster_size=cluster.size())
        self._set_out(cluster, "PENDING", self._start(cluster))

    def restart(self, cluster: Cluster, user: str) -> None:
        """Stop and start a running cluster: a fresh Spark and a fresh environment."""
        if cluster.record.state != "RUNNING":
            raise unexpected(cluster)
        self.event(cluster, "RESTARTING", user=user)
        self._set_out(cluster, "RESTARTING", self._restart(cluster))

    def edit(self, cluster: Cluster, spec: Spec, user: str) -> None:
        """Give a cluster another spec; one that runs is restarted with it."""
        if cluster.record.state not in ("RUNNING", "TERMINATED"):
            raise unexpected(cluster)
        previous = cluster.record.spec
        if spec == previous:
            return
        cluster.record.spec = spec
        self.save(cluster)
        self.event(cluster, "EDITED", user=user, attributes=spec, previous_attributes=previous)
        if cluster.record.state == "RUNNING":
            self.restart(cluster, user)

    def resize(self, cluster: Cluster, size: dict[str, Any], user: str) -> None:
        """Change the number of workers of a running cluster."""
        if cluster.record.state != "RUNNING":
            raise unexpected(cluster)
        previous = cluster.size()
        spec = {
            k: v for k, v in cluster.record.spec.items() if k not in ("num_workers", "autoscale")
        }
        cluster.record.spec = {**spec, **size}
        sizes = {"cluster_size": cluster.size(), "previous_cluster_size": previous}
        self.event(cluster, "RESIZING", user=user, cause="USER_REQUEST", **sizes)
        self._set_out(cluster, "RESIZING", self._resized(cluster))

    def terminate(self, cluster: Cluster, why: dict[str, Any], message: str = "") -> None:
        """Stop a cluster; one that is stopped or stopping stays as it is."""
        if cluster.record.state in LIVE:
            before = cluster.work
            self._set_out(cluster, "TERMINATING", self._take_down(cluster, why, message, before))

    def forget(self, cluster: Cluster) -> None:
        """Delete a cluster for good; it is gone from every list at once."""
        self.terminate(cluster, reason("USER_REQUEST", "SUCCESS"))
        del self.clusters[cluster.cluster_id]
        self._store.delete("cluster", cluster.cluster_id)
        self._store.connection.execute(
            "DELETE FROM cluster_events WHERE cluster_id = ?", (cluster.cluster_id,)
        )
        task = asyncio.create_task(self._clear_away(cluster))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def stop(self) -> None:
        """Stop all clusters, because the server ends."""
        why = reason("CLOUD_PROVIDER_SHUTDOWN", "CLOUD_FAILURE")
        for cluster in self.clusters.values():
            self.terminate(cluster, why, "The local workspace was stopped.")
        ending = [cluster.work for cluster in self.clusters.values() if cluster.work]
        await asyncio.gather(*ending, *self._forgetting, return_exceptions=True)

    def save(self, cluster: Cluster) -> None:
        """Keep the cluster's record and tell those who wait that it changed."""
        if cluster.cluster_id in self.clusters:
            self._store.put("cluster", cluster.cluster_id, asdict(cluster.record))
        cluster.bell.ring()

    def event(self, cluster: Cluster, kind: str, **details: Any) -> None:
        """Note what happened to a cluster, for ``clusters/events``."""
        if cluster.cluster_id not in self.clusters:
            return
        self._store.connection.execute(
            "INSERT INTO cluster_events VALUES (?, ?, ?, ?)",
            (cluster.cluster_id, now(), kind, json.dumps(details)),
        )

    def install_pending(self, cluster: Cluster) -> None:
        """Install what a running cluster does not have yet; one installation at a time."""
        if cluster.record.state in ("RUNNING", "RESIZING") and not cluster.installing:
            cluster.installing = True
            self._beside(cluster, self._install(cluster))

    def _set_out(self, cluster: Cluster, state: str, work: Coroutine[Any, Any, None]) -> None:
        cluster.record.state = state
        cluster.record.state_message = ""
        if state == "PENDING":
            cluster.record.start_time = now()
            cluster.record.terminated_time = 0
            cluster.record.termination_reason = None
        cluster.work = asyncio.create_task(work)
        self.save(cluster)

    def _beside(self, cluster: Cluster, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        cluster.beside.add(task)
        task.add_done_callback(cluster.beside.discard)

    async def _start(self, cluster: Cluster, at_least: float = PENDING_SECONDS) -> None:
        # Spark and its libraries are heavy; a workspace without a cluster stays small.
        from .compute import StartFailed

        ready = time.monotonic() + at_least
        cluster.record.libraries = [
            Library(library.library)
            for library in cluster.record.libraries
            if library.status != "UNINSTALL_ON_RESTART"
        ]
        self.save(cluster)
        try:
            await self._launch(cluster)
        except StartFailed as problem:
            kind = "CLIENT_ERROR" if problem.code == "INIT_SCRIPT_FAILURE" else "SERVICE_FAULT"
            await self._fail(cluster, problem.code, kind, problem.message)
            return
        except Exception as problem:  # noqa: BLE001 - the cluster must not hang in PENDING
            _log.exception("Cluster %s did not start", cluster.cluster_id)
            await self._fail(cluster, "INTERNAL_ERROR", "SERVICE_FAULT", str(problem))
            return
        await asyncio.sleep(max(0.0, ready - time.monotonic()))
        record = cluster.record
        record.state, record.state_message = "RUNNING", runtime_note(record.spec["spark_version"])
        record.spark_context_id = secrets.randbits(62)
        self.event(cluster, "RUNNING", cluster_size=cluster.size())
        self.event(cluster, "DRIVER_HEALTHY")
        self.save(cluster)
        self._beside(cluster, self._watch(cluster))
        self._beside(cluster, self._idle(cluster))
        self._beside(cluster, self._deliver(cluster))
        self.install_pending(cluster)

    async def _launch(self, cluster: Cluster) -> None:
        from .compute import Compute
        from .environment import Environment

        folder = self._home.clusters / cluster.cluster_id
        environment = folder / "environment"
        folder.mkdir(exist_ok=True)
        # As on Databricks a start gives a fresh environment, with the cluster's libraries alone.
        await asyncio.to_thread(shutil.rmtree, environment, ignore_errors=True)
        cluster.environment = Environment(environment, self._home.cache / "packages")
        if scripts := [*self._global_scripts(), *init_scripts(cluster, self._home)]:
            self.event(cluster, "INIT_SCRIPTS_STARTED")
            told = await run_init_scripts(scripts, cluster, cluster.environment, folder)
            self.event(cluster, "INIT_SCRIPTS_FINISHED", init_scripts=told)
        spec = cluster.record.spec
        cluster.compute = Compute(
            folder,
            workspace=self._home.workspace,
            dbfs=self._home.dbfs,
            spark_conf={**_usage_tags(cluster), **(spec.get("spark_conf") or {})},
            spark_env=spec.get("spark_env_vars") or {},
            api_url=self._url,
            token=self._token,
            base=self._home.cache,
        )
        await cluster.compute.start()

    def _global_scripts(self) -> list[InitScript]:
        kept = sorted(self._store.all("init_script").values(), key=lambda one: int(one["position"]))
        return [
            InitScript(script["name"], base64.b64decode(script["script"]))
            for script in kept
            if script.get("enabled")
        ]

    async def _fail(self, cluster: Cluster, code: str, kind: str, message: str) -> None:
        why = reason(code, kind, databricks_error_message=message)
        cluster.record.state = "TERMINATING"
        self.save(cluster)
        await self._take_down(cluster, why, message)

    async def _restart(self, cluster: Cluster) -> None:
        await self._stop_processes(cluster)
        cluster.record.last_restarted_time = now()
        await self._start(cluster, at_least=0)

    async def _resized(self, cluster: Cluster) -> None:
        # There is one machine: its workers are threads of the driver, there at once.
        await asyncio.sleep(0)
        cluster.record.state = "RUNNING"
        self.event(cluster, "UPSIZE_COMPLETED", cluster_size=cluster.size())
        self.save(cluster)

    async def _take_down(
        self,
        cluster: Cluster,
        why: dict[str, Any],
        message: str,
        before: asyncio.Task[None] | None = None,
    ) -> None:
        self.event(cluster, "TERMINATING", reason=why)
        if before and not before.done():
            before.cancel()
            await asyncio.wait([before])
        await self._stop_processes(cluster)
        self._terminated(cluster, why, message)

    def _terminated(self, cluster: Cluster, why: dict[str, Any], message: str) -> None:
        record = cluster.record
        record.state, record.state_message = "TERMINATED", message
        record.terminated_time = now()
        record.termination_reason = why
        for library in record.libraries:
            if library.status != "UNINSTALL_ON_RESTART":
                library.status, library.messages = "PENDING", []
        self.save(cluster)

    async def _stop_processes(self, cluster: Cluster) -> None:
        for task in list(cluster.beside):
            task.cancel()
        await asyncio.gather(*cluster.beside, return_exceptions=True)
        cluster.installing = False
        if cluster.compute:
            compute, cluster.compute = cluster.compute, None
            try:
                await compute.stop()
            except Exception:  # noqa: BLE001 - the cluster must not hang in TERMINATING
                _log.exception("Cluster %s did not stop cleanly", cluster.cluster_id)
        await deliver_logs(cluster, self._home.clusters / cluster.cluster_id, self._home)

    async def _watch(self, cluster: Cluster) -> None:
        assert cluster.compute  # noqa: S101 - for the type checker
        message = await cluster.compute.died()
        self.event(cluster, "DRIVER_NOT_RESPONDING", driver_state_message=message)
        why = reason("DRIVER_UNREACHABLE", "SERVICE_FAULT", databricks_error_message=message)
        self.terminate(cluster, why, message)

    async def _idle(self, cluster: Cluster) -> None:
        minutes = int(cluster.record.spec.get("autotermination_minutes") or 0)
        while minutes and cluster.compute:
            idle = 0.0 if cluster.compute.busy else time.time() - cluster.compute.last_active
            if idle >= minutes * 60:
                why = reason("INACTIVITY", "SUCCESS", inactivity_duration_min=str(minutes))
                self.terminate(cluster, why, f"Idle for {minutes} minutes.")
                return
            await asyncio.sleep(minutes * 60 - idle)

    async def _deliver(self, cluster: Cluster) -> None:
        folder = self._home.clusters / cluster.cluster_id
        while cluster.record.spec.get("cluster_log_conf"):
            await deliver_logs(cluster, folder, self._home)
            await asyncio.sleep(_DELIVERY_SECONDS)

    async def _install(self, cluster: Cluster) -> None:
        assert cluster.environment  # noqa: S101 - for the type checker
        try:
            while waiting := [
                item for item in cluster.record.libraries if item.status == "PENDING"
            ]:
                await self._install_one(cluster, cluster.environment, waiting[0])
        finally:
            cluster.installing = False

    async def _install_one(
        self, cluster: Cluster, environment: Environment, library: Library
    ) -> None:
        from .environment import InstallFailed

        library.status = "INSTALLING"
        self.save(cluster)
        try:
            await environment.install(self._on_disk(library.library))
            # It may be unwanted by now.
            library.status = "INSTALLED" if library.status == "INSTALLING" else library.status
        except InstallFailed as problem:
            library.status, library.messages = "FAILED", [str(problem)]
        except Exception as problem:  # noqa: BLE001 - nobody may wait for it for ever
            _log.exception("Library %s of cluster %s", library.library, cluster.cluster_id)
            library.status, library.messages = "FAILED", [f"Internal error: {problem}"]
        self.save(cluster)

    def _on_disk(self, library: dict[str, Any]) -> dict[str, Any]:
        """The library, with the file of this machine where it names one of the workspace."""
        from .environment import InstallFailed

        kind, where = next(iter(library.items()))
        if kind not in ("whl", "jar", "egg", "requirements"):
            return library
        try:
            return {kind: str(real_file(self._home, where))}
        except Refused as refused:
            raise InstallFailed(refused.message) from None

    async def _clear_away(self, cluster: Cluster) -> None:
        if cluster.work:
            await asyncio.wait([cluster.work])
        folder = self._home.clusters / cluster.cluster_id
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _usage_tags(cluster: Cluster) -> dict[str, str]:
    """What programs ask Spark for when they want to know which cluster they are on."""
    tags = "spark.databricks.clusterUsageTags"
    return {
        f"{tags}.clusterId": cluster.cluster_id,
        f"{tags}.clusterName": cluster.name,
        f"{tags}.sparkVersion": str(cluster.record.spec.get("spark_version", "")),
    }


def unexpected(cluster: Cluster) -> Refused:
    """The refusal that clients know as "not now"."""
    state = cluster.record.state.capitalize()
    return Refused("INVALID_STATE", f"Cluster {cluster.cluster_id} is in unexpected state {state}.")
