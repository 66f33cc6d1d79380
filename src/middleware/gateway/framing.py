"""How long the body of a request is, by what its fields and its server say. Values in, values out.

The rule: a body that cannot be told from what follows it is refused (RFC 9112, section 6.3), and one that the server
would lose is refused rather than lost.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.gateway.servers import Chunked

TO_ITS_END = -1  # as many bytes as the server gives
BAD_LENGTH = "400 Bad Request"
NO_LENGTH = "411 Length Required"

_MOST_DIGITS = 18  # 888 petabytes


def size_of_body(length: str | None, coding: str | None, *, chunked: Chunked, ends: bool, framed: bool) -> int | str:
    """The number of bytes, or `TO_ITS_END`, or the status that refuses the request.

    `length`, `coding`: Content-Length and Transfer-Encoding; None where there is none. `chunked`: what becomes of a
    chunked body at the server. `ends`: whether its `wsgi.input` ends where the body does. `framed`: whether the
    protocol itself tells the end of a body, as HTTP/2 does.
    """
    if coding is not None:
        return _size_of_coded(length, coding.strip(" \t").lower(), chunked, ends)
    if length is None:
        return TO_ITS_END if framed and ends else 0
    if not length.isascii() or not length.isdigit() or len(length) > _MOST_DIGITS:
        return BAD_LENGTH
    return int(length)


def _size_of_coded(length: str | None, coding: str, chunked: Chunked, ends: bool) -> int | str:
    """With Transfer-Encoding. Any but `chunked` may be read in two ways: servers decode nothing else."""
    if coding != "chunked":
        return BAD_LENGTH
    if chunked == "lost":
        return NO_LENGTH if length in (None, "0") else BAD_LENGTH  # Paste adds "0" itself
    if length is None:
        return TO_ITS_END if ends or chunked == "decoded" else NO_LENGTH
    if chunked == "decoded":  # two lengths: whoever stands in front may have believed the other one
        return BAD_LENGTH
    return size_of_body(length, None, chunked=chunked, ends=ends, framed=False)
