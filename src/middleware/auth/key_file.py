"""API keys in a file: a line for each, `id sha256 user=ann scopes=read,write roles=ci expires=2027-01-31 disabled`.

What may hold a space, a comma or a percent sign is percent-encoded. An empty line, and one that begins with `#`, is
none. A line that cannot be read is passed over and told to the operator once: it is the key of nobody, and the keys in
the other lines go on working.
"""

from __future__ import annotations

import time

from middleware.auth.api_keys import ApiKeyRecord
from middleware.auth.users.watched import WatchedFile
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Any

_SAFE = "@:/+!*'()$&;=?"  # of what may stand in a value, what quote() would encode


class ApiKeys:
    """API keys from a file with a line for each, as `python -m middleware auth apikey` writes it.

    It is read again when it changes: a key whose line is gone, or says `disabled`, is refused from the next request on.
    `clock` gives seconds since 1970.

    Raises ConfigurationError where the file cannot be read at first. One that cannot be read later makes requests with
    keys 503 until it can.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        self._file = WatchedFile(path, self._parse, clock)
        self._file.read_first("ApiKeys")

    def __repr__(self) -> str:
        return f"<ApiKeys {self._file.path!r}>"

    def get(self, key_id: str, /) -> ApiKeyRecord | None:
        """The record of the key with this id, as the file has it now. Raises OSError where it cannot be read."""
        record: ApiKeyRecord | None = self._file.read().get(key_id)
        return record

    def _parse(self, lines: list[str]) -> dict[str, ApiKeyRecord]:
        """Of an id that is there twice the first line counts."""
        records: dict[str, ApiKeyRecord] = {}
        for number, line in enumerate(lines, 1):
            try:
                record = record_of(line)
            except ValueError as error:
                say_once(f"line {number} of {self._file.path} is no API key: {error}", logger="middleware.auth")
                continue
            if record is not None:
                records.setdefault(record.id, record)
        return records


def add_to_file(path: str | os.PathLike[str], record: ApiKeyRecord) -> None:
    """Append the line of a record, to a new file that only its owner reads where there is none. Raises OSError."""
    import os

    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(file).st_size
        ends = not size or os.pread(file, 1, size - 1) == b"\n"
        os.write(file, (("" if ends else "\n") + line_of(record) + "\n").encode())
    finally:
        os.close(file)


def line_of(record: ApiKeyRecord) -> str:
    """The line of a file that holds this record."""
    words = [record.id, record.sha256, f"user={_quoted(record.user)}"]
    for name, values in (("scopes", record.scopes), ("roles", record.roles)):
        if values:
            words.append(f"{name}={','.join(map(_quoted, sorted(values)))}")
    if record.expires_at is not None:
        words.append(f"expires={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(record.expires_at))}")
    return " ".join([*words, "disabled"] if record.disabled else words)


def record_of(line: str) -> ApiKeyRecord | None:
    """The record in a line; None for an empty one and a comment. Raises ValueError for what is neither."""
    words = line.split()
    if not words or words[0].startswith("#"):
        return None
    if len(words) < 3:
        raise ValueError("it has less than an id, a digest and a user")
    options: dict[str, Any] = {}
    for word in words[2:]:
        name, equals, value = word.partition("=")
        read = _OPTIONS.get(name)
        if read is None or name in options or bool(equals) == (name == "disabled"):
            raise ValueError("a word in it is unknown, there twice, or not complete")
        options[name] = read(value)
    if "user" not in options:
        raise ValueError("it has no user=")
    return ApiKeyRecord(
        words[0],
        words[1],
        options["user"],
        scopes=options.get("scopes", ()),
        roles=options.get("roles", ()),
        expires_at=options.get("expires"),
        disabled="disabled" in options,
    )


def seconds_of(date: str) -> float:
    """Seconds since 1970 of a date such as 2027-01-31 or 2027-01-31T12:00:00Z, in UTC where it does not say more.

    Raises ValueError.
    """
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(date)
    except ValueError:
        raise ValueError("it expires at no date such as 2027-01-31") from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe=_SAFE)


def _unquoted(text: str) -> str:
    from urllib.parse import unquote

    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("what is percent-encoded is no UTF-8") from None


def _names(value: str) -> list[str]:
    return [_unquoted(name) for name in value.split(",") if name]


def _always(_: str) -> bool:
    return True


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "user": _unquoted,
    "scopes": _names,
    "roles": _names,
    "expires": seconds_of,
    "disabled": _always,
}
