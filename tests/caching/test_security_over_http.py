"""What reaches the cache through real servers, byte by byte: hosts, targets, repeated fields, bodies. S6 to S26."""

from __future__ import annotations

import socket
from contextlib import contextmanager

import pytest
from wsgi.test_servers import waitress_server, wsgiref_server

from middleware import CacheMiddleware, MemoryStore

pytestmark = pytest.mark.slow

PATIENCE = 20


class Site:
    """Reflects what a test names of each request, and calls it fresh."""

    def __init__(self, *keys, vary=None):
        self.keys = keys
        self.calls = 0
        self.vary = [("Vary", vary)] if vary else []
        self.cache = CacheMiddleware(self.app, store=MemoryStore())

    def app(self, environ, start_response):
        self.calls += 1
        text = "|".join(str(environ.get(key, "-")) for key in self.keys)
        if "body" in self.keys:
            text += environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        data = text.encode("latin-1")
        fields = [("Cache-Control", "max-age=60"), ("ETag", '"1"'), ("Content-Length", str(len(data)))]
        start_response("200 OK", [*fields, *self.vary])
        return [data]


@contextmanager
def serving(server, site):
    """Asks with the very bytes that it is given; the whole of what came back."""
    with server(site.cache) as port:

        def ask(*lines, body=b""):
            head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                connection.sendall(head + body)
                data = b""
                while chunk := connection.recv(65536):
                    data += chunk
            return data.decode("latin-1")

        yield ask


@pytest.fixture(params=[waitress_server, wsgiref_server], ids=["waitress", "wsgiref"])
def server(request):
    return request.param


GOOD = ("GET /a HTTP/1.1", "Host: good.example")


@pytest.mark.parametrize(
    "evil",
    [
        ("GET /a HTTP/1.1", "Host: evil.example"),
        ("GET /a HTTP/1.1", "Host: good.example", "Host: evil.example"),
        ("GET /a HTTP/1.1", "Host: evil.example", "Host: good.example"),
        ("GET /a HTTP/1.1", "Host: good.example:80"),
        ("GET /a HTTP/1.1", "Host: GOOD.example"),
        ("GET /a HTTP/1.1", "Host: good.example."),
        ("GET /a HTTP/1.1", "Host: good.example:evil"),
        ("GET /a HTTP/1.1", "Host: evil@good.example"),
        ("GET /a HTTP/1.1", "Host:"),
        ("GET /a HTTP/1.0",),
        ("GET http://evil.example/a HTTP/1.1", "Host: good.example"),
        ("GET http://good.example/a HTTP/1.1", "Host: evil.example"),
        ("GET //evil.example/a HTTP/1.1", "Host: good.example"),
        ("GET /a HTTP/1.1", "Host: good.example", "X-Forwarded-Host: evil.example"),
        ("GET /a HTTP/1.1", "Host: good.example", "X_Forwarded_Host: evil.example"),
        ("GET /a HTTP/1.1", "Host: good.example", "X-Rewrite-URL: /evil"),
        ("GET /a HTTP/1.1", "Host: good.example", "X-HTTP-Method-Override: evil"),
        ("GET /a?evil HTTP/1.1", "Host: good.example"),
        ("GET /a%3Fevil HTTP/1.1", "Host: good.example"),
        ("GET /a;evil HTTP/1.1", "Host: good.example"),
        ("GET /a%00evil HTTP/1.1", "Host: good.example"),
        ("GET /a%23evil HTTP/1.1", "Host: good.example"),
        ("GET /a#evil HTTP/1.1", "Host: good.example"),
    ],
    ids=" / ".join,
)
def test_whatever_came_before_the_good_request_gets_the_good_answer(server, evil):
    site = Site(
        "REQUEST_METHOD",
        "HTTP_HOST",
        "PATH_INFO",
        "QUERY_STRING",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_REWRITE_URL",
        "HTTP_X_HTTP_METHOD_OVERRIDE",
    )
    with serving(server, site) as ask:
        ask(*evil)
        ask(*evil)
        for _ in range(2):
            assert ask(*GOOD).endswith("\r\n\r\nGET|good.example|/a||-|-|-")
        assert "; hit" in ask(*GOOD)


@pytest.mark.parametrize(
    "lines",
    [("X: a", "X: b"), ("X: a, b",), ("X: b",), ("X:",), (), ("X: A",), ("X: b", "X: a")],
    ids=lambda lines: " / ".join(lines) or "none",
)
def test_a_field_that_vary_names_selects_the_answer_as_it_arrives(server, lines):
    site = Site("HTTP_X", vary="X")
    with serving(server, site) as ask:
        first = ask(*GOOD, "X: a")
        assert first.endswith("\r\n\r\na")
        other = ask(*GOOD, *lines)
        text = other.rpartition("\r\n\r\n")[2]
        assert text == "a" or "; hit" not in other
        again = ask(*GOOD, *lines)
        assert again.rpartition("\r\n\r\n")[2] == text
        assert ask(*GOOD, "X: a").endswith("\r\n\r\na")
    values = [line.partition(":")[2].strip() for line in lines]
    assert text in ("-" if not lines else "", ",".join(values), ", ".join(values), values[-1] if values else "-")


def test_the_body_of_a_get_spoils_nothing(server):
    site = Site("body")
    with serving(server, site) as ask:
        for _ in range(2):
            assert "x=evil" in ask(*GOOD, "Content-Length: 6", body=b"x=evil")
            assert "evil" not in ask(*GOOD)
        assert "; hit" in ask(*GOOD)


def test_a_body_in_chunks_spoils_nothing():
    site = Site("body")
    with serving(waitress_server, site) as ask:
        for _ in range(2):
            chunks = b"6\r\nx=evil\r\n0\r\n\r\n"
            assert "x=evil" in ask(*GOOD, "Transfer-Encoding: chunked", body=chunks)
            assert "evil" not in ask(*GOOD)


def test_no_body_is_sent_for_head_nor_with_a_304(server):
    site = Site("PATH_INFO")
    with serving(server, site) as ask:
        assert ask(*GOOD).endswith("\r\n\r\n/a")
        head = ask("HEAD /a HTTP/1.1", "Host: good.example")
        assert "; hit" in head
        assert "content-length: 2" in head.lower()
        assert head.endswith("\r\n\r\n")
        unchanged = ask(*GOOD, 'If-None-Match: "1"')
        assert unchanged.split(" ", 2)[1] == "304"
        assert "content-length" not in unchanged.lower() or server is wsgiref_server
        assert unchanged.endswith("\r\n\r\n")
        assert site.calls == 1
