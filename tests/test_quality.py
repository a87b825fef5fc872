"""What data and models must be, held against what they are."""

from __future__ import annotations

import math

import pytest

from dbx_magic.quality import Facts, check_data, check_model
from dbx_magic.settings import Data, Metric


def test_data_is_enough_and_each_row_as_expected() -> None:
    data = Data("birds", "birds", 3, {"heavy": "mass > 0", "named": "name <> ''"})
    checks = check_data(data, Facts(3, "3-0", {"heavy": 0, "named": 2}))
    assert [(check.rule, check.passed) for check in checks] == [
        ("at least 3 rows", True),
        ("heavy", True),
        ("named", False),
    ]
    assert checks[2].found == "2 of 3 rows not: name <> ''"
    assert not check_data(data, Facts(2, "2-0", {"heavy": 0, "named": 0}))[0].passed


@pytest.mark.parametrize(
    ("metric", "reached", "champion", "passed"),
    [
        (Metric("auc", min=0.9), {"auc": 0.9}, None, [True]),
        (Metric("auc", min=0.9), {"auc": 0.89}, None, [False]),
        (Metric("auc", min=0.9), {"loss": 1.0}, None, [False]),
        (Metric("auc", min=0.9), {"auc": math.nan}, None, [False]),
        (Metric("auc", min=0.9), {"auc": 0.95}, {"auc": 0.96}, [True, False]),
        (Metric("auc", min=0.9, worse=0.02), {"auc": 0.95}, {"auc": 0.96}, [True, True]),
        (Metric("auc", min=0.9), {"auc": 0.95}, {"loss": 1.0}, [True]),
        (Metric("loss", max=1.0), {"loss": 0.7}, {"loss": 0.5}, [True, False]),
        (Metric("loss", max=1.0, worse=0.3), {"loss": 0.7}, {"loss": 0.5}, [True, True]),
        (Metric("loss", max=1.0), {"loss": 1.1}, {"loss": 2.0}, [False, True]),
        (Metric("loss", max=0.0), {"loss": 0.0}, None, [True]),
    ],
)
def test_a_metric_has_a_limit_and_a_champion(
    metric: Metric,
    reached: dict[str, float],
    champion: dict[str, float] | None,
    passed: list[bool],
) -> None:
    checks = check_model("m 1", [metric], reached, champion)
    assert [check.passed for check in checks] == passed
