"""TRU-7: a server that keeps Authorization to itself, and the directive that makes it hand the field on."""

from __future__ import annotations

import pytest
from asking import ask, make_environ
from auth_helpers import stored, who

from middleware.auth import AuthMiddleware, Basic
from middleware.auth.answers.missing_header import cure_for_missing_header

MOD_WSGI = {"mod_wsgi.version": (5, 0, 2), "mod_wsgi.process_group": "site"}
CGI = {"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "Apache/2.4.66 (Debian)"}
NOT_TOLD = [
    ({}, ["basic"]),
    (MOD_WSGI, ["session", "apikey", "server"]),
    (CGI, []),
    ({**MOD_WSGI, "HTTP_AUTHORIZATION": "Basic YTpi"}, ["basic"]),
    ({**CGI, "HTTP_AUTHORIZATION": "Bearer x"}, ["basic"]),
    ({"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "WSGIServer/0.2 CPython/3.11.7"}, ["basic"]),
    ({"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "nginx/1.22.1"}, ["basic"]),
]


@pytest.mark.parametrize("scheme", ["basic", "digest", "bearer"])
def test_mod_wsgi_is_told_of_by_its_directive(scheme):
    environ = make_environ(**MOD_WSGI, **CGI)
    assert "WSGIPassAuthorization On" in cure_for_missing_header(environ, ["session", scheme])


@pytest.mark.parametrize("said", [CGI, {"GATEWAY_INTERFACE": "CGI/1.1"}, {**CGI, "HTTP_AUTHORIZATION": ""}])
def test_cgi_and_its_kin_are_told_of_by_theirs(said):
    assert "CGIPassAuth On" in cure_for_missing_header(make_environ(**said), ["basic"])


@pytest.mark.parametrize(("said", "schemes"), NOT_TOLD)
def test_nothing_is_told_where_the_field_arrives_or_nobody_looks_at_it(said, schemes):
    assert cure_for_missing_header(make_environ(**said), schemes) is None


def test_the_layer_tells_of_it_once():
    told = []
    app = AuthMiddleware(who, Basic({"ann": stored("apple")}), on_event=told.append)
    for _ in range(2):
        assert ask(app, **MOD_WSGI).code == 401
    assert [event.name for event in told] == ["header.missing"]
    assert "WSGIPassAuthorization On" in told[0].details["cure"]
