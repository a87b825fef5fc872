"""The door to a Databricks workspace: its REST API, one method for each operation we use."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from .auth import Login
from .errors import NotFoundError
from .rest import Rest

Json = dict[str, Any]
BLOCK = 1024 * 1024  # of DBFS, the largest
Format = Literal["SOURCE", "RAW"]
IMPORT_LIMIT = 10 * 1024 * 1024


class Workspace:
    """One workspace. Answers are the API's own objects; fields it does not know stay in them."""

    def __init__(self, login: Login, rest: Rest | None = None) -> None:
        self.login = login
        self.rest = rest or Rest(login.host, login.headers)

    @property
    def host(self) -> str:
        """The workspace's address."""
        return self.login.host

    def user(self) -> str:
        """The name of who is asking, as SCIM has it."""
        return str(self.rest.get("2.0/preview/scim/v2/Me").get("userName", ""))

    # Clusters (2.1) and libraries (2.0)

    def clusters(self) -> list[Json]:
        """All clusters that people made; those of jobs, pipelines and warehouses are left out."""
        found: list[Json] = []
        for page in self.rest.pages("2.1/clusters/list", {"page_size": 100}):
            found += page.get("clusters", [])
        return [item for item in found if item.get("cluster_source", "UI") in ("UI", "API")]

    def cluster(self, cluster_id: str) -> Json:
        """One cluster. Raises NotFoundError when it was permanently deleted."""
        return dict(self.rest.get("2.1/clusters/get", {"cluster_id": cluster_id}))

    def create_cluster(self, body: Mapping[str, Any]) -> str:
        """Create a cluster and give its id; it is PENDING from then on."""
        return str(self.rest.post("2.1/clusters/create", body)["cluster_id"])

    def edit_cluster(self, body: Mapping[str, Any]) -> None:
        """Replace a cluster's whole configuration; a running one restarts."""
        self.rest.post("2.1/clusters/edit", body, safe=True)

    def start_cluster(self, cluster_id: str) -> None:
        """Start a terminated cluster."""
        self.rest.post("2.1/clusters/start", {"cluster_id": cluster_id})

    def restart_cluster(self, cluster_id: str) -> None:
        """Restart a running cluster."""
        self.rest.post("2.1/clusters/restart", {"cluster_id": cluster_id})

    def resize_cluster(self, cluster_id: str, size: Mapping[str, Any]) -> None:
        """Give a running cluster another ``num_workers`` or ``autoscale``."""
        self.rest.post("2.1/clusters/resize", {"cluster_id": cluster_id, **size}, safe=True)

    def stop_cluster(self, cluster_id: str) -> None:
        """Terminate a cluster; it keeps its configuration and can be started again."""
        self.rest.post("2.1/clusters/delete", {"cluster_id": cluster_id}, safe=True)

    def delete_cluster(self, cluster_id: str) -> None:
        """Delete a cluster for good."""
        self.rest.post("2.1/clusters/permanent-delete", {"cluster_id": cluster_id}, safe=True)

    def pin_cluster(self, cluster_id: str, *, pinned: bool = True) -> None:
        """Keep a cluster in the list for ever, or no longer."""
        verb = "pin" if pinned else "unpin"
        self.rest.post(f"2.1/clusters/{verb}", {"cluster_id": cluster_id}, safe=True)

    def cluster_events(self, cluster_id: str, limit: int = 50) -> list[Json]:
        """The latest events of a cluster, newest first."""
        body = {"cluster_id": cluster_id, "order": "DESC", "limit": limit}
        return list(self.rest.post("2.1/clusters/events", body, safe=True).get("events", []))

    def spark_versions(self) -> list[Json]:
        """The runtimes this workspace offers: ``key`` and ``name``."""
        return list(self.rest.get("2.1/clusters/spark-versions").get("versions", []))

    def node_types(self) -> list[Json]:
        """The machines this workspace offers: ``node_type_id``, ``memory_mb``, ``num_cores``."""
        return list(self.rest.get("2.1/clusters/list-node-types").get("node_types", []))

    def policies(self) -> list[Json]:
        """The compute policies that the user may use: ``policy_id``, ``name``, ``definition``."""
        return list(self.rest.get("2.0/policies/clusters/list").get("policies", []))

    def libraries(self, cluster_id: str) -> list[Json]:
        """The libraries of a cluster: ``library``, ``status``, ``messages``."""
        answer = self.rest.get("2.0/libraries/cluster-status", {"cluster_id": cluster_id})
        return list(answer.get("library_statuses", []))

    def install(self, cluster_id: str, libraries: Sequence[Mapping[str, Any]]) -> None:
        """Ask for libraries; they install while the cluster runs, or when it starts."""
        body = {"cluster_id": cluster_id, "libraries": list(libraries)}
        self.rest.post("2.0/libraries/install", body, safe=True)

    def uninstall(self, cluster_id: str, libraries: Sequence[Mapping[str, Any]]) -> None:
        """Mark libraries for removal at the next restart."""
        body = {"cluster_id": cluster_id, "libraries": list(libraries)}
        self.rest.post("2.0/libraries/uninstall", body, safe=True)

    # Files of DBFS and of volumes

    def end_of_file(self, path: str, size: int) -> str:
        """The last ``size`` bytes, about, of a text file: ``dbfs:/…`` or ``/Volumes/…``."""
        if path.startswith("/Volumes/"):
            return self.read_volume(path)[-size:].decode("utf-8", "replace")
        status = self.rest.get("2.0/dbfs/get-status", {"path": path})
        offset = max(0, int(status["file_size"]) - size)
        query = {"path": path, "offset": offset, "length": min(size, BLOCK)}
        answer = self.rest.get("2.0/dbfs/read", query)
        return base64.b64decode(answer["data"]).decode("utf-8", "replace")

    def read(self, path: str, offset: int, length: int) -> bytes:
        """A piece of a file of DBFS, at most ``BLOCK`` bytes."""
        query = {"path": path, "offset": offset, "length": length}
        return base64.b64decode(self.rest.get("2.0/dbfs/read", query)["data"])

    def read_all(self, path: str) -> bytes:
        """A whole file of DBFS."""
        content = b""
        while block := self.read(path, len(content), BLOCK):
            content += block
        return content

    def write(self, path: str, blocks: Iterator[bytes]) -> Iterator[int]:
        """Write a file of DBFS block by block; gives the size of each when it is there."""
        body: Json = {"path": path, "overwrite": True}
        handle = self.rest.post("2.0/dbfs/create", body)["handle"]
        for block in blocks:
            data = base64.b64encode(block).decode()
            self.rest.post("2.0/dbfs/add-block", {"handle": handle, "data": data})
            yield len(block)
        self.rest.post("2.0/dbfs/close", {"handle": handle})

    def delete_file(self, path: str) -> None:
        """Delete a file of DBFS or of a volume."""
        if path.startswith("/Volumes/"):
            self.rest.send("DELETE", f"2.0/fs/files{quote(path)}", raw=True, safe=True)
        else:
            self.rest.post("2.0/dbfs/delete", {"path": path}, safe=True)

    def read_volume(self, path: str) -> bytes:
        """A whole file of a volume."""
        content: bytes = self.rest.send("GET", f"2.0/fs/files{quote(path)}", raw=True, safe=True)
        return content

    def write_volume(self, path: str, content: bytes) -> None:
        """Write a file of a volume over what is there."""
        place, query = f"2.0/fs/files{quote(path)}", {"overwrite": "true"}
        self.rest.send("PUT", place, query=query, data=content, raw=True, safe=True)

    # Workspace objects (2.0)

    def objects(self, path: str) -> list[Json]:
        """What is directly in a workspace folder. Raises NotFoundError when it is missing."""
        return list(self.rest.get("2.0/workspace/list", {"path": path}).get("objects", []))

    def object(self, path: str) -> Json | None:
        """One workspace object, or ``None``."""
        try:
            return dict(self.rest.get("2.0/workspace/get-status", {"path": path}))
        except NotFoundError:
            return None

    def make_folder(self, path: str) -> None:
        """Make a workspace folder and those above it."""
        self.rest.post("2.0/workspace/mkdirs", {"path": path}, safe=True)

    def put(
        self,
        path: str,
        content: bytes,
        kind: Format,
        language: str = "",
        *,
        overwrite: bool = True,
        seen_at: int | None = None,
        again: Callable[[], None] | None = None,
    ) -> None:
        """Write a notebook (``SOURCE`` and its language) or a file (``RAW``) over what is there.

        Without ``overwrite`` it is refused where something is. Where the workspace can, it refuses
        to replace what was edited after ``seen_at``. ``again`` is called before each repetition of
        a request whose answer did not arrive.
        """
        seen = self._seen_at(seen_at)
        if kind == "RAW" and len(content) > IMPORT_LIMIT:
            self.rest.send(
                "POST",
                f"2.0/workspace-files/import-file/{quote(path.lstrip('/'))}",
                query={"overwrite": str(overwrite).lower(), **seen},
                data=content,
                safe=True,
                again=again,
            )
            return
        form: dict[str, Any] = {
            "path": (None, path),
            "format": (None, kind),
            "overwrite": (None, str(overwrite).lower()),
            "content": ("content", content),
            **{name: (None, str(value)) for name, value in seen.items()},
        }
        if language:
            form["language"] = (None, language.upper())
        self.rest.send("POST", "2.0/workspace/import", form=form, safe=True, again=again)

    def fetch(self, path: str, size: int = 0) -> bytes:
        """Read a notebook's source or a file's content; ``size`` is a file's, where it is known."""
        if size > IMPORT_LIMIT:
            place = f"2.0/workspace-files/{quote(path.lstrip('/'))}"
            content: bytes = self.rest.send("GET", place, raw=True, safe=True)
            return content
        # As JSON, because a broken answer can be told from a broken file then.
        query = {"path": path, "format": "SOURCE"}
        return base64.b64decode(self.rest.get("2.0/workspace/export", query).get("content") or "")

    def delete(self, path: str, *, recursive: bool = False, seen_at: int | None = None) -> None:
        """Delete a workspace object; one that is not there is no error.

        Where the workspace can, it refuses to delete what was edited after ``seen_at``.
        """
        body = {"path": path, "recursive": recursive, **self._seen_at(seen_at)}
        try:
            self.rest.post("2.0/workspace/delete", body, safe=True)
        except NotFoundError:
            return

    def _seen_at(self, modified_at: int | None) -> dict[str, int]:
        if modified_at is None or "if-modified-at" not in self.rest.capabilities:
            return {}
        return {"if_modified_at": modified_at}

    # Commands (1.2)

    def create_context(self, cluster_id: str, language: str) -> str:
        """Open an execution context on a running cluster."""
        body = {"clusterId": cluster_id, "language": language}
        return str(self.rest.post("1.2/contexts/create", body)["id"])

    def context(self, cluster_id: str, context_id: str) -> Json:
        """A context's ``status``: ``Pending``, ``Running`` or ``Error``."""
        query = {"clusterId": cluster_id, "contextId": context_id}
        return dict(self.rest.get("1.2/contexts/status", query))

    def destroy_context(self, cluster_id: str, context_id: str) -> None:
        """Close a context; its variables are gone."""
        body = {"clusterId": cluster_id, "contextId": context_id}
        self.rest.post("1.2/contexts/destroy", body, safe=True)

    def execute(self, cluster_id: str, context_id: str, language: str, code: str) -> str:
        """Start a command in a context and give its id."""
        body = {
            "clusterId": cluster_id,
            "contextId": context_id,
            "language": language,
            "command": code,
        }
        return str(self.rest.post("1.2/commands/execute", body)["id"])

    def command(self, cluster_id: str, context_id: str, command_id: str) -> Json:
        """The status of a command and, at its end, its ``results``."""
        query = {"clusterId": cluster_id, "contextId": context_id, "commandId": command_id}
        return dict(self.rest.look("1.2/commands/status", query))

    @property
    def streams(self) -> bool:
        """Whether the workspace tells a command's outputs while it runs (the local one does)."""
        return "events" in self.rest.capabilities

    def command_events(
        self, cluster_id: str, context_id: str, command_id: str, cursor: int, wait: float
    ) -> Json:
        """The ``events`` of a command from ``cursor`` on, waiting up to ``wait`` s for new ones."""
        query = {
            "clusterId": cluster_id,
            "contextId": context_id,
            "commandId": command_id,
            "cursor": cursor,
            "wait": wait,
        }
        return dict(self.rest.look("1.2/commands/events", query))

    @property
    def knows_names(self) -> bool:
        """Whether the workspace tells of a context's names without running anything there."""
        return "names" in self.rest.capabilities

    def ask_context(
        self, kind: Literal["complete", "inspect"], cluster_id: str, context_id: str, code: str
    ) -> Json:
        """Jupyter's answer about the end of ``code``: completions, or what stands there."""
        body = {"clusterId": cluster_id, "contextId": context_id, "code": code, "cursor": len(code)}
        return dict(self.rest.post(f"1.2/contexts/{kind}", body))

    def cancel_command(self, cluster_id: str, context_id: str, command_id: str) -> None:
        """Stop a command; its context lives on."""
        body = {"clusterId": cluster_id, "contextId": context_id, "commandId": command_id}
        self.rest.post("1.2/commands/cancel", body, safe=True)

    # Jobs and their runs (2.2)

    def jobs(self, name: str) -> list[Json]:
        """The jobs of that name."""
        found = self.rest.get("2.2/jobs/list", {"name": name}).get("jobs", [])
        return [job for job in found if job["settings"]["name"] == name]

    def create_job(self, settings: Mapping[str, Any]) -> int:
        """Create a job and give its id."""
        return int(self.rest.post("2.2/jobs/create", settings)["job_id"])

    def update_job(self, job_id: int, settings: Mapping[str, Any]) -> None:
        """Replace some settings of a job; the others stay."""
        body = {"job_id": job_id, "new_settings": settings}
        self.rest.post("2.2/jobs/update", body, safe=True)

    def run_job(self, body: Mapping[str, Any]) -> int:
        """Run a job and give the run's id; its ``idempotency_token`` makes it safe."""
        return int(self.rest.post("2.2/jobs/run-now", body, safe=True)["run_id"])

    def submit(self, body: Mapping[str, Any]) -> int:
        """Submit a one-time run and give its id; its ``idempotency_token`` makes it safe."""
        return int(self.rest.post("2.2/jobs/runs/submit", body, safe=True)["run_id"])

    def run(self, run_id: int) -> Json:
        """The state of a run and its tasks."""
        return dict(self.rest.get("2.2/jobs/runs/get", {"run_id": run_id}))

    def run_output(self, run_id: int) -> Json:
        """What one task of a run left: ``notebook_output``, ``error``, ``error_trace``."""
        return dict(self.rest.get("2.2/jobs/runs/get-output", {"run_id": run_id}))

    def run_cells(self, run_id: int, cursor: int, wait: float) -> Json:
        """The cells of a notebook task and their outputs (the local workspace's extension)."""
        query = {"run_id": run_id, "cursor": cursor, "wait": wait}
        return dict(self.rest.get("2.2/jobs/runs/cells", query))

    def cancel_run(self, run_id: int) -> None:
        """Stop a run."""
        self.rest.post("2.2/jobs/runs/cancel", {"run_id": run_id}, safe=True)
