"""What is stored, and what never (RFC 9111, sections 3 and 5.2)."""

from __future__ import annotations

import pytest
from cached_site import Site, stores

LATER = "Thu, 21 Sep 2056 00:00:00 GMT"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "FOO"])
def test_only_an_answer_to_get_is_stored(method):
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask(method=method)
    assert not site.is_hit()
    assert site.ask().body == b"answer 2"


def test_an_answer_that_says_nothing_of_freshness_is_not_stored():
    assert not stores()


@pytest.mark.parametrize(
    "code",
    [
        "200",
        "203",
        "204",
        "299",
        "301",
        "302",
        "303",
        "307",
        "308",
        "400",
        "404",
        "410",
        "499",
        "500",
        "502",
        "503",
        "504",
        "599",
    ],
)
def test_any_final_status_is_stored_where_it_is_declared_fresh(code):
    site = Site()
    site.answers("Cache-Control: max-age=60", status=f"{code} Reason")
    site.ask()
    hit = site.ask(at=1)
    assert site.calls == 1
    assert hit.status == f"{code} Reason"
    site.ask(at=60)
    assert site.calls == 2


@pytest.mark.parametrize("status", ["206 Partial Content", "304 Not Modified"])
def test_a_part_or_a_304_is_never_stored(status):
    assert not stores("Cache-Control: max-age=60", status=status)


def test_a_field_about_the_transfer_is_not_stored_with_the_answer():
    site = Site()
    site.answers("Cache-Control: max-age=60", "Transfer-Encoding: chunked")
    site.ask()
    assert site.ask().header("Transfer-Encoding") is None
    assert site.is_hit()


def test_a_body_that_the_application_framed_itself_is_not_stored():
    site = Site()
    site.answers("Cache-Control: max-age=60", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n")
    site.ask()
    assert not site.is_hit()


@pytest.mark.parametrize("code", ["400", "403", "404", "405", "413", "431", "500", "503"])
def test_an_error_without_freshness_is_not_stored_whatever_its_validators(code):
    site = Site()
    site.answers('ETag: "1"', f"Last-Modified: {LATER}", status=f"{code} Reason")
    site.ask()
    assert not site.validates()


@pytest.mark.parametrize(
    "fields",
    [
        ["Cache-Control: max-age=60", "Cache-Control: PRIVATE"],
        ["Cache-Control: nO-StOrE, max-age=60", f"Expires: {LATER}"],
        ["Cache-Control: max-age=60; no-store"],
        ["Cache-Control: max-age=60", "Cache-Control: No-Store"],
        ['Cache-Control: max-age=60, private="x-u"'],
        ["Cache-Control: private, public, s-maxage=60"],
        ['Cache-Control: max-age=60, x="abc'],
        ['Cache-Control: max-age=60, x="', 'Cache-Control: private"'],
        ["Cache-Control: max-age=60, must-understand=1, no-store"],
        ["Cache-Control: max-age=60, must-understand, no-store, private"],
        ["Cache-Control: max-age=60", "Set-Cookie: a=1"],
        ["Cache-Control: max-age=60, public", "set-cookie: a=1"],
        ["Cache-Control: max-age=60", "Vary: *"],
        ["Cache-Control: max-age=60", "X: a\r\nSet-Cookie: b=1"],
        ["Cache-Control: max-age=60", "X: a\x00"],
        ["Cache-Control: max-age=60", "Connection: cache-control"],
    ],
)
def test_what_must_not_be_stored_is_not(fields):
    assert not stores(*fields)


@pytest.mark.parametrize("status", ["200 OK\nSet-Cookie: a=1", "200 \r", "200 \0", "200 \u20ac"])
def test_a_status_that_is_no_line_passes_and_is_not_stored(status):
    site = Site()
    site.answers("Cache-Control: max-age=60", status=status)
    assert site.ask().status == status
    assert not site.is_hit()


def test_must_understand_forbids_to_store_an_unknown_status_and_allows_a_known_one():
    for control in ("max-age=60, must-understand", "no-store, max-age=60, must-understand"):
        assert not stores(f"Cache-Control: {control}", status="599 Odd")
        assert stores(f"Cache-Control: {control}")


@pytest.mark.parametrize(
    "control", ['x="a, no-store", max-age=60', 'foo, bar="x", max-age=60', "no-storely, max-age=60"]
)
def test_other_directives_do_not_keep_it_out(control):
    assert stores(f"Cache-Control: {control}")


def test_no_cache_is_stored_only_to_be_validated():
    site = Site()
    site.answers("Cache-Control: No-CaChE, max-age=60", 'ETag: "1"')
    site.ask()
    assert site.validates()
    assert not stores("Cache-Control: no-cache, max-age=60")


def test_a_hit_leaves_out_the_fields_that_no_cache_names():
    site = Site()
    site.answers('Cache-Control: no-cache="x-p, X-Q", max-age=60', "X-P: 1", "X-Q: 2", "X-R: 3")
    assert site.ask().header("X-P") == "1"
    hit = site.ask()
    assert [hit.header(name) for name in ("X-P", "X-Q", "X-R")] == [None, None, "3"]


CREDENTIALS = [
    {"headers": {"Authorization": "Basic YTpi"}},
    {"REMOTE_USER": "ada"},
    {"AUTH_TYPE": "Basic"},
]


@pytest.mark.parametrize("request_", CREDENTIALS)
def test_an_answer_to_credentials_is_kept_from_others(request_):
    site = Site()
    site.answers("Cache-Control: max-age=60")
    private = site.ask(**request_)
    assert site.ask().body != private.body


@pytest.mark.parametrize("request_", CREDENTIALS)
@pytest.mark.parametrize("directive", ["public", "s-maxage=60", "must-revalidate"])
def test_an_answer_to_credentials_is_stored_where_the_application_says_so(request_, directive):
    assert stores(f"Cache-Control: max-age=60, {directive}", request=request_)


@pytest.mark.parametrize("directive", ["public=1", "public x", "s-maxage", "s-maxage=a", "must-revalidate=0"])
def test_a_directive_that_opens_counts_only_as_it_should_be_written(directive):
    assert not stores(f"Cache-Control: max-age=60, {directive}", request={"REMOTE_USER": "ada"})


def test_a_user_whom_an_inner_layer_names_counts_as_credentials():
    def app(environ, start_response):
        environ["REMOTE_USER"] = "ada"
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [b"hello ada"]

    site = Site(app=app)
    assert "stored" not in site.ask().header("Cache-Status")
    assert "hit" not in site.ask().header("Cache-Status")


def test_a_request_with_a_cookie_needs_explicit_freshness():
    cookie = {"headers": {"Cookie": "a=1"}}
    site = Site()
    site.answers('ETag: "v1"')
    site.ask(**cookie)
    assert not site.validates(headers={"Cookie": "a=2"})
    assert not stores('ETag: "v1"', "Cache-Control: max-age=0", request=cookie)
    assert stores("Cache-Control: max-age=60", request=cookie)
    assert stores(f"Expires: {LATER}", request=cookie)


def test_a_request_with_a_cookie_does_not_validate_what_was_never_declared_fresh():
    site = Site()
    site.answers('ETag: "v1"')
    site.ask()
    assert not site.validates(headers={"Cookie": "a=2"})


def test_a_request_with_a_cookie_may_be_answered_by_what_was_stored_without():
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask()
    assert site.is_hit(headers={"Cookie": "a=1"})


def test_fields_of_the_connection_are_not_stored_and_repeated_lines_keep_their_order():
    site = Site()
    site.answers("Cache-Control: max-age=60", "Connection: X-A", "X-A: 1", "X-B: 1", "Keep-Alive: 5", "x-b: 2")
    site.ask()
    hit = site.ask()
    assert hit.all("X-B") == ["1", "2"]
    assert not {"connection", "x-a", "keep-alive"} & {name.lower() for name, _ in hit.headers}


def test_a_request_with_no_store_is_answered_from_the_store_but_not_stored():
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask(headers={"Cache-Control": "No-Store"})
    assert not site.is_hit()
    assert site.is_hit(headers={"Cache-Control": "no-store"})


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": {"If-Match": '"x"'}},
        {"headers": {"If-Unmodified-Since": LATER}},
        {"headers": {"X-HTTP-Method-Override": "DELETE"}},
        {"headers": {"X-HTTP-Method": "DELETE"}},
        {"headers": {"X-Method-Override": "DELETE"}},
        {"headers": {"X-Original-URL": "/evil"}},
        {"headers": {"X-Rewrite-URL": "/evil"}},
        {"body": b"x=evil"},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"CONTENT_LENGTH": "abc"},
        {"CONTENT_LENGTH": "-5"},
        {"CONTENT_LENGTH": "5, 6"},
    ],
)
def test_a_request_that_is_more_than_its_url_is_neither_stored_nor_answered_from_the_store(request_):
    site = Site()
    site.answers("Cache-Control: max-age=60")
    assert "fwd=bypass" in site.ask(**request_).header("Cache-Status")
    assert not site.is_hit()
    assert not site.is_hit(**request_)
    assert site.is_hit()


@pytest.mark.parametrize("length", ["", "0", "00"])
def test_a_get_that_is_said_to_have_no_body_has_none(length):
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask(CONTENT_LENGTH=length)
    assert site.is_hit(CONTENT_LENGTH=length)


def test_the_answer_that_the_application_gives_to_a_precondition_passes():
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask()
    site.answers("Cache-Control: max-age=60", status="412 Precondition Failed")
    assert site.ask(headers={"If-Match": '"x"'}).code == 412
    assert site.is_hit()
