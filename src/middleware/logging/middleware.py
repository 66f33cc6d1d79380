"""The layer that writes one line about each request, once its answer has ended, however it ends."""

from __future__ import annotations

from time import perf_counter, time

from middleware.errors import ConfigurationError
from middleware.headers import TOKEN, environ_key
from middleware.logging.formats import by_function, combined, common, extended
from middleware.logging.record import AccessRecord, code_of
from middleware.logging.request_id import KEY, is_request_id, make_request_id
from middleware.logging.sinks import Failures, emitter
from middleware.wsgi import forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.logging.formats import Format
    from middleware.logging.sinks import Writable
    from middleware.wsgi import Ending, Response

NOTES_KEY = "middleware.notes"

_FORMATS = {"common": common, "combined": combined, "extended": extended}


class LoggingMiddleware:
    """Write one line about each request.

    `format`: `"combined"` (Apache's), `"common"`, `"extended"` (combined, then the request id and the seconds),
    `"json"` (the names of the Elastic Common Schema), or a function that makes a line of an `AccessRecord`.
    `sink`: a text stream, a `FileSink`, any object with `write(str)`, or a function of one line; without it the
    standard library's logger `middleware.access` at INFO, and stderr while nobody has configured logging.
    `request_id_header`: the field in which the id of the request is sent to the client; None sends none.
    `trust_request_id`: take the id that the client sent in this field, if it is 1 to 128 letters, digits, `.`, `_`
    and `-`. Only behind a proxy that sets the field itself, since ids from outside can be made to collide.
    `clock` gives the time of day in seconds since 1970, `timer` seconds for durations.

    Whatever fails while a line is made or written is counted in `lines_lost` and told on `wsgi.errors` once a minute
    at most; the response never notices. Raises ConfigurationError for an option that cannot work.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        format: str | Format = "combined",  # noqa: A002 - the word that users know
        sink: Writable | Callable[[str], object] | None = None,
        request_id_header: str | None = "X-Request-ID",
        trust_request_id: bool = False,
        clock: Callable[[], float] = time,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self.app = app
        self._format = _format(format)
        self._emit = emitter(sink)
        self._header = request_id_header
        self._trusted_key: str | None = None
        if request_id_header is not None and not (request_id_header and TOKEN.issuperset(request_id_header)):
            raise ConfigurationError(f'request_id_header={request_id_header!r} is no field name: try "X-Request-ID"')
        if trust_request_id:
            if request_id_header is None:
                raise ConfigurationError("trust_request_id=True needs request_id_header, the field to take the id from")
            self._trusted_key = environ_key(request_id_header)
        self._clock = clock
        self._timer = timer
        self._failures = Failures()

    @property
    def lines_lost(self) -> int:
        """How many requests have no line because something failed."""
        return self._failures.count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = environ.copy()  # the application may rewrite its own
        # One that a LoggingMiddleware further out has given comes first: both lines are about the same request.
        known = request.get(KEY) or (self._trusted_key and request.get(self._trusted_key))
        request_id = environ[KEY] = known if known and is_request_id(known) else make_request_id()
        notes: dict[str, Any] = environ.setdefault(NOTES_KEY, {})
        notes["request_id"] = request_id
        entry = _Entry(request, environ, request_id, notes)
        entry.layer = self
        echo = None if self._header is None else entry.echo
        try:
            entry.began = self._clock()
            entry.started = self._timer()
        except Exception as error:  # noqa: BLE001 - no failure of the log reaches the response
            self._failures.add(error, environ)
            return forward(self.app, environ, start_response, echo)
        return forward(self.app, environ, start_response, echo, watch=entry.watch, end=entry.end)


class _Entry(AccessRecord):
    """The record of one request, which fills itself at the moments that `forward` tells of.

    Its methods stand where closures would: to make three of those takes 0.2 us more a request.
    """

    layer: LoggingMiddleware
    started: float  # by the layer's timer

    def echo(self, response: Response) -> None:
        header = self.layer._header
        assert header is not None
        response.set(header, self.request_id)

    def watch(self, chunk: bytes) -> None:
        sent = self.sent
        if not sent:
            try:
                self.first_byte = self.layer._timer() - self.started
            except Exception:  # noqa: BLE001 - counted at the end, where a broken timer fails again
                self.first_byte = None
        self.sent = sent + len(chunk)

    def end(self, ending: Ending) -> None:
        layer = self.layer
        try:
            self.duration = layer._timer() - self.started
            head, error = ending.head, ending.error
            if ending.by_descriptor:
                self.sent += ending.by_descriptor
            if head is None or (error is not None and not self.sent):
                self.status = 500
            else:
                self.status = code_of(head.status)
            if head is not None:
                self.headers = head.headers
            if ending.gone:
                self.aborted = error is not None or not self.is_all_there()
            elif error is not None:
                self.error = type(error).__name__
            layer._emit(layer._format(self), self)
        except Exception as failure:  # noqa: BLE001 - no failure of the log reaches the response
            layer._failures.add(failure, self.environ)

    def is_all_there(self) -> bool:
        """A server may stop asking once it has what Content-Length promised, and need not ask at all for HEAD."""
        if self.request.get("REQUEST_METHOD") == "HEAD":
            return True
        declared = self.header("Content-Length") or ""
        return declared.isascii() and declared.isdigit() and len(declared) < 20 and self.sent >= int(declared)


def _format(format: str | Format) -> Format:  # noqa: A002
    if callable(format):
        return by_function(format)
    if format == "json":
        from middleware.logging.json_lines import json_line

        return json_line
    if format not in _FORMATS:
        names = ", ".join(f'"{name}"' for name in (*_FORMATS, "json"))
        raise ConfigurationError(f"format={format!r} is unknown: choose {names}, or give a function of the record")
    return _FORMATS[format]
