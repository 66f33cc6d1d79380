"""What the layer tells its `on_event=`. All that can happen has a name in `event_log`.

No event holds a password, a token, a key or a hash. What a client sent is cut at 256 characters.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.middleware import AuthMiddleware

LONGEST = 256  # characters of what a client sent
PROVED_KEY = "middleware.auth.proved"  # the scheme and the user of the last attempt that was right


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

    `name` is one of `event_log.EVENTS`. `user` is the name that was tried, `reason` a fixed word. Never raises.
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


def cut(text: str) -> str:
    """What a client sent, short enough for an event."""
    return text if len(text) <= LONGEST else text[:LONGEST]


def _cut(value: object) -> object:
    return cut(value) if isinstance(value, str) else value
