"""Cache-Status: what the cache says of its part in an answer (RFC 9211)."""

from __future__ import annotations

from middleware.errors import ConfigurationError
from middleware.headers import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    # Why the application was asked, in the words of RFC 9211, section 2.2.
    Reason = Literal["bypass", "method", "request", "stale", "uri-miss", "vary-miss"]
    # Why an answer is not stored, or not what is stored was sent. docs/caching.md tells what each means.
    Detail = Literal[
        "authorization",
        "body",
        "cookie",
        "expired",
        "extra",
        "failure",
        "host",
        "method-override",
        "must-understand",
        "no-freshness",
        "no-store",
        "only-if-cached",
        "partial",
        "precondition",
        "private",
        "range",
        "session",
        "set-cookie",
        "status",
        "store",
        "tags",
        "target",
        "too-large",
        "transfer-encoding",
        "unkeyed",
        "unreadable",
        "url-override",
        "vary",
        "vary-star",
    ]

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~:/")


class CacheStatus:
    """Makes the members of one cache. Its name is a Token or a String of Structured Fields (RFC 9651).

    Raises ConfigurationError for a name that is neither.
    """

    __slots__ = ("_hit", "_name")

    def __init__(self, name: str) -> None:
        if type(name) is not str or not name or not name.isascii() or not name.isprintable():
            raise ConfigurationError(f"name= is printable ASCII text, or None for no Cache-Status, not {name!r}")
        is_token = _TOKEN.issuperset(name) and (name[0].isalpha() or name[0] == "*")
        self._name = name if is_token else quoted(name)
        self._hit = f"{self._name}; hit; ttl="

    def hit(self, ttl: int) -> tuple[str, str]:
        """Answered from the store, `ttl` seconds before it is stale; below 0 it is."""
        return ("Cache-Status", f"{self._hit}{ttl}")

    def forwarded(
        self,
        reason: Reason,
        *,
        code: str | None = None,
        stored: bool = False,
        collapsed: bool = False,
        detail: Detail | None = None,
    ) -> tuple[str, str]:
        """The application was asked, for this `reason` (RFC 9211, section 2.2).

        `code`: its status, where that is not the status of the answer. `stored`: the answer will be kept if it ends
        well. `collapsed`: it was asked for another request too. `detail`: why it is not stored, in a word.
        """
        status = f"; fwd-status={code}" if code is not None else ""
        kept = "; stored" if stored else ""
        shared = "; collapsed" if collapsed else ""
        return ("Cache-Status", f"{self._name}; fwd={reason}{status}{kept}{shared}{_detail(detail)}")

    def refused(self, detail: Detail) -> tuple[str, str]:
        """Answered by the cache itself, without the application and without what is stored."""
        return ("Cache-Status", f"{self._name}{_detail(detail)}")


def _detail(word: Detail | None) -> str:
    return f"; detail={word}" if word is not None else ""
