"""Rules: the first match wins, whole segments, no wildcards, and no spelling of a path gets past them."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote, urljoin

import pytest
from asking import ask
from auth.spellings import PASSES, PATHS, under_a, under_b
from auth_helpers import basic, stored, who
from hypothesis import example, given, settings
from hypothesis import strategies as st

from middleware.auth import Account, AuthMiddleware, Basic, allow, optional, require
from middleware.auth.rules.paths import is_plain, readings
from middleware.auth.rules.rule import AMBIGUOUS, DENIED
from middleware.auth.rules.table import Rules
from middleware.errors import ConfigurationError

USERS = {"ann": stored("apple")}
A = under_a()
B = under_b()


def layer(rules, **options):
    return AuthMiddleware(who, Basic(USERS), rules=rules, **options)


def rule(rules, path, method="GET"):
    return Rules(rules).rule_for(path, method)


@pytest.mark.parametrize("path", ["/pub", "/pub/", "/pub/x", "/pub/x/y"])
@pytest.mark.parametrize("pattern", ["/pub", "/pub/"])
def test_a_path_is_a_prefix_of_whole_segments(pattern, path):
    assert rule([allow(pattern)], path).kind == "allow"


@pytest.mark.parametrize("path", ["/public", "/pu", "/", "/PUB", "/x/pub"])
def test_a_path_matches_nothing_beside_it(path):
    assert rule([allow("/pub")], path) is DENIED


@pytest.mark.parametrize(
    ("path", "kind"), [("/x", "allow"), ("/x/", "allow"), ("/x/y", "unmatched"), ("/xy", "unmatched")]
)
def test_an_exact_path_matches_itself_alone(path, kind):
    assert rule([allow("=/x")], path).kind == kind


def test_the_root_alone_can_be_exact():
    assert rule([allow("=/")], "/").kind == "allow"
    assert rule([allow("=/")], "/x") is DENIED


def test_the_first_rule_that_matches_wins():
    rules = [allow("/a/b"), require("/a"), optional("/")]
    assert [rule(rules, path).kind for path in ("/a/b", "/a", "/x")] == ["allow", "require", "optional"]


def test_what_no_rule_matches_is_denied_to_strangers_and_to_users():
    assert ask(layer([]), "/").code == 401
    assert ask(layer([]), "/", headers=basic()).code == 403


def test_without_rules_everything_requires_a_login():
    app = AuthMiddleware(who, Basic(USERS))
    assert ask(app, "/anything").code == 401
    assert ask(app, "/anything", headers=basic()).code == 200


@pytest.mark.parametrize("pattern", ["/*.css", "/a?", "/(a)", "/a|b", "/[a]", "/a$", "a", "", "*", 7, "=x"])
def test_a_pattern_that_is_no_plain_path_is_refused(pattern):
    with pytest.raises(ConfigurationError):
        allow(pattern)


@pytest.mark.parametrize("pattern", ["//a", "/a/../b", "/a;b", "/a%20b", "/a\\b", "/a#b", "/./a", "/a\n", "/a."])
def test_a_pattern_that_can_be_read_in_several_ways_is_refused(pattern):
    with pytest.raises(ConfigurationError, match="several ways"):
        require(pattern)


@pytest.mark.parametrize(
    "rules",
    [
        lambda: [allow("/"), require("/admin")],
        lambda: [require("/a"), require("/a")],
        lambda: [allow("/a"), allow("=/a")],
        lambda: [allow("/a", methods=["GET"]), allow("/a/b", methods=["HEAD"])],
        lambda: [allow("/", methods=["GET", "POST", "PUT"]), optional("/", methods=["GET"])],
        lambda: [allow("/a"), allow("/b", "/a/c")],
        lambda: [
            allow("/", methods=["GET", "POST"]),
            optional("/", methods=["PUT", "PATCH", "DELETE", "OPTIONS"]),
            require("/x"),
        ],
    ],
)
def test_a_rule_that_earlier_rules_cover_is_refused(rules):
    with pytest.raises(ConfigurationError, match="move the narrower rule up"):
        Rules(rules())


@pytest.mark.parametrize(
    "rules",
    [
        [allow("=/"), require("/")],
        [allow("/a", methods=["GET"]), require("/a")],
        [allow("/pub"), require("/public"), require("/")],
        [allow("=/a"), require("/a")],
    ],
)
def test_a_rule_that_still_decides_something_is_taken(rules):
    assert list(Rules(rules)) == rules


@pytest.mark.parametrize(
    "make",
    [
        lambda: allow("/", methods="GET"),
        lambda: allow("/", methods=["get"]),
        lambda: allow("/", methods=[]),
        lambda: allow("/", methods=[""]),
        lambda: Rules([allow("/", methods=["PROPFIND"])]),
        lambda: Rules([allow()]),
        lambda: Rules(["/"]),
        lambda: require("/", schemes="basic"),
        lambda: require("/", schemes=[]),
        lambda: require("/", role=[]),
        lambda: require("/", user=""),
        lambda: layer(require("/")),
        lambda: layer([require("/", schemes=["digest"])]),
    ],
)
def test_a_wrong_rule_is_refused_at_construction(make):
    with pytest.raises(ConfigurationError):
        make()


def test_a_rule_does_not_change():
    with pytest.raises(AttributeError):
        allow("/").kind = "require"


def test_a_rule_shows_how_it_was_written():
    made = require("/a/", "=/b", methods=["GET"], role="admin", schemes=["basic"])
    assert repr(made) == "require('/a', '=/b', methods=['GET', 'HEAD'], role=['admin'], schemes=['basic'])"


@pytest.mark.parametrize(
    ("user", "roles", "code"),
    [("ann", ["staff"], 200), ("eve", ["staff"], 403), ("ann", ["guest"], 403), ("ann", [], 403)],
)
def test_a_role_and_a_user_are_both_needed_where_both_are_named(user, roles, code):
    users = {user: Account(stored("apple"), roles=roles)}
    rules = [require("/", role=["admin", "staff"], user=["ann", "bob"])]
    assert ask(AuthMiddleware(who, Basic(users), rules=rules), headers=basic(user)).code == code


def test_a_rule_for_one_user_turns_others_away():
    app = AuthMiddleware(who, Basic({**USERS, "bob": stored("banana")}), rules=[require("/", user="ann")])
    assert ask(app, headers=basic()).code == 200
    assert ask(app, headers=basic("bob", "banana")).code == 403


@pytest.mark.slow
def test_what_paths_were_asked_for_is_kept_in_bounds():
    app = layer(B)
    for number in range(3000):
        ask(app, f"/pub/{number}")
    ask(app, "/pub/" + "x" * 5000)
    assert 0 < len(app._decided) <= 1024
    assert max(sum(map(len, asked)) for asked in app._decided) <= 128


# What is longer, or stranger, than any application behind us has to see.
MORE = [
    ("/" + "a/../" * 1600, PASSES, 401),
    ("/" + "%2f..;/\\ " * 800, 400, 400),  # too many readings to tell
    ("/☃", 400, 400),  # no native string of PEP 3333
]


@pytest.mark.parametrize(("path", "under_a", "under_b"), [*PATHS, *MORE], ids=lambda given: ascii(given)[:40])
def test_a_spelling_of_a_path_gets_what_all_its_readings_get(path, under_a, under_b):
    codes = [ask(layer(rules), PATH_INFO=path).code for rules in (A, B)]
    assert [PASSES if code == 200 else code for code in codes] == [under_a, under_b]


def test_the_path_is_that_of_the_mount_and_the_rest():
    assert ask(layer(A), SCRIPT_NAME="/admin", PATH_INFO="/x.txt").code == 401
    assert ask(layer(A), SCRIPT_NAME="/admin", PATH_INFO="").code == 401
    assert ask(layer(A), SCRIPT_NAME="", PATH_INFO="").code == 200
    assert ask(layer(A), SCRIPT_NAME="admin", PATH_INFO="/x").code == 400


@pytest.mark.parametrize(
    ("script_name", "path_info"),
    [
        ("/app", "/../admin"),
        ("/app", "/x/../../admin"),
        ("/app", "/x/../../y/../../admin"),
        ("/app", "//..//admin"),
        ("/app", "/..\\admin"),
        ("/app", "/%2e%2e/admin"),
        ("", "/app/../admin"),  # a dispatcher behind us may make a mount of it
    ],
)
def test_a_path_that_climbs_out_of_its_mount_is_that_of_the_mounted_application_too(script_name, path_info):
    rules = [require("/app/admin", role="admin"), allow("/")]
    assert ask(layer(rules), SCRIPT_NAME=script_name, PATH_INFO=path_info).code == 400


def test_the_query_takes_no_part():
    assert ask(layer(B), "/admin?/pub").code == 401
    assert ask(layer(B), "/admin?next=/pub").code == 401


def test_no_header_field_opens_a_path():
    forged = {"X-Original-URL": "/pub", "X-Forwarded-Uri": "/pub", "X-Rewrite-Url": "/pub", "User-Agent": "kube-probe"}
    assert ask(layer(B), "/admin", headers=forged).code == 401


@pytest.mark.parametrize(
    ("method", "rules", "code"),
    [
        ("HEAD", [allow("/", methods=["GET"])], 200),
        ("get", [allow("/", methods=["GET"])], 401),
        ("Get", [allow("/", methods=["GET"])], 401),
        ("post", [require("/x", methods=["POST"], role="admin"), allow("/")], 401),
        ("TRACE", [allow("/")], 401),
        ("FOO", [allow("/")], 401),
        ("PROPFIND", [allow("/")], 401),
        ("FOO", [optional("/")], 401),
        ("DELETE", [allow("/")], 200),
        ("OPTIONS", [require("/")], 401),
        ("FOO", [require("/")], 401),
        ("", [allow("/")], 400),
        ("GET ", [allow("/")], 400),
        ("GE\tT", [allow("/")], 400),
        ("GET\n", [require("/")], 400),
    ],
)
def test_a_method_counts_as_it_is_written(method, rules, code):
    assert ask(layer(rules), "/x", method).code == code


def test_further_methods_can_be_named():
    app = layer([allow("/", methods=["PROPFIND"]), require("/")], extra_methods=["PROPFIND"])
    assert ask(app, "/", "PROPFIND").code == 200
    assert ask(app, "/", "propfind").code == 401


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_method_that_a_field_overrides_is_decided_for_both(name):
    app = layer([allow("/", methods=["GET", "POST"]), require("/")])
    assert ask(app, "/", "POST", {name: "DELETE"}).code == 400
    assert ask(app, "/", "POST", {name: "delete"}).code == 400
    assert ask(app, "/", "POST", {name: "GET"}).code == 200


def test_an_override_says_nothing_where_no_rule_names_methods():
    assert ask(layer([allow("/")]), "/", "POST", {"X-HTTP-Method-Override": "PUT"}).code == 200


def test_a_field_that_names_an_unknown_method_opens_nothing():
    app = layer([allow("/")])
    assert ask(app, "/", "POST", {"X-HTTP-Method-Override": "PROPFIND"}).code == 400
    assert ask(app, "/", "POST", {"X-HTTP-Method-Override": "GET, DELETE"}).code == 400


def test_on_allow_no_scheme_is_asked():
    class Unasked(Basic):
        def authenticate(self, environ, /):
            raise AssertionError("asked")

    app = AuthMiddleware(who, Unasked(USERS), rules=[allow("/pub"), require("/")])
    assert ask(app, "/pub", headers=basic()).text == "None None None"


# RUL-5: no request is let in under a weaker rule than that of the path which a resolver reaches.

PIECES = ["admin", "pub", ".", "..", "/", "/", "\\", ";", "%2f", "%2e", "%5c", "%", "\0", "\n", "\t", " ", "?", "#"]
doubtful_paths = st.lists(st.sampled_from([*PIECES, "a", "\x01", "\udcff", "é", "%C3%A9", "..."]), max_size=9).map(
    lambda pieces: "/" + "".join(pieces)
)


def rfc3986(path):
    return urljoin("http://h/", "http://h" + path.replace("?", "%3F").replace("#", "%23")).removeprefix("http://h")


def whatwg(path):
    """The path state of the URL Standard: tab and line ends go, `\\` is `/`, `%2e` is a dot; `?` and `#` end it."""
    path = re.sub("[\t\n\r]", "", path).rstrip("".join(map(chr, range(33))))
    path = re.split("[?#]", path)[0].replace("\\", "/")
    kept = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        dots = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        if dots == "..":
            del kept[-1:]
        if dots not in (".", ".."):
            kept.append(segment)
        elif index == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def static_files(path):
    """As servers of files find one: under a directory, the leading slashes off."""
    return posixpath.normpath("/" + path.lstrip("/"))


def servlet(path):
    return posixpath.normpath(unquote("/".join(segment.split(";")[0] for segment in path.split("/")), errors="ignore"))


def decoded_again(path):
    return posixpath.normpath(unquote(path, errors="surrogateescape").replace("\\", "/"))


def c_string(path):
    return posixpath.normpath(path.partition("\0")[0] or "/")


def windows(path):
    path = posixpath.normpath(path.replace("\\", "/"))
    return "/".join(segment.rstrip(". ") for segment in path.split("/")) or "/"


RESOLVERS = [posixpath.normpath, rfc3986, whatwg, static_files, servlet, decoded_again, c_string, windows]
LISTS = [
    A,
    B,
    [require("/admin", role="admin"), optional("/pub"), allow("/")],
    [allow("=/"), allow("/pub/a"), optional("/pub"), require("/admin", role="admin"), require("/")],
    [allow("/pub/admin"), require("/admin"), optional("/a")],
]
MOUNTED = [
    *LISTS,
    [require("/a/admin", role="admin"), allow("/")],
    [require("/admin/pub"), require("/pub/admin"), optional("/admin"), allow("/")],
]
WEAKNESS = {"allow": 3, "optional": 2, "require": 1, "unmatched": 0, "ambiguous": -1}


@settings(max_examples=4 * settings().max_examples)
@given(path=doubtful_paths, rules=st.sampled_from(LISTS))
@example(path="/pub/%2e%2e/x%2f..%2fpub", rules=B)
@example(path="/pub/..;/admin", rules=A)
@example(path="/a%3f/../admin", rules=A)
def test_nobody_is_let_in_under_a_weaker_rule_than_that_of_the_path_a_resolver_reaches(path, rules):
    compiled = Rules(rules)
    decided = compiled.rule_for(path, "GET")
    for resolve in RESOLVERS:
        reached = resolve(path)
        closed = "/" + reached.lstrip("/")
        assert WEAKNESS[decided.kind] <= WEAKNESS[compiled._first(closed, "GET").kind], (resolve.__name__, reached)


@settings(max_examples=4 * settings().max_examples)
@given(mount=st.sampled_from(["/admin", "/pub", "/a", "/a/admin"]), path=doubtful_paths, rules=st.sampled_from(MOUNTED))
def test_a_resolver_behind_a_mount_reaches_nothing_under_a_weaker_rule(mount, path, rules):
    compiled = Rules(rules)
    decided = compiled.rule_for(mount + path, "GET")
    for resolve in RESOLVERS:
        reached = mount + "/" + resolve(path).lstrip("/")
        assert WEAKNESS[decided.kind] <= WEAKNESS[compiled._first(reached, "GET").kind], (resolve.__name__, reached)


@given(path=st.lists(st.sampled_from(["admin", "pub", "a", "b.c", "é", "-_~"]), max_size=4).map("/".join))
def test_a_path_that_is_not_doubtful_has_one_reading(path):
    assert readings("/" + path) == {"/" + path}


@given(path=doubtful_paths)
def test_the_fast_look_at_a_path_agrees_with_the_full_one(path):
    assert not is_plain(path) or readings(path) == {path}


@given(path=st.text(max_size=30).map(lambda text: "/" + text))
def test_no_path_makes_the_rules_fail(path):
    assert Rules(B).rule_for(path, "GET") in {*Rules(B), *B, DENIED, AMBIGUOUS}
