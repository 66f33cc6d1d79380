"""Tickets between a real Apache with mod_auth_tkt and us: TKT-1, TKT-3."""

from __future__ import annotations

import time

import pytest
from conftest import skip_or_fail
from over_http import exchange
from servers.apache import apache, told
from servers.debian import MODULES

from middleware.auth.tickets import Ticket, read_ticket, write_ticket

pytestmark = pytest.mark.slow

SECRET = b"a secret of the test of 32 bytes"
DIGESTS = ["md5", "sha256", "sha512"]

SITE = f"""
LoadModule auth_tkt_module {MODULES}/mod_auth_tkt.so
TKTAuthSecret "{SECRET.decode()}"
TKTAuthDigestType {{digest}}
<LocationMatch "^/cgi/">
    AuthType None
    TKTAuthLoginURL /login
    TKTAuthIgnoreIP on
    TKTAuthTimeout 1h
    TKTAuthTimeoutRefresh 0.5
    Require valid-user
</LocationMatch>
<Location "/cgi/here">
    TKTAuthIgnoreIP off
</Location>
<Location "/cgi/staff-only">
    TKTAuthToken staff
</Location>
"""


@pytest.fixture(scope="module", params=DIGESTS)
def site(request):
    if not (MODULES / "mod_auth_tkt.so").exists():
        skip_or_fail("libapache2-mod-auth-tkt is not installed")
    with apache(SITE.replace("{digest}", request.param.upper())) as port:
        yield port, request.param


def ticket(user="alice", age=0, **rest):
    return Ticket(user, at=int(time.time()) - age, **rest)


def ask(site, path, ticket, address="0.0.0.0", digest=None):
    port, own = site
    return exchange(port, path, f"Cookie: auth_tkt={write_ticket(ticket, SECRET, digest or own, address)}")


@pytest.mark.parametrize(
    "given",
    [
        ticket(),
        ticket(tokens=("admin",)),
        ticket(tokens=("admin", "staff"), data="x"),
        ticket(data="two words; and a comma,"),
        ticket("ann+x@example.com"),
        ticket("/C=DE/CN=ann?#[a]"),
    ],
    ids=lambda given: f"{given.user} {given.tokens} {given.data}",
)
def test_TKT_1_apache_reads_our_tickets(site, given):
    environ = told(ask(site, "/cgi/page", given).body)
    assert environ["REMOTE_USER"] == given.user
    assert environ.get("REMOTE_USER_TOKENS", "") == ",".join(given.tokens)
    assert environ.get("REMOTE_USER_DATA", "") == given.data


def test_TKT_1_a_ticket_for_one_address_holds_there(site):
    assert ask(site, "/cgi/here", ticket(), "127.0.0.1").status == 200
    assert ask(site, "/cgi/here", ticket(), "127.0.0.2").status != 200


def test_tokens_of_ours_let_into_what_asks_for_them(site):
    assert ask(site, "/cgi/staff-only", ticket(tokens=("admin", "staff"))).status == 200
    assert ask(site, "/cgi/staff-only", ticket(tokens=("admin",))).status != 200


def test_TKT_1_apache_refuses_a_ticket_of_another_digest_as_we_do(site):
    for other in set(DIGESTS) - {site[1]}:
        assert ask(site, "/cgi/page", ticket(), digest=other).status != 200


@pytest.mark.parametrize(
    "given", [ticket(age=2400, tokens=("admin", "staff"), data="x"), ticket("ann@example.com", age=2400)]
)
def test_TKT_1_we_read_the_tickets_that_apache_writes(site, given):
    answer = ask(site, "/cgi/page", given)
    values = [line.partition("=")[2].partition(";")[0] for line in answer.fields("Set-Cookie")]
    assert values
    for value in values:
        read = read_ticket(value, [SECRET], [site[1]]).ticket
        assert (read.user, read.tokens, read.data) == (given.user, given.tokens, given.data)
        assert read.at > given.at
