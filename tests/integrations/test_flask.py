"""Flask on our sessions: what its applications do with `flask.session`, through Flask itself."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import flask
import pytest
from asking import Browser, ask
from flask import Blueprint, Flask, flash, get_flashed_messages, redirect, render_template_string, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from markupsafe import Markup
from sessions.kit import SECRET, Clock, SpyStore
from werkzeug.middleware.proxy_fix import ProxyFix

from middleware import CookieOptions, MemoryStore, ProxyMiddleware, SessionMiddleware, get_session
from middleware.errors import ConfigurationError, LayerMissing, StoreError
from middleware.integrations.flask import SessionInterface, use_sessions

DAY = 86400


class Site:
    """A Flask application whose view is given with each request: `site.ask(lambda session: ...)`."""

    def __init__(self, **options):
        self.app = Flask("site_of_the_test")
        self.layer = use_sessions(self.app, **options)
        self.browser = Browser(self.app)
        self.page("/", self.view)

    def page(self, path, view):
        """Before the first request, as Flask has it."""
        self.app.add_url_rule(path, endpoint=path, view_func=view)

    def view(self):
        answer = self.use(flask.session)
        return answer if isinstance(answer, flask.Response) else repr(answer)

    def ask(self, use, browser=None):
        self.use = use
        return (browser or self.browser).get()


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def site(store):
    return Site(store=store)


def put(**values):
    return lambda session: session.update(values)


def permanently(session):
    session["a"] = 1
    session.permanent = True


# A session of Flask's


def test_what_was_put_in_is_there_in_the_next_request(site):
    site.ask(put(name="Ann", tags=("a", "b")))
    assert site.ask(dict).text == "{'name': 'Ann', 'tags': ('a', 'b')}"
    assert list(site.browser.cookies) == ["id"]


def test_a_change_inside_of_a_value_is_kept_without_a_flag(site):
    site.ask(put(cart=[1]))
    site.ask(lambda session: session["cart"].append(2))
    assert site.ask(lambda session: session["cart"]).text == "[1, 2]"


OPERATIONS = {
    "del": lambda s: s.__delitem__("a"),
    "pop": lambda s: s.pop("a"),
    "setdefault": lambda s: s.setdefault("c", [3]),
    "update": lambda s: s.update(b=4),
    "popitem": lambda s: s.popitem(),
    "|=": lambda s: s.update({"d": None}),
}


@pytest.mark.parametrize("change", OPERATIONS.values(), ids=OPERATIONS)
def test_it_is_changed_as_a_dict_is(site, change):
    expected = {"a": 1, "b": [2]}
    if change is not OPERATIONS["popitem"]:
        change(expected)
    site.ask(put(a=1, b=[2]))
    answer = site.ask(lambda session: (change(session), session.modified)[1])
    assert answer.text == "True"
    found = dict(site.layer.open(f"id={site.browser.cookies['id']}"))
    assert len(found) == 1 if change is OPERATIONS["popitem"] else found == expected


def test_a_request_that_ignores_its_session_asks_no_store(site, store):
    site.ask(put(a=1))
    store.forget_calls()
    store.down = True
    answer = site.ask(lambda session: "fine")
    assert (answer.code, store.calls) == (200, [])
    assert answer.header("Vary") is answer.header("Set-Cookie") is answer.header("Cache-Control") is None


def test_a_template_that_does_not_use_the_session_does_not_load_it(site, store):
    store.down = True
    assert site.ask(lambda _: flask.Response(render_template_string("{{ 1 + 1 }}"))).text == "2"
    assert store.calls == []


def test_reading_varies_by_cookie_and_writes_nothing(site, store):
    site.ask(put(a=1))
    store.forget_calls()
    answer = site.ask(lambda session: session.get("a"))
    assert (answer.header("Vary"), answer.header("Set-Cookie"), store.calls) == ("Cookie", None, ["get"])


def test_new_tells_whether_this_request_began_it(site):
    assert site.ask(lambda session: (session.new, session.update(a=1))).text == "(True, None)"
    assert site.ask(lambda session: session.new).text == "False"


def test_it_does_not_show_what_it_holds_in_logs(site):
    assert "secret" not in site.ask(lambda session: (session.update(a="secret"), repr(session))[1]).text


def test_no_secret_key_is_needed_and_none_of_flasks_cookies_set(site):
    assert site.app.secret_key is None
    assert len(site.ask(put(a=1)).all("Set-Cookie")) == 1


def test_sessions_in_a_signed_cookie_work_too():
    site = Site(secret=SECRET)
    site.ask(put(a=1))
    assert site.ask(dict).text == "{'a': 1}"


def test_a_view_that_fails_keeps_nothing(site):
    site.ask(put(a=1))
    assert site.ask(lambda session: session.update(a=2) or 1 / 0).code == 500
    assert site.ask(lambda session: session["a"]).text == "1"


def test_a_blueprint_has_the_same_session(site):
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    blueprint.add_url_rule("/", view_func=lambda: repr(flask.session["a"]))
    site.app.register_blueprint(blueprint)
    site.ask(put(a=1))
    assert site.browser.get("/shop/").text == "1"


def test_get_session_gives_the_same_with_its_types(site):
    def use(session):
        get_session(request.environ).increment("visits")
        return session["visits"]

    assert site.ask(use).text == "1"


def test_a_streamed_body_may_read_the_session_that_was_used_before(site):
    site.ask(put(a=1))

    def use(session):
        session["a"] = 2
        return flask.Response(flask.stream_with_context(str(flask.session["a"]) for _ in range(2)))

    assert site.ask(use).text == "22"
    assert site.ask(lambda session: session["a"]).text == "2"


# Messages


def test_a_flashed_message_is_shown_once_after_a_redirect(site):
    site.ask(lambda _: (flash("Saved."), flash("Careful!", "warning"), redirect("/"))[2])
    shown = "[('message', 'Saved.'), ('warning', 'Careful!')]"
    assert site.ask(lambda _: get_flashed_messages(with_categories=True)).text == shown
    assert site.ask(lambda _: get_flashed_messages()).text == "[]"


def test_a_message_that_is_markup_stays_markup(site):
    site.ask(lambda _: flash(Markup("<b>Saved</b>"), "info"))
    template = "{% for kind, text in get_flashed_messages(with_categories=true) %}{{ kind }}: {{ text }}{% endfor %}"
    assert site.ask(lambda _: flask.Response(render_template_string(template))).text == "info: <b>Saved</b>"


def test_text_is_never_taken_for_markup(site):
    def use(_):
        with pytest.raises(ValueError, match="markup:"):
            flash("<script>", "markup:info")

    site.ask(use)
    site.ask(lambda _: flash("<script>"))
    template = "{{ get_flashed_messages()[0] }}"
    assert site.ask(lambda _: flask.Response(render_template_string(template))).text == "&lt;script&gt;"


def test_what_is_no_text_is_refused_in_the_line_that_flashes_it(site):
    def use(_):
        with pytest.raises(TypeError, match="flash"):
            flash({"name": "is required"})

    assert site.ask(use).code == 200


def test_two_requests_that_flash_at_the_same_time_both_show_their_message(site):
    barrier = Barrier(2, timeout=60)

    def view(message):
        len(flask.session)
        barrier.wait()
        flash(message)
        return ""

    site.page("/flash/<message>", view)
    site.ask(put(a=1))
    ask_all(site, "/flash/one", "/flash/two")
    assert site.ask(lambda _: sorted(get_flashed_messages())).text == "['one', 'two']"


def test_messages_are_where_tests_of_flask_look_for_them(site):
    site.ask(lambda _: flash("Saved."))
    client = site.app.test_client()
    client.set_cookie("id", site.browser.cookies["id"])
    with client.session_transaction() as session:
        assert dict(session)["_flashes"] == [("message", "Saved.")]
        assert (len(session), "_flashes" in session) == (1, True)
        session["_flashes"] = [("error", "Other.")]
    assert site.ask(lambda _: get_flashed_messages(with_categories=True)).text == "[('error', 'Other.')]"
    with client.session_transaction() as session:
        assert ("_flashes" in session, len(session), session.get("_flashes")) == (False, 0, None)
        with pytest.raises(KeyError):
            del session["_flashes"]


# How long it lives


def test_a_permanent_session_outlives_the_browser(store):
    site = Site(store=store, clock=Clock(time.time()))
    site.app.permanent_session_lifetime = timedelta(days=10)
    answer = site.ask(permanently)
    assert f"Max-Age={10 * DAY}" in answer.header("Set-Cookie")
    assert site.ask(lambda session: session.permanent).text == "True"
    answer = site.ask(lambda session: setattr(session, "permanent", False))
    assert "Max-Age" not in answer.header("Set-Cookie")
    assert site.ask(lambda session: session.permanent).text == "False"


def test_a_lifetime_longer_than_browsers_allow_is_400_days(store):
    site = Site(store=store, clock=Clock(time.time()))
    site.app.permanent_session_lifetime = timedelta(days=3650)
    assert f"Max-Age={400 * DAY}" in site.ask(permanently).header("Set-Cookie")


def test_permanent_in_every_request_writes_once_in_a_tenth_of_the_lifetime(store):
    clock = Clock(time.time() - 2 * DAY)
    site = Site(store=store, clock=clock)
    site.app.permanent_session_lifetime = timedelta(days=10)
    site.app.before_request(lambda: setattr(flask.session, "permanent", True))
    site.ask(put(a=1))
    site.app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    clock.now = time.time()
    assert site.ask(lambda session: None).header("Set-Cookie") is None
    site.app.config["SESSION_REFRESH_EACH_REQUEST"] = True
    assert f"Max-Age={10 * DAY}" in site.ask(lambda session: None).header("Set-Cookie")
    store.forget_calls()
    assert site.ask(lambda session: None).header("Set-Cookie") is None
    assert store.calls == ["get"]


def test_permanent_alone_is_nothing_to_keep(site, store):
    site.app.before_request(lambda: setattr(flask.session, "permanent", True))
    answer = site.ask(lambda session: session.permanent)
    assert (answer.text, answer.header("Set-Cookie"), store.calls) == ("True", None, [])
    assert "Max-Age" in site.ask(put(a=1)).header("Set-Cookie")
    assert site.ask(dict).text == "{'_permanent': True, 'a': 1}"


# Log-in and log-out


def test_the_login_of_flasks_tutorial_gives_a_new_id_and_the_old_one_opens_nothing(site):
    site.ask(put(cart=[1]))
    before = dict(site.browser.cookies)
    site.ask(lambda session: (session.clear(), session.update(user_id=7)))
    assert site.browser.cookies != before
    attacker = Browser(site.app)
    attacker.cookies = before
    assert site.ask(dict, attacker).text == "{}"
    assert site.ask(dict).text == "{'user_id': 7}"


@pytest.mark.parametrize("key", ["user_id", "_user_id"])
def test_a_user_put_into_the_session_gives_it_a_new_id(site, key):
    site.ask(put(cart=[1]))
    attacker = Browser(site.app)
    attacker.cookies = dict(site.browser.cookies)
    site.ask(put(**{key: "7"}))
    assert site.ask(dict, attacker).text == "{}"
    assert site.ask(dict).text == f"{{'cart': [1], {key!r}: '7'}}"


def test_a_log_out_by_clear_is_final(site):
    site.ask(put(user_id=7))
    thief = Browser(site.app)
    thief.cookies = dict(site.browser.cookies)

    def slow(session):
        session["seen"] = True
        site.ask(lambda session: session.clear())

    assert site.ask(slow, thief).header("Set-Cookie") is None
    assert site.browser.cookies == {}
    assert site.ask(dict, thief).text == "{}"


def test_users_log_in_are_listed_and_log_out_by_the_methods_of_our_session(site):
    site.ask(lambda session: (session.login("ann", label="Firefox"), session.update(a=1)))
    assert site.ask(lambda session: session.user).text == "'ann'"
    assert [one.label for one in site.layer.users.sessions_of("ann")] == ["Firefox"]
    site.ask(lambda session: session.logout())
    assert (site.browser.cookies, site.layer.users.sessions_of("ann")) == ({}, [])


class User(UserMixin):
    id = "ann"


@pytest.fixture
def with_flask_login(site):
    manager = LoginManager(site.app)
    manager.user_loader(lambda user: User() if user == "ann" else None)
    site.app.secret_key = SECRET
    site.page("/login", lambda: str(login_user(User())))
    site.page("/remembered", lambda: str(login_user(User(), remember=True)))
    site.page("/logout", lambda: str(logout_user()))
    site.page("/account", login_required(lambda: current_user.id))
    return site


def test_flask_login_logs_in_and_out(with_flask_login):
    site = with_flask_login
    assert site.browser.get("/account").code == 401
    site.browser.get("/login")
    assert site.browser.get("/account").text == "ann"
    thief = Browser(site.app)
    thief.cookies = dict(site.browser.cookies)
    site.browser.get("/logout")
    assert site.browser.get("/account").code == 401
    assert thief.get("/account").code == 401


def test_a_login_by_flask_login_gives_a_new_id_and_keeps_the_cart(with_flask_login):
    site = with_flask_login
    site.ask(put(cart=[1]))
    attacker = Browser(site.app)
    attacker.cookies = dict(site.browser.cookies)
    site.browser.get("/login")
    assert attacker.get("/account").code == 401
    assert site.ask(lambda session: session["cart"]).text == "[1]"


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # Flask-Login calls it
def test_flask_login_remembers(with_flask_login):
    site = with_flask_login
    site.browser.get("/remembered")
    del site.browser.cookies["id"]
    assert site.browser.get("/account").text == "ann"


# At the same time


def ask_all(site, *paths):
    """These pages at once, in windows of one browser."""

    def window(path):
        browser = Browser(site.app)
        browser.cookies = dict(site.browser.cookies)
        return browser.get(path)

    with ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(window, paths))


def test_requests_at_the_same_time_both_keep_what_they_put_in(site):
    barrier = Barrier(2, timeout=60)

    def view(key):
        len(flask.session)
        barrier.wait()
        flask.session[key] = 1
        return ""

    site.page("/put/<key>", view)
    site.ask(put(a=1))
    ask_all(site, "/put/b", "/put/c")
    assert site.ask(sorted).text == "['a', 'b', 'c']"


# When the store is down

SETTINGS = [{}, {"TESTING": True}, {"PROPAGATE_EXCEPTIONS": True}, {"DEBUG": True}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_while_the_store_is_down_a_page_that_needs_it_is_503(site, store, settings, caplog):
    site.app.config.update(settings)
    site.ask(put(a=1))
    store.down = True
    for use in (lambda session: session["a"], put(a=2), lambda session: session.clear()):
        answer = site.ask(use)
        assert (answer.code, answer.header("Retry-After"), answer.header("Set-Cookie")) == (503, "5", None)
    assert {record.name for record in caplog.records if record.levelno >= logging.ERROR} == {"middleware.sessions"}
    store.down = False
    assert site.ask(lambda session: session["a"]).text == "1"


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_flask_login_asks_for_the_session_after_every_page_so_every_page_is_503(with_flask_login, store, settings):
    with_flask_login.app.config.update(settings)
    with_flask_login.ask(put(a=1))
    store.down = True
    assert with_flask_login.browser.get("/account").code == 503
    assert with_flask_login.ask(lambda session: "fine").code == 503


@pytest.mark.parametrize("hook", ["before_request", "after_request"])
def test_an_outage_is_503_wherever_flask_notices_it(site, store, hook):
    getattr(site.app, hook)(lambda *response: (len(flask.session), *response, None)[1])
    site.ask(put(a=1))
    store.down = True
    assert site.ask(lambda session: "fine").code == 503


def test_a_page_of_ones_own_for_an_outage_is_shown(site, store):
    site.app.register_error_handler(StoreError, lambda _: ("Back soon.", 503))
    site.ask(put(a=1))
    store.down = True
    answer = site.ask(lambda session: session.get("a"))
    assert (answer.code, answer.text, answer.header("Set-Cookie")) == (503, "Back soon.", None)


def test_other_errors_stay_flasks_own(site):
    def fails(_):
        raise StoreError("of another store")

    assert site.ask(fails).code == 500
    site.app.testing = True
    with pytest.raises(StoreError, match="of another store"):
        site.ask(fails)


def test_an_anonymous_session_in_an_outage_can_be_read_and_a_change_is_503(store):
    site = Site(store=store, on_outage="anonymous")
    site.ask(put(a=1))
    store.down = True
    assert site.ask(lambda session: (dict(session), session.available)).text == "({}, False)"
    assert site.ask(put(a=2)).code == 503
    assert site.ask(lambda session: session.get("a") or 1 / 0).code == 500


# Flask's own test client


def test_the_test_client_passes_the_layer(site):
    client = site.app.test_client()
    site.use = lambda session: session.setdefault("a", 1)
    assert client.get("/").text == "1"
    assert client.get_cookie("id") is not None
    with client:
        client.get("/")
        assert flask.session["a"] == 1


def test_a_session_transaction_reads_and_changes_the_session_of_the_client(site, store):
    client = site.app.test_client()
    with client.session_transaction() as session:
        session["a"] = 1
        session.permanent = True
    site.use = lambda session: session.update(b=session["a"] + 1)
    client.get("/")
    with client.session_transaction() as session:
        assert (session["b"], session.permanent) == (2, True)
        session.clear()
    assert client.get_cookie("id") is None
    store.forget_calls()
    with client.session_transaction():
        pass
    assert store.calls == []


def test_a_session_transaction_over_https_uses_its_cookie(site):
    client = site.app.test_client()
    with client.session_transaction(base_url="https://localhost") as session:
        session["a"] = 1
    site.use = dict
    assert client.get("/", base_url="https://localhost").text == "{'a': 1}"


def test_a_context_for_tests_has_a_session_and_asks_no_store(site, store):
    with site.app.test_request_context():
        assert flask.url_for("/") == "/"
        assert store.calls == []
        flask.session["a"] = 1
        assert get_session(request.environ)["a"] == 1


# Set-up


def test_a_second_call_is_refused(site, store):
    with pytest.raises(ConfigurationError, match="call it once"):
        use_sessions(site.app, store=store)


def by_proxy_middleware(app):
    return ProxyMiddleware(app, trust=["127.0.0.1"])


both = pytest.mark.parametrize("wrap", [ProxyFix, by_proxy_middleware], ids=["ProxyFix", "ProxyMiddleware"])


@both
def test_what_tells_of_proxies_has_to_come_after_it(store, wrap):
    app = Flask("behind_a_proxy")
    app.wsgi_app = wrap(app.wsgi_app)
    with pytest.raises(ConfigurationError, match=f"move the line app.wsgi_app = {type(app.wsgi_app).__name__}"):
        use_sessions(app, store=store)


@both
def test_behind_a_proxy_the_cookie_is_secure(site, wrap):
    site.app.wsgi_app = wrap(site.app.wsgi_app)
    site.use = put(a=1)
    answer = ask(site.app, headers={"X-Forwarded-Proto": "https"})
    assert answer.header("Set-Cookie").startswith("__Host-id=")
    client = site.app.test_client()
    with client.session_transaction() as session:  # the layer is found inside
        session["a"] = 1


def test_a_wrong_option_is_an_error_at_once():
    with pytest.raises(ConfigurationError, match="a place"):
        use_sessions(Flask("nowhere"))
    with pytest.raises(TypeError, match="stoer"):
        use_sessions(Flask("mistyped"), stoer=MemoryStore())


def test_the_options_are_those_of_the_layer(store):
    site = Site(store=store, cookie=CookieOptions("shop"), rotate_on=["customer"])
    site.ask(put(a=1))
    assert list(site.browser.cookies) == ["shop"]
    before = site.browser.cookies["shop"]
    site.ask(put(user_id=7))
    assert site.browser.cookies["shop"] == before
    site.ask(put(customer=7))
    assert site.browser.cookies["shop"] != before


def test_a_layer_that_stands_outside_of_flask_serves_too(store):
    app = Flask("inside")
    app.session_interface = SessionInterface()
    app.add_url_rule("/", view_func=lambda: repr(flask.session.setdefault("a", 1)))
    browser = Browser(SessionMiddleware(app, store=store))
    assert browser.get().text == "1"
    assert list(browser.cookies) == ["id"]


def test_without_a_layer_a_change_says_what_to_do():
    app = Flask("alone")
    app.session_interface = SessionInterface()
    with app.test_request_context():
        assert flask.session.get("a") is None
        for change in (put(a=1), lambda s: s.setdefault("a", 1), lambda s: s.pop("a"), lambda s: s.clear()):
            with pytest.raises(LayerMissing, match="use_sessions"):
                change(flask.session)
