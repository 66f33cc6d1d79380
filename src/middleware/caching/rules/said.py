"""What an answer says of its own storing and reuse, read as a shared cache must: in doubt, keep out."""

from __future__ import annotations

from middleware.caching.rules.freshness import DAY, GUESSED, YEAR, guess, initial_age, lifetime, seconds
from middleware.caching.rules.selecting import TOKEN, selecting
from middleware.caching.rules.targeted import targeted_directives
from middleware.headers import cache_control, directives, members, parse_http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.status import Detail

    Fields = list[tuple[str, str]]

# Without these an answer would be another; a directive or a Connection that names one is a mistake, or worse.
NEEDED = frozenset(
    ("cache-control", "content-encoding", "content-type", "date", "etag", "expires", "last-modified", "vary")
)
# The statuses of RFC 9110, chapter 15, of answers that are whole: what `must-understand` means by understood.
UNDERSTOOD = frozenset(
    f"{number}"
    for number in (*range(200, 206), *range(300, 309), *range(400, 418), 421, 422, 426, *range(500, 506))
    if number != 306
)
# Each of these forbids to send an answer once it is stale (RFC 9111, sections 4.2.4 and 5.2.2).
_NEVER_STALE = ("must-revalidate", "proxy-revalidate", "s-maxage")
# What an answer with this status depends on, whether Vary says so or not: 401 is for those who bring other credentials
# or none, a part for those who ask for it.
_IMPLIED = {"401": ("authorization",), "206": ("if-range", "range")}
_NO_FIELDS: frozenset[str] = frozenset()


class Said:
    """What an answer says of its own storing and reuse.

    `directives`: of Cache-Control, or, where it is `targeted`, of the field of RFC 9213 that speaks in its place.
    `forbidden`: why it is for no shared cache, in a word, or None. `lifetime`: the freshness lifetime in seconds, None
    where it says nothing explicit; `guessed`: the one that may be guessed then, 0 where none may be. `initial_age`: its
    age in seconds when it was received. `selecting`: the names, lower case and sorted, of the request fields that
    select it, None where that cannot be said. `etag`, `last_modified`: its validators.

    `must_validate`: never reused without asking. `may_be_stale`: nothing forbids to send it when it is stale;
    `stale_while_revalidate`, `stale_on_failure`: how many seconds past its lifetime it may be sent while it is
    refreshed, and where the application fails; `declared_staleness`: the larger of what it says of these itself.
    `immutable`: while fresh, it does not change.

    `private_fields`: those for one user, lower case, which must not be stored. `withheld`: those that a hit leaves out
    unless it was validated. `stripped`: those that no client gets. `sets_cookie`, `framed` (Transfer-Encoding),
    `partial` (Content-Range): it has fields that keep it out of most caches.
    """

    __slots__ = (
        "declared_staleness",
        "directives",
        "etag",
        "forbidden",
        "framed",
        "guessed",
        "immutable",
        "initial_age",
        "last_modified",
        "lifetime",
        "may_be_stale",
        "must_validate",
        "partial",
        "private_fields",
        "selecting",
        "sets_cookie",
        "stale_on_failure",
        "stale_while_revalidate",
        "stripped",
        "targeted",
        "withheld",
    )

    def __init__(self, status: str, fields: Fields, asked_at: float, received_at: float, policy: CachePolicy) -> None:
        """`status`: three digits. Nothing of the request counts here: see `refusal` and `may_guess`."""
        lines: dict[str, list[str]] = {}
        for name, value in fields:
            lines.setdefault(name.lower(), []).append(value)
        self.targeted, given = targeted_directives(policy.targeted_names, lines)
        if not self.targeted:
            given = cache_control(lines.get("cache-control", ()))
        self.directives = given or {}
        self._read_exceptions()
        self._read_staleness(policy)
        self.etag = _only(lines.get("etag"))
        self.last_modified = _only(lines.get("last-modified"))
        modified = None if self.last_modified is None else parse_http_date(self.last_modified, received_at)
        if modified is None:
            self.last_modified = None
        self.sets_cookie = "set-cookie" in lines
        self.framed = "transfer-encoding" in lines
        self.partial = "content-range" in lines
        self.stripped = policy.stripped
        vary = lines.get("vary", ())
        self.selecting = selecting(vary, lines.get("access-control-allow-origin", ()) if policy.guard_unkeyed else ())
        implied = _IMPLIED.get(status, ())
        if implied and self.selecting is not None:
            self.selecting = tuple(sorted({*self.selecting, *implied}))
        self.forbidden: Detail | None = "unreadable" if given is None else self._forbidden_by(status, vary, policy)
        date = parse_http_date(", ".join(lines["date"]), received_at) if "date" in lines else None
        if date is None:
            date = int(received_at)
        expires = [] if self.targeted else lines.get("expires", [])
        self.initial_age = initial_age(lines.get("age", ()), date, asked_at, received_at)
        self.lifetime = lifetime(self.directives, expires, date, received_at)
        self.guessed = 0
        if self.lifetime is None and self._may_be_guessed(status, lines.get("pragma", ())):
            self.guessed = guess(policy.heuristic, date, modified)

    def _read_exceptions(self) -> None:
        """What is said of single fields. Where that cannot be done to these fields, it is said of the whole answer."""
        given = self.directives
        self.withheld = _named(given["no-cache"]) if "no-cache" in given else _NO_FIELDS
        self.private_fields = _named(given["private"]) if "private" in given else _NO_FIELDS
        self.must_validate = "no-cache" in given and not self.withheld

    def _read_staleness(self, policy: CachePolicy) -> None:
        given = self.directives
        self.immutable = "immutable" in given
        self.may_be_stale = not self.must_validate and given.keys().isdisjoint(_NEVER_STALE)
        self.stale_while_revalidate = self.declared_staleness = 0
        self.stale_on_failure = 0.0
        if self.may_be_stale:
            self.stale_while_revalidate = seconds(given.get("stale-while-revalidate")) or 0
            if_error = seconds(given.get("stale-if-error")) or 0
            self.stale_on_failure = if_error if "stale-if-error" in given else policy.stale_on_failure
            self.declared_staleness = max(self.stale_while_revalidate, if_error)

    def _forbidden_by(self, status: str, vary: Sequence[str], policy: CachePolicy) -> Detail | None:
        """The word for what keeps it out of every shared cache, or None."""
        given = self.directives
        understood = status in UNDERSTOOD or (status == "206" and policy.store_partial)
        if "must-understand" in given and not understood:
            return "must-understand"
        if "no-store" in given and not self.allows("must-understand"):
            return "no-store"
        if "private" in given and not (self.private_fields and policy.store_private_fields):
            return "private"
        if self.selecting is None:
            return "vary-star" if "*" in members(",".join(vary)) else "vary"
        return None

    def _may_be_guessed(self, status: str, pragma: Sequence[str]) -> bool:
        if self.targeted or self.sets_cookie or self.must_validate:
            return False
        return (status in GUESSED or self.allows("public")) and "no-cache" not in directives(",".join(pragma))

    @property
    def has_validator(self) -> bool:
        return self.etag is not None or self.last_modified is not None

    def useful_for(self, status: str) -> float:
        """Seconds for which a store should keep the answer, from 1 to a year.

        While it may be sent, fresh or stale, and a day more than fresh where it can be validated.
        """
        lifetime = self.guessed if self.lifetime is None else self.lifetime
        fresh = 0.0 if self.must_validate else max(0.0, lifetime - self.initial_age)
        behind = DAY if status == "200" and self.has_validator else 0
        return min(max(1.0, fresh + max(behind, self.stale_while_revalidate, self.stale_on_failure)), YEAR)

    def allows(self, name: str) -> bool:
        """Whether a directive that widens what a cache may do is there, exactly as it should be written."""
        given = self.directives
        if name == "s-maxage":
            return seconds(given.get(name)) is not None
        return name in given and given[name] is None


def _named(argument: str | None) -> frozenset[str]:
    """The fields that `no-cache="..."` or `private="..."` names; none where it means the whole answer."""
    names = frozenset(name.lower() for name in members(argument or ""))
    return names if NEEDED.isdisjoint(names) and TOKEN.issuperset("".join(names)) else _NO_FIELDS


def _only(values: list[str] | None) -> str | None:
    """The value of a field that has one line, and is not empty."""
    return values[0].strip(" \t") or None if values is not None and len(values) == 1 else None
