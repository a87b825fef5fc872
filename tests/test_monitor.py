"""Data that drifts, on a real cluster: its metrics, who violates, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest

from dbx_magic import verbs
from dbx_magic.data import rows
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ProjectError, QualityError, UsageError, WorkspaceError
from dbx_magic.events import Event, Note, Progress, drive
from dbx_magic.show import text
from dbx_magic.workspace import Json

Perform = Callable[..., Any]
Ask = Callable[[str], list[Json]]

pytestmark = pytest.mark.usefixtures("on_the_shared_cluster")


@pytest.fixture
def ask(dbx: Dbx) -> Ask:
    """Ask Spark on the cluster, as if the project's own cells did."""
    return lambda statement: drive(rows(dbx, statement), lambda _: None)


@pytest.fixture
def settings(dbx: Dbx, project: Path) -> Callable[[str], None]:
    """Add to the project's dbx.toml."""

    def settings(more: str) -> None:
        path = project / "dbx.toml"
        path.write_text(path.read_text() + more)
        dbx.refresh(project)

    return settings


def monitored(table: str, monitor: str) -> str:
    return f"[data.{table}]\nsource = '{table}'\n[data.{table}.monitor]\n{monitor}\n"


def create(ask: Ask, table: str, columns: str, values: str) -> None:
    for name in (table, f"{table}_profile_metrics", f"{table}_drift_metrics"):
        ask(f"drop table if exists {name}")
    ask(f"create table {table} ({columns})")
    if values:
        ask(f"insert into {table} {values}")


def sample(seed: int, middle: float, count: int) -> list[float]:
    return [round(x, 6) for x in np.random.default_rng(seed).normal(middle, 1, count).tolist()]


def birds(day: int, masses: list[float], kinds: str) -> str:
    return ", ".join(
        f"(timestamp'2026-11-{day:02} {number % 24:02}:30:00Z', {mass}D, '{kinds[number % 4]}')"
        for number, mass in enumerate(masses)
    )


def js_distance(ours: list[float], theirs: list[float]) -> float:
    """By the book: NumPy's deciles, the shares between them, and the divergence in bits."""
    deciles = np.quantile(theirs, np.linspace(0, 1, 11), method="inverted_cdf")
    edges = [-np.inf, np.nextafter(deciles[0], -np.inf), *deciles, np.inf]
    shares = [
        pd.cut(pd.Series(values), edges, labels=False).value_counts(normalize=True)
        for values in (ours, theirs)
    ]
    p, q = (share.reindex(range(len(edges) - 1), fill_value=0).to_numpy() for share in shares)
    m = (p + q) / 2
    bits = [np.sum(x[x > 0] * np.log2(x[x > 0] / m[x > 0])) for x in (p, q)]
    return float(np.sqrt(sum(bits) / 2))


def test_a_week_whose_last_two_days_drift(
    dbx: Dbx, perform: Perform, ask: Ask, settings: Callable[[str], None]
) -> None:
    days = {day: sample(day, 5 if day < 6 else 7, 61) for day in range(1, 8)}
    base = sample(99, 5, 203)
    week = ", ".join(birds(day, mass, "abab" if day < 6 else "aabc") for day, mass in days.items())
    bad = "(timestamp'2026-11-01 00:00:00Z', null, null), "
    bad += "(timestamp'2026-11-01 00:00:00Z', double('NaN'), 'a'), "
    still_open = "(current_timestamp() + interval 1 day, 100D, 'z')"
    columns = "at timestamp, `body mass.g'` double, kind string"
    create(ask, "week", columns, f"values {bad}{week}, {still_open}")
    create(ask, "base", columns, f"values {birds(1, base, 'abab')}")
    limits = "drift = {js_distance = 0.45, percent_null_delta = 5}"
    settings(monitored("week", f"time = 'AT'\nbaseline = 'select * from base'\n{limits}"))

    # Stopped between the two tables.
    work = verbs.perform(dbx, "monitor", {})
    for event in work:
        if isinstance(event, Progress) and "to compare" in event.state:
            break
    work.close()
    windows = "select count(*) as all, count(distinct window, column_name, log_type) as own from "
    assert ask(f"{windows} week_profile_metrics") == [{"all": 28, "own": 28}]  # 7 days, 3 columns
    assert ask(f"{windows.replace(', log_type', '')} week_drift_metrics")[0]["all"] == 0

    # The next run goes on from there.
    done = perform("monitor")
    assert done.exit_code == QualityError.exit_code == 9
    (week_,) = done.data
    assert (week_.added, week_.drifted) == (0, True)
    assert ask(f"{windows.replace(', log_type', '')} week_drift_metrics") == [
        {"all": 28, "own": 28}
    ]
    last, before, ok = week_.windows
    assert [item.start[:10] for item in week_.windows] == ["2026-11-07", "2026-11-06", "2026-11-05"]
    assert ok.violations == ()
    for window, day in ((last, 7), (before, 6)):
        found = {(item.column, item.metric): item.value for item in window.violations}
        value = found["body mass.g'", "js_distance"]
        assert value == pytest.approx(js_distance(days[day], base))

    # The first day, which has a null and a NaN, beside pandas.
    query = "select * from week_profile_metrics where log_type = 'INPUT' "
    query += "and window.start = timestamp'2026-11-01 00:00:00Z' and column_name = "
    (mass,) = ask(query + r"'body mass.g\''")
    ours = pd.Series(days[1])
    assert (mass["count"], mass["num_nulls"], mass["num_nan"]) == (63, 1, 1)
    assert (mass["data_type"], mass["granularity"]) == ("double", "1 day")
    assert mass["percent_null"] == mass["percent_nan"] == pytest.approx(100 / 63)
    assert mass["avg"] == pytest.approx(ours.mean())
    assert mass["stddev"] == pytest.approx(ours.std())
    assert (mass["min"], mass["max"]) == (ours.min(), ours.max())
    deciles = np.quantile(ours, np.linspace(0, 1, 11), method="inverted_cdf")
    assert mass["quantiles"][::10] == pytest.approx(deciles.tolist())
    assert mass["median"] == deciles[5]
    (kind,) = ask(query + "'kind'")
    assert kind["frequent_items"] == [{"item": "a", "count": 32}, {"item": "b", "count": 30}]
    assert (kind["distinct_count"], kind["avg_length"], kind["avg"]) == (2, 1.0, None)
    (table,) = ask(query + "':table'")
    assert table["non_null_columns"] == ["at", "body mass.g'", "kind"]

    # Again: nothing is new.
    again = perform("monitor", name="week")
    assert again == done
    assert ask(f"{windows} week_profile_metrics") == [{"all": 32, "own": 32}]  # with the baseline
    told = text(done.view(), width=120)
    assert "✗ week has drifted: 2 of the last 3 windows violate a limit" in told
    assert "2026-11-07     body mass.g'   js_distance" in told


def test_each_window_beside_the_one_before(
    perform: Perform, ask: Ask, settings: Callable[[str], None]
) -> None:
    columns = "day date, same int, `new``kind` string, flag boolean, empty double, many array<int>"
    values = [
        f"(date'2026-11-{day:02}', {same}, '{kind}', {flag}, null, array(1))"
        for day, same, kind, flag in (
            *((1, 5, "a", "true"), (1, 5, "b", "false")),
            *((2, 5, "a", "true"), (2, 5, "b", "false")),
            *((5, 3, "c", "true"), (5, 3, "c", "true")),
        )
    ]
    create(ask, "steps", columns, f"values {', '.join(values)}")
    limits = "{tv_distance = 0.4, ks_test = 0.4, avg_delta = 1, count_delta = 0}"
    settings(monitored("steps", f"time = 'day'\nviolations = 1\nof = 1\ndrift = {limits}"))
    ask("set time zone 'Asia/Tokyo'")  # a day is a day everywhere
    try:
        done = perform("monitor")
    finally:
        ask("set time zone 'UTC'")
    (last,) = done.data[0].windows
    assert last.start == "2026-11-05T00:00:00+00:00"
    assert {(item.column, item.metric): item.value for item in last.violations} == {
        ("same", "tv_distance"): 1.0,  # all of it was 5, and none of it is
        ("same", "ks_test"): 1.0,
        ("same", "avg_delta"): -2.0,
        ("new`kind", "tv_distance"): 1.0,  # a kind that was not there
        ("flag", "tv_distance"): 0.5,
    }
    found = ask("select * from steps_drift_metrics where drift_type = 'CONSECUTIVE'")
    assert {row["column_name"] for row in found} == {
        *(":table", "day", "same", "new`kind", "flag", "empty")
    }
    first = next(row for row in found if row["column_name"] == "same" and not row["avg_delta"])
    assert first["window_cmp"]["start"].startswith("2026-11-01")
    assert (first["tv_distance"], first["wasserstein_distance"]) == (0.0, 0.0)


def test_nothing_to_judge_is_no_drift(
    perform: Perform, ask: Ask, settings: Callable[[str], None]
) -> None:
    create(ask, "nothing", "at timestamp, mass double", "")
    settings(monitored("nothing", "time = 'at'\nbaseline = 'nothing'\ndrift = {ks_test = 0.1}"))
    done = perform("monitor")
    assert (done.data[0].windows, done.exit_code) == ((), 0)
    assert "nothing: no window to judge yet" in text(done.view())


def test_tables_of_databricks_own_monitor_are_only_read(
    perform: Perform, ask: Ask, settings: Callable[[str], None]
) -> None:
    create(ask, "theirs", "at timestamp, mass double", "values (timestamp'2026-11-01', 1D)")
    ask("create table theirs_profile_metrics (window string, monitor_version bigint)")
    ask(
        "create table theirs_drift_metrics as select window(at, '1 day') as window, "
        "'1 day' as granularity, 0L as monitor_version, cast(null as string) as slice_key, "
        "'mass' as column_name, 'BASELINE' as drift_type, "
        "named_struct('statistic', 0.3D, 'pvalue', 0.01D) as ks_test from theirs"
    )
    limits = "violations = 1\nof = 1\ndrift = {ks_test = 0.2}"
    settings(monitored("theirs", f"time = 'at'\nbaseline = 'theirs'\n{limits}"))
    done = perform("monitor")
    assert [item.value for item in done.data[0].windows[0].violations] == [0.3]
    assert (done.data[0].added, done.exit_code) == (0, 9)
    assert ask("select * from theirs_profile_metrics") == []


@pytest.fixture
def trained(
    dbx: Dbx, perform: Perform, unavailable: Callable[[str], NoReturn]
) -> Callable[[float], None]:
    """Let the notebook `train` give a run of MLflow that reached so much, and its version."""
    try:
        dbx.tracking.aliases("watched")  # starts MLflow, which may have to be downloaded
    except WorkspaceError as error:
        unavailable(error.message)
    (dbx.project.root / "workspace" / "greet.py").unlink()

    def mlflow(path: str, **body: Any) -> Json:
        return dbx.workspace.rest.post(f"2.0/mlflow/{path}", body)

    def trained(accuracy: float) -> None:
        run = mlflow("runs/create", experiment_id="0")["run"]["info"]
        run_id, place = run["run_id"], f"{run['artifact_uri']}/model"
        mlflow("runs/log-metric", run_id=run_id, key="accuracy", value=accuracy, timestamp=1)
        mlflow("runs/update", run_id=run_id, status="FINISHED")
        mlflow("model-versions/create", name="watched", source=place, run_id=run_id)
        code = f"# Databricks notebook source\ndbutils.notebook.exit('{run_id}')\n"
        (dbx.project.root / "workspace" / "train.py").write_text(code)
        perform("push")

    mlflow("registered-models/create", name="watched")
    return trained


def test_drift_is_answered_once(
    dbx: Dbx,
    perform: Perform,
    ask: Ask,
    settings: Callable[[str], None],
    trained: Callable[[float], None],
) -> None:
    create(ask, "drifting", "at timestamp, mass double", "values (timestamp'2026-11-01', 1D)")
    ask("create table drifting_profile_metrics (window string, monitor_version bigint)")
    ask(
        "create table drifting_drift_metrics (window struct<start: timestamp, `end`: timestamp>, "
        "granularity string, monitor_version bigint, slice_key string, column_name string, "
        "drift_type string, avg_delta double)"
    )

    def drifts(day: int) -> None:
        at = f"timestamp'2026-11-{day:02} 00:00:00Z'"
        window = f"named_struct('start', {at}, 'end', {at} + interval 1 day)"
        ask(
            f"insert into drifting_drift_metrics "
            f"values ({window}, '1 day', 0, null, 'mass', 'CONSECUTIVE', 10D)"
        )

    def monitor(then: str) -> tuple[Any, str]:
        seen: list[Event] = []
        done = perform("monitor", seen, then=then)
        return done, " ".join(event.text for event in seen if isinstance(event, Note))

    model = "[model]\nname = 'watched'\ntrain = 'train'\nmetrics = {accuracy = {min = 0.8}}\n"
    limits = "violations = 1\nof = 2\ndrift = {avg_delta = 1}"
    settings(monitored("drifting", f"time = 'at'\n{limits}") + model)
    trained(0.9)
    perform("promote", version="1", force=True)
    assert monitor("retrain")[0].exit_code == 0  # no window yet

    drifts(1)
    trained(0.7)
    done, told = monitor("retrain")
    assert "drifting: drifted" in told
    (failed,) = (check for check in done.validated.checks if not check.passed)
    assert (failed.rule, failed.found) == ("accuracy at least 0.8", "0.7")
    assert (done.exit_code, done.promoted) == (9, None)
    done, told = monitor("retrain")
    assert "was in vain" in told
    assert (done.exit_code, done.tracked) == (9, None)
    assert dbx.tracking.aliases("watched") == {"champion": "1"}

    drifts(2)
    trained(0.95)
    done, _ = monitor("retrain")
    assert (done.exit_code, done.promoted.version) == (0, "3")
    done, _ = monitor("retrain")  # the new champion is not judged by what was before it
    assert (done.exit_code, done.data[0].windows, done.tracked) == (0, (), None)

    drifts(3)
    done, _ = monitor("rollback")
    assert (done.exit_code, done.promoted.version) == (0, "1")
    drifts(4)
    done, told = monitor("rollback")
    assert "gone back to already" in told
    assert (done.exit_code, done.promoted) == (9, None)
    assert dbx.tracking.aliases("watched") == {"champion": "1", "previous": "3"}


def test_what_cannot_be_monitored_is_told_by_its_key(
    dbx: Dbx, perform: Perform, ask: Ask, settings: Callable[[str], None]
) -> None:
    with pytest.raises(ProjectError, match=r"No data in dbx.toml is monitored\. Write \[data"):
        perform("monitor")
    create(ask, "odd", "at timestamp, told string", "")
    settings(
        monitored("odd", "time = 'observed_at'")
        + monitored("texts", "time = 'told'").replace("'texts'", "'odd'")
        + monitored("gone", "time = 'at'")
        + monitored("lost", "time = 'at'\nbaseline = 'select * from gone'").replace(
            "'lost'", "'odd'"
        )
    )
    for name, words in {
        "odd": r'dbx.toml: data.odd.monitor.time is "observed_at", but odd has no such column\. '
        r"Those with a time: at\.",
        "texts": r'data.texts.monitor.time is "told", but that is of type string',
        "gone": r"dbx.toml: data.gone.source cannot be read: .*gone",
        "lost": r"dbx.toml: data.lost.monitor.baseline cannot be read: .*gone",
    }.items():
        with pytest.raises(ProjectError, match=words):
            perform("monitor", name=name)
    with pytest.raises(UsageError, match=r"no data 'od' with a monitor.* Did you mean 'odd'\?"):
        perform("monitor", name="od")
    with pytest.raises(ProjectError, match=r"dbx.toml has no \[model\] to retrain"):
        perform("monitor", then="retrain")
