"""The table of spellings as bytes on the wire of real servers: what is closed stays closed, however they read them."""

from __future__ import annotations

from ast import literal_eval
from urllib.parse import quote

import pytest
from asking import ask
from auth.downstreams import place_of
from auth.guarded_site import BEHIND, LAYERS
from auth.spellings import METHODS, PATHS, RULES
from over_http import Reply, Wire
from servers.http_servers import SERVERS

pytestmark = pytest.mark.slow

CLOSED = {"A": {"/admin"}, "B": {"/admin", "/public"}}


def targets():
    """Each path with everything percent-encoded that may be, and as it is where a request line can hold it."""
    for path, _, _ in PATHS:
        yield quote(path.encode("latin-1"), safe="/")
        if path.isprintable() and " " not in path:
            yield path


@pytest.fixture(scope="module", params=SERVERS)
def port(request, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log"
    with SERVERS[request.param]("auth.guarded_site:application", log) as port:
        yield port


def answered(port, method, target, rules, behind):
    with Wire(port) as wire:
        wire.send(f"{method} {target} HTTP/1.1", f"X-Rules: {rules}", f"X-Behind: {behind}", "Connection: close")
        return Reply(wire.head(method))


def judged(port, method, target, rules, behind):
    """What is wrong with the answer; None where nothing is."""
    answer = answered(port, method, target, rules, behind)
    path = answer.field("X-Delivered-Path")
    if path is None:
        return None if answer.status >= 400 else "a page that nobody made"
    delivered = {
        "PATH_INFO": literal_eval(path),
        "SCRIPT_NAME": literal_eval(answer.field("X-Delivered-Script")),
        "REQUEST_METHOD": literal_eval(answer.field("X-Delivered-Method")),
    }
    expected = ask(LAYERS[rules, behind], **delivered).code
    shown = place_of(answer)
    if answer.status != expected or shown in CLOSED[rules]:
        return answer.status, expected, shown, delivered
    return None


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("rules", RULES)
def test_no_spelling_of_a_path_shows_what_is_closed(port, rules, behind):
    found = {target: judged(port, "GET", target, rules, behind) for target in targets()}
    assert {target: wrong for target, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("method", [method for method in METHODS if method])
def test_no_spelling_of_a_method_shows_what_is_closed(port, method):
    for rules in RULES:
        for behind in BEHIND:
            assert judged(port, method, "/admin", rules, behind) is None


def test_most_spellings_get_as_far_as_the_layer(port):
    arrived = [answered(port, "GET", target, "A", "Flask").field("X-Delivered-Path") for target in targets()]
    assert sum(path is not None for path in arrived) > len(arrived) / 2


def test_what_is_open_is_shown(port):
    for behind in BEHIND:
        assert place_of(answered(port, "GET", "/pub/x.txt", "B", behind)) == "/pub"
