"""What the tests of cookies share: applications made of what they do with their jar."""

from __future__ import annotations

from asking import ask

from middleware.cookies import CookieMiddleware, get_cookies

SECRET = "a secret of more than sixteen bytes"
OLDER = "an older secret, also long enough"
HTTPS = {"wsgi.url_scheme": "https"}


def serve(use, headers=(), **options):
    """An application that does something with its jar and answers the repr of what comes back."""

    def app(environ, start_response):
        result = use(get_cookies(environ))
        start_response("200 OK", [("Content-Type", "text/plain"), *headers])
        return [repr(result).encode()]

    return CookieMiddleware(app, **options)


def used(use, cookie=None, environ=None, **options):
    """The answer to one request that does this with its jar."""
    return ask(serve(use, **options), headers={"Cookie": cookie} if cookie else None, **(environ or {}))
