"""A file that the server sends by its own wrapper: the wrapper stays the server's, and the bytes are counted."""

from __future__ import annotations

from io import BytesIO

import pytest
from access_logging.recorder import Recorder, serve
from asking import make_environ


class ServersWrapper:
    """As servers have it: `close` is the file's."""

    def __init__(self, file, size=8192):
        self.file = file
        self.size = size
        self.close = file.close

    def __iter__(self):
        return iter(lambda: self.file.read(self.size), b"")


class CountedFile(BytesIO):
    closed_times = 0

    def close(self):
        self.closed_times += 1
        super().close()


def test_a_file_for_the_servers_wrapper_keeps_its_type_and_its_bytes_are_counted():
    file = CountedFile(b"x" * 20_000)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file, 4096)

    log = Recorder(app)
    environ = make_environ(**{"wsgi.file_wrapper": ServersWrapper})
    body = log.layer(environ, lambda *args: None)
    assert isinstance(body, ServersWrapper)
    assert len(b"".join(body)) == 20_000
    assert log.lines == []
    body.close()
    assert (log.record.sent, file.closed_times) == (20_000, 1)


def test_a_file_that_the_server_sends_by_its_descriptor_is_counted(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 20_000)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](path.open("rb"), 4096)

    log = Recorder(app)
    body = log.layer(make_environ(**{"wsgi.file_wrapper": ServersWrapper}), lambda *args: None)
    assert body.file.fileno() > 0
    body.close()
    assert (log.record.sent, log.record.aborted) == (20_000, False)


@pytest.mark.parametrize(("take", "aborted"), [(2, True), (None, False)])
def test_a_file_is_closed_once_however_often_the_server_closes(take, aborted):
    file = CountedFile(b"x" * 20_000)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file, 4096)

    log = Recorder(app)
    serve(log.layer, take=take, closes=2, **{"wsgi.file_wrapper": ServersWrapper})
    assert (log.record.sent, log.record.aborted, file.closed_times) == (8192 if take else 20_000, aborted, 1)


def test_a_file_through_two_layers_is_counted_by_both_and_closed_once():
    file = CountedFile(b"x" * 20_000)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file, 4096)

    inner = Recorder(app)
    outer = Recorder(inner.layer)
    body = outer.layer(make_environ(**{"wsgi.file_wrapper": ServersWrapper}), lambda *args: None)
    assert isinstance(body, ServersWrapper)
    assert len(b"".join(body)) == 20_000
    body.close()
    assert (inner.record.sent, outer.record.sent, file.closed_times) == (20_000, 20_000, 1)


def test_a_file_that_cannot_be_read_is_an_error_of_the_application():
    class Broken(BytesIO):
        def read(self, size=-1):
            raise OSError("bad sector")

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](Broken(b"x"), 4096)

    log = Recorder(app)
    escaped, _ = serve(log.layer, **{"wsgi.file_wrapper": ServersWrapper})
    assert isinstance(escaped, OSError)
    assert (log.record.status, log.record.error, log.record.aborted) == (500, "OSError", False)


def test_a_file_of_an_application_that_fails_afterwards_is_no_answer():
    file = CountedFile(b"x" * 20_000)

    def app(environ, start_response):
        start_response("200 OK", [])
        environ["wsgi.file_wrapper"](file, 4096)
        raise ValueError

    log = Recorder(app)
    serve(log.layer, **{"wsgi.file_wrapper": ServersWrapper})
    assert (log.record.status, log.record.sent, log.record.error) == (500, 0, "ValueError")
