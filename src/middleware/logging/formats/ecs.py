"""From a record to named, typed values: the Elastic Common Schema (ECS 9.0). Values in, values out."""

from __future__ import annotations

from middleware.logging.escaping import ELLIPSIS, MAX_FIELD, MAX_OTHER, MAX_URL
from middleware.logging.formats.stamps import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.logging.record import AccessRecord


def fields(record: AccessRecord) -> dict[str, str | int | float | bool]:
    """What is known of the request, under the names of ECS, in a fixed order. What is not there is left out.

    Not in ECS, and named as everybody does: `request_id`, `aborted`, `ttfb_ms`.
    """
    target = record.target
    path, _, query = target.partition("?")
    host = record.entry("HTTP_HOST") or record.entry("SERVER_NAME")
    scheme = record.entry("wsgi.url_scheme")
    protocol, _, version = record.protocol.partition("/")
    full = None
    if target.startswith("/") and scheme and host:
        full = f"{scheme}://{host}{target}"
    elif "://" in path:  # the form in which clients ask a proxy (RFC 9112, 3.2.2)
        full = target
        path = "/" + path.partition("://")[2].partition("/")[2]
    texts = (
        ("message", f"{record.method} {target} {record.status or '-'}", MAX_URL),
        ("http.request.method", record.method, MAX_OTHER),
        ("http.version", version if protocol == "HTTP" else None, MAX_OTHER),
        ("url.path", path, MAX_URL),
        ("url.query", query, MAX_URL),
        ("url.full", full, MAX_URL),
        ("url.scheme", scheme, MAX_OTHER),
        ("url.domain", without_port(host) if host else None, MAX_OTHER),
        ("client.ip", record.client, MAX_OTHER),
        ("user_agent.original", record.user_agent, MAX_FIELD),
        ("http.request.referrer", record.referrer, MAX_FIELD),
        ("user.name", record.user, MAX_OTHER),
    )
    made: dict[str, str | int | float | bool] = {
        "@timestamp": rfc3339(record.began),
        "log.level": "error" if record.error or record.status >= 500 else "info",
    }
    for name, value, cap in texts:
        if value:
            # No character of ASCII takes more than six in JSON, so most values need no closer look.
            made[name] = value if len(value) * 6 <= cap and value.isascii() else text(value, cap)
    if record.status:
        made["http.response.status_code"] = record.status
    made["http.response.body.bytes"] = record.sent
    made["event.duration"] = round(record.duration * 1e9)
    if record.error:
        made["error.type"] = record.error
    made["aborted"] = record.aborted
    made["request_id"] = record.request_id
    if record.first_byte is not None:
        made["ttfb_ms"] = round(record.first_byte * 1e3, 3)
    return made


def without_port(host: str) -> str:
    """The host of a Host field: `[2001:db8::1]:80` is `2001:db8::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def text(value: str, cap: int) -> str:
    """What the bytes say in UTF-8, other bytes as `\\xhh`; cut where its JSON would be longer than `cap`."""
    if value.isascii():
        shown = value
    else:
        try:
            shown = value.encode("latin-1").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:  # real text, as a user's name may be
            shown = value.encode("utf-8", "backslashreplace").decode()
    if sum(map(_json_length, shown[: cap + 1])) <= cap:
        return shown
    room = cap - len(ELLIPSIS)
    end = 0
    for character in shown:
        room -= _json_length(character)
        if room < 0:
            break
        end += 1
    # `\xhh` is an escape too, although JSON does not know it.
    at = shown.rfind("\\x", max(0, end - 3), end + 1)
    return shown[: end if at == -1 else at] + ELLIPSIS


def _json_length(character: str) -> int:
    """How many characters of ASCII JSON needs for one: `a`, `\\n`, `\\u00e9`, two of these outside the BMP."""
    if character in '"\\\b\f\n\r\t':
        return 2
    if " " <= character <= "~":
        return 1
    return 6 if character <= "\uffff" else 12
