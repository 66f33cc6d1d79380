"""The reference app with its whole stack, on every server, by the configurations of examples/deploy."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from contextlib import ExitStack, contextmanager, suppress
from http.client import IncompleteRead
from urllib.parse import unquote

import pytest
from deployment.rows import ONE, ONE_A_REQUEST, ROWS, SEVERAL, Flags
from over_http import Reply
from servers.asked import ANN, Browser
from servers.programs import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_expected")]

MEGABYTE = bytes(range(256)) * 4096


def hidden(page, name):
    """The value of a hidden field."""
    return re.search(rf'name="{name}" value="([^"]*)"', page.body.decode())[1]


def test_a_user_signs_in_keeps_a_note_and_signs_out(site):
    browser = Browser(site)
    assert browser.ask("/notes").status == 302
    form = browser.ask("/login")
    welcome = browser.ask(
        "/login", username="ann", password="seven-green-apples", remember="yes",
        token=hidden(form, "token"), next=hidden(form, "next"),
    )  # fmt: skip
    assert welcome.status == 303
    assert len(welcome.fields("Set-Cookie")) >= 2  # of the session and to be remembered by
    page = browser.ask("/notes")
    assert browser.ask("/notes", note="buy milk", csrf_token=hidden(page, "csrf_token")).status == 303
    page = browser.ask("/notes")
    assert b"buy milk" in page.body
    page = browser.ask("/signed-in")
    assert browser.ask("/signed-in", everywhere="yes", csrf_token=hidden(page, "csrf_token")).status == 303
    assert browser.ask("/notes").status == 302


def test_a_cached_page_hits(site):
    site.ask("/clock")
    for _ in range(3):  # whichever process answers
        assert "hit" in site.ask("/clock").field("Cache-Status")


def test_basic_authentication_arrives(site):
    assert json.loads(site.ask("/api/me", ANN).body)["user"] == "ann"


def test_repeated_set_cookie_survive(site):
    assert site.ask("/probe/cookies").fields("Set-Cookie")[-2:] == [
        "one=1; Path=/; HttpOnly; SameSite=Lax",
        "two=2; Path=/; HttpOnly; SameSite=Lax",
    ]


def test_a_path_beyond_ascii_is_intact(site, name):
    told = json.loads(site.ask(f"/probe/path/caf%C3%A9?name={name}").body)
    assert told["SCRIPT_NAME"] == ""
    assert told["PATH_INFO"].encode("latin-1").decode() == "/probe/path/café"
    assert unquote(site.line(name)["url.path"]) == "/probe/path/café"


def test_a_stream_arrives_piece_by_piece(site, name):
    with site.connect() as wire:
        site.send(wire, f"/probe/steps?name={name}")
        answer = wire.head()
        wire.socket.settimeout(2)
        for number in range(3):
            assert answer.readline() == f"piece {number}\n".encode()
            (site.kept / f"{name}-{number}").touch()


def test_a_client_that_leaves_is_logged_as_gone(site, name):
    leave(site, name)
    assert site.line(name)["aborted"] is True


def test_everything_is_closed_once_when_a_client_leaves(site, name):
    leave(site, name)
    closed = site.kept / f"{name}-closed"
    wait_until(closed.exists, site.patience)
    site.line(name)  # which is written when all is over
    assert closed.read_text() == "closed\n"


def leave(site, name):
    with site.connect() as wire:
        site.send(wire, f"/probe/endless?name={name}")
        assert wire.head().read(100_000) == bytes(100_000)


def test_a_request_leaves_one_line_with_status_and_bytes(site, name):
    reply = site.ask(f"/no-such-page?name={name}")
    line = site.line(name)
    assert line["http.response.status_code"] == reply.status == 404
    assert line["http.response.body.bytes"] == len(reply.body) > 0
    assert line["client.ip"] == "127.0.0.1"


def test_a_megabyte_is_uploaded(site):
    expected = f"{len(MEGABYTE)} {hashlib.sha256(MEGABYTE).hexdigest()}"
    assert site.ask("/probe/upload", method="POST", body=MEGABYTE).body.decode() == expected


def chunked(*chunks):
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def test_a_chunked_upload_arrives(site):
    reply = send_chunked(site)
    assert reply.body.decode() == f"11 {hashlib.sha256(b'hello world').hexdigest()}"


def test_a_chunked_upload_is_never_lost_in_silence(site):
    reply = send_chunked(site)
    assert reply.status in (411, 501) or reply.body.startswith(b"11 ")


def send_chunked(site):
    return site.ask("/probe/upload", "Transfer-Encoding: chunked", method="POST", body=chunked(b"hello ", b"world"))


def test_a_refusal_arrives_although_the_upload_was_not_read(site):
    for _ in range(3):
        assert site.ask("/api/me", method="POST", body=3 * MEGABYTE).status == 401


def test_too_large_a_form_is_refused_although_it_was_not_read(site):
    reply = site.ask(
        "/login", "Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin",
        method="POST", body=3 * MEGABYTE,
    )  # fmt: skip
    assert reply.status == 413


def test_an_error_before_the_first_byte_is_answered_and_logged(site, name):
    assert site.ask(f"/probe/fails?name={name}").status == 500
    line = site.line(name)
    assert line["http.response.status_code"] == 500
    assert line["error.type"] == "RuntimeError"


def test_an_error_after_the_first_byte_is_logged(site, name):
    with suppress(IncompleteRead, ConnectionResetError), broken(site, name) as answer:
        answer.read()
    line = site.line(name)
    assert line["http.response.status_code"] == 200
    assert line["error.message"] == "after the first byte"


def test_an_error_after_the_first_byte_does_not_look_like_a_whole_answer(site, name):
    with broken(site, name) as answer, pytest.raises((IncompleteRead, ConnectionResetError)):
        answer.read()


@contextmanager
def broken(site, name):
    """An answer of which the first piece has arrived, and no other will."""
    with site.connect() as wire:
        site.send(wire, f"/probe/breaks?name={name}")
        answer = wire.head()
        assert answer.readline() == b"one piece\n"
        (site.kept / f"{name}-0").touch()
        yield answer


def test_the_server_says_how_it_runs_the_application(site, row):
    told = json.loads(site.ask("/probe/told").body)
    assert Flags(*(bool(told[name]) for name in Flags._fields)) == ROWS[row].flags


def test_one_process_serves_or_one_for_each_request(site, row):
    processes = {json.loads(site.ask("/probe/told").body)["process"] for _ in range(3)}
    assert len(processes) in {ONE: [1], ONE_A_REQUEST: [3], SEVERAL: [1, 2, 3]}[ROWS[row].processes]


def test_the_host_is_the_one_that_the_client_has_asked_for(site):
    assert json.loads(site.ask("/probe/told").body)["HTTP_HOST"] == "localhost"


def test_an_encoded_slash_reaches_the_application(site):
    reply = site.ask("/probe/path/a%2Fb")
    assert reply.status == 200
    told = json.loads(reply.body)
    assert told["PATH_INFO"] in ("/probe/path/a/b", "/probe/path/a%2Fb")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
def test_a_method_reaches_the_application(site, method):
    assert json.loads(site.ask("/probe/told", method=method).body)["method"] == method


def test_five_megabytes_arrive(site):
    body = site.ask("/probe/large").body
    assert body == b"".join(bytes([number]) * 65536 for number in range(80))


def test_an_answer_to_head_has_the_fields_of_get_and_no_body(site):
    got = site.ask("/static/style.css")
    with site.connect() as wire:
        site.send(wire, "/static/style.css", method="HEAD")
        head, _, body = wire.everything().partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
    assert got.field("Content-Type").encode() in head
    assert body == b""


def test_a_page_that_has_not_changed_is_304_without_a_body(site):
    entity_tag = site.ask("/static/tagged").field("ETag")
    reply = site.ask("/static/tagged", f"If-None-Match: {entity_tag}")
    assert (reply.status, reply.body) == (304, b"")


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(site):
    with site.connect() as wire:
        site.send(wire, "/probe/upload", "Expect: 100-continue", "Content-Length: 5", method="POST")
        wire.socket.sendall(b"hello")  # as clients do that have waited for a second
        assert Reply(wire.head()).body.startswith(b"5 ")


def test_two_requests_at_once_are_answered_each_on_its_own(site):
    with ExitStack() as open_connections:
        under_way = []
        for _ in range(2):
            name = uuid.uuid4().hex
            wire = open_connections.enter_context(site.connect())
            site.send(wire, f"/probe/steps?name={name}")
            under_way.append((name, wire.head()))
        for number in range(3):
            for name, answer in under_way:
                assert answer.readline() == f"piece {number}\n".encode()
                (site.kept / f"{name}-{number}").touch()
