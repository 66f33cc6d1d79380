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


def size_of_body(length: str | None, coding: str, *, chunked: Chunked, ends: bool) -> int | str:
    """The number of bytes, or `TO_ITS_END`, or the status that refuses the request.

    `length`: Content-Length, None where there is none. `coding`: Transfer-Encoding, "" where there is none.
    `chunked`: what the server does with a chunked body. `ends`: whether its `wsgi.input` ends where the body does.
    """
    if coding and chunked == "lost":
        return NO_LENGTH if length in (None, "0") else BAD_LENGTH  # Paste adds "0" itself
    if length is None:
        if not coding:
            return 0
        return TO_ITS_END if ends or chunked == "decoded" else NO_LENGTH
    if coding and chunked == "decoded":  # two lengths: whoever stands in front may have believed the other one
        return BAD_LENGTH
    if not length.isascii() or not length.isdigit() or len(length) > _MOST_DIGITS:
        return BAD_LENGTH
    return int(length)
