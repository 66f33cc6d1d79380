"""The reference browser against public data, and our writer and policy against the reference browser."""

from __future__ import annotations

import json
from calendar import timegm
from dataclasses import replace
from itertools import product
from pathlib import Path
from urllib.parse import urljoin

import pytest
from asking import ask
from cookies.reference_browser import ReferenceBrowser, cookie_date
from hypothesis import given
from hypothesis import strategies as st

from middleware import operators
from middleware.cookies import CookieMiddleware, CookieOptions, get_cookies
from middleware.cookies.codec import attributes
from middleware.cookies.dates import parse_cookie_date
from middleware.headers import http_date

DATA = Path(__file__).parent / "data"
CORPUS = json.loads((DATA / "parser.json").read_text(encoding="utf-8"))
DATES = [case for name in ("examples", "bsd-examples") for case in json.loads((DATA / f"{name}.json").read_text())]
NOW = timegm((2012, 1, 1, 0, 0, 0))  # between the dates of the corpus that are past and those that are to come
OTHERWISE = {  # what the corpus expects otherwise than RFC 6265bis, or than a browser without a list of public suffixes
    "DISABLED_CHROMIUM0022",
    "DISABLED_CHROMIUM0023",
    "DISABLED_PATH0029",
    "DOMAIN0017",
    "OPTIONAL_DOMAIN0042",
}
HTTP, HTTPS = "http://home.example.org/cookie-parser", "https://home.example.org/cookie-parser"


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    operators._said.clear()


def as_wsgi(text):
    """A text of the corpus as a server has it: one character for each byte."""
    return text.encode().decode("latin-1")


def received(lines, url=HTTPS, now=NOW):
    browser = ReferenceBrowser(now)
    for line in lines:
        browser.receive(line, url)
    return browser


def sent_by(lines, url, to=None, **options):
    """The Set-Cookie lines that leave the layer round an application that sets these."""

    def app(environ, start_response):
        start_response("200 OK", [("Set-Cookie", line) for line in lines])
        return []

    scheme = url.partition(":")[0]
    return ask(CookieMiddleware(app, clock=lambda: NOW, **options), **{"wsgi.url_scheme": scheme}).all("Set-Cookie")


# The browser itself


@pytest.mark.slow
@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["test"])
def test_the_browser_agrees_with_the_public_corpus(case):
    browser = received(map(as_wsgi, case["received"]), HTTP)
    to = urljoin("http://home.example.org/cookie-parser-result", case.get("sent-to", ""))
    # The corpus is older than cookies without a name.
    sent = [(cookie.name, cookie.value) for cookie in browser.sent(to) if cookie.name]
    agrees = sent == [(as_wsgi(cookie["name"]), as_wsgi(cookie["value"])) for cookie in case["sent"]]
    assert agrees == (case["test"] not in OTHERWISE)


@pytest.mark.slow
@pytest.mark.parametrize("case", DATES, ids=lambda case: case["test"])
@pytest.mark.parametrize("read", [cookie_date, parse_cookie_date])
def test_dates_are_read_as_in_the_public_corpus(case, read):
    seconds = read(case["test"])
    assert (None if seconds is None else http_date(seconds)) == case["expected"]


pieces = st.sampled_from(
    [
        *("1", "31", "29", "123", "1a", "69", "70", "1600", "1601", "2028", "2027x", "99999", "01:02:03", "1:2:3x"),
        *("24:00:00", "23:59:60", "1:2", "01:02:03:04", "jan", "Feb", "mars", "ju", "x", "", ":", "GMT", "é"),
    ]
)


@given(
    st.one_of(st.text(), st.lists(pieces).flatmap(lambda parts: st.sampled_from(" -,/").map(lambda d: d.join(parts))))
)
def test_our_reader_of_dates_and_the_browsers_agree(text):
    assert parse_cookie_date(text) == cookie_date(text)


def test_a_date_is_written_in_english_and_read_back():
    for seconds in (0, NOW, NOW + 400 * 86400, timegm((2032, 2, 29, 23, 59, 59))):
        assert parse_cookie_date(http_date(seconds)) == cookie_date(http_date(seconds)) == seconds


def test_a_browser_sends_to_its_site_what_is_partitioned_and_forgets_what_expires():
    browser = received(["a=1; Secure; Partitioned", "b=1; Max-Age=5", "c=1; Max-Age=99999999999"])
    assert [cookie.name for cookie in browser.sent(HTTPS)] == ["a", "b", "c"]
    assert [cookie.name for cookie in browser.sent(HTTPS, top="other.example")] == ["b", "c"]
    browser.now += 5
    assert [cookie.name for cookie in browser.cookies] == ["a", "c"]
    browser.now = NOW + 400 * 86400
    assert [cookie.name for cookie in browser.cookies] == ["a"]


# C9, prefixes: what a line gives, whether browsers keep it, and whether it lacks only what the policy can add

SPELLINGS = ("__Secure-", "__secure-", "__SECURE-")
HOSTS = ("__Host-", "__host-", "__HOST-")
PREFIXED = [
    *[(f"{spelling}a", {"domain": "example.org"}, False, True) for spelling in SPELLINGS],
    *[(f"{spelling}a", {"domain": "example.org", "secure": True}, True, True) for spelling in SPELLINGS],
    ("__Host-a", {}, False, True),
    ("__host-a", {"secure": True}, False, True),
    ("__host-a", {"domain": "example.org"}, False, False),
    ("__HOST-a", {"domain": "example.org", "path": "/"}, False, False),
    ("__Host-a", {"path": "/app", "secure": True}, False, False),
    *[(f"{spelling}a", {"secure": True, "domain": "example.org", "path": "/"}, False, False) for spelling in HOSTS],
    *[(f"{spelling}a", {"secure": True, "path": "/"}, True, True) for spelling in HOSTS],
    ("__Http-a", {"secure": True}, False, True),
    ("__http-a", {"httponly": True}, False, True),
    ("__Http-a", {"secure": True, "httponly": True}, True, True),
    ("__Host-Http-a", {"secure": True, "path": "/"}, False, True),
    ("__Host-Http-a", {"secure": True, "httponly": True}, False, True),
    ("__Host-Http-a", {"secure": True, "httponly": True, "path": "/"}, True, True),
    ("__Host-Http-a", {"secure": True, "httponly": True, "path": "/", "domain": "example.org"}, False, False),
]
prefixed = pytest.mark.parametrize(("name", "asked", "kept", "completed"), PREFIXED)


def line_of(name, asked, value="1"):
    written = {"domain": "Domain=example.org", "path": f"Path={asked.get('path')}"}
    return "; ".join([f"{name}={value}", *[written.get(key, key) for key in asked]])


@prefixed
def test_a_browser_keeps_a_prefixed_cookie_with_what_its_prefix_asks_for(name, asked, kept, completed):
    assert ReferenceBrowser().receive(line_of(name, asked), HTTPS) == kept
    assert not ReferenceBrowser().receive(line_of(name, asked), HTTP)


@prefixed
def test_the_writer_refuses_a_prefixed_cookie_that_browsers_refuse(name, asked, kept, completed):
    options = {"path": None, "domain": None, "secure": False, "httponly": False, "samesite": "Lax", **asked}
    if not kept:
        with pytest.raises(ValueError):
            attributes(name, partitioned=False, **options)
        return
    assert ReferenceBrowser().receive(f"{name}=1{attributes(name, partitioned=False, **options)}", HTTPS)
    with pytest.raises(ValueError):
        attributes(name, partitioned=False, **{**options, "secure": False})


@prefixed
def test_the_policy_completes_a_prefixed_cookie_or_drops_it(name, asked, kept, completed):
    [*lines] = sent_by([line_of(name, asked), "other=1"], HTTPS, readable=[name])
    assert [cookie.name for cookie in received(lines).cookies] == ([name, "other"] if completed else ["other"])
    assert len(lines) == (2 if completed else 1)


@prefixed
def test_the_policy_passes_a_prefixed_cookie_over_http_and_says_so_once(name, asked, kept, completed, caplog):
    for _ in range(2):
        [line] = sent_by([line_of(name, asked)], HTTP)
        assert line.startswith(line_of(name, asked))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("line", ["=__Host-a=1; Secure; Path=/", "__Host-a", "=__secure-a=1; Secure", "=__Http-a"])
def test_a_nameless_cookie_that_looks_prefixed_is_for_nobody(line):
    assert not ReferenceBrowser().receive(line, HTTPS)
    assert sent_by([line], HTTPS) == []


# C12, C13, C14: the writer


def combinations():
    for prefix, path, domain, secure, samesite, partitioned, httponly in product(
        ("", "__Secure-", "__Host-", "__Http-", "__Host-Http-"),
        ("/", "/cookie-parser"),
        (None, "example.org", ".example.org", "home.example.org"),
        (None, True, False),
        ("Lax", "Strict", "None"),
        (True, False),
        (True, False),
    ):
        asked = {"path": path, "domain": domain, "secure": secure, "samesite": samesite}
        yield f"{prefix}a", {**asked, "partitioned": partitioned, "httponly": httponly}


def set_and_delete(name, asked, url):
    """What the jar writes to set and to delete a cookie, or None where it refuses."""

    def app(environ, start_response):
        jar = get_cookies(environ)
        if environ["PATH_INFO"] == "/set":
            jar.set(name, "1", **asked)
        else:
            jar.delete(name, **asked)
        start_response("200 OK", [])
        return []

    site, environ = CookieMiddleware(app), {"wsgi.url_scheme": url.partition(":")[0]}
    try:
        return ask(site, "/set", **environ).all("Set-Cookie") + ask(site, "/delete", **environ).all("Set-Cookie")
    except ValueError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("url", [HTTP, HTTPS])
def test_every_cookie_is_refused_by_the_writer_or_kept_by_the_browser_and_deleted_again(url):
    kept = 0
    for name, asked in combinations():
        if url == HTTP and asked["secure"]:
            continue  # said where a proxy hides https
        lines = set_and_delete(name, asked, url)
        if lines is None:
            continue
        browser = ReferenceBrowser(NOW)
        assert browser.receive(lines[0], url), lines[0]
        assert len(browser.cookies) == 1
        assert browser.receive(lines[1], url), lines[1]
        assert browser.cookies == [], lines
        kept += 1
    assert kept > 60


@pytest.mark.slow
def test_the_writer_refuses_only_what_the_browser_refuses():
    for name, asked in combinations():
        secure = asked["secure"] is not False
        line = f"{name}=1; Path={asked['path']}; SameSite={asked['samesite']}"
        line += f"; Domain={asked['domain']}" if asked["domain"] else ""
        flags = {"Secure": secure, "HttpOnly": asked["httponly"], "Partitioned": asked["partitioned"]}
        line += "".join(f"; {flag}" for flag, present in flags.items() if present)
        assert ReferenceBrowser().receive(line, HTTPS) == (set_and_delete(name, asked, HTTPS) is not None), line


# C16, C17, C20: the policy


def expected(lines, url, httponly=True):
    """What a browser keeps of the lines, plus what the policy adds, less what it drops."""
    secure = url == HTTPS
    return [
        replace(
            cookie,
            secure=cookie.secure or secure,
            http_only=cookie.http_only or httponly,
            same_site="lax" if cookie.same_site == "default" else cookie.same_site,
        )
        for cookie in received(lines, url).cookies
        if cookie.name
    ]


def by_key(cookies):
    """Without the order in which they were first set."""
    return {cookie.key: replace(cookie, created=0) for cookie in cookies}


@pytest.mark.slow
@pytest.mark.parametrize("url", [HTTP, HTTPS])
@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["test"])
def test_hardening_adds_what_it_should_to_the_public_corpus_and_loses_nothing(case, url):
    lines = [as_wsgi(line) for line in case["received"]]
    hardened = received(sent_by(lines, url), url).cookies
    assert by_key(hardened) == by_key(expected(lines, url))


LIKE_REAL_SITES = [
    "PHPSESSID=k3v1c6mhd1o7c4rs3q5j8g2n00; path=/",
    'prefs="a:1|b:2"; expires=Fri, 18-Apr-2014 21:06:29 GMT; path=/; domain=.example.org',
    "_track=GA1.2.1-2.3; Expires=Sat, 01 Jan 2050 00:00:00 GMT; Path=/; Domain=example.org; SameSite=None; Secure",
    "consent={%22v%22:1}; max-age=63072000; path=/; secure; samesite=lax",
    "cf=abc.def-1; path=/; expires=Sun, 01-Jan-12 00:30:00 GMT; domain=.example.org; HttpOnly; Secure; SameSite=None",
    "old=; expires=Thu, 01-Jan-1970 00:00:10 GMT; Max-Age=0; path=/",
    "v=1; Version=1; Comment=x; Priority=High; SameParty; Path=/",
    "odd=a b, c; Path=/; Max-Age=abc; Expires=never",
    "chips=1; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
]


@pytest.mark.parametrize("url", [HTTP, HTTPS])
def test_hardening_breaks_no_line_as_large_sites_send_them(url):
    lines = LIKE_REAL_SITES
    assert by_key(received(sent_by(lines, url), url).cookies) == by_key(expected(lines, url))
    for line in lines:
        assert sent_by([line], url)[0].startswith(line.partition(";")[0])


parts = st.sampled_from(
    [
        *("Secure", "secure=1", "Secure=" + "x" * 1025, "HttpOnly", "httponly = no"),
        *("SameSite=Strict", "samesite = lax", "SameSite=None", "Partitioned"),
        *("Path=/", "path=/cookie-parser", "Path=x", "Path", "Path=/a; Path=/"),
        *("Domain=example.org", "DOMAIN=.example.org", "domain=", "Domain=other.org"),
        *("Max-Age=0", "max-age=60", "Max-Age=99999999999", "Max-Age=-1", "Max-Age=034560001", "Max-Age=x", "Max-Age"),
        *("Expires=Sat, 01 Jan 2050 00:00:00 GMT", "expires=1 jan 99 1:2:3", "Expires=Mon, 02-Jan-12 00:00:00 GMT"),
        *("Expires=never", "Expires", "Expires=Sat, 01 Jan 2050 00:00:00 GMT" + "!" * 1000, "Max-Age=" + "9" * 1025),
        *("x=y", "", " ", "Version=1", "\x85", "é=ü"),
    ]
)
pairs = st.sampled_from(["a=1", "a=2", "b=3", " a = 4 ", "b", "=c", "=", "", "a=", 'a="', "a=é", "a=b=c"])
lines_of_one_answer = st.lists(
    st.tuples(pairs, st.lists(parts, max_size=5), st.sampled_from([";", "; ", " ;\t"])).map(
        lambda line: line[2].join([line[0], *line[1]])
    ),
    max_size=4,
)


@given(lines_of_one_answer, st.sampled_from([HTTP, HTTPS]))
def test_hardening_any_answer_leaves_a_browser_with_what_it_had_and_the_attributes_asked_for(lines, url):
    kept = received(sent_by(lines, url), url).cookies
    # Over https a cookie that lacked the Secure that its SameSite or Partitioned asks for is there now, too.
    helped = [line + "; Secure" if url == HTTPS else line for line in lines]
    assert by_key(kept) == by_key(expected(helped, url))


@given(lines_of_one_answer, st.sampled_from([HTTP, HTTPS]), st.sampled_from(["Strict", "Lax", "None"]))
def test_hardening_twice_is_hardening_once(lines, url, samesite):
    options = {"options": CookieOptions(samesite=samesite)} if samesite != "None" or url == HTTPS else {}
    once = sent_by(lines, url, **options)
    assert sent_by(once, url, **options) == once
