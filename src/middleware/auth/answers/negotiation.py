"""Is this a person before a browser, or a program? Pure.

A person who has to sign in is led to the login page; a program gets a 401 that it understands.
"""

from __future__ import annotations

from middleware.headers import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def is_navigation(environ: WSGIEnvironment) -> bool:
    """Whether a browser wants to show the answer to this GET or HEAD as a page of its own.

    Fetch metadata says so, where the browser sends it; else an Accept that prefers HTML, without X-Requested-With and
    Authorization.
    """
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return False
    mode: str | None = environ.get("HTTP_SEC_FETCH_MODE")
    if mode is not None or "HTTP_SEC_FETCH_DEST" in environ:
        return mode == "navigate" and environ.get("HTTP_SEC_FETCH_DEST") == "document"
    return (
        prefers_html(environ)
        and "HTTP_X_REQUESTED_WITH" not in environ
        and not environ.get("HTTP_AUTHORIZATION", "").strip(" ")
    )


def prefers_html(environ: WSGIEnvironment) -> bool:
    """Whether HTML is the type that the client wants most, by name."""
    return preferred_type(environ.get("HTTP_ACCEPT", "")) in ("text/html", "application/xhtml+xml")


def prefers_json(environ: WSGIEnvironment) -> bool:
    """Whether JSON is the type that the client wants most, by name."""
    preferred = preferred_type(environ.get("HTTP_ACCEPT", ""))
    return preferred == "application/json" or preferred.endswith("+json")


def preferred_type(accept: str) -> str:
    """The media type of the highest weight in an Accept field, the first of several, in lower case; or nothing."""
    best, highest = "", 0.0
    for member in members(accept[:4096]):
        name, *parameters = (part.strip(" \t") for part in member.split(";"))
        weight = _weight(parameters)
        if weight > highest:
            best, highest = name.lower(), weight
    return best


def _weight(parameters: list[str]) -> float:
    """The q parameter (RFC 9110, section 12.4.2); 0 for one that is no weight."""
    for parameter in parameters:
        if parameter[:2].lower() == "q=":
            digits = parameter[2:]
            if len(digits) > 5 or not digits.isascii() or not digits.replace(".", "", 1).isdigit():
                return 0.0
            return min(float(digits), 1.0)
    return 1.0
