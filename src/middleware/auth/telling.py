"""What the layer tells its `on_event=`: the names of all that can happen, and one function that tells.

No event holds a password, a token, a key or a hash. What a client sent is cut at 256 characters.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.middleware import AuthMiddleware
    from middleware.events import Event

LONGEST = 256  # characters of what a client sent
PROVED_KEY = "middleware.auth.proved"  # the scheme and the user of the last attempt that was right

# Every name there is, with what it tells. docs/auth.md lists them; a test holds the code to both.
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


def tell(
    environ: WSGIEnvironment,
    name: str,
    *,
    user: str | None = None,
    scheme: str | None = None,
    reason: str | None = None,
    **details: object,
) -> None:
    """Tell that something happened during this request. Without AuthMiddleware nobody listens.

    `name` is one of EVENTS. `user` is the name that was tried, `reason` a fixed word. Never raises.
    """
    layer: AuthMiddleware | None = environ.get("middleware.auth")
    if layer is not None:
        facts: dict[str, object] = {"scheme": scheme, "reason": reason, **details}
        layer.tell(environ, name, user, {key: _cut(value) for key, value in facts.items() if value is not None})


def tell_of_login(environ: WSGIEnvironment, user: str, scheme: str) -> None:
    """Tell that the application has signed somebody in, unless it has tried their password just now, which told it."""
    proved = environ.pop(PROVED_KEY, None)
    identity: Identity | None = environ.get("middleware.identity")
    by_request = identity is not None and proved == (identity.scheme, identity.user)  # and not by the application
    if by_request or proved is None or proved[1] != user:
        tell(environ, "login.success", user=user, scheme=scheme)


def tell_unavailable(environ: WSGIEnvironment | None, what: str, error: Exception, scheme: str | None = None) -> None:
    """Tell that users or keys cannot be looked up, and log why. No request is told of where there is no environ."""
    import logging

    logging.getLogger("middleware.auth").error("%s failed", what, exc_info=error)
    if environ is not None:
        tell(environ, "source.unavailable", scheme=scheme, reason=type(error).__name__)


def request_facts(environ: WSGIEnvironment) -> dict[str, object]:
    """What an event says about its request."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    facts = {"method": environ.get("REQUEST_METHOD", ""), "path": path}
    request_id = environ.get("middleware.request_id")
    if request_id is not None:
        facts["request_id"] = request_id
    return {name: _cut(value) for name, value in facts.items()}


def note_for_the_access_log(environ: WSGIEnvironment, name: str, reason: object) -> None:
    """Leave the event where the line of this request finds it: the note `auth`."""
    notes = environ.get("middleware.notes")
    if isinstance(notes, dict):
        notes["auth"] = name if reason is None else f"{name} {reason}"


def log(event: Event) -> None:
    """The default listener: a line of the logger `middleware.auth`, which no client can break or forge."""
    import logging

    level = logging.WARNING if event.name in _WARNINGS else logging.INFO
    facts = {"user": event.subject, "client": event.client, **event.details}
    told = " ".join(f"{name}={value!a}" for name, value in facts.items() if value is not None)
    logging.getLogger("middleware.auth").log(level, "auth.%s %s", event.name, told)


def cut(text: str) -> str:
    """What a client sent, short enough for an event."""
    return text if len(text) <= LONGEST else text[:LONGEST]


def _cut(value: object) -> object:
    return cut(value) if isinstance(value, str) else value
