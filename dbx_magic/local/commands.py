"""The Command Execution API 1.2, and beside it the stream of a command's events as they come."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile

from .bell import HOLD_SECONDS
from .call import Call, Operation
from .errors import Refused
from .lifecycle import Lifecycle

if TYPE_CHECKING:
    from .compute import Command, Compute

LANGUAGES = ("python", "sql", "scala", "r")
FINAL = ("Finished", "Cancelled", "Error")
_COMMAND_LIMIT = 6 * 1024 * 1024
_LONGEST_WAIT = 20
_UNTIL_END = sys.maxsize


class Commands:
    """Contexts and commands on running clusters."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def operations(self) -> list[Operation]:
        """The operations of the API, and three that Databricks does not have.

        ``commands/events`` streams; ``contexts/complete`` and ``contexts/inspect`` answer what an
        editor wants to know of a context's names.
        """
        version = ("1.2",)
        return [
            Operation("POST", "/contexts/create", self._create, version),
            Operation("GET", "/contexts/status", self._context_status, version),
            Operation("POST", "/contexts/destroy", self._destroy, version),
            Operation("POST", "/contexts/complete", self._complete, version),
            Operation("POST", "/contexts/inspect", self._inspect, version),
            Operation("POST", "/commands/execute", self._execute, version),
            Operation("GET", "/commands/status", self._status, version),
            Operation("GET", "/commands/events", self._events, version),
            Operation("POST", "/commands/cancel", self._cancel, version),
        ]

    async def _create(self, call: Call) -> Mapping[str, Any]:
        compute = self._compute(call)
        return {"id": await compute.create_context(_language(call))}

    async def _context_status(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        await compute.wait_context(context_id, HOLD_SECONDS)
        # Databricks gives no reason; clients that do not know the field leave it alone.
        reason = compute.context_reason(context_id)
        answer = {"id": context_id, "status": compute.context_status(context_id)}
        return {**answer, "reason": reason} if reason else answer

    async def _destroy(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        await compute.destroy_context(context_id)
        return {"id": context_id}

    async def _complete(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        return await compute.complete(context_id, call.text("code"), call.whole("cursor", 0))

    async def _inspect(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        return await compute.inspect(context_id, call.text("code"), call.whole("cursor", 0))

    async def _execute(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        if compute.context_status(context_id) == "Error":
            # Nothing can run there any more: clients open another one.
            reason = compute.context_reason(context_id)
            raise Refused(
                "NOT_FOUND", f"ContextNotFoundException: Context not found: {context_id}: {reason}"
            )
        source = call.fields.get("command")
        code = (
            (await source.read()).decode("utf-8", "replace")
            if isinstance(source, UploadFile)
            else call.text("command", "")
        )
        if len(code) > _COMMAND_LIMIT:
            raise Refused(
                "INVALID_PARAMETER_VALUE",
                f"The command has {len(code)} characters, at most {_COMMAND_LIMIT} can be run.",
            )
        return {"id": compute.execute(context_id, _language(call), code)}

    async def _status(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        command = self._command(compute, context_id, call)
        if command.status not in FINAL:
            # Whoever asks for the status wants to hear the end, not each line printed before it.
            command = await compute.wait_command(
                context_id, call.text("commandId"), _UNTIL_END, HOLD_SECONDS
            )
        return {
            "id": call.text("commandId"),
            "status": command.status,
            "results": command.results,
        }

    async def _events(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        command = self._command(compute, context_id, call)
        cursor = max(0, call.whole("cursor", 0))
        wait = call.seconds("wait", _LONGEST_WAIT)
        if wait and len(command.events) <= cursor and command.status not in FINAL:
            command = await compute.wait_command(context_id, call.text("commandId"), cursor, wait)
        events = command.events[cursor:]
        return {
            "events": events,
            "cursor": cursor + len(events),
            "status": command.status,
            "failed": any(event["type"] == "error" for event in command.events[-1:]),
        }

    async def _cancel(self, call: Call) -> Mapping[str, Any]:
        compute, context_id = self._context(call)
        self._command(compute, context_id, call)
        await compute.cancel(context_id, call.text("commandId"))
        return {"id": call.text("commandId")}

    def _compute(self, call: Call) -> Compute:
        cluster_id = call.text("clusterId")
        cluster = self._lifecycle.clusters.get(cluster_id)
        if cluster is None:
            raise Refused("NOT_FOUND", f"ClusterNotFoundException: Cluster not found: {cluster_id}")
        if cluster.compute is None or cluster.record.state not in ("RUNNING", "RESIZING"):
            state = cluster.record.state.capitalize()
            raise Refused(
                "INVALID_STATE",
                f"ClusterNotReadyException: Cluster {cluster_id} is in state {state},"
                " it must be Running.",
            )
        return cluster.compute

    def _context(self, call: Call) -> tuple[Compute, str]:
        compute = self._compute(call)
        context_id = call.text("contextId", "")
        if not context_id:
            raise Refused("INVALID_PARAMETER_VALUE", "requirement failed: missing contextId")
        try:
            compute.context_status(context_id)
        except KeyError:
            raise Refused(
                "NOT_FOUND", f"ContextNotFoundException: Context not found: {context_id}"
            ) from None
        return compute, context_id

    def _command(self, compute: Compute, context_id: str, call: Call) -> Command:
        command_id = call.text("commandId")
        try:
            return compute.command(context_id, command_id)
        except KeyError:
            raise Refused(
                "NOT_FOUND", f"CommandNotFoundException: Command not found: {command_id}"
            ) from None


def _language(call: Call) -> str:
    language = call.text("language", "python").lower()
    if language not in LANGUAGES:
        raise Refused(
            "INVALID_PARAMETER_VALUE", f"Unsupported language: {language}. {', '.join(LANGUAGES)}."
        )
    return language
