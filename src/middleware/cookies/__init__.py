"""Cookies: a jar to read, set and delete them, signed values, and a policy for every Set-Cookie on its way out."""

from middleware.cookies.middleware import CookieMiddleware, get_cookies
from middleware.cookies.options import CookieOptions

__all__ = ["CookieMiddleware", "CookieOptions", "get_cookies"]
