"""Who the layer has identified, as Flask, Flask-Login, Pyramid and WebOb know it. Django has a file of its own."""

from __future__ import annotations

import warnings
from wsgiref.validate import validator

import flask
import flask_login
import pytest
import webob
from asking import Browser, ask
from auth_helpers import basic, stored
from pyramid.authentication import RemoteUserAuthenticationPolicy
from pyramid.authorization import ACLAuthorizationPolicy, Allow, Authenticated, Deny, Everyone
from pyramid.config import Configurator
from pyramid.interfaces import ISecurityPolicy
from pyramid.response import Response
from pyramid.security import forget, remember
from zope.interface.verify import verifyObject

from middleware import AuthMiddleware, Basic, MemoryStore, SessionLogin, SessionMiddleware, get_identity, optional
from middleware.auth import Account
from middleware.errors import LayerMissing
from middleware.integrations.flask import by_identity
from middleware.integrations.pyramid_security import SecurityPolicy, principals_of

NAME = "jäsøn"
USERS = {
    "ann": Account(stored("apple"), roles=["editor"]),
    "editor": stored("elder"),
    NAME: stored("jackfruit"),
}
JASON = basic(NAME, "jackfruit")


def guarded(app, **options):
    return AuthMiddleware(app, Basic(USERS), rules=[optional("/")], **options)


# Flask


def in_flask(view):
    app = flask.Flask(__name__)
    app.add_url_rule("/", view_func=view)
    return app


def test_flask_knows_the_user_by_remote_user():
    app = guarded(in_flask(lambda: repr(flask.request.remote_user)))
    assert ask(app, headers=JASON).text == repr(NAME)
    assert ask(app).text == "None"
    assert ask(app, headers={"Remote-User": "root"}, REMOTE_USER="root").text == "None"


class Person(flask_login.UserMixin):
    def __init__(self, name):
        self.id = name


def in_flask_login(loader):
    app = in_flask(lambda: flask_login.current_user.get_id() or "nobody")
    app.secret_key = "a secret of the test"
    app.add_url_rule("/closed", "closed", view_func=flask_login.login_required(lambda: "opened"))
    manager = flask_login.LoginManager(app)
    manager.request_loader(loader)
    return app


@pytest.mark.parametrize("written_out", [False, True])
def test_flask_logins_current_user_is_the_same_user(written_out):
    def load(request):
        identity = get_identity(request.environ)
        return identity and Person(identity.user)

    app = guarded(in_flask_login(load if written_out else by_identity(Person)))
    answer = ask(app, headers=JASON)
    assert (answer.text, answer.all("Set-Cookie")) == (NAME, [])
    assert ask(app).text == "nobody"
    assert ask(app, "/closed", headers=basic()).text == "opened"
    assert ask(app, "/closed").code == 401


def test_whom_the_application_does_not_know_is_nobody_to_flask_login():
    app = guarded(in_flask_login(by_identity({"ann": Person("ann")}.get)))
    assert ask(app, headers=basic()).text == "ann"
    assert ask(app, headers=JASON).text == "nobody"


def test_flask_login_without_the_layer_says_what_is_missing():
    app = in_flask_login(by_identity(Person))
    app.testing = True
    with pytest.raises(LayerMissing, match="wrap the app in AuthMiddleware"):
        ask(app)


# Pyramid


class Root:
    __acl__ = [
        (Deny, "user:editor", "shut"),
        (Allow, "role:editor", "edit"),
        (Allow, Authenticated, "shut"),
        (Allow, Everyone, "see"),
    ]

    def __init__(self, request):
        pass


def in_pyramid(view, configure=None):
    config = Configurator(root_factory=Root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Pyramid's, of its policies before 2.0
        (configure or (lambda config: config.include("middleware.integrations.pyramid_security")))(config)
    config.add_route("home", "/")
    config.add_view(lambda request: Response(repr(view(request))), route_name="home")
    for permission in ("see", "edit", "shut"):
        config.add_route(permission, f"/{permission}")
        config.add_view(lambda request: Response("opened"), route_name=permission, permission=permission)
    return config.make_wsgi_app()


def seen(request):
    return request.remote_user, request.authenticated_userid, request.is_authenticated


def test_pyramid_knows_the_user_by_remote_user_and_by_our_policy():
    app = guarded(in_pyramid(seen))
    assert ask(app, headers=JASON).text == repr((NAME, NAME, True))
    assert ask(app).text == repr((None, None, False))
    assert ask(app, headers={"Remote-User": "root"}, REMOTE_USER="root").text == repr((None, None, False))


def test_the_identity_is_ours():
    app = guarded(in_pyramid(lambda request: request.identity is get_identity(request.environ)))
    assert ask(app, headers=basic()).text == "True"


def test_the_policy_is_one_to_the_letter():
    assert verifyObject(ISecurityPolicy, SecurityPolicy())


@pytest.mark.parametrize(
    ("path", "user", "code"),
    [
        ("/see", None, 200),
        ("/edit", None, 403),
        ("/edit", "ann", 200),
        ("/edit", "editor", 403),  # a user who is called as a role is does not have it
        ("/shut", "ann", 200),
        ("/shut", "editor", 403),
    ],
)
def test_roles_and_users_are_principals(path, user, code):
    passwords = {"ann": "apple", "editor": "elder"}
    app = guarded(in_pyramid(seen))
    assert ask(app, path, headers=basic(user, passwords[user]) if user else {}).code == code


def test_no_user_can_be_called_as_a_role_is():
    from middleware import Identity

    bad = Identity("role:editor", "test", authenticated_at=0.0)
    assert principals_of(bad) == [Everyone, Authenticated, "user:role:editor"]
    assert principals_of(None) == [Everyone]


def test_remember_and_forget_sign_in_and_out():
    def view(request):
        before = request.authenticated_userid
        if "in" in request.GET:
            assert remember(request, "ann") == []
        if "out" in request.GET:
            assert forget(request) == []
        return before, request.authenticated_userid

    app = AuthMiddleware(in_pyramid(view), SessionLogin(USERS), rules=[optional("/")])
    browser = Browser(SessionMiddleware(app, store=MemoryStore()))
    answers = [browser.get(path).text for path in ("/", "/?in=1", "/", "/?out=1", "/")]
    assert answers == [
        "(None, None)",
        "(None, 'ann')",
        "('ann', 'ann')",
        "('ann', None)",
        "(None, None)",
    ]


def by_remote_user(config):
    config.set_authorization_policy(ACLAuthorizationPolicy())
    config.set_authentication_policy(RemoteUserAuthenticationPolicy())


def test_pyramids_own_policy_for_remote_user_works():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        app = guarded(in_pyramid(lambda request: request.authenticated_userid, by_remote_user))
        assert ask(app, headers=JASON).text == repr(NAME)
        assert ask(app).text == "None"
        assert ask(app, "/shut", headers=JASON).text == "opened"


def test_pyramid_without_the_layer_says_what_is_missing():
    with pytest.raises(LayerMissing, match="wrap the app in AuthMiddleware"):
        ask(in_pyramid(seen))


# WebOb, and WSGI as it is


def in_webob(environ, start_response):
    return webob.Response(repr(webob.Request(environ).remote_user))(environ, start_response)


def plain(environ, start_response):
    identity = get_identity(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr((environ.get("REMOTE_USER"), identity and identity.user)).encode()]


def test_webob_knows_the_user():
    assert ask(guarded(in_webob), headers=JASON).text == repr(NAME)
    assert ask(guarded(in_webob)).text == "None"


def test_a_plain_application_knows_the_user():
    assert ask(guarded(plain), headers=JASON).text == repr((NAME, NAME))
    assert ask(guarded(validator(plain)), headers=JASON, SCRIPT_NAME="").text == repr((NAME, NAME))


def test_the_form_of_pep_3333_is_there_for_who_asks_for_it():
    as_bytes = NAME.encode().decode("latin-1")
    assert ask(guarded(plain, remote_user_encoding="wsgi"), headers=JASON).text == repr((as_bytes, NAME))
    assert ask(guarded(in_webob, remote_user_encoding="wsgi"), headers=JASON).text == repr(as_bytes)
