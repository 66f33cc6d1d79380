"""The directives of Apache's mod_log_config: what each shows of a record. Values in, values out.

A directive reads text, a number, or None where there is nothing to show; how that stands in a line is another matter
(`apache`, `json_lines`). Facts of the request are those of its arrival, and with `>` those of the end; a user, notes,
entries of environ and what was answered are those of the end.
"""

from __future__ import annotations

import time
from math import isfinite
from os import getpid

from middleware.headers import TOKEN, environ_key
from middleware.logging.escaping import MAX_FIELD, MAX_OTHER, MAX_URL, as_bytes
from middleware.logging.formats.stamps import formatted, local_stamp, microseconds, utc_stamp
from middleware.logging.record import target_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from middleware.logging.record import AccessRecord

    Value = str | int | float | None
    Read = Callable[[AccessRecord], Value]

_CAPS = {
    **dict.fromkeys(("RAW_URI", "REQUEST_URI", "PATH_INFO", "QUERY_STRING"), MAX_URL),
    **dict.fromkeys(("HTTP_REFERER", "HTTP_USER_AGENT"), MAX_FIELD),
}


class Directive:
    """What one directive shows.

    `read(record)`: its value. `cap`: the most characters of a text that others sent, 0 for what the log knows itself,
    which needs neither escapes nor a cut and has `longest` characters at most. `missing`: what stands in a text line
    for None, `empty`: for an empty text without quotes round it. `is_name`: a user's name; `is_word`: a part of the
    request line. `parts`: the directives that make up this one in a text line, where each has a cap of its own.
    """

    __slots__ = ("cap", "empty", "is_name", "is_word", "longest", "missing", "parts", "read")

    def __init__(
        self,
        read: Read,
        cap: int = 0,
        *,
        longest: int = 64,
        missing: str = "-",
        empty: str = "-",
        is_name: bool = False,
        is_word: bool = False,
        parts: tuple[Directive, ...] = (),
    ) -> None:
        self.read = read
        self.cap = cap
        self.longest = longest
        self.missing = missing
        self.empty = empty
        self.is_name = is_name
        self.is_word = is_word
        self.parts = parts

    def like(self, read: Read, parts: tuple[Directive, ...] = ()) -> Directive:
        """This directive with another way to read it."""
        return Directive(
            read,
            self.cap,
            longest=self.longest,
            missing=self.missing,
            empty=self.empty,
            is_name=self.is_name,
            is_word=self.is_word,
            parts=parts,
        )

    def only(self, applies: Callable[[AccessRecord], bool]) -> Directive:
        """This directive where `applies(record)`; elsewhere nothing."""
        read = self.read
        parts = tuple(part.only(applies) for part in self.parts)
        for part in parts[1:]:
            part.missing = ""  # one dash for them all
        return self.like(lambda record: read(record) if applies(record) else None, parts)

    def at_the_end(self) -> Directive:
        """This directive of the request as it was when its answer ended."""
        read = self.read
        parts = tuple(part if part is BLANK else part.at_the_end() for part in self.parts)
        return self.like(lambda record: read(record.at_the_end()), parts)


BLANK = Directive(lambda _: " ", 4)


class Unknown(Exception):
    """There is no such directive, or not with such an argument. The message says why."""


def directive(
    name: str, argument: str | None, *, end: bool | None = None, strict: bool, utc: bool, missing_address: str
) -> Directive:
    """The directive of this name. `end`: True for `>`, False for `<`, None for neither. Raises Unknown."""
    if name in _WITHOUT_MEANING:
        if strict:
            raise Unknown("means nothing in WSGI: leave it out, or give strict=False to have `-` in its place")
        return Directive(lambda _: None)
    if name in _NAMED:
        if not argument:
            raise Unknown(f"needs a name in braces, `%{{name}}{name}`")
        return _named(name, argument, end=end)
    if name == "t":
        return _time(argument or "begin", utc=utc)
    choices = _CHOICES.get(name)
    if choices is None:
        raise Unknown("is unknown")
    made = choices.get(argument or None)
    if made is None:
        known = " or ".join(f"`%{{{choice}}}{name}`" for choice in choices if choice is not None)
        raise Unknown(f"takes no such argument: write {known or f'`%{name}`'}")
    if name in "ah":
        made = Directive(made.read, missing=missing_address)
    if name == "u" and end is False:
        return _GIVEN_USER
    if name == "s" and end:
        return _FINAL_STATUS
    return made.at_the_end() if end and name in _OF_THE_REQUEST else made


def _named(name: str, argument: str, *, end: bool | None) -> Directive:
    if name in ("i", "o") and not TOKEN.issuperset(argument):
        raise Unknown(f"has {argument!r} for a name, which is no field name")
    if name == "e":
        if end is False:
            return Directive(lambda record: _arrived(record, argument), _CAPS.get(argument, MAX_OTHER))
        return Directive(lambda record: record.environ_entry(argument), _CAPS.get(argument, MAX_OTHER))
    if name == "n":
        return Directive(lambda record: _plain(record.note(argument)), MAX_OTHER)
    if name == "o":
        cap = MAX_URL if argument.lower() == "location" else MAX_OTHER
        return Directive(lambda record: record.header(argument), cap)
    if name == "i":
        made = Directive(lambda record: record.request_header(argument), _CAPS.get(environ_key(argument), MAX_OTHER))
    elif name == "C":
        made = Directive(lambda record: record.cookie(argument), MAX_OTHER)
    else:
        return Directive(lambda _: None)
    return made.at_the_end() if end else made


def _arrived(record: AccessRecord, key: str) -> str | None:
    return record.entry(key) if isinstance(record.request.get(key), str) else None


def _plain(note: object) -> Value:
    """What an application noted, as a text or a number that every format can show."""
    if note is None or isinstance(note, str | bool | int) or (isinstance(note, float) and isfinite(note)):
        return note
    return text_of(note)


def _time(argument: str, *, utc: bool) -> Directive:
    moment, _, form = argument.partition(":")
    if moment not in ("begin", "end"):
        moment, form = "begin", argument

    def seconds(record: AccessRecord) -> float:
        return record.began if moment == "begin" else record.ended

    if not form:
        stamp = utc_stamp if utc else local_stamp
        return Directive(lambda record: stamp(seconds(record)))
    number = _EPOCHS.get(form)
    if number is not None:
        return Directive(lambda record: number(microseconds(seconds(record))))
    try:
        time.strftime(form, time.gmtime(0))
    except ValueError as error:  # a lone surrogate, or a directive that this platform has not
        raise Unknown(f"is no format of time.strftime ({error})") from None
    return Directive(lambda record: formatted(form, seconds(record), utc=utc), longest=MAX_OTHER)


_EPOCHS: Mapping[str, Callable[[int], str | int]] = {
    "sec": lambda micro: micro // 1_000_000,
    "msec": lambda micro: micro // 1000,
    "usec": lambda micro: micro,
    "msec_frac": lambda micro: f"{micro % 1_000_000 // 1000:03}",
    "usec_frac": lambda micro: f"{micro % 1_000_000:06}",
}


def _duration(record: AccessRecord) -> int:
    return microseconds(record.duration)


def _first_byte(record: AccessRecord) -> int | None:
    return None if record.first_byte is None else microseconds(record.first_byte)


def _port(key: str) -> Directive:
    def read(record: AccessRecord) -> Value:
        text = record.entry(key) or None
        return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 5 else text

    return Directive(read, MAX_OTHER)


def _query(record: AccessRecord) -> str:
    query = record.query
    return f"?{query}" if query else ""


def _host(record: AccessRecord) -> str | None:
    host = record.request_header("Host")
    return (name_of_host(host) if host else "") or record.entry("SERVER_NAME")


def name_of_host(host: str) -> str:
    """The host of a Host field: `[2001:db8::1]:80` is `2001:db8::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _received(record: AccessRecord) -> int:
    """The size of the request. Only lengths are read here, so a value that must not be shown needs no mask."""
    request = record.request
    size = len(as_bytes(f"{record.method} {target_of(request)} {record.protocol}")) + 4
    for key, value in request.items():
        if not isinstance(value, str):
            continue
        if key.startswith("HTTP_") or (value and key in ("CONTENT_TYPE", "CONTENT_LENGTH")):
            size += len(key.removeprefix("HTTP_")) + len(as_bytes(value)) + 4
    length = record.entry("CONTENT_LENGTH") or ""
    return size + int(length) if length.isascii() and length.isdigit() and len(length) < 20 else size


def _sent(record: AccessRecord) -> int:
    """The size of the answer as far as it is known here: the server adds fields of its own."""
    if not record.status_line:
        return record.sent
    lines = sum(len(str(name)) + len(str(value)) + 4 for name, value in record.headers)
    return record.sent + len(f"HTTP/1.1 {record.status_line}") + lines + 4


_GIVEN_USER = Directive(lambda record: record.entry("REMOTE_USER") or None, MAX_OTHER, is_name=True)
_FINAL_STATUS = Directive(lambda record: record.status or None)
_METHOD = Directive(lambda record: record.method, MAX_OTHER, is_word=True)
_TARGET = Directive(lambda record: record.target, MAX_URL, is_word=True)
_PROTOCOL = Directive(lambda record: record.protocol, MAX_OTHER, is_word=True)
_REQUEST_LINE = Directive(
    lambda record: f"{record.method} {record.target} {record.protocol}",
    MAX_URL,
    parts=(_METHOD, BLANK, _TARGET, BLANK, _PROTOCOL),
)

_WITHOUT_MEANING = frozenset("fkLR")
_NAMED = frozenset(("C", "e", "i", "n", "o", "^ti", "^to"))
_OF_THE_REQUEST = frozenset("AHUVahmpqrv")
_ADDRESSES = {
    None: Directive(lambda record: record.client),
    "c": Directive(lambda record: record.peer),
}

# What there is without a name in braces, by the argument that it takes.
_CHOICES: Mapping[str, Mapping[str | None, Directive]] = {
    "%": {None: Directive(lambda _: "%")},
    "a": _ADDRESSES,
    "h": _ADDRESSES,
    "A": {None: Directive(lambda record: record.entry("SERVER_ADDR") or None, MAX_OTHER)},
    "B": {None: Directive(lambda record: record.sent)},
    "b": {None: Directive(lambda record: record.sent or None)},
    "D": {None: Directive(_duration)},
    "H": {None: _PROTOCOL},
    "l": {None: Directive(lambda _: None)},
    "m": {None: _METHOD},
    "p": dict.fromkeys((None, "canonical", "local"), _port("SERVER_PORT")) | {"remote": _port("REMOTE_PORT")},
    "P": {
        **dict.fromkeys((None, "pid"), Directive(lambda _: getpid())),
        "tid": Directive(lambda record: record.thread),
        "hextid": Directive(lambda record: f"{record.thread:x}"),
    },
    "q": {None: Directive(_query, MAX_URL, empty="")},
    "r": {None: _REQUEST_LINE},
    "s": {None: Directive(lambda record: record.first_status or None)},
    "T": {
        **dict.fromkeys((None, "s"), Directive(lambda record: _duration(record) // 1_000_000)),
        "ms": Directive(lambda record: _duration(record) // 1000),
        "us": Directive(_duration),
    },
    "u": {None: Directive(lambda record: record.user, MAX_OTHER, is_name=True)},
    "U": {None: Directive(lambda record: record.path, MAX_URL)},
    "v": {None: Directive(lambda record: record.entry("SERVER_NAME"), MAX_OTHER)},
    "V": {None: Directive(_host, MAX_OTHER)},
    "X": {None: Directive(lambda record: "X" if record.aborted else None)},
    "I": {None: Directive(_received)},
    "O": {None: Directive(_sent)},
    "S": {None: Directive(lambda record: _received(record) + _sent(record))},
    "^FB": {None: Directive(_first_byte)},
}
