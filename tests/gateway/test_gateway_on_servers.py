"""The gateway layer on real servers and behind real gateways: what each of them gets wrong is right behind it."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse

import pytest
from gateway.on_servers import ALL, APPLICATION, MOUNT

pytestmark = pytest.mark.slow

PATIENCE = 20  # seconds
HELLO = b"hello\nworld\n, and more\nlines"
CHUNKED = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
LARGE = b"x" * (3 << 20)


class Server:
    def __init__(self, name, port):
        self.name = name
        self.port = port

    def ask(self, path, *fields, method="GET", body=b""):
        """The status and the body of an answer; a reset on the way is an error."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as wire:
            target = MOUNT.get(self.name, "") + path
            lines = [f"{method} {target} HTTP/1.1", "Host: site.example", "Connection: close", *fields, "", ""]
            wire.sendall("\r\n".join(lines).encode("latin-1") + body)
            answer = HTTPResponse(wire, method=method)
            answer.begin()
            return answer.status, answer.read()

    def post(self, path, body, *fields):
        return self.ask(path, f"Content-Length: {len(body)}", *fields, method="POST", body=body)

    def told(self, path="/tells", *fields, **more):
        status, body = self.ask(path, *fields, **more)
        assert status == 200
        return json.loads(body)


@pytest.fixture(scope="module", params=ALL)
def server(request, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log"
    with ALL[request.param](APPLICATION, log) as port:
        yield Server(request.param, port)


LOSES_STATUS = "apache, mod_python"  # which sends every one as 200


def statuses(server, *expected):
    return (*expected, 200) if server.name == LOSES_STATUS else expected


def test_environ_is_what_pep_3333_promises(server):
    found = server.told("/tells/caf%C3%A9", "Proxy: http://evil.example")
    assert found["path"] == "/tells/caf\xc3\xa9"
    assert (found["no text"], found["empty"], found["twice"], found["ends"]) == ([], [], [], True)


@pytest.mark.parametrize("fields", [(), ("Content-Length: 0",)])
def test_a_request_without_a_body_reads_as_empty(server, fields):
    assert server.ask("/reads", *fields) == (200, b"")


def test_a_body_can_be_read_in_every_way(server):
    assert server.post("/reads", HELLO) == (200, HELLO)


def test_a_large_body_arrives_whole(server):
    assert server.post("/reads", LARGE) == (200, LARGE)


TAKE_NO_CHUNKS = {"wsgiref", "paste", "uwsgi", "uwsgi --http", LOSES_STATUS}


def test_a_chunked_body_arrives_whole_or_is_refused(server):
    status, body = server.ask("/reads", "Transfer-Encoding: chunked", method="POST", body=CHUNKED)
    if server.name in TAKE_NO_CHUNKS:
        assert status in statuses(server, 411)
        assert b"hello" not in body
    else:
        assert (status, body) == (200, b"hello world")


@pytest.mark.parametrize("fields", [("Content-Length: 3", "Transfer-Encoding: chunked")])
@pytest.mark.parametrize("backwards", [False, True])
def test_of_two_lengths_no_wrong_one_is_believed(server, fields, backwards):
    ordered = fields[::-1] if backwards else fields
    status, body = server.ask("/reads", *ordered, method="POST", body=CHUNKED)
    if status == 200 and server.name != LOSES_STATUS:
        assert body == b"hello world"
    else:
        assert status in statuses(server, 400)
        assert not body.startswith((b"hel", b"5"))


@pytest.mark.parametrize("length", ["abc", "-5", "+5", "5, 6", "5_0", "9" * 23])
def test_a_length_that_is_none_is_refused(server, length):
    status, _ = server.ask("/reads", f"Content-Length: {length}", method="POST", body=b"hello")
    assert status in (400, 413)


@pytest.mark.parametrize("path", ["/refuses", "/refuses-late"])
def test_an_early_answer_arrives_though_nobody_has_read_the_body(server, path):
    for _ in range(5):
        status, body = server.post(path, LARGE)
        assert (status in statuses(server, 401), body) == (True, b"denied")


@pytest.mark.parametrize("path", ["/fails", "/fails-late"])
def test_an_error_is_answered(server, path):
    assert server.ask(path)[0] == 500
    assert server.post(path, HELLO)[0] == 500


def test_a_head_that_replaces_another_brings_its_body(server):
    if server.name == LOSES_STATUS:
        pytest.skip("it has a page of its own for it")
    assert server.ask("/replaces") == (503, b"replaced")
    assert server.post("/replaces", HELLO) == (503, b"replaced")


def test_what_is_written_arrives(server):
    assert server.ask("/writes") == (200, b"one,two,three")
    assert server.post("/writes", HELLO) == (200, b"one,two,three")


# A web server in front takes the body whole first; waitress does so itself.
HAND_ON_WHAT_THEY_GET = set(ALL) - {"waitress"} - {name for name in ALL if ", " in name}


def test_a_client_that_leaves_is_an_error_in_the_application(server):
    if server.name not in HAND_ON_WHAT_THEY_GET:
        pytest.skip("it waits for the whole body")
    before = server.told()["gone"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as wire:
        wire.sendall(b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello")
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(1000):
            pass
    assert server.told()["gone"] == before + 1
