"""Which workspace a profile means."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbx_magic.auth import find_login
from dbx_magic.errors import ProjectError, UsageError, WorkspaceError


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "databrickscfg"
    path.write_text(
        "[DEFAULT]\nhost = https://default.test/\ntoken = dapi-default\n\n"
        "[dev]\nhost = dev.test\ntoken = dapi-dev\n\n[bare]\nhost = http://127.0.0.1:9\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    return path


def authorization(profile: str) -> tuple[str, str]:
    login = find_login(profile)
    assert login is not None
    return login.host, login.headers()["Authorization"]


def test_a_profile_is_host_and_token(profiles: Path) -> None:
    assert authorization("dev") == ("https://dev.test", "Bearer dapi-dev")


def test_the_default_profile_is_found(profiles: Path) -> None:
    assert authorization("") == ("https://default.test", "Bearer dapi-default")


def test_the_environment_comes_first(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "dev")
    assert authorization("")[0] == "https://dev.test"
    monkeypatch.setenv("DATABRICKS_HOST", "https://env.test")
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-env")
    assert authorization("") == ("https://env.test", "Bearer dapi-env")
    assert authorization("dev")[0] == "https://dev.test"


def test_a_named_profile_does_not_borrow_the_default_token(profiles: Path) -> None:
    """`[bare]` has no token: it is left to the SDK, never signed with another host's token."""
    with pytest.raises(WorkspaceError, match=r"http://127.0.0.1:9 cannot be reached"):
        find_login("bare")


def test_nothing_configured_means_the_local_workspace() -> None:
    assert find_login("") is None
    assert find_login("local") is None


def test_an_unknown_profile_is_named(profiles: Path) -> None:
    with pytest.raises(UsageError, match=r"no profile 'prod'.*It has: DEFAULT, dev, bare"):
        find_login("prod")


def test_a_broken_file_names_the_line_and_no_token(profiles: Path) -> None:
    profiles.write_text("[dev]\ntoken dapi-secret\n")
    with pytest.raises(ProjectError, match="databrickscfg") as caught:
        find_login("dev")
    assert "dapi-secret" not in str(caught.value)


def test_a_login_does_not_show_its_token(profiles: Path) -> None:
    assert "dapi-dev" not in repr(find_login("dev"))
