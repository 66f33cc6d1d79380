"""ETag and 304 for applications that send none (RFC 9110, sections 8.8.3, 13 and 15.4.5)."""

from __future__ import annotations

from hashlib import blake2b
from time import time

from middleware.caching.rules.conditions import not_modified
from middleware.caching.rules.fields import without_body
from middleware.caching.whole import Whole
from middleware.errors import ConfigurationError
from middleware.headers import cache_control, parse_http_date
from middleware.wsgi import forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.caching.rules.said import Fields
    from middleware.wsgi import Response

    Lines = dict[str, list[str]]

# What else than the body makes a representation another one (RFC 9110, section 8.8.1).
_DESCRIBING = ("content-type", "content-encoding", "content-language")
# A part of a body, a body in a frame; an application that cuts ranges itself knows no If-Range with this layer's tags.
_NO_TAG = ("etag", "accept-ranges", "content-range", "transfer-encoding")
_READ = frozenset((*_DESCRIBING, *_NO_TAG, "cache-control", "content-length", "last-modified", "set-cookie"))


class ConditionalMiddleware:
    """Tells clients that they have the page already: gives answers an ETag, and answers 304 to whoever sends it back.

    It spares the transfer, not the application's work: that is called as ever. A 200 to GET gets a strong ETag, a hash
    of its body and of its Content-Type, -Encoding and -Language, where the body is handed over whole: as a list or a
    tuple, or with a Content-Length in a single chunk. Whoever streams goes on streaming, without an ETag; so does an
    answer to HEAD, which has no body to make one of, one with Accept-Ranges, and one with an ETag of its own.

    A 200 to GET or HEAD is answered by 304 where If-None-Match names its ETag, the application's or this layer's, or,
    where that field is not sent, If-Modified-Since is no earlier than its Last-Modified. A request with If-Match or
    If-Unmodified-Since, and an answer with `no-store` or Set-Cookie, are left to the application.

    max_body: bytes of the largest body that is hashed.
    weak: make the ETag weak, `W/"..."`, for where a layer outside changes bytes and not their meaning, as compression.

    Raises ConfigurationError for an option that is wrong.
    """

    def __init__(self, app: WSGIApplication, *, max_body: int = 1 << 20, weak: bool = False) -> None:
        if type(max_body) is not int or max_body < 1:
            raise ConfigurationError(f"max_body= is a number of bytes above 0, not {max_body!r}")
        if type(weak) is not bool:
            raise ConfigurationError(f"weak= is True or False, not {weak!r}")
        self.app = app
        self._max_body = max_body
        self._form = 'W/"{}"' if weak else '"{}"'

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD")
        if method != "GET" and method != "HEAD":
            return self.app(environ, start_response)
        conditions = _Conditions(environ)
        if method == "HEAD":
            if not conditions.given:
                return self.app(environ, start_response)
            return forward(self.app, environ, start_response, lambda head: conditions.apply(head, read(head.headers)))
        whole = Whole(self.app, self._length_to_wait_for)

        def amend(response: Response) -> None:
            if response.status[:3] == "200":
                lines = read(response.headers)
                etag = self._etag(whole.chunks, lines)
                if etag is not None:
                    response.headers.append(("ETag", etag))
                    lines["etag"] = [etag]
                if conditions.given and conditions.apply(response, lines):
                    whole.finish()
            whole.forget()

        return forward(whole, environ, start_response, amend)

    def _length_to_wait_for(self, status: str, fields: Fields) -> int:
        """How long the first chunk has to be for an ETag; 0 where there will be none."""
        if status[:3] != "200":
            return 0
        lines = read(fields)
        length = _length(lines) or 0
        return length if 0 < length <= self._max_body and _may_be_tagged(lines) else 0

    def _etag(self, chunks: Sequence[bytes] | None, lines: Lines) -> str | None:
        """The entity tag of a whole body; None where it is not whole, too large, or not what Content-Length says."""
        if chunks is None or not _may_be_tagged(lines):
            return None
        size = 0
        for chunk in chunks:
            if not isinstance(chunk, bytes):
                return None
            size += len(chunk)
        if size > self._max_body or _length(lines) not in (None, size):
            return None
        return self._form.format(tag_of(chunks, lines))


def read(fields: Fields) -> Lines:
    """The lines of the fields that matter here, by their names in lower case."""
    lines: Lines = {}
    for name, value in fields:
        lower = name.lower()
        if lower in _READ:
            lines.setdefault(lower, []).append(value)
    return lines


def tag_of(chunks: Iterable[bytes], lines: Lines) -> str:
    """The opaque part of an entity tag for this body with these fields: equal for what is the same representation."""
    described = repr([lines.get(name) for name in _DESCRIBING])  # which shows where each ends, and no NUL
    digest = blake2b(f"{described}\0".encode("utf-8", "surrogatepass"), digest_size=16)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _may_be_tagged(lines: Lines) -> bool:
    return not any(name in lines for name in _NO_TAG) and _may_be_kept(lines)


def _may_be_kept(lines: Lines) -> bool:
    """Whether a client may keep this answer, and come back with its validators."""
    if "set-cookie" in lines:
        return False
    if "cache-control" not in lines:
        return True
    directives = cache_control(lines["cache-control"])
    return directives is not None and "no-store" not in directives


def _length(lines: Lines) -> int | None:
    """What Content-Length says, None where there is none, -1 where it says nothing that can be."""
    values = lines.get("content-length")
    if values is None:
        return None
    value = values[0].strip(" \t")
    return int(value) if len(values) == 1 and value.isascii() and value.isdigit() and len(value) <= 15 else -1


class _Conditions:
    """What a request asks to be spared, as it came here: the application may see its environ changed."""

    __slots__ = ("_if_modified_since", "_if_none_match", "given")

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._if_none_match = environ.get("HTTP_IF_NONE_MATCH")
        self._if_modified_since = environ.get("HTTP_IF_MODIFIED_SINCE")
        asked = self._if_none_match is not None or self._if_modified_since is not None
        # These come first, and decide about more than a transfer (RFC 9110, section 13.2.2).
        self.given = asked and "HTTP_IF_MATCH" not in environ and "HTTP_IF_UNMODIFIED_SINCE" not in environ

    def apply(self, response: Response, lines: Lines) -> bool:
        """Make it a 304 where the client has this representation already."""
        if response.status[:3] != "200" or not _may_be_kept(lines):
            return False
        etag = ", ".join(lines["etag"]) if "etag" in lines else None
        if etag is None and self._if_none_match is not None:
            return False  # `*` too: what has no tag goes out whole
        now = time()
        modified = parse_http_date(", ".join(lines["last-modified"]), now) if "last-modified" in lines else None
        if not not_modified(self._if_none_match, self._if_modified_since, etag, modified, now):
            return False
        response.status = "304 Not Modified"
        response.headers = without_body(response.headers)
        response.body = ()
        return True
