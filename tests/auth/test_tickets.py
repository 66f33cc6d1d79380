"""Tickets: the vectors, what the three real packages mint and read, and what no reader may take for a ticket."""

from __future__ import annotations

import hashlib
import warnings
from base64 import b64encode
from http.cookies import SimpleCookie
from types import SimpleNamespace

import pytest
from asking import make_environ
from hypothesis import given
from hypothesis import strategies as st
from paste.auth import auth_tkt as paste
from pyramid import authentication as pyramid
from pyramid.request import Request
from repoze.who import _auth_tkt as who
from repoze.who.plugins.auth_tkt import AuthTktCookiePlugin

from middleware.auth.tickets import DIGESTS, Ticket, read_ticket, write_ticket
from middleware.auth.tickets.terms import joined_data, split_data

SECRET = b"shared-secret"
AT = 1_700_000_000
ALICE = Ticket("alice", at=AT, tokens=("admin", "staff"), data="x")

VECTORS = [
    (ALICE, "md5", "0.0.0.0", "9674cc7176862142787d4b4d62a733eb6553f100alice!admin,staff!x"),
    (
        ALICE,
        "sha256",
        "0.0.0.0",
        "6cc894ed0908c0d8b2c15a2eb52dbaa12eaa39070f0b3f8eefbc6033e7b1ac016553f100alice!admin,staff!x",
    ),
    (Ticket("jäsøn", at=AT), "md5", "0.0.0.0", "047887112db095a1ae692df1a767a54f6553f100j%C3%A4s%C3%B8n!"),
]


def read(value, digest="sha256", secrets=(SECRET,), address="0.0.0.0"):
    found = read_ticket(value, secrets, (digest,), address)
    return found and found.ticket


def signed(rest, digest="sha256", at=b"6553f100"):
    """A ticket with a right digest and whatever stands behind it, in base64."""
    from middleware.auth.tickets.codec import _signature

    user, _, tail = rest.partition(b"!")
    tokens, bang, data = tail.partition(b"!")
    parts = (tokens, data) if bang else (b"", tail)
    from urllib.parse import unquote_to_bytes

    signature = _signature("0.0.0.0", int(at, 16), SECRET, unquote_to_bytes(user), *parts, digest)
    return b64encode(signature + at + rest).decode()


@pytest.mark.parametrize(("ticket", "digest", "address", "text"), VECTORS)
def test_TKT_2_the_vectors_are_written_and_read(ticket, digest, address, text):
    assert write_ticket(ticket, SECRET, digest, address).strip('"') == text
    assert read(text, digest) == read(f'"{text}"', digest) == ticket


def test_TKT_2_a_ticket_for_one_address_holds_there_only():
    text = write_ticket(ALICE, SECRET, "md5", "127.0.0.1")
    assert text.startswith('"9f75406d492c9f8f')
    assert read(text, "md5", address="127.0.0.1") == ALICE
    assert read(text, "md5", address="127.0.0.2") is None
    assert read(text, "md5") is None


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("tokens", [(), ("admin",), ("admin", "staff")])
@pytest.mark.parametrize("user", ["alice", "a b/c", "jäsøn", "名前"])
def test_TKT_1_tickets_are_those_of_paste_repoze_who_and_pyramid_byte_for_byte(digest, tokens, user):
    ours = write_ticket(Ticket(user, at=AT, tokens=tokens, data="x"), SECRET, digest).strip('"')
    algorithm = getattr(hashlib, digest)
    options = {"tokens": tokens, "user_data": "x", "time": AT}
    assert ours == paste.AuthTicket(SECRET, user, "0.0.0.0", digest_algo=algorithm, **options).cookie_value().decode()
    assert ours == who.AuthTicket("shared-secret", user, "0.0.0.0", digest_algo=digest, **options).cookie_value()
    assert ours == pyramid.AuthTicket("shared-secret", user, "0.0.0.0", hashalg=digest, **options).cookie_value()


@pytest.mark.parametrize("user", ["ann+x@example.com", "/C=DE/CN=ann?#[a]", "a%40b", '"a";b,c\\d', "~.-_*'()"])
def test_TKT_1_the_peers_read_names_with_signs(user):
    text = write_ticket(Ticket(user, at=AT, data="x"), SECRET, "sha512")
    for parse in (who.parse_ticket, pyramid.parse_ticket):
        assert parse("shared-secret", text, "0.0.0.0", "sha512")[1] == user
    assert paste.parse_ticket(SECRET, text.encode(), "0.0.0.0", hashlib.sha512)[1] == user
    assert read(text, "sha512").user == user
    theirs = who.AuthTicket("shared-secret", user, "0.0.0.0", time=AT, digest_algo="sha512").cookie_value()
    assert read(theirs, "sha512").user == user


def test_TKT_1_a_name_as_it_stands_is_read():
    assert read(signed("jäsøn!".encode())) == read(signed(b"j%C3%A4s%C3%B8n!")) == Ticket("jäsøn", at=AT)


@pytest.mark.parametrize("tokens", [(), ("admin", "staff")])
def test_TKT_3_paste_reads_our_ticket_and_we_read_its_own_bare_and_in_base64(tokens):
    ticket = Ticket("alice", at=AT, tokens=tokens, data="x")
    minted = paste.AuthTicket(SECRET, "alice", "0.0.0.0", tokens=tokens, time=AT, user_data="x").cookie_value()
    assert read(minted.decode(), "md5") == read(b64encode(minted).decode(), "md5") == ticket
    text = write_ticket(ticket, SECRET, "md5").strip('"').encode()
    stamp, user, groups, data = paste.parse_ticket(SECRET, text, "0.0.0.0")
    assert (stamp, user, groups, data) == (AT, "alice", [*map(str.encode, tokens)] or [b""], b"x")


def test_TKT_3_the_base64_cookie_of_repoze_whos_ticket_is_read():
    minted = who.AuthTicket("shared-secret", "alice", "0.0.0.0", time=AT, digest_algo="sha256")
    assert read(minted.cookie()["auth_tkt"].value) == Ticket("alice", at=AT)


def test_TKT_3_the_text_of_a_bytes_object_is_refused():
    layer = paste.AuthTKTMiddleware(None, "shared-secret", include_ip=False)
    _, line = layer.set_user_cookie(make_environ(), "alice", "", "")[0]
    value = line.partition("=")[2].partition(";")[0]
    assert value.startswith("b'")
    assert read(value, "md5") is None


@pytest.mark.parametrize("user", ["alice", "jäsøn", 42, -7])
@pytest.mark.parametrize("tokens", [(), ("admin", "staff")])
def test_TKT_3_we_read_what_repoze_who_sets_and_it_reads_what_we_set(user, tokens):
    plugin = AuthTktCookiePlugin("shared-secret", digest_algo="sha256")
    identity = {"repoze.who.userid": user, "tokens": tokens, "userdata": {"colour": "red"}}
    _, line = plugin.remember(make_environ(), identity)[0]
    value = line.partition("=")[2].partition("; ")[0]
    ticket = read(value)
    assert (ticket.user, ticket.typed_user, ticket.tokens) == (str(user), user, tokens)
    written = write_ticket(ticket, SECRET, "sha256")
    assert written.strip('"') == value.strip('"')
    found = plugin.identify(make_environ(headers={"Cookie": f"auth_tkt={written}"}))
    assert found["repoze.who.plugins.auth_tkt.userid"] == user
    assert found["userdata"]["colour"] == "red"


@pytest.mark.parametrize("user", ["alice", "jäsøn!", "a,b", 42, b"alice"])
@pytest.mark.parametrize("tokens", [(), ("admin", "staff")])
@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::1", "2001:db8::7"])
def test_TKT_3_TKT_5_we_read_what_pyramid_sets_and_it_reads_what_we_set(user, tokens, address):
    helper = pyramid.AuthTktCookieHelper("shared-secret", include_ip=address != "0.0.0.0")
    request = Request(make_environ(REMOTE_ADDR=address))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # WebOb about the comma, which it escapes
        line = dict(helper.remember(request, user, tokens=tokens))["Set-Cookie"]
    value = line.partition("=")[2].partition("; ")[0]
    ticket = read(value, "sha512", address=address)
    plain = user.decode() if isinstance(user, bytes) else user
    assert (ticket.user, ticket.typed_user, ticket.tokens) == (str(plain), plain, tokens)
    written = write_ticket(ticket, SECRET, "sha512", address)
    found = helper.identify(Request(make_environ(headers={"Cookie": f"auth_tkt={written}"}, REMOTE_ADDR=address)))
    assert found["userid"] == user
    assert [token for token in found["tokens"] if token] == list(tokens)


def test_TKT_3_a_cookie_of_the_standard_library_is_read_with_its_escapes():
    cookie = SimpleCookie()
    cookie["auth_tkt"] = VECTORS[0][3]
    quoted = cookie["auth_tkt"].coded_value
    assert "\\054" in quoted
    assert read(quoted, "md5") == ALICE


@given(st.text(max_size=40))
def test_escapes_are_undone_as_by_the_standard_library(text):
    from http.cookies import _quote, _unquote

    from middleware.auth.tickets.codec import _unescaped

    latin = text.encode("utf-8").decode("latin-1")
    assert _unescaped(_quote(latin)[1:-1] if _quote(latin) != latin else latin.replace("\\", "\\\\")) == latin
    assert _unescaped(text) == _unquote(f'"{text}"')


@pytest.mark.parametrize(
    ("ticket", "start"),
    [
        (Ticket("alice", at=AT), ""),
        (ALICE, '"'),
        (Ticket("alice", at=AT, data="two words"), "base64"),
        (Ticket("alice", at=AT, data="é"), "base64"),
        (Ticket("alice", at=AT, tokens=("a;b",)), "base64"),
        (Ticket("alice", at=AT, tokens=("a",), data='"'), "base64"),
    ],
)
def test_TKT_3_a_ticket_is_written_in_a_form_that_cookies_can_carry(ticket, start):
    value = write_ticket(ticket, SECRET, "sha256")
    assert value.isascii()
    assert ";" not in value
    assert value.startswith('"') == (start == '"')
    assert ("!" in value) == (start != "base64")
    assert read(value) == ticket


@pytest.mark.parametrize(
    "ticket",
    [
        Ticket("", at=AT),
        Ticket("a!b", at=AT),
        Ticket("a\0b", at=AT),
        Ticket("a\x85b", at=AT),
        Ticket("alice", at=AT, tokens=("a,b",)),
        Ticket("alice", at=AT, tokens=("a!b",)),
        Ticket("alice", at=AT, tokens=("",)),
        Ticket("alice", at=AT, tokens=("a\n",)),
        Ticket("alice", at=AT, data="x!y"),
        Ticket("alice", at=AT, tokens=("a",), data="x\r\ny"),
        Ticket("alice", at=AT, data="userid_type:int"),
        Ticket("007", at=AT, data="userid_type:int"),
        Ticket("1" * 200, at=AT, data="userid_type:int"),
        Ticket("7", at=AT, data="userid_type:int|userid_type:unicode"),
        Ticket("alice", at=-1),
        Ticket("alice", at=1 << 32),
        Ticket("\ud800", at=AT),
    ],
    ids=repr,
)
def test_TKT_5_what_would_be_read_as_something_else_is_not_written(ticket):
    with pytest.raises(ValueError):
        write_ticket(ticket, SECRET, "sha256")


@pytest.mark.parametrize("address", ["", "localhost", "1.2.3", "1.2.3.256", "1.2.3.-4", "1.2.3.٤", "unix:é", ":" * 200])
def test_TKT_5_what_is_no_address_gets_no_ticket(address):
    with pytest.raises(ValueError, match="address"):
        write_ticket(ALICE, SECRET, "sha256", address)
    assert read(write_ticket(ALICE, SECRET, "sha256"), address=address) is None


GOOD = write_ticket(Ticket("alice", at=AT), SECRET, "sha256")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "!",
        '"',
        '""',
        "alice",
        "INVALID",
        GOOD[:-1],
        GOOD[:64],
        GOOD[:71],
        GOOD[1:],
        GOOD.upper(),
        GOOD.replace("alice", "Alice"),
        GOOD.replace("6553f100", "6553f101"),
        GOOD.replace("6553f100", "0x53f100"),
        GOOD.replace("6553f100", "+553f100"),
        GOOD.replace("6553f100", "6_53f100"),
        GOOD.replace("6553f100", "       1"),
        GOOD + "x",
        GOOD + "admin!",
        f"b'{GOOD}'",
        f'"{GOOD}',
        f"{GOOD} ",
        "g" * 72 + "alice!",
        "0" * 72 + "alice!",
        "ÿ" * 72 + "alice!",
        "名" * 72 + "alice!",
        "%" * 4000 + "!",
        "\\" * 4000 + "!",
        "!" * 4096,
        "A" * 5000,
        GOOD + "!" * 5000,
        "A" * (1 << 20),
        b64encode(GOOD.encode()).decode().rstrip("=") + "====",
        b64encode(GOOD.encode()).decode() + "\n",
        signed(b"!"),
        signed(b"%00!"),
        signed(b"alice\0!"),
        signed(b"alice%00x!"),
        signed(b"alice%0a!"),
        signed(b"alice!admin\0!"),
        signed(b"alice!\0"),
        signed(b"alice!\x7f"),
        signed("alice\x85!".encode()),
        signed(b"alice%FF!"),
        signed(b"alice!\xff"),
        signed(b"alice!userid_type:int"),
        signed(b"007!userid_type:int"),
        signed(b"1_0!userid_type:int"),
        signed(b"9" * 3000 + b"!userid_type:int"),
        signed(b"alice!userid_type:b64unicode"),
        signed(b"YWxpY2U!userid_type:b64unicode"),
        signed(b"/w%3D%3D!userid_type:b64str"),
        signed(b"!userid_type:b64unicode"),
        signed(b"7!userid_type:int|userid_type:unicode"),
        signed(b"alice!", at=b"6553F100"),
    ],
    ids=lambda value: value[:40],
)
def test_TKT_5_what_is_no_ticket_of_ours_is_none(value):
    assert read(value) is None


def test_TKT_5_a_user_with_a_nul_is_not_another_user_with_tokens():
    """NUL separates what is signed: `ann NUL x` and the data NUL would have one digest."""
    planted = Ticket("ann\0admin", at=AT)
    with pytest.raises(ValueError, match="control"):
        write_ticket(planted, SECRET, "sha256")
    minted = who.AuthTicket("shared-secret", "ann\0admin", "0.0.0.0", time=AT, digest_algo="sha256").cookie_value()
    forged = minted[:72].encode() + b"ann!admin!\0"
    assert read(b64encode(forged).decode()) is None
    assert read(minted) is None


def test_TKT_1_a_ticket_of_another_digest_is_refused():
    for written in DIGESTS:
        for taken in DIGESTS:
            assert (read(write_ticket(ALICE, SECRET, written), taken) == ALICE) == (written == taken)


def test_API_19_every_secret_is_tried_and_the_place_of_the_right_one_is_told():
    secrets = [b"the first of the secrets", b"the second of the secrets"]
    for place, secret in enumerate(secrets):
        found = read_ticket(write_ticket(ALICE, secret, "sha512"), secrets, ("sha256", "sha512"))
        assert (found.ticket, found.digest, found.secret) == (ALICE, "sha512", place)
    assert read_ticket(write_ticket(ALICE, secrets[0], "sha512"), secrets[1:], ("sha512",)) is None


def test_a_ticket_does_not_change_and_shows_nothing_but_its_user():
    with pytest.raises(AttributeError):
        ALICE.user = "bob"
    assert repr(ALICE) == "<Ticket 'alice'>"
    assert SimpleNamespace(user="alice") != ALICE
    assert len({ALICE, Ticket("alice", at=AT, tokens=("admin", "staff"), data="x")}) == 1


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="!,"), min_size=1)
tickets = st.builds(
    Ticket,
    names,
    at=st.integers(0, (1 << 32) - 1),
    tokens=st.lists(names, max_size=3),
    data=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="!"), max_size=40),
)


@given(tickets, st.sampled_from([*DIGESTS]), st.sampled_from(["0.0.0.0", "10.1.2.3", "::1"]))
def test_what_was_written_is_read_again(ticket, digest, address):
    value = write_ticket(ticket, SECRET, digest, address)
    assert read(value, digest, address=address) == ticket
    assert read(value, digest, secrets=[b"another secret"], address=address) is None


@given(st.one_of(st.text(), st.text('0123456789abcdef!%,=\\"userid_type:b64int|&', min_size=60, max_size=120)))
def test_every_text_is_taken(value):
    assert read(value) is None


@given(st.binary(max_size=60), st.sampled_from([*DIGESTS]))
def test_whatever_a_holder_of_the_secret_signs_is_read_as_what_can_be_written(rest, digest):
    ticket = read(signed(b"a!" + rest, digest), digest)
    assert ticket is None or read(write_ticket(ticket, SECRET, digest), digest) == ticket


parts = st.dictionaries(st.sampled_from(["since", "max_age"]), st.integers(0, 10**12 - 1).map(str))


@given(st.text().filter(lambda data: "wm." not in data), parts)
def test_TKT_4_what_is_ours_in_the_data_is_told_from_what_is_not(data, ours):
    joined = joined_data(data, ours)
    assert split_data(joined) == (data, ours)


@given(st.text("wm.since:=&|a0"))
def test_TKT_4_all_data_can_be_taken_apart(data):
    rest, _ = split_data(data)
    assert split_data(rest) == (rest, {})
