"""Django in its layers: `python -m examples.frameworks.django_site runserver`.

A project in one file. In one of several files MIDDLEWARE and its neighbours stand in settings.py, and the line with
`in_layers` in wsgi.py.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING

import django
from django.conf import settings

from examples.frameworks.stack import DATA, in_layers
from examples.frameworks.ticks import ticks

settings.configure(
    SECRET_KEY=token_hex(),  # nothing here outlives the process by it
    ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
    ROOT_URLCONF=__name__,
    WSGI_APPLICATION=f"{__name__}.application",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "middleware.integrations.django.SessionMiddleware",  # request.session
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        f"{__name__}.SiteUsers",  # request.user
    ],
    SESSION_ENGINE="middleware.integrations.django",
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django has to know its settings first
from django.core.management import execute_from_command_line  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.html import escape  # noqa: E402
from django.views.decorators.cache import cache_control  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from django.views.decorators.http import require_POST  # noqa: E402

from middleware.integrations.django import UserMiddleware  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIApplication

    from middleware import Identity


class SiteUsers(UserMiddleware):
    """There is no database here. Where there is one, UserMiddleware itself finds the user in it."""

    def find(self, identity: Identity) -> User:
        return User(username=identity.user)


@cache_control(public=True, s_maxage=60)
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Made at {datetime.now(UTC).time()}.")


@cache_control(public=True, s_maxage=60)
def cafe(request: HttpRequest, dish: str) -> HttpResponse:
    return HttpResponse(f"{escape(dish)}, made at {datetime.now(UTC).time()}.")


def count(request: HttpRequest) -> HttpResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    response = HttpResponse(f"Visit number {request.session['visits']}.")
    response.set_cookie("counted", "yes")
    return response


def private(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"For {request.user.get_username()} alone.")


@csrf_exempt  # it changes nothing
@require_POST
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"You wrote: {escape(request.POST['text'])}")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(ticks(int(request.GET.get("most", 3))), content_type="text/plain")


def error(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a page that fails")


urlpatterns = [
    path("", home),
    path("café/<dish>", cafe),
    path("count", count),
    path("private", private),
    path("echo", echo),
    path("stream", stream),
    path("error", error),
]


def make_site(folder: Path = DATA) -> WSGIApplication:
    """What wsgi.py calls `application`."""
    return in_layers(get_wsgi_application(), folder)


if __name__ == "__main__":
    application = make_site()
    execute_from_command_line(sys.argv)
