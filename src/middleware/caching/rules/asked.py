"""What a request asks of the caches on its way: its Cache-Control and Pragma (RFC 9111, sections 5.2.1 and 5.4)."""

from __future__ import annotations

from middleware.caching.rules.freshness import FOREVER, seconds
from middleware.headers import directives

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.rules.policy import CachePolicy


class Asked:
    """What a request asks. Frozen: requests that ask nothing share one.

    `no_store`: its answer is not to be stored. `no_cache`: nothing is to be reused without asking the application.
    `only_if_cached`: the application is not to be asked. `max_age`, `min_fresh`: seconds, None where nothing is asked.
    `max_stale`: seconds, None where nothing stale is accepted, FOREVER where it may be stale for any time.

    What is no number asks nothing. What the policy does not honour is not asked.
    """

    __slots__ = ("max_age", "max_stale", "min_fresh", "no_cache", "no_store", "only_if_cached")

    def __init__(
        self,
        *,
        no_store: bool = False,
        no_cache: bool = False,
        only_if_cached: bool = False,
        max_age: int | None = None,
        min_fresh: int | None = None,
        max_stale: int | None = None,
    ) -> None:
        self.no_store = no_store
        self.no_cache = no_cache
        self.only_if_cached = only_if_cached
        self.max_age = max_age
        self.min_fresh = min_fresh
        self.max_stale = max_stale


NOTHING = Asked()
_RELOADS = ("max-age=0", "no-cache")  # what browsers send


def asked_of(environ: WSGIEnvironment, policy: CachePolicy) -> Asked:
    """What this request asks."""
    control = environ.get("HTTP_CACHE_CONTROL")
    if control:
        return NOTHING if control in _RELOADS and not policy.honour_reload else _asked(control, policy)
    if policy.honour_reload and "HTTP_PRAGMA" in environ and "no-cache" in directives(environ["HTTP_PRAGMA"]):
        return Asked(no_cache=True)
    return NOTHING


def _asked(control: str, policy: CachePolicy) -> Asked:
    given = directives(control)
    reload = policy.honour_reload
    max_stale = seconds(given.get("max-stale"))
    if "max-stale" in given and given["max-stale"] is None:
        max_stale = FOREVER
    return Asked(
        no_store="no-store" in control.lower(),  # wherever it stands: in doubt, keep out
        no_cache=reload and "no-cache" in given,
        only_if_cached=policy.only_if_cached and "only-if-cached" in given,
        max_age=seconds(given.get("max-age")) if reload else None,
        min_fresh=seconds(given.get("min-fresh")),
        max_stale=max_stale,
    )
