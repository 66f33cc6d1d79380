"""The IdentifierClass of PRECIS and the bidi rule, for names of users beyond ASCII. Pure, no I/O.

A name that the profile disallows is refused, never mended. Stricter than RFC 5892 in one place: a zero-width non-joiner
is let in after a virama only, not between the letters of a cursive script, whose joining types Python does not know.
"""

from __future__ import annotations

from unicodedata import bidirectional, category, combining, decomposition, name, normalize

# RFC 8264, section 9.1: the letters and digits of a language.
_LETTER_DIGITS = frozenset({"Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"})
# RFC 5892, section 2.6, without those whose category says the same.
_VALID = frozenset("\u06fd\u06fe\u0f0b\u3007")
_DISALLOWED = frozenset("\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b")
# Conjoining Hangul Jamo, and what is invisible though Unicode counts it among letters and marks: sections 9.9 and 9.13.
_INVISIBLE = (
    (0x034F, 0x034F),
    (0x1100, 0x11FF),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0xA960, 0xA97F),
    (0xD7B0, 0xD7FF),
    (0xFE00, 0xFE0F),
    (0xE0100, 0xE01EF),
)
_ARABIC_DIGITS = frozenset(map(chr, range(0x0660, 0x066A)))
_EXTENDED_ARABIC_DIGITS = frozenset(map(chr, range(0x06F0, 0x06FA)))
_HAN_OR_KANA = ("HIRAGANA ", "KATAKANA ", "HENTAIGANA ", "CJK UNIFIED ", "CJK COMPATIBILITY ", "IDEOGRAPHIC ")

_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_ALLOWED_IN_BOTH = frozenset({"EN", "ES", "CS", "ET", "ON", "BN", "NSM"})


def identifier(user: str, *, case_map: bool) -> str | None:
    """The one spelling of a name; None for what is no name."""
    normal = _mapped(user, case_map)
    if case_map and _mapped(normal, case_map) != normal:
        return None
    return normal if _is_identifier(normal) and _obeys_bidi_rule(normal) else None


def _mapped(user: str, case_map: bool) -> str:
    mapped = "".join(map(_plain_width, user))
    return normalize("NFC", mapped.lower() if case_map else mapped)


def _plain_width(character: str) -> str:
    tag, _, plain = decomposition(character).partition(" ")
    return chr(int(plain, 16)) if tag in ("<wide>", "<narrow>") else character


def _is_identifier(text: str) -> bool:
    """Whether this is in the IdentifierClass (RFC 8264, sections 4.2 and 8)."""
    for place, character in enumerate(text):
        if character.isascii():
            if not "!" <= character <= "~":
                return False
        elif character in _CONTEXT_RULES:
            if not _CONTEXT_RULES[character](text, place):
                return False
        elif character not in _VALID and not _is_letter_or_digit(character):
            return False
    return _ARABIC_DIGITS.isdisjoint(text) or _EXTENDED_ARABIC_DIGITS.isdisjoint(text)


def _is_letter_or_digit(character: str) -> bool:
    if character in _DISALLOWED or category(character) not in _LETTER_DIGITS:
        return False
    code = ord(character)
    return not any(first <= code <= last for first, last in _INVISIBLE) and normalize("NFKC", character) == character


def _follows_virama(text: str, place: int) -> bool:
    return place > 0 and combining(text[place - 1]) == 9


def _between_l(text: str, place: int) -> bool:
    return place > 0 and text[place - 1 : place + 2] == "l\u00b7l"


def _before_greek(text: str, place: int) -> bool:
    return name(text[place + 1 : place + 2] or " ", "").startswith("GREEK ")


def _after_hebrew(text: str, place: int) -> bool:
    return place > 0 and name(text[place - 1], "").startswith("HEBREW ")


def _beside_han_or_kana(text: str, place: int) -> bool:  # noqa: ARG001 - anywhere in the name will do
    return any(name(each, "").startswith(_HAN_OR_KANA) and each != "\u30fb" for each in text)


# RFC 5892, appendix A. The one about Arabic digits is a rule of the whole name.
_CONTEXT_RULES = {
    "\u200c": _follows_virama,
    "\u200d": _follows_virama,
    "\u00b7": _between_l,
    "\u0375": _before_greek,
    "\u05f3": _after_hebrew,
    "\u05f4": _after_hebrew,
    "\u30fb": _beside_han_or_kana,
}


def _obeys_bidi_rule(text: str) -> bool:
    """Whether this keeps its order when it is displayed (RFC 5893, section 2)."""
    classes = [bidirectional(character) for character in text]
    used = set(classes)
    if _RIGHT_TO_LEFT.isdisjoint(used):
        return True
    while len(classes) > 1 and classes[-1] == "NSM":
        classes.pop()
    return (
        classes[0] in ("R", "AL")  # after an L none of the other direction may come, and one does
        and used <= _RIGHT_TO_LEFT | _ALLOWED_IN_BOTH
        and classes[-1] in ("R", "AL", "EN", "AN")
        and not used >= {"EN", "AN"}
    )
