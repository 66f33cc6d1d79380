"""Applications of repoze.who on our identities: with Pyramid's own policy, and beside repoze.who itself."""

from __future__ import annotations

import pytest
from asking import Browser, ask, make_environ
from auth_helpers import basic, stored, who
from pyramid.authentication import RemoteUserAuthenticationPolicy, RepozeWho1AuthenticationPolicy
from pyramid.authorization import ACLAuthorizationPolicy
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.security import forget, remember
from repoze.who.api import get_api
from repoze.who.classifiers import default_challenge_decider, default_request_classifier
from repoze.who.interfaces import IAPI, IIdentifier
from repoze.who.middleware import PluggableAuthenticationMiddleware
from repoze.who.plugins.auth_tkt import AuthTktCookiePlugin
from repoze.who.restrict import PredicateRestriction, authenticated_predicate
from zope.interface.verify import verifyObject

from middleware import SessionMiddleware
from middleware.auth import Account, AuthMiddleware, Basic, SessionLogin, Throttled, get_identity, optional, require
from middleware.auth.schemes.auth_tkt import AuthTkt
from middleware.errors import ConfigurationError, LayerMissing
from middleware.integrations.repoze_who import RepozeWho
from middleware.stores import MemoryStore

SECRET = "a secret of the test, 32 characters"
USERS = {"ann": Account(stored("apple"), roles=["admin", "staff"], name="Ann"), "bob": stored("pear")}


class Old:
    """An old application: keeps what it found, and does with it what it was told."""

    def __init__(self):
        self.environ = {}
        self.act = None
        self.result = None

    def __call__(self, environ, start_response):
        self.environ = dict(environ)
        if self.act is not None:
            act, self.act = self.act, None
            self.result = act(environ)
        return who(environ, start_response)


@pytest.fixture
def app():
    return Old()


def with_sessions(app, rules=None, schemes=None, **options):
    layer = AuthMiddleware(
        RepozeWho(app, **options), schemes or [SessionLogin(USERS), Basic(USERS)], rules=rules or [optional("/")]
    )
    return SessionMiddleware(layer, store=MemoryStore())


def with_tickets(app, **options):
    return AuthMiddleware(
        app, AuthTkt(secret=SECRET, timeout=3600, **{"compat": ["repoze.who"], **options}), rules=[optional("/")]
    )


def pyramid_site(policy):
    """An application of Pyramid that signs in and out with its policy, and tells whom the policy sees."""
    config = Configurator()
    config.set_authorization_policy(ACLAuthorizationPolicy())
    config.set_authentication_policy(policy)

    def view(request):
        action, _, user = request.path_info.strip("/").partition("/")
        headers = []
        if action == "in":
            headers = remember(request, user, max_age=600)
        if action == "out":
            headers = forget(request)
        answer = Response(f"{request.authenticated_userid} {[str(one) for one in request.effective_principals]}")
        answer.headerlist.extend(headers)
        return answer

    config.add_route("all", "/*all")
    config.add_view(view, route_name="all")
    return config.make_wsgi_app()


def groups(identity, request):
    return identity.get("groups")


# Policies of this kind are deprecated in Pyramid, in favour of security policies.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EVERYONE = "system.Everyone"
AUTHENTICATED = "system.Authenticated"


def test_FWK_3_TKT_6_pyramids_policy_reads_a_ticket_groups_included():
    app = with_tickets(pyramid_site(RepozeWho1AuthenticationPolicy(callback=groups)), users=USERS)
    browser = Browser(app)
    assert browser.get("/").text == f"None ['{EVERYONE}']"
    assert browser.get("/in/ann").text.startswith("None")
    assert "Max-Age=600" in "".join(browser.get("/in/ann").all("Set-Cookie"))
    assert browser.get("/").text == f"ann ['{EVERYONE}', '{AUTHENTICATED}', 'ann', 'admin', 'staff']"
    browser.get("/out")
    assert browser.cookies == {}


def test_FWK_3_TKT_6_pyramids_policy_reads_any_login_and_signs_in_and_out():
    app = with_sessions(pyramid_site(RepozeWho1AuthenticationPolicy(callback=groups)))
    assert ask(app, headers=basic()).text == f"ann ['{EVERYONE}', '{AUTHENTICATED}', 'ann', 'admin', 'staff']"
    browser = Browser(app)
    browser.get("/in/bob")
    assert browser.get("/").text == f"bob ['{EVERYONE}', '{AUTHENTICATED}', 'bob']"
    browser.get("/out")
    assert browser.get("/").text == f"None ['{EVERYONE}']"


def test_FWK_3_pyramids_policy_with_a_name_of_its_own_for_the_identifier():
    app = with_sessions(pyramid_site(RepozeWho1AuthenticationPolicy(identifier_name="cookie", callback=groups)))
    browser = Browser(app)
    browser.get("/in/bob")
    assert browser.get("/").text.startswith("bob")


def test_FWK_3_pyramids_policy_for_remote_user_works():
    app = with_sessions(pyramid_site(RemoteUserAuthenticationPolicy()))
    assert ask(app, headers=basic()).text.startswith("ann")
    assert ask(app, REMOTE_USER="eve").text.startswith("None")


def test_an_application_finds_of_a_ticket_what_repoze_who_tells_it(app):
    plugin = AuthTktCookiePlugin(SECRET, digest_algo="sha512")
    identity = {"repoze.who.userid": 42, "tokens": ("admin",), "userdata": {"colour": "red"}}
    pair = plugin.remember(make_environ(), identity)[0][1].partition(";")[0]
    theirs = PluggableAuthenticationMiddleware(
        app,
        [("auth_tkt", plugin)],
        [("auth_tkt", plugin)],
        [("auth_tkt", plugin)][:0],
        [],
        default_request_classifier,
        default_challenge_decider,
    )
    found = []
    for layer in (theirs, with_tickets(app), with_tickets(RepozeWho(app))):
        app.act = lambda environ: environ.setdefault("middleware.identity", None)  # the application tells it
        ask(layer, headers={"Cookie": pair})
        found.append(app.environ["repoze.who.identity"])
    for name in ("repoze.who.userid", "tokens", "userdata", "timestamp", "repoze.who.plugins.auth_tkt.userid"):
        assert found[0][name] == found[1][name] == found[2][name]


def test_a_restriction_of_repoze_who_lets_in_who_is_identified(app):
    layer = with_sessions(PredicateRestriction(app, authenticated_predicate))
    assert ask(layer, headers=basic()).code == 200
    assert ask(layer).code == 401
    assert ask(layer).header("WWW-Authenticate")


def test_metadata_providers_add_to_the_identity(app):
    class Provider:
        def add_metadata(self, environ, identity):
            identity["mail"] = f"{identity['repoze.who.userid']}@{environ['SERVER_NAME']}"

    def colour(environ, identity):
        identity["colour"] = "red"

    layer = with_sessions(app, metadata=[Provider(), colour])
    ask(layer, headers=basic())
    assert app.environ["repoze.who.identity"]["mail"] == "ann@127.0.0.1"
    assert app.environ["repoze.who.identity"]["colour"] == "red"
    ask(layer)
    assert "repoze.who.identity" not in app.environ


def test_an_identity_that_somebody_else_has_set_is_removed(app):
    ask(with_sessions(app), **{"repoze.who.identity": {"repoze.who.userid": "eve"}})
    assert "repoze.who.identity" not in app.environ


def test_the_api_signs_in_and_out(app):
    browser = Browser(with_sessions(app, users=USERS))
    app.act = lambda environ: get_api(environ).login({"login": "ann", "password": "apple", "max_age": 60})
    browser.get("/")
    identity, headers = app.result
    assert headers == []
    assert identity["repoze.who.userid"] == "ann"
    assert identity["groups"] == ["admin", "staff"]
    assert "password" not in identity
    assert browser.get("/").text == "ann ann session"
    app.act = lambda environ: (get_api(environ).authenticate(), get_api(environ).logout(), dict(environ))
    browser.get("/")
    before, headers, after = app.result
    assert before["repoze.who.userid"] == "ann"
    assert headers == []
    assert "repoze.who.identity" not in after
    assert browser.get("/").text == "None None None"


@pytest.mark.parametrize(
    "credentials",
    [
        {"login": "ann", "password": "pear"},
        {"login": "eve", "password": "apple"},
        {},
        {"login": None, "password": b"x"},
    ],
    ids=repr,
)
def test_the_api_signs_nobody_in_with_wrong_credentials(app, credentials):
    browser = Browser(with_sessions(app, users=USERS))
    app.act = lambda environ: get_api(environ).login(credentials)
    browser.get("/")
    assert app.result == (None, [])
    assert browser.get("/").text == "None None None"


def try_to_sign_in(environ, password="wrong"):
    user, _ = environ["repoze.who.api"].login({"login": "ann", "password": password})
    return "welcome" if user else "wrong"


def at_once(environ, start_response):
    text = try_to_sign_in(environ)
    start_response("200 OK", [])
    return [text.encode()]


def begun(environ, start_response):
    start_response("200 OK", [("X-Begun", "yes")])
    return [try_to_sign_in(environ).encode()]


def late(environ, start_response):
    text = try_to_sign_in(environ)
    start_response("200 OK", [])
    yield text.encode()


@pytest.mark.parametrize("old", [at_once, begun, late])
def test_who_guesses_by_the_api_of_an_application_that_knows_no_throttling_has_to_wait(old):
    app = with_sessions(old, users=USERS)
    assert [ask(app).text for _ in range(5)] == ["wrong"] * 5
    answer = ask(app)
    assert answer.code == 429
    assert int(answer.header("Retry-After")) >= 1
    assert answer.header("X-Begun") is None


@pytest.mark.parametrize("old", [at_once, begun, late])
def test_a_login_by_the_api_while_the_users_cannot_be_looked_up_is_one_for_later(old):
    def find(user):
        raise OSError("the database is down")

    answer = ask(with_sessions(old, users=find))
    assert answer.code == 503
    assert answer.header("Retry-After") == "5"


def test_an_application_that_has_an_answer_of_its_own_for_who_has_to_wait_gives_it():
    def old(environ, start_response):
        try:
            return at_once(environ, start_response)
        except Throttled:
            start_response("200 OK", [])
            return [b"please wait"]

    app = with_sessions(old, users=USERS)
    assert [ask(app).text for _ in range(6)] == ["wrong"] * 5 + ["please wait"]


def test_a_form_that_is_handed_on_whole_gives_nobody_tokens(app):
    layer = AuthMiddleware(
        RepozeWho(app, users=USERS),
        AuthTkt(secret=SECRET, timeout=60, compat=["repoze.who"]),
        rules=[optional("/")],
    )
    browser = Browser(layer)
    form = {"login": "bob", "password": "pear", "tokens": "admin", "userdata": "x=y", "max_age": "soon"}
    app.act = lambda environ: get_api(environ).login(form)
    browser.get("/")
    identity, _ = app.result
    assert identity == {"login": "bob", "repoze.who.userid": "bob", "groups": []}
    app.act = get_identity
    assert browser.get("/").text == "bob bob auth_tkt"
    assert app.result.roles == frozenset()
    assert app.result.claims["userdata"] == ""


def test_the_api_checks_no_password_where_it_does_not_know_them(app):
    app.act = lambda environ: get_api(environ).login({"login": "ann", "password": "apple"})
    with pytest.raises(ConfigurationError, match="users="):
        ask(with_sessions(app))


def test_the_api_remembers_and_forgets(app):
    browser = Browser(with_sessions(app))
    app.act = lambda environ: get_api(environ).remember({"repoze.who.userid": "bob"})
    browser.get("/")
    assert app.result == []
    assert browser.get("/").text == "bob bob session"
    app.act = lambda environ: get_api(environ).remember()
    browser.get("/")
    assert app.result == []
    app.act = lambda environ: get_api(environ).forget()
    browser.get("/")
    assert browser.get("/").text == "None None None"


def test_the_api_asks_for_a_login():
    def app(environ, start_response):
        challenge = get_api(environ).challenge("401 Unauthorized", [("Set-Cookie", "a=b"), ("X", "y")])
        return challenge(environ, start_response)

    layer = with_sessions(app)
    answer = ask(layer)
    assert answer.code == 401
    assert answer.header("Set-Cookie") == "a=b"
    assert any(line.startswith("Basic ") for line in answer.all("WWW-Authenticate"))
    answer = ask(layer, headers={"Accept": "text/html"})
    assert answer.code == 302
    assert answer.header("Location").startswith("/login")


def test_ours_have_what_the_interfaces_of_repoze_who_ask_for(app):
    ask(with_sessions(app), headers=basic())
    assert verifyObject(IIdentifier, app.environ["repoze.who.plugins"]["auth_tkt"], tentative=True)
    assert verifyObject(IAPI, get_api(app.environ), tentative=True)


def test_a_ticket_keeps_tokens_and_data_that_are_remembered_by_name(app):
    browser = Browser(with_tickets(RepozeWho(app)))
    given = {"repoze.who.userid": "ann", "tokens": ["admin"], "userdata": {"colour": "red"}}
    app.act = lambda environ: get_api(environ).remember(given)
    browser.get("/")
    browser.get("/")
    assert app.environ["repoze.who.identity"]["tokens"] == ["admin"]
    assert app.environ["repoze.who.identity"]["userdata"] == {"colour": "red"}


def test_it_stands_inside_the_layer_of_authentication(app):
    with pytest.raises(LayerMissing):
        ask(RepozeWho(app))


@pytest.mark.parametrize("options", [{"metadata": [7]}, {"metadata": [Old]}, {"users": 7}])
def test_wrong_options_are_refused(app, options):
    with pytest.raises(ConfigurationError):
        RepozeWho(app, **options)


def test_rules_decide_before_the_application_is_asked(app):
    assert ask(with_sessions(app, rules=[require("/")])).code == 401
    assert app.environ == {}
