"""One request that cannot be answered at once: what the cache knows of it."""

from __future__ import annotations

from middleware.caching.privacy import is_authorized
from middleware.caching.rules.freshness import VALIDATE, judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys.keys import Key
    from middleware.caching.rules.asked import Asked
    from middleware.caching.rules.freshness import Verdict
    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.shelf.entry import Record
    from middleware.caching.shelf.shelf import Found
    from middleware.caching.status import Reason


class Look:
    """A request, and what was found of its answer at the time `now`.

    `asked`: the request's own directives. `record`: what is known of its URL. `found`: the stored answer that fits it,
    which is stale, or which the request does not take. `reason`: why the application is asked, in the words of RFC
    9211, section 2.2.
    """

    __slots__ = ("asked", "environ", "found", "key", "now", "reason", "record")

    reason: Reason

    def __init__(
        self,
        environ: WSGIEnvironment,
        key: Key,
        asked: Asked,
        record: Record | None,
        found: Found | None,
        now: float,
    ) -> None:
        self.environ = environ
        self.key = key
        self.asked = asked
        self.found_now(record, found, now)

    def found_now(self, record: Record | None, found: Found | None, now: float) -> None:
        """What was found when the store was looked into, or looked into again."""
        self.record = record
        self.found = found
        self.now = now
        if found is not None:
            is_fresh = now < found.head.stale_at and not found.soft
            self.reason = "request" if is_fresh else "stale"
        else:
            self.reason = "vary-miss" if record is not None and any(record.selections) else "uri-miss"


def use_of(found: Found, look: Look, policy: CachePolicy) -> Verdict:
    """What a stored answer is good for, to this request: FRESH, STALE, REVALIDATE_LATER or VALIDATE."""
    head = found.head
    if head.status.startswith("206") and look.environ.get("REQUEST_METHOD") == "HEAD":
        return VALIDATE  # a range means nothing to HEAD
    use = judge(head, look.asked, look.now, soft=found.soft)
    if use is VALIDATE or head.explicit or policy.guess_for_cookies:
        return use
    # What was guessed for requests of nobody is not guessed for those that say who asks.
    environ = look.environ
    return VALIDATE if environ.get("HTTP_COOKIE") or is_authorized(environ, policy) else use
