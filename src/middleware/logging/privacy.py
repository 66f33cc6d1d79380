"""What no line may tell: secrets in URLs, header fields and cookies, and, where a site says so, who a client is.

No WSGI and no I/O. Text is as WSGI has it, bytes as latin-1. What a client sends is gone through in linear time, and
nothing in it is an error.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.logging.addresses import Anonymiser

MASK = "***"  # always as long, whatever it hides

PARAMETERS = (
    *("token", "access_token", "id_token", "refresh_token", "code", "state", "password", "passwd", "pwd", "secret"),
    *("client_secret", "api_key", "apikey", "key", "sig", "signature", "session", "sessionid", "otp", "nonce"),
    *("x-amz-signature", "x-amz-credential", "x-amz-security-token"),
)
HEADERS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key")
# Besides the parameters: what sessions and logins are called here and in frameworks that many know.
COOKIES = (
    *(
        "id",
        "sid",
        "connect.sid",
        "PHPSESSID",
        "JSESSIONID",
        "ASP.NET_SessionId",
        "auth_tkt",
        "remember",
        "remember-me",
    ),
    *("auth-device", "login-form", "csrftoken", "XSRF-TOKEN"),
)

_FORWARDING = frozenset(
    (
        *(
            "x-forwarded-for",
            "forwarded",
            "x-real-ip",
            "x-client-ip",
            "client-ip",
            "true-client-ip",
            "fastly-client-ip",
        ),
        *("cf-connecting-ip", "cf-connecting-ipv6", "x-cluster-client-ip", "x-original-forwarded-for"),
        *("x-envoy-external-address", "x-remote-ip", "x-remote-addr", "x-originating-ip"),
    )
)
_ADDRESSES = ("REMOTE_ADDR", "REMOTE_HOST", "middleware.peer")
_HOLD_URLS = ("url", "uri", "referer", "referrer", "location", "link", "refresh", "destination", "host")
_PATHS = ("PATH_INFO", "SCRIPT_NAME", "PATH_TRANSLATED")
_BYTES = {f"{byte:02x}": chr(byte) for byte in range(0x100)}
# What may stand round the name of a parameter as `&`, `%` and `@` as `%`; `-` as `_`, and letters in lower case.
_FLAT = bytes(
    ord("&" if chr(byte) in "&;?#=/[]+ :," or byte < 0x20 else {"-": "_", "@": "%"}.get(chr(byte), chr(byte).lower()))
    for byte in range(0x80)
) + bytes(range(0x80, 0x100))
_DEEPEST = 3  # how often a value is decoded that may be a URL itself, `next=%2Freset%3Ftoken%3Dabc`


class Privacy:
    """What stands in no line, whichever format or function makes it: `***` stands there. A frozen value.

    `parameters`: names of query parameters whose values are secrets; `and_parameters`: more of them, beside the default
    ones. They count in any case, with `-` or `_`, percent-encoded, and in the last bracket, `user[password]`; in the
    query, the fragment and the path parameters of the URL, of a Referer, of a Location sent, and of every other entry
    of environ that holds a URL. A name and a password in a URL, `https://ann:pw@host/`, are hidden too.
    `headers`: fields of which nothing is shown, asked for and sent ones alike. `cookies`: names of cookies; None for
    the parameters and what sessions and logins are often called.
    `path(path)`: gives the path as it may be shown, for secrets that are part of it, `/reset/<secret>`. It gets the
    path decoded. Where it fails, or gives no text, the path is `/***`.
    `addresses`: what is shown of the client's address and of those in forwarding fields. `"/24,/48"`: the network, of
    so many bits for IPv4 and for IPv6. A key of at least 16 bytes, or text: a keyed hash of address and UTC day that
    looks like an address in fd00::/8; within a day it tells clients apart. None: the whole address.

    Raises ConfigurationError.
    """

    __slots__ = ("_anonymise", "_cookies", "_flat", "_headers", "_parameters", "_rewrite", "by_names")

    by_names: bool  # whether names are all that counts: no function sees the path, and addresses are shown
    _parameters: frozenset[str]
    _flat: frozenset[bytes]  # the same, as `_FLAT` makes them
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
        names = frozenset(map(_spoken, (*_names("parameters", parameters), *_names("and_parameters", and_parameters))))
        put = object.__setattr__
        put(self, "_parameters", names)
        flat = (name.encode("utf-8", "surrogatepass").translate(_FLAT).split(b"&") for name in names)
        put(self, "_flat", frozenset(part for parts in flat for part in parts if part))
        put(self, "_headers", frozenset(_field_name(name) for name in _names("headers", headers)))
        if cookies is None:
            put(self, "_cookies", names | frozenset(map(_spoken, COOKIES)))
        else:
            put(self, "_cookies", frozenset(map(_spoken, _names("cookies", cookies))))
        put(self, "_rewrite", path)
        put(self, "_anonymise", None)
        if addresses is not None:
            from middleware.logging.addresses import Anonymiser

            put(self, "_anonymise", Anonymiser(addresses))

        put(self, "by_names", path is None and addresses is None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Privacy does not change: make another one ({name})")

    def __repr__(self) -> str:
        return (
            f"<Privacy {len(self._parameters)} parameters, {len(self._headers)} headers, addresses {self._anonymise}>"
        )

    def is_plain(self, url: str) -> bool:
        """Whether there is surely nothing to hide in a URL, as in nearly all of them."""
        if self._rewrite is not None:
            return False
        return not ("=" in url or "@" in url or "%" in url) or self._is_clean(url)

    def _is_clean(self, text: str) -> bool:
        # In one go, 0.5 us: whatever could be the name of a parameter is none of a secret. To ask for each takes 3.
        if not text.isascii():
            return False
        flat = text.encode().translate(_FLAT)
        return b"%" not in flat and self._flat.isdisjoint(flat.split(b"&"))

    def query(self, text: str) -> str:
        """A query, or what else has the form of one, without the secrets in it."""
        return _each(text, "&;", self._pair) if _has_value(text) and not self._is_clean(text) else text

    def url(self, text: str) -> str:
        """A URL, whole or from its path on, without the secrets in it."""
        if self._rewrite is None and (self._is_clean(text) or not ("@" in text or _has_value(text))):
            return text
        end, begin = _end_of_path(text)
        head = text[:end]
        start = _start_of_path(head)
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
        return MASK if not self._cookies.isdisjoint((spoken, bare, first)) else value

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
        return self.query(value) if name.endswith("QUERY_STRING") else self._value(_field_name(name), value)

    def message(self, text: str) -> str:
        """What an error says: a text in which a URL may stand anywhere."""
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
                if equals and self._is_secret(name):
                    return f"{text[: at + len(name)]}={MASK}"
                at += len(part) + 1
        name, equals, _ = text.partition("=")
        if equals and self._is_secret(name):
            return f"{name}={MASK}"
        if "%" in text and "3d" in text.lower() and self._is_secret_inside(text):
            return f"{name}={MASK}" if equals else MASK
        return text

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
                if any(map(self._is_secret, names)):
                    return True
        return False

    def _is_secret(self, name: str) -> bool:
        plain = name.lower().replace("-", "_")
        if plain in self._parameters:
            return True
        return not (plain.isidentifier() and plain.isascii()) and _spoken(unquoted(name)) in self._parameters


def _has_value(text: str) -> bool:
    """Whether there may be a `name=value` in a text, however often that is percent-encoded."""
    return "=" in text or ("%" in text and "3d" in text.lower())


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
