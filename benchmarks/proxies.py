"""What it costs to find out the client behind a proxy: ours beside Werkzeug's ProxyFix."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from werkzeug.middleware.proxy_fix import ProxyFix

from benchmarks.kernel import hello
from benchmarks.method import REQUEST, Case, Row, ask, serve, start_response
from middleware.gateway import ProxyMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PROXIED = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9", "HTTP_X_FORWARDED_PROTO": "https"}
STANDARD = {"REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": "for=203.0.113.9;proto=https;host=shop.example"}


def ours(app: WSGIApplication) -> WSGIApplication:
    return ProxyMiddleware(app, trust=["10.0.0.0/8"])


def ours_by_the_standard(app: WSGIApplication) -> WSGIApplication:
    return ProxyMiddleware(app, trust=["10.0.0.0/8"], field="Forwarded", host="Forwarded")


def _case(
    name: str, wrap: Callable[[WSGIApplication], Any], expected: tuple[str, str] | None = None, **environ: str
) -> Case:
    def check() -> None:
        seen: list[tuple[str, str]] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            seen.append((environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]))
            return hello(environ, start_response)

        assert ask(wrap(app), **environ).body == b"hello"
        assert seen == [expected or ("203.0.113.7", "http")]

    return Case(name, serve(wrap(hello), **environ), check)


def _strangers(name: str, wrap: Callable[[WSGIApplication], Any]) -> Case:
    """A client at each request that was not there before."""
    app = wrap(hello)
    numbers = count()

    def run() -> None:
        number = next(numbers)
        address = f"{11 + number // 65536 % 100}.{number // 256 % 256}.{number % 256}.7"
        app(REQUEST | PROXIED | {"HTTP_X_FORWARDED_FOR": address}, start_response)

    return Case(name, run)


def rows() -> list[Row]:
    def bare(app: WSGIApplication) -> WSGIApplication:
        return app

    told = ("203.0.113.9", "https")
    plain = _case("bare", bare)
    proxied = _case("bare, with fields", bare, ("10.0.0.1", "http"), **PROXIED)
    standard = _case("bare, with Forwarded", bare, ("10.0.0.1", "http"), **STANDARD)
    strangers = _strangers("bare, strangers", bare)
    fix = _case("Werkzeug ProxyFix", ProxyFix, told, **PROXIED)
    return [
        Row("no proxy spoke", _case("ours", ours), _case("Werkzeug ProxyFix", ProxyFix), 0.8, plain, plain),
        Row("client behind a proxy", _case("ours, proxied", ours, told, **PROXIED), fix, 0.8, proxied, proxied),
        Row("client behind a proxy, new", _strangers("ours, strangers", ours),
            _strangers("ProxyFix, strangers", ProxyFix), None, strangers, strangers),
        Row("client by Forwarded", _case("ours, Forwarded", ours_by_the_standard, told, **STANDARD), fix, None,
            standard, proxied),
    ]  # fmt: skip
