"""The layer that writes one line about each request, once its answer has ended, however it ends."""

from __future__ import annotations

from time import perf_counter, time

from middleware.errors import ClientGone, ConfigurationError
from middleware.logging.choice import Choice, Count, tell_slow
from middleware.logging.context import BodyInContext, RequestNames, enter, leave
from middleware.logging.escaping import MAX_URL, QUOTED, escaped
from middleware.logging.formats import format_of
from middleware.logging.privacy import USUAL, Privacy
from middleware.logging.record import AccessRecord, code_of, path_of
from middleware.logging.request_id import KEY, RequestIds
from middleware.logging.sinks import Failures, emitter
from middleware.options import a_switch
from middleware.timings import TIMINGS
from middleware.wsgi import forward
from middleware.wsgi.bodies import Body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.logging.formats import Format
    from middleware.logging.metrics import Metrics, Outcome
    from middleware.logging.sinks import Writable
    from middleware.logging.trace import Trace
    from middleware.wsgi import Ending, Response

NOTES_KEY = "middleware.notes"


class LoggingMiddleware:
    """Write one line about each request.

    `format`: `"combined"` (Apache's), `"common"`, `"extended"` (combined, then the request id and the seconds),
    `"json"` (the names of the Elastic Common Schema), `"logfmt"`, a format string of Apache with `%` in it, an
    `ApacheFormat`, a `JsonFormat`, or a function that makes a line of an `AccessRecord`.
    `sink`: a text stream, a `FileSink`, a `QueueSink`, a logger, any object with `write(str)` or `emit(str, record)`,
    or a function of one line; without it the standard library's logger `middleware.access`, and stderr while nobody
    has configured logging.
    `request_ids`: where ids of requests come from and go to, see `RequestIds`. `trace`: W3C trace context, kept in
    `environ["middleware.trace"]`: `"continue"` goes on with the trace that a request comes with and begins one where it
    comes with none, `"new"` always begins one, for a site to which anybody may send what they like; None leaves it out.
    `error_log`: also log, by the standard library's logger `middleware.error`, each exception that leaves the
    application, with its traceback and the id of the request; off, for most servers do.
    `privacy`: what the lines do not tell, see `Privacy`; None shows secrets in URLs, header fields and cookies too.
    `choice`: which requests are written, and which of them are slow, see `Choice`.
    `metrics`: a `Metrics` that counts the requests. `server_timing`: tell browsers in `Server-Timing` how long the
    application and the layers took: True, or a function that decides it of the environ when the head leaves, and so
    may ask who the user is.
    `clock` gives the time of day in seconds since 1970, `timer` seconds for durations.

    Whatever fails here, and each function of yours that does, is counted in `failures` and told on `wsgi.errors` once
    a minute at most; the response never notices. Raises ConfigurationError for an option that cannot work.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        format: str | Format = "combined",  # noqa: A002 - the word that users know
        sink: Writable | Callable[[str], object] | None = None,
        request_ids: RequestIds = RequestIds(),  # noqa: B008 - a frozen value
        trace: Literal["continue", "new"] | None = None,
        error_log: bool = False,
        privacy: Privacy | None = USUAL,
        choice: Choice = Choice(),  # noqa: B008
        metrics: Metrics | None = None,
        server_timing: bool | Callable[[WSGIEnvironment], object] = False,
        clock: Callable[[], float] = time,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self.app = app
        self._format = format_of(format)
        self._emit = emitter(sink)
        if not isinstance(request_ids, RequestIds):
            raise ConfigurationError(f"request_ids= takes RequestIds(...), not {request_ids!r}")
        if trace not in ("continue", "new", None):
            raise ConfigurationError(f'trace= is "continue", "new" or None, not {trace!r}')
        if privacy is not None and not isinstance(privacy, Privacy):
            raise ConfigurationError(f"privacy= takes Privacy(...) or None, not {privacy!r}")
        if not isinstance(choice, Choice):
            raise ConfigurationError(f"choice= takes Choice(...), not {choice!r}")
        self._privacy = privacy
        self._choice = None if choice.takes_all else choice
        self._skipped = Count()
        self._ids = request_ids
        self._header = request_ids.header if request_ids.echo else None
        self._trace = None if trace is None else _tracer(anew=trace == "new")
        self._error_log = a_switch("error_log", error_log)
        self._metrics = metrics
        self._written: Outcome | None = None if metrics is None else _follow(metrics, sink)
        if not isinstance(server_timing, bool) and not callable(server_timing):
            raise ConfigurationError(
                f"server_timing= is True, False or a function of a request's environ, not {server_timing!r}"
            )
        for name, seconds in (("clock", clock), ("timer", timer)):
            if not callable(seconds):
                raise ConfigurationError(f"{name}= is a function that gives seconds, not {seconds!r}")
        self._server_timing = server_timing
        if server_timing is not False:
            from middleware.logging.server_timing import field_value

            self._field_value = field_value
        self._clock = clock
        self._timer = timer
        self._failures = Failures()

    @property
    def failures(self) -> int:
        """How often something failed, which costs a line but for functions such as `skip`. A queue counts its own."""
        return self._failures.count

    @property
    def skipped(self) -> int:
        """How many requests have no line because `choice` left them out."""
        return self._skipped.value

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = environ.copy()  # the application may rewrite its own
        request_id = environ[KEY] = self._ids.id_of(request, lambda error: self._failures.add(error, environ))
        notes: dict[str, Any] | None = environ.get(NOTES_KEY)
        if not isinstance(notes, dict):
            notes = environ[NOTES_KEY] = {}
        notes["request_id"] = request_id
        entry = _Entry(request, environ, request_id, notes)
        entry.layer = self
        entry.privacy = self._privacy
        entry.names = names = RequestNames(request_id, None if self._trace is None else self._trace(environ, notes))
        if self._server_timing is not False and TIMINGS not in environ:  # else a layer further out tells of it
            entry.timings = environ[TIMINGS] = []
        echo = None if self._header is None and entry.timings is None else entry.echo
        token = enter(names)
        try:
            try:
                entry.began = self._clock()
                entry.started = self._timer()
            except Exception as error:  # noqa: BLE001 - no failure of the log reaches the response
                self._failures.add(error, environ)
                if self._metrics is not None:
                    self._metrics.end(entry, "failed")
                entry.timings = None
                body = forward(self.app, environ, start_response, echo)
            else:
                if self._metrics is not None:
                    self._metrics.begin(entry)
                body = forward(self.app, environ, start_response, echo, watch=entry.watch, end=entry.end)
        finally:
            leave(token)
        # The chunks of a list are made already, and those of a file by the server.
        return BodyInContext(body, names) if type(body) is Body else body


class _Entry(AccessRecord):
    """The record of one request, which fills itself at the moments that `forward` tells of.

    Its methods stand where closures would: to make three of those takes 0.2 us more a request.
    """

    layer: LoggingMiddleware
    names: RequestNames
    started: float  # by the layer's timer
    outcome: Outcome | None = "failed"  # what has become of the line
    timings: list[tuple[str, float, str | None]] | None = None  # of the layers further in, where they are to be told

    def echo(self, response: Response) -> None:
        header = self.layer._header
        if header is not None:
            response.set(header, self.request_id)
        if self.timings is not None:
            self.tell_timings(self.timings, response)

    def tell_timings(self, timings: list[tuple[str, float, str | None]], response: Response) -> None:
        layer = self.layer
        may_see = layer._server_timing
        try:
            if may_see is True or (callable(may_see) and may_see(self.environ)):
                app = "app", (layer._timer() - self.started) * 1000, None
                response.add("Server-Timing", layer._field_value([app, *timings]))
        except Exception as error:  # noqa: BLE001 - no failure of the log reaches the response
            layer._failures.add(error, self.environ)

    def watch(self, chunk: bytes) -> None:
        sent = self.sent
        if not sent:
            try:
                self.first_byte = self.layer._timer() - self.started
            except Exception:  # noqa: BLE001 - counted at the end, where a broken timer fails again
                self.first_byte = None
        self.sent = sent + len(chunk)

    def end(self, ending: Ending) -> None:
        token = enter(self.names)
        try:
            self.write(ending)
        finally:
            leave(token)
            metrics = self.layer._metrics
            if metrics is not None:
                metrics.end(self, self.outcome)

    def write(self, ending: Ending) -> None:
        layer = self.layer
        try:
            self.duration = layer._timer() - self.started
            head, error = ending.head, ending.error
            if ending.by_descriptor:
                self.sent += ending.by_descriptor
            if head is None or (error is not None and not self.sent):
                self.status = 400 if isinstance(error, ClientGone) else 500
            else:
                self.status = code_of(head.status)
            self.head = head
            self.first_head = ending.first
            if ending.gone:
                self.aborted = ending.server_error is not None or not self.is_all_there()
            if error is not None and error is not ending.server_error:
                self.exception = error
                self.error = type(error).__name__
            if layer._error_log and self.exception is not None:
                _log_error(self, self.exception)
            if layer._choice is None or self.is_chosen(layer._choice):
                layer._emit(layer._format(self), self)
                self.outcome = layer._written
            else:
                layer._skipped.add()
                self.outcome = "skipped"
        except Exception as failure:  # noqa: BLE001 - no failure of the log reaches the response
            layer._failures.add(failure, self.environ)

    def is_chosen(self, choice: Choice) -> bool:
        """Whether the line is written; a slow request is told at once. What fails here costs no line."""
        choice.judge(self)
        try:
            if self.slow:
                tell_slow(self)
            return choice.takes(self, path_of(self.request))
        except Exception as failure:  # noqa: BLE001 - as above
            self.layer._failures.add(failure, self.environ)
            return True

    def is_all_there(self) -> bool:
        """A server may stop asking once it has what Content-Length promised, and need not ask at all for HEAD."""
        if self.request.get("REQUEST_METHOD") == "HEAD":
            return True
        declared = self.header("Content-Length") or ""
        return declared.isascii() and declared.isdigit() and len(declared) < 20 and self.sent >= int(declared)


def _log_error(record: AccessRecord, error: BaseException) -> None:
    """Log what the application raised, with its traceback. Nobody's handler takes the line of the request with it."""
    import logging
    from contextlib import suppress

    with suppress(Exception):
        logger = logging.getLogger("middleware.error")
        if logger.isEnabledFor(logging.ERROR):
            where = escaped(f"{record.method} {record.path}", QUOTED, MAX_URL)
            exc_info = (type(error), error, error.__traceback__)
            # Not by `extra=`, which refuses the names that `name_all_records` gives each record.
            made = logger.makeRecord(
                logger.name, logging.ERROR, __file__, 0, "%s raised by %s", (record.error, where), exc_info
            )
            made.request_id = record.request_id
            logger.handle(made)


def _follow(metrics: Metrics, sink: object) -> Outcome | None:
    """What has become of a line that the sink has taken."""
    from middleware.logging.metrics import Metrics

    if not isinstance(metrics, Metrics):
        raise ConfigurationError(f"metrics= is a Metrics(), not {metrics!r}")
    return metrics.follow(sink)


def _tracer(*, anew: bool) -> Callable[[WSGIEnvironment, dict[str, Any]], Trace]:
    """Gives a request its place in a trace, and leaves it where the application and the formats find it."""
    from middleware.logging.trace import KEY, trace_of

    def trace(environ: WSGIEnvironment, notes: dict[str, Any]) -> Trace:
        found = environ.get(KEY)  # of a LoggingMiddleware further out
        if found is None:
            found = environ[KEY] = trace_of(environ, anew=anew)
        notes["trace_id"], notes["span_id"] = found.trace_id, found.span_id
        return found

    return trace
