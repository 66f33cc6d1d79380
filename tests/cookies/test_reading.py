"""What a request's cookies are, through the jar and a session inside it. C1 to C7 of the catalogue."""

from __future__ import annotations

import tracemalloc
import zlib
from base64 import urlsafe_b64encode

import pytest
from asking import ask
from cookies.kit import HTTPS, SECRET, used
from cookies.test_codec import NEIGHBOURS, SMUGGLED, S
from hypothesis import given
from hypothesis import strategies as st

from middleware.cookies import CookieMiddleware, get_cookies
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores import MemoryStore

kinds = pytest.mark.parametrize("kind", [{"store": MemoryStore()}, {"secret": SECRET}], ids=["stored", "signed"])


class Site:
    """A session and a jar with every kind of value; `seen` is what the last request found."""

    def __init__(self, **kind):
        self.seen = None
        self.writes = False
        self.app = CookieMiddleware(SessionMiddleware(self.serve, **kind), secret=SECRET, seal=True)

    def serve(self, environ, start_response):
        session, jar = get_session(environ), get_cookies(environ)
        name = "__Host-id" if environ["wsgi.url_scheme"] == "https" else "id"
        self.seen = (
            session.get("user"),
            {each: jar.get(each) for each in jar},
            [jar.get_signed(name), jar.get_sealed(name), jar.get(name, quoted=True)],
        )
        if self.writes:
            session["user"] = "ann"
            jar.set_signed("signed", "1")
        start_response("200 OK", [])
        return [b"ok"]

    def ask(self, field, *, writes=False, **environ):
        self.writes = writes
        answer = ask(self.app, headers={"Cookie": field}, **environ)
        assert answer.code == 200
        return answer

    def good_id(self):
        line = self.ask("x=1", writes=True, **HTTPS).all("Set-Cookie")[0]
        return line.partition(";")[0].partition("=")[2]


@kinds
@pytest.mark.parametrize("field", SMUGGLED)
def test_a_smuggled_cookie_is_seen_by_nobody(kind, field):
    site = Site(**kind)
    site.ask(field.replace("V", site.good_id()), **HTTPS)
    user, cookies, ours = site.seen
    assert user is None
    assert "__Host-id" not in cookies
    assert ours == [None, None, None]


@kinds
@pytest.mark.parametrize(
    ("field", "neighbours"),
    [*NEIGHBOURS, (f"{S}; __Host-id=zzz", []), ("__Host-id=zzz; " + S, []), ('__Host-id="V"', [])],
)
def test_hostile_neighbours_hide_neither_the_session_nor_each_other(kind, field, neighbours):
    site = Site(**kind)
    good = site.good_id()
    site.ask(field.replace("Host-id=V", f"Host-id={good}").replace('"V"', f'"{good}"'), **HTTPS)
    user, cookies, _ = site.seen
    assert user == "ann"
    first = {"__Host-id=zzz; " + S: "zzz", '__Host-id="V"': f'"{good}"'}.get(field, good)
    assert cookies == {"__Host-id": first, **dict(reversed(neighbours))}


BOMB = b"." + urlsafe_b64encode(zlib.compress(b"\0" * 10_000_000, 9)).rstrip(b"=") + b".aaaaaa." + b"b" * 27
GARBAGE = [
    "\xff\xfe\xe9",
    "caf\xc3\xa9\xe2\x98\x83",
    "a\x00b\x07",
    "",
    '"',
    "!!!!====",
    "YWJj=",
    ".....",
    "A" * 10_240,
    "A" * 102_400,
    '{"a":1}',
    "%00%ff%",
    "../../../../etc/passwd",
    "a b c",
    "a,b",
    "\\x41\\",
    "a\r\nX-Evil: 1",
    '"\\377\\000"',
    "3b241101-e2bb-4255-8caf-4136c566a962",
    "1" * 40,
    "e30.e30.e30",
    "." * 2000,
    BOMB.decode(),
]


@kinds
@pytest.mark.parametrize("value", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_no_session_and_no_value_of_ours_and_costs_little(kind, value):
    site = Site(**kind)
    site.ask("id=x", writes=True)  # imports are done
    tracemalloc.start()
    try:
        reading = site.ask(f"id={value}")
        user, cookies, ours = site.seen
        writing = site.ask(f"id={value}", writes=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (user, cookies, ours[:2]) == (None, {"id": value}, [None, None])
    assert reading.all("Set-Cookie") == []
    assert sorted(line.partition("=")[0] for line in writing.all("Set-Cookie")) == ["id", "signed"]
    assert {name for name, _ in [*reading.headers, *writing.headers]} <= {"Set-Cookie", "Vary", "Cache-Control"}
    assert peak < 1 << 20


@given(st.text(), st.text(alphabet='id=;, "\t\\%\xa0\x00é'))
def test_no_cookie_field_is_an_error(text, likely):
    def use(jar):
        for name in [*jar, "id"]:
            jar.get(name), jar.get_all(name), jar.get(name, quoted=True), jar.get_signed(name), jar.get_sealed(name)

    for field in (text, likely, f"id={text}"):
        assert used(use, field, secret=SECRET, seal=True).code == 200


def test_of_a_thousand_cookies_of_one_name_eight_are_opened(monkeypatch):
    from middleware.signing import Sealer, Signer

    asked = []
    monkeypatch.setattr(Signer, "unsign", lambda self, token: asked.append(token))
    monkeypatch.setattr(Sealer, "open", lambda self, token: asked.append(token))
    field = "; ".join(f"a={number}" for number in range(1000))
    used(lambda jar: (jar.get_signed("a"), jar.get_sealed("a")), field, secret=SECRET, seal=True)
    assert asked == [str(number) for number in range(8)] * 2


def test_what_comes_as_one_field_by_http_2_is_two_cookies_and_what_is_joined_by_a_comma_is_one():
    assert used(lambda jar: (jar.get("a"), jar.get("b")), "a=1; b=2").text == "('1', '2')"
    assert used(lambda jar: (jar.get("a"), jar.get("b")), "a=1, b=2").text == "('1, b=2', None)"
