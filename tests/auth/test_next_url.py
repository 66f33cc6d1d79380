"""Where a login may lead: nothing that is accepted leaves the site, whatever parser reads it."""

from __future__ import annotations

import random
import re
from itertools import product
from urllib.parse import urljoin, urlsplit

import pytest
from asking import ask, make_environ
from auth_helpers import stored
from hypothesis import example, given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, SessionLogin, safe_next
from middleware.auth.login.next_url import next_of, origin_of, same_origin
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore

ORIGIN = "https://our.example"

GOOD = [
    "/",
    "/a",
    "/a/b?c=d#e",
    "/a?next=https://evil.example",
    "/a#//evil.example",
    "/?a=//b",
    "/a%20b",
    "/a%2Fb",
    "/a/",
    "https://our.example",
    "https://our.example/",
    "HTTPS://Our.Example/a",
    "https://our.example:443/a",
    "https://our.example?a",
]

BAD = [
    "",
    "a",
    "a/b",
    "?a",
    "#a",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/a\r\nX: y",
    "/a\0",
    " /a",
    "/a ",
    "/a b",
    "/é",
    "/\u3002",
    "\ufeff/a",
    "/a//b",
    "/a/../b",
    "/.",
    "/./a",
    "/..//evil.example",
    "/%2e%2e//evil.example",
    "/%2E/a",
    "/%2fevil.example",
    "/%5cevil.example",
    "/%0d%0aX: y",
    "http:/evil.example",
    "https:evil.example",
    "https:/our.example/",
    "https:///our.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "blob:https://our.example/x",
    "https://our.example@evil.example/",
    "https://user@our.example/",
    "https://our.example.evil.example/",
    "https://evilour.example/",
    "https://our.example./",
    "https://our.example:/",
    "https://our.example:444/",
    "https://our.example:4433333/",
    "https://our.example:443:443/",
    "https://our.example:80:443/",
    "https://our.example:65536/",
    "https://[our.example]:443/",
    "https://[]/",
    "https://[::1",
    "https://[our.example]/",
    "https://0x7f000001/",
    "https://\uff4fur.example/",
    "https://our\u3002example/",
    "http://our.example/",
    "https://our.example//evil.example",
    "https://our.example/..//evil.example",
    "https://our.example\\evil",
    "/" + "a" * 2048,
]


@pytest.mark.parametrize("value", GOOD)
def test_a_way_within_the_site_is_taken_as_it_is(value):
    assert safe_next(value, ORIGIN) == value


@pytest.mark.parametrize("value", BAD, ids=[ascii(value)[:40] for value in BAD])
def test_anything_that_some_parser_could_lead_elsewhere_is_refused(value):
    assert safe_next(value, ORIGIN) is None


@pytest.mark.parametrize("value", [None, 7, b"/a", ["/a"]])
def test_what_is_no_text_is_refused(value):
    assert safe_next(value, ORIGIN) is None


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("http://our.example:8080:80/", "http://our.example:8080"),
        ("https://[::1]:8443:443/", "https://[::1]:8443"),
        ("http://our.example:\u00b2/", "http://our.example:\u00b2"),
        ("http://[::1/", "http://[::1"),
    ],
)
def test_what_is_no_host_is_refused_also_where_the_request_was_sent_to_it(value, origin):
    assert safe_next(value, origin) is None


@pytest.mark.parametrize(
    "host", ["[::1]", "[::1]:8000", "127.0.0.1:5000", "my_host", "our.example:8443", "our.example."]
)
def test_every_kind_of_host_can_be_ours(host):
    assert safe_next(f"http://{host}/a", f"http://{host}") == f"http://{host}/a"


def test_further_origins_can_be_allowed_but_no_way_from_https_to_http():
    allowed = ["https://other.example", "http://plain.example", "nonsense"]
    assert safe_next("https://other.example/a", ORIGIN, allowed)
    assert safe_next("http://plain.example/a", ORIGIN, allowed) is None
    assert safe_next("http://plain.example/a", "http://our.example", allowed)
    assert safe_next("https://third.example/a", ORIGIN, allowed) is None


# NXT-4: the classes of values that take login pages of the world elsewhere, in all their mixtures.

HOSTS = ["evil.example", "our.example", "our.example.evil.example", "evilour.example", "our.example@evil.example"]
HOSTS += ["evil.example:443", "our.example:444", "our.example:", "our.example.", "[::1]", "[::1", "0x7f000001"]
HOSTS += [
    "EVIL.example",
    "\uff45vil.example",
    "evil\u3002example",
    "127.1",
    "user:pw@our.example",
    "our.example%2eevil",
]
SCHEMES = ["", "https:", "http:", "HTTPS:", "hTTp:", "javascript:", "data:", "blob:https:", "ftp:", "https", "x:"]
SLASHES = ["", "/", "//", "///", "////", "\\", "\\\\", "/\\", "\\/", "/\\/", "/%2f", "/%5c", "/./", "/../", "/.//"]
SLASHES += ["/a/..//", "/%2e%2e//", "/%2e/", "/a//", "/?", "/#", "/a?u=//", "/\u2215", "/\uff0f", "/;/"]
NOISE = ["", "\t", "\n", "\r\n", "\0", " ", "\x01", "\ufeff", "\xa0", "\u2028"]
TAILS = ["", "/", "/a", "?a=b", "#a", "//", "/..//evil.example"]


def generated(seed, most):
    dice = random.Random(seed)
    clean = ["".join(parts) for parts in product(SCHEMES, SLASHES, HOSTS, TAILS)]
    noisy = []
    for value in clean:
        place = dice.randrange(len(value) + 1)
        noisy.append(value[:place] + dice.choice(NOISE) + value[place:])
    return dice.sample([*clean, *noisy], most)


def stays(value, origin=ORIGIN):
    joined = urlsplit(urljoin(origin + "/login", value))
    return f"{joined.scheme}://{joined.netloc}".lower().removesuffix(":443") == origin


@pytest.mark.slow
def test_of_all_mixtures_none_that_is_accepted_leaves_the_site():
    values = generated(1, 20_000)
    accepted = [value for value in values if safe_next(value, ORIGIN) is not None]
    assert len(accepted) > 100, "the test would prove nothing"
    assert [value for value in accepted if not stays(value)] == []


@given(st.text())
def test_no_value_makes_the_check_fail(value):
    assert safe_next(value, value) in (value, None)


@given(st.lists(st.sampled_from(["/", "\\", ".", "%2e", "%2f", ":", "@", "?", "#", "a", "https", "\t"])).map("".join))
@example("/a?//b")
def test_what_is_accepted_begins_with_one_slash_or_our_origin(value):
    accepted = safe_next(value, ORIGIN)
    assert accepted is None or re.match(r"/(?![/\\])", accepted)


# What this layer makes of a request.


@pytest.mark.parametrize(
    ("environ", "target"),
    [
        ({"PATH_INFO": "/a b"}, "/a%20b"),
        ({"PATH_INFO": "/é".encode().decode("latin-1")}, "/%C3%A9"),
        ({"SCRIPT_NAME": "/app", "PATH_INFO": "/x", "QUERY_STRING": "a=b&c"}, "/app/x?a=b&c"),
        ({"SCRIPT_NAME": "/app", "PATH_INFO": ""}, "/app"),
        ({"PATH_INFO": "/a%2fb"}, "/a%252fb"),
        ({"PATH_INFO": "/a?b"}, "/a%3Fb"),
        ({"PATH_INFO": "//evil.example"}, None),
        ({"PATH_INFO": "/..//evil.example"}, None),
        ({"PATH_INFO": "/a\r\nb"}, None),
        ({"PATH_INFO": "/a", "QUERY_STRING": "b=\r\nX: y"}, None),
        ({"PATH_INFO": "/" + "a" * 3000}, None),
    ],
)
def test_the_way_back_is_that_of_the_request_and_passes_its_own_check(environ, target):
    assert next_of(make_environ(**environ)) == target


@given(path=st.text(alphabet=st.characters(max_codepoint=255)), query=st.text())
def test_every_way_back_is_a_path_of_this_site(path, query):
    target = next_of({"PATH_INFO": "/" + path, "QUERY_STRING": query})
    assert target is None or (safe_next(target, ORIGIN) == target and stays(target))


@given(target=st.sampled_from(GOOD[:9]), path=st.sampled_from(["/a", "/x y"]))
def test_the_location_is_the_value_that_was_checked(target, path):
    layer = AuthMiddleware(lambda environ, start_response: [], SessionLogin({"ann": stored("apple")}))
    app = SessionMiddleware(layer, store=MemoryStore())
    form = "username=ann&password=apple&next=" + target.replace("%", "%25").replace("#", "%23").replace("&", "%26")
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    assert ask(app, "/login", "POST", headers, form.encode()).header("Location") == target


def test_the_origin_of_a_request_is_its_scheme_and_host():
    assert origin_of(make_environ(HTTP_HOST="our.example:8443", **{"wsgi.url_scheme": "https"})) == (
        "https://our.example:8443"
    )
    assert origin_of({"SERVER_NAME": "our.example", "SERVER_PORT": "80"}) == "http://our.example:80"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://our.example", "https://our.example:443", True),
        ("http://[::1]:80", "http://[::1]", True),
        ("https://our.example", "http://our.example", False),
        ("https://our.example", "https://our.example/x", True),
        ("https://our.example/x", "https://our.example", False),
        ("null", "null", False),
        ("", "", False),
        ("https://a@our.example", "https://our.example", False),
    ],
)
def test_origins_are_compared_in_their_normal_form(one, other, same):
    assert same_origin(one, other) is same
