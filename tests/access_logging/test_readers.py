"""What hostile requests leave in the log is read, whole and as it was sent, by the programs that read logs."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import NamedTuple

import pytest
from access_logging.hostile_requests import ENTRIES, FORGED, REQUESTS, SECRET, VALUES, Hostile
from access_logging.readers import (
    LINES,
    READERS,
    entry_of,
    goaccess_by_names,
    lars,
    lnav,
    logresolve,
    rows_of_lnav,
    rsyslog,
)
from access_logging.written_in_all_forms import FORMS, believing, written
from asking import call, make_environ
from conftest import program
from over_http import PATIENCE
from servers.http_servers import SERVERS

from middleware.logging import ApacheFormat, LoggingMiddleware

pytestmark = pytest.mark.slow

NO_SERVER = "no server"

# What these two refuse in Apache's own lines too: a referrer that is no URL, and a method that is no token.
OF_THEIR_OWN = {lars: {"quotes in the referrer", "a method with quotes"}, lnav: {"a method with quotes"}}


class Logs(NamedTuple):
    """The requests that reached the application, and the lines that they left in each format."""

    reached: list[Hostile]
    lines: dict[str, list[str]]


@pytest.fixture(scope="module", params=["waitress", "cheroot", "gunicorn", "uwsgi", NO_SERVER])
def logs(request, tmp_path_factory):
    """All of the requests in turn, each on a connection of its own, to a real server; or all of them by WSGI alone."""
    folder = tmp_path_factory.mktemp("logs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOGS", str(folder))
        if request.param == NO_SERVER:
            reached = [hostile for hostile in REQUESTS if call(written(str(folder)), hostile.environ()).code == 200]
        else:
            with SERVERS[request.param]("access_logging.written_in_all_forms:application", folder / "server") as port:
                reached = [hostile for hostile in REQUESTS if b"hello\n" in answer_to(hostile, port)]
    assert len(reached) >= (len(REQUESTS) if request.param == NO_SERVER else 17)
    texts = {form: (folder / form).read_text("ascii") for form in FORMS}
    assert all(text.endswith("\n") for text in texts.values())
    return Logs(reached, {form: text.removesuffix("\n").split("\n") for form, text in texts.items()})


def answer_to(hostile, port):
    """What a server says; one that refuses may close before it has read all."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as wire:
        wire.sendall(hostile.on_the_wire())
        try:
            while part := wire.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
    return answer


@pytest.mark.parametrize("form", FORMS)
def test_a_request_leaves_one_line_of_printable_ascii(logs, form):
    lines = logs.lines[form]
    assert len(lines) == len(logs.reached)
    assert all(line.isprintable() and len(line) <= 4093 for line in lines)


def test_what_is_secret_is_in_no_line(logs):
    assert not [line for lines in logs.lines.values() for line in lines if SECRET in line]


@pytest.mark.parametrize(
    ("reader", "form"),
    [(reader, form) for reader, forms in READERS.items() for form in forms],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_line_is_accepted(logs, reader, form, tmp_path):
    refused = OF_THEIR_OWN.get(reader, ())
    lines = [line for hostile, line in zip(logs.reached, logs.lines[form], strict=True) if hostile.name not in refused]
    verdict = reader(lines, form, tmp_path)
    assert verdict.accepted == len(lines), verdict.said


@pytest.mark.parametrize("form", LINES)
def test_the_very_bytes_come_back(logs, form):
    for hostile, line in zip(logs.reached, logs.lines[form], strict=True):
        entry = entry_of(line, form)
        assert (entry.remote_host, entry.final_status, entry.bytes_sent) == ("127.0.0.1", 200, 6)
        user, request_line, referrer, agent = hostile.facts()
        assert (entry.remote_user, entry.request_line) == (user, request_line)
        if form != "common":
            assert entry.headers_in["Referer"] == referrer
            assert is_what_was_sent(entry.headers_in["User-Agent"], agent)


def is_what_was_sent(shown, agent):
    # A server may make a blank of the end of a line that is folded, or drop what stands before it (RFC 9112, 5.2).
    return shown == agent or ("\r\n " in agent and shown.endswith(FORGED) and "\n" not in shown)


def test_every_line_of_json_says_what_was_sent(logs):
    for hostile, entry in zip(logs.reached, by_jq(logs.lines["json"]), strict=True):
        user, request_line, referrer, agent = (
            text and text.encode("latin-1").decode("utf-8", "backslashreplace") for text in hostile.facts()
        )
        target = entry["url.path"] + (f"?{entry['url.query']}" if "url.query" in entry else "")
        assert f"{entry['http.request.method']} {target} HTTP/{entry['http.version']}" == request_line
        assert (entry.get("user.name"), entry["http.request.referrer"]) == (user, referrer)
        assert is_what_was_sent(entry["user_agent.original"], agent)
        assert (entry["client.ip"], entry["http.response.status_code"]) == ("127.0.0.1", 200)
        assert entry["http.response.body.bytes"] == 6


def by_jq(lines):
    command = [program("jq"), "-e", "-a", "-c", "."]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True, timeout=PATIENCE)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("form", LINES)
def test_lnav_finds_the_fields(logs, form, tmp_path):
    rows = rows_of_lnav(logs.lines[form], tmp_path)
    for hostile, line, row in zip(logs.reached, logs.lines[form], rows, strict=True):
        if hostile.name in OF_THEIR_OWN[lnav]:
            continue
        assert (row["c_ip"], row["cs_method"]) == ("127.0.0.1", hostile.method)
        assert (row["sc_status"], row["sc_bytes"]) == (200, 6)
        assert row["cs_username"] == line.split(" ")[2]


def test_all_formats_agree_on_the_request_and_one_request_has_one_id(logs):
    ids = [line.split(" ")[-2] for line in logs.lines["extended"]]
    assert ids == [json.loads(line)["request_id"] for line in logs.lines["json"]]
    assert len(set(ids)) == len(logs.reached)
    for extended, combined in zip(logs.lines["extended"], logs.lines["combined"], strict=True):
        assert extended.startswith(combined)


def left_by(environs, form):
    lines = []
    layer = LoggingMiddleware(believing, format=FORMS.get(form, form), sink=lines.append)
    for environ in environs:
        call(layer, environ)
    assert len(lines) == len(environs)
    return lines


# However it is written, what is no method, protocol or address is none to some readers; and one has an opinion on
# referrers, another on paths.
TEXTS = [entry for entry in ENTRIES if entry not in ("REQUEST_METHOD", "SERVER_PROTOCOL", "REMOTE_ADDR")]
NOT_FOR = {lars: "HTTP_REFERER", goaccess_by_names: "PATH_INFO"}


def with_value(entry, value):
    return make_environ(**{"REQUEST_URI": None, entry: f"/{value}" if entry == "PATH_INFO" else value})


def each_reader(*readers):
    """Each with the format that has most in its lines."""
    forms = [(reader, READERS[reader][-1]) for reader in readers]
    return pytest.mark.parametrize(("reader", "form"), forms, ids=lambda value: getattr(value, "__name__", value))


@each_reader(*READERS)
def test_every_value_in_every_place_is_accepted(reader, form, tmp_path):
    places = [entry for entry in TEXTS if entry != NOT_FOR.get(reader)]
    environs = [with_value(entry, value) for value in VALUES for entry in places]
    lines = left_by(environs, form)
    verdict = reader(lines, form, tmp_path)
    assert verdict.accepted == len(lines), verdict.said


# logresolve would ask the name servers for it.
@each_reader(*(reader for reader in READERS if "extended" in READERS[reader] and reader is not logresolve))
def test_a_request_without_an_address_is_accepted_where_it_is_given_one(reader, form, tmp_path):
    form = ApacheFormat("extended", missing_address="0.0.0.0")
    lines = left_by([make_environ(REMOTE_ADDR=value) for value in ("", "unix:", *VALUES)], form)
    verdict = reader(lines, "extended", tmp_path)
    assert verdict.accepted == len(lines), verdict.said


# One takes 4096 bytes of a line, and those of JSON may be longer.
@each_reader(*(reader for reader in READERS if reader is not goaccess_by_names))
def test_the_longest_line_is_accepted(reader, form, tmp_path):
    """One reader drops a line of 4095 bytes, another makes two of one of 4097."""
    bad = "\xff" * 4096
    long = [
        {"REQUEST_URI": f"/{bad}", "HTTP_USER_AGENT": bad, "HTTP_REFERER": f"http://a.example/{bad}"},
        {"REQUEST_URI": f"/?{'x' * 4096}", "HTTP_USER_AGENT": "x" * 4096, "HTTP_REFERER": f"/{'x' * 4096}"},
    ]
    lines = left_by([make_environ(**environ) for environ in long for _ in range(3)], form)
    assert form not in LINES or max(map(len, lines)) == 4093
    verdict = reader(lines, form, tmp_path)
    assert verdict.accepted == len(lines), verdict.said


# Two take any line.
@each_reader(*(reader for reader in READERS if reader not in (logresolve, rsyslog)))
def test_the_readers_refuse_what_a_line_feed_does_to_a_careless_log(reader, form, tmp_path):
    good, other = left_by([make_environ(), make_environ()], form)
    verdict = reader([good, other[:40], other[40:], good], form, tmp_path)
    assert verdict.accepted == 2, verdict.said
