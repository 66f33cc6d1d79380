"""Requests that may change something: what is stored of the URLs they change is removed (RFC 9111, section 4.4)."""

from __future__ import annotations

from middleware.caching.filling import Filling
from middleware.caching.handle import Cache
from middleware.caching.look import Look
from middleware.caching.privacy import is_authorized
from middleware.caching.rules.asked import NOTHING, asked_of
from middleware.caching.rules.fields import without
from middleware.wsgi import forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.caching.keys.keys import Key, Keys
    from middleware.caching.terms import Terms
    from middleware.wsgi import Ending, Response


class Change:
    """The answer to one request that may change something, on its way to the client."""

    __slots__ = ("_changed", "_environ", "_filling", "_fills", "_key", "_terms")

    def __init__(self, terms: Terms, key: Key, environ: WSGIEnvironment) -> None:
        self._terms = terms
        self._key = key
        self._environ = environ
        self._changed: set[str] = set()
        cache = environ["middleware.cache"] = Cache(terms.shelf, key)
        self._filling: Filling | None = None  # of an answer to POST that may answer GET too
        self._fills = False  # whether it is such an answer
        if terms.policy.store_post and environ.get("REQUEST_METHOD") == "POST" and self._may_be_of_a_get():
            look = Look(environ, key, NOTHING, None, None, terms.clock())
            look.reason = "method"
            self._filling = Filling(terms, look, "", None, cache)

    def _may_be_of_a_get(self) -> bool:
        """Whether the application sees of this request what it would see of a GET, beside its body."""
        key, environ, terms = self._key, self._environ, self._terms
        if not key.canonical or key.bypass not in ("", "body") or key.ranged or terms.shelf.keys.has_to_hide(environ):
            return False
        return not asked_of(environ, terms.policy).no_store and not is_authorized(environ, terms.policy)

    def pass_on(self, app: WSGIApplication, start_response: StartResponse) -> Iterable[bytes]:
        """Leave the answer to the application; where that succeeds, what is stored of what it changed is removed."""
        watch = None if self._filling is None else self._watch
        return forward(app, self._environ, start_response, self._amend, watch=watch, end=self._end)

    def _amend(self, response: Response) -> None:
        terms = self._terms
        self._changed.clear()
        self._fills = False
        if response.code[:1] in ("2", "3"):
            self._changed.update(changed_by(response, self._key.url, terms.shelf.keys))
            terms.shelf.invalidate(self._changed)
            if self._filling is not None and self._is_of_this_url(response):
                self._fills = True
                self._filling.amend(response)
                return
        response.headers = without(response.headers, terms.policy.stripped)
        if terms.status is not None:
            response.headers.append(terms.status.forwarded("method"))

    def _is_of_this_url(self, response: Response) -> bool:
        """Whether the answer to a POST says that it is what a GET would get (RFC 9110, section 9.3.3)."""
        located = response.get_all("Content-Location")
        if response.code != "200" or len(located) != 1:
            return False
        try:
            return self._key.url in self._terms.shelf.keys.urls_meant(located[0].strip(), self._key.url)
        except ValueError:
            return False

    def _watch(self, chunk: bytes) -> None:
        if self._fills and self._filling is not None:
            self._filling.watch(chunk)

    def _end(self, ending: Ending) -> None:
        # Again: the application may have made its change after the head, and others have read before it.
        shelf = self._terms.shelf
        shelf.invalidate(self._changed)
        if self._fills and self._filling is not None:
            record = shelf.record_for(self._key, self._terms.clock())
            self._filling.generation = "" if record is None else record.generation
            self._filling.end(ending)


def changed_by(response: Response, url: str, keys: Keys) -> set[str]:
    """The URLs that the answer to an unsafe request invalidates: its own, and on the same origin those it names."""
    changed = {url}
    origin = _origin(url)
    for name in ("Location", "Content-Location"):
        for value in response.get_all(name):
            try:
                changed.update(other for other in keys.urls_meant(value.strip(), url) if _origin(other) == origin)
            except ValueError:  # no URL, or none of the web
                continue
    return changed


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])
