"""Django's `request.user` from our logins: by our own middleware, and by Django's RemoteUserMiddleware."""

from __future__ import annotations

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored
from integrations import django_site
from sessions.kit import SpyStore

from middleware import AuthMiddleware, Basic, Identity, SessionMiddleware, allow, get_identity, optional
from middleware.auth import Account, get_auth
from middleware.errors import LayerMissing

from django.contrib.auth.decorators import login_required, permission_required  # isort: skip - the settings come first
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from django.db import connection  # isort: skip

from middleware.integrations.django import UserMiddleware  # isort: skip

OURS = "middleware.integrations.django.UserMiddleware"
USERS = {
    "ann": Account(stored("apple"), roles=["editors", "guests"]),
    "bob": Account(stored("banana"), roles=["editors"]),
    "fay": stored("fig"),  # only for the test that has her made
    "eve": stored("elderberry"),
    "jäsøn": stored("jackfruit"),
}


class Making(UserMiddleware):
    create_unknown_user = True


class Mapping(UserMiddleware):
    def groups_of(self, identity):
        return {"editors": ["Publishers"]}.get(*identity.roles, [])


@pytest.fixture(scope="module", autouse=True)
def database():
    call_command("migrate", verbosity=0)
    for name in ("ann", "jäsøn", "gone"):
        User.objects.get_or_create(username=name)
    User.objects.filter(username="gone").update(is_active=False)
    publishing = Permission.objects.get(codename="change_user")
    for name in ("editors", "Publishers"):
        Group.objects.get_or_create(name=name)[0].permissions.add(publishing)
    Group.objects.get_or_create(name="own")
    yield
    User.objects.all().delete()  # files that share a process share the database
    Group.objects.all().delete()


class Site:
    """The project with these lines of MIDDLEWARE, behind a layer that identifies whoever can be."""

    def __init__(self, *middleware, rules=None, **settings):
        self.settings = {"MIDDLEWARE": middleware, **settings}
        self.app = AuthMiddleware(
            self._django, Basic({**USERS, "gone": stored("grape")}), rules=rules or [optional("/")]
        )

    def _django(self, environ, start_response):
        with override_settings(**self.settings):
            return WSGIHandler()(environ, start_response)

    def ask(self, use, user=None, password=None, app=None, path="/", **options):
        django_site.uses["view"] = use
        django_site.uses["async"] = use
        return ask(app or self.app, path, headers=basic(user, password) if user else {}, **options)


def who(request):
    return HttpResponse(f"{request.user.username}|{request.user.is_authenticated}")


@pytest.fixture
def site():
    return Site(OURS)


def test_the_user_is_the_one_whom_the_layer_has_identified(site):
    assert site.ask(who, "ann", "apple").text == "ann|True"
    assert site.ask(who).text == "|False"


def test_a_name_beyond_ascii_arrives_as_it_is(site):
    assert site.ask(who, "jäsøn", "jackfruit").text == "jäsøn|True"


def test_no_cookie_is_set_and_no_session_written():
    store = SpyStore()
    site = Site("middleware.integrations.django.SessionMiddleware", OURS)
    app = SessionMiddleware(site.app, store=store)
    for _ in range(3):
        answer = site.ask(who, "ann", "apple", app=app)
        assert (answer.text, answer.all("Set-Cookie")) == ("ann|True", [])
    assert store.calls == []


def test_a_page_that_does_not_ask_who_it_is_costs_no_query(site):
    with CaptureQueriesContext(connection) as queries:
        site.ask(lambda request: "fine", "ann", "apple")
    assert len(queries) == 0
    with CaptureQueriesContext(connection) as queries:
        site.ask(lambda request: (request.user.username, request.user.pk, request.user.is_active), "ann", "apple")
    assert len(queries) == 1


def test_async_pages_know_the_user_too(site):
    async def view(request):
        return HttpResponse((await request.auser()).username)

    assert site.ask(view, "ann", "apple", path="/async").text == "ann"


def test_whom_the_database_does_not_know_is_nobody_there(site):
    assert site.ask(who, "eve", "elderberry").text == "|False"
    assert not User.objects.filter(username="eve").exists()


def test_who_has_no_active_account_is_nobody_there(site):
    assert site.ask(who, "gone", "grape").text == "|False"


def test_a_user_is_made_only_where_that_was_said():
    site = Site(f"{__name__}.Making")
    assert site.ask(who, "fay", "fig").text == "fay|True"
    made = User.objects.get(username="fay")
    assert not made.has_usable_password() or made.password == ""
    assert site.ask(lambda request: request.user.pk, "fay", "fig").text == repr(made.pk)


def test_another_name_that_the_database_takes_for_this_one_is_another_user(site, monkeypatch):
    ann = User.objects.get(username="ann")
    monkeypatch.setattr(type(User._default_manager), "get_by_natural_key", lambda self, name: ann)
    assert site.ask(who, "eve", "elderberry").text == "|False"
    assert site.ask(who, "ann", "apple").text == "ann|True"


def test_roles_are_groups_for_the_request_and_nothing_is_written(site):
    ann = User.objects.get(username="ann")
    ann.groups.set([Group.objects.get(name="own")])

    def groups(request):
        user = request.user
        return (
            sorted(group.name for group in user.groups.all()),
            user.groups.filter(name="editors").exists(),
            user.groups.count(),
            user.has_perm("auth.change_user"),
            user.has_perm("auth.delete_user"),
        )

    assert site.ask(groups, "ann", "apple").text == "(['editors', 'own'], True, 2, True, False)"
    assert [group.name for group in ann.groups.all()] == ["own"]
    assert not User.objects.get(username="ann").has_perm("auth.change_user")


def test_who_has_no_roles_has_the_groups_of_the_database(site):
    User.objects.get(username="jäsøn").groups.set([Group.objects.get(name="own")])
    names = site.ask(lambda request: [group.name for group in request.user.groups.all()], "jäsøn", "jackfruit")
    assert names.text == "['own']"


def test_roles_may_be_other_groups():
    User.objects.get_or_create(username="bob")
    site = Site(f"{__name__}.Mapping")
    names = site.ask(lambda request: [group.name for group in request.user.groups.all()], "bob", "banana")
    assert names.text == "['Publishers']"


def test_what_django_asks_of_a_user_works(site):
    @permission_required("auth.change_user", raise_exception=True)
    def edit(request):
        return HttpResponse("edited")

    assert site.ask(edit, "ann", "apple").text == "edited"
    assert site.ask(edit, "jäsøn", "jackfruit").code == 403
    assert site.ask(login_required(edit)).code == 302


def test_an_identity_that_the_client_sends_is_none(site):
    forged = {"Remote-User": "ann", "X-Forwarded-User": "ann", "Middleware.Identity": "ann"}
    django_site.uses["view"] = who
    assert ask(site.app, headers=forged, REMOTE_USER="ann").text == "|False"


def test_under_a_rule_that_identifies_nobody_there_is_nobody():
    site = Site(OURS, rules=[allow("/")])
    assert site.ask(who, "ann", "apple").text == "|False"


def test_without_the_layer_the_first_use_of_the_user_says_what_is_missing(site):
    django_site.uses["view"] = who
    with override_settings(**site.settings), pytest.raises(LayerMissing, match="wrap the app in AuthMiddleware"):
        Client().get("/")
    with override_settings(**site.settings):
        assert Client(**{"middleware.identity": None}).get("/").content == b"|False"
        ann = Identity("ann", "test", authenticated_at=0.0)
        assert Client(**{"middleware.identity": ann}).get("/").content == b"ann|True"


def test_django_keeps_no_page_of_one_user_for_another():
    cache.clear()
    site = Site(
        "django.middleware.cache.UpdateCacheMiddleware", OURS, "django.middleware.cache.FetchFromCacheMiddleware"
    )
    assert site.ask(who).text == "|False"
    assert site.ask(who, "ann", "apple").text == "ann|True"
    assert site.ask(who, "jäsøn", "jackfruit").text == "jäsøn|True"
    assert site.ask(who).text == "|False"


def test_the_handle_works_in_a_view(site):
    def view(request):
        assert get_auth(request.META).identity is get_identity(request.META)
        return get_identity(request.META).user

    assert site.ask(view, "ann", "apple").text == "'ann'"


# Django's own way, by REMOTE_USER

REMOTE = [
    "middleware.integrations.django.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.RemoteUserMiddleware",
]


def test_remote_user_middleware_logs_in_whom_the_layer_has_identified_and_out_who_is_gone():
    site = Site(*REMOTE, AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.RemoteUserBackend"])
    browser = Browser(SessionMiddleware(site.app, store=SpyStore()))
    django_site.uses["view"] = who
    assert browser.get(headers=basic("jäsøn", "jackfruit")).text == "jäsøn|True"
    assert browser.get(headers=basic("ann", "apple")).text == "ann|True"
    assert browser.get().text == "|False"
    assert browser.get(headers={"Remote-User": "ann"}).text == "|False"
