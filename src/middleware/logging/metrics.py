"""Numbers about all requests, for Prometheus.

The rule: no request waits for another, or for whoever reads. One that has ended leaves its facts in a deque, and the
sums are made by the reader, or by the request that finds 256 of them. What is in flight is a set. So there is no lock
that a request could find held.
"""

from __future__ import annotations

from collections import deque
from math import isfinite
from threading import Lock

from middleware.errors import ConfigurationError, MissingExtra
from middleware.logging.prometheus_text import CONTENT_TYPE, Family, text
from middleware.logging.series import OTHER, Histogram, place
from middleware.operators import say_once
from middleware.wsgi.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Literal, Protocol
    from wsgiref.types import StartResponse, WSGIEnvironment

    from middleware.events import Event
    from middleware.logging.record import AccessRecord

    Label = Literal["method", "status", "route"]
    Outcome = Literal["written", "dropped", "failed", "skipped"]
    OnRequest = Callable[[str, str, str, float, int], object]

    class Collector(Protocol):
        """What a registry of prometheus_client asks of whoever has metrics."""

        def collect(self) -> Iterable[Any]: ...


METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE")
LABELS: tuple[Label, ...] = ("method", "status", "route")
OUTCOMES: tuple[Outcome, ...] = ("written", "dropped", "failed", "skipped")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_SERIES = 1000  # of one metric
LONGEST_LABEL = 200
MOST_BUCKETS = 100

_PATHS = ("PATH_INFO", "REQUEST_URI", "RAW_URI", "QUERY_STRING")
_STATUSES = {code: str(code) for code in range(100, 1000)}
_MOST_LEFT = 256  # to add them up takes a tenth of a millisecond


class Metrics:
    """Counts requests for Prometheus: give it to `LoggingMiddleware(metrics=...)`, and mount its `app`.

    `buckets`: the upper bounds of the durations, in seconds, rising. `duration_labels`: by which of `"method"`,
    `"status"` and `"route"` durations are told apart, none by default: each combination has a line for each bucket.
    The route is the note `route`, or else what `environ[route_key]` has at the end, where that is text: something of
    which a site has few, such as `/articles/<id>`, and never a path. A method that is not of RFC 9110 or PATCH, a
    status that is not of three digits, and what would be more than 1000 series of one metric, is `_OTHER`.
    `on_request(method, status, route, seconds, sent)` is called with the same labels at the end of each request, to
    hand them on to something else.

    Each process counts for itself. Raises ConfigurationError for an option that cannot work.
    """

    def __init__(
        self,
        *,
        buckets: Sequence[float] = BUCKETS,
        duration_labels: Sequence[Label] = (),
        route_key: str | None = None,
        on_request: OnRequest | None = None,
    ) -> None:
        self._buckets = _rising(buckets)
        self._most_durations = MOST_SERIES // (len(self._buckets) + 3)
        if not isinstance(duration_labels, list | tuple) or not all(label in LABELS for label in duration_labels):
            raise ConfigurationError(
                f'duration_labels= is a list of "method", "status" and "route", not {duration_labels!r}'
            )
        if route_key is not None and (not isinstance(route_key, str) or not route_key):
            raise ConfigurationError(f"route_key= is the key of environ where the router leaves it, not {route_key!r}")
        if route_key is not None and (route_key in _PATHS or route_key.startswith("HTTP_")):
            raise ConfigurationError(f"route_key= is {route_key!r}, of which clients make up as many as they like")
        if on_request is not None and not callable(on_request):
            raise ConfigurationError(f"on_request= is a function of labels and numbers, not {on_request!r}")
        from middleware.stores.forks import watch

        self._duration_labels = tuple(label for label in LABELS if label in duration_labels)
        self._duration_positions = [LABELS.index(label) for label in self._duration_labels]
        self._route_key = route_key
        self._on_request = on_request
        self._sinks: list[Any] = []  # that count their lines
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._adding_up = Lock()
        self._in_flight: set[int] = set()
        self._ended: deque[tuple[tuple[str, str, str], float, int, Outcome | None]] = deque()
        self._told: deque[tuple[str, str]] = deque()
        self._routes = {""}
        self._requests: dict[tuple[str, ...], int] = {}
        self._durations: dict[tuple[str, ...], Histogram] = {}
        self._events: dict[tuple[str, ...], int] = {}
        self._lines: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        self._bytes = 0

    def before_fork(self) -> None:
        """Nothing has to be stopped."""

    def after_fork(self, *, in_child: bool) -> None:
        """A child begins at 0: its parent tells of what was before."""
        if in_child:
            self._begin()

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application that Prometheus asks. Mount it where the public does not come."""
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            refusal = Response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return refusal(environ, start_response)
        body = text(self.families()).encode("utf-8", "replace")
        fields = [
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        return Response("200 OK", fields, [body])(environ, start_response)

    def collector(self) -> Collector:
        """The same for prometheus_client: `REGISTRY.register(metrics.collector())`.

        Raises MissingExtra where it is not installed.
        """
        try:
            from prometheus_client.core import Metric
        except ImportError as error:
            raise MissingExtra("a collector needs prometheus_client: pip install prometheus-client") from error
        return _Collector(self.families, Metric)

    def families(self) -> list[Family]:
        """Every metric as it is now."""
        with self._adding_up:
            self._add_up()
            requests = Family("http_requests_total", "counter", "Requests whose answer has ended.")
            for labels, count in self._requests.items():
                requests.add(count, [*zip(LABELS, labels, strict=True)])
            durations = Family(
                "http_request_duration_seconds", "histogram", "Time from a request's arrival to the end of its answer."
            )
            for labels, histogram in self._durations.items():
                names = [*zip(self._duration_labels, labels, strict=True)]
                durations.add_histogram(self._buckets, histogram.counts, histogram.total, names)
            sent = Family("http_response_bytes_total", "counter", "Bytes of bodies that were handed to the server.")
            sent.add(self._bytes)
            in_flight = Family("http_requests_in_flight", "gauge", "Requests whose answer has not ended.")
            in_flight.add(len(self._in_flight))
            lines = Family("middleware_log_lines_total", "counter", "Lines of the access log by what became of them.")
            for outcome, number in self._outcomes().items():
                lines.add(number, [("outcome", outcome)])
            events = Family("middleware_events_total", "counter", "What happened in the layers that tell of it.")
            for labels, count in self._events.items():
                events.add(count, [*zip(("layer", "event"), labels, strict=True)])
        found = [requests, durations, sent, in_flight, lines]
        return [*found, events] if events.samples else found

    def on_event(self, event: Event) -> None:
        """Count an event of another layer, as in `SessionMiddleware(on_event=metrics.on_event)`."""
        self._told.append((_label(event.layer), _label(event.name)))
        if len(self._told) >= _MOST_LEFT:
            self._try_to_add_up()

    # What the layer of the log calls

    def follow(self, sink: object) -> Outcome | None:
        """What has become of a line that this sink has taken; None where the sink counts its lines, as a queue does."""
        if not all(isinstance(getattr(sink, name, None), int) for name in ("written", "dropped", "failed")):
            return "written"
        if not any(sink is known for known in self._sinks):
            self._sinks.append(sink)
        return None

    def begin(self, record: AccessRecord) -> None:
        """A request is in flight."""
        self._in_flight.add(id(record))

    def end(self, record: AccessRecord, outcome: Outcome | None) -> None:
        """It no longer is, and this has become of its line. Never raises."""
        self._in_flight.discard(id(record))
        method = record.request.get("REQUEST_METHOD")
        if method not in METHODS:
            method = OTHER
        status = _STATUSES.get(record.status, OTHER)
        route = self._route_of(record)
        seconds = record.duration if record.duration > 0 else 0.0
        self._ended.append(((method, status, route), seconds, record.sent, outcome))
        if len(self._ended) >= _MOST_LEFT:
            self._try_to_add_up()
        if self._on_request is not None:
            try:
                self._on_request(method, status, route, seconds, record.sent)
            except Exception as error:  # noqa: BLE001 - a listener is not part of the answer
                say_once(f"on_request= of Metrics failed: {type(error).__name__}", logger="middleware.logging")

    def _route_of(self, record: AccessRecord) -> str:
        route = record.notes.get("route")
        if route is None and self._route_key is not None:
            route = record.environ.get(self._route_key)
        if type(route) is not str:
            return ""
        if route in self._routes:
            return route
        route = _label(route) if len(self._routes) < MOST_SERIES else OTHER
        self._routes.add(route)
        return route

    # What makes the sums

    def _try_to_add_up(self) -> None:
        if self._adding_up.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                self._adding_up.release()

    def _add_up(self) -> None:
        """Only for the holder of the lock."""
        buckets, positions = self._buckets, self._duration_positions
        for _ in range(len(self._ended)):
            labels, seconds, sent, outcome = self._ended.popleft()
            _count(self._requests, labels)
            told_apart = tuple([labels[position] for position in positions]) if positions else ()
            histogram = self._durations.get(told_apart)
            if histogram is None:
                told_apart = place(self._durations, told_apart, self._most_durations)
                histogram = self._durations.setdefault(told_apart, Histogram(len(buckets)))
            histogram.add(seconds, buckets)
            self._bytes += sent
            if outcome is not None:
                self._lines[outcome] += 1
        for _ in range(len(self._told)):
            _count(self._events, self._told.popleft())

    def _outcomes(self) -> dict[Outcome, int]:
        lines = dict(self._lines)
        for sink in self._sinks:
            lines["written"] += sink.written
            lines["dropped"] += sink.dropped
            lines["failed"] += sink.failed
        return lines


class _Collector:
    def __init__(self, families: Callable[[], list[Family]], metric: Callable[[str, str, str], Any]) -> None:
        self._families = families
        self._metric = metric

    def collect(self) -> Iterable[Any]:
        """Every metric as prometheus_client has it."""
        for family in self._families():
            metric = self._metric(family.name.removesuffix("_total"), family.help, family.kind)
            for suffix, labels, value in family.samples:
                metric.add_sample(family.name + suffix, dict(labels), value)
            yield metric


def _count(series: dict[tuple[str, ...], int], labels: tuple[str, ...]) -> None:
    if labels not in series:
        labels = place(series, labels, MOST_SERIES)
        series.setdefault(labels, 0)
    series[labels] += 1


def _label(text: str) -> str:
    """Text that can stand in a label."""
    if type(text) is not str or len(text) > LONGEST_LABEL:
        return OTHER
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character
        return OTHER
    return text


def _rising(buckets: Sequence[float]) -> tuple[float, ...]:
    """Bounds that a histogram can have, as floats. Raises ConfigurationError."""
    bounds = tuple(buckets) if isinstance(buckets, list | tuple) else ()
    are_numbers = all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds)
    if not bounds or not are_numbers or not all(isfinite(bound) and bound > 0 for bound in bounds):
        raise ConfigurationError(f"buckets= is a list of seconds above 0, such as [0.1, 1, 10], not {buckets!r}")
    if list(bounds) != sorted({*bounds}):
        raise ConfigurationError(f"buckets= rise from each to the next, not {buckets!r}")
    if len(bounds) > MOST_BUCKETS:
        raise ConfigurationError(f"buckets= are {MOST_BUCKETS} at most, not {len(bounds)}")
    return tuple(map(float, bounds))
