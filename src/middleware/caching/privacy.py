"""Whether a request says who makes it, and whether its answer is one user's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.rules.policy import CachePolicy


def is_private(environ: WSGIEnvironment) -> bool:
    """Whether this request's session or cookies were looked at, or its user is known: then the answer is one user's.

    Asked when a request arrives, when the head passes and when the body has ended, since layers outside and inside the
    cache do so at any time.
    """
    if environ.get("middleware.identity") is not None:
        return True
    session = environ.get("middleware.session")
    if session is not None and getattr(session, "accessed", True):
        return True
    cookies = environ.get("middleware.cookies")
    return cookies is not None and bool(getattr(cookies, "accessed", True))


def is_authorized(environ: WSGIEnvironment, policy: CachePolicy) -> bool:
    """Whether this request carries credentials (RFC 9111, section 3.5)."""
    if "HTTP_AUTHORIZATION" in environ:
        return True
    # Some gateways remove Authorization when they have checked it.
    return policy.user_is_authorization and bool(environ.get("REMOTE_USER") or environ.get("AUTH_TYPE"))
