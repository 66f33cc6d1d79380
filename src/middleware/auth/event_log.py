"""Everything that can happen in the layer, by name, and who hears of it where nobody else listens: the log."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from middleware.events import Event

# Every name, with what it tells. docs/auth.md lists them; a test holds the code to both.
EVENTS: Mapping[str, str] = {
    "login.success": "somebody proved who they are; once a login, not once a request",
    "login.failure": "a password or a key was wrong",
    "login.throttled": "an attempt was refused because too many failed before",
    "login.upgraded": "a stored password was replaced by a stronger form of itself",
    "logout": "a login was ended by its user",
    "refused": "credentials were refused; `reason` says why",
    "forbidden": "an identified user was turned away by a rule",
    "path.ambiguous": "a path or method that falls under several rules was refused",
    "token.invalid": "a bearer token was refused",
    "token.key_header": "a token named a key of its own, which is never followed",
    "jwks.refresh": "the keys of an issuer were fetched",
    "jwks.failed": "the keys of an issuer could not be fetched",
    "jwks.limited": "the keys of an issuer were not fetched, because they were asked for too often",
    "digest.replay": "a Digest answer was sent a second time",
    "digest.stale": "a Digest answer came with an old nonce",
    "remember.used": "a remembered login began a session; `reason` is `again` where its token had begun one before",
    "remember.theft": "a remembered login was used twice: all of this user are ended",
    "session.ended": "a login was over: its account, password or remembered login has changed",
    "proxy.untrusted": "identity fields came without the proof of a trusted proxy",
    "header.missing": "the Authorization field seems not to reach this application",
    "hash.weak": "a stored password is in a weak form",
    "hash.invalid": "a stored password cannot be read",
    "hash.truncated": "a password was longer than the 72 bytes that bcrypt looks at",
    "source.reload": "a file of users was read again",
    "source.unavailable": "the users cannot be looked up",
    "throttle.unavailable": "the store that counts failures does not answer",
    "cache.public_removed": "an answer to an identified user called itself public",
    "impersonation.start": "somebody began to act as another user",
    "impersonation.end": "somebody ceased to act as another user",
}

_WARNINGS = frozenset(EVENTS) - {
    "login.success", "login.upgraded", "logout", "jwks.refresh", "remember.used", "source.reload", "digest.stale",
    "session.ended",
}  # fmt: skip


def log(event: Event) -> None:
    """The default listener: a line of the logger `middleware.auth`, which no client can break or forge."""
    import logging

    level = logging.WARNING if event.name in _WARNINGS else logging.INFO
    facts = {"user": event.subject, "client": event.client, **event.details}
    told = " ".join(f"{name}={value!a}" for name, value in facts.items() if value is not None)
    logging.getLogger("middleware.auth").log(level, "auth.%s %s", event.name, told)
