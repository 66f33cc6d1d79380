"""The JSON of a request that has nothing unusual, written in one piece: 4 us where field by field takes 13.

The rule: where one look at all its texts does not find them plain and short, it gives None; and nothing else may come
out than what `schemas` and `json_lines` make field by field.
"""

from __future__ import annotations

from middleware.logging.escaping import MAX_FIELD, MAX_OTHER, QUOTED
from middleware.logging.formats.stamps import rfc3339
from middleware.logging.record import USUAL_METHODS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.logging.formats.schemas import Schema
    from middleware.logging.record import AccessRecord

_LONGEST = 1e6  # seconds; beyond it, and below 0, a clock is broken


def usual_json(schema: Schema) -> Callable[[AccessRecord], str | None]:
    """A function that makes the line of a record, None where it must be made field by field."""
    # What stands before each value, with the quote that ends the text before it.
    begin = f'{{"{schema.time}":"'
    message, method_, version, path_, query_, full_, scheme_, domain, client_, agent_, referrer_, user_, route_ = (
        f'","{name}":"' if name else "" for name in schema.texts
    )
    message = f'","{schema.level}":"{schema.levels[0]}{message}'
    methods = {method: f"{method_}{method}{version}" for method in USUAL_METHODS}
    status_, size_ = f'","{schema.status}":', f',"{schema.size}":'
    duration_, unit = f',"{schema.duration[0]}":', schema.duration[1]

    def line(record: AccessRecord) -> str | None:
        usual = record.usual()
        if usual is None:
            return None
        client, user, method, target, protocol, referrer, agent = usual
        status, duration, first_byte = record.status, record.duration, record.first_byte
        host = record.entry("HTTP_HOST")
        scheme = record.entry("wsgi.url_scheme")
        if not (
            host
            and scheme
            and host[0] != "["
            and target[:1] == "/"
            and 100 <= status < 500
            and record.error is None
            and record.level_name is None
            and 0 <= duration < _LONGEST
            and (first_byte is None or 0 <= first_byte < _LONGEST)
        ):
            return None

        short = f"{host}{scheme}{user}"
        optional = ids = ""
        if len(record.notes) > 1:
            route, trace_id, span_id = record.note("route"), record.trace_id, record.span_id
            if not isinstance(route, str):
                route = None
            short = f"{short}{route}{trace_id}{span_id}"
            if route:
                optional = f"{route_}{route}"
            if trace_id:
                ids = f',"{schema.trace}":"{trace_id}"'
            if span_id:
                ids += "".join([f',"{name}":"{span_id}"' for name in schema.spans])
        texts = f"{target}{agent}{referrer}{short}"
        if (
            len(texts) > MAX_FIELD
            or len(short) > MAX_OTHER
            or not texts.isascii()
            or texts.encode().translate(None, QUOTED.harmless)
        ):
            return None

        if user and user_:
            optional = f"{user_}{user}{optional}"
        if referrer and referrer_:
            optional = f"{referrer_}{referrer}{optional}"
        if agent:
            optional = f"{agent_}{agent}{optional}"
        if client:
            optional = f"{client_}{client}{optional}"
        path, _, query = target.partition("?")
        if query:
            path = f"{path}{query_}{query}"
        if full_:
            path = f"{path}{full_}{scheme}://{host}{target}"
        name = host.partition(":")[0]
        if name:
            optional = f"{domain}{name}{optional}"
        end = "}" if first_byte is None else f',"ttfb_ms":{round(first_byte * 1e3, 3)}}}'
        return (
            f"{begin}{rfc3339(record.began)}{message}{method} {target} {status}{methods[method]}{protocol[5:]}"
            f"{path_}{path}{scheme_}{scheme}{optional}{status_}{status}{size_}{record.sent}{duration_}{unit(duration)}{ids}"
            f',"aborted":{"true" if record.aborted else "false"},"request_id":"{record.request_id}"{end}'
        )

    return line
