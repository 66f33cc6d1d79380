"""A cache round the application of a framework, with clients before it, and an eye on what the application returns."""

from __future__ import annotations

from asking import Browser, call, make_environ
from cached_site import START

from middleware import CacheMiddleware, MemoryStore

HOST = "127.0.0.1"
EVERYONE = ("ann", "bob", "eve")


class Round:
    """A cache round `app`; `inside` and `outside` wrap the application and the cache, as a site would do it.

    `closings`: for each answer of the application, how many times it was closed.
    """

    def __init__(self, app, *, inside=lambda app: app, outside=lambda app: app, **options):
        self.now = START
        self.closings = []
        self.framework = app
        self.cache = CacheMiddleware(
            inside(self._watched), store=MemoryStore(clock=self.clock), clock=self.clock, **options
        )
        self.app = outside(self.cache)

    def clock(self):
        return self.now

    def _watched(self, environ, start_response):
        body = self.framework(environ, start_response)
        self.closings.append(0)
        return Watched(body, self.closings, len(self.closings) - 1)

    def browser(self, **environ):
        """A client that keeps cookies."""
        return Browser(self.app, **{"HTTP_HOST": HOST, **environ})

    def get(self, path="/", headers=None, method="GET", **environ):
        """One request of a client without cookies."""
        return call(self.app, make_environ(path, method, headers, **{"HTTP_HOST": HOST, **environ}))

    def leave(self, path, after=1):
        """Ask, and leave after so many chunks."""
        body = self.app(make_environ(path, HTTP_HOST=HOST), lambda *head: lambda data: None)
        chunks = iter(body)
        for _ in range(after):
            next(chunks)
        if hasattr(body, "close"):
            body.close()

    @property
    def calls(self):
        """How often the application was called."""
        return len(self.closings)

    def each_was_closed_once(self):
        return self.closings != [] and set(self.closings) == {1}


class Watched:
    """A body that counts its close()."""

    def __init__(self, body, closings, number):
        self._body = body
        self._closings = closings
        self._number = number

    def __iter__(self):
        return iter(self._body)

    def close(self):
        self._closings[self._number] += 1
        if hasattr(self._body, "close"):
            self._body.close()


def is_hit(answer):
    return "; hit" in (answer.header("Cache-Status") or "")


def check_that_nothing_crosses(round_, pages, log_in="/log-in"):
    """Three clients, two of them logged in, see on each page their own name or none, in every order of coming.

    `pages` say `public, max-age=60` and greet by name whom they know.
    """
    browsers = {me: round_.browser() for me in EVERYONE}
    for me in ("ann", "bob"):
        assert browsers[me].post(f"{log_in}?me={me}").code in (200, 204, 302, 303)
    for order in (EVERYONE, EVERYONE, EVERYONE[::-1], ("eve", "bob", "ann")):
        for path in pages:
            for me in order:
                answer = browsers[me].get(path)
                others = [other for other in EVERYONE if other != me]
                told = answer.text + "".join(answer.all("Set-Cookie"))
                assert not any(f"<{other}>" in told for other in others), f"{me} sees another on {path}: {answer}"
                if me != "eve":
                    assert f"<{me}>" in answer.text, f"{me} is a stranger on {path}: {answer}"
        round_.now += 5
    cookies = [value for browser in browsers.values() for value in browser.cookies.values()]
    assert len(cookies) == len(set(cookies)), "a cookie of another"
