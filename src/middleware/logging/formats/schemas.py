"""From a record to named, typed values: Elastic Common Schema (ECS 9.0), OpenTelemetry (semantic conventions 1.34).

Values in, values out. A schema is a table of names; what is not there is left out. In neither of the two, and named as
everybody does: `request_id`, `aborted`, `ttfb_ms`.
"""

from __future__ import annotations

from middleware.logging.escaping import MAX_FIELD, MAX_OTHER, MAX_URL, QUOTED
from middleware.logging.formats.directives import name_of_host
from middleware.logging.formats.readable import readable
from middleware.logging.formats.stamps import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.logging.formats.readable import Values
    from middleware.logging.record import AccessRecord

MAX_TRACEBACK = 4096
_MOST_MASKED = 8 * MAX_TRACEBACK

_CAPS = (MAX_URL, MAX_OTHER, MAX_OTHER, MAX_URL, MAX_URL, MAX_URL, *[MAX_OTHER] * 3, *[MAX_FIELD] * 2, *[MAX_OTHER] * 2)


class Schema:
    """The names of a schema. `texts`: those of what `_texts` gives, in its order, None where the schema has none.

    `duration`: a name, and what makes its number of seconds; `error`: of the class, the message, the traceback.
    `spans`: all that the span of the request is called. `levels`: of what went well, of what failed. `methods`: those
    that the schema knows, where another is told in a field of its own.
    """

    __slots__ = ("duration", "error", "level", "levels", "methods", "size", "spans", "status", "texts", "time", "trace")

    def __init__(
        self,
        *,
        time: str,
        level: str,
        levels: tuple[str, str],
        texts: tuple[str | None, ...],
        status: str,
        size: str,
        duration: tuple[str, Callable[[float], int | float]],
        error: tuple[str, str, str],
        trace: str,
        spans: tuple[str, ...],
        methods: frozenset[str] | None = None,
    ) -> None:
        self.time = time
        self.level = level
        self.levels = levels
        self.texts = texts
        self.status = status
        self.size = size
        self.duration = duration
        self.error = error
        self.trace = trace
        self.spans = spans
        self.methods = methods

    def names(self) -> set[str]:
        """All names that a line may have."""
        own = {self.time, self.level, self.status, self.size, self.duration[0], *self.error, self.trace, *self.spans}
        original = {METHOD_ORIGINAL} if self.methods is not None else set()
        return own | original | {name for name in self.texts if name} | {"aborted", "request_id", "ttfb_ms"}


METHOD_ORIGINAL = "http.request.method_original"

ECS = Schema(
    time="@timestamp",
    level="log.level",
    levels=("info", "error"),
    texts=(
        "message",
        "http.request.method",
        "http.version",
        "url.path",
        "url.query",
        "url.full",
        "url.scheme",
        "url.domain",
        "client.ip",
        "user_agent.original",
        "http.request.referrer",
        "user.name",
        "http.route",
    ),
    status="http.response.status_code",
    size="http.response.body.bytes",
    duration=("event.duration", lambda seconds: round(seconds * 1e9)),
    error=("error.type", "error.message", "error.stack_trace"),
    trace="trace.id",
    spans=("span.id", "transaction.id"),
)

OTEL = Schema(
    time="timestamp",
    level="severity_text",
    levels=("INFO", "ERROR"),
    texts=(
        "body",
        "http.request.method",
        "network.protocol.version",
        "url.path",
        "url.query",
        None,
        "url.scheme",
        "server.address",
        "client.address",
        "user_agent.original",
        None,
        None,
        "http.route",
    ),
    status="http.response.status_code",
    size="http.response.body.size",
    duration=("http.server.request.duration", float),
    error=("error.type", "exception.message", "exception.stacktrace"),
    trace="trace_id",
    spans=("span_id",),
    methods=frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")),
)


def fields(record: AccessRecord, schema: Schema = ECS, *, tracebacks: bool = True) -> Values:
    """What is known of the request, under the names of a schema, in a fixed order.

    `tracebacks`: with the message and the traceback of what the application raised, not with its class alone.
    """
    status = record.status
    failed = record.error is not None or status >= 500
    made: Values = {schema.time: rfc3339(record.began), schema.level: _level(record, schema, failed=failed)}
    for name, value in zip(schema.texts, _texts(record), strict=True):
        if value and name:
            made[name] = value
    if schema.methods is not None and record.method not in schema.methods:
        made[METHOD_ORIGINAL], made["http.request.method"] = made["http.request.method"], "_OTHER"
    if status:
        made[schema.status] = status
    made[schema.size] = record.sent
    name, unit = schema.duration
    made[name] = unit(record.duration)
    if failed:
        _add_error(made, record, schema, tracebacks=tracebacks)
    trace_id, span_id = record.trace_id, record.span_id
    if trace_id:
        made[schema.trace] = readable(trace_id, MAX_OTHER)
    if span_id:
        for name in schema.spans:
            made[name] = readable(span_id, MAX_OTHER)
    made["aborted"] = record.aborted
    made["request_id"] = record.request_id
    if record.first_byte is not None:
        made["ttfb_ms"] = round(record.first_byte * 1e3, 3)
    return made


def _level(record: AccessRecord, schema: Schema, *, failed: bool) -> str:
    name = record.level_name
    if name is None:
        return schema.levels[failed]
    return name if schema.levels[0].isupper() else name.lower()


def _texts(record: AccessRecord) -> tuple[str | None, ...]:
    """Message, method, version, path, query, full URL, scheme, host, client, browser, referrer, user, route."""
    usual = record.usual()
    if usual is not None:
        client, user, method, target, protocol, referrer, agent = usual
    else:
        client, user, method, target = record.client, record.user, record.method, record.target
        protocol, referrer, agent = record.protocol, record.referrer, record.user_agent
    host = record.entry("HTTP_HOST") or record.entry("SERVER_NAME")
    scheme = record.entry("wsgi.url_scheme")
    route = record.note("route")
    if not isinstance(route, str):
        route = None
    path, _, query = target.partition("?")
    name, _, version = protocol.partition("/")
    full = None
    if target.startswith("/") and scheme and host:
        full = f"{scheme}://{host}{target}"
    elif "://" in path:  # the form in which clients ask a proxy (RFC 9112, 3.2.2)
        full = target
        path = "/" + path.partition("://")[2].partition("/")[2]
    message = f"{method} {target} {record.status or '-'}"
    values = (
        message,
        method,
        version if name == "HTTP" else None,
        path,
        query,
        full,
        scheme,
        name_of_host(host) if host else None,
        client,
        agent,
        referrer,
        user,
        route,
    )
    # Nearly every value is plain ASCII and short: one look at all of them takes 0.5 us, one at each 3.
    short = f"{host}{scheme}{user}{route}"
    if usual is not None and len(short) <= MAX_OTHER:
        whole = f"{message}{agent}{referrer}{short}"
        if len(whole) <= MAX_FIELD and whole.isascii() and not whole.encode().translate(None, QUOTED.harmless):
            return values
    return tuple(value and readable(value, cap) for value, cap in zip(values, _CAPS, strict=True))


def _add_error(made: Values, record: AccessRecord, schema: Schema, *, tracebacks: bool) -> None:
    kind, message, stack = schema.error
    if record.error is not None:
        made[kind] = readable(record.error, MAX_OTHER)
    elif schema is OTEL:
        made[kind] = str(record.status)
    error = record.exception
    if error is None or not tracebacks:
        return
    from traceback import TracebackException

    told = TracebackException.from_exception(error)
    text = record.masked(_first(str(told)))
    if text:
        made[message] = readable(text, MAX_FIELD)
    lines = record.masked(_last("".join(told.format())))
    if len(lines) > MAX_TRACEBACK:  # the last calls are those that tell
        lines = "..." + lines[3 - MAX_TRACEBACK :]
    made[stack] = readable(lines, 2 * MAX_TRACEBACK)


def _first(text: str) -> str:
    """As much of a text as is worth masking: an error may quote a whole request, and a MB takes two seconds."""
    return text[:_MOST_MASKED]


def _last(text: str) -> str:
    """The same from its end, whole lines alone, since the name of a secret stands before its value."""
    if len(text) <= _MOST_MASKED:
        return text
    _, _, whole = text[-_MOST_MASKED:].partition("\n")
    return "..." if len(whole) <= 1 else f"...{whole}"
