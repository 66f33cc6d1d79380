"""What an application sees of a request that the cache makes by itself."""

from __future__ import annotations

import sys

import pytest
from asking import make_environ
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching.clean_environ import cleaned

IDENTITY = {
    "Authorization": "Bearer of-ann",
    "CF-Connecting-IP": "192.0.2.7",
    "Client-Cert": ":of-ann:",
    "Cookie": "sid=of-ann",
    "Forwarded-For": "192.0.2.7",
    "From": "ann@example.com",
    "Proxy-Authorization": "Basic of-ann",
    "Referer": "https://example.com/of-ann",
    "Remote-User": "of-ann",
    "X-Amzn-Oidc-Data": "of-ann",
    "X-Api-Key": "of-ann",
    "X-Auth-Request-Email": "of-ann",
    "X-CSRFToken": "of-ann",
    "X-Forwarded-Access-Token": "of-ann",
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-User": "of-ann",
    "X-Real-IP": "192.0.2.7",
    "X-Request-ID": "of-ann",
    "X-SSL-Client-S-DN": "of-ann",
}
OF_THE_CLIENT = {
    "AUTH_TYPE": "Basic",
    "KRB5CCNAME": "of-ann",
    "OIDC_CLAIM_sub": "of-ann",
    "REDIRECT_REMOTE_USER": "of-ann",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_HOST": "of-ann",
    "REMOTE_IDENT": "of-ann",
    "REMOTE_PORT": "1234",
    "REMOTE_USER": "of-ann",
    "SSL_CLIENT_S_DN": "of-ann",
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "beaker.session": object(),
    "gunicorn.socket": object(),
    "middleware.identity": object(),
    "middleware.session": object(),
    "paste.registry": object(),
    "peer_cert": "of-ann",
    "repoze.who.identity": object(),
    "uwsgi.node": b"node",
    "waitress.client_disconnected": object(),
    "werkzeug.socket": object(),
    "wsgi.early_hints": object(),
    "wsgi.file_wrapper": object(),
    "wsgi.input_terminated": True,
    "wsgiorg.routing_args": ((), {"user": "of-ann"}),
    "x-wsgiorg.fdevent.readable": object(),
}


def test_nothing_in_it_says_who_asked():
    seen = cleaned(make_environ(headers=IDENTITY, **OF_THE_CLIENT))
    assert "of-ann" not in repr(seen)
    assert "192.0.2.7" not in repr(seen)
    assert OF_THE_CLIENT.keys().isdisjoint(seen)


def test_it_asks_for_the_same_url():
    asked = make_environ(
        "/a/b?c=d", method="HEAD", HTTP_HOST="www.example.com", SCRIPT_NAME="/site", RAW_URI="/site/a%2Fb"
    )
    asked["wsgi.url_scheme"] = "https"
    seen = cleaned(asked)
    assert seen["REQUEST_METHOD"] == "GET"
    for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "RAW_URI", "HTTP_HOST", "wsgi.url_scheme"):
        assert seen[key] == asked[key]


def test_it_has_no_body_and_no_conditions():
    headers = {
        "Cache-Control": "no-cache",
        "Content-Encoding": "gzip",
        "Content-Length": "3",
        "Content-Type": "text/plain",
        "Expect": "100-continue",
        "If-Match": '"a"',
        "If-Modified-Since": "Thu, 21 Sep 2056 00:00:00 GMT",
        "If-None-Match": '"a"',
        "If-Range": '"a"',
        "If-Unmodified-Since": "Thu, 21 Sep 2056 00:00:00 GMT",
        "Pragma": "no-cache",
        "Range": "bytes=0-3",
        "Transfer-Encoding": "chunked",
        "Upgrade": "websocket",
    }
    asked = make_environ(headers=headers, body=b"abc")
    seen = cleaned(asked)
    assert seen["wsgi.input"].read() == b""
    assert asked["wsgi.input"].read() == b"abc"
    assert {key for key in seen if key.startswith(("HTTP_", "CONTENT_"))} == {"HTTP_HOST"}


def test_fields_that_say_what_is_wanted_stay():
    headers = {
        "Accept": "text/html",
        "Accept-Language": "de",
        "User-Agent": "a browser",
        "X-Forwarded-Host": "www.example.com",
        "X-Forwarded-Proto": "https",
        "X-Of-The-Application": "1",
    }
    seen = cleaned(make_environ(headers=headers))
    assert {seen[f"HTTP_{name.upper().replace('-', '_')}"] for name in headers} == set(headers.values())


@pytest.mark.parametrize("name", ["Authorization", "cookie", "X-API-KEY", "Range", "content-type", "If-None-Match"])
def test_a_field_that_selects_the_answer_stays(name):
    asked = make_environ(headers={name: "what selects"})
    assert "what selects" not in cleaned(asked, ["Accept"]).values()
    assert "what selects" in cleaned(asked, ["Accept", name]).values()


def test_a_field_that_selects_the_answer_by_its_absence_stays_absent():
    assert cleaned(make_environ(), ["X-Missing", "Content-Type"]).keys().isdisjoint(("HTTP_X_MISSING", "CONTENT_TYPE"))


def test_it_is_served_as_the_request_was():
    flags = {"wsgi.multithread": False, "wsgi.multiprocess": True, "wsgi.run_once": True, "wsgi.version": (1, 0)}
    seen = cleaned(make_environ(**flags))
    assert {key: seen[key] for key in flags} == flags


def test_its_errors_go_where_they_still_can_when_the_request_is_over(monkeypatch):
    asked = make_environ()
    assert cleaned(asked)["wsgi.errors"] is sys.stderr
    monkeypatch.setattr(sys, "stderr", None)  # a process without one
    cleaned(asked)["wsgi.errors"].write("said to nobody")


def test_the_request_itself_stays_as_it_is():
    asked = make_environ(headers=IDENTITY)
    before = dict(asked)
    seen = cleaned(asked, ["Cookie"])
    seen["HTTP_COOKIE"] = seen["middleware.session"] = "of the refresh"
    assert asked == before


names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_.0123456789abcdefgh", min_size=1, max_size=20)


@given(st.dictionaries(st.one_of(names, names.map("HTTP_{}".format)), st.text()), st.lists(names))
def test_no_key_but_of_the_request_comes_in_and_what_is_not_a_field_is_known(more, keep):
    asked = {**make_environ(), **more}
    seen = cleaned(asked, keep)
    own = {"REQUEST_METHOD", "wsgi.input", "wsgi.errors"}
    assert all(seen[key] is asked[key] for key in seen.keys() - own)
    known = ("HTTP_", "SERVER_", "wsgi.", "REQUEST_", "CONTENT_")
    assert all(
        key.startswith(known)
        or key in {"SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "RAW_URI", "HTTPS", "GATEWAY_INTERFACE"}
        for key in seen
    )
