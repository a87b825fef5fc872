"""A git host that runs pipelines: where its API is, and what proves who is asking."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote, unquote, urlsplit

from .errors import PipelineError, UnreachableError, WorkspaceError
from .repo import Repo
from .rest import Query, Rest, read_error

if TYPE_CHECKING:
    import requests

Kind = Literal["azure", "github", "gitlab"]
NAMES: Mapping[Kind, str] = {"azure": "Azure DevOps", "github": "GitHub", "gitlab": "GitLab"}
# Only these get a token from the environment unasked; any other host the user has to name first.
_KNOWN: Mapping[str, Kind] = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "dev.azure.com": "azure",
}
_VARIABLES: Mapping[Kind, tuple[str, ...]] = {
    # That of Azure's own command line; the second is a pipeline's.
    "azure": ("AZURE_DEVOPS_EXT_PAT", "SYSTEM_ACCESSTOKEN"),
    "github": ("GH_TOKEN", "GITHUB_TOKEN"),
    "gitlab": ("GITLAB_TOKEN",),
}
_NEEDS: Mapping[Kind, str] = {
    "azure": "Build (read & execute), Code (read & write) and Variable Groups (read, create & "
    "manage)",
    "github": "Actions (read) and Pull requests (read & write)",
    "gitlab": "the scope api",
}
_SCP = re.compile(r"(?:[^@/:]+@)?([^@/:]+):(?!//)(.+)")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z ")
_EXPIRED = (203, 301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Place:
    """A repository at a host: ``web`` is the host's address, ``path`` the repository's there.

    At Azure DevOps ``web`` goes as far as the organisation, and ``path`` is ``PROJECT/REPOSITORY``.
    ``is_known`` says that the host may have a token that the environment offers.
    """

    kind: Kind
    web: str
    path: str
    is_known: bool


def place_of(url: str, kind: str = "") -> Place | None:
    """Read the URL of a git remote; ``kind`` says what its host is where the name does not."""
    scheme, host, port, path = _split(url)
    host = host.lower()
    if not host or not path:
        return None
    named: Kind | None = kind if kind in get_args(Kind) else None  # type: ignore[assignment]
    address = f"{scheme}://{host}{port}"
    if host in ("ssh.dev.azure.com", "vs-ssh.visualstudio.com"):
        parts = path.removeprefix("v3/").split("/")
        if len(parts) != 3:
            return None
        return Place("azure", f"https://dev.azure.com/{parts[0]}", "/".join(parts[1:]), True)
    found = named or _KNOWN.get(host)
    is_known = found is not None
    if host.endswith(".visualstudio.com"):
        found, is_known = "azure", True
    found = found or next((one for one in get_args(Kind) if host.startswith(f"{one}.")), None)
    if found == "azure":
        return _azure_place(address, path, is_known=is_known)
    return Place(found, address, path, is_known) if found else None


def _azure_place(address: str, path: str, *, is_known: bool) -> Place | None:
    before, _, repository = path.partition("_git/")
    parts = [part for part in before.split("/") if part]
    # A project's own repository has the project's name, and Azure leaves one of them out.
    organised = 1 if address.endswith("//dev.azure.com") else 0
    project = parts.pop() if len(parts) > organised else repository
    if not repository:
        return None
    return Place("azure", "/".join([address, *parts]), f"{project}/{repository}", is_known)


def _split(url: str) -> tuple[str, str, str, str]:
    """Give scheme, host, port and path as far as the API is concerned: never user or password."""
    if "://" not in url:
        short = _SCP.fullmatch(url)
        return ("https", short[1], "", _clean(short[2])) if short else ("", "", "", "")
    parts = urlsplit(url)
    plain = parts.scheme in ("http", "https")
    try:
        port = f":{parts.port}" if parts.port and plain else ""
    except ValueError:
        return "", "", "", ""
    return parts.scheme if plain else "https", parts.hostname or "", port, _clean(parts.path)


def _clean(path: str) -> str:
    return unquote(path).strip("/").removesuffix(".git")


def headers_of(repo: Repo, remote: str, place: Place) -> Mapping[str, str]:
    """What proves who is asking: a token of the environment, or what git itself signs in with.

    Raises:
        PipelineError: the token would go over the network unencrypted.
    """
    user, token = _token(repo, remote, place)
    if not token:
        return {}
    parts = urlsplit(place.web)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise PipelineError(
            f"{place.web} is not encrypted, so no token is sent there.",
            f"Give the remote an https address: `git remote set-url {remote} https://…`",
        )
    if place.kind == "azure" and user != "bearer" and not token.startswith("eyJ"):
        return {"Authorization": f"Basic {base64.b64encode(f':{token}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"}


def _token(repo: Repo, remote: str, place: Place) -> tuple[str, str]:
    for name in _VARIABLES[place.kind] if place.is_known else ():
        if token := os.environ.get(name, "").strip():
            return "bearer" if name == "SYSTEM_ACCESSTOKEN" else "", token
    parts = urlsplit(repo.run("remote", "get-url", remote, check=False))
    if parts.scheme in ("http", "https") and parts.password:
        return "", unquote(parts.password)
    where = urlsplit(place.web)
    path = f"{where.path.strip('/')}/{place.path}".strip("/")
    asked = f"protocol={where.scheme}\nhost={where.netloc}\npath={path}\n\n"
    # Whoever is not signed in is not to be asked now: not by a window either.
    silent = {"GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never"}
    answer = repo.run("credential", "fill", data=asked, env=silent, check=False)
    found = dict(line.split("=", 1) for line in answer.split("\n") if "=" in line)
    return found.get("username", ""), found.get("password", "")


@dataclass(frozen=True)
class Page:
    """One answer: JSON as it was read, or text."""

    content: Any
    headers: Mapping[str, str]


class RefusedError(PipelineError):
    """The host refused; ``status`` is HTTP's, ``location`` where it sends us instead."""

    def __init__(self, message: str, hint: str = "", *, status: int, location: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.location = location


class Host(Rest):
    """The API of a git host; ``root`` is its address."""

    prefix = "/"

    def __init__(
        self, root: str, kind: Kind, headers: Callable[[], Mapping[str, str]], *, signed: bool
    ) -> None:
        super().__init__(root, headers)
        self._kind = kind
        self.is_signed = signed

    def page(self, path: str, query: Query | None = None) -> Page:
        """GET one page.

        Raises:
            PipelineError: the host cannot be reached, or refuses (``RefusedError``).
        """
        page: Page = self._asking("GET", path, query=query, safe=True)
        return page

    def read(self, path: str, query: Query | None = None) -> Any:
        """GET what a page holds.

        Raises:
            PipelineError: as ``page`` does.
        """
        return self.page(path, query).content

    def tell(self, method: str, path: str, body: Mapping[str, Any], query: Query) -> Any:
        """Send JSON and give what comes back.

        Raises:
            PipelineError: as ``page`` does.
        """
        return self._asking(method, path, body=body, query=query).content

    def numbered(self, path: str, key: str, query: Query) -> Iterator[Any]:
        """GET all pages of a list, a hundred entries each; it is below ``key``, if that is set."""
        for number in range(1, 101):
            found = self.read(path, {**query, "per_page": 100, "page": number})
            entries = found[key] if key else found
            yield from entries
            if len(entries) < 100:
                return

    def _asking(self, method: str, path: str, **given: Any) -> Any:
        try:
            return self.send(method, path, **given)
        except UnreachableError:
            raise PipelineError(f"{self.host} cannot be reached.", "Check the network.") from None
        except WorkspaceError as error:
            raise PipelineError(error.message, error.hint) from None

    def _json(self, answer: requests.Response) -> Page:
        if answer.status_code in _EXPIRED:
            raise self._error(answer)
        kind = answer.headers.get("Content-Type", "")
        if "json" in kind and answer.content:
            try:
                return Page(answer.json(), answer.headers)
            except ValueError:
                raise RefusedError(
                    f"{self.host} did not answer with what it should: it is no {self._name}.",
                    status=answer.status_code,
                ) from None
        if "html" in kind:
            raise self._signed_out(answer.status_code)
        answer.encoding = "utf-8"
        return Page(answer.text if answer.content else None, answer.headers)

    @property
    def _name(self) -> str:
        return NAMES[self._kind]

    def _error(self, answer: requests.Response) -> RefusedError:
        status = answer.status_code
        location = answer.headers.get("Location", "")
        if status in _EXPIRED:
            if self._kind == "azure":
                # It shows its sign-in page to whoever has no token, or an expired one.
                return self._signed_out(status)
            where = "It may have another name now: `git remote set-url`."
            return RefusedError(
                f"{self._name} points elsewhere.", where, status=status, location=location
            )
        message = _words(answer)
        if status == 401:
            return self._signed_out(status)
        if answer.headers.get("X-RateLimit-Remaining") == "0":
            return RefusedError(f"{self._name} takes no more requests for now.", status=status)
        if status in (403, 404):
            who = f"it is not for this token: {message.rstrip('.')}"
            if not self.is_signed:
                who = "only for those who sign in"
            what = f"{self._name} has no such thing, or {who}."
            return RefusedError(what, self._how_to_sign_in(), status=status)
        return RefusedError(f"{self._name} answered {status}: {message}", status=status)

    def _signed_out(self, status: int) -> RefusedError:
        why = (
            "does not accept the token: it may have expired" if self.is_signed else "wants a token"
        )
        return RefusedError(f"{self._name} {why}.", self._how_to_sign_in(), status=status)

    def _how_to_sign_in(self) -> str:
        name = _VARIABLES[self._kind][0]
        of = " for this organisation alone" if self._kind == "azure" else ""
        return f"Put one{of} into the environment as {name}; it needs {_NEEDS[self._kind]}."


def escaped(*parts: str) -> str:
    """Put names into a path of the API."""
    return "/".join(quote(part, safe="") for part in parts)


def seconds(begun: str | None, ended: str | None) -> float:
    """How long something took that a forge gives the times of; so far, when it has no end."""
    if not begun:
        return 0.0
    until = _time(ended) if ended else datetime.now(timezone.utc)
    return max(0.0, (until - _time(begun)).total_seconds())


def _time(text: str) -> datetime:
    # Azure gives seven digits of a second, and Python before 3.11 takes six or none, and no Z.
    whole = text.partition(".")[0].removesuffix("Z")
    return datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)


def without_times(lines: Iterable[str]) -> str:
    """Leave out the time that a forge puts before each line of a log."""
    return "".join(f"{_STAMP.sub('', line)}\n" for line in lines)


def _words(answer: requests.Response) -> str:
    """What the host says in refusing; GitHub and GitLab have the reason in a list."""
    _, message = read_error(answer)
    try:
        body = answer.json()
    except ValueError:
        return message
    said = body.get("errors") or body.get("message") if isinstance(body, dict) else None
    if not isinstance(said, list):
        return message
    parts = [one if isinstance(one, dict) else {"message": one} for one in said]
    words = [str(one.get("message") or f"{one.get('field')} {one.get('code')}") for one in parts]
    return "; ".join(words)[:300]
