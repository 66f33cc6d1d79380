"""The lines of Apache's `common` and `combined` format, and the latter with more at its end. Values in, values out."""

from __future__ import annotations

from middleware.logging.escaping import MAX_FIELD, MAX_LINE, MAX_OTHER, MAX_URL, QUOTED, USER, escaped, fitted
from middleware.logging.formats.stamps import local_stamp
from middleware.logging.record import ip_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.logging.record import AccessRecord

    Format = Callable[[AccessRecord], str]

_HARMLESS = bytes(byte for byte in range(0x20, 0x7F) if chr(byte) not in '"\\')
_USUAL_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
_USUAL_PROTOCOLS = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/2")


def _apache(*, with_fields: bool, with_timing: bool) -> Format:
    """One of the shipped formats: with Referer and User-Agent or not, with the request id and the seconds or not."""
    quotes = b'""' + with_fields * b'""""'

    def line(record: AccessRecord) -> str:
        # Nearly every line is clean. Then one look at the whole of it takes 0.25 us where escaping each value takes 5:
        # what is left without the harmless characters must be the quotes put there. (Entries are read here for the
        # same reason: by the record's properties that takes 0.4 us more.)
        get = record.request.get
        address = get("REMOTE_ADDR")
        client = (ip_address(address) if isinstance(address, str) else None) or "-"
        user = record.environ.get("REMOTE_USER") or record.notes.get("user") or "-"
        stamp = local_stamp(record.began)
        status = record.status or "-"
        size = record.sent or "-"
        end = f" {record.request_id} {record.duration:.3f}" if with_timing else ""

        method = get("REQUEST_METHOD")
        protocol = get("SERVER_PROTOCOL")
        is_word = user == "-" or (isinstance(user, str) and user.isalnum() and len(user) <= MAX_OTHER)
        if is_word and method in _USUAL_METHODS and protocol in _USUAL_PROTOCOLS:
            target = get("RAW_URI") or get("REQUEST_URI") or record.target
            fields = ""
            if with_fields:
                referrer = get("HTTP_REFERER")
                agent = get("HTTP_USER_AGENT")
                fields = f' "{"-" if referrer is None else referrer}" "{"-" if agent is None else agent}"'
            clean = f'{client} - {user} {stamp} "{method} {target} {protocol}" {status} {size}{fields}{end}'
            if len(clean) <= MAX_FIELD and clean.isascii() and clean.encode().translate(None, _HARMLESS) == quotes:
                return clean

        values = [
            escaped(record.user or "-", USER, MAX_OTHER),
            escaped(record.method, QUOTED, MAX_OTHER),
            escaped(record.target, QUOTED, MAX_URL),
            escaped(record.protocol, QUOTED, MAX_OTHER),
        ]
        literals = [f"{client} - ", f' {stamp} "', " ", " ", f'" {status} {size}{end}']
        if with_fields:
            asked = (record.referrer, record.user_agent)
            values += [escaped("-" if value is None else value, QUOTED, MAX_FIELD) for value in asked]
            literals[-1:] = [f'" {status} {size} "', '" "', f'"{end}']
        return woven(literals, values)

    return line


def woven(literals: list[str], values: list[str]) -> str:
    """A line of escaped values between literals, of which there is one more; the values are cut to make it fit."""
    values = fitted(values, MAX_LINE - sum(map(len, literals)))
    return literals[0] + "".join(value + literal for value, literal in zip(values, literals[1:], strict=True))


common = _apache(with_fields=False, with_timing=False)  # `%h %l %u %t "%r" %>s %b`
combined = _apache(with_fields=True, with_timing=False)  # and ` "%{Referer}i" "%{User-Agent}i"`
extended = _apache(with_fields=True, with_timing=True)  # and the request id, and the seconds with three decimals
