"""Cache-Status says why the application was asked and why its answer is not stored, in words that the docs explain."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from cached_site import START, Site

from middleware import CacheKeys, CachePolicy, MemoryStore
from middleware.errors import StoreError
from middleware.headers import http_date

ROOT = Path(__file__).parents[2]
FRESH = "Cache-Control: max-age=60"


class Broken(MemoryStore):
    def get(self, key):
        raise StoreError("down")


def raises(environ):
    raise LookupError("no tenant")


ANSWERS = [
    ("no-freshness", [], {}, {}),
    ("no-freshness", ["Cache-Control: public"], {}, {}),
    ("no-freshness", [f"Last-Modified: {http_date(START)}"], {"status": "404 Not Found"}, {}),
    ("expired", ["Cache-Control: max-age=0"], {}, {}),
    ("no-store", ["Cache-Control: no-store"], {}, {}),
    ("private", ["Cache-Control: private, max-age=60"], {}, {}),
    ("set-cookie", [FRESH, "Set-Cookie: a=1"], {}, {}),
    ("set-cookie", ["Cache-Control: max-age=0", "Set-Cookie: a=1"], {}, {"policy": "conformance"}),
    ("vary", [FRESH, "Vary: a b"], {}, {}),
    ("vary-star", [FRESH, "Vary: *"], {}, {}),
    ("must-understand", ["Cache-Control: max-age=60, must-understand"], {"status": "599 Odd"}, {}),
    ("unreadable", ['Cache-Control: max-age=60, x="'], {}, {}),
    ("unreadable", [FRESH, "Content-Length: ten"], {}, {}),
    ("unreadable", [FRESH, "X-A: 1\r\n2"], {}, {}),
    ("too-large", [FRESH, "Content-Length: 9"], {"body": b"123456789"}, {"max_object": 8}),
    ("tags", [FRESH, f"Cache-Tag: {'t' * 257}"], {}, {}),
    ("status", ["Cache-Control: max-age=60"], {"status": "304 Not Modified"}, {}),
    ("partial", [FRESH, "Content-Range: bytes 0-0/9"], {"status": "206 Partial Content"}, {}),
]


@pytest.mark.parametrize(("word", "fields", "given", "options"), ANSWERS)
def test_an_answer_that_is_not_stored_says_what_is_in_the_way(word, fields, given, options):
    site = Site(**options)
    site.answers(*fields, **given)
    assert said(site.ask()) == ("uri-miss", word)
    assert not site.is_hit()


REQUESTS = [
    ("uri-miss", "authorization", {"headers": {"Authorization": "Basic eDp5"}}, {}),
    ("uri-miss", "no-store", {"headers": {"Cache-Control": "no-store"}}, {}),
    ("uri-miss", "host", {"headers": {"Host": "LOCALHOST"}}, {}),
    ("bypass", "host", {"headers": {"Host": "a, b"}}, {}),
    ("bypass", "host", {}, {"keys": CacheKeys(allowed_hosts=["www.example.com"])}),
    ("bypass", "target", {"REQUEST_URI": "http://elsewhere.example/a", "headers": {"Host": "localhost"}}, {}),
    ("bypass", "body", {"body": b"fat"}, {}),
    ("bypass", "transfer-encoding", {"headers": {"Transfer-Encoding": "chunked"}}, {}),
    ("bypass", "precondition", {"headers": {"If-Match": '"1"'}}, {}),
    ("bypass", "method-override", {"headers": {"X-HTTP-Method-Override": "DELETE"}}, {}),
    ("bypass", "url-override", {"headers": {"X-Original-URL": "/b"}}, {}),
    ("bypass", "unkeyed", {"headers": {"X-A": "1"}}, {"keys": CacheKeys(unkeyed={"x-a": "bypass"})}),
    ("bypass", "extra", {}, {"keys": CacheKeys(extra=raises)}),
    ("bypass", "session", {"middleware.identity": "somebody"}, {}),
    ("uri-miss", "store", {}, {"store": Broken()}),
    ("method", None, {"method": "OPTIONS"}, {}),
    ("method", None, {"method": "POST"}, {}),
]


@pytest.mark.parametrize(("reason", "word", "request_", "options"), REQUESTS)
def test_a_request_whose_answer_is_not_stored_says_why(reason, word, request_, options):
    site = Site(**options)
    site.answers(FRESH)
    assert said(site.ask(**request_)) == (reason, word)
    assert not site.is_hit(**request_)


def test_an_answer_to_a_cookie_says_that_the_cookie_is_in_the_way():
    site = Site()
    site.answers('ETag: "1"')
    assert said(site.ask(headers={"Cookie": "a=1"})) == ("uri-miss", "cookie")


def test_an_answer_for_which_the_session_was_looked_at_says_so():
    def app(environ, start_response):
        environ["middleware.identity"] = "somebody"
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [b"hello"]

    assert said(Site(app=app).ask()) == ("uri-miss", "session")


def test_an_answer_about_a_range_says_that_it_may_be_about_that_alone():
    site = Site()
    site.answers(FRESH, status="416 Range Not Satisfiable")
    assert said(site.ask(headers={"Range": "bytes=9-"})) == ("uri-miss", "range")


def test_a_stale_answer_in_the_place_of_a_failure_says_so():
    site = Site()
    site.answers(FRESH)
    site.ask()
    site.fails()
    assert said(site.ask(at=70)) == ("stale", "failure")


def test_a_request_for_nothing_but_what_is_stored_is_told_that_nothing_is():
    answer = Site().ask(headers={"Cache-Control": "only-if-cached"})
    assert said(answer) == (None, "only-if-cached")


def test_what_is_fresh_and_asked_for_anew_was_asked_for_by_the_request():
    site = Site(policy=CachePolicy(honour_reload=True))
    site.answers(FRESH, 'ETag: "1"')
    site.ask()
    for control in ("no-cache", "max-age=0", "min-fresh=90"):
        assert said(site.ask(headers={"Cache-Control": control})) == ("request", None)
    assert said(site.ask(at=70)) == ("stale", None)


def test_a_guess_is_not_used_for_a_request_that_says_who_asks():
    site = Site()
    site.answers(f"Last-Modified: {http_date(START - 86400)}")
    site.ask()
    assert said(site.ask(headers={"Cookie": "a=1"})) == ("request", "cookie")


def test_another_variant_is_a_miss_of_the_variant():
    site = Site()
    site.answers(FRESH, "Vary: X-A")
    site.ask()
    assert said(site.ask(headers={"X-A": "1"})) == ("vary-miss", None)


def test_the_docs_explain_every_word_that_can_be_sent_and_no_other():
    """Every word is sent in a test here, and the type checkers let nothing else be sent."""
    sent = {word for word, *_ in ANSWERS} | {word for _, word, *_ in REQUESTS if word}
    sent |= {"cookie", "range", "failure", "only-if-cached"}
    assert explained("| `detail=` |") == vocabulary("Detail") == sent


def test_the_docs_explain_every_reason_for_asking_the_application_and_no_other():
    sent = {"uri-miss", "vary-miss", "stale", "request", "method", "bypass"}
    assert explained("| `fwd=` |") == vocabulary("Reason") == sent


def said(answer):
    """The reason for asking the application, and the detail."""
    field = answer.header("Cache-Status")
    return tuple(found[1] if (found := re.search(f"; {name}=([a-z-]+)", field)) else None for name in ("fwd", "detail"))


def explained(head):
    """The words in the first column of the docs' table that begins so."""
    page = (ROOT / "docs" / "caching.md").read_text(encoding="utf-8")
    rows = page.partition(head)[2].partition("\n\n")[0].splitlines()[2:]
    words = [row.split("|")[1].strip(" `") for row in rows]
    assert len(words) == len(set(words))
    return set(words)


def vocabulary(name):
    """The words of the Literal of this name in the source."""
    for path in (ROOT / "src" / "middleware" / "caching").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                return {word.value for word in ast.walk(node.value) if isinstance(word, ast.Constant)}
    raise AssertionError(f"nothing is called {name}")
