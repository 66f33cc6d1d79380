"""The script of examples/deploy, run as a web server would run it (RFC 3875): environment in, document out."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from deployment.site import APPLICATION
from servers.deployed import DEPLOY, SOURCES

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path):
    """Run the script once; what it printed, as (fields, body)."""
    script = (DEPLOY / "app.cgi").read_text().replace("/srv/site", str(tmp_path))
    (tmp_path / "app.cgi").write_text(script)
    (tmp_path / "wsgi.py").write_text(f"import sys\n\nsys.path[:0] = {SOURCES!r}\n\n{APPLICATION}")

    def run(path, body=b"", **environ):
        given = {
            "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost",
            "SERVER_PORT": "80", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
            "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "PATH": os.environ["PATH"],
        } | environ  # fmt: skip
        done = subprocess.run(
            [sys.executable, tmp_path / "app.cgi"], env=given, input=body, capture_output=True, timeout=60, check=True
        )
        head, _, document = done.stdout.partition(b"\r\n\r\n")
        return dict(line.split(": ", 1) for line in head.decode().split("\r\n")), document

    run.log = tmp_path / "data" / "access.log"
    return run


def test_a_page_is_printed_and_leaves_a_line(run):
    fields, body = run("/")
    assert fields["Status"] == "200 OK"
    assert b"Reference app" in body
    (line,) = run.log.read_text().splitlines()
    assert json.loads(line)["http.response.body.bytes"] == len(body)


def test_the_next_process_finds_the_page_that_the_one_before_has_stored(run):
    assert "fwd=uri-miss" in run("/clock")[0]["Cache-Status"]
    assert "hit" in run("/clock")[0]["Cache-Status"]


def test_a_body_ends_with_its_length_and_not_with_standard_input(run):
    _, body = run("/probe/upload", b"twelve bytes, and more", REQUEST_METHOD="POST", CONTENT_LENGTH="12")
    assert body.startswith(b"12 ")
