r"""Client data made safe for a line of text: Apache's escaping, and lengths that every log reader takes.

Values in, values out. The rules are those of Apache's `ap_escape_logitem`: `"` and `\` get a backslash, control
characters become `\n` or `\x1b`, every other byte that is not printable ASCII becomes `\xhh`. Where no quotes stand
round the value, a blank and brackets are written as `\xhh` too, since readers split the line there.
"""

from __future__ import annotations

MAX_LINE = 4093  # with its line feed 4094 bytes: readers drop or split longer ones
MAX_URL = 2048
MAX_FIELD = 1024  # Referer, User-Agent
MAX_OTHER = 256
ELLIPSIS = "..."

_LETTERS = {0x08: r"\b", 0x09: r"\t", 0x0A: r"\n", 0x0B: r"\v", 0x0D: r"\r"}

# What `str.translate` puts in place of each byte in a whole line that was made elsewhere.
LINE = {byte: _LETTERS.get(byte, f"\\x{byte:02x}") for byte in (*range(0x20), *range(0x7F, 0x100))}


class Place:
    """Where a value stands in a line: which bytes need an escape there, and which are harmless."""

    __slots__ = ("escapes", "harmless")

    def __init__(self, escapes: dict[int, str]) -> None:
        self.escapes = escapes
        self.harmless = bytes(byte for byte in range(0x100) if byte not in escapes)


QUOTED = Place({**LINE, ord('"'): r"\"", ord("\\"): r"\\"})
UNQUOTED = Place({**QUOTED.escapes, **{ord(character): f"\\x{ord(character):02x}" for character in " []"}})
# The method, the URL and the protocol, also between the quotes of a request line: readers part that at its blanks.
WORD = Place({**QUOTED.escapes, ord(" "): r"\x20"})
USER = Place({**UNQUOTED.escapes, ord("/"): r"\x2f"})  # a name without quotes: one reader stops at a slash


def escaped(value: str, place: Place, cap: int) -> str:
    """`value` with the escapes that it needs in this place, at most `cap` characters long."""
    # Nearly every value is harmless: to see that takes 0.2 us, to escape it anyway 1.2.
    if len(value) <= cap and value.isascii() and not value.encode().translate(None, place.harmless):
        return value
    text = as_bytes(value)[: cap + 1].decode("latin-1").translate(place.escapes)
    return text if len(text) <= cap else cut(text, cap)


def escaped_line(line: str) -> str:
    """A line that a user's function built: printable ASCII, quotes and backslashes as they are."""
    if line.isascii() and line.isprintable():
        return line
    return as_bytes(line).decode("latin-1").translate(LINE)


def as_bytes(value: str) -> bytes:
    """The bytes behind a value of environ: latin-1 as PEP 3333 has it, or UTF-8 where it is real text."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace")


def cut(text: str, cap: int) -> str:
    """Escaped text cut to `cap` characters, the ellipsis among them, and never inside an escape."""
    room = cap - len(ELLIPSIS)
    at = text.find("\\", 0, room)
    while at != -1:
        after = at + (4 if text[at + 1] == "x" else 2)
        if after > room:
            room = at
        at = text.find("\\", after, room)
    return text[:room] + ELLIPSIS


def fitted(values: list[str], room: int) -> list[str]:
    """Escaped values, cut until they fit into `room` characters together: always the longest first."""
    values = list(values)
    excess = sum(map(len, values)) - room
    while excess > 0:
        longest = max(range(len(values)), key=lambda index: len(values[index]))
        length = len(values[longest])
        values[longest] = cut(values[longest], max(length - excess, length // 2))
        excess = sum(map(len, values)) - room
    return values
