"""What is added to a Set-Cookie line on its way out, and what is never taken away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.cookies.policy import asks_for_https, missing, taken_apart


def harden(line, **given):
    return line + missing(*taken_apart(line), **{"secure": True, "httponly": True, "samesite": "Lax", **given})


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("a=1", "a=1; Secure; HttpOnly; SameSite=Lax"),
        ("a=1; path=/; secure", "a=1; path=/; secure; HttpOnly; SameSite=Lax"),
        ("a=1; HTTPONLY;SameSite=Strict ; Secure", "a=1; HTTPONLY;SameSite=Strict ; Secure"),
        ("a=1; SameSite=None", "a=1; SameSite=None; Secure; HttpOnly"),
        ("a=1; Partitioned", "a=1; Partitioned; Secure; HttpOnly; SameSite=Lax"),
        ("a=; Max-Age=0", "a=; Max-Age=0; Secure; HttpOnly; SameSite=Lax"),
        ("__Host-a=1", "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("__Host-a=1; Path=/b", "__Host-a=1; Path=/b; Secure; HttpOnly; SameSite=Lax"),
        ("nameless", "nameless"),
        ("=nameless", "=nameless"),
        ("", ""),
    ],
)
def test_over_https_a_line_gets_what_it_lacks(line, result):
    assert harden(line) == result


def test_over_http_a_line_gets_no_secure():
    assert harden("a=1", secure=False) == "a=1; HttpOnly; SameSite=Lax"
    assert harden("a=1; Secure", secure=False) == "a=1; Secure; HttpOnly; SameSite=Lax"
    assert harden("__Host-a=1", secure=False) == "__Host-a=1; HttpOnly; SameSite=Lax"


def test_same_site_none_is_given_to_secure_cookies_only():
    assert harden("a=1", samesite="None", secure=False) == "a=1; HttpOnly"
    assert harden("a=1", samesite="None") == "a=1; Secure; HttpOnly; SameSite=None"


def test_the_options_can_leave_httponly_out():
    assert harden("a=1", httponly=False) == "a=1; Secure; SameSite=Lax"


lines = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["Secure", "secure", "HttpOnly", "SameSite=Strict", "SameSite", "Path=/", "Domain=e", "x", ""])
    ).map(lambda parts: "; ".join(["a=1", *parts])),
)


@given(lines, st.booleans(), st.booleans(), st.sampled_from(["Strict", "Lax", "None"]))
def test_nothing_is_ever_taken_away_and_once_is_enough(line, secure, httponly, samesite):
    hard = harden(line, secure=secure, httponly=httponly, samesite=samesite)
    assert hard.startswith(line)
    assert harden(hard, secure=secure, httponly=httponly, samesite=samesite) == hard


@pytest.mark.parametrize(
    ("line", "asks"), [("a=1; secure", True), ("__Host-a=1", True), ("__secure-a=1", True), ("a=secure", False)]
)
def test_a_cookie_for_https_is_known(line, asks):
    assert asks_for_https(*taken_apart(line)) is asks
