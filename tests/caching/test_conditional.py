"""ETag and 304 for applications that send none."""

from __future__ import annotations

import sys

import pytest
from asking import ask, call, make_environ
from hypothesis import given
from hypothesis import strategies as st
from wsgi_layers import PLAIN, Body, Ends, Watches, answering, no_garbage

from middleware import CacheMiddleware, ConditionalMiddleware, MemoryStore, Response, SessionMiddleware, get_session
from middleware.caching.conditional import read, tag_of
from middleware.errors import ConfigurationError
from middleware.testing import serve
from middleware.testing.witness import Bug
from middleware.wsgi import forward

DATE = "Thu, 21 Sep 2017 00:00:00 GMT"
LATER = "Thu, 21 Sep 2017 00:00:01 GMT"
EARLIER = "Wed, 20 Sep 2017 23:59:59 GMT"


def page(*fields, body=b"a page", status="200 OK"):
    """A site with the layer, whose answers are handed over whole."""
    return ConditionalMiddleware(answering([body], status, [*PLAIN, *fields]))


def sized(body, length=6):
    """A site whose body is this iterable, with a Content-Length, as frameworks give it."""
    return ConditionalMiddleware(answering(body, headers=[*PLAIN, ("Content-Length", str(length))]))


def tag(chunks, fields):
    return tag_of(chunks, read(fields))


# Entity tags.


def test_an_answer_gets_a_strong_etag_and_who_sends_it_back_gets_304():
    site = page()
    first = ask(site)
    etag = first.header("ETag")
    assert (first.code, first.body) == (200, b"a page")
    assert etag[0] == etag[-1] == '"'
    again = ask(site, headers={"If-None-Match": etag})
    assert (again.status, again.body) == ("304 Not Modified", b"")
    assert again.header("ETag") == etag


def test_another_body_has_another_etag():
    etag = ask(page()).header("ETag")
    site = page(body=b"another page")
    assert ask(site).header("ETag") != etag
    answer = ask(site, headers={"If-None-Match": etag})
    assert (answer.code, answer.body) == (200, b"another page")


@pytest.mark.parametrize(
    "field", [("Content-Encoding", "gzip"), ("Content-Language", "de"), ("Content-Type", "text/html")]
)
def test_the_same_bytes_that_mean_something_else_have_another_etag(field):
    assert tag([b"a"], [field]) != tag([b"a"], [])
    assert tag([b"a"], [field]) == tag([b"a"], [("Date", "today"), (field[0].upper(), field[1])])


@given(st.lists(st.binary()), st.lists(st.binary()))
def test_tags_are_equal_where_the_bytes_are(one, other):
    equal = b"".join(one) == b"".join(other)
    assert (tag(one, PLAIN) == tag(other, PLAIN)) is equal


describing = st.lists(st.tuples(st.sampled_from(["Content-Type", "Content-Encoding", "Content-Language"]), st.text()))


@given(describing, describing)
def test_tags_are_equal_where_the_fields_say_the_same(one, other):
    def said(fields):
        return [
            [value for name, value in fields if name == wanted]
            for wanted in ("Content-Type", "Content-Encoding", "Content-Language")
        ]

    made = tag([b"a"], one)
    assert made.isascii()
    assert made.isalnum()
    assert (made == tag([b"a"], other)) is (said(one) == said(other))


def test_a_weak_etag_is_weak_and_found_again_all_the_same():
    site = ConditionalMiddleware(answering([b"a page"]), weak=True)
    etag = ask(site).header("ETag")
    assert etag.startswith('W/"')
    for sent in (etag, etag.removeprefix("W/")):
        assert ask(site, headers={"If-None-Match": sent}).code == 304


@pytest.mark.parametrize("body", [[b"a page"], (b"a ", b"page"), [b"", b"a page"], [b"a pag", b"", b"e"]])
def test_a_list_is_whole_however_it_is_cut(body):
    answer = ask(ConditionalMiddleware(answering(body)))
    assert answer.header("ETag") == ask(page()).header("ETag")
    assert answer.body == b"a page"


def test_an_empty_page_has_an_etag_too():
    assert ask(ConditionalMiddleware(answering([]))).header("ETag") == ask(page(body=b"")).header("ETag") is not None


@pytest.mark.parametrize("body", [[b"a page"], (b"a", b"b"), Body(), iter([b"a"])])
def test_a_body_goes_on_as_the_object_it_is(body):
    assert ConditionalMiddleware(answering(body))(make_environ(), lambda *head: None) is body


# What has no ETag.


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], "404 Not Found"),
        ([], "201 Created"),
        ([("Content-Range", "bytes 0-5/10")], "206 Partial Content"),
        ([("Content-Range", "bytes 0-5/10")], "200 OK"),
        ([("Accept-Ranges", "bytes")], "200 OK"),
        ([("Cache-Control", "no-store")], "200 OK"),
        ([("Cache-Control", "max-age=60"), ("cache-control", "No-Store")], "200 OK"),
        ([("Cache-Control", 'max-age=60, a="b')], "200 OK"),
        ([("Set-Cookie", "a=1")], "200 OK"),
        ([("Content-Length", "5")], "200 OK"),
        ([("Content-Length", "7")], "200 OK"),
        ([("Content-Length", "six")], "200 OK"),
    ],
)
def test_an_answer_that_is_left_alone(fields, status):
    site = page(*fields, status=status)
    for headers in ({}, {"If-None-Match": ask(page()).header("ETag")}, {"If-None-Match": "*"}):
        answer = ask(site, headers=headers)
        assert answer.status == status
        assert answer.headers == [*PLAIN, *fields]
        assert answer.body == b"a page"


@pytest.mark.parametrize("field", [("Cache-Control", "private, max-age=60"), ("Vary", "*"), ("Pragma", "no-cache")])
def test_an_answer_that_a_client_may_keep_has_one(field):
    assert ask(page(field)).header("ETag") is not None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get"])
def test_answers_to_other_methods_are_left_alone(method):
    etag = ask(page()).header("ETag")
    answer = ask(page(), method=method, headers={"If-None-Match": etag})
    assert (answer.code, answer.headers, answer.body) == (200, PLAIN, b"a page")


def test_head_has_no_etag_of_its_own_but_304_by_that_of_the_application():
    assert ask(page(body=b""), method="HEAD").header("ETag") is None
    assert ask(page(body=b""), method="HEAD", headers={"If-None-Match": ask(page()).header("ETag")}).code == 200
    site = page(("ETag", '"of the application"'))
    answer = ask(site, method="HEAD", headers={"If-None-Match": '"of the application"'})
    assert (answer.code, answer.body) == (304, b"")


def test_a_body_is_hashed_up_to_its_limit():
    for body in ([b"12345"], [b"123", b"45"]):
        assert ask(ConditionalMiddleware(answering(body), max_body=5)).header("ETag") is not None
        assert ask(ConditionalMiddleware(answering(body), max_body=4)).header("ETag") is None


@pytest.mark.parametrize("chunk", ["a page", None, 1, bytearray(b"a page")])
def test_what_is_no_bytes_is_for_the_server_to_complain_about(chunk):
    heads = []
    body = ConditionalMiddleware(answering([chunk]))(make_environ(), lambda *head: heads.append(head))
    assert (body, heads) == ([chunk], [("200 OK", PLAIN)])


# Streams.


def test_a_stream_goes_on_as_it_comes_and_has_no_etag():
    body = Body((b"one,", b"two"))
    answer = ask(ConditionalMiddleware(answering(body)), headers={"If-None-Match": "*"})
    assert (answer.headers, answer.body, body.closed) == (PLAIN, b"one,two", 1)


@pytest.mark.parametrize(
    "chunks", [(b"a ", b"page"), (b"", b"a page"), (b"a page and more",), (b"a",), (), (b"a pag", b"e")]
)
def test_a_body_with_a_length_that_comes_in_pieces_is_a_stream(chunks):
    body = Body(chunks)
    pulled = []
    received = serve(sized(body), make_environ(), on_value=lambda _: pulled.append(body.pulled))
    assert received.chunks == [chunk for chunk in chunks if chunk]
    assert received.header("ETag") is None
    assert pulled == list(range(len(chunks) + 1)), "each value as it came"
    assert body.closed == 1


def test_a_body_that_comes_in_one_piece_as_long_as_it_says_is_whole():
    body = Body([b"a page"])
    received = serve(sized(body), make_environ())
    etag = received.header("ETag")
    assert etag == ask(page()).header("ETag")
    assert (received.body, body.closed) == (b"a page", 1)
    body = Body([b"a page"])
    received = serve(sized(body), make_environ(HTTP_IF_NONE_MATCH=etag))
    assert (received.status, received.body, body.closed) == ("304 Not Modified", b"", 1)
    assert received.headers == [("ETag", etag)]


def test_nothing_is_taken_from_a_body_before_the_server_asks():
    body = Body([b"a page"])
    pulled = []
    serve(sized(body), make_environ(), on_value=lambda number: pulled.append((number, body.pulled)))
    assert pulled == [(0, 0), (1, 1)]


def test_a_body_that_nobody_asks_for_is_closed():
    body = Body([b"a page"])
    serve(sized(body), make_environ(), leave_after=0)
    assert (body.pulled, body.closed) == (0, 1)


def test_a_head_that_waits_leaves_with_what_is_written():
    def app(environ, start_response):
        write = start_response("200 OK", [*PLAIN, ("Content-Length", "6")])
        write(b"")
        write(b"a ")
        return Body([b"page"])

    received = serve(ConditionalMiddleware(app), make_environ(HTTP_IF_NONE_MATCH="*"))
    assert (received.status, received.chunks, received.broken) == ("200 OK", [b"a ", b"page"], [])


@pytest.mark.parametrize("first", [b"", b"a page"])
def test_a_head_that_waits_is_replaced_by_an_error_page(first):
    def app(environ, start_response):
        start_response("200 OK", [*PLAIN, ("Content-Length", "6")])

        def body():
            if not first:
                yield first
            try:
                raise Bug
            except Bug:
                start_response("500 Internal Server Error", PLAIN, sys.exc_info())
            yield b"sorry!"

        return body()

    received = serve(ConditionalMiddleware(app), make_environ())
    assert (received.status, received.headers, received.body) == ("500 Internal Server Error", PLAIN, b"sorry!")
    assert received.broken == []


def test_an_error_before_the_first_chunk_leaves_as_it_is():
    body = Body((), error=Bug("the application is down"))
    received = serve(sized(body), make_environ())
    assert (type(received.error), received.status, body.closed) == (Bug, "", 1)


def test_an_application_that_breaks_pep_3333_is_told_by_its_name():
    def broken(environ, start_response):
        return Body([b"no head"])

    def starts_twice(environ, start_response):
        start_response("200 OK", [*PLAIN, ("Content-Length", "6")])
        start_response("200 OK", [*PLAIN, ("Content-Length", "6")])

    with pytest.raises(RuntimeError, match=r"broken gave a body without"):
        ask(ConditionalMiddleware(broken))
    with pytest.raises(RuntimeError, match=r"starts_twice called start_response twice"):
        ask(ConditionalMiddleware(starts_twice))


@pytest.mark.parametrize("files", ["class", "function", "descriptor"])
def test_files_of_the_server_go_on_as_they_are(files, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a page")
    made = []

    def app(environ, start_response):
        start_response("200 OK", [*PLAIN, ("Content-Length", "6")])
        made.append(environ["wsgi.file_wrapper"](file))
        return made[0]

    with path.open("rb") as file:
        received = serve(ConditionalMiddleware(app), make_environ(), files=files)
    assert received.body == b"a page"
    assert received.result is made[0] or files == "function"


def test_what_looks_like_a_file_goes_on_as_it_is(tmp_path):
    """A server may know by identity what its own wrapper, a plain function, has returned."""
    path = tmp_path / "file"
    path.write_bytes(b"a page")

    def app(environ, start_response):
        start_response("200 OK", [*PLAIN, ("Content-Length", "6")])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    environ = make_environ(**{"wsgi.file_wrapper": lambda file, size=8192: file})
    body = ConditionalMiddleware(app)(environ, lambda *head: None)
    with body:
        assert body.read() == b"a page"


# Conditions.


def test_the_etag_of_the_application_stays_and_counts():
    site = page(("ETag", '"v7"'))
    assert ask(site).all("ETag") == ['"v7"']
    assert ask(site, headers={"If-None-Match": '"v7"'}).code == 304
    assert ask(site, headers={"If-None-Match": '"v8"'}).code == 200


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ('"v7"', 304),
        ('W/"v7"', 304),
        ('"a", "v7"', 304),
        ('"a,b","v7", "c"', 304),
        ("*", 304),
        ('"v"', 200),
        ("v7", 200),
        ("", 200),
        ('"v7', 200),
        (", ".join(['"x"'] * 10_000), 200),
    ],
)
def test_if_none_match_is_compared_weakly(given, code):
    assert ask(page(("ETag", 'W/"v7"')), headers={"If-None-Match": given}).code == code


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (DATE, 304),
        (LATER, 304),
        ("Thursday, 21-Sep-17 00:00:00 GMT", 304),
        (EARLIER, 200),
        ("yesterday", 200),
        ("", 200),
        (f"{DATE}, {LATER}", 200),
    ],
)
def test_if_modified_since_is_compared_with_last_modified(given, code):
    assert ask(page(("Last-Modified", DATE)), headers={"If-Modified-Since": given}).code == code


@pytest.mark.parametrize("last_modified", [None, "yesterday", ""])
def test_without_a_date_of_change_if_modified_since_means_nothing(last_modified):
    fields = [] if last_modified is None else [("Last-Modified", last_modified)]
    answer = ask(page(("Date", DATE), *fields), headers={"If-Modified-Since": "Sun, 21 Sep 2092 00:00:00 GMT"})
    assert answer.code == 200


def test_if_none_match_beats_if_modified_since():
    site = page(("ETag", '"v7"'), ("Last-Modified", DATE))
    assert ask(site, headers={"If-None-Match": '"v8"', "If-Modified-Since": DATE}).code == 200
    assert ask(site, headers={"If-None-Match": '"v7"', "If-Modified-Since": EARLIER}).code == 304


def test_if_none_match_beats_a_date_where_there_is_no_etag_too():
    site = ConditionalMiddleware(answering(Body(), headers=[("Last-Modified", DATE)]))
    assert ask(site, headers={"If-None-Match": '"v8"', "If-Modified-Since": DATE}).code == 200


@pytest.mark.parametrize("name", ["If-Match", "If-Unmodified-Since"])
def test_a_request_that_is_to_fail_is_left_to_the_application(name):
    etag = ask(page()).header("ETag")
    answer = ask(page(), headers={"If-None-Match": etag, name: DATE})
    assert (answer.code, answer.header("ETag")) == (200, etag)


def test_a_304_has_the_fields_of_the_200_but_those_that_describe_its_body():
    kept = [
        ("Cache-Control", "max-age=60"),
        ("Content-Location", "/a"),
        ("Date", DATE),
        ("ETag", '"v7"'),
        ("Expires", LATER),
        ("Last-Modified", EARLIER),
        ("Vary", "Accept"),
        ("X-A", "1"),
        ("X-A", "2"),
    ]
    gone = [("Content-Encoding", "gzip"), ("Content-Language", "de"), ("Content-Length", "6")]
    answer = ask(page(*gone, *kept), headers={"If-None-Match": '"v7"'})
    assert answer.headers == kept


def test_a_stream_with_an_etag_of_its_own_is_not_read_where_the_client_has_it():
    body = Body()
    site = ConditionalMiddleware(answering(body, headers=[*PLAIN, ("ETag", '"v7"')]))
    answer = ask(site, headers={"If-None-Match": '"v7"'})
    assert (answer.code, answer.body, body.pulled, body.closed) == (304, b"", 0, 1)


def test_an_application_that_starts_late_gets_304_by_its_own_etag():
    def app(environ, start_response):
        start_response("200 OK", [*PLAIN, ("ETag", '"v7"')])
        yield b"a page"

    answer = ask(ConditionalMiddleware(app), headers={"If-None-Match": '"v7"'})
    assert (answer.code, answer.body) == (304, b"")


def test_the_application_sees_the_conditions_and_its_own_304_passes():
    def app(environ, start_response):
        assert environ["HTTP_IF_NONE_MATCH"] == '"v7"'
        start_response("304 Not Modified", [("ETag", '"v7"')])
        return []

    assert ask(ConditionalMiddleware(app), headers={"If-None-Match": '"v7"'}).headers == [("ETag", '"v7"')]


def test_what_counts_is_what_the_client_sent_not_what_an_inner_layer_made_of_it():
    def app(environ, start_response):
        environ["HTTP_IF_NONE_MATCH"] = '"of an inner layer"'
        return answering([b"a page"], headers=[("ETag", '"v7"')])(environ, start_response)

    assert ask(ConditionalMiddleware(app), headers={"If-None-Match": '"v7"'}).code == 304


# Beside other layers.


@pytest.mark.parametrize("layer", [Watches, Ends])
@pytest.mark.parametrize("body", [lambda: [b"a ", b"page"], lambda: Body([b"a page"])])
def test_what_stands_inside_sees_a_whole_answer_though_the_client_gets_304(layer, body):
    etag = ask(page()).header("ETag")
    for headers, code in (({}, 200), ({"If-None-Match": etag}, 304)):
        inner = layer(answering(body(), headers=[*PLAIN, ("Content-Length", "6")]))
        answer = ask(ConditionalMiddleware(inner), headers=headers)
        assert (answer.code, answer.header("ETag")) == (code, etag)
        assert inner.ending.completed
        assert b"".join(inner.seen) in (b"a page", b"")
        assert layer is Ends or inner.seen


def test_inside_a_cache_the_cache_answers_304_with_its_etag():
    calls = []

    def app(environ, start_response):
        calls.append(environ)
        start_response("200 OK", [*PLAIN, ("Cache-Control", "max-age=60")])
        return [b"a page"]

    site = CacheMiddleware(ConditionalMiddleware(app), store=MemoryStore())
    etag = ask(site, HTTP_HOST="example.com").header("ETag")
    answer = ask(site, headers={"If-None-Match": etag, "Host": "example.com"})
    assert (answer.code, answer.header("ETag"), len(calls)) == (304, etag, 1)


def test_inside_a_cache_what_has_not_changed_is_fresh_again():
    now = [1_790_000_000.0]
    bodies = [b"a page", b"a page", b"another page"]

    def app(environ, start_response):
        start_response("200 OK", [*PLAIN, ("Cache-Control", "max-age=60")])
        return [bodies.pop(0)]

    site = CacheMiddleware(ConditionalMiddleware(app), store=MemoryStore(clock=lambda: now[0]), clock=lambda: now[0])
    seen = []
    for _ in range(3):
        answer = ask(site, HTTP_HOST="example.com")
        seen.append((answer.code, answer.text, "fwd-status=304" in answer.header("Cache-Status")))
        now[0] += 61
    assert seen == [(200, "a page", False), (200, "a page", True), (200, "another page", False)]


def test_an_answer_that_begins_a_session_is_left_alone():
    def app(environ, start_response):
        get_session(environ)["seen"] = True
        start_response("200 OK", PLAIN)
        return [b"a page"]

    answer = ask(ConditionalMiddleware(SessionMiddleware(app, store=MemoryStore())))
    assert answer.header("Set-Cookie")
    assert answer.header("ETag") is None


def test_two_of_them_are_as_one():
    site = ConditionalMiddleware(page())
    etag = ask(site).all("ETag")
    assert etag == ask(page()).all("ETag")
    assert ask(site, headers={"If-None-Match": etag[0]}).code == 304


def test_a_layer_that_wraps_bodies_of_one_chunk_is_seen_through():
    def layer(environ, start_response):
        return forward(
            answering(Body([b"a page"]), headers=[("Content-Length", "6")]), environ, start_response, watch=id
        )

    assert ask(ConditionalMiddleware(layer)).header("ETag") is not None


@pytest.mark.parametrize("body", [lambda: [b"a page"], lambda: Body([b"a page"]), lambda: iter([b"a ", b"page"])])
def test_a_request_leaves_nothing_to_the_collector(body):
    def app(environ, start_response):
        def chunks():
            yield from body()
            assert start_response  # a generator holds what it was called with

        start_response("200 OK", [*PLAIN, ("Content-Length", "6")])
        return body() if type(body()) is list else chunks()

    site = ConditionalMiddleware(Watches(app))
    etag = ask(site).header("ETag")
    for headers in ({}, {"If-None-Match": etag or '"none"'}):
        environ = make_environ(headers=headers)
        with no_garbage():
            call(site, environ)


# Options.


@pytest.mark.parametrize("max_body", [0, -1, 1.5, "1", None, True])
def test_a_limit_that_is_none_is_refused(max_body):
    with pytest.raises(ConfigurationError, match="max_body"):
        ConditionalMiddleware(Response("200 OK"), max_body=max_body)


@pytest.mark.parametrize("weak", ["no", None, 1])
def test_a_switch_is_on_or_off(weak):
    with pytest.raises(ConfigurationError, match="weak"):
        ConditionalMiddleware(Response("200 OK"), weak=weak)


def test_the_layer_has_its_application():
    app = Response("200 OK")
    assert ConditionalMiddleware(app).app is app
