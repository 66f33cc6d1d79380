"""From a record to a line of JSON. Imported where it is asked for: `json` has its price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii as quote
from math import isfinite

from middleware.errors import ConfigurationError
from middleware.logging.escaping import MAX_URL
from middleware.logging.formats.apache import parsed, shown
from middleware.logging.formats.base import LineFormat
from middleware.logging.formats.readable import fitted, readable
from middleware.logging.formats.schemas import ECS, OTEL, fields
from middleware.logging.formats.usual_json import usual_json
from middleware.options import a_switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from middleware.logging.formats.directives import Directive
    from middleware.logging.formats.readable import Values
    from middleware.logging.formats.schemas import Schema
    from middleware.logging.record import AccessRecord

    Own = Mapping[str, str] | Iterable[tuple[str, str]]

MAX_JSON = 16_383  # with its line feed 16 KiB
_SHORTEST_CUT = 64
_SCHEMAS: dict[str, Schema] = {"ecs": ECS, "otel": OTEL}


class JsonFormat(LineFormat):
    """One JSON object a line, of printable ASCII, 16 KiB at most.

    `schema`: `"ecs"` (Elastic Common Schema 9.0), `"otel"` (OpenTelemetry, semantic conventions 1.34), or names of your
    own with the directives of Apache that fill them, `{"status": "%>s", "ms": "%{ms}T", "who": "%u"}`. `extra`: more of
    these, beside a schema. A directive that is alone gives its number as a number, and no field where it has nothing to
    show; several, or with other text beside it, give text.
    `tracebacks`: with a schema, the message and traceback of what the application raised, not its class alone. `utc`:
    for the times that directives show; those of the schemas always are.

    Raises ConfigurationError for an unknown schema or directive, and for a name that comes twice.
    """

    __slots__ = ("schema",)

    def __init__(
        self, schema: str | Own = "ecs", *, extra: Own = (), tracebacks: bool = True, utc: bool = False
    ) -> None:
        a_switch("tracebacks", tracebacks)
        a_switch("utc", utc)
        self.schema = schema if isinstance(schema, str) else "own"
        own = [*_pairs(extra)]
        names: set[str] = set()
        chosen: Schema | None = None
        if isinstance(schema, str):
            chosen = _SCHEMAS.get(schema)
            if chosen is None:
                raise ConfigurationError(
                    f'schema={schema!r} is unknown: choose "ecs" or "otel", or give a dict of yours'
                )
            names |= chosen.names()
        else:
            own[:0] = _pairs(schema)
            if not own:
                raise ConfigurationError('schema= has no names: give {"status": "%>s"}, "ecs" or "otel"')
        readers = []
        for name, text in own:
            if name in names:
                raise ConfigurationError(f"the name {name!r} comes twice: a line of JSON has each name once")
            names.add(name)
            readers.append((name, _reader(name, text, utc=utc)))
        if sum(len(quote(name)) + _SHORTEST_CUT for name in names) > MAX_JSON:
            raise ConfigurationError(f"these are too many names for a line of {MAX_JSON} bytes: leave some out")
        self.line = _line_of(chosen, readers, tracebacks=tracebacks)

    def __repr__(self) -> str:
        return f"JsonFormat({self.schema!r})"


def _pairs(own: Own) -> Iterator[tuple[str, str]]:
    pairs = own.items() if isinstance(own, Mapping) else own
    if not isinstance(pairs, Iterable):
        raise ConfigurationError(f'{own!r} has no names with directives: write them as {{"status": "%>s"}}')
    for pair in pairs:
        name, text = pair if isinstance(pair, tuple) and len(pair) == 2 else (pair, None)
        if not (isinstance(name, str) and name and isinstance(text, str)):
            raise ConfigurationError(f'{pair!r} is no name with a directive: write {{"status": "%>s"}}')
        yield name, text


def _reader(name: str, text: str, *, utc: bool) -> Callable[[AccessRecord], str | int | float | None]:
    """What gives the value of this field; None for none."""
    try:
        parts = parsed(text, utc=utc)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name!r}: {error}") from None
    (part, *others) = parts or ("",)
    if isinstance(part, str) or others:
        return lambda record: readable("".join(map(_text_in(record), parts)), MAX_URL)
    read, cap = part.read, part.cap or MAX_URL

    def value(record: AccessRecord) -> str | int | float | None:
        found = read(record)
        return readable(found, cap) if isinstance(found, str) else found

    return value


def _text_in(record: AccessRecord) -> Callable[[str | Directive], str]:
    def text(part: str | Directive) -> str:
        if isinstance(part, str):
            return part
        value = part.read(record)
        return part.missing if value is None else shown(value)

    return text


def _line_of(
    schema: Schema | None,
    readers: list[tuple[str, Callable[[AccessRecord], str | int | float | None]]],
    *,
    tracebacks: bool,
) -> Callable[[AccessRecord], str]:
    def line(record: AccessRecord) -> str:
        values: Values = {} if schema is None else fields(record, schema, tracebacks=tracebacks)
        for name, read in readers:
            value = read(record)
            if value is not None and value != "":
                values[name] = value
        made = written(values)
        return made if len(made) <= MAX_JSON else written(fitted(values, len(made) - MAX_JSON))

    if schema is None or readers:
        return line
    usual = usual_json(schema)
    return lambda record: usual(record) or line(record)


class _Keys(dict[str, str]):
    """Names as they stand before a value. There are few, all of them known at construction."""

    def __missing__(self, name: str) -> str:
        key = self[name] = f"{quote(name)}:"
        return key


_keys = _Keys()


def written(values: Values) -> str:
    """The values as an object of JSON in printable ASCII (with the standard library's encoder: 4 us more of 8)."""
    parts = []
    for name, value in values.items():
        if isinstance(value, str):
            parts.append(_keys[name] + quote(value))
        elif isinstance(value, bool):
            parts.append(_keys[name] + ("true" if value else "false"))
        elif isinstance(value, int) or isfinite(value):
            parts.append(_keys[name] + repr(value))
    # The encoder leaves DEL as it is, which is ASCII and not printable.
    return f"{{{','.join(parts)}}}".replace("\x7f", "\\u007f")
