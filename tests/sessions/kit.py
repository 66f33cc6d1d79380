"""What the tests of sessions share: a clock, a store that records its calls, and applications made of one action."""

from __future__ import annotations

from asking import Browser, ask

from middleware.errors import StoreError
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores.memory import MemoryStore

SECRET = "a secret of more than sixteen bytes"
HTTPS = {"wsgi.url_scheme": "https"}
WRITES = ("set", "add", "swap", "delete")


class Clock:
    """Seconds, moved by hand."""

    def __init__(self, now=1_700_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


class SpyStore:
    """A store that records its calls, can be down or fail once, and lets something happen before a verb."""

    def __init__(self, inner=None):
        self.inner = inner or MemoryStore()
        self.calls = []
        self.values = []
        self.down = False
        self.fails_after = None  # so many more calls, one does nothing
        self.before = {}  # verb -> what happens before its next call

    def _call(self, verb, key, *arguments):
        happens = self.before.pop(verb, None)
        if happens is not None:
            happens()
        self.calls.append(verb)
        self.values += [key.encode(), *[one for one in arguments if isinstance(one, bytes)]]
        if self.down:
            raise StoreError("the store is down")
        if self.fails_after is not None:
            self.fails_after = self.fails_after - 1 if self.fails_after else None
            if self.fails_after is None:
                raise StoreError("this call fails")
        return getattr(self.inner, verb)(key, *arguments)

    def get(self, key):
        return self._call("get", key)

    def set(self, key, value, ttl=None):
        return self._call("set", key, value, ttl)

    def add(self, key, value, ttl=None):
        return self._call("add", key, value, ttl)

    def swap(self, key, old, new, ttl=None):
        return self._call("swap", key, old, new, ttl)

    def delete(self, key):
        return self._call("delete", key)

    @property
    def writes(self):
        return [verb for verb in self.calls if verb in WRITES]

    def forget_calls(self):
        self.calls.clear()
        self.values.clear()


class Site:
    """An application whose action is given with each request: `site.ask(lambda session: ..., cookie)`."""

    def __init__(self, headers=(), **options):
        self.headers = list(headers)
        self.status = "200 OK"
        self.use = None
        self.app = SessionMiddleware(self.serve, **options)

    def serve(self, environ, start_response):
        result = self.use(get_session(environ))
        start_response(self.status, [("Content-Type", "text/plain"), *self.headers])
        return [repr(result).encode()]

    def ask(self, use, cookie=None, **environ):
        """One request that does this with its session."""
        self.use = use
        return ask(self.app, headers={"Cookie": cookie} if cookie else None, **environ)

    def visitor(self, **environ):
        return Visitor(self, **environ)


class Visitor:
    """A browser of a site. Actions of several visitors may run inside one another."""

    def __init__(self, site, **environ):
        self.site = site
        self.browser = Browser(site.app, **environ)

    def __call__(self, use):
        """Do this with my session; the answer."""
        outer, self.site.use = self.site.use, use
        try:
            return self.browser.get()
        finally:
            self.site.use = outer

    @property
    def cookie(self):
        """What the browser sends."""
        return "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())

    def twin(self):
        """Another window of the same browser, as it is now: it shares the cookies, but not those to come."""
        twin = Visitor(self.site, **self.browser.environ)
        twin.browser.cookies = dict(self.browser.cookies)
        return twin


def put(**values):
    return lambda session: session.update(values)


def everything(session):
    return dict(session)
