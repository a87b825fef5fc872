"""``dbx.toml``: defaults, targets, and errors that name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbx_magic.errors import ProjectError, UsageError
from dbx_magic.settings import Data, Metric, Model, Monitor, Settings, read_settings

MONITOR = "[data.b]\nsource = 'b'\n[data.b.monitor]\n"


def read(folder: Path, text: str) -> Settings:
    (folder / "dbx.toml").write_text(text)
    return read_settings(folder)


def test_without_a_file_all_comes_from_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "HelloWorkspace"
    root.mkdir()
    settings = read_settings(root)
    assert settings.project == settings.cluster == "HelloWorkspace"
    assert settings.target_named("").root == "/Shared/HelloWorkspace"


def test_targets_fall_back_to_the_project(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        'project = "taxi"\ncluster = "big"\n'
        '[targets.local]\n[targets.prod]\nprofile = "p"\nroot = "/Shared/taxi-prod/"\n'
        'cluster = "bigger"\nspec = {num_workers = 8}\n',
    )
    assert settings.target == "local"
    local, prod = settings.target_named("local"), settings.target_named("prod")
    assert (local.profile, local.root, local.cluster) == ("local", "/Shared/taxi", "big")
    assert (prod.profile, prod.root, prod.cluster) == ("p", "/Shared/taxi-prod", "bigger")
    assert prod.spec == {"num_workers": 8}


def test_the_local_target_is_always_there(tmp_path: Path) -> None:
    settings = read(tmp_path, '[targets.dev]\nprofile = "d"\n')
    assert settings.target_named("local").profile == "local"
    with pytest.raises(UsageError, match=r"no target 'prod'.*There are: dev, local"):
        settings.target_named("prod")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("project = ", "not valid TOML"),
        ("projekt = 'x'", r'"projekt" is not a setting. Did you mean "project"\?'),
        ("project = 3", '"project" must be a text, not 3'),
        ("exclude = 'x'", '"exclude" must be a list'),
        ("outputs = 'drop'", '"outputs" must be "strip" or "keep"'),
        ("targets = 3", '"targets" must be a table'),
        (
            "[targets.dev]\nrot = '/x'",
            r'"targets.dev.rot" is not .* Did you mean "targets.dev.root"',
        ),
        ("[targets.dev]\nroot = 'x'", 'a workspace folder begins with "/"'),
        ("data = 3", '"data" must be a table of tables'),
        ("[data.birds]\nrows = 3", '"data.birds.source" is missing'),
        ("[data.birds]\nsource = 'b'\nrows = true", '"data.birds.rows" must be a whole number'),
        ("[data.birds]\nsource = 'b'\nexpect = {ok = 1}", '"data.birds.expect.ok" must be a cond'),
        ("[data.birds]\nname = 'b'", '"data.birds.name" is not a setting'),
        ("[data.b]\nsource = 'b'\nmonitor = 'day'", '"data.b.monitor" must be a table'),
        (MONITOR, '"data.b.monitor.time" is missing'),
        (MONITOR + "time = 't'\nwindows = '1 day'", r'monitor.window"\?'),
        (MONITOR + "time = 't'\nwindow = 'daily'", "'daily', which is no window of time"),
        (MONITOR + "time = 't'\nviolations = 4", r'violations" is 4, of 3 windows'),
        (MONITOR + "time = 't'\ndrift = {js = 1}", r'"data.b.monitor.drift.js" is no metric'),
        (MONITOR + "time = 't'\ndrift = {ks_test = '1'}", 'drift.ks_test" must be a number'),
        (MONITOR + "time = 't'\ndrift = {ks_test = -1}", 'drift.ks_test" must be a number'),
        (
            "[data.b]\nsource = 'select 1'\nmonitor = {time = 't'}",
            '"data.b.source" must be a table\'s name to be monitored',
        ),
        ("model = 'm'", '"model" must be a table'),
        ("[model]\ntrain = 'train'", '"model.name" is missing'),
        ("[model]\nname = 'm'\nmetrics = {auc = {}}", '"model.metrics.auc" must have "min" or'),
        ("[model]\nname = 'm'\nmetrics = {auc = {min = '1'}}", 'auc.min" must be a number'),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ProjectError, match=words) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "dbx.toml") in str(caught.value)


def test_data_and_the_model_made_from_it(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        "[data.birds]\nsource = 'main.birds'\nrows = 300\nexpect = {heavy = 'mass > 0'}\n"
        "[model]\nname = 'birds'\ntrain = 'train'\n"
        "metrics = {accuracy = {min = 0.9, worse = 0.02}, loss = {max = 1}}\n",
    )
    assert settings.data == (Data("birds", "main.birds", 300, {"heavy": "mass > 0"}),)
    metrics = (Metric("accuracy", min=0.9, worse=0.02), Metric("loss", max=1))
    assert settings.model == Model("birds", "train", metrics=metrics)


def test_data_that_is_monitored(tmp_path: Path) -> None:
    text = "[data.b]\nsource = 'main.`odd-one`.b'\n[data.b.monitor]\ntime = 'at'\n"
    (data,) = read(tmp_path, text).data
    assert data.monitor == Monitor("at", "1 day", "", 2, 3, {})
    more = "window = '2 hours'\nviolations = 1\nof = 1\ndrift = {js_distance = 0.2}\n"
    (data,) = read(tmp_path, text + more).data
    assert data.monitor == Monitor("at", "2 hours", "", 1, 1, {"js_distance": 0.2})
