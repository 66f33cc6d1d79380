"""What an application finds in environ behind GatewayMiddleware, and which requests it never sees."""

from __future__ import annotations

from io import StringIO

import pytest
from asking import ask, call, make_environ
from gateway.servers_input import INPUTS, SOFTWARE, Ending, Input, environ_of

from middleware import GatewayMiddleware
from middleware.errors import ConfigurationError
from middleware.testing import make_environ as strict_environ
from middleware.testing import serve
from middleware.testing.together import ODD_REQUESTS

PLAIN = [("Content-Type", "text/plain")]


class Site:
    """Reads the body whole and keeps what it saw."""

    def __init__(self):
        self.environ = None
        self.body = None

    def __call__(self, environ, start_response):
        self.environ = dict(environ)
        self.body = environ["wsgi.input"].read()
        start_response("200 OK", PLAIN)
        return [b"seen"]


def seen(environ):
    """The environ and the body that an application gets of this request."""
    site = Site()
    assert call(GatewayMiddleware(site), environ).code == 200
    return site.environ, site.body


def seen_unread(environ):
    """The environ that an application gets which reads nothing, and the answer."""
    found = {}

    def app(environ, start_response):
        found.update(environ)
        start_response("200 OK", PLAIN)
        return []

    return found, call(GatewayMiddleware(app), environ)


ENDS = {"wsgi.input_terminated": True}


def refused(environ):
    """The status of a request that the application never sees, of which nothing is read."""
    site = Site()
    answer = serve(GatewayMiddleware(site), environ)
    assert site.environ is None
    assert answer.header("Content-Length") == str(len(answer.body)) != "0"
    assert isinstance(answer.error, BrokenPipeError | None)
    reads = getattr(environ["wsgi.input"], "reads", 0)
    assert reads == 0
    return int(answer.status[:3])


GO_ON = ["cheroot", "eventlet", "gevent"]


@pytest.mark.parametrize("server", [*INPUTS, *SOFTWARE, None])
def test_the_connection_ends_behind_a_refusal_where_the_server_would_go_on_with_it(server):
    answer = serve(GatewayMiddleware(Site()), environ_of(server, b"hello", CONTENT_LENGTH="-5"))
    assert (answer.status[:3], isinstance(answer.error, BrokenPipeError)) == ("400", server in GO_ON)


def test_what_is_missing_is_there():
    environ = make_environ()
    for name in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "wsgi.run_once"):
        environ.pop(name, None)
    found, _ = seen(environ)
    assert [found[name] for name in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "wsgi.run_once")] == [
        "",
        "",
        "",
        False,
    ]


def test_what_says_nothing_or_says_it_twice_or_misleads_is_gone():
    found, _ = seen(
        make_environ(
            CONTENT_LENGTH="",
            CONTENT_TYPE="",
            HTTP_CONTENT_LENGTH="7",
            HTTP_CONTENT_TYPE="text/html",
            HTTP_PROXY="http://evil.example",
        )
    )
    assert found.keys().isdisjoint(
        {"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_PROXY"}
    )


@pytest.mark.parametrize(
    ("value", "text"), [(49152, "49152"), (1.5, "1.5"), (b"caf\xc3\xa9", "caf\xc3\xa9"), (True, "True")]
)
def test_a_number_or_bytes_become_text(value, text):
    found, _ = seen(make_environ(REMOTE_PORT=value))
    assert (found["REMOTE_PORT"], type(found["REMOTE_PORT"])) == (text, str)


def test_what_cannot_be_text_goes_or_moves_to_a_name_with_a_dot():
    found, _ = seen(make_environ(SCRIPT_FILENAME=None, headers_raw=(("Host", "a"),)))
    assert found.keys().isdisjoint({"SCRIPT_FILENAME", "headers_raw"})
    assert found["middleware.server.headers_raw"] == (("Host", "a"),)


def test_text_of_another_class_becomes_plain_text():
    class Text(str):
        __slots__ = ()

    found, _ = seen(make_environ(PATH_INFO=Text("/a")))
    assert type(found["PATH_INFO"]) is str


@pytest.mark.parametrize(
    ("server", "name", "value"),
    [
        ("eventlet", "headers_raw", (("Host", "a"),)),
        ("mod_python", "SCRIPT_FILENAME", None),
        ("Werkzeug", "REMOTE_PORT", 1),
    ],
)
def test_known_servers_are_looked_at_where_they_have_no_text(server, name, value):
    environ = environ_of(server)
    environ[name] = value
    found, _ = seen(environ)
    assert all(isinstance(value, str) for name, value in found.items() if "." not in name)


@pytest.mark.parametrize(
    ("server", "uri", "whole"),
    [
        ("flup, AJP", "/a", "/a?b=c"),
        ("mod_python", "/a", "/a?b=c"),
        ("mod_python", "/a?b=c", "/a?b=c"),
        ("uWSGI", "/a", "/a"),
    ],
)
def test_a_request_uri_gets_its_query_back_on_the_servers_that_cut_it_off(server, uri, whole):
    found, _ = seen(environ_of(server, REQUEST_URI=uri, QUERY_STRING="b=c"))
    assert found["REQUEST_URI"] == whole


@pytest.mark.parametrize(
    ("server", "path", "bytes_of_it"),
    [
        ("Paste", "/caf\xe9", "/caf\xc3\xa9"),
        ("mod_python", "/caf\xe9", "/caf\xc3\xa9"),
        (None, "/caf\xe9", "/caf\xe9"),
        (None, "/caf\xc3\xa9", "/caf\xc3\xa9"),
        (None, "/\u20ac", "/\xe2\x82\xac"),
        ("Paste", "/\ufffd", "/\xef\xbf\xbd"),
        (None, "/\udcff\u20ac", "/\xed\xb3\xbf\xe2\x82\xac"),
        (None, "/\ud800\u20ac", "/\xed\xa0\x80\xe2\x82\xac"),
    ],
)
def test_a_path_that_was_decoded_is_bytes_again(server, path, bytes_of_it):
    found, _ = seen(environ_of(server, PATH_INFO=path, SCRIPT_NAME=path))
    assert (found["PATH_INFO"], found["SCRIPT_NAME"]) == (bytes_of_it, bytes_of_it)


@pytest.mark.parametrize("length", ["abc", "-5", "+5", "5, 6", "5,5", "5_0", "5.0", " 5", "0x5", "\u0665", "9" * 19])
def test_a_content_length_that_is_no_length_is_refused_unread(length):
    assert refused(environ_of(body=b"hello", CONTENT_LENGTH=length)) == 400


@pytest.mark.parametrize("length", [None, "", "0"])
def test_a_request_without_a_body_has_an_input_that_ends(length):
    found, body = seen(environ_of(**{"CONTENT_LENGTH": length, "wsgi.input": Input()}))
    assert (body, found["wsgi.input_terminated"]) == (b"", True)
    stream = found["wsgi.input"]
    assert (stream.read(5), stream.readline(), stream.readlines(), [*stream]) == (b"", b"", [], [])


def test_a_websocket_finds_the_connection_in_the_input_of_gevent():
    environ = environ_of("gevent", HTTP_UPGRADE="websocket", **ENDS)
    found, _ = seen_unread(environ)
    assert type(found["wsgi.input"]).__module__ == "gevent.pywsgi"


@pytest.mark.parametrize("server", [*sorted({*INPUTS, *SOFTWARE} - {"gevent"}), None])
def test_no_client_chooses_the_input_of_the_server(server):
    found, _ = seen_unread(environ_of(server, HTTP_UPGRADE="x", **ENDS))
    assert found["wsgi.input"].read(-1) == b""


CODINGS = ["gzip, chunked", "chunked, chunked", "chunked;x", "identity", "xchunked", "\x0bchunked", '"chunked"', ""]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("length", [None, "0", "5"])
@pytest.mark.parametrize("server", [*INPUTS, *SOFTWARE, None])
def test_no_coding_but_chunked_is_taken_for_one(server, length, coding):
    environ = environ_of(server, b"hello", CONTENT_LENGTH=length, HTTP_TRANSFER_ENCODING=coding, **ENDS)
    assert refused(environ) == 400


@pytest.mark.parametrize("protocol", ["HTTP/2", "HTTP/2.0", "HTTP/3"])
def test_a_body_that_the_protocol_ends_needs_no_length(protocol):
    assert seen(environ_of("granian", b"hello", SERVER_PROTOCOL=protocol, **ENDS))[1] == b"hello"


def test_of_more_than_was_asked_for_nothing_is_taken():
    class Generous(Ending):
        def read(self, size):
            return super().read(size) + b"more"

    _, body = seen(environ_of(**{"CONTENT_LENGTH": "5", "wsgi.input": Generous(b"hello")}))
    assert body == b"hello"


def test_text_for_an_input_is_bytes_behind_the_layer():
    _, body = seen(environ_of(**{"CONTENT_LENGTH": "0", "wsgi.input": StringIO()}))
    assert body == b""
    _, body = seen(environ_of(**{"CONTENT_LENGTH": "4", "wsgi.input": StringIO("caf\xe9")}))
    assert body == b"caf\xe9"


def test_a_body_ends_where_content_length_says():
    given = Input(b"hello", most=2)
    found, body = seen(environ_of(**{"CONTENT_LENGTH": "5", "wsgi.input": given}))
    assert (body, found["CONTENT_LENGTH"], found["wsgi.input_terminated"]) == (b"hello", "5", True)


def test_what_follows_a_body_stays_with_the_server():
    given = Ending(b"helloGET / HTTP/1.1")
    _, body = seen(environ_of(**{"CONTENT_LENGTH": "5", "wsgi.input": given}))
    assert (body, given.left) == (b"hello", 14)


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}
LOSE_IT = ["wsgiref", "Paste", "flup, AJP", "mod_python", "uWSGI"]
DECODE_IT = ["cheroot", "eventlet", "Werkzeug"]


@pytest.mark.parametrize("server", DECODE_IT)
def test_a_chunked_body_is_read_to_its_end_where_the_server_is_known_to_end_it(server):
    found, body = seen(environ_of(server, b"hello", **CHUNKED))
    assert (body, found["wsgi.input_terminated"]) == (b"hello", True)


def test_a_chunked_body_is_read_to_its_end_where_the_server_says_that_it_ends():
    assert seen(environ_of(body=b"hello", **CHUNKED, **{"wsgi.input_terminated": True}))[1] == b"hello"


def test_a_chunked_body_is_read_to_its_end_under_cgi():
    assert seen(environ_of(body=b"hello", **CHUNKED, **{"wsgi.run_once": True}))[1] == b"hello"


@pytest.mark.parametrize("says", [None, False, 1, "yes"])
def test_a_chunked_body_whose_end_nobody_knows_is_refused(says):
    assert refused(environ_of(body=b"hello", **CHUNKED, **{"wsgi.input_terminated": says})) == 411


@pytest.mark.parametrize("length", [None, "", "0"])
@pytest.mark.parametrize("server", LOSE_IT)
def test_a_chunked_body_that_the_server_loses_is_refused(server, length):
    assert refused(environ_of(server, b"5\r\nhello", CONTENT_LENGTH=length, **CHUNKED)) == 411


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "gzip, chunked", "identity", "xchunked"])
@pytest.mark.parametrize("server", [*LOSE_IT, *DECODE_IT])
def test_two_lengths_are_refused_where_the_server_does_not_look(server, coding):
    environ = environ_of(server, b"hello", CONTENT_LENGTH="3", HTTP_TRANSFER_ENCODING=coding)
    assert refused({**environ, "wsgi.input_terminated": True}) == 400


@pytest.mark.parametrize("server", [*sorted(INPUTS.keys() - set(LOSE_IT) - {*DECODE_IT, "granian"}), "waitress", None])
def test_the_length_that_a_gateway_has_found_out_is_taken_beside_the_field_it_has_decoded(server):
    assert seen(environ_of(server, b"hello and more", CONTENT_LENGTH="5", **CHUNKED))[1] == b"hello"


def test_a_chunked_body_reaches_uwsgi_through_a_web_server_that_decodes_it():
    found = environ_of("uWSGI", b"hello", CONTENT_LENGTH="5", DOCUMENT_ROOT="/var/www", **CHUNKED)
    assert seen(found)[1] == b"hello"
    assert refused(environ_of("uWSGI", b"hello", DOCUMENT_ROOT="/var/www", **CHUNKED)) == 411


def test_a_refusal_of_head_has_no_body():
    answer = ask(GatewayMiddleware(Site()), method="HEAD", CONTENT_LENGTH="abc")
    assert (answer.code, answer.body) == (400, b"")


@pytest.mark.parametrize("server", [*INPUTS, *SOFTWARE, None])
@pytest.mark.parametrize("odd", ODD_REQUESTS)
def test_odd_requests_are_answered_on_every_server(odd, server):
    given = environ_of(server)
    environ = strict_environ("/odd", **ODD_REQUESTS[odd])
    environ.update({name: given[name] for name in ("SERVER_SOFTWARE", "wsgi.input")})
    for name in [name for name, value in ODD_REQUESTS[odd].items() if value is None]:
        del environ[name]
    received = serve(GatewayMiddleware(Site()), environ)
    assert not received.broken
    assert received.error is None or (server in GO_ON and isinstance(received.error, BrokenPipeError))
    assert received.status[:3] == ("400" if "Content-Length" in odd or odd == "wide digits" else "200")


def test_without_a_body_the_applications_answer_is_handed_on_untouched():
    body = (b"the very", b" object")

    def app(environ, start_response):
        assert start_response is start
        return body

    def start(status, headers, exc_info=None):
        raise AssertionError

    assert GatewayMiddleware(app)(make_environ(), start) is body


def test_a_layer_inside_of_another_one_changes_nothing_more():
    found, body = seen(environ_of(body=b"hello", CONTENT_LENGTH="5"))
    site = Site()
    call(GatewayMiddleware(GatewayMiddleware(site)), environ_of(body=b"hello", CONTENT_LENGTH="5"))
    assert (site.body, site.environ.keys()) == (body, found.keys())


@pytest.mark.parametrize("drain", [-1, 1.5, "64KiB", None, True])
def test_a_drain_that_is_no_number_of_bytes_is_refused_with_what_to_write(drain):
    with pytest.raises(ConfigurationError, match="drain= is a number of bytes, 65536 for example, or 0 for none, not"):
        GatewayMiddleware(Site(), drain=drain)
