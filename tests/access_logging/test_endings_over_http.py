"""Answers end as real servers end them, and each leaves its one line."""

from __future__ import annotations

import pytest
from over_http import Wire
from servers.http_servers import SERVERS
from servers.programs import wait_until

pytestmark = pytest.mark.slow

LINES = [
    "GET /a_file 200 300000 - -",
    "GET /a_list 200 5 - -",
    "GET /a_stream 200 5 - -",
    "GET /written 200 5 - -",
    "GET /nothing 204 0 - -",
    "GET /replaced 503 4 - -",
    "GET /failed 500 0 - LookupError",
    "GET /failed_late 200 5 - LookupError",
]


@pytest.fixture(params=SERVERS)
def logged(request, tmp_path, monkeypatch):
    """The name of a server, its port, and a function that reads its log."""
    log = tmp_path / "access.log"
    monkeypatch.setenv("LOG", str(log))
    with SERVERS[request.param]("access_logging.ending_site:application", tmp_path / "server") as port:
        yield request.param, port, lambda: log.read_text().splitlines() if log.exists() else []


def test_each_answer_leaves_its_line_with_the_bytes_that_arrived(logged):
    server, port, lines = logged
    for expected in LINES:
        method, path, *_ = expected.split()
        if (server, path) == ("uwsgi", "/replaced"):  # its start_response() takes exc_info for an error of its own
            continue
        before = len(lines())
        with Wire(port) as wire:
            wire.send(f"{method} {path} HTTP/1.1", "Connection: close")
            wire.everything()
        wait_until(lambda before=before: len(lines()) > before)
        assert lines()[before:] == [expected]


def test_a_client_that_leaves_is_marked(logged):
    _, port, lines = logged
    with Wire(port) as wire:
        wire.send("GET /endless HTTP/1.1", "Connection: close")
        assert len(wire.head().read(200_000)) == 200_000
    wait_until(lines)
    (line,) = lines()
    method, path, status, sent, *end = line.split()
    assert (method, path, status, end) == ("GET", "/endless", "200", ["X", "-"])
    assert int(sent) >= 200_000
