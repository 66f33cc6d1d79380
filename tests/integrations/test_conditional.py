"""ETag and 304 for the pages of Django, Flask and Pyramid, which send none by themselves."""

from __future__ import annotations

import pytest
from asking import ask
from flask import Flask, Response
from integrations import django_site
from pyramid.config import Configurator
from pyramid.response import Response as PyramidResponse

from middleware import ConditionalMiddleware

from django.http import HttpResponse, StreamingHttpResponse  # isort: skip - the settings come first

PAGE = "<p>Grüße</p>".encode()


class Site:
    """`calls`: how often the view was called; `stream`: whether it streams from now on."""

    def __init__(self, make):
        self.calls = 0
        self.stream = False
        self.app = ConditionalMiddleware(make(self))

    def chunks(self):
        yield PAGE[:3]
        yield PAGE[3:]

    def ask(self, **request):
        return ask(self.app, "/", HTTP_HOST="127.0.0.1", **request)


def django(site):
    def view(request):
        site.calls += 1
        return StreamingHttpResponse(site.chunks()) if site.stream else HttpResponse(PAGE)

    django_site.uses["view"] = view
    return django_site.bare


def flask(site):
    app = Flask("site_of_the_test")

    @app.get("/")
    def view():
        site.calls += 1
        return Response(site.chunks() if site.stream else PAGE, mimetype="text/html")

    return app


def pyramid(site):
    def view(request):
        site.calls += 1
        return PyramidResponse(app_iter=site.chunks()) if site.stream else PyramidResponse(PAGE)

    config = Configurator()
    config.add_route("home", "/")
    config.add_view(view, route_name="home")
    return config.make_wsgi_app()


@pytest.fixture(params=[django, flask, pyramid], ids=lambda make: make.__name__)
def site(request):
    return Site(request.param)


def test_a_page_gets_an_etag_and_304(site):
    first = site.ask()
    etag = first.header("ETag")
    assert (first.code, first.body, len(first.all("ETag"))) == (200, PAGE, 1)
    again = site.ask(headers={"If-None-Match": etag})
    assert (again.code, again.body, again.all("ETag")) == (304, b"", [etag])
    assert again.header("Content-Type") is None
    assert again.header("Content-Length") is None
    assert site.ask(headers={"If-None-Match": '"another"'}).body == PAGE
    assert site.calls == 3


def test_a_page_that_streams_has_none(site):
    site.stream = True
    answer = site.ask(headers={"If-None-Match": "*"})
    assert (answer.code, answer.body, answer.header("ETag")) == (200, PAGE, None)


def test_head_is_as_it_was(site):
    answer = site.ask(method="HEAD")
    assert (answer.code, answer.header("ETag")) == (200, None)
