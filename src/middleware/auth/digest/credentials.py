"""The credentials in an Authorization field of the scheme Digest (RFC 7616, section 3.4). Pure, in linear time.

What the grammar does not have is malformed as a whole. One thing more is read: a value without quotes may be any
visible ASCII without quotes, commas and backslashes, since clients leave the quotes out where a token would need them.
"""

from __future__ import annotations

from middleware.auth.schemes.authorization import is_one_of_several
from middleware.auth.schemes.base import Refused
from middleware.headers import TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Algorithm = Literal["SHA-256", "MD5"]

LONGEST = 8192  # characters of the Authorization field
MOST_PARAMETERS = 32
ALGORITHMS: tuple[Algorithm, ...] = ("SHA-256", "MD5")  # in the order of preference
HEX_DIGITS: dict[Algorithm, int] = {"SHA-256": 64, "MD5": 32}  # of a digest

_UNQUOTED = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('",\\')
_ATTRIBUTE = TOKEN - frozenset("%*'")  # RFC 8187, section 3.2.1
_HEX = frozenset("0123456789abcdefABCDEF")
_VARIANTS: dict[str, tuple[Algorithm, bool]] = {
    "sha-256": ("SHA-256", False),
    "md5": ("MD5", False),
    "sha-256-sess": ("SHA-256", True),
    "md5-sess": ("MD5", True),
}
_TEXT = bytes({0x09, *range(0x20, 0x7F), *range(0x80, 0x100)})  # what a field value may hold


class Credentials:
    """What a client sent. Never changed.

    `algorithm` is None where it is none of ours, `sess` says whether it is the variant of that name, `has_qop` whether
    the quality of protection is `auth`. `username` is real text, a digest where `userhash` is set. `count` is the
    number in `nc`; 0 without a quality of protection, as clients of RFC 2069 are.
    """

    __slots__ = (
        "algorithm",
        "cnonce",
        "count",
        "has_qop",
        "nc",
        "nonce",
        "realm",
        "response",
        "sess",
        "uri",
        "userhash",
        "username",
    )

    algorithm: Algorithm | None

    def __init__(self, given: dict[str, str], username: str, userhash: bool) -> None:
        self.username = username
        self.userhash = userhash
        self.realm = given["realm"]
        self.nonce = given["nonce"]
        self.uri = given["uri"]
        self.response = given["response"].lower()
        self.algorithm, self.sess = _VARIANTS.get(given.get("algorithm", "md5").lower(), (None, False))
        self.has_qop = given.get("qop", "").lower() == "auth"
        self.cnonce = given.get("cnonce", "")
        self.nc = given.get("nc", "")
        self.count = int(self.nc, 16) if "qop" in given else 0

    def __repr__(self) -> str:
        return f"<Credentials of {self.username!a}>"


def credentials(field: str) -> Credentials | Refused | None:
    """What an Authorization field holds; Refused for bad credentials, None where they are of another scheme."""
    text = field.strip(" ")
    if text[:6].lower() != "digest" or text[6:7] in TOKEN:
        is_hidden = len(text) <= LONGEST and "digest" in text.lower() and is_one_of_several("digest", text)
        return Refused("several credentials", 400) if is_hidden else None
    if len(field) > LONGEST:
        return Refused("too long")
    given = parameters(text[6:]) if text[6:7] == " " else None
    return Refused("malformed", 400) if given is None else _credentials_of(given)


def parameters(text: str) -> dict[str, str] | None:
    """The parameters by lower-case name, their values unquoted; None where this is no list of them.

    A value is text in the form of WSGI: each character stands for a byte. A name that comes twice is none of a list.
    """
    try:
        if text.encode("latin-1").translate(None, _TEXT):
            return None
    except UnicodeEncodeError:
        return None
    found: dict[str, str] = {}
    place, end = 0, len(text)
    while True:
        while place < end and text[place] in " \t,":
            place += 1
        if place == end:
            return found
        equals = text.find("=", place)
        name = text[place:equals].rstrip(" \t").lower()
        if equals < 0 or not name or not TOKEN.issuperset(name) or name in found or len(found) == MOST_PARAMETERS:
            return None
        place = _after_space(text, equals + 1)
        if text[place : place + 1] == '"':
            value, place = _quoted(text, place + 1)
        else:
            value, place = _unquoted(text, place)
        if place < 0:
            return None
        found[name] = value
        place = _after_space(text, place)
        if place < end and text[place] != ",":
            return None


def _after_space(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t"):
        place += 1
    return place


def _quoted(text: str, place: int) -> tuple[str, int]:
    """The text of the quoted string that begins before `place`, and where it ends; -1 where it does not."""
    pieces = []
    close = text.find('"', place)
    while close >= 0:
        escape = text.find("\\", place, close)
        if escape < 0:
            pieces.append(text[place:close])
            return "".join(pieces), close + 1
        pieces += (text[place:escape], text[escape + 1])
        place = escape + 2
        if place > close:
            close = text.find('"', place)
    return "", -1


def _unquoted(text: str, place: int) -> tuple[str, int]:
    comma = text.find(",", place)
    end = len(text) if comma < 0 else comma
    value = text[place:end].rstrip(" \t")
    return (value, end) if value and _UNQUOTED.issuperset(value) else ("", -1)


def _credentials_of(given: dict[str, str]) -> Credentials | Refused:
    userhash = given.get("userhash", "false").lower()
    username = _username(given, userhash == "true")
    if username is None or userhash not in ("true", "false"):
        return Refused("malformed", 400)
    if not (given.get("realm") and given.get("nonce") and given.get("uri") and given.get("response")):
        return Refused("malformed", 400)
    if "qop" in given:
        nc = given.get("nc", "")
        if not given.get("cnonce") or len(nc) != 8 or not _HEX.issuperset(nc) or nc == "00000000":
            return Refused("malformed", 400)
    found = Credentials(given, username, userhash == "true")
    if found.algorithm is not None and not is_hex(found.response, HEX_DIGITS[found.algorithm]):
        return Refused("malformed", 400)
    return found


def is_hex(text: str, length: int) -> bool:
    """Whether this is so many hex digits."""
    return len(text) == length and _HEX.issuperset(text)


def _username(given: dict[str, str], is_hashed: bool) -> str | None:
    """The name that is given in one of two forms; None where it is given in none, or in both, or is empty."""
    if ("username" in given) == ("username*" in given):
        return None
    if "username*" in given:
        return None if is_hashed else extended(given["username*"]) or None
    data = given["username"].encode("latin-1")
    try:
        return data.decode("utf-8") or None
    except UnicodeDecodeError:
        return data.decode("latin-1")  # as clients send it that do not look at charset=UTF-8


def extended(value: str) -> str | None:
    """The text of an extended value, `UTF-8''J%C3%A4s%C3%B8n` (RFC 8187, section 3.2); None for what is none."""
    charset, _, rest = value.partition("'")
    _, apostrophe, encoded = rest.partition("'")
    if charset.lower() != "utf-8" or not apostrophe:
        return None
    plain, *escaped = encoded.split("%")
    data = bytearray(plain.encode("latin-1"))
    if not _ATTRIBUTE.issuperset(plain):
        return None
    for piece in escaped:
        if not is_hex(piece[:2], 2) or not _ATTRIBUTE.issuperset(piece[2:]):
            return None
        data += bytes.fromhex(piece[:2]) + piece[2:].encode()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
