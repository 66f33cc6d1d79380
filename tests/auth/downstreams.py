"""What stands behind the layer in real projects: each serves the same three places, and its pages say where they are.

`/admin` and all below is one place, `/pub` and all below another, `/public` a third. A page begins with `this is` and
its path; whatever else an application answers comes from none of them.
"""

from __future__ import annotations

import re
import warnings

import flask
import webob.static
from asking import ask
from integrations import django_site  # noqa: F401 - it gives Django its settings
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.static import static_view
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from whitenoise import WhiteNoise

from django.core.handlers.wsgi import WSGIHandler  # isort: skip - the settings come first
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path, re_path
from django.views.static import serve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a package that asks for pkg_resources
    from paste.urlmap import URLMap
    from paste.urlparser import StaticURLParser

PLACES = ("/admin", "/pub", "/public")


def page(place, below=""):
    return f"this is {place}{below}\n"


def path_of(answer):
    """The path of the page that an answer shows, None where it shows none."""
    found = re.match(r"this is (/.*)\n\Z", answer.body.decode("utf-8", "surrogateescape"), re.DOTALL)
    return found and found[1]


def place_of(answer):
    """The place from which the page is that an answer shows."""
    path = path_of(answer)
    return path and "/" + path.split("/")[1]


def reached(app, **environ):
    """The path of the page that a request shows where no layer stands before the application."""
    try:
        return path_of(ask(app, **{"SCRIPT_NAME": "", **environ}))
    except Exception:
        return None  # it fails, with a 500 say: nothing was shown


def plain(place):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [page(place, environ["PATH_INFO"]).encode("latin-1")]

    return app


def in_flask():
    app = flask.Flask(__name__)
    for place in PLACES:
        for below in ("", "/", "/<path:rest>"):

            def view(rest=None, place=place):
                return page(place, "" if rest is None else f"/{rest}")

            app.add_url_rule(place + below, place + below, view, methods=["GET", "POST"], strict_slashes=False)
    return app


def in_django():
    urls = []
    for place in PLACES:

        def view(request, rest=None, place=place):
            return HttpResponse(page(place, "" if rest is None else f"/{rest}"))

        name = place[1:]
        urls += [re_path(rf"^{name}$", view), path(f"{name}/", view), path(f"{name}/<path:rest>", view)]
    return of_django(urls)


def of_django(urls):
    """Django with these URLs and nothing else, whatever settings other tests have made."""

    def app(environ, start_response):
        with override_settings(ROOT_URLCONF=tuple(urls), MIDDLEWARE=[], ALLOWED_HOSTS=["*"]):
            return WSGIHandler()(environ, start_response)

    return app


def in_pyramid():
    config = Configurator()
    for place in PLACES:

        def view(request, place=place):
            rest = "".join(f"/{part}" for part in request.matchdict.get("rest", ()))
            return Response(page(place, rest))

        for pattern in (place, f"{place}/", f"{place}/*rest"):
            config.add_route(pattern, pattern)
            config.add_view(view, route_name=pattern)
    return config.make_wsgi_app()


def in_urlmap():
    app = URLMap()
    for place in PLACES:
        app[place] = plain(place)
    return app


def in_dispatcher():
    return DispatcherMiddleware(NotFound(), {place: plain(place) for place in PLACES})


def flask_files(folder):
    return flask.Flask(__name__, static_url_path="", static_folder=folder)


def django_files(folder):
    return of_django([re_path(r"^(?P<path>.*)$", serve, {"document_root": folder})])


def pyramid_files(folder):
    config = Configurator()
    config.add_route("files", "/*subpath")
    config.add_view(static_view(str(folder), use_subpath=True), route_name="files")
    return config.make_wsgi_app()


def make_files(folder):
    """The three places as folders of files."""
    for place in PLACES:
        inside = folder / place[1:]
        inside.mkdir()
        for name in ("index.html", "x", "x.txt"):
            (inside / name).write_text(page(place, f"/{name}"))


def downstreams(folder):
    """Every application, by its name; `folder` is for the files of those that serve some."""
    make_files(folder)
    return {
        "Flask": in_flask(),
        "Django": in_django(),
        "Pyramid": in_pyramid(),
        "paste.urlmap": in_urlmap(),
        "paste.static": StaticURLParser(str(folder)),
        "webob.static": webob.static.DirectoryApp(str(folder)),
        "SharedData": SharedDataMiddleware(NotFound(), {"/": str(folder)}),
        "Dispatcher": in_dispatcher(),
        "WhiteNoise": WhiteNoise(NotFound(), root=str(folder), index_file=True),
        "WhiteNoise that looks at each request": WhiteNoise(NotFound(), root=str(folder), autorefresh=True),
        "files of Flask": flask_files(folder),
        "files of Django": django_files(folder),
        "files of Pyramid": pyramid_files(folder),
    }


NAMES = [
    "Flask",
    "Django",
    "Pyramid",
    "paste.urlmap",
    "paste.static",
    "webob.static",
    "SharedData",
    "Dispatcher",
    "WhiteNoise",
    "WhiteNoise that looks at each request",
    "files of Flask",
    "files of Django",
    "files of Pyramid",
]
