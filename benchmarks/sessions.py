"""Sessions, beside Beaker's and Pyramid's: ignored, read and written, in a cookie, in memory and on a Redis server.

The session holds three keys; the request sends three other cookies beside the session's own. Pyramid's are measured
above a bare Pyramid application.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from beaker.middleware import SessionMiddleware as Beaker
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory
from redis import Redis

from benchmarks.kernel import BARE, hello
from benchmarks.method import REQUEST, Answer, Case, Row, ask, serve
from benchmarks.tokens import SECRET
from middleware import MemoryStore, RedisStore, SessionMiddleware, get_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    Layer = Callable[[WSGIApplication], WSGIApplication]
    Action = Callable[[Any], object]

# Each answer takes a copy: Beaker adds to the list it gets.
HEADERS = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "5")]
CONTENT = {"user": "alice", "cart": [17, 4, 2024], "count": 0}


def with_ours(action: Action) -> WSGIApplication:
    """An application that does `action` to our session."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        action(get_session(environ))
        start_response("200 OK", [*HEADERS])
        return [b"hello"]

    return app


def with_beaker(action: Action) -> WSGIApplication:
    """The same for Beaker, which is told to save what shall be kept."""
    saves = action is not read

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = environ["beaker.session"]
        action(session)
        if saves:
            session.save()
        start_response("200 OK", [*HEADERS])
        return [b"hello"]

    return app


def fill(session: Any) -> None:
    session.update(CONTENT)


def read(session: Any) -> None:
    assert session["user"] == "alice"


def write(session: Any) -> None:
    session["count"] += 1


class Contender:
    """A session layer, and a browser that holds a session of it and sends `request` each time."""

    def __init__(self, name: str, layer: Layer, using: Callable[[Action], WSGIApplication], **request: str) -> None:
        self.name = name
        self.request = request
        self.layer = layer
        self.using = using
        self.cookie = self.after(fill, REQUEST["HTTP_COOKIE"])

    def ask(self, app: WSGIApplication, cookie: str) -> Answer:
        return ask(app, HTTP_COOKIE=cookie, **self.request)

    def app(self, action: Action) -> WSGIApplication:
        return self.layer(self.using(action))

    def after(self, action: Action, cookie: str) -> str:
        """What the browser sends once this has been done."""
        answer = self.ask(self.app(action), cookie)
        assert (answer.status, answer.body) == ("200 OK", b"hello")
        return f"{REQUEST['HTTP_COOKIE']}; {given}" if (given := answer.cookies()) else cookie

    def case(self, action: Action | None) -> Case:
        """One request that does this, or ignores the session."""
        app = self.app(action) if action else self.layer(hello)
        return Case(self.name, serve(app, HTTP_COOKIE=self.cookie, **self.request), partial(self.check, app))

    def check(self, app: WSGIApplication) -> None:
        """Three writes count three, the right user is read, and a cookie that was tampered with opens nothing."""
        assert self.ask(app, self.cookie).body == b"hello"
        counts: list[int] = []
        cookie = self.cookie
        for _ in range(3):
            cookie = self.after(write, cookie)
            self.after(lambda session: counts.append(session["count"]), cookie)
        assert [count - counts[0] for count in counts] == [0, 1, 2]
        before, _, cookie = self.cookie.rpartition("; ")
        name, _, value = cookie.partition("=")
        half = len(value) // 2
        for tampered in (
            f"{before}; {name}=00000000{value[8:]}",
            f"{before}; {name}={value[:half]}tampered{value[half:]}",
        ):
            self.opens_nothing(tampered)

    def opens_nothing(self, cookie: str) -> None:
        kept: list[object] = []
        self.ask(self.app(lambda session: kept.append(session.get("user"))), cookie)
        assert kept == [None]


class OurContender(Contender):
    """Ours also promises caches and browsers something in each case."""

    def check(self, app: WSGIApplication) -> None:
        super().check(app)
        untouched = self.ask(self.layer(hello), self.cookie)
        assert untouched.headers == HEADERS
        reading = self.ask(self.app(read), self.cookie)
        assert reading.field("Vary") == "Cookie"
        assert reading.field("Set-Cookie") is None


def cookie_layer(app: WSGIApplication) -> WSGIApplication:
    return SessionMiddleware(app, secret=SECRET)


def memory_layer() -> Layer:
    """The layer over one store, however often it is built."""
    return partial(SessionMiddleware, store=MemoryStore())


def beaker_cookie_layer(app: WSGIApplication) -> WSGIApplication:
    options = {"session.type": "cookie", "session.validate_key": SECRET, "session.data_serializer": "json"}
    return Beaker(app, options)  # type: ignore[no-any-return]


def beaker_memory_layer(app: WSGIApplication) -> WSGIApplication:
    return Beaker(app, {"session.type": "memory", "session.secret": SECRET})  # type: ignore[no-any-return]


def sealed_layer(app: WSGIApplication) -> WSGIApplication:
    return SessionMiddleware(app, secret=SECRET, seal=True)


def beaker_encrypted_layer(app: WSGIApplication) -> WSGIApplication:
    options = {
        "session.type": "cookie",
        "session.validate_key": SECRET,
        "session.encrypt_key": SECRET,
        "session.crypto_type": "cryptography",
        "session.data_serializer": "json",
    }
    return Beaker(app, options)  # type: ignore[no-any-return]


def redis_layer(port: int) -> Layer:
    return partial(SessionMiddleware, store=RedisStore(Redis(port=port, socket_timeout=2)))


def beaker_redis_layer(port: int, app: WSGIApplication) -> WSGIApplication:
    options = {"session.type": "ext:redis", "session.url": f"redis://127.0.0.1:{port}/1", "session.secret": SECRET}
    return Beaker(app, options)  # type: ignore[no-any-return]


def with_pyramid(action: Action | None) -> WSGIApplication:
    """A Pyramid application that does `action` to its session, or has none."""

    def view(request: Any) -> Response:
        if action is not None:
            action(request.session)
        return Response(b"hello", content_type="text/plain", charset="utf-8")

    with Configurator() as config:
        if action is not None:
            # It does not sign again at each read once a second has passed, which ours does not either.
            config.set_session_factory(SignedCookieSessionFactory(SECRET, reissue_time=None))
        config.add_route("any", "/*path")
        config.add_view(view, route_name="any")
        return config.make_wsgi_app()  # type: ignore[no-any-return]


def as_it_is(app: WSGIApplication) -> WSGIApplication:
    return app


def rows(redis_port: int | None) -> list[Row]:
    """`redis_port`: where a Redis server of the benchmark's own listens; None where there is none to be had."""
    cookie = OurContender("cookie session", cookie_layer, with_ours)
    sealed = OurContender("sealed session", sealed_layer, with_ours)
    memory = OurContender("memory session", memory_layer(), with_ours)
    beaker_cookie = Contender("Beaker cookie", beaker_cookie_layer, with_beaker)
    beaker_sealed = Contender("Beaker encrypted", beaker_encrypted_layer, with_beaker)
    beaker_memory = Contender("Beaker memory", beaker_memory_layer, with_beaker)
    pyramid = Contender("Pyramid cookie", as_it_is, with_pyramid)
    bare_pyramid = Case("bare Pyramid", serve(with_pyramid(None)))

    def row(title: str, ours: Contender, peer: Contender, action: Action | None, target: float) -> Row:
        base = bare_pyramid if peer is pyramid else BARE
        return Row(title, ours.case(action), peer.case(action), target, ours_base=BARE, peer_base=base)

    found = [
        row("session untouched", cookie, beaker_cookie, None, 0.55),
        row("session read, cookie", cookie, beaker_cookie, read, 0.11),
        row("session read, cookie, beside Pyramid", cookie, pyramid, read, 0.36),
        row("session read, memory", memory, beaker_memory, read, 0.13),
        row("session write, cookie", cookie, beaker_cookie, write, 0.20),
        row("session write, cookie, beside Pyramid", cookie, pyramid, write, 0.36),
        row("session write, sealed cookie", sealed, beaker_sealed, write, 0.06),
        row("session write, memory", memory, beaker_memory, write, 0.25),
    ]
    if redis_port is not None:
        redis = OurContender("Redis session", redis_layer(redis_port), with_ours)
        beaker_redis = Contender("Beaker Redis", partial(beaker_redis_layer, redis_port), with_beaker)
        found += [
            row("session read, Redis", redis, beaker_redis, read, 0.33),
            row("session write, Redis", redis, beaker_redis, write, 0.80),
        ]
    return found
