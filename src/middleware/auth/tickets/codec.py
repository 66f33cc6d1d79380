"""Tickets of mod_auth_tkt, Paste, repoze.who and Pyramid, to and from values. No I/O, no clock.

A ticket is `digest stamp user!tokens!data`: hex digits, eight more for the time, the user in percent-encoding. The
digest covers address, time, secret, user, tokens and data. The reader takes every text, in linear time, and gives None
for what is no ticket of ours; the writer refuses what a reader would read as something else.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from middleware.auth.frozen import Value
from middleware.cookies.codec import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DIGESTS = {"md5": 32, "sha256": 64, "sha512": 128}  # hex digits
ANYWHERE = "0.0.0.0"  # noqa: S104 - the address in tickets that hold for every address

_HEX = b"0123456789abcdef"
_BARE = b"".join(bytes([octet]) for octet in range(0x21, 0x7F) if octet not in b'",;\\')  # RFC 6265bis, 4.1.1
_CONTROL = bytes([*range(0x20), 0x7F])
_LONGEST_NUMBER = 100  # digits
_IN_BASE64 = ("b64unicode", "b64str")
# Python's peers write these percent-encoded and read them as they are; mod_auth_tkt knows them only as they are.
_PLAIN_IN_NAMES = "/@:+=&$#'()*<>?[]^`{|}"


class Ticket(Value):
    """What a ticket says. Never changed.

    `user`: the name, decoded where the data says that it is encoded. `tokens`: what mod_auth_tkt calls groups. `data`:
    text for applications. `at`: when it was made, in whole seconds since 1970.
    """

    __slots__ = ("at", "data", "tokens", "user")

    user: str
    tokens: tuple[str, ...]
    data: str
    at: int

    def __init__(self, user: str, *, at: int, tokens: Iterable[str] = (), data: str = "") -> None:
        put = object.__setattr__
        put(self, "user", user)
        put(self, "tokens", tuple(tokens))
        put(self, "data", data)
        put(self, "at", at)

    def __repr__(self) -> str:
        return f"<Ticket {self.user!r}>"

    @property
    def typed_user(self) -> str | int:
        """The name as the peers give it to applications: a number where the ticket says that it is one."""
        return int(self.user) if _user_type(self.data) == "int" else self.user


class Read:
    """A ticket that was read, and by which digest and which of the secrets (its place in the list)."""

    __slots__ = ("digest", "secret", "ticket")

    def __init__(self, ticket: Ticket, digest: str, secret: int) -> None:
        self.ticket = ticket
        self.digest = digest
        self.secret = secret


def read_ticket(value: str, secrets: Sequence[bytes], digests: Sequence[str], address: str = ANYWHERE) -> Read | None:
    """The ticket in the value of a cookie: bare, in double quotes, or in base64. None for anything else.

    `secrets`: each is tried. `digests`: names of DIGESTS, each is tried. `address`: of the client, where tickets hold
    for one address only. How old the ticket may be is for the caller to judge.
    """
    if len(value) > LARGEST:
        return None
    raw = _taken_out(value)
    if raw is None:
        return None
    for digest in digests:
        for place in reversed(range(len(secrets))):
            ticket = _read(raw, secrets[place], digest, address)
            if ticket is not None:
                return Read(ticket, digest, place)
    return None


def write_ticket(ticket: Ticket, secret: bytes, digest: str, address: str = ANYWHERE) -> str:
    """The value of a cookie that holds this ticket, as the peers make it.

    Bare where a cookie can carry it so; in double quotes, as repoze.who writes it, where it has commas; in base64, as
    Paste and mod_auth_tkt write it, where it has anything else. Raises ValueError for what a reader would read as
    something else: an empty user, `!` in user or token, `,` in a token, `!` in data without tokens, control characters,
    an `at` that is no time of this or the next decades, an `address` that is none.
    """
    _check(ticket)
    user, tokens, data = _encoded_user(ticket), ",".join(ticket.tokens).encode(), ticket.data.encode()
    signature = _signature(address, ticket.at, secret, user, tokens, data, digest)
    if signature is None:
        raise ValueError(f"a ticket for one address needs the address of the client, not {address!r}")
    from urllib.parse import quote

    name = quote(user, safe="/" if _user_type(ticket.data) in _IN_BASE64 else _PLAIN_IN_NAMES).encode()
    return _put_in(signature + b"%08x" % ticket.at + name + b"!" + (tokens + b"!" if tokens else b"") + data)


def _taken_out(value: str) -> bytes | None:
    """The bytes of a ticket, whatever form of cookie they are in."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _unescaped(value[1:-1])
    try:
        text = value.encode("latin-1")  # as servers hand on what clients send
        if b"!" in text:
            return text
        raw = a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return raw if b2a_base64(raw, newline=False) == text else None  # superfluous padding


def _unescaped(text: str) -> str:
    """What stands in a quoted cookie of WebOb or the standard library: `\\054` is a comma, `\\"` a quote."""
    first, *rest = text.split("\\")
    parts = [first]
    escaped = False  # the piece before was empty, so the backslash itself was escaped
    for piece in rest:
        octal = piece[:3]
        if escaped:
            parts.append(piece)
            escaped = False
        elif not piece:
            parts.append("\\")
            escaped = True
        elif len(octal) == 3 and octal[0] in "0123" and not octal.strip("01234567"):
            parts.append(chr(int(octal, 8)) + piece[3:])
        else:
            parts.append(piece)
    return "".join(parts)


def _put_in(raw: bytes) -> str:
    if not raw.strip(_BARE):
        return raw.decode()
    if not raw.strip(_BARE + b","):
        return f'"{raw.decode()}"'
    return b2a_base64(raw, newline=False).decode()


def _read(raw: bytes, secret: bytes, digest: str, address: str) -> Ticket | None:
    size = DIGESTS[digest]
    given, stamp, rest = raw[:size], raw[size : size + 8], raw[size + 8 :]
    quoted, bang, tail = rest.partition(b"!")
    if len(stamp) != 8 or stamp.strip(_HEX) or not bang:
        return None
    tokens, bang, data = tail.partition(b"!")
    if not bang:
        tokens, data = b"", tail
    from hmac import compare_digest
    from urllib.parse import unquote_to_bytes

    at, user = int(stamp, 16), unquote_to_bytes(quoted)
    expected = _signature(address, at, secret, user, tokens, data, digest)
    if expected is None or not compare_digest(given, expected):
        return None
    # NUL separates what is signed: a user with one in it would be another user with tokens.
    if len((user + tokens + data).translate(None, _CONTROL)) < len(user) + len(tokens) + len(data):
        return None
    try:
        name = _decoded_user(user.decode(), data.decode())
        ticket = Ticket(name, at=at, tokens=filter(None, tokens.decode().split(",")), data=data.decode())
        _check(ticket)  # what is read can be written again
    except ValueError:
        return None
    return ticket


def _signature(
    address: str, at: int, secret: bytes, user: bytes, tokens: bytes, data: bytes, digest: str
) -> bytes | None:
    place = _place(address, at)
    if place is None:
        return None
    import hashlib

    make = getattr(hashlib, digest)
    inner = make(place + secret + user + b"\0" + tokens + b"\0" + data, usedforsecurity=False).hexdigest()
    signature: str = make(inner.encode() + secret, usedforsecurity=False).hexdigest()
    return signature.encode()


def _place(address: str, at: int) -> bytes | None:
    """Address and time as they are signed: eight bytes for IPv4, and for IPv6 the text that Pyramid has chosen."""
    if address == ANYWHERE:
        return b"\0\0\0\0" + at.to_bytes(4, "big")
    if ":" in address:
        return f"{address}{at}".encode() if address.isascii() and len(address) < 100 else None
    parts = address.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return bytes(numbers) + at.to_bytes(4, "big") if max(numbers) < 256 else None


def _user_type(data: str) -> str | None:
    """How the user is encoded: `userid_type:int` of Pyramid among parts between `|`, `userid_type=int` of repoze.who.

    A ValueError for two of them, which no peer writes.
    """
    if "userid_type" not in data:
        return None
    found = [part[12:] for part in data.split("|") if part.startswith("userid_type:")]
    found += [part[12:] for part in data.split("&") if part.startswith("userid_type=")]
    if len(found) > 1:
        raise ValueError("two types of one user")
    return found[0] if found else None


def _decoded_user(user: str, data: str) -> str:
    """The name; a ValueError where it is not encoded as the data says."""
    if _user_type(data) in _IN_BASE64:
        return a2b_base64(user.encode(), strict_mode=True).decode()
    return user


def _encoded_user(ticket: Ticket) -> bytes:
    user = ticket.user.encode()
    return b2a_base64(user, newline=False) if _user_type(ticket.data) in _IN_BASE64 else user


def _check(ticket: Ticket) -> None:
    user, kind = ticket.user, _user_type(ticket.data)
    if not user or ("!" in user and kind not in _IN_BASE64) or _has_control(user):
        raise ValueError(f"the user of a ticket is text without ! and control characters, not {user!r}")
    if kind == "int" and (len(user) > _LONGEST_NUMBER or str(int(user)) != user):
        raise ValueError("the user is not the one spelling of a number, as the data of the ticket says")
    for token in ticket.tokens:
        if not token or "!" in token or "," in token or _has_control(token):
            raise ValueError(f"a token is text without ! , and control characters, not {token!r}")
    if _has_control(ticket.data) or ("!" in ticket.data and not ticket.tokens):
        raise ValueError("the data of a ticket has no control characters, and no ! where there are no tokens")
    if not 0 <= ticket.at < 1 << 32:
        raise ValueError(f"a ticket is of a time between 1970 and 2106, not {ticket.at}")


def _has_control(text: str) -> bool:
    return any(character < " " or "\x7f" <= character < "\xa0" for character in text)
