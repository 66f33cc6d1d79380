"""What servers get wrong is right behind GatewayMiddleware, with the whole stack further in."""

from __future__ import annotations

import json
from http.client import HTTPException

import pytest
from servers.programs import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_expected")]

HELLO = b"hello\nworld\n, and more\nlines"
CHUNKED = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
LARGE = b"x" * (3 << 20)


def test_environ_is_what_pep_3333_promises(site):
    told = json.loads(site.ask("/probe/told", "Proxy: http://evil.example").body)
    assert (told["no text"], told["empty"], told["misleading"], told["input_terminated"]) == ([], [], [], True)


@pytest.mark.parametrize("fields", [(), ("Content-Length: 0",)])
def test_a_request_without_a_body_reads_as_empty(site, fields):
    reply = site.ask("/probe/reads", *fields)
    assert (reply.status, reply.body) == (200, b"")


def test_a_body_can_be_read_in_every_way(site):
    reply = site.ask("/probe/reads", method="POST", body=HELLO)
    assert (reply.status, reply.body) == (200, HELLO)


@pytest.mark.parametrize("backwards", [False, True])
def test_of_two_lengths_no_wrong_one_is_believed(site, backwards):
    fields = ("Content-Length: 3", "Transfer-Encoding: chunked")[:: -1 if backwards else 1]
    reply = site.ask("/probe/reads", *fields, method="POST", body=CHUNKED)
    if reply.status == 200:
        assert reply.body == b"hello world"
    else:
        assert reply.status in (400, 411, 501)


@pytest.mark.parametrize("length", ["abc", "-5", "+5", "5, 6", "5_0", "9" * 23])
def test_a_length_that_is_none_is_refused(site, length):
    assert site.ask("/probe/reads", f"Content-Length: {length}", method="POST").status in (400, 413)


@pytest.mark.parametrize("page", ["refuses", "refuses_late"])
def test_an_early_answer_arrives_though_nobody_has_read_the_body(site, page):
    for _ in range(3):
        reply = site.ask(f"/probe/{page}", method="POST", body=LARGE)
        assert (reply.status, reply.body) == (401, b"denied")


def test_an_error_is_answered(site):
    assert site.ask("/probe/fails").status == 500
    assert site.ask("/probe/fails", method="POST", body=HELLO).status == 500


def test_an_error_behind_the_head_and_before_the_first_byte_is_answered(site):
    assert status_of(site, "/probe/fails_late") == 500
    assert status_of(site, "/probe/fails_late", method="POST", body=HELLO) == 500


def status_of(site, target, **request):
    """The status of an answer that came whole; None of one that broke off."""
    try:
        return site.ask(target, **request).status
    except (HTTPException, ConnectionResetError, ValueError):  # ValueError: http.client, of a size of no digits
        return None


def test_a_head_that_replaces_another_brings_its_body(site):
    reply = site.ask("/probe/replaces")
    assert (reply.status, reply.body) == (503, b"replaced")


def test_what_is_written_arrives(site):
    assert site.ask("/probe/writes").body == b"one,two,three"


def test_a_client_that_leaves_while_it_sends_is_told_to_the_application(site, name):
    with site.connect() as wire:
        site.send(wire, f"/probe/reads?name={name}", "Content-Length: 100", method="POST")
        wire.socket.sendall(b"hello")
        wait_until((site.kept / f"{name}-begun").exists, site.patience)
    wait_until((site.kept / f"{name}-gone").exists, site.patience)
