"""The answer to a PURGE request, where the cache is configured to take them; without that the application gets them.

`PURGE /path` purges this URL with all its variants, or with the fields `Cache-Tag: a, b` and `Surrogate-Key: a b` these
tags instead. `Soft-Purge: ?1` makes it a soft purge. Only the method says so: no other request is ever taken for one.
"""

from __future__ import annotations

from middleware.caching.rules.tags import TAG_FIELDS, tags_of
from middleware.errors import StoreError
from middleware.headers import environ_key
from middleware.wsgi import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys.keys import Key
    from middleware.caching.shelf.shelf import Shelf

_SWITCH = {None: False, "?0": False, "?1": True}  # a boolean of Structured Fields (RFC 9651, section 3.3.6)


def purge(shelf: Shelf, key: Key, allowed: Callable[[WSGIEnvironment], bool], environ: WSGIEnvironment) -> Response:
    """Purge what the request asks for: 204, or 403 where `allowed` says no, 400, or 503 where the store fails."""
    if not allowed(environ):
        return _said("403 Forbidden", "not allowed to purge")
    soft = _SWITCH.get(environ.get("HTTP_SOFT_PURGE"))
    if soft is None:
        return _said("400 Bad Request", "Soft-Purge is ?1 or ?0")
    given = [(name, environ[environ_key(name)]) for name in TAG_FIELDS if environ_key(name) in environ]
    tags = tags_of(given)
    if tags is None or (given and not tags):
        return _said("400 Bad Request", "no tags, or too many")
    if not (tags or key.url):
        return _said("400 Bad Request", "no URL that could be stored")
    try:
        if tags:
            shelf.purges.tags(tags, soft=soft)
        else:
            shelf.purges.urls([key.url], soft=soft)
    except StoreError:
        return _said("503 Service Unavailable", "the store does not answer")
    return _said("204 No Content", "")


def _said(status: str, sentence: str) -> Response:
    fields = [("Cache-Control", "no-store")]
    if not sentence:
        return Response(status, fields, [])
    body = f"{sentence}\n".encode()
    return Response(status, [*fields, ("Content-Type", "text/plain"), ("Content-Length", str(len(body)))], [body])
