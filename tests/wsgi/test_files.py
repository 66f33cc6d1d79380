"""A file that a server sends by its own wrapper stays one, and its end is seen all the same."""

from __future__ import annotations

import io
import tempfile

import pytest
from asking import make_environ
from waitress.buffers import ReadOnlyFileBasedBuffer
from wsgi_layers import PLAIN, Amends, AmendsAndWatches, Ends, Watches

from middleware.testing import serve
from middleware.testing.server import FileWrapper, wrap_file
from middleware.wsgi import Response, forward

CONTENT = b"twenty bytes a line\n" * 1000


class File:
    """A real file on disk, or one in memory, that counts its closes."""

    def __init__(self, file):
        self.file = file
        self.closed = 0

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        self.closed += 1
        self.file.close()


def on_disk():
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by what is tested
    file.write(CONTENT)
    file.seek(0)
    return File(file)


def in_memory():
    return File(io.BytesIO(CONTENT))


def sending(file, *, length=True, block=4096):
    def app(environ, start_response):
        start_response("200 OK", [*PLAIN, ("Content-Length", str(len(CONTENT)))] if length else list(PLAIN))
        return environ["wsgi.file_wrapper"](file, block)

    return app


def environ_with(wrapper):
    environ = make_environ()
    environ["wsgi.file_wrapper"] = wrapper
    return environ


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("make", [on_disk, in_memory])
def test_a_file_stays_an_instance_of_the_servers_class_and_all_of_it_is_seen(make, depth):
    file = make()
    layers = [AmendsAndWatches(sending(file))]
    for _ in range(depth - 1):
        layers.append(Watches(Amends(layers[-1])))
    received = serve(layers[-1])
    assert type(received.result) is FileWrapper
    assert received.body == CONTENT
    assert file.closed == 1
    for layer in layers:
        assert b"".join(layer.seen) == CONTENT
        assert (layer.ending.completed, layer.ending.gone, layer.ending.by_descriptor) == (True, False, 0)


@pytest.mark.parametrize("length", [True, False], ids=["Content-Length", "no length"])
def test_a_file_that_goes_by_its_descriptor_is_counted(length):
    file = on_disk()
    layer = Watches(sending(file, length=length))
    received = serve(layer, files="descriptor")
    assert received.body == CONTENT
    assert (layer.seen, layer.ending.completed, layer.ending.by_descriptor) == ([], True, len(CONTENT))
    assert file.closed == 1


def test_a_file_whose_client_leaves_is_not_completed():
    file = on_disk()
    layer = Watches(sending(file))
    serve(layer, leave_after=2)
    assert (len(b"".join(layer.seen)), layer.ending.gone, file.closed) == (8192, True, 1)


def test_a_file_that_nobody_iterated_is_gone():
    file = on_disk()
    layer = Watches(sending(file))
    serve(layer, leave_after=0)
    assert (layer.seen, layer.ending.gone, file.closed) == ([], True, 1)


def test_a_file_that_cannot_be_read_is_an_error():
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError("disk")

    layer = Watches(sending(File(Broken())))
    received = serve(layer)
    assert isinstance(received.error, OSError)
    assert layer.ending.error is received.error


@pytest.mark.parametrize("layer_class", [Watches, Ends])
def test_a_wrapper_that_is_a_function_gets_an_iterator_of_ours(layer_class):
    layer = layer_class(sending(in_memory()))
    received = serve(layer, files="function")
    assert received.body == CONTENT
    assert layer.ending.completed


def test_a_generator_as_wrapper_does_not_hide_the_end():
    def wrap(file, size):
        while block := file.read(size):
            yield block

    layer = Watches(sending(in_memory()))
    received = serve(layer, environ_with(wrap), files="none")
    assert received.body == b"".join(layer.seen) == CONTENT
    assert layer.ending.completed


@pytest.mark.parametrize("depth", [1, 2])
def test_a_wrapper_that_returns_the_file_itself_is_followed(depth):
    """uWSGI's does, and closes what the application returned once it has sent it by descriptor."""
    file = on_disk()
    inner = layer = Watches(sending(file))
    if depth == 2:
        layer = Watches(inner)
    result = layer(environ_with(lambda file, size: file), lambda *_: None)
    result.fileno()
    result.close()
    assert {inner.ending.by_descriptor, layer.ending.by_descriptor} == {len(CONTENT)}
    assert file.closed == 1


@pytest.mark.parametrize("make", [on_disk, in_memory])
def test_a_wrapper_that_returns_the_file_itself_leaves_it_iterable(make):
    layer = Watches(sending(make()))
    received = serve(layer, environ_with(lambda file, size: file), files="none")
    assert received.body == b"".join(layer.seen) == CONTENT
    assert layer.ending.completed


def test_a_file_that_goes_by_its_descriptor_is_counted_from_where_it_stands():
    file = on_disk()
    file.seek(400)
    layer = Watches(sending(file, length=False))
    result = layer(environ_with(FileWrapper), lambda *_: None)
    result.file.fileno()
    result.close()
    assert layer.ending.by_descriptor == len(CONTENT) - 400


@pytest.mark.parametrize("make", [on_disk, in_memory])
def test_a_server_that_reads_a_block_twice_counts_it_once(make):
    """waitress reads, sends what the client takes, and seeks back for the rest; it never reads to the end."""
    layer = Watches(sending(make()))
    result = layer(environ_with(ReadOnlyFileBasedBuffer), lambda *_: None)
    assert type(result) is ReadOnlyFileBasedBuffer
    assert result.prepare(len(CONTENT)) == len(CONTENT)
    sent = b""
    while result.remain:
        block = result.get(8192)[:3000]
        result.skip(len(block))
        sent += block
    result.close()
    assert sent == b"".join(layer.seen) == CONTENT
    assert layer.ending.completed


def test_the_server_gets_its_wrapper_back_in_environ():
    environ = environ_with(FileWrapper)
    Watches(sending(in_memory()))(environ, lambda *_: None)
    assert environ["wsgi.file_wrapper"] is FileWrapper


def test_a_file_that_was_wrapped_and_not_returned_ends_nothing():
    other = in_memory()

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        environ["wsgi.file_wrapper"](other).close()
        return [b"something else"]

    layer = Watches(app)
    assert serve(layer).body == b"something else"
    assert layer.seen == [b"something else"]
    assert layer.ending.completed


def test_a_file_in_place_of_which_amend_puts_another_body_is_closed():
    file = in_memory()
    seen, endings = [], []

    def layer(environ, start_response):
        def amend(response):
            response.remove("Content-Length")
            response.body = [b"instead"]

        return forward(sending(file), environ, start_response, amend, watch=seen.append, end=endings.append)

    assert serve(layer).body == b"instead"
    assert (seen, file.closed, endings[0].completed) == ([b"instead"], 1, True)


@pytest.mark.parametrize("wrapper", [FileWrapper, wrap_file])
def test_without_watch_and_end_the_application_has_the_servers_own_wrapper(wrapper):
    given = []

    def app(environ, start_response):
        given.append(environ["wsgi.file_wrapper"])
        start_response("200 OK", list(PLAIN))
        return []

    Amends(app)(environ_with(wrapper), lambda *_: None)
    assert given == [wrapper]


def test_an_answer_taken_in_hand_keeps_the_servers_file():
    response = Response.from_app(sending(in_memory()), environ_with(FileWrapper))
    assert type(response.body) is FileWrapper
    response.close()
