"""A Django project in one file, as `startproject` would spread over several, for a view that each test gives."""

from __future__ import annotations

import django
from django.conf import settings
from sessions.kit import SECRET, SpyStore

from middleware import SessionMiddleware

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "middleware.integrations.django.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {
        "context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]
    },
}

settings.configure(
    SECRET_KEY=SECRET,
    ALLOWED_HOSTS=["127.0.0.1", "testserver", "example.com"],
    ROOT_URLCONF=__name__,
    WSGI_APPLICATION=f"{__name__}.application",
    MIDDLEWARE=MIDDLEWARE,
    SESSION_ENGINE="middleware.integrations.django",
    MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
    ],
    TEMPLATES=[TEMPLATES],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib import admin  # noqa: E402 - Django has to know its settings first
from django.contrib.auth import views as auth_views  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, HttpResponseBase  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402

uses = {}  # what the views do, given by the test


def _answer(result):
    return result if isinstance(result, HttpResponseBase) else HttpResponse(repr(result))


def view(request):
    return _answer(uses["view"](request))


async def async_view(request):
    return _answer(await uses["async"](request))


def form(request):
    page = "{% csrf_token %}{% for message in messages %}[{{ message.tags }}: {{ message }}]{% endfor %}{{ user }}"
    return HttpResponse(engines["django"].from_string(page).render({}, request))


urlpatterns = [
    path("", view),
    path("async", async_view),
    path("form", form),
    path("login/", auth_views.LoginView.as_view()),
    path("logout/", auth_views.LogoutView.as_view(next_page="/")),
    path("admin/", admin.site.urls),
]

store = SpyStore()
bare = get_wsgi_application()
application = SessionMiddleware(bare, store=store)
