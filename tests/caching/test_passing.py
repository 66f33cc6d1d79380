"""How an answer passes on its way into the store, and what is whole enough to stay there."""

from __future__ import annotations

import contextlib
import sys
import threading

import pytest
from asking import ask, call, make_environ
from cached_site import Site

from middleware.caching import CacheMiddleware
from middleware.stores import MemoryStore

FRESH = ("Cache-Control", "max-age=60")


class Chunks:
    """A body that counts its close() and may break."""

    def __init__(self, *chunks, error=None, close_error=None):
        self.chunks = chunks
        self.error = error
        self.close_error = close_error
        self.closed = 0

    def __iter__(self):
        yield from self.chunks
        if self.error:
            raise self.error

    def close(self):
        self.closed += 1
        if self.close_error:
            raise self.close_error


def giving(body, *fields, status="200 OK"):
    def app(environ, start_response):
        start_response(status, [FRESH, *fields])
        return body() if callable(body) else body

    return Site(app=app)


def hits(site):
    return "; hit" in site.ask().header("Cache-Status")


def test_each_chunk_leaves_before_the_next_is_made():
    made = []

    def app(environ, start_response):
        start_response("200 OK", [FRESH])
        for number in range(3):
            made.append(number)
            yield b"%d" % number

    site = Site(app=app)
    body = site.cache(make_environ("/a"), lambda *head: None)
    chunks = iter(body)
    for number in range(3):
        assert next(chunks) == b"%d" % number
        assert len(made) == number + 1
    assert list(chunks) == []
    body.close()
    assert site.ask().body == b"012"
    assert len(made) == 3


def test_a_server_sees_how_many_chunks_there_are():
    site = giving([b"one"])
    assert len(site.cache(make_environ("/a"), lambda *head: None)) == 1


def test_a_request_that_the_cache_has_nothing_to_do_with_gets_the_applications_own_body():
    body = [b"one"]
    site = giving(body)
    assert site.cache(make_environ("/a", headers={"If-Match": "*"}), lambda *head: None) is body


def test_an_answer_that_may_not_be_stored_goes_on_as_the_very_object():
    body = [b"one"]

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "no-store")])
        return body

    cache = CacheMiddleware(app, store=MemoryStore())
    assert cache(make_environ("/a"), lambda *head: None) is body


def test_an_answer_that_was_let_go_is_not_said_to_be_stored_when_another_head_replaces_it():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "no-store")])

        def body():
            yield b""
            try:
                raise ValueError
            except ValueError:
                start_response("404 Not Found", [("Cache-Control", "max-age=60")], sys.exc_info())
            yield b"late"

        return body()

    cache = CacheMiddleware(app, store=MemoryStore())
    for _ in range(2):
        answer = ask(cache, "/a")
        assert (answer.code, answer.body) == (404, b"late")
        assert answer.header("Cache-Status") == "wsgi-middleware; fwd=uri-miss"


def test_a_whole_answer_without_a_length_gets_one():
    site = giving(lambda: Chunks(b"on", b"", b"e"))
    site.ask()
    hit = site.ask()
    assert (hit.body, hit.header("Content-Length")) == (b"one", "3")


@pytest.mark.parametrize("length", ["2", "4", "x", "-3", "3, 3", ""])
def test_a_body_of_another_length_is_not_stored(length):
    site = giving([b"one"], ("Content-Length", length))
    site.ask()
    assert not hits(site)


def test_two_lengths_that_differ_are_not_stored():
    site = giving([b"one"], ("Content-Length", "3"), ("Content-Length", "4"))
    site.ask()
    assert not hits(site)


def test_a_body_that_breaks_is_not_stored():
    site = giving(lambda: Chunks(b"one", error=OSError("cut")))
    for _ in range(2):
        with pytest.raises(OSError, match="cut"):
            site.ask()


def test_a_body_whose_close_fails_is_not_stored():
    site = giving(lambda: Chunks(b"one", close_error=OSError("close")))
    for _ in range(2):
        with pytest.raises(OSError, match="close"):
            site.ask()


@pytest.mark.parametrize("taken", [0, 1])
def test_a_body_whose_client_leaves_is_closed_once_and_not_stored(taken):
    bodies = []

    def app(environ, start_response):
        start_response("200 OK", [FRESH])
        bodies.append(Chunks(b"one", b"two"))
        return bodies[-1]

    site = Site(app=app)
    body = site.cache(make_environ("/a"), lambda *head: None)
    chunks = iter(body)
    for _ in range(taken):
        next(chunks)
    body.close()
    assert bodies[0].closed == 1
    assert not hits(site)


def test_a_body_that_is_dropped_without_close_is_not_stored():
    site = giving(lambda: Chunks(b"one", b"two"))
    next(iter(site.cache(make_environ("/a"), lambda *head: None)))
    assert not hits(site)


def test_what_is_written_is_stored_in_its_place():
    def app(environ, start_response):
        write = start_response("200 OK", [FRESH])
        write(b"one,")
        return [b"two"]

    site = Site(app=app)
    assert site.ask().body == b"one,two"
    assert "; hit" in (hit := site.ask()).header("Cache-Status")
    assert hit.body == b"one,two"


def test_an_answer_of_which_the_server_did_not_take_all_is_not_stored():
    """Though the application goes on as if nothing were missing."""

    def app(environ, start_response):
        write = start_response("200 OK", [FRESH])
        with contextlib.suppress(BrokenPipeError):
            write(b"one,")
        return [b"two"]

    def start_response(status, headers, exc_info=None):
        def write(data):
            raise BrokenPipeError

        return write

    site = Site(app=app)
    body = site.cache(make_environ(), start_response)
    assert list(body) == [b"two"]
    body.close()
    assert site.ask().body == b"one,two"


def test_a_head_that_replaces_one_is_the_one_that_counts():
    def app(environ, start_response):
        start_response("200 OK", [FRESH])
        try:
            raise OSError
        except OSError:
            import sys

            start_response("500 Error", [("X", "y")], sys.exc_info())
        return [b"sorry"]

    site = Site(app=app)
    assert site.ask().status == "500 Error"
    assert not hits(site)


def test_a_body_above_the_limit_passes_and_is_not_stored():
    site = Site(max_object=10, app=None)
    site.answers("Cache-Control: max-age=60", body=b"x" * 11)
    assert site.ask().body == b"x" * 11
    assert not site.is_hit()
    site.answers("Cache-Control: max-age=60", "Content-Length: 11", body=b"x" * 11)
    assert "stored" not in site.ask().header("Cache-Status")
    site.answers("Cache-Control: max-age=60", body=b"x" * 10)
    site.ask()
    assert site.is_hit()


def test_an_endless_body_is_not_gathered():
    def app(environ, start_response):
        start_response("200 OK", [FRESH])
        while True:
            yield b"x" * 100

    site = Site(app=app, max_object=1000)
    body = site.cache(make_environ("/a"), lambda *head: None)
    for _, chunk in zip(range(100), body, strict=False):
        assert len(chunk) == 100
    body.close()


def test_two_hits_share_the_stored_body_and_nothing_else():
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask()
    heads = []

    def start_response(status, headers, exc_info=None):
        heads.append(list(headers))
        headers.append(("Set-Cookie", "a=1"))
        headers[0] = ("X", "y")

    bodies = [site.cache(make_environ("/a"), start_response) for _ in range(2)]
    assert bodies[0][0] is bodies[1][0]
    assert bodies[0] is not bodies[1]
    assert heads[0] == heads[1]


def test_the_application_may_change_its_list_of_fields_later():
    fields = [FRESH]

    def app(environ, start_response):
        start_response("200 OK", fields)
        fields.append(("Set-Cookie", "a=1"))
        return [b"one"]

    site = Site(app=app)
    site.ask()
    assert site.ask().header("Set-Cookie") is None


def test_bytes_like_chunks_are_stored_as_they_were_when_they_passed():
    data = bytearray(b"one")
    site = giving([data])
    site.ask()
    data[:] = b"two"
    assert site.ask().body == b"one"


def test_an_empty_body_is_stored():
    site = giving([], status="404 Not Found")
    site.ask()
    hit = site.ask()
    assert (hit.code, hit.body, hit.header("Content-Length")) == (404, b"", "0")


def test_a_204_has_no_length():
    site = giving([], status="204 No Content")
    site.ask()
    hit = site.ask()
    assert (hit.code, hit.header("Content-Length")) == (204, None)


def test_a_file_that_the_server_sends_itself_keeps_its_wrapper():
    from io import BytesIO
    from wsgiref.util import FileWrapper

    def app(environ, start_response):
        start_response("200 OK", [FRESH])
        return environ["wsgi.file_wrapper"](BytesIO(b"file"), 2)

    site = Site(app=app)
    environ = make_environ("/a", **{"wsgi.file_wrapper": FileWrapper})
    body = site.cache(environ, lambda *head: None)
    assert isinstance(body, FileWrapper)
    assert b"".join(body) == b"file"
    body.close()
    assert site.ask().body == b"file"


def test_many_threads_get_one_body_each_whole():
    counter = iter(range(10_000))

    def app(environ, start_response):
        start_response("200 OK", [FRESH, ("Vary", "X")])
        number = b"%d," % next(counter)
        yield number * 50
        yield number * 50

    cache = CacheMiddleware(app, store=MemoryStore())
    barrier = threading.Barrier(8)
    wrong = []

    def run(name):
        barrier.wait()
        for number in range(50):
            body = ask(cache, f"/{number % 10}", headers={"X": str(number % 3)}).body
            parts = body.split(b",")
            if len(parts) != 101 or len(set(parts)) != 2:
                wrong.append(body)

    threads = [threading.Thread(target=run, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("environ", [{"wsgi.multiprocess": True}, {"wsgi.run_once": True}])
def test_a_memory_store_in_one_of_several_processes_is_told_once(environ, caplog, monkeypatch):
    monkeypatch.setattr("middleware.operators._said", {})
    site = Site()
    call(site.cache, make_environ("/a"))
    assert caplog.records == []
    for path in ("/b", "/c", "/c"):
        call(site.cache, make_environ(path, **environ))
    assert len(caplog.records) == 1
    assert "each has a cache of its own" in caplog.text
