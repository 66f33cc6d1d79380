"""The small sites of examples/frameworks in their layers, each asked the same on each of its servers."""

from __future__ import annotations

from html import escape
from urllib.parse import unquote

import pytest
from frameworks.sites import SITES, require, started
from servers.asked import ANN, Asked, Browser, basic

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_expected")]


def called(name):
    return f"User-Agent: {name}"


@pytest.fixture(scope="module", params=SITES)
def site(request, tmp_path_factory):
    site = SITES[request.param]
    require(site)
    with started(site, tmp_path_factory.mktemp(request.param)) as running:
        yield Asked(running, site.cannot)


def test_a_page_is_made_once_for_all(site):
    site.ask("/")
    made = site.ask("/")  # whoever asks again waits until it is kept
    again = site.ask("/")
    assert again.status == 200
    assert again.body == made.body != b""
    assert "hit" in again.field("Cache-Status")


def test_the_session_counts_the_visits_of_each_browser(site):
    browser = Browser(site)
    told = [browser.ask("/count").body.decode() for _ in range(3)]
    assert told == ["Visit number 1.", "Visit number 2.", "Visit number 3."]
    assert Browser(site).ask("/count").body == b"Visit number 1."


def test_the_cookies_of_the_application_and_of_the_session_arrive(site):
    reply = site.ask("/count")
    assert {line.partition("=")[0] for line in reply.fields("Set-Cookie")} == {"counted", "id"}


def test_a_program_comes_in_with_a_password_and_the_framework_knows_its_name(site):
    reply = site.ask("/private", ANN)
    assert (reply.status, reply.body) == (200, b"For ann alone.")
    assert "private" in reply.field("Cache-Control")


def test_a_person_comes_in_with_a_form_and_the_session_knows_them(site):
    browser = Browser(site)
    assert browser.ask("/private").status == 302
    browser.ask("/count")
    welcome = browser.ask("/login", username="ann", password="seven-green-apples", next="/private")
    assert (welcome.status, welcome.field("Location")) == (303, "/private")
    assert browser.ask("/private").body == b"For ann alone."
    assert browser.ask("/count").body == b"Visit number 2."


def test_nobody_else_comes_in(site):
    for fields in ([], [basic("ann", "seven-red-apples")], [basic("bob", "seven-green-apples")]):
        reply = site.ask("/private", *fields)
        assert reply.status == 401
        assert any("Basic" in challenge for challenge in reply.fields("WWW-Authenticate"))
        assert b"ann" not in reply.body


@pytest.mark.parametrize(
    "path", ["//private", "/./private", "/café/../private", "/%70rivate", "/private/", "/private/%2e%2e/"]
)
def test_no_other_spelling_of_the_path_comes_in(site, path):
    reply = site.ask(path.replace("é", "%C3%A9"))
    assert b"alone" not in reply.body


def test_a_request_leaves_one_line_with_user_status_and_bytes(site, name):
    reply = site.ask("/private", ANN, called(name))
    line = site.line(name)
    assert line["user.name"] == "ann"
    assert line["http.response.status_code"] == 200
    assert line["http.response.body.bytes"] == len(reply.body)
    assert line["client.ip"] == "127.0.0.1"


def test_a_page_that_is_not_there_is_told_of_by_the_framework_and_logged(site, name):
    reply = site.ask("/nowhere", called(name))
    assert reply.status == site.line(name)["http.response.status_code"] == 404


def test_a_stream_arrives_piece_by_piece(site):
    with site.connect() as wire:
        site.send(wire, "/stream?most=1000000")
        answer = wire.head()
        assert [answer.readline() for _ in range(3)] == [b"tick 1\n", b"tick 2\n", b"tick 3\n"]


def test_a_stream_arrives_whole(site, name):
    reply = site.ask("/stream?most=5", called(name))
    assert reply.body == b"tick 1\ntick 2\ntick 3\ntick 4\ntick 5\n"
    assert site.line(name)["http.response.body.bytes"] == len(reply.body)


def test_a_stream_ends_when_its_client_leaves(site, name):
    with site.connect() as wire:
        site.send(wire, "/stream?most=1000000", called(name))
        wire.head().readline()
    assert site.line(name)["aborted"] is True


def test_a_path_beyond_ascii_is_intact(site, name):
    reply = site.ask("/caf%C3%A9/cr%C3%A8me", called(name))
    assert reply.body.decode().startswith("crème, made at")
    assert unquote(site.line(name)["url.path"]) == "/café/crème"
    assert site.ask("/caf%C3%A9/cr%C3%A8me").body == reply.body  # of the cache


def test_a_form_arrives(site):
    text = "naïve <b>café</b> " * 2000
    reply = site.post("/echo", text=text)
    is_html = "html" in reply.field("Content-Type")
    assert reply.body.decode() == "You wrote: " + (escape(text) if is_html else text)


def test_an_error_of_the_application_is_answered_and_logged(site, name):
    reply = site.ask("/error", called(name))
    assert reply.status == site.line(name)["http.response.status_code"] == 500
    assert reply.field("Content-Type").startswith(("text/", "application/json"))
    assert b"Traceback" not in reply.body


def test_a_head_has_no_body(site):
    reply = site.ask("/count", method="HEAD")
    assert (reply.status, reply.body) in [(200, b""), (405, b"")]
