"""What of an answer is stored, or the word why nothing is (RFC 9111, section 3), and what a 304 changes in it."""

from __future__ import annotations

from middleware.caching.rules.said import NEEDED
from middleware.headers import http_date, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.rules.said import Fields, Said
    from middleware.caching.status import Detail

# Reasons to give up what is stored too, when the application's 304 brings them.
FORBIDDING = frozenset(("must-understand", "no-store", "private", "unreadable", "vary", "vary-star"))

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
# What describes the body stays as it was stored when a 304 updates the rest (RFC 9111, section 3.2).
_NOT_UPDATED = frozenset((*_OF_ONE_CONNECTION, "content-length", "content-encoding", "content-range"))
# Without one of these an answer is neither fresh nor able to be validated.
_DECLARING = ("cache-control", "etag", "expires", "last-modified")


def refusal_at_sight(fields: Fields, policy: CachePolicy) -> Detail | None:
    """Why an answer could not be stored, whatever its fields say: it spares most of what pages for one user cost."""
    lines = {name.lower(): value for name, value in fields}
    names = lines.keys()
    if "set-cookie" in names and not policy.store_set_cookie:
        return "set-cookie"
    if not names.isdisjoint(policy.targeted_names):
        return None
    if names.isdisjoint(_DECLARING):
        return "no-freshness"
    # Mostly a single Cache-Control says it plainly, which spares 20 of the 40 us that such a page costs.
    control = lines.get("cache-control")
    if control is None or '"' in control or len(lines) < len(fields):
        return None
    control = control.lower()
    given = [member.strip(" \t") for member in control.split(",")]
    if "must-understand" in given:
        return None
    if "no-store" in control:  # it may have an argument, which takes a closer look
        return "no-store" if "no-store" in given else None
    return "private" if "private" in given else None


def refusal(status: str, said: Said, *, authorized: bool, with_cookie: bool, policy: CachePolicy) -> Detail | None:
    """None where an answer with this status (three digits) may be stored by a shared cache, to be reused or validated.

    Otherwise why not, in a word. `authorized`: the request carried credentials. `with_cookie`: it carried a cookie.
    """
    return (
        _unfit(status, said, policy)
        or said.forbidden
        or _personal(said, policy, authorized=authorized, with_cookie=with_cookie)
        or _useless(status, said, guess=may_guess(authorized=authorized, with_cookie=with_cookie, policy=policy))
    )


def may_guess(*, authorized: bool, with_cookie: bool, policy: CachePolicy) -> bool:
    """Whether the freshness of an answer to such a request may be guessed at all."""
    return policy.guess_for_cookies or not (authorized or with_cookie)


def _unfit(status: str, said: Said, policy: CachePolicy) -> Detail | None:
    """Why it is no answer that a cache can store."""
    if not (status.isascii() and status.isdigit() and "200" <= status <= "599") or status == "304":
        return "status"
    if status == "206" and not (said.partial and policy.store_partial):
        return "partial"
    return None


def _personal(said: Said, policy: CachePolicy, *, authorized: bool, with_cookie: bool) -> Detail | None:
    """Why it may be the answer to one client alone."""
    public = said.allows("public")
    allowed = policy.store_set_cookie
    if said.sets_cookie and not (public if allowed == "public" else allowed and said.lifetime):
        return "set-cookie"
    if authorized and not (public or said.allows("s-maxage") or said.allows("must-revalidate")):
        return "authorization"
    if with_cookie and not (public or said.lifetime or policy.guess_for_cookies):
        return "cookie"
    return None


def _useless(status: str, said: Said, *, guess: bool) -> Detail | None:
    """Why it could never be sent again."""
    if status == "200" and said.has_validator:
        return None
    if said.lifetime is None:
        return None if guess and said.guessed > said.initial_age else "no-freshness"
    usable = said.lifetime + said.declared_staleness > said.initial_age
    return None if usable and not said.must_validate else "expired"


def kept(fields: Fields, now: float, private_fields: frozenset[str] = frozenset()) -> Fields | None:
    """The fields of an answer that are stored with it, a Date among them; None where one could not be sent again."""
    named_by_connection = _named_by_connection(fields)
    if not NEEDED.isdisjoint(named_by_connection):
        return None
    left_out = _NOT_KEPT | named_by_connection | private_fields
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


def agrees(stored: Fields, fields: Fields) -> bool:
    """Whether a 200 to HEAD with these fields is about the answer to GET that is stored (RFC 9111, section 4.3.5)."""
    return all(
        given == _lines(name, stored)
        for name in ("etag", "last-modified", "content-length")
        if (given := _lines(name, fields))
    )


def _lines(wanted: str, fields: Fields) -> list[str]:
    return [value.strip(" \t") for name, value in fields if name.lower() == wanted]


def declared_length(fields: Fields) -> int | None:
    """What Content-Length says, None where there is none, -1 where it says nothing that can be."""
    values = {value.strip(" \t") for name, value in fields if name.lower() == "content-length"}
    if not values:
        return None
    value = values.pop()
    if values or not value.isascii() or not value.isdigit() or len(value) > 15:
        return -1
    return int(value)
