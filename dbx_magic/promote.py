"""Which version of the model is used: the one that the alias `champion` names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from . import lockfile
from .dbx import Dbx
from .errors import ProjectError, QualityError, UsageError
from .events import Planned, Work
from .exchange import asked
from .plan import Change, Plan
from .tracking import CHAMPION, PASSED, PREVIOUS, VALIDATED
from .view import Line, View


@dataclass(frozen=True)
class SetAlias:
    """Let an alias name a version."""

    alias: str
    version: str


@dataclass(frozen=True)
class Promoted:
    """The champion as it is now, and the one before, empty when there was none."""

    model: str
    version: str
    before: str
    dry_run: bool = False

    def view(self) -> View:
        """One line; nothing after a dry run."""
        if self.dry_run:
            return []
        line = Line(f"{self.model} {self.version} is the champion", "✓", self._back())
        return [line, Line(f"code that uses it loads models:/{self.model}@{CHAMPION}", indent=1)]

    def _back(self) -> str:
        return f"`promote {PREVIOUS}` goes back to {self.before}" if self.before else ""


def promote(
    dbx: Dbx, version: str = "", *, force: bool = False, dry_run: bool = False, expect: str = ""
) -> Work[Promoted]:
    """Make a version of the model the champion, the one that is used.

    Only a version that was validated becomes it. The champion until then keeps the alias
    `previous`.

    Args:
        version: A version, or an alias such as `previous`; without it the one in dbx.lock.
        force: Also one that was not validated, or failed.
        dry_run: Only show what would change.
        expect: Apply only if the plan is still the one with this fingerprint.

    Raises:
        ProjectError: dbx.toml names no model.
        QualityError: the version was not validated, or failed.
        NotFoundError: there is no such version.
    """
    dbx.project.must_exist()
    model = dbx.project.settings.model
    if model is None:
        raise ProjectError("dbx.toml has no [model].", 'Write its name there: name = "…"')
    aliases = yield from asked("MLflow", partial(dbx.tracking.aliases, model.name))
    version = aliases.get(version, version) or lockfile.read(dbx.project.root).models.get(
        model.name, ""
    )
    if not version:
        raise UsageError(f"Which version of {model.name}?", "`track` records one, or name it.")
    there = dbx.tracking.version(model.name, version)
    champion = aliases.get(CHAMPION, "")
    verdict = there.tags.get(VALIDATED)
    if version != champion and verdict != PASSED and not force:
        why = "failed validation" if verdict else "was not validated"
        raise QualityError(
            f"{model.name} {version} {why}, so it does not become the champion.",
            f"See what it reaches with `validate {version}`, or insist with --force.",
        )
    plan = _plan(model.name, version, champion)
    if dry_run:
        yield Planned(plan)
    plan.must_be(expect)
    if not dry_run:
        for step in plan.steps:
            dbx.tracking.set_alias(model.name, step.alias, step.version)
    before = champion if version != champion else aliases.get(PREVIOUS, "")
    return Promoted(model.name, version, before, dry_run)


def _plan(model: str, version: str, champion: str) -> Plan[SetAlias]:
    if version == champion:
        return Plan(f"{model} {version} is the champion already", ())
    # In this order, so that one who is stopped between the two can begin again.
    keep = (SetAlias(PREVIOUS, champion),) if champion else ()
    steps = (*keep, SetAlias(CHAMPION, version))
    change = Change("~" if champion else "+", CHAMPION, champion, version)
    return Plan(f"{model} gets another champion", steps, (change,), f"promote {version}")
