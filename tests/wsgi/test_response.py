"""`Response`: an answer as a value, and as an application."""

from __future__ import annotations

import pytest
from asking import ask, make_environ
from hypothesis import given
from hypothesis import strategies as st
from wsgi_layers import PLAIN, Body

from middleware.testing import check_layer, serve
from middleware.wsgi import Response


def test_a_response_is_an_application():
    answer = ask(Response("403 Forbidden", PLAIN, [b"no"]))
    assert (answer.status, answer.headers, answer.body) == ("403 Forbidden", PLAIN, b"no")


def test_a_response_has_no_body_and_no_headers_unless_they_are_given():
    response = Response("200 OK")
    assert (response.status, response.headers, list(response.body)) == ("200 OK", [], [])


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
def test_a_body_that_must_not_be_sent_is_dropped_and_closed(method, status):
    body = Body([b"page"])
    answer = ask(Response(status, [("Content-Length", "4")] if method == "HEAD" else [], body), method=method)
    assert (answer.body, body.pulled, body.closed) == (b"", 0, 1)
    assert answer.header("Content-Length") == ("4" if method == "HEAD" else None)


@pytest.mark.parametrize("method", ["set", "add"])
def test_a_value_that_is_no_text_is_refused(method):
    with pytest.raises(TypeError, match="the Content-Length header field is a str: give '5', not 5"):
        getattr(Response("200 OK"), method)("Content-Length", 5)


@pytest.mark.parametrize("body", [b"no", "no"])
def test_a_body_that_is_one_text_is_told_to_be_a_list(body):
    with pytest.raises(TypeError, match=r"is an iterable of bytes: give \[b"):
        ask(Response("403 Forbidden", PLAIN, body))


def test_a_body_is_closed_where_the_server_refuses_the_head():
    def refuse(*_):
        raise ValueError("no such status")

    body = Body()
    with pytest.raises(ValueError, match="no such status"):
        Response("0", PLAIN, body)(make_environ(), refuse)
    assert body.closed == 1


def test_a_response_can_be_given_many_times():
    refusal = Response("403 Forbidden", PLAIN, [b"no"])
    assert {(serve(refusal).status, serve(refusal).body) for _ in range(3)} == {("403 Forbidden", b"no")}
    assert refusal.headers == PLAIN


@pytest.mark.slow
def test_a_layer_that_refuses_keeps_pep_3333():
    check_layer(lambda app: Response("403 Forbidden", PLAIN, [b"no"]), answers=True)


def test_a_field_is_found_in_any_case_and_its_lines_are_joined():
    response = Response("200 OK", [("vary", "Cookie"), ("X", "1"), ("VARY", "Accept")])
    assert response.get("Vary") == "Cookie, Accept"
    assert response.get_all("Vary") == ["Cookie", "Accept"]
    assert response.get("Age") is None
    assert response.get_all("Age") == []


def test_set_leaves_one_line():
    response = Response("200 OK", [("x", "1"), ("Y", "2"), ("X", "3")])
    response.set("X", "4")
    assert response.headers == [("Y", "2"), ("X", "4")]


def test_add_and_remove():
    response = Response("200 OK", [("x", "1")])
    response.add("X", "2")
    assert response.get_all("x") == ["1", "2"]
    response.remove("X")
    response.remove("X")
    assert response.headers == []


def test_the_list_is_changed_in_place():
    response = Response("200 OK", [("x", "1")])
    headers = response.headers
    response.set("X", "2")
    assert response.headers is headers


def test_a_response_copies_the_list_that_it_is_given():
    response = Response("200 OK", PLAIN)
    response.add("X", "1")
    assert PLAIN == [("Content-Type", "text/plain")]


@pytest.mark.parametrize("end", ["\r", "\n", "\0"])
@pytest.mark.parametrize("method", ["set", "add"])
def test_a_value_that_would_end_the_line_is_refused(method, end):
    response = Response("200 OK")
    with pytest.raises(ValueError, match="the Location header field cannot hold"):
        getattr(response, method)("Location", f"/{end}Set-Cookie: a=1")
    assert response.headers == []


@pytest.mark.parametrize(
    ("before", "names", "after"),
    [
        ([], ["Cookie"], "Cookie"),
        (["Accept"], ["Cookie"], "Accept, Cookie"),
        (["cookie"], ["Cookie"], "cookie"),
        (["Accept", "Origin"], ["Cookie", "origin"], "Accept, Origin, Cookie"),
        (["*"], ["Cookie"], "*"),
        (["Accept, *"], ["Cookie"], "Accept, *"),
        ([""], ["Cookie"], "Cookie"),
        ([" Accept ,, "], ["Cookie"], "Accept, Cookie"),
        ([], ["Cookie", "Origin", "cookie"], "Cookie, Origin"),
        (["Accept"], ["Cookie", "cookie"], "Accept, Cookie"),
        (["Accept, accept"], ["Accept"], "Accept, accept"),
        (["Accept, accept"], ["Cookie"], "Accept, accept, Cookie"),
        (["Accept"], [], "Accept"),
        ([], [], None),
    ],
)
def test_vary(before, names, after):
    response = Response("200 OK", [("Vary", value) for value in before])
    response.vary(*names)
    assert response.get("Vary") == after


@given(st.lists(st.sampled_from(["Cookie", "cookie", "Accept", "*", "Origin"])), st.data())
def test_vary_bears_repeating(names, data):
    response = Response("200 OK")
    for name in names:
        response.vary(name)
    once = list(response.headers)
    response.vary(*data.draw(st.permutations(names)))
    assert response.headers == once
    known = (response.get("Vary") or "").lower().split(", ")
    assert len(known) == len(set(known))


def test_the_code_is_text():
    assert Response("404 Not Found").code == "404"


def test_a_response_shows_its_status():
    assert repr(Response("404 Not Found")) == "<Response '404 Not Found'>"


def test_close_closes_the_body_of_a_response_nobody_returns():
    body = Body()
    Response("200 OK", [], body).close()
    Response("200 OK", [], [b"one"]).close()
    Response("200 OK", [], None).close()
    assert body.closed == 1
