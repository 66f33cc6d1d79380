"""The reference app over real HTTP, served by waitress as `make demo` serves it."""

from __future__ import annotations

import http.client
import re
from base64 import b64encode
from urllib.parse import urlencode, urlsplit

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


class Visitor:
    """Keeps cookies, as a browser does."""

    def __init__(self, url):
        self.url = url
        self.cookies = {}

    def request(self, method, path, body=None):
        connection = connect(self.url)
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer, text

    def get(self, path):
        return self.request("GET", path)[1]

    def post(self, path, form):
        return self.request("POST", path, urlencode(form))[0]


def hidden(page, name):
    """The value of a hidden input."""
    return re.search(f'name="{name}" value="([^"]*)"', page)[1]


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


def test_the_clock_names_its_tag_and_what_a_client_sends_as_one_means_nothing(url):
    answer, _ = get(url, "/clock", {"Cache-Tag": "mine"})
    assert answer.getheader("Cache-Tag") == "clock"


def test_a_purge_by_button_turns_a_hit_into_a_miss():
    with served() as server:
        visitor = Visitor(server.url)
        form = visitor.get("/login")
        login = {"username": "ann", "password": "seven-green-apples", "token": hidden(form, "token"), "next": "/admin"}
        assert visitor.post("/login", login).status == 303
        visitor.get("/clock")
        token = hidden(visitor.get("/admin"), "csrf_token")
        assert visitor.post("/admin", {"purge": "page", "csrf_token": token}).getheader("Location").endswith("/admin")
        assert "The page /clock is purged." in visitor.get("/admin")
        answer, body = get(server.url, "/clock")
        assert answer.getheader("Cache-Status") == "wsgi-middleware; fwd=uri-miss; stored"
        assert b"none: it was made for you" in body


def test_nobody_purges_over_http_without_signing_in(url):
    get(url, "/clock")
    connection = connect(url)
    connection.request("PURGE", "/clock")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 401  # from further in, as for any method that the rules do not allow
    assert "fwd=method" in answer.getheader("Cache-Status")


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
