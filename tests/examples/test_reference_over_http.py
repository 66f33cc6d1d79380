"""The reference app over real HTTP, served by waitress as `make demo` serves it."""

from __future__ import annotations

import http.client
from base64 import b64encode
from urllib.parse import urlsplit

import pytest
from reference_server import served

pytestmark = pytest.mark.slow


def connect(url):
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)


@pytest.fixture(scope="module")
def url():
    with served() as server:
        yield server.url


def get(url, path, headers=None):
    connection = connect(url)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_the_stream_arrives_line_by_line(url):
    connection = connect(url)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    first, next_to_come = answer.readline(), answer.read1()
    rest = answer.read()
    connection.close()
    assert first.startswith(b"line 1 of 10")
    assert b"line 10" not in next_to_come
    assert (first + next_to_come + rest).count(b"\n") == 10


def test_a_program_signs_in_by_basic_authentication(url):
    credentials = b64encode(b"bob:three-blue-boats").decode()
    answer, body = get(url, "/api/me", {"Authorization": f"Basic {credentials}"})
    assert answer.status == 200
    assert b'"bob"' in body
    assert answer.getheader("Cache-Control") == "private"


def test_the_clock_is_a_hit_the_second_time(url):
    get(url, "/clock")
    answer, body = get(url, "/clock")
    assert "hit" in answer.getheader("Cache-Status")
    assert int(answer.getheader("Age")) >= 0
    assert b"; hit" in body


def test_each_request_leaves_one_line_with_status_and_bytes():
    with served() as server:
        _, body = get(server.url, "/")
        get(server.url, "/nowhere?q=%22%0a")
        assert f'"GET / HTTP/1.1" 200 {len(body)} ' in server.line_with('"GET / ')
        assert '"GET /nowhere?q=%22%0a HTTP/1.1" 404 ' in server.line_with("nowhere")


def test_a_client_that_leaves_in_mid_stream_leaves_a_line_too():
    with served() as server:
        connection = connect(server.url)
        connection.request("GET", "/stream")
        connection.getresponse().readline()
        connection.close()
        assert '"GET /stream HTTP/1.1" 200 ' in server.line_with("/stream")


def test_the_two_accounts_are_printed_with_the_address():
    with served() as server:
        assert "sign in as ann with seven-green-apples" in server.greeting
        assert "sign in as bob with three-blue-boats" in server.greeting
