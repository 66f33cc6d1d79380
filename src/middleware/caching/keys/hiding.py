"""What the application does not see of a request whose answer may be stored. What is hidden comes back at the end."""

from __future__ import annotations

from middleware.caching.keys.ignoring import Names, kept_cookies, kept_query, kept_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def hide(
    environ: WSGIEnvironment, ignored_query: Names, ignored_cookies: Names, stripped: tuple[str, ...]
) -> dict[str, object] | None:
    """Take out of environ what no answer may depend on. What was there; None where nothing was taken out."""
    hidden: dict[str, object] = {}
    for name in ("QUERY_STRING", "REQUEST_URI", "RAW_URI") if ignored_query else ():
        text = environ.get(name)
        if type(text) is not str or not text:
            continue
        kept = (kept_query(text, ignored_query) or "") if name == "QUERY_STRING" else kept_target(text, ignored_query)
        # A target that is only a query is none, and stays: emptied, it would look as if the server told none at all.
        if kept != text and (kept or name == "QUERY_STRING"):
            hidden[name] = text
            environ[name] = kept
    cookies = environ.get("HTTP_COOKIE") if ignored_cookies else None
    if type(cookies) is str:
        left = kept_cookies(cookies, ignored_cookies)
        if left is None:
            hidden["HTTP_COOKIE"] = environ.pop("HTTP_COOKIE")
        elif left != cookies:
            hidden["HTTP_COOKIE"] = cookies
            environ["HTTP_COOKIE"] = left
    for name in stripped:
        if name in environ:
            there = environ.pop(name)
            hidden.setdefault(name, there)
    return hidden or None
