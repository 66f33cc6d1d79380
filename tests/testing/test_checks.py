"""The checks find what layers do wrong: each broken layer here is one that is met in the wild."""

from __future__ import annotations

import contextvars
import gc
import re
import sys
import threading
import traceback
from contextlib import suppress

import pytest

from middleware import ConditionalMiddleware
from middleware.testing import SHAPES, check_layer, check_requests, check_shape, check_together, together
from middleware.wsgi import Response, forward


def shape(name):
    return next(shape for shape in SHAPES if shape.name == name)


def calls_through(app):
    return lambda environ, start_response: app(environ, start_response)  # noqa: PLW0108


def adds_a_header(app):
    def layer(environ, start_response):
        return forward(app, environ, start_response, lambda response: response.add("X-Mine", "1"))

    return layer


@pytest.mark.slow
def test_a_layer_that_does_nothing_is_right():
    check_layer(calls_through, adds=[])


@pytest.mark.slow
def test_a_layer_on_forward_is_right():
    check_layer(adds_a_header, adds=["x-mine"])


def test_a_header_that_may_not_be_added_is_found():
    with pytest.raises(AssertionError, match="X-Mine"):
        check_layer(adds_a_header, adds=["X-Other"])


@pytest.mark.slow
def test_a_layer_that_reads_ahead_is_right_where_it_may():
    def takes(app):
        return lambda environ, start_response: Response.from_app(app, environ)(environ, start_response)

    check_layer(takes, reads_ahead=True)
    with pytest.raises(AssertionError, match="were taken"):
        check_layer(takes)


@pytest.mark.slow
def test_a_layer_that_starts_late_is_right_where_it_may():
    check_layer(ConditionalMiddleware, starts_late=True)
    with pytest.raises(AssertionError, match="never iterates: status ''"):
        check_shape(shape("iterator with Content-Length"), ConditionalMiddleware)


@pytest.mark.slow
def test_a_layer_that_answers_itself_is_right_where_it_may():
    def refuses(app):
        return Response("403 Forbidden", [("Content-Type", "text/plain")], [b"no"])

    check_layer(refuses, answers=True)
    with pytest.raises(AssertionError, match="was not called"):
        check_layer(refuses)


def test_an_error_page_is_right_and_a_quiet_200_is_not():
    def makes_pages(status):
        def wrap(app):
            def layer(environ, start_response):
                try:
                    return forward(app, environ, start_response)
                except Exception:
                    page = Response(status, [("Content-Type", "text/plain")], [b"sorry"])
                    return page(environ, start_response)

            return layer

        return wrap

    check_shape(shape("error in the call"), makes_pages("500 Oops"))
    with pytest.raises(AssertionError, match="the application's error was lost"):
        check_shape(shape("error in the call"), makes_pages("200 OK"))


@pytest.mark.parametrize("check", [check_layer, check_requests])
def test_the_line_of_a_layer_that_raises_can_be_found(check):
    def fails(app):
        def layer(environ, start_response):
            raise KeyError("my key")

        return layer

    with pytest.raises(AssertionError, match="my key") as caught:
        check(fails)
    assert isinstance(caught.value.__cause__, KeyError)
    assert "in layer" in "".join(traceback.format_exception(caught.value))


def test_an_error_is_told_without_all_that_follows_from_it():
    def fails_in_amend(app):
        def amend(response):
            raise KeyError("my key")

        return lambda environ, start_response: forward(app, environ, start_response, amend)

    with pytest.raises(AssertionError) as caught:
        check_shape(shape("list"), fails_in_amend)
    assert all("my key" in line for line in str(caught.value).splitlines())


# Layers that are wrong


def reads_all(app):
    def layer(environ, start_response):
        result = app(environ, start_response)
        try:
            return [b"".join(result)]
        finally:
            if hasattr(result, "close"):
                result.close()

    return layer


def is_a_generator(app):
    def layer(environ, start_response):
        result = app(environ, start_response)
        try:
            yield from result
        finally:
            if hasattr(result, "close"):
                result.close()

    return layer


def never_closes(app):
    def layer(environ, start_response):
        return iter(list_or_iterator(app(environ, start_response)))

    def list_or_iterator(result):
        return (chunk for chunk in result)

    return layer


def drops_exc_info(app):
    def layer(environ, start_response):
        return app(environ, lambda status, headers, exc_info=None: start_response(status, headers))

    return layer


def takes_two_arguments(app):
    def layer(environ, start_response):
        return app(environ, lambda status, headers: start_response(status, headers))  # noqa: PLW0108

    return layer


def passes_by_name(app):
    def layer(environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, headers, exc_info=exc_info)

        return app(environ, start)

    return layer


def returns_no_write(app):
    def layer(environ, start_response):
        def start(*args):
            start_response(*args)

        return app(environ, start)

    return layer


def drops_empty_chunks_and_reads_on(app):
    def layer(environ, start_response):
        return filter(None, app(environ, start_response))

    return layer


def joins_repeated_headers(app):
    def layer(environ, start_response):
        def start(status, headers, *exc_info):
            return start_response(status, list(dict(headers).items()), *exc_info)

        return app(environ, start)

    return layer


def sends_a_dict(app):
    def layer(environ, start_response):
        def start(status, headers, *exc_info):
            return start_response(status, tuple(headers), *exc_info)

        return app(environ, start)

    return layer


def adds_a_line_break(app):
    def layer(environ, start_response):
        def start(status, headers, *exc_info):
            return start_response(status, [*headers, ("X-Mine", "a\r\nb")], *exc_info)

        return app(environ, start)

    return layer


def adds_content_length(app):
    def layer(environ, start_response):
        def start(status, headers, *exc_info):
            return start_response(status, [*headers, ("Content-Length", "13")], *exc_info)

        return app(environ, start)

    return layer


def is_hop_by_hop(app):
    def layer(environ, start_response):
        def start(status, headers, *exc_info):
            return start_response(status, [*headers, ("Connection", "close")], *exc_info)

        return app(environ, start)

    return layer


def swallows_errors(app):
    def layer(environ, start_response):
        result = app(environ, start_response)
        try:
            yield from result
        except Exception:
            yield b""
        finally:
            if hasattr(result, "close"):
                result.close()

    return layer


def catches_timeouts(app):
    def layer(environ, start_response):
        try:
            return app(environ, start_response)
        except BaseException:
            return Response("500 Oops", [("Content-Type", "text/plain")], [b"sorry"])(environ, start_response)

    return layer


def subclasses_environ(app):
    class Environ(dict):
        pass

    return lambda environ, start_response: app(Environ(environ), start_response)


def makes_a_new_environ(app):
    def layer(environ, start_response):
        known = {key: value for key, value in environ.items() if key.isupper() or key.startswith("wsgi.")}
        return app(known, start_response)

    return layer


def reads_the_input(app):
    def layer(environ, start_response):
        environ["wsgi.input"].read(1)
        return app(environ, start_response)

    return layer


def keeps_a_context_variable(app):
    variable = contextvars.ContextVar("variable")

    def layer(environ, start_response):
        variable.set(environ)
        return app(environ, start_response)

    return layer


def keeps_state_on_itself(app):
    class Layer:
        def __call__(self, environ, start_response):
            self.start_response = start_response
            return app(environ, self.start)

        def start(self, status, headers, *exc_info):
            return self.start_response(status, headers, *exc_info)

    return Layer()


def holds_a_lock(app):
    lock = threading.Lock()

    def layer(environ, start_response):
        if not lock.acquire(timeout=0.05):
            raise RuntimeError("deadlock")
        with lock_released():
            return app(environ, start_response)

    class lock_released:
        def __enter__(self):
            pass

        def __exit__(self, *_):
            lock.release()

    return layer


def keeps_requests(app):
    kept = []

    def layer(environ, start_response):
        kept.append(environ)
        return app(environ, start_response)

    return layer


def needs_a_number(app):
    def layer(environ, start_response):
        int(environ.get("CONTENT_LENGTH") or 0)
        return app(environ, start_response)

    return layer


def closes_twice(app):
    def layer(environ, start_response):
        return Twice(app(environ, start_response))

    class Twice:
        def __init__(self, result):
            self.result = result
            self.iterator = None

        def __iter__(self):
            return self

        def __next__(self):
            if self.iterator is None:
                self.iterator = iter(self.result)
            try:
                return next(self.iterator)
            except BaseException:
                self.close()
                raise

        def close(self):
            if hasattr(self.result, "close"):
                self.result.close()

    return layer


def claims_a_length(app):
    class Claims(list):
        def __len__(self):
            return 1

    def layer(environ, start_response):
        result = app(environ, start_response)
        return Claims(result) if type(result) is list else result

    return layer


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (reads_all, "were taken"),
        (is_a_generator, "was not called"),
        (never_closes, r"close\(\) was called 0 times"),
        (drops_exc_info, "twice without exc_info"),
        (takes_two_arguments, "TypeError"),
        (passes_by_name, "positional"),
        (returns_no_write, "NoneType"),
        (drops_empty_chunks_and_reads_on, "were taken|was called"),
        (joins_repeated_headers, "have to be in this order"),
        (sends_a_dict, "the headers are a list"),
        (adds_a_line_break, "control characters"),
        (adds_content_length, "Content-Length"),
        (is_hop_by_hop, "hop-by-hop"),
        (swallows_errors, "was lost|was called"),
        (catches_timeouts, "Timeout"),
        (subclasses_environ, "exactly a dict"),
        (makes_a_new_environ, "did not arrive"),
        (reads_the_input, "wsgi.input was touched"),
        (keeps_a_context_variable, "context variables"),
        (closes_twice, r"close\(\) was called 2 times"),
        (claims_a_length, r"len\(\) says 1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what a broken generator leaves
def test_a_broken_layer_is_found(wrong, message):
    found = []
    for one in SHAPES:
        try:
            check_shape(one, wrong)
        except AssertionError as error:
            found.append(str(error))
            if re.search(message, found[-1]):
                break
    else:
        pytest.fail(f"not found, but {found[:3]}")
    gc.collect()  # what a broken generator leaves is told here, not in another test


def test_state_on_the_layer_is_found():
    with pytest.raises(AssertionError):
        check_together(keeps_state_on_itself)


@pytest.mark.slow
def test_a_layer_that_cannot_be_entered_twice_is_found():
    with pytest.raises(AssertionError, match="deadlock"):
        check_together(holds_a_lock)


@pytest.mark.slow
def test_a_layer_that_keeps_requests_is_found():
    with pytest.raises(AssertionError, match="of 30 requests are still held"):
        check_together(keeps_requests)


def test_a_header_list_that_is_given_twice_is_found():
    headers = [("Content-Type", "text/plain")]

    def answers_with_one_list(app):
        def layer(environ, start_response):
            if environ["PATH_INFO"] != "/same":
                return app(environ, start_response)
            start_response("200 OK", headers)
            return [b"mine"]

        return layer

    with pytest.raises(AssertionError, match="the header list of another answer"):
        check_together(answers_with_one_list)


def test_a_layer_that_leaves_open_what_the_server_refused_is_found():
    def sends_late(app):
        def layer(environ, start_response):
            heads = []
            body = app(environ, lambda *head: heads.append(head))
            start_response(*heads[0])
            return body

        return layer

    with pytest.raises(AssertionError, match="0 times where the server refused the head"):
        together.closes_what_is_refused(sends_late)


def test_a_layer_that_hides_the_error_of_the_server_is_found():
    def hides(app):
        def layer(environ, start_response):
            with suppress(Exception):
                return app(environ, start_response)
            return []

        return layer

    with pytest.raises(AssertionError, match="its error was lost"):
        together.closes_what_is_refused(hides)


def test_a_layer_that_trusts_its_input_is_found():
    with pytest.raises(AssertionError, match="Content-Length in words"):
        check_requests(needs_a_number)


@pytest.mark.slow
def test_threads_switch_as_before_after_a_check():
    before = sys.getswitchinterval()
    check_together(calls_through)
    assert sys.getswitchinterval() == before
