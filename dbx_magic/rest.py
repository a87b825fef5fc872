"""The door to HTTP: kept-alive connections, retries where they are safe, errors in words."""

from __future__ import annotations

import contextlib
import html
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from .errors import DbxError, NotFoundError, UnreachableError, WorkspaceError
from .throttle import MOST, Throttle, pause

if TYPE_CHECKING:
    import requests

Query = Mapping[str, Any]
_BUSY = (429, 503)
_TIMEOUTS = (10.0, 120.0)
_SOON = (3.0, 10.0)
_UNREADABLE_TRIES = 3


class Rest:
    """A host that speaks JSON over HTTP; safe to use from several threads.

    ``headers`` is called for each request, so that a token can be renewed. A redirect is never
    followed: the token goes to no other host.
    """

    prefix = "/api/"

    def __init__(
        self,
        host: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        patience: float = 60.0,
        sleep: Callable[[float], None] = pause,
        timeouts: tuple[float, float] = _TIMEOUTS,
    ) -> None:
        self.host = host
        self.throttle = Throttle()
        self.capabilities: frozenset[str] = frozenset()
        self._headers = headers
        self._patience = patience
        self._sleep = sleep
        self._timeouts = timeouts
        self._is_known = False
        self._pool: requests.Session | None = None

    def get(self, path: str, query: Query | None = None) -> Any:
        """GET ``/api/<path>`` and read the JSON answer."""
        return self.send("GET", path, query=query, safe=True)

    def pages(self, path: str, query: Query) -> Iterator[Any]:
        """GET page after page, as most of Databricks' lists come."""
        token = ""
        while True:
            page = self.get(path, {**query, **({"page_token": token} if token else {})})
            yield page
            token = page.get("next_page_token", "")
            if not token:
                return

    def look(self, path: str, query: Query | None = None) -> Any:
        """GET once and soon: for who looks again and again, and says so when there is no answer.

        Raises:
            UnreachableError: there was none; what the host wants to be waited for was waited.
        """
        return self.send(
            "GET", path, query=query, safe=True, again=self._raise_unreachable, timeout=_SOON
        )

    def post(self, path: str, body: Mapping[str, Any], *, safe: bool = False) -> Any:
        """POST JSON; ``safe`` says that doing it twice does no harm, so it may be retried."""
        return self.send("POST", path, body=body, safe=safe)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        raw: bool = False,
        safe: bool = False,
        again: Callable[[], None] | None = None,
        timeout: tuple[float, float] | None = None,
    ) -> Any:
        """Send one request and give the answer: parsed JSON, or bytes when ``raw``.

        ``form`` is sent as multipart, ``data`` as it is. What the host refused because it is busy
        (429, 503) is sent again after the time it asks for; other failures only when ``safe``.
        ``again`` is called before each repetition; what it raises ends them.

        Raises:
            NotFoundError: the host says that there is no such thing.
            WorkspaceError: the host cannot be reached, refused, or failed for longer than patience.
        """
        import requests

        start = time.monotonic()
        for attempt in range(1000):
            wait = min(8.0, 0.25 * 2**attempt) * random.uniform(0.7, 1.3)  # noqa: S311
            late = time.monotonic() - start + wait > self._patience
            if attempt and again:
                again()
            try:
                with self.throttle.place() as place:
                    answer = self._open().request(
                        method,
                        f"{self.host}{self.prefix}{path}",
                        params=query,
                        json=body,
                        files=form,
                        data=data,
                        auth=self._sign,
                        timeout=timeout or self._timeouts,
                        allow_redirects=False,
                    )
                    place.busy = answer.status_code in _BUSY
            except requests.exceptions.SSLError:
                raise WorkspaceError(
                    f"{self.host} has no valid certificate.",
                    "Set REQUESTS_CA_BUNDLE if your company signs its own.",
                ) from None
            except requests.exceptions.ConnectTimeout:
                raise self._unreachable() from None
            except (requests.exceptions.RequestException, OSError) as error:
                # A refused connection sent nothing; two short tries span a server's restart.
                refused = isinstance(error, requests.exceptions.ConnectionError) and (
                    "NewConnectionError" in repr(error)
                )
                if late or (refused and attempt >= 2) or not (safe or refused):
                    raise self._unreachable() from None
                self._sleep(wait)
                continue
            self.capabilities = frozenset(answer.headers.get("X-Dbx-Magic", "").split())
            if answer.status_code < 300:
                try:
                    content = answer.content if raw else self._json(answer)
                except WorkspaceError:
                    # Whoever answered well before is a workspace on a bad line.
                    wrong = not self._is_known and attempt + 1 >= _UNREADABLE_TRIES
                    if late or not safe or wrong:
                        raise
                    self._sleep(wait)
                    continue
                self._is_known = True
                return content
            if not late and (
                answer.status_code in _BUSY or (safe and answer.status_code in (500, 502, 504))
            ):
                self._sleep(_retry_after(answer) or wait)
                continue
            raise self._error(answer)
        raise self._unreachable()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _open(self) -> requests.Session:
        if self._pool is None:
            import importlib.metadata

            import requests
            from requests.adapters import HTTPAdapter

            pool = requests.Session()
            version = importlib.metadata.version("dbx-magic")
            pool.headers["User-Agent"] = f"dbx-magic/{version}"
            pool.mount("http://", HTTPAdapter(MOST, MOST))
            pool.mount("https://", HTTPAdapter(MOST, MOST))
            # A proxy from the environment cannot reach this machine's own loopback.
            pool.trust_env = urlsplit(self.host).hostname not in ("127.0.0.1", "localhost")
            self._pool = pool
        return self._pool

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, because requests would let a ~/.netrc entry replace a plain header.
        request.headers.update(self._headers())
        return request

    def _json(self, answer: requests.Response) -> Any:
        if not answer.content:
            return {}
        content = None
        with contextlib.suppress(ValueError):
            content = answer.json()
        if not isinstance(content, dict):
            raise WorkspaceError(
                f"{self.host} did not answer with JSON, so it is no Databricks workspace.",
                "Check the host of the profile.",
            )
        return content

    def _raise_unreachable(self) -> NoReturn:
        raise self._unreachable()

    def _unreachable(self) -> UnreachableError:
        return UnreachableError(
            f"{self.host} cannot be reached.", "Check the host of the profile and your network."
        )

    def _error(self, answer: requests.Response) -> DbxError:
        status = answer.status_code
        code, message = read_error(answer)
        if status in (301, 302, 303, 307, 308):
            return WorkspaceError(
                f"{self.host} redirects to another place, so it is no Databricks workspace.",
                "Check the host of the profile.",
            )
        if status == 401 or (status == 403 and not code):
            return WorkspaceError(
                f"{self.host} does not accept the token.",
                "It may have expired: make a new one and put it into the profile.",
                code=code or "UNAUTHENTICATED",
            )
        if not code and message.rstrip(".").endswith("already exists"):
            code = "RESOURCE_ALREADY_EXISTS"  # some addresses of Databricks leave it out
        missing = status == 404 or code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
        if missing or (code == "INVALID_PARAMETER_VALUE" and "does not exist" in message):
            return NotFoundError(message, code=code)
        return WorkspaceError(message or f"{self.host} answered {status}.", code=code)


def _retry_after(answer: requests.Response) -> float:
    value = answer.headers.get("Retry-After", "")
    return min(60.0, float(value)) if value.isdecimal() else 0.0


def read_error(answer: requests.Response) -> tuple[str, str]:
    """The code and the words of an answer that refuses."""
    try:
        body = answer.json()
    except ValueError:
        return "", html.unescape(re.sub(r"<[^>]+>|\s+", " ", answer.text)).strip()[:300]
    if not isinstance(body, dict):
        return "", str(body)[:300]
    message = body.get("message") or body.get("error") or body.get("detail") or ""
    return str(body.get("error_code") or ""), str(message).strip()
