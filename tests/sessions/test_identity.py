"""Which cookie opens which session, and which opens none; what browser and caches are told."""

from __future__ import annotations

import os
import pickle
import struct

import pytest
from cookies.test_codec import NEIGHBOURS, SMUGGLED
from hypothesis import given, settings
from hypothesis import strategies as st
from sessions.kit import HTTPS, SECRET, Clock, Site, SpyStore, everything, put

from middleware.cookies import CookieOptions
from middleware.errors import ConfigurationError
from middleware.sessions.records import PREFIX
from middleware.stores.memory import MemoryStore

KINDS = {"stored": lambda: {"store": SpyStore()}, "signed": lambda: {"secret": SECRET}}


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


def signed_in(site, **environ):
    """A site's visitor over https, and the text `__Host-id=V` with a good V."""
    visitor = site.visitor(**{**HTTPS, **environ})
    visitor(put(user="ann"))
    return visitor


# Which cookie


@pytest.mark.parametrize("field", SMUGGLED)
def test_a_smuggled_cookie_opens_nothing(options, field):
    site = Site(**options)
    good = signed_in(site).cookie.partition("=")[2]
    answer = site.ask(everything, field.replace("V", good) if field != "=V" else field, **HTTPS)
    assert (answer.code, answer.text) == (200, "{}")


@pytest.mark.parametrize("field", [field for field, _ in NEIGHBOURS])
def test_odd_neighbours_do_not_hide_the_session(options, field):
    site = Site(**options)
    good = signed_in(site).cookie
    assert site.ask(everything, field.replace("__Host-id=V", good), **HTTPS).text == "{'user': 'ann'}"


@pytest.mark.parametrize("field", ["{S}; __Host-id=zzz", "__Host-id=zzz; {S}", '__Host-id="{V}"', "__HOST-ID=zzz; {S}"])
def test_duplicates_and_quotes_do_not_hide_the_session(options, field):
    site = Site(**options)
    good = signed_in(site).cookie
    field = field.format(S=good, V=good.partition("=")[2])
    assert site.ask(everything, field, **HTTPS).text == "{'user': 'ann'}"


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
    "0" * 63,
    "0" * 65,
    "A" * 64,
    "*" * 64,
]


@pytest.mark.parametrize("value", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_an_anonymous_visitor_and_never_reaches_the_store(options, value):
    site = Site(**options)
    reading = site.ask(everything, f"id={value}")
    assert (reading.code, reading.text, reading.all("Set-Cookie")) == (200, "{}", [])
    assert "store" not in options or options["store"].calls == []
    writing = site.ask(put(a=1), f"id={value}")
    assert writing.code == 200
    assert "X-Evil" not in repr(writing.headers)
    assert len(writing.all("Set-Cookie")) == 1


@settings(max_examples=max(settings().max_examples // 2, 1))
@given(st.text())
def test_no_cookie_field_is_an_error(field):
    for make in KINDS.values():
        assert Site(**make()).ask(everything, f"id={field}").code == 200


def test_at_most_eight_cookies_of_the_name_are_tried():
    store = SpyStore()
    unknown = [os.urandom(32).hex() for _ in range(1000)]
    Site(store=store).ask(everything, "; ".join(f"id={one}" for one in unknown))
    assert store.calls == ["get"] * 8


def test_an_id_is_taken_from_the_cookie_only():
    store = SpyStore()
    identifier = "0" * 64
    Site(store=store).ask(
        everything, QUERY_STRING=f"id={identifier}", PATH_INFO=f"/;id={identifier}", HTTP_ID=identifier
    )
    assert store.calls == []


def test_a_forged_id_is_not_adopted():
    store = SpyStore()
    site = Site(store=store)
    forged = "id=" + "ab" * 32
    answer = site.ask(put(a=1), forged)
    assert forged not in answer.all("Set-Cookie")[0]
    assert site.ask(everything, forged).text == "{}"
    assert store.writes == ["add"]


@pytest.mark.slow
def test_ids_are_unique_and_of_exact_form():
    site = Site(store=MemoryStore())
    values = [site.ask(put(a=1)).all("Set-Cookie")[0].partition(";")[0].partition("=")[2] for _ in range(1000)]
    assert len(set(values)) == 1000
    assert all(len(value) == 64 and not value.strip("0123456789abcdef") for value in values)


def test_an_id_that_is_taken_is_not_shared(monkeypatch):
    store = SpyStore()
    site = Site(store=store)
    repeated = [b"\1" * 32, b"\1" * 32, b"\2" * 32]
    monkeypatch.setattr("middleware.sessions.in_store.cell.os.urandom", lambda size: repeated.pop(0))
    first, second = site.visitor(), site.visitor()
    first(put(who="first"))
    second(put(who="second"))
    assert second.cookie == "id=" + "02" * 32
    assert first(everything).text == "{'who': 'first'}"


def test_the_store_never_sees_an_id_and_its_keys_open_nothing():
    store = SpyStore()
    visitor = Site(store=store).visitor()
    visitor(put(a=1))
    visitor(lambda session: session.rotate())
    first = visitor.cookie.partition("=")[2].encode()
    visitor(lambda session: (session.flash("x"), session.id))
    visitor(lambda session: session.invalidate())
    assert not any(first in value for value in store.values)
    keys = {value.decode() for value in store.values if value.startswith(PREFIX.encode())}
    assert len(keys) == 2
    again = Site(store=store)
    name = again.visitor()
    name(put(a=1))
    hidden = name(lambda session: session.id).text.strip("'")
    assert again.ask(everything, f"id={hidden}").text == "{}"
    assert again.ask(everything, f"id={PREFIX}{hidden}").text == "{}"


def test_a_session_record_is_added_and_swapped_and_never_just_set():
    store = SpyStore()
    clock = Clock()
    visitor = Site(store=store, clock=clock).visitor()
    for use in (put(a=1), put(a=2), everything, lambda s: s.rotate(), lambda s: s.flash("x"), lambda s: s.invalidate()):
        clock.now += 300
        visitor(use)
    assert "set" not in store.writes
    assert {"add", "swap", "delete"} <= set(store.writes)


class Bomb:
    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


def test_a_planted_pickle_is_no_session_and_is_not_executed():
    store = MemoryStore()
    site = Site(store=store)
    visitor = site.visitor()
    visitor(put(a=1))
    key = PREFIX + visitor(lambda session: session.id).text.strip("'")
    for header in (b"", struct.pack("<3s5d", b"s2=", *[1e12] * 5)):
        store.set(key, header + pickle.dumps(Bomb()))
        assert visitor(everything).text == "{}"
    assert Site(secret=SECRET).ask(everything, f"id={pickle.dumps(Bomb()).decode('latin-1')}").text == "{}"
    assert not Bomb.exploded


TIMES = 1.7e9, 0, 1.7e9, 1.7e9, 0
MOVED = struct.pack("<3sd16s", b"s2>", 1.7e9, bytes(16))


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"s2",
        b"s2=",
        b"s2.",
        b"s2>",
        b"s2~",
        b"s1>" + b"x" * 99,
        b"s2>" + b"x" * 99,
        b"s2~" + b"x" * 99,
        struct.pack("<3s5d", b"s2=", *TIMES),
        struct.pack("<3s5d", b"s2=", *TIMES) + b"{}",
        struct.pack("<3s5d", b"s2=", *TIMES[:3], float("nan"), 0) + b"[{}]",
        struct.pack("<3s5d", b"s2=", *TIMES[:4], float("nan")) + b"[{}]",
        MOVED + b"\xff",
        b"\xff" * 99,
    ],
    ids=repr,
)
def test_a_damaged_record_is_no_session(record):
    store = MemoryStore()
    visitor = Site(store=store, clock=Clock()).visitor()
    visitor(put(a=1))
    store.set(PREFIX + visitor(lambda session: session.id).text.strip("'"), record)
    assert visitor(everything).text == "{}"
    assert visitor(put(b=1)).code == 200
    assert visitor(everything).text == ("{}" if record[:27] == MOVED else "{'b': 1}")


# Signed sessions


def test_a_tampered_cookie_is_an_anonymous_visitor():
    site = Site(secret=SECRET)
    visitor = site.visitor()
    visitor(put(user="ann"))
    name, _, token = visitor.cookie.partition("=")
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert site.ask(everything, f"{name}={wrong}").text == "{}"
    for wrong in (token[:-1], token + "A", token + token, token[: len(token) // 2]):
        assert site.ask(everything, f"{name}={wrong}").text == "{}"


def test_a_session_signed_for_another_name_opens_nothing():
    site = Site(secret=SECRET)
    visitor = site.visitor()
    visitor(put(user="ann"))
    value = visitor.cookie.partition("=")[2]
    assert site.ask(everything, f"__Host-id={value}", **HTTPS).text == "{}"
    other = Site(secret=SECRET, cookie=CookieOptions("other"))
    assert other.ask(everything, f"other={value}").text == "{}"


def test_a_value_of_the_cookie_jar_is_no_session():
    from middleware.cookies.signed import SignedValues

    token = SignedValues(SECRET, Clock()).seal("id", "x")
    assert Site(secret=SECRET, clock=Clock()).ask(everything, f"id={token}").text == "{}"


def test_keys_change_without_a_log_out():
    older = "an older secret, also long enough"
    visitor = Site(secret=older).visitor()
    visitor(put(a=1))
    both = Site(secret=[older, SECRET])
    assert both.ask(everything, visitor.cookie).text == "{'a': 1}"
    renewed = both.ask(put(b=2), visitor.cookie).all("Set-Cookie")[0].partition(";")[0]
    newest = Site(secret=SECRET)
    assert newest.ask(everything, renewed).text == "{'a': 1, 'b': 2}"
    assert newest.ask(everything, visitor.cookie).text == "{}"


def test_itsdangerous_reads_a_signed_session():
    import hashlib

    from itsdangerous import URLSafeTimedSerializer

    from middleware.signing import salt_for

    visitor = Site(secret=SECRET).visitor()
    visitor(put(a="ü"))
    serializer = URLSafeTimedSerializer(
        SECRET, salt=salt_for("session", "id"), signer_kwargs={"digest_method": hashlib.sha256}
    )
    _, _, data = serializer.loads(visitor.cookie.partition("=")[2])
    assert data == {"a": "ü"}
    for odd in (
        serializer.dumps([1, 2, {}]),
        serializer.dumps({}),
        serializer.dumps([]),
        serializer.dumps(["x", 1.5, {}]),
    ):
        assert Site(secret=SECRET).ask(everything, f"id={odd}").text == "{}"


def test_an_emptied_signed_session_leaves_no_cookie():
    visitor = Site(secret=SECRET).visitor()
    visitor(put(a=1))
    visitor(lambda session: session.clear())
    assert visitor.cookie == ""


# The cookie


@pytest.mark.parametrize(
    ("cookie", "environ", "line"),
    [
        (CookieOptions(), HTTPS, "__Host-id=V; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (CookieOptions(), {}, "id=V; Path=/; HttpOnly; SameSite=Lax"),
        (CookieOptions(), {**HTTPS, "SCRIPT_NAME": "/app"}, "__Host-id=V; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (CookieOptions(secure=True), {}, "__Host-id=V; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (CookieOptions(secure=False), HTTPS, "id=V; Path=/; HttpOnly; SameSite=Lax"),
        (CookieOptions(path="/app"), HTTPS, "__Secure-id=V; Path=/app; Secure; HttpOnly; SameSite=Lax"),
        (CookieOptions(domain="e.com"), HTTPS, "__Secure-id=V; Domain=e.com; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (CookieOptions("sid", samesite="Strict"), {}, "sid=V; Path=/; HttpOnly; SameSite=Strict"),
        (
            CookieOptions("sid", samesite="None", partitioned=True, max_age=60),
            HTTPS,
            "sid=V; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
        ),
    ],
)
def test_the_line_that_sets_the_cookie_and_the_one_that_deletes_it(options, cookie, environ, line):
    visitor = Site(cookie=cookie, **options).visitor(**environ)
    [setting] = visitor(put(a=1)).all("Set-Cookie")
    name, _, rest = setting.partition("=")
    assert f"{name}=V;{rest.partition(';')[2]}" == line
    [deletion] = visitor(lambda session: session.invalidate()).all("Set-Cookie")
    ends = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; "
    assert deletion == line.replace("Max-Age=60; ", "").replace("=V; ", f"=; {ends}")
    assert visitor.cookie == ""


@pytest.mark.parametrize(
    "cookie", [CookieOptions("__Host-sid"), CookieOptions(samesite="None"), CookieOptions(partitioned=True)]
)
def test_a_cookie_for_https_is_refused_over_http_with_the_cure(options, cookie):
    site = Site(cookie=cookie, **options)
    assert site.ask(lambda session: None).code == 200
    with pytest.raises(ConfigurationError, match="secure=True"):
        site.ask(everything)
    assert site.ask(everything, **HTTPS).code == 200


def test_on_https_the_name_for_http_opens_nothing(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(put(a=1))
    assert site.ask(everything, visitor.cookie, **HTTPS).text == "{}"
    assert site.ask(everything, visitor.cookie.replace("id=", "__Host-id="), **HTTPS).text == (
        "{'a': 1}" if "store" in options else "{}"
    )


# Among other layers


@pytest.mark.parametrize("cookies_outside", [True, False])
def test_the_cookie_layer_leaves_the_session_cookie_as_it_is(options, cookies_outside):
    from asking import ask

    from middleware.cookies import CookieMiddleware, get_cookies
    from middleware.sessions import SessionMiddleware, get_session

    def app(environ, start_response):
        get_session(environ)["a"] = 1
        get_cookies(environ).set("theme", "dark")
        start_response("200 OK", [("Set-Cookie", "app=1")])
        return []

    if cookies_outside:
        stack = CookieMiddleware(SessionMiddleware(app, **options))
    else:
        stack = SessionMiddleware(CookieMiddleware(app), **options)
    answer = ask(stack, **HTTPS)
    hard = "Secure; HttpOnly; SameSite=Lax"
    lines = {line.partition("=")[0]: line.partition(";")[2].strip() for line in answer.all("Set-Cookie")}
    assert lines == {"__Host-id": f"Path=/; {hard}", "theme": f"Path=/; {hard}", "app": hard}
    assert answer.header("Vary") == "Cookie"
    assert answer.header("Cache-Control") == "no-store"


def test_an_application_may_ask_the_same_layer_again(options):
    """A sub-request with a copied environ has a session of its own."""

    def app(environ, start_response):
        session = environ["middleware.session"]
        if environ["PATH_INFO"] == "/":
            session["outer"] = 1
            list(site.app({**environ, "PATH_INFO": "/inner"}, lambda *head: None))
        else:
            session["inner"] = 1
        assert environ["middleware.session"] is session
        start_response("200 OK", [])
        return []

    site = Site(**options)
    site.app.app = app
    from asking import ask

    assert ask(site.app).code == 200
