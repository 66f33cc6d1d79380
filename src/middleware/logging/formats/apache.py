"""Format strings of Apache's access log, compiled once into a function of the record.

The text is read at construction: what stands between the directives, which escapes each value needs where it stands
(between quotes or not), and how much room there is. No client's text is ever read as a format.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError
from middleware.logging.escaping import MAX_LINE, QUOTED, UNQUOTED, USER, WORD, escaped, escaped_line, fitted
from middleware.logging.formats.base import LineFormat
from middleware.logging.formats.directives import BLANK, Directive, Unknown, directive
from middleware.logging.formats.shipped import COMBINED, COMMON, WORDS, shipped
from middleware.options import a_switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from middleware.logging.record import AccessRecord

    Piece = Callable[[AccessRecord], str]

_SHIPPED = {**{word: word for word in WORDS}, COMMON: "common", COMBINED: "combined"}
_MARKS = frozenset("<>!,0123456789{")
_SHORTEST_CUT = 8  # what each value may be cut down to


class ApacheFormat(LineFormat):
    """A format string of Apache's mod_log_config, `'%h %l %u %t "%r" %>s %b %{us}T'`; or `"common"`, `"combined"`,
    `"extended"` with other options than they have by default. Call it with a record to get the line.

    `strict`: refuse directives that mean nothing in WSGI (`%f`, `%k`, `%L`, `%R`; they print `-` otherwise), and a text
    that looks like JSON. `utc`: times in UTC, not in the local zone. `missing_address`: what stands for a client
    without an IP address, where a reader refuses `-`.

    In the text `\\t`, `\\"` and `\\\\` stand for a tab, a quote and a backslash, as in Apache's configuration files.
    Raises ConfigurationError, which names the directive and its position, counted from 0.
    """

    __slots__ = ("text",)

    def __init__(self, text: str, *, strict: bool = True, utc: bool = False, missing_address: str = "-") -> None:
        if not isinstance(text, str):
            raise ConfigurationError(f"a format string is text, not {text!r}")
        if not _is_plain(missing_address):
            raise ConfigurationError(f'missing_address={missing_address!r} would break the line: try "0.0.0.0"')
        a_switch("utc", utc)
        if a_switch("strict", strict) and text.lstrip()[:1] in ("{", "["):
            raise ConfigurationError(
                f"the format {text!r} looks like JSON, which a quote in a value would break: give "
                "JsonFormat({name: directive, ...}), or strict=False where it is none"
            )
        self.text = text
        word = _SHIPPED.get(text)
        if word is None and "%" not in text:
            raise ConfigurationError(f"the format {text!r} has no directive, and is none of {', '.join(WORDS)}")
        if word is not None:
            self.line = shipped(word, utc=utc, missing_address=missing_address)
        else:
            self.line = compiled(parsed(text, strict=strict, utc=utc, missing_address=missing_address), text)

    def __repr__(self) -> str:
        return f"ApacheFormat({self.text!r})"


def _is_plain(text: object) -> bool:
    """Whether `text` is one word that needs no escape."""
    if not (isinstance(text, str) and 0 < len(text) <= 64 and text.isascii()):
        return False
    return not text.encode().translate(None, UNQUOTED.harmless)


def parsed(
    text: str, *, strict: bool = True, utc: bool = False, missing_address: str = "-"
) -> Sequence[str | Directive]:
    """The literals and directives of a format string, in their order. Raises ConfigurationError."""
    parts: list[str | Directive] = []
    begin = 0
    while (at := text.find("%", begin)) != -1:
        parts.append(_literal(text, begin, at))
        marks, arguments, name, begin = _scanned(text, at)
        try:
            if not name:
                raise Unknown("is not finished (write `%%` for a percent sign)")
            if len(arguments) > 1:
                raise Unknown("has two arguments")
            made = directive(
                name,
                arguments[0] if arguments else None,
                end=marks.rfind(">") > marks.rfind("<") if set(marks) & {"<", ">"} else None,
                strict=strict,
                utc=utc,
                missing_address=missing_address,
            )
            condition = _condition(marks.replace("<", "").replace(">", ""))
        except Unknown as error:
            raise ConfigurationError(
                f"the directive {text[at:begin]!r} at position {at} of the format {error}"
            ) from None
        parts.append(made if condition is None else made.only(condition))
    parts.append(_literal(text, begin, len(text)))
    return [part for part in parts if part]


def _scanned(text: str, begin: int) -> tuple[str, list[str], str, int]:
    """The directive at `begin`: its marks and arguments, in any order as Apache has them, its name, and its end."""
    marks = ""
    arguments = []
    at = begin + 1
    while text[at : at + 1] in _MARKS:
        if text[at] == "{":
            close = text.find("}", at)
            if close == -1:
                raise ConfigurationError(
                    f"the directive {text[begin:]!r} at position {begin} of the format has a brace that is never closed"
                )
            arguments.append(text[at + 1 : close])
            at = close
        else:
            marks += text[at]
        at += 1
    name = text[at : at + (3 if text[at : at + 1] == "^" else 1)]  # `%^FB`, `%{name}^ti`
    return marks, arguments, name, at + len(name)


def _condition(marks: str) -> Callable[[AccessRecord], bool] | None:
    """`400,501` or `!200,304`: for which final statuses a directive shows its value. Raises Unknown."""
    if not marks:
        return None
    negated = marks.startswith("!")
    codes = marks[negated:].split(",")
    if not all(len(code) == 3 and code.isdigit() for code in codes):
        raise Unknown("has a condition that is no list of statuses: write `%400,501{name}i` or `%!200,304{name}i`")
    statuses = frozenset(map(int, codes))
    if negated:
        return lambda record: record.status not in statuses
    return lambda record: record.status in statuses


def _literal(text: str, begin: int, end: int) -> str:
    made = []
    at = begin
    while at < end:
        character = text[at]
        following = text[at + 1 : at + 2] if character == "\\" and at + 1 < end else ""
        if following in ("n", "r") or (character < " " and character != "\t"):
            raise ConfigurationError(f"the control character at position {at} of the format would break the line")
        if following and following in '"\\t':
            made.append("\t" if following == "t" else following)
            at += 2
        else:
            made.append(character if character == "\t" else escaped_line(character))
            at += 1
    return "".join(made)


def compiled(parts: Sequence[str | Directive], text: str) -> Piece:
    """A function that makes the line of a record. Raises ConfigurationError where there is not enough room."""
    template: list[str] = []
    pieces: list[tuple[int, Piece]] = []
    cuttable: list[int] = []
    room = MAX_LINE
    is_quoted = False
    for part in _flat(parts):
        if isinstance(part, Directive) and not (part is BLANK and is_quoted):
            if part.cap:
                cuttable.append(len(template))
            pieces.append((len(template), _of_others(part, is_quoted=is_quoted) if part.cap else _of_ours(part)))
            room -= _SHORTEST_CUT if part.cap else part.longest
            template.append("")
        else:
            literal = part if isinstance(part, str) else " "
            template.append(literal)
            room -= len(literal)
            is_quoted ^= literal.count('"') % 2 == 1
    if room < 0:
        raise ConfigurationError(f"the format {text[:40]!r}... leaves no room for values in a line of {MAX_LINE} bytes")

    def line(record: AccessRecord) -> str:
        made = template.copy()
        for index, piece in pieces:
            made[index] = piece(record)
        whole = "".join(made)
        if len(whole) <= MAX_LINE:
            return whole
        values = [made[index] for index in cuttable]
        for index, value in zip(cuttable, fitted(values, MAX_LINE - len(whole) + sum(map(len, values))), strict=True):
            made[index] = value
        return "".join(made)

    return line


def _flat(parts: Iterable[str | Directive]) -> Iterator[str | Directive]:
    for part in parts:
        if isinstance(part, Directive) and part.parts:
            yield from part.parts
        else:
            yield part


def _of_ours(part: Directive) -> Piece:
    read, missing = part.read, part.missing

    def piece(record: AccessRecord) -> str:
        value = read(record)
        return missing if value is None else str(value)

    return piece


def _of_others(part: Directive, *, is_quoted: bool) -> Piece:
    read, cap, missing = part.read, part.cap, part.missing
    if is_quoted:
        place = WORD if part.is_word else QUOTED
    else:
        place = USER if part.is_name else UNQUOTED
    empty = "" if is_quoted else part.empty

    def piece(record: AccessRecord) -> str:
        value = read(record)
        if value is None:
            return missing
        return escaped(shown(value), place, cap) or empty

    return piece


def shown(value: str | float) -> str:
    """A value as text."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
