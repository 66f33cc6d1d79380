"""A shared HTTP cache round an application (RFC 9111)."""

from __future__ import annotations

from time import time

from middleware.caching.filling import Filling, Terms
from middleware.caching.handle import Cache
from middleware.caching.key_options import CacheKeys
from middleware.caching.keys import Keys, is_private
from middleware.caching.shelf import Shelf
from middleware.errors import ConfigurationError
from middleware.headers import etag_matches, quoted
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.caching.entry import Head, Record
    from middleware.caching.keys import Key
    from middleware.caching.shelf import Found
    from middleware.stores.base import Store
    from middleware.wsgi import Ending

# Methods that change nothing: an answer to any other invalidates what is stored (RFC 9111, section 4.4).
_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"))
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~:/")


class CacheMiddleware:
    """Answers from a store what the wrapped application said may be reused, and stores that on its way out.

    A shared cache as RFC 9111 has it: one stored answer goes to many clients, so nothing is stored that an application
    did not declare to be fresh (Cache-Control `max-age` or `s-maxage`, or Expires) or able to be validated (ETag,
    Last-Modified), and nothing private.

    store: where answers are kept, any `Store`; one of its own, since a bounded store lets the oldest entries go.
    keys: which requests mean the same answer, where that is not for HTTP alone to say; see `CacheKeys`.
    max_object: bytes of the largest body that is stored. A body is copied up to this size while it passes.
    name: what the cache calls itself in Cache-Status (RFC 9211); None sends no such field.
    clock: seconds since 1970.

    Raises ConfigurationError for an option that is wrong.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        store: Store,
        keys: CacheKeys = CacheKeys(),  # noqa: B008 - a frozen value
        max_object: int = 4 << 20,
        name: str | None = "wsgi-middleware",
        clock: Callable[[], float] = time,
    ) -> None:
        for verb in ("get", "set", "add", "swap", "delete"):
            if not callable(getattr(store, verb, None)):
                raise ConfigurationError(f"store= has no {verb}(): pass a store, such as MemoryStore()")
        if not isinstance(keys, CacheKeys):
            raise ConfigurationError(f"keys= is CacheKeys(...), not {keys!r}")
        if type(max_object) is not int or max_object < 1:
            raise ConfigurationError(f"max_object= is a number of bytes above 0, not {max_object!r}")
        self.app = app
        self._keys = Keys(keys)
        self._shelf = Shelf(store, self._keys, clock=clock)
        self._clock = clock
        self._label = None if name is None else _item(name)
        self._terms = Terms(self._shelf, clock, max_object, self._label)
        self._hit = f"{self._label}; hit; ttl="

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD")
        if method != "GET" and method != "HEAD":
            return self._pass_other_method(environ, start_response)
        key = self._keys.key_of(environ)
        if key.bypass or key.ranged or is_private(environ):
            return self._pass_on(key, environ, start_response, "bypass")
        now = self._clock()
        record, found = self._shelf.find(environ, key, now)
        if found is not None and not found.soft and now < found.head.stale_at:
            answer = self._answer(found, environ, start_response, now)
            if answer is not None:
                return answer
            found = None
        if method == "HEAD":
            return self._pass_on(key, environ, start_response, _reason(record, found))
        return self._fetch(key, record, found, environ, start_response, now)

    def _answer(
        self, found: Found, environ: WSGIEnvironment, start_response: StartResponse, now: float
    ) -> Iterable[bytes] | None:
        """Answer from the store; None where the body is gone."""
        head = found.head
        age = int(head.age(now))
        chunks: list[bytes] = []
        given, since = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
        if (given is not None or since is not None) and head.satisfies(given, since, now):
            status, fields = "304 Not Modified", head.not_modified_fields.copy()
        elif environ["REQUEST_METHOD"] == "HEAD":
            status, fields = head.status, head.hit_fields.copy()
        else:
            body = self._shelf.body(found)
            if body is None:
                return None
            status, fields, chunks = head.status, head.hit_fields.copy(), [body]
        fields.append(("Age", str(age)))
        if self._label is not None:
            fields.append(("Cache-Status", f"{self._hit}{head.lifetime - age}"))
        start_response(status, fields)
        return chunks

    def _pass_on(
        self, key: Key, environ: WSGIEnvironment, start_response: StartResponse, reason: str
    ) -> Iterable[bytes]:
        """Leave the answer to the application, and keep nothing of it."""
        environ["middleware.cache"] = Cache(self._shelf, key)
        if self._label is None:
            return self.app(environ, start_response)
        field = ("Cache-Status", f"{self._label}; fwd={reason}")
        return forward(self.app, environ, start_response, lambda response: response.headers.append(field))

    def _pass_other_method(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Leave the answer to the application; one that succeeds in changing something invalidates what is stored."""
        key = self._keys.key_of(environ)
        if not key.url or environ.get("REQUEST_METHOD") in _SAFE:
            return self._pass_on(key, environ, start_response, "method")
        environ["middleware.cache"] = Cache(self._shelf, key)
        shelf = self._shelf
        changed: set[str] = set()

        def amend(response: Response) -> None:
            changed.clear()
            if response.code[:1] in ("2", "3"):
                changed.update(_changed_by(response, key.url, self._keys))
                shelf.invalidate(changed)
            if self._label is not None:
                response.add("Cache-Status", f"{self._label}; fwd=method")

        def end(_: Ending) -> None:
            # Again: the application may have made its change after the head, and others have read before it.
            shelf.invalidate(changed)

        return forward(self.app, environ, start_response, amend, end=end)

    def _fetch(
        self,
        key: Key,
        record: Record | None,
        found: Found | None,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        now: float,
    ) -> Iterable[bytes]:
        """Ask the application, with the stored validators where there are some, and store its answer if it may be."""
        shelf = self._shelf
        reason = _reason(record, found)
        asked = environ.get("HTTP_CACHE_CONTROL")
        if not key.canonical or (asked is not None and "no-store" in asked.lower()):
            return self._pass_on(key, environ, start_response, reason)
        if record is None:
            shelf.tell_if_alone(environ)
            record = shelf.record_for(key, now)
            if record is None:
                return self._pass_on(key, environ, start_response, reason)
        hidden = self._keys.hide(environ)
        cache = environ["middleware.cache"] = Cache(shelf, key)
        filling = Filling(self._terms, key, record.generation, found, environ, now, reason, hidden, cache)
        if found is not None and found.head.can_be_validated and (found.head.explicit or not filling.personal):
            body = shelf.body(found)
            if body is not None:
                return self._validate(found, body, filling, environ, start_response)
        return forward(self.app, environ, start_response, filling.amend, watch=filling.watch, end=filling.end)

    def _validate(
        self,
        found: Found,
        body: bytes,
        filling: Filling,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Ask the application whether a stored answer still holds (RFC 9111, section 4.3)."""
        head = found.head
        own = {}
        if head.etag is not None:
            own["HTTP_IF_NONE_MATCH"] = head.etag
        if head.last_modified is not None:
            own["HTTP_IF_MODIFIED_SINCE"] = head.last_modified
        filling.put_conditions(own)
        try:
            taken = Response.from_app(self.app, environ)
            if taken.code == "304":
                taken.close()
        except BaseException:
            filling.restore_conditions()
            raise
        if taken.code != "304":
            return forward(taken, environ, start_response, filling.amend, watch=filling.watch, end=filling.end)
        now = self._clock()
        etag = taken.get("ETag")
        if etag is not None and head.etag is not None and not etag_matches(head.etag, etag):
            filling.put_conditions({})  # what the application says has not changed is not what is stored
            return forward(self.app, environ, start_response, filling.amend, watch=filling.watch, end=filling.end)
        filling.restore_conditions()
        fresh, stored = filling.update(found, body, taken.headers, now)
        return self._answer_validated(fresh, stored, body, environ, start_response, now)

    def _answer_validated(
        self,
        head: Head,
        stored: bool,
        body: bytes,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        now: float,
    ) -> Iterable[bytes]:
        matches = head.satisfies(environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE"), now)
        status = "304 Not Modified" if matches else head.status
        fields = (head.not_modified_fields if matches else head.fields).copy()
        fields.append(("Age", str(int(head.age(now)))))
        if self._label is not None:
            kept_too = "; stored" if stored else ""
            fields.append(("Cache-Status", f"{self._label}; fwd=stale; fwd-status=304{kept_too}"))
        start_response(status, fields)
        return [] if matches else [body]


def _reason(record: Record | None, found: Found | None) -> str:
    """Why the application is asked, in the words of RFC 9211, section 2.2."""
    if found is not None:
        return "stale"
    return "vary-miss" if record is not None and any(record.selections) else "uri-miss"


def _changed_by(response: Response, url: str, keys: Keys) -> set[str]:
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


def _item(name: str) -> str:
    """A name as a Token or a String of Structured Fields (RFC 9651, sections 3.3.3 and 3.3.4)."""
    if not name or not name.isascii() or not name.isprintable():
        raise ConfigurationError(f"name= is printable ASCII text, or None for no Cache-Status, not {name!r}")
    if _TOKEN.issuperset(name) and (name[0].isalpha() or name[0] == "*"):
        return name
    return quoted(name)
