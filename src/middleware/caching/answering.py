"""What a client gets of a stored answer: all of it, Not Modified, a part, or its head."""

from __future__ import annotations

from middleware.caching.rules.conditions import range_applies
from middleware.caching.rules.fields import without_body
from middleware.caching.rules.ranges import chosen_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from middleware.caching.rules.said import Fields
    from middleware.caching.shelf.entry import Head

    Part = tuple[int, int]

NOTHING: Part = (0, -1)
_OF_THE_WHOLE = frozenset(("content-length", "content-range"))


def answer(
    head: Head,
    fields: Fields,
    body: Callable[[], bytes | None],
    environ: WSGIEnvironment,
    start_response: StartResponse,
    now: float,
    status_field: tuple[str, str] | None,
) -> list[bytes] | None:
    """Answer with what is stored; None where its body is gone.

    `fields` are those of the stored answer as they are to be sent, without Age. `body` gives its body, where that is
    needed. `status_field`: Cache-Status, or None.
    """
    status, own, part = shaped(head, fields, environ, now)
    chunks: list[bytes] = []
    if part is not NOTHING:
        whole = body()
        if whole is None:
            return None
        if part is not None:
            chunks = [whole[part[0] : part[1] + 1]]
        elif whole:
            chunks = [whole]  # the stored object itself: a hit of a megabyte copies nothing
    own.append(("Age", str(int(head.age(now)))))
    if status_field is not None:
        own.append(status_field)
    start_response(status, own)
    return chunks


def shaped(head: Head, fields: Fields, environ: WSGIEnvironment, now: float) -> tuple[str, Fields, Part | None]:
    """The status, the fields and the part of the body (first and last byte, None for all) that this request gets.

    The list of fields belongs to the caller.
    """
    get = environ.get
    given, since = get("HTTP_IF_NONE_MATCH"), get("HTTP_IF_MODIFIED_SINCE")
    if (given is not None or since is not None) and head.satisfies(given, since, now):
        return "304 Not Modified", without_body(fields), NOTHING
    if get("REQUEST_METHOD") == "HEAD":
        return head.status, [*fields], NOTHING
    if "HTTP_RANGE" in environ:
        chosen = _chosen(head, environ, now)
        if chosen is not None:
            return _ranged(head, fields, chosen)
    return head.status, [*fields], None


def _chosen(head: Head, environ: WSGIEnvironment, now: float) -> Part | object | None:
    """The range that is asked for, UNSATISFIABLE, or None where all of the body is sent (RFC 9110, section 14.2)."""
    if head.status[:3] != "200" or not head.accepts_ranges:
        return None
    condition = environ.get("HTTP_IF_RANGE")
    if condition is not None and not range_applies(condition, head.etag, head.last_modified, head.date, now):
        return None
    return chosen_range(environ["HTTP_RANGE"], head.body.length)


def _ranged(head: Head, fields: Fields, chosen: Part | object) -> tuple[str, Fields, Part | None]:
    length = head.body.length
    others = [pair for pair in fields if pair[0].lower() not in _OF_THE_WHOLE]
    if not isinstance(chosen, tuple):
        sizes = [("Content-Range", f"bytes */{length}"), ("Content-Length", "0")]
        return "416 Range Not Satisfiable", others + sizes, NOTHING
    first, last = chosen
    sizes = [("Content-Range", f"bytes {first}-{last}/{length}"), ("Content-Length", str(last - first + 1))]
    return "206 Partial Content", others + sizes, (first, last)
