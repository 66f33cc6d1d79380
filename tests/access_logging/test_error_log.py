"""What an application raises is logged once, by the standard library, where that was asked for."""

from __future__ import annotations

import logging

import pytest
from access_logging.recorder import Recorder, serve

from middleware.errors import ConfigurationError
from middleware.logging import LoggingMiddleware

BOOM = ValueError("boom")


def raises(environ, start_response):
    raise BOOM


def raises_at_the_second_chunk(environ, start_response):
    start_response("200 OK", [])
    yield b"abc"
    raise BOOM


@pytest.mark.parametrize("app", [raises, raises_at_the_second_chunk], ids=lambda app: app.__name__)
def test_an_error_is_logged_once_with_its_traceback_and_the_id_of_its_line(app, caplog):
    log = Recorder(app, error_log=True)
    escaped, _ = serve(log.layer, path="/a")
    assert escaped is BOOM
    (record,) = [record for record in caplog.records if record.name == "middleware.error"]
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "ValueError raised by GET /a")
    assert record.exc_info[1] is BOOM
    assert record.request_id == log.record.request_id


def test_what_a_client_sends_stays_in_its_line(caplog):
    serve(Recorder(raises, error_log=True).layer, PATH_INFO='/a\n"\x1b\xff%s')
    (record,) = caplog.records
    assert record.getMessage() == r"ValueError raised by GET /a\n\"\x1b\xff%s"


def test_a_client_that_is_gone_is_no_error_of_the_application(caplog):
    def write(data):
        raise ConnectionResetError("gone")

    def app(environ, start_response):
        start_response("200 OK", [])(b"abc")
        return []

    serve(Recorder(app, error_log=True).layer, write=write)
    assert caplog.records == []


def test_a_handler_that_fails_takes_nothing_with_it(monkeypatch):
    def fails(*args, **options):
        raise OSError("full")

    monkeypatch.setattr(logging.getLogger("middleware.error"), "handle", fails)
    log = Recorder(raises, error_log=True)
    escaped, _ = serve(log.layer)
    assert escaped is BOOM
    assert (log.record.error, log.layer.failures) == ("ValueError", 0)


def test_nothing_is_logged_unless_asked_for(caplog):
    serve(Recorder(raises).layer)
    assert caplog.records == []


@pytest.mark.parametrize("wrong", ["error.log", None, 1])
def test_what_is_no_switch_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="error_log= is True or False"):
        LoggingMiddleware(raises, error_log=wrong)
