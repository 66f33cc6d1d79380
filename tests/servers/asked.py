"""A site that runs, its clients, and the lines about them in its log: for the questions that every server is asked."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from over_http import PATIENCE, Reply, Wire
from servers.programs import wait_until

SHORT = 3  # seconds to wait for what is not expected to come
FORM = "Content-Type: application/x-www-form-urlencoded"


def basic(user, password):
    return "Authorization: Basic " + b64encode(f"{user}:{password}".encode()).decode()


ANN = basic("ann", "seven-green-apples")


class Asked:
    """A site that runs, as its clients see it.

    running: it answers at its `port`, and what its layers keep is in its folder `kept`.
    cannot: questions to which its answer is not the right one, with the reason.
    """

    def __init__(self, running, cannot):
        self.running = running
        self.kept = running.kept
        self.cannot = cannot
        self.patience = PATIENCE

    def connect(self):
        return Wire(self.running.port)

    def send(self, wire, target, *fields, method="GET", body=b""):
        if body and not any(field.startswith("Transfer-Encoding") for field in fields):
            fields = (*fields, f"Content-Length: {len(body)}")
        wire.socket.settimeout(self.patience)
        wire.send(f"{method} {target} HTTP/1.1", *fields, "Connection: close", body=body, host="localhost")

    def ask(self, target, *fields, method="GET", body=b""):
        """The whole answer to one request."""
        with self.connect() as wire:
            self.send(wire, target, *fields, method=method, body=body)
            return Reply(wire.head(method))

    def post(self, target, *fields, **form):
        return self.ask(target, FORM, *fields, method="POST", body=urlencode(form).encode())

    def lines(self, name):
        """The lines about requests that have this name in their query or in their User-Agent."""
        log = self.kept / "access.log"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [line for line in lines if name in f"{line.get('url.query')} {line.get('user_agent.original')}"]

    def line(self, name):
        """The one line about the request of that name."""
        wait_until(lambda: self.lines(name), self.patience)
        (line,) = self.lines(name)
        return line


class Browser:
    """A client that keeps cookies and sends forms."""

    def __init__(self, site):
        self._site = site
        self._cookies = {}

    def ask(self, target, **form):
        fields = ["Accept: text/html", "Sec-Fetch-Site: same-origin"]
        if self._cookies:
            fields.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self._cookies.items()))
        reply = self._site.post(target, *fields, **form) if form else self._site.ask(target, *fields)
        for line in reply.fields("Set-Cookie"):
            name, _, rest = line.partition("=")
            self._cookies[name] = rest.partition(";")[0]
            if "Max-Age=0" in line:
                del self._cookies[name]
        return reply


@pytest.fixture
def as_expected(request, site):
    """What a site cannot do must fail."""
    reason = site.cannot.get(request.node.originalname.removeprefix("test_"))
    site.patience = SHORT if reason else PATIENCE
    if reason:
        failure = (AssertionError, pytest.fail.Exception)
        request.node.add_marker(pytest.mark.xfail(reason=reason, raises=failure, strict=True))


@pytest.fixture
def name():
    """A name for one request, by which its line in the log is found."""
    return uuid.uuid4().hex
