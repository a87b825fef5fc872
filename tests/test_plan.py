"""Plans: what is shown is what is done."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dbx_magic.errors import ConflictError
from dbx_magic.plan import Change, Plan
from dbx_magic.show import text


@dataclass(frozen=True)
class Send:
    path: str


def test_equal_steps_have_equal_fingerprints() -> None:
    one, same, other = (Plan("t", (Send(path),)) for path in ("a", "a", "b"))
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != other.fingerprint


def test_a_stale_plan_is_refused() -> None:
    plan = Plan("t", (Send("a"),))
    plan.must_be("")
    plan.must_be(plan.fingerprint)
    with pytest.raises(ConflictError, match="Something changed"):
        Plan("t", (Send("b"),)).must_be(plan.fingerprint)


def test_a_plan_reads_like_the_sketch() -> None:
    plan = Plan(
        "HelloCluster will be edited and restarted",
        (Send("x"),),
        (
            Change("~", "spark_version", "15.4", "16.4", "needs a restart"),
            Change("+", "library", after="pypi googlemaps==4.10.0"),
            Change("−", "train"),
        ),
        apply="rebuild",
    )
    assert text(plan.view()).split("\n") == [
        "HelloCluster will be edited and restarted",
        "  ~ spark_version   15.4 → 16.4   needs a restart",
        "  + library   pypi googlemaps==4.10.0",
        "  − train",
        "Apply: `rebuild`",
    ]
