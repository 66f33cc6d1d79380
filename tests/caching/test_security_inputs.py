"""What an application reads of a request beyond its URL poisons no answer for others. S5 to S10, S15 to S17, S26."""

from __future__ import annotations

import pytest
from asking import ask
from cached_site import Site
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching import CacheMiddleware
from middleware.stores import MemoryStore

EVIL = "evil.example"


def reflecting(*keys, fields=()):
    """An application whose page and redirect are made from these parts of the request, and which says nothing of it."""

    def app(environ, start_response):
        site.calls += 1
        text = "|".join(str(environ.get(key, "-")) for key in keys)
        where = text.replace("\n", "").replace("\r", "").replace("\0", "")
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Location", f"http://{where}/"), *fields])
        return [text.encode("latin-1", "replace")]

    site = Site(app=app)
    return site


def says_evil(answer):
    return "evil" in answer.text or "evil" in str(answer.headers)


# Forwarding fields: S5

FORWARDING = [
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Scheme",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Host",
    "X-Original-Host",
    "Forwarded",
]


@pytest.mark.parametrize("name", FORWARDING)
def test_what_a_proxy_always_sends_is_cached_beside_what_a_client_sends_once(name):
    site = reflecting("HTTP_" + name.upper().replace("-", "_"))
    for value in ("good.example", EVIL):
        site.ask(headers={name: value})
    calls = site.calls
    assert not says_evil(site.ask(headers={name: "good.example"}))
    assert site.calls == calls


def test_two_forwarding_fields_are_not_taken_for_one():
    site = reflecting("HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO")
    pairs = [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ("a1:b", "")]
    texts = {site.ask(headers={"X-Forwarded-Host": host, "X-Forwarded-Proto": proto}).text for host, proto in pairs}
    assert len(texts) == len(pairs)


def test_the_scheme_of_the_key_is_the_one_that_the_application_sees():
    site = reflecting("wsgi.url_scheme")
    for scheme in ("https", "http", "https"):
        assert site.ask(**{"wsgi.url_scheme": scheme}).text == scheme


def test_a_layer_inside_that_obeys_a_forwarding_field_is_no_way_round_the_key():
    def believing(environ, start_response):
        environ["HTTP_HOST"] = environ.pop("HTTP_X_FORWARDED_HOST", environ["HTTP_HOST"])
        environ["wsgi.url_scheme"] = environ.pop("HTTP_X_FORWARDED_PROTO", "http")
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}".encode()]

    site = Site(app=believing)
    for headers in ({"X-Forwarded-Host": EVIL}, {"X-Forwarded-Proto": "evil"}, {}, {"X-Forwarded-Proto": "https"}):
        asked = headers.get("X-Forwarded-Proto", "http"), headers.get("X-Forwarded-Host", "127.0.0.1")
        assert site.ask(headers=headers).text == "{}://{}".format(*asked)


# Another method or URL in disguise: S6, S7


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_application_that_obeys_a_method_in_disguise_spoils_nothing(name, method):
    key = "HTTP_" + name.upper().replace("-", "_")

    def app(environ, start_response):
        gone = environ.get(key) == "DELETE"
        start_response("404 Gone" if gone else "200 OK", [("Cache-Control", "max-age=60")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"gone" if gone else b"here"]

    site = Site(app=app)
    for _ in range(2):
        assert site.ask(method=method, headers={name: "DELETE"}).code == 404
        assert site.ask().text == "here"


def test_a_method_in_the_query_is_another_address():
    site = reflecting("QUERY_STRING")
    assert site.ask("/a?_method=DELETE").text == "_method=DELETE"
    assert site.ask("/a").text == ""


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL"])
def test_an_application_that_obeys_a_url_in_disguise_spoils_nothing(name):
    site = reflecting("HTTP_" + name.upper().replace("-", "_"))
    for _ in range(2):
        assert says_evil(site.ask(headers={name: "/evil"}))
        assert not says_evil(site.ask())
    assert not says_evil(site.ask("/evil"[:2]))


# Cross-origin requests: S8


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "evil", ""])
def test_an_origin_that_is_allowed_is_allowed_to_itself_alone(origin):
    def app(environ, start_response):
        fields = [("Cache-Control", "max-age=60")]
        if "HTTP_ORIGIN" in environ:
            fields += [
                ("Access-Control-Allow-Origin", environ["HTTP_ORIGIN"]),
                ("Access-Control-Allow-Credentials", "true"),
            ]
        start_response("200 OK", fields)
        return [b"data"]

    site = Site(app=app)
    assert site.ask(headers={"Origin": origin}).header("Access-Control-Allow-Origin") == origin
    good = "https://good.example"
    assert site.ask(headers={"Origin": good}).header("Access-Control-Allow-Origin") in (good, None)


def test_an_answer_for_every_origin_is_shared():
    site = Site()
    site.answers("Cache-Control: max-age=60", "Access-Control-Allow-Origin: *")
    site.ask(headers={"Origin": "https://a.example"})
    assert site.is_hit(headers={"Origin": "https://b.example"})
    assert site.is_hit()


# A GET with a body: S10


@pytest.mark.parametrize(
    "environ",
    [
        {"body": b"x=evil"},
        {"body": b"x=evil", "CONTENT_LENGTH": "6"},
        {"body": b"x=evil", "CONTENT_LENGTH": "006"},
        {"body": b"x=evil", "CONTENT_LENGTH": "+6"},
        {"body": b"x=evil", "CONTENT_LENGTH": " 6 "},
        {"body": b"x=evil", "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
        {"body": b"x=evil", "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "gzip, chunked"},
        {"body": b"x=evil", "CONTENT_LENGTH": "0", "HTTP_TRANSFER_ENCODING": "chunked"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_application_that_reads_the_body_of_a_get_spoils_nothing(environ, method):
    def app(request, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [b"read: " + request["wsgi.input"].read()]

    site = Site(app=app)
    assert site.ask(method=method, **environ).text == "read: x=evil"
    assert site.ask().text == "read: "
    assert site.ask(method=method, **environ).text == "read: x=evil", "answered without its body"


# The host: S15


@pytest.mark.parametrize(
    "request_",
    [
        {"HTTP_HOST": EVIL},
        {"HTTP_HOST": "good.example:1234", "says": "1234"},
        {"HTTP_HOST": "good.example."},
        {"HTTP_HOST": "GOOD.example"},
        {"HTTP_HOST": "good.example:80"},
        {"HTTP_HOST": f"good.example, {EVIL}"},
        {"HTTP_HOST": f"{EVIL},good.example"},
        {"HTTP_HOST": ""},
        {"HTTP_HOST": f"good.example/{EVIL}"},
        {"HTTP_HOST": f"{EVIL}@good.example"},
        {"HTTP_HOST": f"good.example@{EVIL}"},
        {"HTTP_HOST": f"good.example#{EVIL}"},
        {"HTTP_HOST": f"good.example?{EVIL}"},
        {"HTTP_HOST": f"good.example\\{EVIL}"},
        {"HTTP_HOST": f"good.example\t{EVIL}"},
        {"HTTP_HOST": f"good.example:80{EVIL}"},
        {"HTTP_HOST": "good.example:"},
        {"HTTP_HOST": " good.example"},
        {"HTTP_HOST": "good.example", "REQUEST_URI": f"http://{EVIL}/a"},
        {"HTTP_HOST": "good.example", "PATH_INFO": f"http://{EVIL}/a"},
        {"HTTP_HOST": EVIL, "REQUEST_URI": "http://good.example/a"},
        {"HTTP_HOST": "good.example", "REQUEST_URI": f"//{EVIL}/a", "PATH_INFO": f"//{EVIL}/a"},
    ],
    ids=str,
)
def test_whatever_host_was_reflected_before_the_good_one_gets_its_own_page(request_):
    site = reflecting("HTTP_HOST", "PATH_INFO", "REQUEST_URI")
    request = {key: value for key, value in request_.items() if key != "says"}
    site.ask(**request)
    good = {"HTTP_HOST": "good.example"}
    for _ in range(2):
        answer = site.ask(**good)
        assert answer.text == "good.example|/a|/a"


# One key for two addresses: S16

CONFUSING = [
    "/a",
    "/a ",
    "/a-",
    "/a\n",
    "/a|b",
    "/a/b",
    "/a%2Fb",
    "/a\\b",
    "/a:b",
    "/a1:b",
    "/a\0b",
    "/a b",
    "/a+b",
    "/a;b",
    "/a,b",
    "/cache url http://127.0.0.1/a",
    "/A",
    "/a/",
    "//a",
    "/./a",
    "/b/../a",
    "/\xe9",
    "/\xc3\xa9",
    "/e\xcc\x81",
]
QUERIES = [
    "",
    "a",
    "a=1",
    "a=1&b=2",
    "b=2&a=1",
    "a=1%26b=2",
    "a=1;b=2",
    "a=1&a=2",
    "a=2&a=1",
    "?",
    "%3F",
    "a#b",
    "a=%31",
]


@pytest.mark.slow
@pytest.mark.parametrize("raw", [True, False], ids=["with a raw target", "without"])
def test_no_two_addresses_share_an_answer(raw):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [repr((environ["PATH_INFO"], environ["QUERY_STRING"])).encode()]

    site = Site(app=app)
    for _ in range(2):
        for path in CONFUSING:
            for query in QUERIES:
                uri = {"REQUEST_URI": path + (f"?{query}" if query else "")} if raw else {"REQUEST_URI": ""}
                answer = site.ask(PATH_INFO=path, QUERY_STRING=query, **uri)
                assert answer.text == repr((path, query))


@pytest.mark.parametrize(
    "values", [("a:b", "c"), ("a", "b:c"), ("1:a", "1:b"), ("-", ""), ("a\nb", "c"), ("a", "b\nc")]
)
def test_no_two_values_of_the_fields_that_vary_names_share_an_answer(values):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Vary", "X-A, X-B")])
        return [repr((environ.get("HTTP_X_A"), environ.get("HTTP_X_B"))).encode()]

    site = Site(app=app)
    one, other = values
    for pair in [
        (one, other),
        (other, one),
        (one + other, None),
        (None, one + other),
        (f"{one},{other}", ""),
        (None,) * 2,
    ]:
        headers = {name: value for name, value in zip(("X-A", "X-B"), pair, strict=True) if value is not None}
        assert site.ask(headers=headers).text == repr(pair)


words = st.text(st.sampled_from("ab:?/%1\n"), max_size=3)


@given(st.lists(st.tuples(words, words, words, st.booleans()), max_size=8))
def test_two_requests_that_the_application_tells_apart_never_share_an_answer(requests):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Vary", "X")])
        return [repr((environ["PATH_INFO"], environ["QUERY_STRING"], environ["HTTP_X"])).encode()]

    cache = CacheMiddleware(app, store=MemoryStore())
    for path, query, value, raw in requests:
        request = {"PATH_INFO": f"/{path}", "QUERY_STRING": query, "HTTP_X": value}
        answer = ask(cache, **request, REQUEST_URI=f"/{path}?{query}" if raw else "")
        assert answer.text == repr(tuple(request.values()))


# Parameters in parameters: S17


@pytest.mark.parametrize("query", ["a=1%26cb=evil", "utm_content=1;cb=evil", "a=1&cb=evil", "a=1&a=evil", "a=1#evil"])
def test_a_parameter_that_hides_in_another_is_another_address(query):
    site = reflecting("QUERY_STRING")
    assert says_evil(site.ask(f"/a?{query}", REQUEST_URI=f"/a?{query}", QUERY_STRING=query))
    for plain in ("", "a=1", "utm_content=1"):
        assert not says_evil(site.ask(f"/a?{plain}" if plain else "/a"))


# A field that is repeated, absent, or empty: S26


@pytest.mark.parametrize("joined", ["a, b", "a,b", "a , b", "a,,b"])
def test_a_field_with_two_lines_is_not_taken_for_one_of_them(joined):
    site = reflecting("HTTP_X", fields=[("Vary", "X")])
    for value in (joined, "a", "b", "b, a"):
        assert site.ask(headers={"X": value}).text == value
        assert site.ask(headers={"X": value}).text == value


def test_an_absent_field_is_not_taken_for_an_empty_one():
    site = reflecting("HTTP_X", fields=[("Vary", "X")])
    for _ in range(2):
        assert site.ask().text == "-"
        assert site.ask(headers={"X": ""}).text == ""
