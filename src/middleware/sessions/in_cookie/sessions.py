"""Sessions in a cookie: all that a session holds, signed or sealed, in the hands of the browser.

A signed one the client can read, but not change. A copy of the cookie stays good until it has been idle for too long,
unless a store of revocations knows that the session was ended. The payload is JSON: the id, the times, and the content.
"""

from __future__ import annotations

from middleware.cookies.codec import MOST_TRIED
from middleware.sessions.in_cookie.payloads import id_of, opened
from middleware.sessions.in_cookie.record import SignedRecord
from middleware.signing import Sealer, Signer, salt_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.sessions.cookie import SessionCookie
    from middleware.sessions.in_cookie.revocations import Revocations
    from middleware.sessions.place import Tell
    from middleware.sessions.terms import Terms

_SIGNATURE = len(".") + 6 + len(".") + 43  # the time, and HMAC-SHA256, as text
_SEAL = 44  # nonce, time and tag of AES-GCM, as text


class SignedSessions:
    """Opens records. Shared by all requests and threads."""

    def __init__(
        self, secrets: tuple[bytes, ...], terms: Terms, cookie: SessionCookie, revocations: Revocations, *, seal: bool
    ) -> None:
        self.terms = terms
        self.cookie = cookie
        self.revocations = revocations
        salt = salt_for("session", cookie.name)
        if seal:
            sealer = Sealer(secrets, salt=salt, clock=terms.clock)
            self.made, self.opened, self.extra = sealer.seal, sealer.open, _SEAL
        else:
            signer = Signer(secrets, salt=salt, clock=terms.clock)
            self.made, self.opened, self.extra = signer.sign, signer.unsign, _SIGNATURE

    def open(self, field: str, tell: Tell) -> SignedRecord:
        """The session that a Cookie field holds, or a new one. StoreError where revocations cannot be asked for."""
        now = self.terms.clock()
        values = self.cookie.values(field, MOST_TRIED)
        if len(values) > 1:
            tell("duplicate_cookie", count=len(values))
        for value in values:
            record = self._opened(value, now, tell)
            if record is not None:
                return record
        record = SignedRecord(self, now, tell)
        record.had_cookie = bool(values)
        return record

    def _opened(self, value: str, now: float, tell: Tell) -> SignedRecord | None:
        token = self.opened(value)
        if token is None:
            tell("tampered_cookie")
            return None
        try:
            identifier, times, content = opened(*token)
        except ValueError:
            return None
        if self.terms.timeouts.is_over(times, now):
            tell("expired", id_of(identifier))
            return None
        if self.revocations.store is None:
            return SignedRecord(self, now, tell, identifier, token[0], content, times)
        current = self.revocations.current(identifier, times, content[2].get("user"), sent=True)
        if current is None:
            tell("stale_id", id_of(identifier))
            return None
        record = SignedRecord(self, now, tell, current[0], token[0], content, current[1])
        record.is_known = current[0] == identifier
        return record
