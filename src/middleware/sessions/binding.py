"""A session and the browser that it was given to. A User-Agent proves nothing: that it changed is a signal, no more."""

from __future__ import annotations

from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.sessions.place import Record, Tell
    from middleware.sessions.terms import OtherBrowser

_MARK = "browser"


def bind(record: Record, user_agent: str, policy: OtherBrowser, tell: Tell) -> None:
    """Note the browser of a session, or act where it came from another. Raises StoreError."""
    if record.id is None:
        return
    mine = blake2b(user_agent.encode("utf-8", "replace"), digest_size=8).hexdigest()
    if record.marks.get(_MARK, mine) != mine:
        tell("other_browser", record.id, user=record.marks.get("user"))
        if policy == "end":
            record.end()
        if policy != "rotate":
            return
        record.rotate(forget=(_MARK,))
    record.settle(_MARK, mine)
