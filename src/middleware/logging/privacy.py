"""What no line may tell: secrets in URLs, header fields and cookies, and, where a site says so, who a client is.

No WSGI and no I/O. Text is as WSGI has it, bytes as latin-1. What a client sends is gone through in linear time, and
nothing in it is an error.
"""

from __future__ import annotations

from functools import lru_cache

from middleware.errors import ConfigurationError
from middleware.headers import environ_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.logging.addresses import Anonymiser

MASK = "***"  # always as long, whatever it hides
PEER_KEY = "middleware.peer"  # who is at the other end of the connection, where a gateway found the client behind it

PARAMETERS = (
    "token", "access_token", "id_token", "refresh_token", "code", "state", "password", "passwd", "pwd", "secret",
    "client_secret", "api_key", "apikey", "key", "sig", "signature", "session", "sessionid", "otp", "nonce",
    "x-amz-signature", "x-amz-credential", "x-amz-security-token",
)  # fmt: skip
HEADERS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key")
# Besides the parameters: what sessions and logins are called, here and in frameworks that many know.
COOKIES = (
    "id", "sid", "connect.sid", "PHPSESSID", "JSESSIONID", "ASP.NET_SessionId", "auth_tkt", "remember", "remember-me",
    "auth-device", "login-form", "csrftoken", "XSRF-TOKEN",
)  # fmt: skip

_FORWARDING = {
    "x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip", "fastly-client-ip",
    "cf-connecting-ip", "cf-connecting-ipv6", "x-cluster-client-ip", "x-original-forwarded-for",
    "x-envoy-external-address", "x-remote-ip", "x-remote-addr", "x-originating-ip",
    "x-forwarded", "forwarded-for", "x-original-for", "fly-client-ip", "x-appengine-user-ip", "x-azure-clientip",
    "x-azure-socketip",
}  # fmt: skip
_ADDRESSES = ("REMOTE_ADDR", "REMOTE_HOST", PEER_KEY)
_HOLD_URLS = ("url", "uri", "referer", "referrer", "location", "link", "refresh", "destination", "host")
_PROTOCOL = "SERVER_PROTOCOL"
_PATHS = ("PATH_INFO", "SCRIPT_NAME", "PATH_TRANSLATED")
_BYTES = {f"{byte:02x}": chr(byte) for byte in range(0x100)}
_LONGEST_KEPT = 64  # of the names that are remembered, most of them a client's
_DEEPEST = 3  # how often a value is decoded that may be a URL itself, `next=%2Freset%3Ftoken%3Dabc`


class Privacy:
    """What stands in no line, whichever format or function makes it: `***` stands there. A frozen value.

    `parameters`: names of query parameters whose values are secrets; `and_parameters`: more of them, beside the default
    ones. They count in any case, with `-`, `_` or neither, percent-encoded, and in the last bracket, `user[password]`;
    in the query, the fragment and the path parameters of the URL, of a Referer, of a Location sent, and of every other
    entry of environ that holds a URL. A name and a password in a URL, `https://ann:pw@host/`, are hidden too.
    `headers`: fields of which nothing is shown, asked for and sent ones alike. `cookies`: names of cookies; None for
    the parameters and what sessions and logins are often called.
    `path(path)`: gives the path as it may be shown, for secrets that are part of it, `/reset/<secret>`. It gets the
    path decoded. Where it fails, or gives no text, the path is `/***`.
    `addresses`: what is shown of the client's address and of those in forwarding fields. `"/24,/48"`: the network, of
    so many bits for IPv4 and for IPv6. A key of at least 16 bytes, or text: a keyed hash of address and UTC day that
    looks like an address in fd00::/8; within a day it tells clients apart. None: the whole address.

    Raises ConfigurationError.
    """

    __slots__ = ("_anonymise", "_cookies", "_headers", "_is_secret", "_parameters", "_rewrite", "by_names", "keys")

    by_names: bool  # whether a URL or an entry without a value, an escape and a user is shown as it is, but for `keys`
    keys: frozenset[str]  # where environ has the header fields that are not shown, and what else may hide a URL
    _parameters: frozenset[str]
    _is_secret: Callable[[str], bool]
    _headers: frozenset[str]
    _cookies: frozenset[str]
    _rewrite: Callable[[str], str] | None
    _anonymise: Anonymiser | None

    def __init__(
        self,
        *,
        parameters: Iterable[str] = PARAMETERS,
        and_parameters: Iterable[str] = (),
        headers: Iterable[str] = HEADERS,
        cookies: Iterable[str] | None = None,
        path: Callable[[str], str] | None = None,
        addresses: str | bytes | None = None,
    ) -> None:
        if path is not None and not callable(path):
            raise ConfigurationError(f"path= is a function of a path, not {path!r}")
        names = frozenset(map(_joined, (*_names("parameters", parameters), *_names("and_parameters", and_parameters))))
        put = object.__setattr__
        put(self, "_parameters", names)
        # The same few names come again and again: to remember what they are takes 0.1 us, to find out 1.
        put(self, "_is_secret", lru_cache(maxsize=1024)(lambda name: _joined(unquoted(name)) in names))
        fields = _names("headers", headers)
        put(self, "_headers", frozenset(map(_field_name, fields)))
        put(self, "keys", frozenset((*map(environ_key, fields), _PROTOCOL)))
        if cookies is None:
            put(self, "_cookies", names | frozenset(map(_joined, COOKIES)))
        else:
            put(self, "_cookies", frozenset(map(_joined, _names("cookies", cookies))))
        put(self, "_rewrite", path)
        put(self, "_anonymise", None)
        if addresses is not None:
            from middleware.logging.addresses import Anonymiser

            put(self, "_anonymise", Anonymiser(addresses))

        is_shown = self.keys.isdisjoint(("HTTP_REFERER", "HTTP_USER_AGENT"))
        put(self, "by_names", path is None and addresses is None and is_shown)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Privacy does not change: make another one ({name})")

    def __repr__(self) -> str:
        return (
            f"<Privacy {len(self._parameters)} parameters, {len(self._headers)} headers, addresses {self._anonymise}>"
        )

    def is_plain(self, url: str) -> bool:
        """Whether there is surely nothing to hide in a URL: in most there is neither value nor user nor escape."""
        return self._rewrite is None and not ("=" in url or "@" in url or "%" in url)

    def query(self, text: str) -> str:
        """A query, or what else has the form of one, without the secrets in it."""
        return text if self._is_clean(text) else _each(text, "&;", self._pair)

    def _is_clean(self, query: str) -> bool:
        # Nearly every query: 0.5 us, where the whole rule takes 2.
        if ";" in query or "?" in query or "#" in query or ("%" in query and "3d" in query.lower()):
            return not _has_value(query)
        is_secret = self._is_secret
        for pair in query.split("&"):
            name = pair.partition("=")[0]
            if len(name) > _LONGEST_KEPT or is_secret(name):
                return False
        return True

    def url(self, text: str) -> str:
        """A URL, whole or from its path on, without the secrets in it."""
        if self._rewrite is None:
            head, mark, query = text.partition("?")
            if not ("=" in head or "@" in head or ("%" in head and not _is_harmless(head))):
                return text if self._is_clean(query) else f"{head}{mark}{self.query(query)}"
        end, begin = _end_of_path(text)
        head = text[:end]
        start = _start_of_path(head)
        if self._rewrite is not None and head.startswith("//") and "@" not in head:
            # A target of a request, whose path begins so, and no host: shown as the function says, if it says anything.
            shown = self._path_of_url(head)
            if shown != head:
                return shown + text[end:begin] + self.query(text[begin:])
        authority, path = head[:start], head[start:]
        _, at, _ = authority.rpartition("@")
        if at:
            slashes = authority.find("//")
            authority = authority[: slashes + 2 if slashes != -1 else 0] + MASK + authority[authority.rfind("@") :]
        return authority + self._path_of_url(path) + text[end:begin] + self.query(text[begin:])

    def path(self, text: str) -> str:
        """A decoded path, as it may be shown."""
        if self._rewrite is not None:
            text = self._rewritten(text)
        if "=" not in text:
            return text
        end, begin = _end_of_path(text)
        return _each(text[:end], "/", self.query) + text[end:begin] + self.query(text[begin:])

    def header(self, name: str, value: str, now: float = 0.0) -> str:
        """A header field's value. `now`: seconds since 1970, for the day of an address."""
        key = _field_name(name)
        if key in self._headers:
            return MASK
        if self._anonymise is not None and key in _FORWARDING:
            return self._anonymise.field(value, now)
        return self._value(key, value)

    def cookie(self, name: str, value: str) -> str:
        """The value of a cookie."""
        spoken = _spoken(name)
        bare = spoken.removeprefix("__host_").removeprefix("__secure_")
        # A session that is too long for one cookie goes on in `id.1`.
        first = bare.rstrip("0123456789").rstrip(".")
        return MASK if not self._cookies.isdisjoint(map(_joined, (spoken, bare, first))) else value

    def address(self, text: str, now: float) -> str:
        """A client's address. `now`: seconds since 1970."""
        return text if self._anonymise is None else self._anonymise.address(text, now)

    def entry(self, key: str, value: str, now: float = 0.0) -> str:
        """An entry of environ."""
        name = key
        while name.startswith("REDIRECT_"):  # what Apache calls the first request's, in a second one of its own
            name = name[9:]
        if name.startswith("HTTP_"):
            return self.header(name[5:], value, now)
        if name in _ADDRESSES:
            return value if self._anonymise is None else self._anonymise.address(value, now)
        if name in _PATHS:
            return self.path(value)
        if name == _PROTOCOL:
            # Where a client writes blanks into its URL, a server may take what follows the first for the protocol.
            rest, _, protocol = value.strip(" ").rpartition(" ")
            return f"{MASK} {protocol}" if rest else value
        if name.endswith("QUERY_STRING"):
            return self.query(value)
        field = _field_name(name)
        return MASK if field in self._headers and name in self.keys else self._value(field, value)

    def message(self, text: str) -> str:
        """What an error says: a text in which a URL may stand anywhere."""
        if "@" in text and "//" in text:
            text = _each(text, " \n\t'\"<>", _without_user)
        return _each(text, " &;?#\n\t'\"<>(),", self._pair) if _has_value(text) else text

    def _value(self, key: str, value: str) -> str:
        if self.is_plain(value) or key == "user-agent":
            return value
        return self.url(value) if key.endswith(_HOLD_URLS) or "://" in value or value.startswith("/") else value

    def _path_of_url(self, path: str) -> str:
        if self._rewrite is not None and path:
            decoded = unquoted(path)
            shown = self._rewritten(decoded)
            if shown != decoded:
                path = shown.replace(" ", "%20")
        return _each(path, "/", self.query) if _has_value(path) else path

    def _rewritten(self, path: str) -> str:
        assert self._rewrite is not None
        try:
            shown = self._rewrite(path)
        except Exception:  # noqa: BLE001 - what cannot be judged is not shown, and its error may show it
            return f"/{MASK}"
        return shown if isinstance(shown, str) else f"/{MASK}"

    def _pair(self, text: str) -> str:
        """A parameter, `name=value`, masked if it is a secret, or if a URL in its value has one."""
        if "?" in text or "#" in text:
            at = 0
            for part in text.replace("#", "?").split("?"):
                name, equals, _ = part.partition("=")
                if equals and self._hides(name):
                    return f"{text[: at + len(name)]}={MASK}"
                at += len(part) + 1
        name, equals, _ = text.partition("=")
        if equals and self._hides(name):
            return f"{name}={MASK}"
        if "%" in text and "3d" in text.lower() and self._is_secret_inside(text):
            return f"{name}={MASK}" if equals else MASK
        return text

    def _hides(self, name: str) -> bool:
        return self._is_secret(name) if len(name) <= _LONGEST_KEPT else _joined(unquoted(name)) in self._parameters

    def _is_secret_inside(self, text: str) -> bool:
        for _ in range(_DEEPEST):
            decoded = unquoted(text)
            if decoded == text:
                return False
            text = decoded
            for mark in "&;#/ ":
                decoded = decoded.replace(mark, "?")
            for part in decoded.split("?"):
                *names, _ = part.split("=")
                if any(map(self._hides, names)):
                    return True
        return False


def _has_value(text: str) -> bool:
    """Whether there may be a `name=value` in a text, however often that is percent-encoded."""
    return "=" in text or ("%" in text and "3d" in text.lower())


def _is_harmless(path: str) -> bool:
    """Whether no escape in a path begins a query or a value, however often it is one."""
    lower = path.lower()
    return "3d" not in lower and "3f" not in lower


def _without_user(text: str) -> str:
    """A word of a message, without the name and the password in a URL that it may be, `https://ann:pw@host/`."""
    start = text.find("//") + 2
    at = text.rfind("@", start) if start > 1 else -1
    return text if at == -1 else f"{text[:start]}{MASK}{text[at:]}"


def unquoted(text: str) -> str:
    """`text` percent-decoded, bytes as latin-1; what is no escape stays as it is."""
    first, *rest = text.split("%")
    made = [first]
    for part in rest:
        byte = _BYTES.get(part[:2].lower())
        made += ("%", part) if byte is None else (byte, part[2:])
    return "".join(made)


def _spoken(name: str) -> str:
    """A name as names are compared: `api-key` is `api_key`, and `user[password]` is `password`."""
    name = _as_text(name).replace("+", " ").strip(" \t\r\n\0").lower().replace("-", "_")
    if "[" in name:
        for part in reversed(name.replace("]", "").split("[")):
            if part and not part.isdigit():  # `token[]` and `token[0]` are lists of tokens
                return part
    return name


def _joined(name: str) -> str:
    """The same where `access_token`, `accessToken` and `_access-token` are one name."""
    return _spoken(name).replace("_", "")


def _as_text(name: str) -> str:
    """What bytes say in UTF-8; what is real text already, or no UTF-8, as it is."""
    try:
        return name if name.isascii() else name.encode("latin-1").decode()
    except UnicodeError:
        return name


def _field_name(name: str) -> str:
    return name.lower().replace("_", "-")


def _names(option: str, names: Iterable[str]) -> list[str]:
    if isinstance(names, str | bytes) or not hasattr(names, "__iter__"):
        raise ConfigurationError(f'{option}= takes names, ["token", "code"], not {names!r}')
    made = list(names)
    for name in made:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"{option}= takes names, and {name!r} is none")
    return made


def _each(text: str, marks: str, masked: Callable[[str], str]) -> str:
    """`text`, each part of it between these marks masked, the marks as they are."""
    flat = text
    for mark in marks[1:]:
        flat = flat.replace(mark, marks[0])
    made: list[str] = []
    at = 0
    for part in flat.split(marks[0]):
        end = at + len(part)
        made += (masked(text[at:end]), text[end : end + 1])
        at = end + 1
    return "".join(made)


def _end_of_path(url: str) -> tuple[int, int]:
    """Where the path of a URL ends, and where begins what follows: a query, even behind `%3F`, or a fragment."""
    ends = [(at, at + len(mark)) for mark in ("?", "#", "%3F", "%3f") if (at := url.find(mark)) != -1]
    return min(ends, default=(len(url), len(url)))


def _start_of_path(head: str) -> int:
    """Where the path of a URL begins, of which `head` is what stands before the query."""
    slashes = head.find("//")
    slash = head.find("/")
    if slashes != -1 and slashes == slash and (slashes == 0 or head[slashes - 1] == ":"):
        slash = head.find("/", slashes + 2)
        return len(head) if slash == -1 else slash
    before = head if slash == -1 else head[:slash]
    return len(before) if any(mark in before for mark in "@:=<") else 0


USUAL = Privacy()  # the default, one for all layers and records: it remembers names
