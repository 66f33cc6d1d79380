"""No spelling of a path or a method leads past the rules, whatever stands behind them: the tables, in real programs."""

from __future__ import annotations

import pytest
from asking import ask
from auth.downstreams import NAMES, downstreams, place_of, reached
from auth.spellings import PASSES, REQUESTS, RULES
from auth_helpers import basic, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from middleware.auth import Account, AuthMiddleware, Basic, allow, deny, optional, require
from middleware.auth.rules.paths import request_path
from middleware.auth.rules.table import Rules
from middleware.errors import ConfigurationError

USERS = {"ann": Account(stored("apple"), roles=["admin"])}
CLOSED = {"A": {"/admin"}, "B": {"/admin", "/public"}}


@pytest.fixture(scope="module")
def applications(tmp_path_factory):
    return downstreams(tmp_path_factory.mktemp("files"))


every_downstream = pytest.mark.parametrize("name", NAMES)
both_sets = pytest.mark.parametrize("rules", RULES)


class Guarded:
    """An application behind the layer, and whether it was called by the last request."""

    def __init__(self, app, rules, **options):
        self._app = app
        self._layer = AuthMiddleware(self._called, Basic(USERS), rules=rules, **options)
        self.was_called = False

    def _called(self, environ, start_response):
        self.was_called = True
        return self._app(environ, start_response)

    def ask(self, **request):
        self.was_called = False
        return ask(self._layer, **{"SCRIPT_NAME": "", **request})


def test_there_is_a_test_for_every_application(applications):
    assert list(applications) == NAMES


@every_downstream
def test_an_application_shows_its_places_to_whoever_is_let_in(applications, name):
    """Or the tables below would prove nothing."""
    site = Guarded(applications[name], RULES["A"]())
    for path in ("/admin/x.txt", "/pub/x.txt", "/public/x.txt"):
        assert place_of(site.ask(path=path, headers=basic())) == "/" + path.split("/")[1], path


@both_sets
@every_downstream
def test_no_spelling_of_a_path_shows_what_is_closed(applications, name, rules):
    site = Guarded(applications[name], RULES[rules]())
    wrong = {}
    for request, *expected in REQUESTS:
        answer = site.ask(**request)
        got = PASSES if site.was_called else answer.code
        shown = place_of(answer)
        if got != expected["AB".index(rules)] or shown in CLOSED[rules]:
            wrong[ascii(request)] = (got, shown)
    assert wrong == {}


@every_downstream
def test_what_is_denied_is_shown_in_no_spelling_to_whoever_asks(applications, name):
    site = Guarded(applications[name], [deny("/admin"), allow("/")])
    for request, under_a, _ in REQUESTS:
        answer = site.ask(**request, headers=basic())
        assert place_of(answer) != "/admin", request
        assert (PASSES if site.was_called else answer.code) == {401: 403}.get(under_a, under_a), request


@every_downstream
def test_case_opens_nothing_where_disks_do_not_tell_it(applications, name):
    site = Guarded(applications[name], RULES["A"](), case_insensitive=True)
    for path in ("/ADMIN", "/Admin/x.txt", "/aDMIN/"):
        assert site.ask(path=path).code == 401, path
    assert site.ask(PATH_INFO="//ADMIN").code == 400
    assert place_of(site.ask(path="/pub/x.txt")) == "/pub"


@pytest.mark.parametrize("letters", ["\u212aey", "\u00df", "\u017fs", "%C3%9F", "\u00dcber"])
def test_a_letter_that_only_some_disks_take_for_another_opens_nothing(letters):
    rules = Rules([allow("/key", "/ss", "/über"), require("/")], case_insensitive=True)
    assert rules.rule_for(f"/{letters}", "GET").kind == "ambiguous"
    assert rules.rule_for("/KEY/x", "GET").kind == rules.rule_for("/über/x", "GET").kind == "allow"
    assert rules.rule_for("/Überall", "GET").kind == "require"


@pytest.mark.parametrize("path", ["/Über", "/straße"])
def test_a_path_that_disks_compare_in_different_ways_is_refused_where_case_does_not_count(path):
    with pytest.raises(ConfigurationError, match="lower case"):
        Rules([allow(path)], case_insensitive=True)
    assert Rules([allow(path)]).rule_for(path, "GET").kind == "allow"


@both_sets
@every_downstream
def test_a_mounted_application_is_guarded_by_the_path_that_it_sees(applications, name, rules):
    site = Guarded(applications[name], RULES[rules](), mounted=True)
    wrong = {}
    for request, *expected in REQUESTS:
        if "SCRIPT_NAME" in request:
            continue
        answer = site.ask(SCRIPT_NAME="/pub", **request)
        got = PASSES if site.was_called else answer.code
        if got != expected["AB".index(rules)] or place_of(answer) in CLOSED[rules]:
            wrong[ascii(request)] = got
    assert wrong == {}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Flask", "//admin"),
        ("paste.urlmap", "//admin"),
        ("Flask", "admin"),
        ("webob.static", "//admin/x.txt"),
        ("paste.static", "//admin/x.txt"),
        ("webob.static", "/pub/../admin/x.txt"),
        ("SharedData", "/pub/../admin/x.txt"),
        ("paste.static", "/.//admin/x.txt"),
        ("Pyramid", "/admin\n"),
    ],
)
def test_a_rule_that_compares_beginnings_would_be_walked_around(applications, name, path):
    assert reached(applications[name], PATH_INFO=path).startswith("/admin")


# Methods

METHODS = [
    ("HEAD", "/pub", [allow("/pub", methods=["GET"])], PASSES),
    ("get", "/pub", [allow("/pub", methods=["GET"])], 401),
    ("Get", "/pub", [allow("/pub", methods=["GET"])], 401),
    ("post", "/admin", [require("/admin", methods=["POST"], role="admin"), allow("/")], 401),
    ("TRACE", "/pub", [allow("/")], 401),
    ("FOO", "/pub", [allow("/")], 401),
    ("PROPFIND", "/pub", [allow("/")], 401),
    ("", "/pub", [allow("/")], 400),
    ("GET ", "/pub", [allow("/")], 400),
    ("GE\nT", "/pub", [require("/")], 400),
    ("DELETE", "/pub", [allow("/pub")], PASSES),
    ("OPTIONS", "/pub", [require("/")], 401),
]


@every_downstream
def test_a_method_opens_nothing_but_what_it_is_written_for(applications, name):
    wrong = {}
    for method, path, rules, expected in METHODS:
        site = Guarded(applications[name], rules)
        answer = site.ask(path=path, method=method)
        got = PASSES if site.was_called else answer.code
        if got != expected:
            wrong[method] = got
    assert wrong == {}


@pytest.mark.parametrize("name", ["Flask", "Django", "Pyramid", "paste.urlmap", "Dispatcher"])
@pytest.mark.parametrize("method", ["get", "Get"])
def test_a_method_in_small_letters_would_reach_a_view(applications, name, method):
    assert reached(applications[name], path="/admin", method=method).startswith("/admin")


def test_a_method_that_the_application_does_not_know_is_refused_by_the_application(applications):
    assert Guarded(applications["Flask"], [allow("/pub")]).ask(path="/pub", method="DELETE").code == 405


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_field_that_names_another_method_is_judged_as_that_too(applications, name):
    site = Guarded(applications["Flask"], [allow("/pub", methods=["GET", "POST"]), require("/")])
    assert site.ask(path="/pub", method="POST", headers={name: "DELETE"}).code == 400
    assert site.ask(path="/pub", method="POST", headers={name: "GET"}).code == 200


PREFLIGHT = {"Origin": "https://other.example", "Access-Control-Request-Method": "PUT"}


@pytest.mark.parametrize(
    ("options", "method", "headers", "expected"),
    [
        ({}, "OPTIONS", {}, 401),
        ({}, "OPTIONS", PREFLIGHT, 401),
        ({"preflight": True}, "OPTIONS", {}, 401),
        ({"preflight": True}, "OPTIONS", {"Origin": "https://other.example"}, 401),
        ({"preflight": True}, "OPTIONS", PREFLIGHT, PASSES),
        ({"preflight": True}, "GET", PREFLIGHT, 401),
        ({"preflight": True}, "options", PREFLIGHT, 401),
        ({"preflight": True}, "OPTIONS", {**PREFLIGHT, "X-HTTP-Method-Override": "DELETE"}, 401),
    ],
)
@pytest.mark.parametrize("name", ["Flask", "Django", "Pyramid"])
def test_a_preflight_passes_where_a_rule_says_so(applications, name, options, method, headers, expected):
    site = Guarded(applications[name], [require("/", **options)])
    answer = site.ask(path="/pub", method=method, headers=headers)
    assert (PASSES if site.was_called else answer.code) == expected


def test_a_further_method_passes_where_it_is_named(applications):
    site = Guarded(applications["Pyramid"], [allow("/")], extra_methods=["PROPFIND"])
    assert place_of(site.ask(path="/pub", method="PROPFIND")) == "/pub"
    assert site.ask(path="/pub", method="propfind").code == 401


# Paths of every kind, with the applications themselves as judges of where they lead.

WEAKNESS = {"allow": 3, "optional": 2, "require": 1, "unmatched": 0, "deny": 0, "ambiguous": -1}
LISTS = [
    RULES["A"](),
    RULES["B"](),
    [require("/admin", role="admin"), optional("/pub"), allow("/")],
    [allow("/pub/admin"), require("/admin"), optional("/public")],
    [allow("=/pub"), allow("/pub/x"), require("/pub"), allow("/")],
    [deny("/admin"), deny("=/pub"), optional("/pub"), require("/")],
]
PIECES = ["admin", "pub", "public", "x.txt", ".", "..", "/", "\\", ";", "%2f", "%2e", "%5c", "\0", "\n", " ", "?", "#"]
paths = st.lists(st.sampled_from([*PIECES, "/", "/", "/admin", "/x.txt"]), max_size=9).map("".join)
slashed = paths.map(lambda path: f"/{path}")


def rule_of(path, rules):
    """The rule of a path that is to be taken literally, whatever is in it."""
    for rule in rules:
        for pattern in rule.paths:
            prefix = pattern.removeprefix("=").removesuffix("/")
            if path.removesuffix("/") == prefix or (path.startswith(f"{prefix}/") and pattern[0] != "="):
                return rule.kind
    return "unmatched"


@settings(max_examples=2 * settings().max_examples)
@given(path=slashed | paths, mount=st.sampled_from(["", "", "/admin", "/pub"]), rules=st.sampled_from(LISTS))
def test_nobody_is_let_in_under_a_weaker_rule_than_that_of_the_page_that_is_shown(applications, path, mount, rules):
    decided = _kind(mount, path, rules)
    for name, app in applications.items():
        shown = reached(app, SCRIPT_NAME=mount, PATH_INFO=path)
        if shown is not None:
            assert WEAKNESS[decided] <= WEAKNESS[rule_of(mount + shown, rules)], (name, shown)


def _kind(mount, path, rules):
    whole = request_path({"SCRIPT_NAME": mount, "PATH_INFO": path})
    return "ambiguous" if whole is None else Rules(rules).rule_for(whole, "GET").kind
