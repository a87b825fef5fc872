"""Everything that can go wrong for a reason the user can act on.

    DbxError             2   400   bad input of any kind
    ├── UsageError       2   400   an unknown verb, option or value
    ├── ProjectError     3   422   a file of the project: missing, malformed, contradictory
    ├── ConflictError    4   409   two sides changed the same thing; a plan that is no longer true
    ├── WorkspaceError   5   502   the workspace refused, failed or cannot be reached
    │   ├── NotFoundError          … because there is no such thing
    │   └── UnreachableError       … because it does not answer
    ├── GitError         6   422   the repository does not allow it
    ├── PipelineError    7   502   a pipeline cannot be found or failed
    ├── RemoteError      8   422   code that ran on the cluster raised
    └── QualityError     9   422   data or a model is not as it must be

The first number is the exit code of ``dbx-magic``, the second the HTTP status in JupyterLab.
Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class DbxError(Exception):
    """What is wrong and where (``message``), and what can be done about it (``hint``)."""

    exit_code = 2
    http_status = 400

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def _render_traceback_(self) -> list[str]:
        """Show one clear line instead of a stack (IPython's protocol for exceptions)."""
        return [f"✗ {self}"]


class UsageError(DbxError):
    """An unknown verb, option or value."""


class ProjectError(DbxError):
    """A file of the project is missing, malformed or contradicts another."""

    exit_code = 3
    http_status = 422


class ConflictError(DbxError):
    """Two sides changed the same thing, or what was planned is no longer true."""

    exit_code = 4
    http_status = 409


class WorkspaceError(DbxError):
    """The workspace refused, failed or cannot be reached.

    ``code`` is Databricks' own error code (``INVALID_STATE`` …), empty when there was no answer.
    """

    exit_code = 5
    http_status = 502

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class NotFoundError(WorkspaceError):
    """The workspace has no such thing."""

    http_status = 404


class UnreachableError(WorkspaceError):
    """The workspace does not answer."""


class GitError(DbxError):
    """The repository does not allow what was asked."""

    exit_code = 6
    http_status = 422


class PipelineError(DbxError):
    """A pipeline cannot be found, or its run failed."""

    exit_code = 7
    http_status = 502


class RemoteError(DbxError):
    """Code that ran on the cluster raised; ``traceback`` is its own, line by line."""

    exit_code = 8
    http_status = 422

    def __init__(self, message: str, hint: str = "", *, traceback: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.traceback = tuple(traceback)

    def _render_traceback_(self) -> list[str]:
        # The exception's own sentence stands at the end of its traceback already.
        name = self.message.partition(":")[0]
        told = self.traceback and name.replace(".", "").isidentifier() and not self.hint
        return [*self.traceback, *([] if told else super()._render_traceback_())]


class QualityError(DbxError):
    """Data or a model is not as dbx.toml says that it must be."""

    exit_code = 9
    http_status = 422
