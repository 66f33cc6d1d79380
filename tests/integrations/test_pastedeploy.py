"""The layers in pipelines that the real PasteDeploy loads."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points

import pytest
from asking import Browser, ask
from auth_helpers import stored

from middleware import (
    AuthMiddleware,
    CacheMiddleware,
    ConditionalMiddleware,
    CookieMiddleware,
    FileSink,
    GatewayMiddleware,
    LoggingMiddleware,
    ProxyMiddleware,
    RawTargetMiddleware,
    SessionMiddleware,
    get_cookies,
    get_session,
    stores,
)
from middleware.auth import Basic, Htpasswd, SessionLogin, allow, deny, optional, require
from middleware.errors import ConfigurationError
from middleware.integrations import pastedeploy
from middleware.integrations.beaker import BeakerSessions
from middleware.integrations.conversion import COUNTS, DURATIONS, SHARES, SIZES, group_of, keys, option_types, readers

loadapp = pytest.importorskip("paste.deploy").loadapp

LAYERS = {
    "session": SessionMiddleware,
    "beaker": BeakerSessions,
    "cookies": CookieMiddleware,
    "cache": CacheMiddleware,
    "conditional": ConditionalMiddleware,
    "auth": AuthMiddleware,
    "logging": LoggingMiddleware,
    "proxy": ProxyMiddleware,
    "gateway": GatewayMiddleware,
    "raw_target": RawTargetMiddleware,
}
SECRET = "a secret of the test, 32 characters"
PASSWORD = "correct horse battery"

PIPELINE = """
[DEFAULT]
secret = {SECRET}

[pipeline:main]
pipeline = log cache cookies session auth site

[filter:log]
use = egg:wsgi-middleware#logging
format = common
sink = %(here)s/access.log
request_ids.header = none
privacy.and_parameters = ticket, cart
privacy.addresses = /24,/48
choice.quiet = /healthz=2xx /ping
choice.levels = 5xx=ERROR 4xx=WARNING
choice.slow = 1m
choice.sample = 1.0

[filter:cache]
use = egg:wsgi-middleware#cache
store = memory://?max_bytes=1MiB
max_object = 64KiB

[filter:cookies]
use = egg:wsgi-middleware#cookies
secret = %(secret)s
readable = csrftoken theme
options.samesite = strict
options.max_age = 30d

[filter:session]
use = egg:wsgi-middleware#session
store = sqlite:///%(here)s/sessions.db

[filter:auth]
use = egg:wsgi-middleware#auth
scheme.1 = session htpasswd:%(here)s/users groups=%(here)s/groups
scheme.2 = basic htpasswd:%(here)s/users groups=%(here)s/groups realm="The app"
rule.10 = require /
rule.2 = require /admin role=admin,owner schemes=basic
rule.1 = allow /public =/healthz methods=GET

[app:site]
paste.app_factory = {module}:site_factory
"""


def site(environ, start_response):
    path = environ["PATH_INFO"]
    text = path
    if path == "/public/session":
        session = get_session(environ)
        session["count"] = session.get("count", 0) + 1
        text = str(session["count"])
    if path == "/public/cookie":
        get_cookies(environ).set("theme", "dark")
    if path.startswith("/admin"):
        text = environ["REMOTE_USER"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def site_factory(global_conf):
    return site


@pytest.fixture(scope="module")
def hashed():
    return stored(PASSWORD)


@pytest.fixture(autouse=True)
def closing(monkeypatch):
    """Close what a configuration file opens for as long as its process lives."""
    opened = []

    def kept(make):
        return lambda *given: opened.append(make(*given)) or opened[-1]

    monkeypatch.setattr("middleware.stores.open_store", kept(stores.open_store))
    monkeypatch.setattr("middleware.logging.FileSink", kept(FileSink))
    yield
    for one in opened:
        one.close()


@pytest.fixture
def load(tmp_path, hashed, monkeypatch):
    """Load a configuration file whose `site` is the application above."""
    import sys

    monkeypatch.setitem(sys.modules, "site_of_the_test", sys.modules[__name__])
    (tmp_path / "users").write_text(f"ann:{hashed}\nbob:{hashed}\n")
    (tmp_path / "groups").write_text("admin: ann\n")

    def load(text):
        file = tmp_path / "site.ini"
        file.write_text(text)
        return loadapp(f"config:{file}")

    return load


def filter_of(name, options):
    return "\n".join(
        [
            "[filter-app:main]",
            f"use = egg:wsgi-middleware#{name}",
            "next = site",
            *(f"{key} = {value}" for key, value in options.items()),
            "[app:site]",
            "paste.app_factory = site_of_the_test:site_factory",
        ]
    )


def refused(load, name, **options):
    with pytest.raises(ConfigurationError) as caught:
        load(filter_of(name, options))
    return str(caught.value)


def basic(user, password=PASSWORD):
    from base64 import b64encode

    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"trust": "unix 10.0.0.0/8, 192.0.2.1", "host": "X-Forwarded-Host"}, "https://shop.example/ 203.0.113.9"),
        ({"hops": "1", "proto": "none"}, "http://inner.example/ 203.0.113.9"),
        ({"trust": "\n  127.0.0.1\n  ::1", "keep_fields": "yes"}, "http://inner.example/ 10.0.0.1"),
    ],
)
def test_a_proxy_is_trusted_as_the_file_says(options, answer):
    def site(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        text = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}/ {environ['REMOTE_ADDR']}"
        return [text.encode()]

    told = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    app = pastedeploy.proxy(site, {}, **options)
    assert ask(app, headers={**told, "Host": "inner.example"}, REMOTE_ADDR="10.0.0.1").text == answer


def test_a_proxy_that_trusts_nobody_is_refused_with_what_to_write():
    with pytest.raises(ConfigurationError, match=r"^egg:wsgi-middleware#proxy: ProxyMiddleware would believe nobody"):
        pastedeploy.proxy(site, {})


def test_every_layer_has_a_name_in_the_installed_package():
    def is_ours(one):
        return one.value.startswith("middleware.")

    found = {one.name: one.load() for one in entry_points(group="paste.filter_app_factory") if is_ours(one)}
    assert found == {name: getattr(pastedeploy, name) for name in LAYERS}


def test_a_pipeline_of_all_five_serves(load, tmp_path):
    app = load(PIPELINE.replace("{SECRET}", SECRET).replace("{module}", "site_of_the_test"))
    layers = []
    layer = app
    while layer is not site:
        layers.append(type(layer))
        layer = layer.app
    assert layers == [LoggingMiddleware, CacheMiddleware, CookieMiddleware, SessionMiddleware, AuthMiddleware]

    browser = Browser(app)
    assert [browser.get("/public/session").text for _ in range(3)] == ["1", "2", "3"]
    set_cookie = ask(app, "/public/cookie").header("Set-Cookie")
    assert "SameSite=Strict" in set_cookie
    assert "Max-Age=2592000" in set_cookie
    assert ask(app, "/admin", headers=basic("ann")).text == "ann"
    assert ask(app, "/admin", headers=basic("bob")).code == 403
    assert ask(app, "/other", headers=basic("bob")).code == 200
    assert ask(app, "/admin").header("WWW-Authenticate") == 'Basic realm="The app", charset="UTF-8"'
    assert ask(app, "/healthz").code == 200
    assert ask(app, "/public/secret?ticket=s3cr3t").code == 200
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert len(lines) == 9
    assert '"GET /admin HTTP' in lines[4]
    assert lines[8].startswith("127.0.0.0 - - [")
    assert '"GET /public/secret?ticket=*** HTTP' in lines[8]


@pytest.mark.parametrize("name", LAYERS)
def test_every_option_of_every_constructor_can_be_read_from_text(name):
    for option, annotation in option_types(LAYERS[name]).items():
        if (name, option) == ("auth", "rules"):
            continue
        group = group_of(annotation)
        for key, kind in option_types(group).items() if group else [(option, annotation)]:
            assert readers(key, kind), key


@pytest.mark.parametrize("make", [Basic, SessionLogin, Htpasswd, allow, optional, require, deny])
def test_every_option_of_schemes_users_and_rules_can_be_read_from_text(make):
    for option, annotation in option_types(make).items():
        if group_of(annotation):
            continue  # the lines of schemes have a test for these
        assert readers(option, annotation), option


@pytest.mark.parametrize("make", [*LAYERS.values(), Basic, SessionLogin, Htpasswd, optional, require])
def test_every_number_has_its_unit(make):
    """A new option that is a number needs a place in the table: seconds, bytes, things that are counted, shares."""
    for option, annotation in option_types(make).items():
        group = group_of(annotation)
        for key, kind in option_types(group).items() if group else [(option, annotation)]:
            if {"int", "float"} & {word.strip() for word in kind.split("|")}:
                assert key in DURATIONS | SIZES | COUNTS | SHARES, key


@pytest.mark.parametrize("name", LAYERS)
def test_an_unknown_key_names_itself_the_nearest_real_one_and_the_section(load, tmp_path, name):
    needed = {
        "session": {"store": "memory://"},
        "cache": {"store": "memory://"},
        "auth": {"scheme.1": f"basic htpasswd:{tmp_path}/users"},
    }.get(name, {})
    real = next(key for key in keys(LAYERS[name]) if "." not in key and key not in ("rules", *needed))
    message = refused(load, name, **needed, **{f"{real}x": "1"})
    assert message == f"[filter-app:main] of {tmp_path}/site.ini: there is no option '{real}x'; did you mean {real!r}?"


def test_a_bad_value_names_section_key_value_and_what_was_expected(load, tmp_path):
    message = refused(load, "cache", store="memory://", max_object="big")
    assert message.startswith(f"[filter-app:main] of {tmp_path}/site.ini: max_object is 'big', expected a size such as")


def test_the_password_in_the_url_of_a_store_stays_out_of_the_message(load):
    message = refused(load, "cache", store="redi://:hunter2@localhost")
    assert "store is wrong, expected the URL of a store such as" in message
    assert "unknown store 'redi'" in message
    assert "hunter2" not in message


def test_what_a_constructor_refuses_names_the_section(load, tmp_path):
    message = refused(load, "cookies", secret="short")
    assert message.startswith(f"[filter-app:main] of {tmp_path}/site.ini: a secret of 5 bytes can be guessed")


def test_an_option_that_must_be_given_is_named(load):
    assert refused(load, "cache").endswith("the option 'store' is missing")


def test_secrets_may_stand_on_lines_of_their_own_newest_last(load):
    old, new = "an older secret, 32 characters..", "a newer secret, 32 characters..."
    before = load(filter_of("session", {"secret": old}))
    after = load(filter_of("session", {"secret": f"\n  {old}\n  {new}"}))
    browser = Browser(before)
    browser.get("/public/session")
    browser.app = after
    assert browser.get("/public/session").text == "2"


def test_a_filter_without_a_file_is_told_by_its_name():
    with pytest.raises(ConfigurationError, match=r"^egg:wsgi-middleware#cache: "):
        pastedeploy.cache(site, {})


def test_two_sections_that_use_one_layer_are_told_by_file_and_layer(tmp_path):
    file = tmp_path / "two.ini"
    file.write_text("[filter:a]\nuse = egg:wsgi-middleware#cache\n[filter:b]\nuse = egg:wsgi-middleware#cache\n")
    assert pastedeploy.section("cache", {"__file__": str(file)}) == f"egg:wsgi-middleware#cache in {file}"
    assert pastedeploy.section("auth", {"__file__": str(file)}) == f"egg:wsgi-middleware#auth in {file}"


SCHEME = {"scheme.1": "basic htpasswd:%(here)s/users"}


@pytest.mark.parametrize(
    ("key", "line", "told"),
    [
        ("rule.1", "alow /static", "rule.1: there is no rule 'alow'; did you mean 'allow'?"),
        ("rule.1", "require /admin rle=admin", "rule.1: there is no option 'rle'; did you mean 'role'?"),
        ("rule.1", "allow static", "rule.1: allow(): a path begins with /"),
        ("rule.1", "deny /admin,/secret", "rule.1: blanks separate paths, commas the values of an option"),
        ("rule.1", "require /admin role=a role=b", "rule.1: role is given twice"),
        ("rule.1", 'require "/admin', "rule.1: No closing quotation"),
        ("rule.1", "", "rule.1: the line begins with the rule: allow, optional, require, deny"),
        ("rule.1", "require /admin fresh=soon", "rule.1: fresh is 'soon', expected none or a duration such as 30m"),
        ("rule.1", "require /admin check=os:nonsense", "rule.1: check is 'os:nonsense', expected none or a name"),
        ("rule.1", "optional / ignore_bad=maybe", "rule.1: ignore_bad is 'maybe', expected true or false"),
        ("rule.1", "optional / ignore_bad", "rule.1: optional(): a path begins with /"),
        ("rule.1", "deny / role=admin", "rule.1: there is no option 'role'"),
        ("rule.1", "require /admin schemes=digest", "names a scheme that is not there: digest"),
        ("rule.one", "allow /", "'rule.one' has no number"),
        ("rule.01", "allow /", "there are two lines rule.1"),
        ("rules", "allow /", "there is no option 'rules'; did you mean 'rule.1'?"),
        ("scheme.2", "sesion htpasswd:x", "scheme.2: there is no scheme 'sesion'; did you mean 'session'?"),
        ("scheme.2", "", "scheme.2: the line begins with the scheme: basic, "),
        (
            "scheme.2",
            "session",
            "scheme.2: a scheme has one source of users or keys, as in session htpasswd:%(here)s/f",
        ),
        ("scheme.2", "session htpasswd:x more", "in session htpasswd:%(here)s/file; 'more' means nothing"),
        ("scheme.2", "session users.txt", "scheme.2: 'users.txt' is no source of users or keys: write htpasswd:"),
        ("scheme.2", "session no_such:users", "scheme.2: No module named 'no_such'"),
        ("scheme.2", "session htpasswd:/nowhere", "scheme.2: Htpasswd cannot read '/nowhere'"),
        ("scheme.2", "session htpasswd:%(here)s/users relm=x", "scheme.2: there is no option 'relm'"),
    ],
)
def test_a_wrong_line_of_the_auth_layer_names_its_key_and_what_is_wrong(load, key, line, told):
    options = {**SCHEME, "rule.1": "require /", key: line}
    assert told in refused(load, "auth", **options)


def test_a_scheme_there_must_be(load):
    assert "write scheme.1 = basic htpasswd:" in refused(load, "auth")


def test_users_may_come_from_python(load, monkeypatch, hashed):
    monkeypatch.setattr(inspect.getmodule(site), "USERS", {"eve": hashed}, raising=False)
    app = load(filter_of("auth", {"scheme.1": "basic site_of_the_test:USERS"}))
    assert ask(app, "/x", headers=basic("eve")).code == 200
    assert ask(app, "/x", headers=basic("ann")).code == 401


def test_without_rules_everything_asks_who_it_is_as_in_python(load):
    app = load(filter_of("auth", SCHEME))
    assert ask(app, "/").code == 401
    assert ask(app, "/", headers=basic("ann")).code == 200


def test_lines_and_python_give_the_same_rules(load, hashed):
    lines = {
        "rule.1": "allow /static =/healthz methods=GET,HEAD",
        "rule.2": "optional /shop schemes=basic",
        "rule.10": "require / user=ann,bob",
        "rule.9": "require /admin role=admin methods=GET,POST",
    }
    app = load(filter_of("auth", {**SCHEME, **lines}))
    assert list(map(repr, app.rules)) == list(
        map(
            repr,
            [
                allow("/static", "=/healthz", methods=["GET", "HEAD"]),
                optional("/shop", schemes=["basic"]),
                require("/admin", role="admin", methods=["GET", "POST"]),
                require("/", user=["ann", "bob"]),
            ],
        )
    )


PAIRS = [
    (method, path)
    for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND", "get")
    for path in ("/", "/static/x.css", "/healthz", "/healthz/x", "/admin", "//admin", "/shop/../admin", "/ADMIN", "x")
]


def is_on_duty(identity, environ):
    return True


def test_lines_and_python_decide_alike_whatever_is_asked_for(load, tmp_path):
    """Over all arguments that rules take."""
    lines = {
        "rule.1": "allow /static =/healthz",
        "rule.2": "deny /shop/old methods=POST",
        "rule.3": "optional /shop schemes=basic ignore_bad=yes shared=on",
        "rule.4": "require /admin role=admin,owner user=ann scope=read,write fresh=10m "
        "check=site_of_the_test:is_on_duty preflight=true",
        "rule.10": "require / methods=GET,POST,PROPFIND",
        "extra_methods": "PROPFIND",
        "case_insensitive": "yes",
    }
    rules = [
        allow("/static", "=/healthz"),
        deny("/shop/old", methods=["POST"]),
        optional("/shop", schemes=["basic"], ignore_bad=True, shared=True),
        require(
            "/admin",
            role=["owner", "admin"],
            user="ann",
            scope=["read", "write"],
            fresh=600,
            check=is_on_duty,
            preflight=True,
        ),
        require("/", methods=["GET", "POST", "PROPFIND"]),
    ]
    loaded = load(filter_of("auth", {**SCHEME, **lines}))
    written = AuthMiddleware(
        site, Basic(Htpasswd(tmp_path / "users")), rules=rules, extra_methods=["PROPFIND"], case_insensitive=True
    )
    assert len(PAIRS) > 50
    for method, path in PAIRS:
        assert str(loaded.explain(method, path)) == str(written.explain(method, path)), (method, path)


def test_the_options_of_the_layer_are_keys_of_the_section(load, tmp_path):
    options = {
        "store": f"sqlite:///{tmp_path}/logins.db",
        "scrub": "Remote-User X-Auth-User",
        "mounted": "yes",
        "remote_user_encoding": "wsgi",
        "on_event": "site_of_the_test:is_on_duty",
        "throttle.free_failures": "3",
        "throttle.longest_delay": "5m",
    }
    app = load(filter_of("auth", {**SCHEME, **options, "rule.1": "allow /"}))
    assert type(app.store).__name__ == "SQLiteStore"
    assert app.mounted
    assert type(app.throttle).__name__ == "Throttle"
    assert app._listener is is_on_duty
    assert {"HTTP_REMOTE_USER", "HTTP_X_AUTH_USER"} <= {*app._scrubbed}


def test_a_secret_in_a_line_stays_out_of_messages(load):
    for line in ('auth_tkt secret="hunter2', "auth_tkt secret=my hunter2 timeout=1h", "proxy X-User secret=a hunter2"):
        assert "hunter2" not in refused(load, "auth", **{"scheme.1": line})


def test_the_file_in_the_docs_loads(tmp_path, monkeypatch, hashed):
    import sys
    from pathlib import Path

    monkeypatch.setitem(sys.modules, "yourapp", sys.modules[__name__])
    page = (Path(__file__).parents[2] / "docs" / "pastedeploy.md").read_text(encoding="utf-8")
    text = page.split("```ini\n")[1].split("```")[0]
    (tmp_path / "users").write_text(f"ann:{hashed}\n")
    (tmp_path / "groups").write_text("admin: ann\n")
    (tmp_path / "copied.ini").write_text(text)
    with pytest.raises(ConfigurationError, match="python -m middleware secret"):  # nobody signs with what is published
        loadapp(f"config:{tmp_path}/copied.ini")
    (tmp_path / "site.ini").write_text(text.replace("fixme", "0123456789abcdef" * 2))
    app = loadapp(f"config:{tmp_path}/site.ini")
    assert ask(app, "/admin", headers=basic("ann")).code == 200
    assert ask(app, "/admin").code in (302, 303, 401)
