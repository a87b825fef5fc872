"""The door to who runs the pipelines of a remote: Azure DevOps, GitHub, GitLab or this machine."""

from __future__ import annotations

from collections.abc import Callable

from .azure_devops import AzureDevOps
from .errors import PipelineError
from .forge_host import Host, Place, headers_of, place_of
from .github import GitHub
from .gitlab import GitLab
from .local_remote import LocalRemote
from .pipeline_run import Forge, GitHost
from .repo import Repo


def open_forge(repo: Repo, remote: str) -> Forge:
    """Open who runs the pipelines of what is published to a remote.

    Raises:
        PipelineError: the remote's host is not known, or must not get a token.
    """
    local = LocalRemote.of(repo, remote)
    if local is not None:
        return local
    place = forge_place(repo, remote)
    if place is None:
        raise PipelineError(
            f"It is not known who runs the pipelines of the remote {remote}.",
            f"Say so: `git config remote.{remote}.forge` azure, github or gitlab; or run them "
            "here: `pipeline local`",
        )
    return _OPENED[place.kind](place, dict(headers_of(repo, remote, place)))


def open_host(repo: Repo, remote: str) -> GitHost | None:
    """Open the git host of a remote; ``None`` where nobody is signed in, or there is none.

    Raises:
        PipelineError: the host must not get a token.
    """
    place = None if LocalRemote.of(repo, remote) else forge_place(repo, remote)
    headers = headers_of(repo, remote, place) if place else {}
    return _OPENED[place.kind](place, dict(headers)) if place and headers else None


def forge_place(repo: Repo, remote: str) -> Place | None:
    """Where the repository behind a remote is, if its host is a known one."""
    url = repo.run("remote", "get-url", remote, check=False)
    return place_of(url, repo.run("config", "--get", f"remote.{remote}.forge", check=False))


def _azure(place: Place, headers: dict[str, str]) -> GitHost:
    accept = {"Accept": "application/json;api-version=7.1"}
    host = Host(place.web, "azure", lambda: {**accept, **headers}, signed=bool(headers))
    return AzureDevOps(host, place.path)


def _github(place: Place, headers: dict[str, str]) -> GitHost:
    own = place.web == "https://github.com"
    root = "https://api.github.com" if own else f"{place.web}/api/v3"
    accept = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    return GitHub(
        Host(root, "github", lambda: {**accept, **headers}, signed=bool(headers)), place.path
    )


def _gitlab(place: Place, headers: dict[str, str]) -> GitHost:
    root = f"{place.web}/api/v4"
    return GitLab(Host(root, "gitlab", lambda: headers, signed=bool(headers)), place.path)


_OPENED: dict[str, Callable[[Place, dict[str, str]], GitHost]] = {
    "azure": _azure,
    "github": _github,
    "gitlab": _gitlab,
}
