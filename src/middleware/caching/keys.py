"""Which stored answer a request means: its URL, and what else in the request selects the answer.

The rule: what the application can see either is part of the key or keeps the request out of the cache. Nothing is
decoded, folded, merged or sorted, so that two requests which the application tells apart never share an entry.
"""

from __future__ import annotations

from functools import lru_cache

from middleware.caching.memo import Memo
from middleware.caching.selecting import selecting_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

# Fields that applications obey or reflect and that no Vary names: part of the key.
UNKEYED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SCHEME",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_HOST",
    "HTTP_X_ORIGINAL_HOST",
)
# Fields that make the request another than it looks, or that only the application can answer.
BYPASS = (
    "HTTP_IF_MATCH",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_X_HTTP_METHOD",
    "HTTP_X_HTTP_METHOD_OVERRIDE",
    "HTTP_X_METHOD_OVERRIDE",
    "HTTP_X_ORIGINAL_URL",
    "HTTP_X_REWRITE_URL",
)
_NOTABLE = frozenset((*UNKEYED, *BYPASS))

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._~")
_ADDRESS_CHARACTERS = frozenset("0123456789abcdef:.")
_DEFAULT_PORTS = {"http": "80", "https": "443"}

# A site has few URLs, and few kinds of clients, that come again and again.
_known_keys = Memo(2 << 20)  # saves 1.5 of the 5 us of a hit
_known_variants = Memo(1 << 20)  # saves 2 of 7 us of a hit


class Key:
    """What a request means to the cache. Frozen: requests for one URL share it.

    `url`: scheme, host and raw target; all that is purged together. `seen`: what else of the request is always part of
    the key, `""` for most requests. `canonical`: whether Host is in its plainest form, without which nothing is stored.
    `bypass`: only the application can answer: the request has a body, a method in disguise, a range, a precondition.
    `record`: where a store has what is known of the URL.
    """

    __slots__ = ("bypass", "canonical", "record", "seen", "url")

    def __init__(self, url: str, seen: str, canonical: bool, bypass: bool) -> None:
        self.bypass = bypass
        self.url = url
        self.record = record_address(url)
        self.seen = seen
        self.canonical = canonical


def key_of(environ: WSGIEnvironment) -> Key | None:
    """The key of a request, or None where its URL is in doubt: it is neither answered from the store nor stored."""
    get = environ.get
    parts = (
        get("wsgi.url_scheme"),
        get("HTTP_HOST"),
        get("REQUEST_URI") or get("RAW_URI"),
        get("SCRIPT_NAME") or "",
        get("PATH_INFO") or "",
        get("QUERY_STRING") or "",
    )
    key: Key | None = _known_keys.get(parts)
    if key is None:
        key = _located(*parts)
        if key is None:
            return None
        _known_keys.put(parts, key, 4 * len(key.url) + 2 * len(key.seen))  # a key holds its texts about twice
    length = get("CONTENT_LENGTH")
    if length and length.strip("0"):  # a body, or no number at all
        key = Key(key.url, key.seen, key.canonical, bypass=True)
    if environ.keys().isdisjoint(_NOTABLE):
        return key
    bypass = key.bypass or any(name in environ for name in BYPASS)
    unkeyed = [framed((name, environ[name])) for name in UNKEYED if name in environ]
    return Key(key.url, key.seen + "".join(unkeyed), key.canonical, bypass)


def _located(scheme: object, given_host: object, target: object, script: str, path: str, query: str) -> Key | None:
    """What the URL of a request says of its key."""
    if type(scheme) is not str or (scheme != "http" and scheme != "https") or type(given_host) is not str:
        return None
    host = canonical_host(given_host, scheme)
    if host is None:
        return None
    if path and path[0] != "/":
        return None  # `*`, or an absolute-form target that the server left there
    if type(target) is not str or not target:
        target = _quoted(script + path, query)
    elif target[0] != "/":
        target = _origin_form(target, scheme, host)
    if target is None:
        return None
    # Mostly the path and the query that the application sees say no more than the target.
    if script == "" and "?" not in path and target == (f"{path}?{query}" if query else path):
        seen = ""
    else:
        seen = framed((script, path, query))
    return Key(f"{scheme}://{host}{target}", seen, host == given_host, bypass=False)


def record_address(url: str) -> str:
    """Where a store has what is known of a URL."""
    return "cache url " + url


def is_private(environ: WSGIEnvironment) -> bool:
    """Whether this request's session or cookies were looked at, or its user is known: then the answer is one user's.

    Asked when a request arrives, when the head passes and when the body has ended, since layers outside and inside the
    cache do so at any time.
    """
    if environ.get("middleware.identity") is not None:
        return True
    session = environ.get("middleware.session")
    if session is not None and getattr(session, "accessed", True):
        return True
    cookies = environ.get("middleware.cookies")
    return cookies is not None and bool(getattr(cookies, "accessed", True))


def canonical_host(host: str, scheme: str) -> str | None:
    """Host in lower case without the scheme's own port; None where it is no host: empty, a list, with a user."""
    lower = host.lower()
    if lower.startswith("["):
        name, bracket, rest = lower.partition("]")
        valid = bool(bracket) and len(name) > 1 and _ADDRESS_CHARACTERS.issuperset(name[1:])
        name += bracket
        colon, port = rest[:1], rest[1:]
        if colon not in ("", ":"):
            return None
    else:
        name, _, port = lower.partition(":")
        valid = name != "" and _NAME_CHARACTERS.issuperset(name)
    if not valid or len(host) > 300 or (port and not (port.isascii() and port.isdigit() and len(port) < 6)):
        return None
    return f"{name}:{port}" if port and port != _DEFAULT_PORTS.get(scheme) else name


def _origin_form(target: str, scheme: str, host: str) -> str | None:
    """An absolute-form target without its authority, which must be the one that Host names."""
    given_scheme, separator, rest = target.partition("://")
    authority, slash, path = rest.partition("/")
    if not separator or given_scheme.lower() != scheme or canonical_host(authority, scheme) != host:
        return None
    return slash + path or "/"


def _quoted(path: str, query: str) -> str | None:
    """The target of a request on a server that does not tell it."""
    from urllib.parse import quote

    try:
        target = quote(path, safe="/~!$&'()*+,;=:@", encoding="latin-1")
    except UnicodeEncodeError:  # characters that no server puts there
        return None
    return f"{target}?{query}" if query else target


def framed(parts: Iterable[str | None]) -> str:
    """Several texts as one from which no other texts could come: each has its length before it."""
    return "".join(["-" if part is None else f"{len(part)}:{part}" for part in parts])


def variant(environ: WSGIEnvironment, seen: str, names: tuple[str, ...]) -> str:
    """What selects one of the answers of a URL, as a short text in which no field can be read; `-` where nothing does.

    `names` are the request fields, lower case, that the stored answers were selected by.
    """
    if not names:
        return _variant(seen, (), ()) if seen else "-"
    values = tuple(map(environ.get, _environ_keys(names)))
    if "cookie" in names or "authorization" in names:
        return _variant(seen, names, values)  # credentials are not kept longer than their request
    asked = (seen, names, values)
    known: str | None = _known_variants.get(asked)
    if known is None:
        known = _variant(seen, names, values)
        _known_variants.put(asked, known, len(seen) + sum([len(str(value)) for value in values]))
    return known


def _variant(seen: str, names: tuple[str, ...], values: tuple[object, ...]) -> str:
    parts: list[str | None] = [seen]
    for name, value in zip(names, values, strict=True):
        absent = value is None or (value == "" and name in ("content-type", "content-length"))  # gateways invent these
        parts += (name, selecting_value(name, None if absent else str(value)))
    return digest(framed(parts))


@lru_cache(maxsize=512)
def _environ_keys(names: tuple[str, ...]) -> list[str]:
    """Where environ has the request fields with these names, which are in lower case."""
    keys = [name.upper().replace("-", "_") for name in names]
    return [key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}" for key in keys]


def digest(text: str) -> str:
    """A fingerprint: 128 bits of BLAKE2b, in hexadecimal."""
    from hashlib import blake2b

    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def urls_meant(url: str, base: str | None = None) -> list[str]:
    """What requests for this URL have as `Key.url`: as it is written, and as a server without raw targets has it.

    A relative URL is resolved against `base`. A ValueError for what is no http or https URL.
    """
    from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

    parts = urlsplit(urljoin(base, url) if base is not None else url)
    host = canonical_host(parts.netloc, parts.scheme)
    if parts.scheme not in _DEFAULT_PORTS or host is None:
        raise ValueError(f"no http or https URL: {url!r}")
    query = f"?{parts.query}" if parts.query else ""
    path = parts.path or "/"
    requoted = quote(unquote_to_bytes(path), safe="/~!$&'()*+,;=:@")
    prefix = f"{parts.scheme}://{host}"
    return list(dict.fromkeys((f"{prefix}{path}{query}", f"{prefix}{requoted}{query}")))
