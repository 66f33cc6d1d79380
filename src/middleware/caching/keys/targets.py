"""The target of a request, as its server tells it, and the URLs that are made of it. Pure.

Its rule: nothing is decoded, folded, merged or sorted, so that two targets which an application tells apart stay apart.
"""

from __future__ import annotations

from operator import itemgetter

from middleware.caching.keys.hosts import DEFAULT_PORTS, canonical_host
from middleware.caching.keys.ignoring import Names, kept_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# What of environ tells the URL, in one call: on servers with either kind of raw target, and on those without.
_AS_SEEN = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")
by_request_uri = itemgetter("wsgi.url_scheme", "HTTP_HOST", "REQUEST_URI", *_AS_SEEN)
by_raw_uri = itemgetter("wsgi.url_scheme", "HTTP_HOST", "RAW_URI", *_AS_SEEN)
without_target = itemgetter("wsgi.url_scheme", "HTTP_HOST", *_AS_SEEN)

_SAFE = "/~!$&'()*+,;=:@"
_AS_IT_IS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-" + _SAFE)


def whatever_is_there(environ: WSGIEnvironment) -> tuple[object, object, object, str, str, str]:
    """Scheme, host, raw target, script name, path and query, where any of them may be missing."""
    get = environ.get
    return (
        get("wsgi.url_scheme"),
        get("HTTP_HOST"),
        get("REQUEST_URI") or get("RAW_URI"),
        get("SCRIPT_NAME") or "",
        get("PATH_INFO") or "",
        get("QUERY_STRING") or "",
    )


def origin_form(target: str, scheme: str, host: str) -> str | None:
    """A raw target without its authority, which must be the one that Host names; None where it is in doubt."""
    if target[:1] == "/":
        return target
    given_scheme, separator, rest = target.partition("://")
    authority, slash, path = rest.partition("/")
    if not separator or given_scheme.lower() != scheme or canonical_host(authority, scheme) != host:
        return None
    return slash + path or "/"


def quoted_target(path: str, query: str) -> str | None:
    """The target of a request on a server that does not tell it; None for characters that no server puts there."""
    target = path
    if not _AS_IT_IS.issuperset(path):
        from urllib.parse import quote

        try:
            target = quote(path, safe=_SAFE, encoding="latin-1")
        except UnicodeEncodeError:
            return None
    return f"{target}?{query}" if query else target


def urls_meant(url: str, base: str | None = None, ignored: Names | None = None) -> list[str]:
    """What requests for this URL have as `Key.url`: as it is written, and as a server without raw targets has it.

    A relative URL is resolved against `base`. A ValueError for what is no http or https URL.
    """
    from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

    parts = urlsplit(urljoin(base, url) if base is not None else url)
    host = canonical_host(parts.netloc, parts.scheme)
    if parts.scheme not in DEFAULT_PORTS or host is None:
        raise ValueError(f"no http or https URL: {url!r}")
    query = f"?{parts.query}" if parts.query or url.partition("#")[0].endswith("?") else ""
    path = parts.path or "/"
    requoted = quote(unquote_to_bytes(path), safe=_SAFE)
    prefix = f"{parts.scheme}://{host}"
    meant = [f"{prefix}{path}{query}", f"{prefix}{requoted}{query}"]
    return list(dict.fromkeys([kept_target(one, ignored) for one in meant] if ignored else meant))
