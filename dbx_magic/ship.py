"""The whole way in one verb: from what is on disk to what the pipelines deployed."""

from __future__ import annotations

from dataclasses import dataclass

from . import lockfile
from .dbx import Dbx
from .errors import PipelineError
from .events import Note, Work
from .follow import Followed, follow
from .project import SPEC
from .rebuild import Rebuilt, rebuild
from .spec import parse_spec
from .transfer import Pushed, push
from .versions import Committed, commit
from .view import View


@dataclass(frozen=True)
class Shipped:
    """What each step did; those that were not needed are ``None``."""

    rebuilt: Rebuilt | None
    pushed: Pushed
    committed: Committed
    followed: Followed | None

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return self.followed.exit_code if self.followed else 0

    def view(self) -> View:
        """What each step shows."""
        steps = (self.rebuilt, self.pushed, self.committed, self.followed)
        return [block for step in steps if step for block in step.view()]


def ship(dbx: Dbx, *, message: str) -> Work[Shipped]:
    """Rebuild the cluster if its spec changed, push, commit, publish, and follow the pipelines.

    Each step is what the verb of its name does. What cannot be committed is found before anything
    is sent. Without a remote the version stays here.

    Args:
        message: What this version is about, for the history.

    Raises:
        DbxError: what the verbs raise; the steps before it are done.
    """
    for _ in commit(dbx, message=message, dry_run=True):
        pass  # a secret, a broken notebook, a merge under way: all that a commit refuses
    rebuilt = (yield from rebuild(dbx)) if _spec_changed(dbx) else None
    pushed = yield from push(dbx)
    to_remote = bool(dbx.repo.run("remote"))
    committed = yield from commit(dbx, message=message, publish=to_remote)
    published = committed.published
    followed = None
    if published and published.commits and not published.review:
        try:
            followed = yield from follow(dbx)
        except PipelineError as error:
            # It is published all the same; what becomes of it has to be looked up elsewhere.
            yield Note(f"Not followed: {error}", "!")
    return Shipped(rebuilt, pushed, committed, followed)


def _spec_changed(dbx: Dbx) -> bool:
    """Whether the cluster spec is not the one of the last version."""
    if not dbx.project.spec_path.exists():
        return False
    text = dbx.project.spec_path.read_text(encoding="utf-8-sig")
    now = parse_spec(text, dbx.project.settings.cluster, where=str(SPEC)).fingerprint
    committed = dbx.repo.run("show", f"HEAD:./{lockfile.NAME}", check=False)
    return not committed or lockfile.parse(committed).spec != now
