"""Any text as the value of a cookie, and back: percent-encoded UTF-8, as scripts write it by `encodeURIComponent`."""

from __future__ import annotations

_AS_THEY_ARE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()"
_QUOTED = tuple(chr(byte) if byte in _AS_THEY_ARE else f"%{byte:02X}" for byte in range(256))
_HEXADECIMAL = "0123456789abcdefABCDEF"


def quoted(text: str) -> str:
    """The text with all but letters, digits and -_.!~*'() escaped. A ValueError for text that is no Unicode."""
    return "".join([_QUOTED[byte] for byte in text.encode()])


def unquoted(value: str) -> str | None:
    """The text of a value; None for what is not percent-encoded UTF-8."""
    first, *rest = value.split("%")
    try:
        parts = [first.encode("latin-1")]  # a byte is a character in WSGI
        for escaped in rest:
            digits = escaped[:2]
            if len(digits) < 2 or digits.strip(_HEXADECIMAL):
                return None
            parts += (bytes.fromhex(digits), escaped[2:].encode("latin-1"))
        return b"".join(parts).decode()
    except UnicodeError:
        return None
