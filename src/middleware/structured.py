"""Structured Fields, from text to values (RFC 9651). Its rule: what is not exactly right is nothing at all.

Types: an Integer is an int, a Decimal a float, a Boolean a bool, a String a str, a Byte Sequence bytes; Token, Date and
DisplayString are classes of their own; an Inner List is a list. Parameters are read, since a field whose parameters are
wrong is wrong, and not kept.
"""

from __future__ import annotations

from binascii import Error, a2b_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    Bare = int | float | bool | str | bytes
    Member = Bare | list[Bare]

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
_LETTERS = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_KEY_START = _LOWER | {"*"}
_KEY = _LOWER | _DIGITS | frozenset("_-.*")
_TOKEN_START = _LETTERS | {"*"}
_TOKEN = _LETTERS | _DIGITS | frozenset("!#$%&'*+-.^_`|~:/")
_BASE64 = _LETTERS | _DIGITS | frozenset("+/=")
_HEXADECIMAL = _DIGITS | frozenset("abcdef")
_LONGEST_INTEGER = 15  # digits


class Token(str):
    """A word without quotes: `sugar`, `text/plain`."""

    __slots__ = ()


class Date(int):
    """A date, in seconds since 1970: `@1659578233`."""

    __slots__ = ()


class DisplayString(str):
    """A text of any characters: `%"f%c3%bc"`."""

    __slots__ = ()


def parse_dictionary(text: str) -> dict[str, Member] | None:
    """The members of a Dictionary by their keys (RFC 9651, 4.2.2); None where it is none. An empty one has no members.

    `text` is what all lines of the field say, joined by commas. Of a key that is repeated the last value counts.
    """
    try:
        return _Reader(text).dictionary()
    except ValueError:
        return None


class _Reader:
    """Reads a text from left to right, each character once. A ValueError where what comes is not what must come."""

    def __init__(self, text: str) -> None:
        if not text.isascii():
            raise ValueError("beyond ASCII")
        self.text = text.strip(" ")
        self.at = 0

    def dictionary(self) -> dict[str, Member]:
        found: dict[str, Member] = {}
        while self.at < len(self.text):
            key = self.key()
            if self.takes("="):
                found[key] = self.inner_list() if self.sees("(") else self.item()
            else:
                found[key] = True
                self.parameters()
            self.skip(" \t")
            if self.at == len(self.text):
                break
            self.must_take(",")
            self.skip(" \t")
            if self.at == len(self.text):
                raise ValueError("a comma at the end")
        return found

    def inner_list(self) -> list[Bare]:
        self.must_take("(")
        items: list[Bare] = []
        while True:
            self.skip(" ")
            if self.takes(")"):
                self.parameters()
                return items
            items.append(self.item())
            if not (self.sees(" ") or self.sees(")")):
                raise ValueError("items of a list that nothing separates")

    def item(self) -> Bare:
        value = self.bare_item()
        self.parameters()
        return value

    def parameters(self) -> None:
        while self.takes(";"):
            self.skip(" ")
            self.key()
            if self.takes("="):
                self.bare_item()

    def key(self) -> str:
        if self.text[self.at : self.at + 1] not in _KEY_START:
            raise ValueError("no key")
        return self.run(_KEY)

    def bare_item(self) -> Bare:
        first = self.text[self.at : self.at + 1]
        if first in _DIGITS or first == "-":
            return self.number()
        if first in _TOKEN_START:
            return Token(self.run(_TOKEN))
        self.at += 1
        match first:
            case '"':
                return self.string()
            case ":":
                return self.byte_sequence()
            case "?":
                return self.boolean()
            case "@":
                return self.date()
            case "%":
                self.must_take('"')
                return self.display_string()
            case _:
                raise ValueError("no item")

    def number(self) -> int | float:
        minus = self.takes("-")
        whole = self.run(_DIGITS)
        if not whole:
            raise ValueError("no digit")
        if not self.takes("."):
            if len(whole) > _LONGEST_INTEGER:
                raise ValueError("too many digits")
            return -int(whole) if minus else int(whole)
        fraction = self.run(_DIGITS)
        if not 1 <= len(fraction) <= 3 or len(whole) > 12:
            raise ValueError("no decimal")
        value = float(f"{whole}.{fraction}")
        return -value if minus else value

    def string(self) -> str:
        pieces: list[str] = []
        end = self.text.find('"', self.at)
        while end >= 0:
            escape = self.text.find("\\", self.at, end)
            if escape < 0:
                break
            escaped = self.text[escape + 1 : escape + 2]
            if escaped not in ('"', "\\"):
                raise ValueError("nothing to escape")
            pieces += (self.text[self.at : escape], escaped)
            self.at = escape + 2
            if escape + 1 == end:
                end = self.text.find('"', self.at)
        else:
            raise ValueError("a string without its end")
        pieces.append(self.text[self.at : end])
        self.at = end + 1
        found = "".join(pieces)
        if not found.isprintable():
            raise ValueError("no printable string")
        return found

    def byte_sequence(self) -> bytes:
        encoded = self.run(_BASE64)
        self.must_take(":")
        bare = encoded.rstrip("=")
        if "=" in bare or len(encoded) - len(bare) > 2:
            raise ValueError("no base64")
        try:
            return a2b_base64(bare + "=" * (-len(bare) % 4))
        except Error as error:
            raise ValueError("no base64") from error

    def boolean(self) -> bool:
        if self.takes("1"):
            return True
        self.must_take("0")
        return False

    def date(self) -> Date:
        seconds = self.number()
        if type(seconds) is not int:
            raise ValueError("no whole seconds")
        return Date(seconds)

    def display_string(self) -> DisplayString:
        end = self.text.find('"', self.at)
        if end < 0:
            raise ValueError("a string without its end")
        raw = self.text[self.at : end]
        if not raw.isprintable():
            raise ValueError("no printable string")
        plain, *escaped = raw.split("%")
        self.at = end + 1
        decoded = [plain.encode()]
        for piece in escaped:
            if len(piece) < 2 or not _HEXADECIMAL.issuperset(piece[:2]):
                raise ValueError("no escape")
            decoded += (bytes.fromhex(piece[:2]), piece[2:].encode())
        return DisplayString(b"".join(decoded).decode())

    def run(self, characters: frozenset[str]) -> str:
        """What comes, as long as it is of these characters."""
        text, start = self.text, self.at
        end = start
        while end < len(text) and text[end] in characters:
            end += 1
        self.at = end
        return text[start:end]

    def skip(self, blanks: str) -> None:
        while self.text[self.at : self.at + 1] in blanks and self.at < len(self.text):
            self.at += 1

    def sees(self, character: str) -> bool:
        return self.text[self.at : self.at + 1] == character

    def takes(self, character: str) -> bool:
        """Whether this character comes; then it is passed."""
        if self.sees(character):
            self.at += 1
            return True
        return False

    def must_take(self, character: str) -> None:
        if not self.takes(character):
            raise ValueError(f"no {character}")
