"""Each layer alone, with no gateway layer outside of it, on what servers really send.

What else a server may do is tried in test_layers_keep_pep3333.py: answers and their ends in every shape, a
`start_response` that gives no `write()`, files, threads that `wsgi.multithread` denies, and more odd requests.
"""

from __future__ import annotations

from io import StringIO

import pytest
from asking import Browser, ask, call, make_environ
from auth_helpers import stored
from every_layer import LAYERS
from gateway.servers_input import Ending, Input, unnoticed_gateway

from middleware import AuthMiddleware, MemoryStore, SessionLogin, SessionMiddleware, optional

WRAPS = [
    pytest.param(layer.values[0], id=layer.id, marks=layer.marks)
    for layer in LAYERS
    if layer.values[0] is not unnoticed_gateway
]
every_layer = pytest.mark.parametrize("wrap", WRAPS)

CHANGES_BY_ITSELF = {"x-request-id", "set-cookie", "date", "age", "cache-status", "etag"}


class Untouchable:
    """An input that hangs, or worse, for whoever reads it."""

    def __getattr__(self, name):
        raise AssertionError(f"wsgi.input.{name} was asked for though the application reads nothing")


class Site:
    def __init__(self):
        self.environs = []

    def __call__(self, environ, start_response):
        self.environs.append(dict(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"here"]


def request(method="GET", without=(), **entries):
    environ = make_environ("/odd", method, **{"SCRIPT_NAME": "", "wsgi.input": Untouchable(), **entries})
    return {key: value for key, value in environ.items() if key not in without}


def answer(wrap, environ):
    """What a client gets of a new layer, without what is another one each time; the application was reached."""
    site = Site()
    got = call(wrap(site), environ)
    assert site.environs or got.code == 400  # a path of two readings
    return got.status, sorted((n, v) for n, v in got.headers if n.lower() not in CHANGES_BY_ITSELF), got.body


def plain(wrap, method="GET", **entries):
    return answer(wrap, request(method, **entries))


LENGTHS = [None, "", "0", "5", "abc", "-5", "+5", "5, 6", "5_0", "\u0665", "9" * 30]


@pytest.mark.parametrize("length", LENGTHS)
@every_layer
def test_any_content_length(wrap, length):
    entries = {} if length is None else {"CONTENT_LENGTH": length}
    without = ["CONTENT_LENGTH"] if length is None else []
    assert answer(wrap, request("POST", without, **entries)) == plain(wrap, "POST")


@pytest.mark.parametrize("says", [True, False, None])
@pytest.mark.parametrize("length", [None, "3"])
@every_layer
def test_a_chunked_body_in_every_guise(wrap, length, says):
    odd = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": length, "wsgi.input_terminated": says}
    environ = request("POST", [key for key, value in odd.items() if value is None], **odd)
    assert answer(wrap, environ) == plain(wrap, "POST")


@pytest.mark.parametrize("given", [StringIO(), Input(), Ending(), None], ids=lambda given: type(given).__name__)
@every_layer
def test_any_input(wrap, given):
    assert plain(wrap, **{"wsgi.input": given}) == plain(wrap)


@pytest.mark.parametrize(
    "without",
    [
        ["SCRIPT_NAME"],
        ["PATH_INFO"],
        ["SCRIPT_NAME", "PATH_INFO"],
        ["wsgi.run_once"],
        ["QUERY_STRING", "REQUEST_URI", "REMOTE_ADDR", "SERVER_SOFTWARE", "HTTP_HOST"],
    ],
    ids="-".join,
)
@every_layer
def test_what_is_missing(wrap, without):
    assert answer(wrap, request(without=without))[0] == "200 OK"


ODD = {
    "PATH_INFO": ["/\u20ac", "/\ufffd", "/\ud800", "/a\x00b", "*", "http://host/x", "//dbl", "/x/../y"],
    "SCRIPT_NAME": ["/\u20ac"],
    "QUERY_STRING": ["q=\u20ac", "q=\xff"],
    "REMOTE_PORT": [49152],
    "headers_raw": [(("Host", "a"),)],
    "SCRIPT_FILENAME": [None],
    "REQUEST_URI": ["", "http://host/odd", "/\u20ac"],
    "RAW_URI": ["/odd?%zz"],
    "CONTENT_TYPE": ["", "text/plain"],
    "SERVER_NAME": ["waitress.invalid", "", "Cheroot/11.1.2"],
    "SERVER_PROTOCOL": ["HTTP/1.0", "HTTP/2"],
    "REMOTE_ADDR": ["", "unix:", "localhost"],
    "wsgi.run_once": [True],
    "wsgi.multiprocess": [True],
    "HTTP_EXPECT": ["100-continue"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ODD.items() for value in values])
@every_layer
def test_odd_values(wrap, name, value):
    status = plain(wrap, **{name: value})[0]
    may_refuse = name in ("PATH_INFO", "SCRIPT_NAME") or (name == "REQUEST_URI" and "\u20ac" in value)
    assert status == "200 OK" or (may_refuse and status == "400 Bad Request")


# Each alone says nothing that a client may say.
LIES = {
    "HTTP_CONTENT_LENGTH": "7",
    "HTTP_CONTENT_TYPE": "application/x-www-form-urlencoded",
    "HTTP_PROXY": "http://evil.example",
    "HTTP_REMOTE_USER": "root",
    "HTTP_X_FORWARDED_FOR": "6.6.6.6",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_UNDER": "x",
    "AWS_SECRET_ACCESS_KEY": "of os.environ",
}


@pytest.mark.parametrize("name", LIES)
@every_layer
def test_what_anybody_may_write_changes_nothing(wrap, name):
    assert plain(wrap, REMOTE_ADDR="6.6.6.6", **{name: LIES[name]}) == plain(wrap, REMOTE_ADDR="6.6.6.6")


@pytest.mark.parametrize("name", LIES)
@every_layer
def test_what_anybody_may_write_is_told_to_nobody(wrap, name, capsys, caplog):
    status, headers, body = plain(wrap, **{name: LIES[name]})
    assert status == "200 OK"
    if len(LIES[name]) > 3:
        assert LIES[name] not in f"{headers} {body} {caplog.text} {''.join(capsys.readouterr())}"


LISTS = {
    "HTTP_IF_NONE_MATCH": ['"a"', 'W/"b"'],
    "HTTP_CACHE_CONTROL": ["no-cache", "max-age=0"],
    "HTTP_ACCEPT": ["text/html", "*/*;q=0.1"],
    "HTTP_X_FORWARDED_FOR": ["203.0.113.9", "10.0.0.2"],
    "HTTP_PRAGMA": ["no-cache", "x"],
    "HTTP_COOKIE": ["a=1", "b=2"],
}


@pytest.mark.parametrize("name", LISTS)
@every_layer
def test_a_field_that_came_twice_is_joined_in_either_way(wrap, name):
    assert plain(wrap, **{name: ",".join(LISTS[name])}) == plain(wrap, **{name: ", ".join(LISTS[name])})


# The one layer that reads a body, and of no more than tests/auth/test_session_login.py has: the form of a login.

KIND = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def site():
    login = AuthMiddleware(Site(), [SessionLogin({"ann": stored("ann-password")})], rules=[optional("/")])
    return SessionMiddleware(login, store=MemoryStore())


def post(site, given, length):
    browser = Browser(site)
    browser.get("/login", {"Sec-Fetch-Site": "none"})
    entries = {"CONTENT_LENGTH": length} if length is not None else {}
    return browser.request("/login", "POST", KIND, **{"wsgi.input": given, **entries})


@pytest.mark.parametrize("length", LENGTHS[4:])
def test_a_login_of_no_length_is_refused_unread(site, length):
    assert post(site, Untouchable(), length).code in (400, 413)


@pytest.mark.parametrize("length", LENGTHS[:3])
def test_a_login_without_a_body_is_no_login(site, length):
    answer = post(site, StringIO(), length)
    assert answer.code != 303
    assert answer.code < 500


def test_a_layer_that_refuses_leaves_the_body_to_the_gateway_layer(site):
    private = AuthMiddleware(Site(), [SessionLogin({"ann": stored("ann-password")})])
    given = Input(b"x" * 100)
    answer = ask(
        SessionMiddleware(private, store=MemoryStore()), "/", "POST", **{"CONTENT_LENGTH": "100", "wsgi.input": given}
    )
    assert (answer.code in (303, 401), given.reads) == (True, 0)
