"""The page of 10 KB as others keep it: Flask-Caching, Django's cache middleware, and WebOb's conditional answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test.utils import override_settings
from django.urls import re_path
from flask_caching import Cache
from webob import Response as WebObResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ETAG = '"2024-11-02"'
PAGE = b"0123456789abcdef" * 640  # 10 KB
HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "public, max-age=86400"),
    ("Vary", "Accept-Encoding"),
    ("ETag", ETAG),
]
A_DAY = 86400
MANY = 1500  # entries that there is room for, as in our store of 16 MB

made: list[str] = []  # the pages that the frameworks made, which they do not where their caches answer


def webob_page(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """The page as a WebOb application answers it."""
    response = WebObResponse(PAGE, conditional_response=True, cache_control="public, max-age=86400", etag=ETAG[1:-1])
    response.vary = ("Accept-Encoding",)
    return response(environ, start_response)


def flask_page(*, kept: bool) -> WSGIApplication:
    """A Flask application with the page under every path; `kept` by Flask-Caching in its SimpleCache, or not."""

    def page(path: str) -> flask.Response:
        made.append("flask")
        return flask.Response(PAGE, headers=HEADERS)

    application = flask.Flask("benchmarks")
    cache = Cache(application, config={"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": MANY})
    view: Callable[..., Any] = cache.cached(timeout=A_DAY)(page) if kept else page
    application.add_url_rule("/<path:path>", view_func=view, endpoint="page")
    return application


def django_page(cache: str | None = None, *, redis_port: int | None = None) -> WSGIApplication:
    """A Django application with the page under every path; kept by its middleware in the cache of this name, or not."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], CACHES=_caches(redis_port), ROOT_URLCONF=__name__, SECRET_KEY="x" * 50, USE_I18N=False
        )
    layers = ["UpdateCacheMiddleware", "FetchFromCacheMiddleware"] if cache else []
    with override_settings(
        MIDDLEWARE=[f"django.middleware.cache.{layer}" for layer in layers],
        CACHE_MIDDLEWARE_ALIAS=cache or "default",
        CACHE_MIDDLEWARE_SECONDS=A_DAY,
    ):
        return WSGIHandler()  # type: ignore[no-any-return]  # which reads these once


def _page(request: Any) -> HttpResponse:
    made.append("django")
    return HttpResponse(PAGE, headers=dict(HEADERS))


urlpatterns = [re_path("", _page)]


def _caches(redis_port: int | None) -> dict[str, dict[str, Any]]:
    backends = "django.core.cache.backends"
    caches: dict[str, dict[str, Any]] = {
        "default": {"BACKEND": f"{backends}.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": MANY}}
    }
    if redis_port is not None:
        caches["redis"] = {"BACKEND": f"{backends}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{redis_port}"}
    return caches
