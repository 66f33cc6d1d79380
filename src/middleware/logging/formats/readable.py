"""Text of a client as JSON and logfmt show it: real characters, no longer than a cap allows. Values in, values out."""

from __future__ import annotations

from middleware.logging.escaping import ELLIPSIS

TYPE_CHECKING = False
if TYPE_CHECKING:
    Values = dict[str, str | int | float | bool]


def readable(value: str, cap: int) -> str:
    """What the bytes say in UTF-8, other bytes as `\\xhh`; cut where its JSON would be longer than `cap`."""
    # No character of ASCII takes more than six in JSON, so most values need no closer look.
    if len(value) * 6 <= cap and value.isascii():
        return value
    if value.isascii():
        shown = value
    else:
        try:
            shown = value.encode("latin-1").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:  # real text, as a user's name may be
            shown = value.encode("utf-8", "backslashreplace").decode()
    return shortened(shown, cap)


def shortened(shown: str, cap: int) -> str:
    """`shown`, cut where its JSON would be longer than `cap`."""
    if len(shown) <= cap and sum(map(json_length, shown)) <= cap:
        return shown
    room = cap - len(ELLIPSIS)
    end = 0
    for character in shown:
        room -= json_length(character)
        if room < 0:
            break
        end += 1
    # `\xhh` is an escape too, although JSON does not know it.
    at = shown.rfind("\\x", max(0, end - 3), end + 1)
    return shown[: end if at == -1 else at] + ELLIPSIS


def json_length(character: str) -> int:
    """How many characters of ASCII JSON needs for one: `a`, `\\n`, `\\u00e9`, two of these outside the BMP."""
    if character in '"\\\b\f\n\r\t':
        return 2
    if " " <= character <= "~":
        return 1
    return 6 if character <= "\uffff" else 12


def fitted(values: Values, excess: int) -> Values:
    """Values whose texts are cut until the line is shorter by `excess`: always the longest first."""
    values = {**values}
    lengths = {name: sum(map(json_length, value)) for name, value in values.items() if isinstance(value, str)}
    while excess > 0:
        name = max(lengths, key=lengths.__getitem__)
        length = lengths[name]
        cut = values[name] = shortened(str(values[name]), max(length - excess, length // 2, len(ELLIPSIS)))
        lengths[name] = sum(map(json_length, cut))
        excess -= length - lengths[name]
    return values
