"""What an answer says of its own storing and reuse, read as a shared cache must: in doubt, keep out."""

from __future__ import annotations

from middleware.caching.freshness import DAY, GUESSED, YEAR, guess, initial_age, lifetime, seconds
from middleware.caching.selecting import selecting
from middleware.headers import cache_control, directives, members, parse_http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.policy import CachePolicy

    Fields = list[tuple[str, str]]

# Without these an answer would be another; a directive or a Connection that names one is a mistake, or worse.
NEEDED = frozenset(
    ("cache-control", "content-encoding", "content-type", "date", "etag", "expires", "last-modified", "vary")
)
# Each of these forbids to send an answer once it is stale (RFC 9111, sections 4.2.4 and 5.2.2).
_NEVER_STALE = ("must-revalidate", "proxy-revalidate", "s-maxage")


class Said:
    """What an answer says of its own storing and reuse.

    `directives`: of Cache-Control, or of the targeted field that replaces it, or None where it cannot be read.
    `targeted`: whether one does. `lifetime`: the freshness lifetime in seconds, None where it says nothing explicit;
    `guessed`: the one that may be guessed then, 0 where none may be. `initial_age`: its age in seconds when it was
    received. `selecting`: the names, lower case and sorted, of the request fields that select it, or None for
    `Vary: *` (`varies_always`) and for a Vary that cannot be read. `etag`, `last_modified`: its validators.

    `must_validate`: never reused without asking. `may_be_stale`: nothing forbids to send it when it is stale;
    `stale_while_revalidate`, `stale_on_failure`: how many seconds past its lifetime it may be sent while it is
    refreshed, and where the application fails. `immutable`: while fresh, it does not change.

    `private`: for one user, as a whole. `private_fields`: those that are, lower case, and must not be stored.
    `withheld`: the fields that a hit leaves out unless it was validated. `sets_cookie`, `framed` (Transfer-Encoding),
    `partial` (Content-Range): it has fields that keep it out of most caches.
    """

    __slots__ = (
        "directives",
        "etag",
        "framed",
        "guessed",
        "immutable",
        "initial_age",
        "last_modified",
        "lifetime",
        "may_be_stale",
        "must_validate",
        "partial",
        "private",
        "private_fields",
        "selecting",
        "sets_cookie",
        "stale_on_failure",
        "stale_while_revalidate",
        "targeted",
        "varies_always",
        "withheld",
    )

    def __init__(self, status: str, fields: Fields, asked_at: float, received_at: float, policy: CachePolicy) -> None:
        """`status`: three digits. Nothing of the request counts here: see `refusal`."""
        lines: dict[str, list[str]] = {}
        for name, value in fields:
            lines.setdefault(name.lower(), []).append(value)
        date = parse_http_date(", ".join(lines.get("date", ())), received_at)
        if date is None:
            date = int(received_at)
        self.targeted = False
        self.directives = cache_control(lines.get("cache-control", ()))
        given = self.directives or {}
        expires = lines.get("expires", [])
        self.lifetime = lifetime(given, expires, date, received_at)
        self.initial_age = initial_age(lines.get("age", ()), date, asked_at, received_at)
        self.selecting = selecting(lines.get("vary", ()), lines.get("access-control-allow-origin", ()))
        self.varies_always = self.selecting is None and "*" in members(", ".join(lines.get("vary", ())))
        self.etag = _only(lines.get("etag"))
        self.last_modified = _only(lines.get("last-modified"))
        modified = None if self.last_modified is None else parse_http_date(self.last_modified, received_at)
        if modified is None:
            self.last_modified = None
        self.sets_cookie = "set-cookie" in lines
        self.framed = "transfer-encoding" in lines
        self.partial = "content-range" in lines
        self._read_exceptions(given)
        self._read_staleness(given, policy)
        self.guessed = 0
        if (
            self.lifetime is None
            and not self.targeted
            and (status in GUESSED or self.allows("public"))
            and not self.sets_cookie
            and not self.must_validate
            and "no-cache" not in directives(", ".join(lines.get("pragma", ())))
        ):
            self.guessed = guess(policy.heuristic, date, modified)

    def _read_exceptions(self, given: dict[str, str | None]) -> None:
        """What is said of single fields. Where that cannot be done to these fields, it is said of the whole answer."""
        self.must_validate = self.private = False
        self.withheld = self.private_fields = frozenset[str]()
        if "no-cache" in given:
            self.withheld = _named(given["no-cache"])
            self.must_validate = not self.withheld
        if "private" in given:
            self.private_fields = _named(given["private"])
            self.private = not self.private_fields

    def _read_staleness(self, given: dict[str, str | None], policy: CachePolicy) -> None:
        self.immutable = "immutable" in given
        self.may_be_stale = not self.must_validate and not any(name in given for name in _NEVER_STALE)
        self.stale_while_revalidate = 0
        self.stale_on_failure = 0.0
        if self.may_be_stale:
            self.stale_while_revalidate = seconds(given.get("stale-while-revalidate")) or 0
            self.stale_on_failure = policy.stale_on_failure
            if "stale-if-error" in given:
                self.stale_on_failure = seconds(given["stale-if-error"]) or 0

    @property
    def has_validator(self) -> bool:
        return self.etag is not None or self.last_modified is not None

    def useful_for(self, status: str) -> float:
        """Seconds for which a store should keep the answer: while it may be sent, a day more where it can be validated.

        A year at most.
        """
        lifetime = self.guessed if self.lifetime is None else self.lifetime
        fresh = 0.0 if self.must_validate else max(0.0, lifetime - self.initial_age)
        stale = max(self.stale_while_revalidate, self.stale_on_failure)
        return min(max(1.0, fresh + max(stale, DAY if status == "200" and self.has_validator else 0)), YEAR)

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


def _named(argument: str | None) -> frozenset[str]:
    """The fields that `no-cache="..."` or `private="..."` names; none where it means the whole answer."""
    names = frozenset(name.lower() for name in members(argument or ""))
    return names if NEEDED.isdisjoint(names) else frozenset()


def _only(values: list[str] | None) -> str | None:
    """The value of a field that has one line, and is not empty."""
    return values[0].strip(" \t") or None if values is not None and len(values) == 1 else None
