"""Which stored answer a request means: its URL, and what else in the request selects the answer.

The rule: what the application can see either is part of the key or keeps the request out of the cache. Nothing is
decoded, folded, merged or sorted, so that two requests which the application tells apart never share an entry.
"""

from __future__ import annotations

from middleware.caching.keys.hosts import DEFAULT_PORTS, canonical_host
from middleware.caching.keys.ignoring import Names, kept_cookies, kept_query, kept_target
from middleware.caching.keys.key_options import UNKEYED
from middleware.caching.keys.targets import (
    by_raw_uri,
    by_request_uri,
    origin_form,
    quoted_target,
    urls_meant,
    whatever_is_there,
    without_target,
)
from middleware.caching.keys.variants import CREDENTIALS, Variants, framed
from middleware.caching.memo import Memo
from middleware.headers import environ_key
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys.key_options import CacheKeys
    from middleware.caching.status import Detail

# Requests that only the application can answer, and why: the field in environ, and the reason in a word.
_ALWAYS_BYPASSING: dict[str, Detail] = {
    "HTTP_IF_MATCH": "precondition",
    "HTTP_IF_UNMODIFIED_SINCE": "precondition",
    "HTTP_TRANSFER_ENCODING": "transfer-encoding",
}
_REASONS: dict[str, Detail] = {
    "x-http-method": "method-override",
    "x-http-method-override": "method-override",
    "x-method-override": "method-override",
    "x-original-url": "url-override",
    "x-rewrite-url": "url-override",
}


def record_address(url: str) -> str:
    """Where a store has what is known of a URL."""
    return "cache url " + url


class Key:
    """What a request means to the cache. Frozen: requests for one URL share it.

    `url`: scheme, host and raw target; all that is purged together. `""` where it is in doubt. `seen`: what else of the
    request is always part of the key, `""` for most requests. `canonical`: whether Host is in its plainest form,
    without which nothing is stored. `bypass`: in a word why only the application can answer and nothing is stored, `""`
    where neither is so; the first of `host`, `target` (the URL is in doubt), `method-override`, `url-override`,
    `unkeyed` (fields that a site lets bypass), `precondition`, `transfer-encoding`, `body`, `extra` (a site's function
    failed).
    `ranged`: whether a part of the answer is asked for. `record`: where a store has what is known of the URL.
    """

    __slots__ = ("bypass", "canonical", "ranged", "record", "seen", "url")

    bypass: Detail | Literal[""]

    def __init__(
        self, url: str, seen: str, canonical: bool, bypass: Detail | Literal[""] = "", *, ranged: bool = False
    ) -> None:
        self.bypass = bypass
        self.url = url
        self.record = record_address(url)
        self.seen = seen
        self.canonical = canonical
        self.ranged = ranged


_NO_HOST = Key("", "", canonical=False, bypass="host")
_NO_TARGET = Key("", "", canonical=False, bypass="target")


class Keys:
    """Finds the keys of requests as `options` say. Made once a layer.

    `guard_unkeyed`: whether the fields of `UNKEYED` are looked for, beside those that `options` name. `keyed`: the
    request fields, lower case, that are part of every key.
    """

    __slots__ = (
        "_allowed_hosts",
        "_bypassing",
        "_confidential",
        "_extra",
        "_hides",
        "_ignored_cookies",
        "_ignored_query",
        "_keyed",
        "_known",
        "_lookup",
        "_notable",
        "_qualified",
        "_stripped",
        "keyed",
        "variant",
    )

    def __init__(self, options: CacheKeys, *, guard_unkeyed: bool = True) -> None:
        modes = {**(UNKEYED if guard_unkeyed else {}), **options.unkeyed}
        places = {name: environ_key(name) for name in modes}
        self._keyed = tuple(places[name] for name, mode in modes.items() if mode == "key")
        self.keyed = tuple(name for name, mode in modes.items() if mode == "key")
        self._stripped = tuple(places[name] for name, mode in modes.items() if mode == "strip")
        self._bypassing: dict[str, Detail] = {
            **{places[name]: _REASONS.get(name, "unkeyed") for name, mode in modes.items() if mode == "bypass"},
            **_ALWAYS_BYPASSING,
        }
        # Every request is asked for these, 17 ns each; where there is a function, every request is a special one.
        self._notable = ("HTTP_RANGE", *self._keyed, *self._bypassing)
        if options.extra is not None:
            self._notable = ("wsgi.url_scheme",)
        self._ignored_query = Names(options.ignore_query)
        self._ignored_cookies = Names(options.ignore_cookies)
        self._allowed_hosts = frozenset(
            (scheme, canonical_host(host, scheme)) for host in options.allowed_hosts for scheme in DEFAULT_PORTS
        )
        self._extra = options.extra
        self._hides = bool(self._ignored_query or self._ignored_cookies or self._stripped)
        self._confidential = self._extra is not None or any(modes.get(name) == "key" for name in CREDENTIALS)
        self._known = Memo(2 << 20)  # saves 1.5 of the 5 us of a hit: a site has few URLs that come again and again
        self._lookup = self._known.get
        self._qualified = Memo(1 << 20)
        variants = Variants(
            self._ignored_cookies, options.normalise, frozenset(self._stripped), confidential=self._confidential
        )
        self.variant = variants.name

    def key_of(self, environ: WSGIEnvironment) -> Key:
        """The key of a request."""
        try:
            if "REQUEST_URI" in environ:
                parts = by_request_uri(environ)
            elif "RAW_URI" in environ:
                parts = by_raw_uri(environ)
            else:
                parts = without_target(environ)
        except KeyError:
            parts = whatever_is_there(environ)
        key: Key | None = self._lookup(parts)
        if key is None:
            key = self._located(environ, parts)
        length = environ.get("CONTENT_LENGTH")
        if (not length or length == "0") and environ.keys().isdisjoint(self._notable):
            return key
        return self._qualify(key, environ, length)

    def _located(self, environ: WSGIEnvironment, parts: tuple[object, ...]) -> Key:
        """What the URL of a request says of its key."""
        scheme, given_host, target, script, path, query = gathered = whatever_is_there(environ)
        if type(scheme) is not str or (scheme != "http" and scheme != "https"):
            return _NO_TARGET
        host = canonical_host(given_host, scheme) if type(given_host) is str else None
        if host is None or (self._allowed_hosts and (scheme, host) not in self._allowed_hosts):
            return _NO_HOST
        if path and path[0] != "/":
            return _NO_TARGET  # `*`, or an absolute-form target that the server left there
        query = kept_query(query, self._ignored_query) or ""
        if type(target) is not str or not target:
            target = quoted_target(script + path, query)
        else:
            target = origin_form(kept_target(target, self._ignored_query), scheme, host)
        if target is None:
            return _NO_TARGET
        # Mostly the path and the query that the application sees say no more than the target.
        if script == "" and "?" not in path and target == (f"{path}?{query}" if query else path):
            seen = ""
        else:
            seen = framed((script, path, query))
        key = Key(f"{scheme}://{host}{target}", seen, host == given_host)
        if len(parts) < len(gathered) or parts == gathered:
            self._known.put(parts, key, 4 * len(key.url) + 2 * len(seen))  # a key holds its texts about twice
        return key

    def _qualify(self, key: Key, environ: WSGIEnvironment, length: str | None) -> Key:
        """A key with what else a request says, beside its URL."""
        if not key.url:
            return key
        bypass: Detail | Literal[""] = ""
        ranged = "HTTP_RANGE" in environ
        if not environ.keys().isdisjoint(self._bypassing):
            bypass = next(reason for name, reason in self._bypassing.items() if name in environ)
        elif length and length.strip("0"):  # a body, or no number at all
            bypass = "body"
        values = tuple(map(environ.get, self._keyed))
        if self._confidential:
            return self._with_values(key, environ, values, bypass, ranged)
        asked = (key, values, bypass, ranged)
        qualified: Key | None = self._qualified.get(asked)
        if qualified is None:
            qualified = self._with_values(key, environ, values, bypass, ranged)
            self._qualified.put(asked, qualified, 4 * len(key.url) + 3 * len(qualified.seen))
        return qualified

    def _with_values(
        self, key: Key, environ: WSGIEnvironment, values: tuple[object, ...], bypass: Detail | Literal[""], ranged: bool
    ) -> Key:
        seen = key.seen
        for name, value in zip(self._keyed, values, strict=True):
            if value is None or (value == "" and name == "CONTENT_TYPE"):  # gateways invent this one
                continue
            text: str | None = str(value)
            if name == "HTTP_COOKIE" and self._ignored_cookies:
                text = kept_cookies(str(value), self._ignored_cookies)
            if text is not None:
                seen += framed((name, text))
        if self._extra is not None and not bypass:
            added = self._added(environ)
            if added is None:
                bypass = "extra"
            else:
                seen += framed(("extra", added))
        return Key(key.url, seen, key.canonical, bypass, ranged=ranged)

    def _added(self, environ: WSGIEnvironment) -> str | None:
        """What the site's function adds to a key; None where it fails."""
        assert self._extra is not None
        try:
            given = self._extra(environ)
            if given is None or isinstance(given, str):
                return framed((given,))
            texts = tuple(given)
            wrong = next((type(text).__name__ for text in texts if not isinstance(text, str)), None)
            if wrong is None:
                return framed(texts)
            wrong = f"gave a value of type {wrong}"
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            wrong = f"raised {type(error).__name__}"
        say_once(f"CacheKeys(extra=) {wrong}: such requests pass by the cache", logger="middleware.caching")
        return None

    def hide(self, environ: WSGIEnvironment) -> dict[str, object] | None:
        """Take out of a request what no answer may depend on, before the application sees it.

        What was there, to be given to `restore` when the answer has ended; None where nothing was taken out.
        """
        if not self._hides:
            return None
        from middleware.caching.keys.hiding import hide

        return hide(environ, self._ignored_query, self._ignored_cookies, self._stripped)

    def has_to_hide(self, environ: WSGIEnvironment) -> bool:
        """Whether `hide` would take something out."""
        return self.hide(environ.copy()) is not None

    def restore(self, environ: WSGIEnvironment, hidden: dict[str, object] | None) -> None:
        """Put back what `hide` took out."""
        if hidden is not None:
            environ.update(hidden)

    def urls_meant(self, url: str, base: str | None = None) -> list[str]:
        """What requests for this URL have as `Key.url`: as it is written, and as a server without raw targets has it.

        A relative URL is resolved against `base`. A ValueError for what is no http or https URL.
        """
        return urls_meant(url, base, self._ignored_query)
