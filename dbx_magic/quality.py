"""What data and models must be, and whether they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .settings import Data, Metric
from .view import counted


@dataclass(frozen=True)
class Facts:
    """What is true of data now; ``broken`` counts the rows that are not as expected, by name.

    ``fingerprint`` is ``rows-hash``: equal for equal rows in any order, another one as soon as a
    single value of any row is another.
    """

    rows: int
    fingerprint: str
    broken: Mapping[str, int]


@dataclass(frozen=True)
class Check:
    """One rule about ``subject``, and what was found."""

    subject: str
    rule: str
    passed: bool
    found: str


def check_data(data: Data, facts: Facts) -> list[Check]:
    """Hold data against what dbx.toml expects of it."""
    words = f"at least {counted(data.rows, 'row')}"
    checks = [Check(data.name, words, facts.rows >= data.rows, f"{facts.rows:,}")]
    for rule, condition in data.expect.items():
        broken = facts.broken[rule]
        found = f"{broken:,} of {counted(facts.rows, 'row')} not: {condition}" if broken else "all"
        checks.append(Check(data.name, rule, not broken, found))
    return checks


def check_model(
    subject: str,
    metrics: Sequence[Metric],
    reached: Mapping[str, float],
    champion: Mapping[str, float] | None,
) -> list[Check]:
    """Hold a model's metrics against dbx.toml and, where there is a champion, against that."""
    return [check for metric in metrics for check in _of(subject, metric, reached, champion)]


def _of(
    subject: str, metric: Metric, reached: Mapping[str, float], champion: Mapping[str, float] | None
) -> list[Check]:
    name, least, most = metric.name, metric.min, metric.max
    rule = f"{name} at least {least:g}" if least is not None else f"{name} at most {most:g}"
    value = reached.get(name)
    if value is None:
        return [Check(subject, rule, passed=False, found="it was not measured")]
    # Written so that a NaN, which is what a broken model measures, never passes.
    enough = value >= least if least is not None else most is not None and value <= most
    checks = [Check(subject, rule, enough, f"{value:.4g}")]
    best = None if champion is None else champion.get(name)
    if best is not None:
        held = value >= best - metric.worse if least is not None else value <= best + metric.worse
        rule = f"{name} no worse than the champion's {best:.4g}"
        rule += f" by {metric.worse:g}" if metric.worse else ""
        checks.append(Check(subject, rule, held, f"{value:.4g}"))
    return checks
