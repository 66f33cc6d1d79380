"""A session in several cookies: cut, joined, and nothing of it left behind. S43 of the catalogue."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions.kit import HTTPS, SECRET, Clock, Site, everything, put

from middleware.cookies import CookieOptions
from middleware.cookies.codec import parse_cookies
from middleware.errors import SessionTooLarge
from middleware.sessions.cookie import SessionCookie

KINDS = {"signed": {"secret": SECRET}, "sealed": {"secret": SECRET, "seal": True}}
KB = 1024
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(params=KINDS)
def options(request):
    return dict(KINDS[request.param])


def noise(size, seed=1):
    return "".join(random.Random(seed).choices(LETTERS, k=size))


def names(answer):
    """The cookies that an answer sets, and those that it deletes."""
    found = {"set": [], "deleted": []}
    for line in answer.all("Set-Cookie"):
        found["deleted" if "Max-Age=0" in line else "set"].append(line.partition("=")[0])
    return found


def field(cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


@pytest.mark.parametrize("environ", [{}, HTTPS], ids=["http", "https"])
def test_six_kilobytes_of_random_text_come_back(options, environ):
    visitor = Site(chunks=4, **options).visitor(**environ)
    prefix = "__Host-id" if environ else "id"
    text = noise(6 * KB)
    assert names(visitor(put(a=text)))["set"] == [prefix, f"{prefix}.1", f"{prefix}.2"]
    assert visitor(lambda session: session["a"] == noise(6 * KB)).text == "True"
    cookies = visitor.browser.cookies
    assert all(len(name) + len(value) <= 4096 for name, value in cookies.items())


def test_one_chunk_missing_exchanged_or_of_another_time_is_an_anonymous_visitor(options):
    site = Site(chunks=4, **options)
    visitor = site.visitor()
    visitor(put(a=noise(6 * KB)))
    before = dict(visitor.browser.cookies)
    visitor(put(a=noise(6 * KB, seed=2)))
    now = dict(visitor.browser.cookies)
    assert set(now) == set(before) == {"id", "id.1", "id.2"}
    for name in now:
        missing = {other: value for other, value in now.items() if other != name}
        assert site.ask(everything, field(missing)).text == "{}"
        assert site.ask(everything, field({**now, name: before[name]})).text == "{}"
        assert site.ask(everything, field({**now, name: ""})).text == "{}"
        assert site.ask(everything, field({**now, name: now[name][:-1]})).text == "{}"
    exchanged = {**now, "id.1": now["id.2"], "id.2": now["id.1"]}
    assert site.ask(everything, field(exchanged)).text == "{}"
    assert site.ask(len, field(now)).text == "1"


def test_chunks_open_in_any_order_and_beside_any_neighbour(options):
    site = Site(chunks=4, **options)
    visitor = site.visitor()
    visitor(put(a=noise(6 * KB)))
    cookies = visitor.browser.cookies
    for around in ("x=1; {}", "{}; id.3=old", '{}; x="1', "id.1x=1; {}; xid.1=2"):
        backwards = dict(reversed(cookies.items()))
        assert site.ask(len, around.format(field(backwards))).text == "1"


def test_a_session_that_shrinks_deletes_the_chunks_that_it_no_longer_needs(options):
    visitor = Site(chunks=4, **options).visitor()
    assert names(visitor(put(a=noise(10 * KB)))) == {"set": ["id", "id.1", "id.2", "id.3"], "deleted": []}
    assert names(visitor(put(a=noise(3500)))) == {"set": ["id", "id.1"], "deleted": ["id.2", "id.3"]}
    assert names(visitor(put(a="short"))) == {"set": ["id"], "deleted": ["id.1"]}
    assert list(visitor.browser.cookies) == ["id"]
    assert visitor(everything).text == "{'a': 'short'}"
    assert names(visitor(put(a="other"))) == {"set": ["id"], "deleted": []}


@pytest.mark.parametrize("end", [lambda session: session.logout(), lambda session: session.clear()])
def test_the_end_of_a_session_deletes_all_of_its_chunks(options, end):
    visitor = Site(chunks=4, **options).visitor()
    visitor(put(a=noise(6 * KB)))
    answer = visitor(end)
    assert names(answer) == {"set": [], "deleted": ["id", "id.1", "id.2"]}
    assert visitor.browser.cookies == {}


@pytest.mark.parametrize(
    ("cookie", "name", "attributes"),
    [
        (CookieOptions(), "__Host-id", "Path=/; Secure; HttpOnly; SameSite=Lax"),
        (CookieOptions(domain="e.com"), "__Secure-id", "Domain=e.com; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (
            CookieOptions("__Host-sid", partitioned=True),
            "__Host-sid",
            "Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned",
        ),
    ],
)
def test_each_chunk_has_the_prefix_the_attributes_and_the_lifetime_of_the_whole(options, cookie, name, attributes):
    clock = Clock()
    visitor = Site(chunks=3, cookie=cookie, clock=clock, **options).visitor(**HTTPS)
    lines = visitor(put(a=noise(6 * KB))).all("Set-Cookie")
    assert [line.partition("=")[0] for line in lines] == [name, f"{name}.1", f"{name}.2"]
    assert {line.partition("; ")[2] for line in lines} == {attributes}
    lines = visitor(lambda session: session.remember(30)).all("Set-Cookie")
    assert {line.partition("; ")[2] for line in lines} == {f"Max-Age=2592000; {attributes}"}
    lines = visitor(lambda session: session.logout()).all("Set-Cookie")
    ends = f"Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; {attributes}"
    assert lines == [f"{name}=; {ends}", f"{name}.1=; {ends}", f"{name}.2=; {ends}"]


def test_more_than_eight_kilobytes_in_all_is_said_once(options, caplog):
    from middleware import operators

    operators._said.clear()
    site = Site(chunks=8, **options)
    site.visitor()(put(a=noise(5500)))
    assert caplog.records == []
    for _ in range(2):
        site.visitor()(put(a=noise(9000)))
    [record] = caplog.records
    assert "8192 bytes" in record.getMessage()
    assert "store=" in record.getMessage()


def test_chunks_have_a_limit_that_names_the_largest_keys(options):
    visitor = Site(chunks=2, **options).visitor()
    visitor(put(a=noise(5000)))
    earlier = dict(visitor.browser.cookies)
    with pytest.raises(SessionTooLarge, match=r"in 2 cookies.*'a' \(70\d\d bytes\)"):
        visitor(put(a=noise(7000)))
    assert visitor.browser.cookies == earlier
    assert visitor(lambda session: len(session["a"])).text == "5000"


def test_the_last_byte_of_the_last_chunk_can_be_used(options):
    visitor = Site(chunks=3, **options).visitor()
    refused = 0

    def fill(session):
        nonlocal refused
        for size in range(9100, 9300):
            try:
                session["a"] = "x" * size
            except SessionTooLarge:
                refused = size
                return

    visitor(fill)
    assert visitor(lambda session: len(session["a"])).text == str(refused - 1)
    assert sum(len(name) + len(value) for name, value in visitor.browser.cookies.items()) > 3 * 4096 - 5


@pytest.mark.parametrize(
    "count", ["", "0", "1", "9", "02", "-2", "+2", " 2", "2 ", "2.0", "99", "999999999999", "²", "٢", "x", "2~2"]
)
def test_a_count_that_we_did_not_write_opens_nothing_and_costs_nothing(options, count):
    site = Site(chunks=4, **options)
    visitor = site.visitor()
    visitor(put(a=noise(3500)))
    cookies = visitor.browser.cookies
    counted, _, rest = cookies["id"].partition("~")
    assert counted == "2"
    wrong = f"id={count}~{rest}; id.1={cookies['id.1']}".encode().decode("latin-1")
    assert site.ask(everything, wrong).text == ("{}" if count != "02" else site.ask(everything, field(cookies)).text)


def test_a_counted_value_opens_nothing_where_there_are_no_chunks(options):
    visitor = Site(chunks=4, **options).visitor()
    visitor(put(a=noise(3500)))
    assert Site(**options).ask(everything, visitor.cookie).text == "{}"
    assert Site(chunks=2, **options).ask(len, visitor.cookie).text == "1"
    small = Site(**options).visitor()
    small(put(a=1))
    assert Site(chunks=4, **options).ask(everything, small.cookie).text == "{'a': 1}"
    assert Site(chunks=4, **options).ask(everything, small.cookie.replace("=", "=1~", 1)).text == "{}"


@given(st.integers(0, 20_000), st.integers(1, 20), st.sampled_from(["id", "__Host-id", "a" * 40]), st.booleans())
def test_every_value_that_has_room_is_joined_as_it_was_cut(size, most, name, quoted):
    options = CookieOptions(name)
    cookie = SessionCookie(options, secure=True, most=most)
    value = noise(min(size, cookie.room), seed=size)
    sent = []
    for line in cookie.lines(value) if value else []:
        pair = line.partition(";")[0]
        assert len(pair) - 1 <= 4096
        sent.append(pair)
    if quoted and sent:
        sent[0] = sent[0].replace("=", '="', 1) + '"'
    assert cookie.values("; ".join(sent), 8) == ([value] if value else [])


@given(st.text(), st.text())
def test_no_cookie_field_is_an_error(count, rest):
    cookie = SessionCookie(CookieOptions("id"), secure=True, most=4)
    field = f"id={count}~{rest}; id.1={rest}; id.1={count}"
    for value in cookie.values(field, 8):
        assert isinstance(value, str)
    assert len(cookie.values(field, 8)) <= len(parse_cookies(field))
