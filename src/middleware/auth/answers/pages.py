"""The answers of this layer: the login page, the question before a logout, refusals. Values in, a Response out.

No answer of this layer is kept by a cache, and no page of it shows itself inside another site's frame.
"""

from __future__ import annotations

import json
from html import escape

from middleware.auth.answers.negotiation import prefers_html, prefers_json
from middleware.wsgi import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import WSGIEnvironment

    Page = Callable[[WSGIEnvironment, str, str], str]

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_REMEMBER = '<label class="check"><input name="remember" type="checkbox"> Keep me signed in</label>'

# What a person reads for each reason. A reason never tells why credentials were bad.
_SENTENCES = {
    "login required": "Please sign in to see this page.",
    "nothing was taken": "Please sign in first. What you sent was not taken: sign in, then send it again.",
    "credentials refused": "The name or the password is not right.",
    "malformed credentials": "The credentials of this request cannot be read.",
    "sign in again": "You signed in too long ago for this page. Please sign in again.",
    "too many attempts": "Too many attempts to sign in failed. Please wait a moment before the next one.",
    "acting as another": "You act as another user. Be yourself again first, then sign in to see this page.",
    "not allowed": "You are signed in, but this page is not for you.",
    "ambiguous request": "This request can be read in several ways, so it gets no answer.",
    "bad request": "This request cannot be read.",
    "cross-site": "This form was sent from another site, or too late. Load the page again, then send it once more.",
    "wrong type": "A form is sent as application/x-www-form-urlencoded.",
    "too large": "This form is too large.",
    "wrong method": "This address does not take this method.",
    "unavailable": "Nobody can sign in just now. Please try again in a moment.",
}


def refusal(
    environ: WSGIEnvironment,
    status: str,
    reason: str,
    headers: Iterable[tuple[str, str]] = (),
    page: Page | None = None,
) -> Response:
    """A refusal as the client wants it: a page, a JSON problem (RFC 9457), or a line of text."""
    sentence = _SENTENCES[reason]
    if prefers_html(environ):
        title = status[4:]
        body = _frame(title, f"<p>{escape(sentence)}</p>") if page is None else page(environ, status, reason)
        return _html(status, body, headers, built_in=page is None)
    if prefers_json(environ):
        problem = {"type": "about:blank", "title": status[4:], "status": int(status[:3]), "detail": sentence}
        return _answer(status, "application/problem+json", json.dumps(problem).encode(), headers)
    return _answer(status, "text/plain; charset=utf-8", f"{sentence}\n".encode(), headers)


def redirect(status: str, location: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Look there."""
    return _answer(status, "text/plain; charset=utf-8", b"", [("Location", location), *headers])


def login_page(
    status: str,
    action: str,
    error: str,
    next_url: str,
    token: str,
    *,
    again: tuple[str, str, str] | None = None,
    can_remember: bool = False,
) -> Response:
    """The login form. `error` is a sentence, or nothing.

    `again`: for somebody who is signed in, the name, the sentence that says why, and where to sign out.
    """
    shown = f'<p class="error" role="alert" id="error">{escape(error)}</p>\n' if error else ""
    described = ' aria-invalid="true" aria-describedby="error"' if error else ""
    field, below, focused = described, "", (" autofocus", "")
    if again is not None:
        name, reason, logout = again
        shown = f"<p>{escape(reason)}</p>\n{shown}"
        field = f' value="{escape(name)}" readonly{described}'
        below = f'\n<p><a href="{escape(logout)}">Sign out</a></p>'
        focused = ("", " autofocus")
    remember = f"{_REMEMBER}\n" if can_remember else ""
    return _html(
        status,
        _frame(
            "Sign in",
            f"""{shown}<form method="post" action="{escape(action)}">
{_hidden("next", next_url)}{_hidden("token", token)}<label for="username">Name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required\
{focused[0]}{field}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{focused[1]}{described}>
{remember}<button>Sign in</button>
</form>{below}""",
        ),
    )


def own_login_page(status: str, body: str) -> Response:
    """The login page of an application that draws its own, with whatever scripts and styles; no frame shows it."""
    unframed = [("Content-Security-Policy", "frame-ancestors 'none'"), ("X-Frame-Options", "DENY")]
    return _html(status, body, unframed, built_in=False)


def logout_page(action: str, next_url: str, token: str) -> Response:
    """The question before a logout: a link cannot sign anybody out, a button can."""
    return _html(
        "200 OK",
        _frame(
            "Sign out",
            f"""<form method="post" action="{escape(action)}">
{_hidden("next", next_url)}{_hidden("token", token)}<button>Sign out</button>
</form>""",
        ),
    )


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">\n' if value else ""


def _html(status: str, body: str, headers: Iterable[tuple[str, str]] = (), *, built_in: bool = True) -> Response:
    safety = [("Content-Security-Policy", _CONTENT_SECURITY_POLICY), ("X-Frame-Options", "DENY")] if built_in else []
    if not isinstance(body, str):
        raise TypeError(f"page= gives the HTML as text, not {type(body).__name__}")
    return _answer(status, "text/html; charset=utf-8", body.encode(), [*headers, *safety])


def _answer(status: str, content_type: str, body: bytes, headers: Iterable[tuple[str, str]]) -> Response:
    return Response(
        status,
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *headers,
        ],
        [body],
    )


def _frame(title: str, content: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 0; padding: 12vh 1rem 1rem; }}
main {{ max-width: 20rem; margin: 0 auto; }}
h1 {{ font-size: 1.5rem; margin: 0 0 1rem; }}
label {{ display: block; margin: 0 0 .25rem; font-weight: 600; }}
input, button {{ box-sizing: border-box; width: 100%; font: inherit; padding: .6rem .75rem; border-radius: .375rem; }}
input {{ border: 1px solid GrayText; margin: 0 0 1rem; }}
.check {{ margin: 0 0 1rem; font-weight: 400; }}
.check input {{ width: auto; margin: 0 .5rem 0 0; }}
button {{ border: 0; background: #1d4ed8; color: #fff; font-weight: 600; cursor: pointer; }}
input:focus-visible, button:focus-visible {{ outline: 3px solid #60a5fa; outline-offset: 1px; }}
.error {{ border-left: 4px solid #dc2626; padding-left: .75rem; }}
</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{content}
</main>
</body>
</html>
"""
