"""What a framework has besides a server: its test client, its command line, its own places for layers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial

import pytest
from asking import ask
from frameworks.sites import SITES, by_command, python, require
from over_http import exchange
from servers.asked import ANN
from servers.deployed import SOURCES, deployed

pytestmark = pytest.mark.slow


def lines(kept):
    return [json.loads(line) for line in (kept / "access.log").read_text().splitlines()]


# Django

SETTINGS = """
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "of a test"
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
MIDDLEWARE = ["middleware.integrations.django.SessionMiddleware"]
SESSION_ENGINE = "middleware.integrations.django"
"""
URLS = """
from django.http import HttpResponse
from django.urls import path


def count(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(f"{request.session['visits']} by {request.META.get('REMOTE_USER')}")


urlpatterns = [path("count", count)]
"""
WSGI = """
import os

from django.core.wsgi import get_wsgi_application
from examples.frameworks.stack import in_layers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = in_layers(get_wsgi_application())
"""


def test_djangos_runserver_serves_what_wsgi_py_has_in_its_layers(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for name, text in (("settings", SETTINGS), ("urls", URLS), ("wsgi", WSGI)):
        (project / f"{name}.py").write_text(text)
    command = python("django", "runserver", "--noreload", "127.0.0.1:PORT")
    with by_command(command, tmp_path, tmp_path, DJANGO_SETTINGS_MODULE="project.settings") as site:
        answer = exchange(site.port, "/count", ANN)
        assert answer.body == b"1 by ann"
        assert answer.field("Set-Cookie").startswith("id=")
        assert "wsgi-middleware" in answer.field("Cache-Status")
        (line,) = lines(site.kept)
        assert (line["user.name"], line["http.response.status_code"]) == ("ann", 200)


WITH_DJANGOS_CLIENT = """
from django.test import Client

from examples.frameworks import django_site
from middleware import Identity

django_site.application = django_site.make_site()
browser = Client()
print([browser.get("/count").content.decode() for _ in range(2)], browser.session["visits"])
ann = Identity("ann", "test", authenticated_at=0)
print(Client(**{"middleware.identity": ann}).get("/private").content.decode())
"""


def test_djangos_client_has_the_sessions_of_the_layer(tmp_path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES), "SITE_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-c", WITH_DJANGOS_CLIENT]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "['Visit number 1.', 'Visit number 2.'] 2\nFor ann alone.\n"


# Flask


def test_flasks_client_passes_through_all_layers(tmp_path):
    from examples.frameworks.flask_site import make_site

    site = make_site(tmp_path / "data")
    browser = partial(site.test_client().get, buffered=True)  # an answer that is not closed has not ended
    assert [browser("/count").text for _ in range(2)] == ["Visit number 1.", "Visit number 2."]
    assert browser("/").data == browser("/").data
    assert "hit" in browser("/").headers["Cache-Status"]
    assert browser("/private").status_code == 401
    assert browser("/private", headers=[ANN.split(": ")]).text == "For ann alone."
    assert [line["http.response.status_code"] for line in lines(tmp_path / "data")][-2:] == [401, 200]


# web.py


def test_the_last_layer_of_wsgifunc_is_the_outermost():
    require(SITES["webpy-waitress"])
    import web

    heard = []

    def layer(name):
        def made(app):
            def called(environ, start_response):
                heard.append(name)
                return app(environ, start_response)

            return called

        return made

    class Page:
        def GET(self):
            return "here"

    app = web.application(("/", Page), autoreload=False).wsgifunc(layer("inner"), layer("outer"))
    assert ask(app).text == "here"
    assert heard == ["outer", "inner"]


WILDCARD = """
import web
from examples.frameworks.webpy_site import by_path_info
from middleware import AuthMiddleware, Basic, allow, require


class Private:
    def GET(self, what):
        return "private"


app = web.application(("/private/(.*)", Private), autoreload=False)
rules = [allow("=/"), require("/")]
application = app.wsgifunc(by_path_info, lambda app: AuthMiddleware(app, Basic({}), rules=rules))
"""


def test_web_py_goes_by_the_path_that_the_rules_have_seen():
    require(SITES["webpy-flup"])
    with deployed("nginx-fcgi-flup", WILDCARD) as site:
        for path in ("/private/", "/private/%2e%2e/", "/private/../", "/private/x/../../", "/%2e/private/"):
            assert exchange(site.port, path).status != 200, path
