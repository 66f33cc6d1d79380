"""W3C trace context (Level 2): which trace a request belongs to, read, continued and handed on. Pure but for chance.

The rule: a `traceparent` that is not exactly as the standard has it begins a new trace, and takes its `tracestate`
along; a `tracestate` that is not, is dropped alone.
"""

from __future__ import annotations

from os import urandom

from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

KEY = "middleware.trace"

SAMPLED = 0x01
RANDOM = 0x02  # the trace id is random (Level 2, section 3.2.2.5.2)

_LENGTH = 55  # of version 00, and of what is read of later ones
_HEX = "0123456789abcdef"
_MOST_MEMBERS = 32
_LONGEST = 256  # of a key and of a value
_KEY_BEGINS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_KEY_GOES_ON = _KEY_BEGINS | frozenset("_*/@-")


class Trace:
    """The place of a request in a trace. A frozen value.

    `trace_id`: 32 hex digits, the same for all that one request of somebody sets in motion. `span_id`: 16 hex digits,
    this part of it. `parent_id`: the part that asked, None where this one begins the trace. `flags`: bit 1 says that
    the caller records this trace. `state`: the value of `tracestate`, which other tracers put there; may be empty.
    """

    __slots__ = ("flags", "parent_id", "span_id", "state", "trace_id")

    trace_id: str
    span_id: str
    parent_id: str | None
    flags: int
    state: str

    def __init__(self, trace_id: str, span_id: str, parent_id: str | None, flags: int, state: str) -> None:
        for name, value in zip(
            ("trace_id", "span_id", "parent_id", "flags", "state"),
            (trace_id, span_id, parent_id, flags, state),
            strict=True,
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a trace does not change ({name})")

    def __repr__(self) -> str:
        return f"<Trace {self.trace_id} {self.span_id}>"

    def headers(self) -> dict[str, str]:
        """The header fields for one request to another service. Each call stands for a request of its own.

        The trace is the same, the parent id new in each call, and of the flags those are handed on that the standard
        knows. That id is in the field only: whoever logs the outgoing request reads it there.
        """
        fields = {"traceparent": f"00-{self.trace_id}-{_new_id(8)}-{self.flags & (SAMPLED | RANDOM):02x}"}
        if self.state:
            fields["tracestate"] = self.state
        return fields


def trace_of(request: WSGIEnvironment, *, anew: bool) -> Trace:
    """The trace of a request: the one that it comes with, where that is as the standard has it; else a new one.

    `anew`: always a new one, for a site to which anybody may send whatever they like.
    """
    parent = None if anew else parse_traceparent(request.get("HTTP_TRACEPARENT"))
    if parent is None:
        return Trace(_new_id(16), _new_id(8), None, RANDOM, "")
    trace_id, parent_id, flags = parent
    return Trace(trace_id, _new_id(8), parent_id, flags, parse_tracestate(request.get("HTTP_TRACESTATE")))


def parse_traceparent(text: object) -> tuple[str, str, int] | None:
    """The trace id, the parent id and the flags; None for what is no `traceparent` (section 3.2)."""
    if not isinstance(text, str) or len(text) > 4096:
        return None
    text = text.strip(" \t")
    if len(text) < _LENGTH or text[2] != "-" or text[35] != "-" or text[52] != "-":
        return None
    version, trace_id, parent_id, flags = text[:2], text[3:35], text[36:52], text[53:55]
    if (version + trace_id + parent_id + flags).strip(_HEX) or version == "ff":
        return None
    if len(text) > _LENGTH and (version == "00" or text[_LENGTH] != "-"):
        return None
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return trace_id, parent_id, int(flags, 16)


def parse_tracestate(text: object) -> str:
    """The members of a `tracestate` in their order, as one value; empty where one of them is wrong (section 3.3)."""
    if not isinstance(text, str):
        return ""
    members: list[str] = []
    for part in text.split(",", 4 * _MOST_MEMBERS):
        member = part.strip(" \t")
        if not member:
            continue
        key, equals, value = member.partition("=")
        if not equals or not _is_key(key) or not _is_value(value) or len(members) == _MOST_MEMBERS:
            return ""
        members.append(member)
    return ",".join(members)


def trace_headers(environ: WSGIEnvironment) -> dict[str, str]:
    """The header fields that hand the trace of this request on to another service, new in each call.

    Raises LayerMissing where no LoggingMiddleware with `trace=` stands round the application.
    """
    trace: Trace | None = environ.get(KEY)
    if trace is None:
        raise LayerMissing('no trace here: wrap the app in LoggingMiddleware(app, trace="continue")')
    return trace.headers()


def _is_key(key: str) -> bool:
    return 0 < len(key) <= _LONGEST and key[0] in _KEY_BEGINS and _KEY_GOES_ON.issuperset(key)


def _is_value(value: str) -> bool:
    # Printable ASCII without comma and equals sign; blanks at its end are gone with those round the member.
    return 0 < len(value) <= _LONGEST and value.isascii() and value.isprintable() and "=" not in value


def _new_id(size: int) -> str:
    """Random bytes in hexadecimal, never all zero. From the system, so that a forked child repeats none."""
    made = urandom(size).hex()
    return made if made.strip("0") else _new_id(size)
