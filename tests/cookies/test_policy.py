"""What becomes of a Set-Cookie line on its way out, line by line. The numbers C16 ... are those of the catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.cookies.policy import fault_of, judged, key_of, taken_apart, with_expires_cut


def verdict_on(line, **options):
    name, attributes = taken_apart(line)
    return judged(name, attributes, **{"https": True, "secure": True, "httponly": True, "samesite": "Lax", **options})


def harden(line, **options):
    verdict = verdict_on(line, **options)
    return "refused" if verdict.refused else line + verdict.added


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("a=1", "a=1; Secure; HttpOnly; SameSite=Lax"),
        ("a=1; path=/; secure", "a=1; path=/; secure; HttpOnly; SameSite=Lax"),
        ("a=1; HTTPONLY;SameSite=Strict ; Secure", "a=1; HTTPONLY;SameSite=Strict ; Secure"),
        ("a=1; SameSite=None", "a=1; SameSite=None; Secure; HttpOnly"),
        ("a=1; Partitioned", "a=1; Partitioned; Secure; HttpOnly; SameSite=Lax"),
        ("a=1; SameSite=Odd", "a=1; SameSite=Odd; Secure; HttpOnly"),
        ("a=; Max-Age=0", "a=; Max-Age=0; Secure; HttpOnly; SameSite=Lax"),
        ("a=1; Secure=" + "x" * 1025, "a=1; Secure=" + "x" * 1025 + "; Secure; HttpOnly; SameSite=Lax"),
        ("a=1;", "a=1;; Secure; HttpOnly; SameSite=Lax"),
        ("__Host-a=1", "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("__Host-a=1; Path", "__Host-a=1; Path; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("__Host-a=1; Path=/b; Path=/", "__Host-a=1; Path=/b; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("__Host-a=1; Domain=", "__Host-a=1; Domain=; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("__Host-a=1; Path=/b", "refused"),
        ("__HOST-a=1; Domain=e.com", "refused"),
        ("nameless", "refused"),
        ("=nameless", "refused"),
        (" \t=nameless", "refused"),
        ("", "refused"),
        ("; Path=/", "refused"),
    ],
)
def test_over_https_a_line_gets_what_it_lacks(line, result):
    assert harden(line) == result


def test_over_http_a_line_gets_no_secure():
    assert harden("a=1", https=False, secure=False) == "a=1; HttpOnly; SameSite=Lax"
    assert harden("a=1; SameSite=None", https=False, secure=False) == "a=1; SameSite=None; HttpOnly"
    assert harden("a=1; Secure", https=False, secure=False) == "a=1; Secure; HttpOnly; SameSite=Lax"
    assert harden("__Host-a=1", https=False, secure=False) == "__Host-a=1; HttpOnly; SameSite=Lax"


def test_what_no_browser_keeps_without_secure_gets_it_over_https_whatever_the_options_say():
    assert harden("a=1", secure=False) == "a=1; HttpOnly; SameSite=Lax"
    assert harden("a=1; SameSite=None", secure=False) == "a=1; SameSite=None; Secure; HttpOnly"
    assert harden("a=1; Partitioned", secure=False) == "a=1; Partitioned; Secure; HttpOnly; SameSite=Lax"
    assert harden("__Secure-a=1", secure=False) == "__Secure-a=1; Secure; HttpOnly; SameSite=Lax"


def test_a_prefix_that_asks_for_httponly_gets_it_whatever_the_options_say():
    assert harden("__Http-a=1", httponly=False) == "__Http-a=1; Secure; HttpOnly; SameSite=Lax"
    assert harden("__Host-Http-a=1", httponly=False) == "__Host-Http-a=1; Path=/; Secure; HttpOnly; SameSite=Lax"


def test_same_site_none_is_given_to_secure_cookies_only():
    assert harden("a=1", samesite="None", secure=False) == "a=1; HttpOnly"
    assert harden("a=1; Secure", samesite="None", secure=False) == "a=1; Secure; HttpOnly; SameSite=None"
    assert harden("a=1", samesite="None") == "a=1; Secure; HttpOnly; SameSite=None"


def test_the_options_can_leave_httponly_out():
    assert harden("a=1", httponly=False) == "a=1; Secure; SameSite=Lax"


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("a=1; secure", True),
        ("__Host-a=1", True),
        ("__secure-a=1", True),
        ("a=1; SameSite=None", True),
        ("a=1; Partitioned", True),
        ("a=secure", False),
        ("a=1; SameSite=Lax", False),
    ],
)
def test_a_cookie_for_https_is_known(line, asks):
    assert verdict_on(line, https=False, secure=False).for_https is asks
    assert verdict_on(line).for_https is False


# Lifetimes


@pytest.mark.parametrize(
    ("attributes", "capped"),
    [
        (" Max-Age=34560000", None),
        (" Max-Age=34560001", " Max-Age=34560000"),
        (" max-age = 99999999999 ; Path=/", " max-age =34560000; Path=/"),
        (" Max-Age=99999999999;Max-Age=1; MAX-AGE=99999999999", " Max-Age=34560000;Max-Age=1; MAX-AGE=34560000"),
        (" Max-Age=-99999999999", None),
        (" Max-Age=99999999999x", None),
        (" Max-Age=" + "9" * 1025, None),
        (" Max-Age=" + "9" * 1024, " Max-Age=34560000"),
        (" Max-Age=; Max-Age", None),
        (" Comment=Max-Age=99999999999", None),
    ],
)
def test_a_max_age_of_more_than_400_days_is_cut(attributes, capped):
    assert verdict_on(f"a=1;{attributes}").capped == capped


LIMIT = "Fri, 05 Feb 1971 00:00:00 GMT"  # 400 days after 1970 began


@pytest.mark.parametrize(
    ("attributes", "cut"),
    [
        (" Expires=Thu, 04 Feb 1971 23:59:59 GMT", None),
        (f" Expires={LIMIT}", None),
        (" Expires=Fri, 05 Feb 1971 00:00:01 GMT", f" Expires={LIMIT}"),
        (" expires = Sat, 01-Jan-2050 00:00:00 GMT ;Path=/", f" expires ={LIMIT};Path=/"),
        (
            " Expires=Sat, 01 Jan 2050 00:00:00 GMT; Expires=Sat, 01 Jan 2050 00:00:00",
            f" Expires={LIMIT}; Expires={LIMIT}",
        ),
        (" Expires=never; Max-Age=5", None),
        (" Expires=Sat, 01 Jan 2050 00:00:00 GMT" + "!" * 1024, None),
    ],
)
def test_an_expires_further_away_than_400_days_is_cut_to_that(attributes, cut):
    latest = verdict_on(f"a=1;{attributes}").expires
    assert (latest is not None and latest > 400 * 86400) == (cut is not None)
    assert with_expires_cut(attributes, now=0.5) == (cut or attributes)


# What is refused


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("a=1; Path=/", None),
        ("a=\xe9\x85\t1", None),
        ("a=" + "x" * 4095, None),
        (" a = " + "x" * 4095 + "\t; Path=/", None),
        ("a=1; Comment=" + "x" * 8000, None),
        ("a=" + "x" * 4096, "more than 4096 bytes of name and value"),
        ("a" * 4096 + "=1; Secure", "more than 4096 bytes of name and value"),
        *[(f"a=1{control}; Path=/", "a control character") for control in "\r\n\0\x1f\x7f\x0b"],
        ("a=1; Path=/\n", "a control character"),
    ],
)
def test_what_browsers_drop_for_its_text_is_known(line, fault):
    assert fault_of(line) == fault


# Which cookies are one


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a=1", "a=2", True),
        ("a=1", "b=1", False),
        ("a=1", "A=1", False),
        ("a=1; Path=/", "a=2; path = / ; Secure", True),
        ("a=1; Path=/", "a=2", False),
        ("a=1; Path=/", "a=2; Path=/b", False),
        ("a=1; Path=b", "a=2", True),
        ("a=1; Domain=e.com", "a=2", False),
        ("a=1; Domain=e.com", "a=2; domain=.E.com", True),
        ("a=1; Domain=x.com; Domain=e.com", "a=2; Domain=e.com", True),
        ("a=1; Domain=", "a=2", True),
        ("a=1; Partitioned", "a=2", False),
    ],
)
def test_cookies_are_told_apart_as_browsers_do(one, other, same):
    assert (verdict_on(one).key == verdict_on(other).key) == same


def test_the_jar_and_the_policy_tell_cookies_apart_by_the_same_key():
    assert key_of("a", ".E.com", "/", False) == verdict_on("a=1; Domain=e.com; Path=/").key
    assert key_of("a", None, "/", True) == verdict_on("a=1; Partitioned; Path=/").key


lines = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["Secure", "secure", "HttpOnly", "SameSite=Strict", "SameSite", "Path=/", "Domain=e", "x", ""])
    ).map(lambda parts: "; ".join(["a=1", *parts])),
)


@given(lines, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["Strict", "Lax", "None"]))
def test_nothing_is_ever_taken_away_and_once_is_enough(line, https, secure, httponly, samesite):
    options = {"https": https, "secure": secure, "httponly": httponly, "samesite": samesite}
    verdict = verdict_on(line, **options)
    assert taken_apart(line + verdict.added)[0] == taken_apart(line)[0]
    if not verdict.refused:
        assert verdict_on(line + verdict.added, **options).added == ""
        assert "domain" not in verdict.added.lower()
