"""The routes of frameworks in our metrics, by the recipes of docs/metrics.md."""

from __future__ import annotations

from asking import ask
from flask import Flask, request
from integrations import django_site  # noqa: F401 - has Django's settings
from pyramid.config import Configurator
from pyramid.events import ContextFound
from pyramid.response import Response

from middleware.logging import LoggingMiddleware, Metrics

from django.core.wsgi import get_wsgi_application  # isort: skip - the settings come first
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path


def counted(app, *urls):
    """How many requests were counted of each status and route, after one for each URL."""
    metrics = Metrics()
    layer = LoggingMiddleware(app, sink=lambda line: None, metrics=metrics)
    for url in urls:
        ask(layer, url)
    requests = metrics.families()[0]
    return {(dict(labels)["status"], dict(labels)["route"]): count for _, labels, count in requests.samples}


def test_flask():
    app = Flask(__name__)

    @app.before_request
    def note_the_route():
        if request.url_rule is not None:
            request.environ["middleware.notes"]["route"] = request.url_rule.rule

    @app.get("/articles/<int:number>")
    def article(number):
        return str(number)

    assert counted(app.wsgi_app, "/articles/1", "/articles/2", "/wp-login.php", "/x.php") == {
        ("200", "/articles/<int:number>"): 2,
        ("404", ""): 2,
    }


class NoteTheRoute:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        request.environ["middleware.notes"]["route"] = "/" + request.resolver_match.route


def test_django():
    def article(request, number):
        return HttpResponse(str(number))

    routes = (path("", lambda request: HttpResponse("home")), path("articles/<int:number>/", article))
    with override_settings(MIDDLEWARE=[f"{__name__}.NoteTheRoute"], ROOT_URLCONF=routes):
        found = counted(get_wsgi_application(), "/", "/articles/1/", "/articles/2/", "/wp-login.php")
    assert found == {("200", "/"): 1, ("200", "/articles/<int:number>/"): 2, ("404", ""): 1}


def test_pyramid():
    def note_the_route(event):
        route = event.request.matched_route
        if route is not None:
            event.request.environ["middleware.notes"]["route"] = route.pattern

    with Configurator() as config:
        config.add_subscriber(note_the_route, ContextFound)
        config.add_route("article", "/articles/{number}")
        config.add_view(lambda request: Response("fine"), route_name="article")
        app = config.make_wsgi_app()
    assert counted(app, "/articles/1", "/articles/2", "/wp-login.php") == {
        ("200", "/articles/{number}"): 2,
        ("404", ""): 1,
    }
