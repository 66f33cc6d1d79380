"""Sizes and durations as configuration files write them: `64MiB`, `30m`. Text in, numbers out.

Python code passes bytes and seconds as plain numbers; these units exist in configuration files only.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError

_SIZES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
_DURATIONS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST = 32  # characters; longer is no number that anybody means


def parse_size(text: str) -> int:
    """Bytes, from a whole number with or without a unit: `4096`, `64KiB`, `64 MiB`, `1GB`.

    `kB`, `MB`, `GB`, `TB` are powers of 1000, `KiB`, `MiB`, `GiB`, `TiB` powers of 1024, in either case. `64M` is
    refused: some programs mean the one by it and some the other.

    Raises ConfigurationError for anything else.
    """
    number, unit, rest = _number_and_unit(text.strip())
    factor = _SIZES.get(unit.lower())
    if rest or factor is None or not number.isdigit():
        raise ConfigurationError(
            f"{text!r} is not a size: write bytes (4096) or a whole number and a unit (64KiB, 64MiB, 1GB)"
        )
    return int(number) * factor


def parse_duration(text: str) -> float:
    """Seconds, from a number with or without a unit: `90`, `0.5s`, `30m`, or from several, largest first: `1h30m`.

    Units are `w`, `d`, `h`, `m` (minutes), `s` and `ms`, in lower case; a number alone means seconds.

    Raises ConfigurationError for anything else.
    """
    wrong = f"{text!r} is not a duration: write seconds (90) or a number and a unit of w, d, h, m, s, ms (30m, 1h30m)"
    number, unit, rest = _number_and_unit(text.strip())
    if number and not unit and not rest:
        return float(number)
    total = 0.0
    smallest = float("inf")
    while True:
        factor = _DURATIONS.get(unit)
        if not number or factor is None or factor >= smallest:
            raise ConfigurationError(wrong)
        total += float(number) * factor
        smallest = factor
        if not rest:
            return total
        number, unit, rest = _number_and_unit(rest)


def _number_and_unit(text: str) -> tuple[str, str, str]:
    """The number that text begins with ("" where it is none), the letters behind it, and what follows."""
    if len(text) > _LONGEST or not text.isascii():
        return "", "", text
    end = 0
    while end < len(text) and (text[end].isdigit() or text[end] == "."):
        end += 1
    number, behind = text[:end], text[end:].lstrip()
    whole, dot, fraction = number.partition(".")
    if not whole.isdigit() or (dot and not fraction.isdigit()):
        return "", "", text
    end = 0
    while end < len(behind) and behind[end].isalpha():
        end += 1
    return number, behind[:end], behind[end:].lstrip()
