"""What a shared cache may store, for how long, and for whom (RFC 9111). Values in, values out, time as an argument."""

from __future__ import annotations

from middleware.headers import cache_control, etag_matches, http_date, members, parse_http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Fields = list[tuple[str, str]]

DAY = 86400
YEAR = 365 * DAY
FOREVER = 1 << 31  # seconds; what is larger counts as this (RFC 9111, section 1.2.2)
MAX_SELECTING = 32  # field names in one Vary; an answer that names more is not stored

# The statuses of RFC 9110, chapter 15: what `must-understand` means by understood.
UNDERSTOOD = frozenset(
    f"{number}"
    for number in (*range(200, 207), *range(300, 309), *range(400, 418), 421, 422, 426, *range(500, 506))
    if number != 306
)
FAILURES = ("500", "502", "503", "504")

# Fields of one connection, never of a stored answer (RFC 9111, section 3.1), and Age, which each hit computes.
_OF_ONE_CONNECTION = (
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_NOT_KEPT = frozenset((*_OF_ONE_CONNECTION, "age"))
# Without these an answer would be another; a Connection that names one is a mistake, or worse.
_NEEDED = frozenset(
    ("cache-control", "content-encoding", "content-type", "date", "etag", "expires", "last-modified", "vary")
)
# What describes the body stays as it was stored when a 304 updates the rest (RFC 9111, section 3.2).
_NOT_UPDATED = frozenset((*_OF_ONE_CONNECTION, "content-length", "content-encoding", "content-range"))
# What a 304 leaves out: it describes a body that is not sent (RFC 9110, section 15.4.5).
_NOT_IN_304 = frozenset(("content-type", "content-length", "content-encoding", "content-language", "content-range"))
# Without one of these an answer is neither fresh nor able to be validated.
_DECLARING = ("cache-control", "etag", "expires", "last-modified")
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")


class Said:
    """What an answer says of its own storing.

    `directives`: of Cache-Control, or None where it cannot be read. `lifetime`: the freshness lifetime in seconds, None
    where it says nothing explicit. `initial_age`: its age in seconds when it was received. `selecting`: the names,
    lower case and sorted, of the request fields that select it, or None for `Vary: *`. `etag`, `last_modified`: its
    validators. `excluded`: whether a field keeps it out of every shared cache.
    """

    __slots__ = ("directives", "etag", "excluded", "initial_age", "last_modified", "lifetime", "selecting")

    def __init__(self, fields: Fields, asked_at: float, received_at: float) -> None:
        lines: dict[str, list[str]] = {}
        for name, value in fields:
            lines.setdefault(name.lower(), []).append(value)
        date = parse_http_date(", ".join(lines.get("date", ())), received_at)
        if date is None:
            date = int(received_at)
        self.directives = cache_control(lines.get("cache-control", ()))
        self.lifetime = lifetime(self.directives or {}, lines.get("expires", []), date, received_at)
        self.initial_age = initial_age(lines.get("age", ()), date, asked_at, received_at)
        self.selecting = selecting(lines.get("vary", ()), lines.get("access-control-allow-origin", ()))
        self.etag = _only(lines.get("etag"))
        self.last_modified = _only(lines.get("last-modified"))
        if self.last_modified is not None and parse_http_date(self.last_modified, received_at) is None:
            self.last_modified = None
        # A framed body (Transfer-Encoding) or a part of one is not the representation.
        self.excluded = "set-cookie" in lines or "transfer-encoding" in lines or "content-range" in lines

    @property
    def has_validator(self) -> bool:
        return self.etag is not None or self.last_modified is not None

    def useful_for(self, status: str) -> float:
        """Seconds for which a store should keep the answer: while it is fresh, a day more where it can be validated."""
        fresh = 0.0 if self.must_validate else max(0.0, (self.lifetime or 0) - self.initial_age)
        return min(max(1.0, fresh + (DAY if status == "200" and self.has_validator else 0)), YEAR)

    @property
    def must_validate(self) -> bool:
        """`no-cache` for the whole answer: never reused without asking (RFC 9111, section 5.2.2.4)."""
        directives = self.directives
        return directives is not None and "no-cache" in directives and not directives["no-cache"]

    @property
    def withheld(self) -> frozenset[str]:
        """The fields, lower case, that a hit leaves out unless it was validated: `no-cache="field"`."""
        named = (self.directives or {}).get("no-cache")
        return frozenset(name.lower() for name in members(named)) if named else frozenset()

    @property
    def forbidden(self) -> bool:
        """Whether no shared cache may keep this: no-store, private (also of one field), `Vary: *`, unreadable."""
        directives = self.directives
        return directives is None or "no-store" in directives or "private" in directives or self.selecting is None

    def allows(self, name: str) -> bool:
        """Whether a directive that widens what a cache may do is there, exactly as it should be written."""
        directives = self.directives or {}
        if name == "s-maxage":
            return seconds(directives.get(name)) is not None
        return name in directives and directives[name] is None


def is_worth_reading(fields: Fields) -> bool:
    """Whether an answer could be stored at all: a first look, which spares most of what pages for one user cost."""
    names = {name.lower() for name, _ in fields}
    return not names.isdisjoint(_DECLARING) and "set-cookie" not in names


def may_store(status: str, said: Said, *, authorized: bool, with_cookie: bool) -> bool:
    """Whether an answer with this status (three digits) may be stored by a shared cache, to be reused or validated.

    `authorized`: the request carried credentials. `with_cookie`: it carried a cookie; then the answer is stored only
    where it says how long it is fresh, or that it is public.
    """
    if not is_final(status) or said.excluded or said.forbidden:
        return False
    assert said.directives is not None
    if "must-understand" in said.directives and status not in UNDERSTOOD:
        return False
    public = said.allows("public")
    if authorized and not (public or said.allows("s-maxage") or said.allows("must-revalidate")):
        return False
    if with_cookie and not (public or said.lifetime):
        return False
    if said.lifetime is not None and said.lifetime > said.initial_age and not said.must_validate:
        return True
    return status == "200" and said.has_validator


def is_final(status: str) -> bool:
    """Whether the status is of a kind that can be stored as a whole: neither 1xx, 206 nor 304."""
    return status.isascii() and status.isdigit() and "200" <= status <= "599" and status not in ("206", "304")


def lifetime(directives: dict[str, str | None], expires: list[str], date: int, now: float) -> int | None:
    """The explicit freshness lifetime for a shared cache, in seconds, or None (RFC 9111, section 4.2.1).

    What is there but invalid is 0, with no way back to the next.
    """
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return seconds(directives[name]) or 0
    if not expires:
        return None
    until = parse_http_date(expires[0], now) if len(expires) == 1 else None
    return 0 if until is None else min(max(0, until - date), FOREVER)


def seconds(text: str | None) -> int | None:
    """A delta-seconds (RFC 9111, section 1.2.2): ASCII digits only, clamped to 2^31; None for anything else."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0")
    return min(int(digits or "0"), FOREVER) if len(digits) <= 10 else FOREVER


def initial_age(age: Iterable[str], date: int, asked_at: float, received_at: float) -> float:
    """The corrected age on receipt, in seconds (RFC 9111, section 4.2.3). A clock that steps back adds nothing."""
    first = next((text for line in age for text in line.split(",", 1) if text.strip(" \t")), "")
    given = seconds(first.strip(" \t")) or 0
    return max(0.0, received_at - date, given + max(0.0, received_at - asked_at))


def selecting(vary: Iterable[str], allow_origin: Iterable[str]) -> tuple[str, ...] | None:
    """The request fields that select this answer, lower case, sorted; None for `*`, for too many, or for no list.

    `Accept Cookie`, say, has no comma: what it means is in doubt, so the answer is nobody else's.

    An Access-Control-Allow-Origin other than `*` depends on Origin, whether Vary says so or not.
    """
    line = ",".join(vary)
    if line.count(",") > 8 * MAX_SELECTING or len(line) > 1 << 12:
        return None
    names = {name.lower() for member in line.split(",") if (name := member.strip(" \t"))}
    if "*" in names or len(names) > MAX_SELECTING or not _TOKEN.issuperset("".join(names)):
        return None
    if any(value.strip(" \t") != "*" for value in allow_origin):
        names.add("origin")
    return tuple(sorted(names))


def selecting_value(name: str, value: str | None) -> str | None:
    """A request field's value as it is compared for Vary (RFC 9111, section 4.1); None where the field is absent."""
    if value is None:
        return None
    if name not in ("accept", "accept-encoding", "accept-language") or '"' in value:
        return value.strip(" \t")
    parts = value.lower().split(",")
    return ",".join(";".join(piece.strip(" \t") for piece in part.split(";")) for part in parts)


def kept(fields: Fields, now: float) -> Fields | None:
    """The fields of an answer that are stored with it, a Date among them; None where one could not be sent again."""
    named_by_connection = _named_by_connection(fields)
    if not _NEEDED.isdisjoint(named_by_connection):
        return None
    left_out = _NOT_KEPT | named_by_connection
    stored = [(name, value) for name, value in fields if name.lower() not in left_out]
    if not is_one_line("".join([part for pair in stored for part in pair])):
        return None
    if not any(name.lower() == "date" for name, _ in stored):
        stored.append(("Date", http_date(now)))
    return stored


def _named_by_connection(fields: Fields) -> set[str]:
    """The fields that Connection makes those of one connection too."""
    return {member.lower() for name, value in fields if name.lower() == "connection" for member in members(value)}


def is_one_line(text: str) -> bool:
    """Whether WSGI can carry this text, and in one line of a head."""
    if "\r" in text or "\n" in text or "\0" in text:
        return False
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def updated(stored: Fields, new: Fields, now: float) -> Fields:
    """Stored fields after a 304 confirmed them: each field of the 304 replaces all lines of its name."""
    left_out = _NOT_UPDATED | _named_by_connection(new)
    new = [(name, value) for name, value in new if name.lower() not in left_out]
    if not any(name.lower() == "date" for name, _ in new):
        new.append(("Date", http_date(now)))
    replaced = {name.lower() for name, _ in new}
    return [(name, value) for name, value in stored if name.lower() not in replaced] + new


def without_body(fields: Fields) -> Fields:
    """The fields that a 304 has of those its 200 would have."""
    return [(name, value) for name, value in fields if name.lower() not in _NOT_IN_304]


def not_modified(
    if_none_match: str | None, if_modified_since: str | None, etag: str | None, modified: int | None, now: float
) -> bool:
    """Whether the client has the stored 200 already (RFC 9110, section 13.2.2).

    `modified` is its Last-Modified or, without one, its Date, in seconds. If-None-Match alone counts where it is sent.
    """
    if if_none_match is not None:
        return len(if_none_match) <= 1 << 14 and etag_matches(etag, if_none_match)
    if if_modified_since is None or modified is None:
        return False
    since = parse_http_date(if_modified_since, now)
    return since is not None and since >= modified


def declared_length(fields: Fields) -> int | None:
    """What Content-Length says, None where there is none, -1 where it says nothing that can be."""
    values = {value.strip(" \t") for name, value in fields if name.lower() == "content-length"}
    if not values:
        return None
    value = values.pop()
    if values or not value.isascii() or not value.isdigit() or len(value) > 15:
        return -1
    return int(value)


def _only(values: list[str] | None) -> str | None:
    """The value of a field that has one line, and is not empty."""
    return values[0].strip(" \t") or None if values is not None and len(values) == 1 else None
