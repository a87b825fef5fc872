"""The door to credentials: which host a profile means, and what proves who is asking."""

from __future__ import annotations

import configparser
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ProjectError, UsageError, WorkspaceError
from .settings import LOCAL

_KEPT = 30.0


@dataclass(frozen=True)
class Login:
    """A workspace and how to show who is asking. The headers never appear in its repr.

    ``has_token`` says that it is a token that stays as it is, not one that is renewed.
    """

    host: str
    headers: Callable[[], Mapping[str, str]] = field(repr=False)
    profile: str = ""
    has_token: bool = False


def config_path() -> Path:
    """Where Databricks' own tools keep their profiles."""
    return Path(os.environ.get("DATABRICKS_CONFIG_FILE", "~/.databrickscfg")).expanduser()


def find_login(profile: str) -> Login | None:
    """Resolve a profile as Databricks' tools do; ``None`` means: the local workspace.

    The empty profile takes the environment (``DATABRICKS_HOST`` and ``DATABRICKS_TOKEN``, or
    ``DATABRICKS_CONFIG_PROFILE``), then the default profile. A profile that is more than host and
    token (OAuth, Azure AD, …) is left to ``databricks-sdk``. ``DBX_MAGIC_LOGIN=environment``, as
    pipelines set it, takes the environment for every profile: their agents have none.

    Raises:
        UsageError: the profile is in no configuration file, or a pipeline lacks its variables.
        ProjectError: the configuration file cannot be read.
    """
    if os.environ.get("DBX_MAGIC_LOGIN") == "environment":
        return _environment_login()
    if profile == LOCAL:
        return None
    profiles = _profiles()
    if not profile:
        host = os.environ.get("DATABRICKS_HOST", "")
        if host:
            token = os.environ.get("DATABRICKS_TOKEN")
            return _token_login(host, token, "") if token else _sdk_login("")
        profile = os.environ.get("DATABRICKS_CONFIG_PROFILE", "")
        if not profile and "host" not in profiles.get("DEFAULT", {}):
            return None
        profile = profile or "DEFAULT"
    if profile not in profiles:
        raise UsageError(
            f"{config_path()} has no profile {profile!r}.",
            f"It has: {', '.join(profiles) or 'none'}. "
            "Add it there, or go to the local workspace with `use local`.",
        )
    section = profiles[profile]
    if "host" in section and "token" in section:
        return _token_login(section["host"], section["token"], profile)
    return _sdk_login(profile)


def _environment_login() -> Login:
    host, token = os.environ.get("DATABRICKS_HOST", ""), os.environ.get("DATABRICKS_TOKEN", "")
    for name, value in (("DATABRICKS_HOST", host), ("DATABRICKS_TOKEN", token)):
        # Azure hands a variable that it does not know over as its own name.
        if value.startswith("$(") or (name == "DATABRICKS_HOST" and not value):
            raise UsageError(
                f"{name} is not set in the environment of this pipeline.",
                "See that its variable group or its secrets are there.",
            )
    return _token_login(host, token, "") if token else _sdk_login("")


def _profiles() -> dict[str, Mapping[str, str]]:
    # Without a default section: it would lend its token to every profile that has none.
    parser = configparser.ConfigParser(default_section="\0", interpolation=None)
    try:
        parser.read(config_path(), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        # The error's own text may quote a line, and a line may hold a token.
        line = getattr(error, "lineno", None)
        where = f"{config_path()}, line {line}" if line else str(config_path())
        raise ProjectError(f"{where} cannot be read as a configuration file.") from None
    return {name: dict(parser[name]) for name in parser.sections()}


def _token_login(host: str, token: str, profile: str) -> Login:
    headers = {"Authorization": f"Bearer {token}"}
    return Login(_host(host), lambda: headers, profile, has_token=True)


def _sdk_login(profile: str) -> Login:
    try:
        from databricks.sdk.core import Config
    except ImportError:
        raise WorkspaceError(
            f"The profile {profile or 'in the environment'} has no plain token, so Databricks' "
            "SDK is needed to sign in.",
            'Install it with: pip install "dbx-magic[databricks]"',
        ) from None
    _must_answer(_profiles().get(profile, {}).get("host") or os.environ.get("DATABRICKS_HOST", ""))
    try:
        config = Config(profile=profile or None)
    except ValueError as error:
        raise _refused(profile, error) from None
    return Login(_host(str(config.host)), _kept(config.authenticate, profile), profile)


def _kept(
    authenticate: Callable[[], Mapping[str, str]], profile: str
) -> Callable[[], Mapping[str, str]]:
    """Keep what proves who is asking for a moment: the SDK gets some tokens anew each time."""
    lock = threading.Lock()
    headers: Mapping[str, str] = {}
    until = 0.0

    def signed() -> Mapping[str, str]:
        nonlocal headers, until
        with lock:
            if time.monotonic() > until:
                try:
                    headers = authenticate()
                except Exception as error:  # noqa: BLE001 - the SDK raises whatever there is
                    raise _refused(profile, error) from None
                until = time.monotonic() + _KEPT
            return headers

    return signed


def _refused(profile: str, error: Exception) -> WorkspaceError:
    what = f"with profile {profile!r}" if profile else "with what the environment has"
    return WorkspaceError(f"Signing in {what} failed: {str(error).partition(chr(10))[0]}")


def _must_answer(host: str) -> None:
    # The SDK would try a host that is not there for five minutes.
    import socket
    from urllib.parse import urlsplit

    address = urlsplit(_host(host))
    if not address.hostname:
        return
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname, port), timeout=5).close()
    except OSError:
        raise WorkspaceError(
            f"{_host(host)} cannot be reached.", "Check the host of the profile and your network."
        ) from None


def _host(text: str) -> str:
    host = text.strip().rstrip("/")
    return host if "://" in host else f"https://{host}"
