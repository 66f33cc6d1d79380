"""Environ as PEP 3333 promises it, whatever the server has made of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

    from middleware.gateway.servers import Server

_LAST_OF_LATIN_1 = "\xff"


def repair(environ: WSGIEnvironment, server: Server) -> None:
    """Make of environ what it should be, as far as this server needs it."""
    if server.not_text is None or server.not_text:
        make_text(environ, server.not_text)
    clean(environ)
    if server.utf8_text:
        for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI"):
            put_back_bytes(environ, key, of_all=True)
    elif not environ["PATH_INFO"].isascii() or not environ["SCRIPT_NAME"].isascii():
        for key in ("SCRIPT_NAME", "PATH_INFO"):
            put_back_bytes(environ, key, of_all=False)
    if server.bare_uri:
        complete_uri(environ)


def clean(environ: WSGIEnvironment) -> None:
    """Add what is missing, and remove what contradicts or misleads."""
    environ.setdefault("SCRIPT_NAME", "")
    environ.setdefault("PATH_INFO", "")
    environ.setdefault("QUERY_STRING", "")
    environ.setdefault("wsgi.run_once", False)
    if environ.get("CONTENT_LENGTH") == "":
        del environ["CONTENT_LENGTH"]
    if environ.get("CONTENT_TYPE") == "":
        del environ["CONTENT_TYPE"]
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_CONTENT_TYPE", None)
    environ.pop("HTTP_PROXY", None)  # a field of the client, which HTTP clients take for a setting of the operator


def make_text(environ: WSGIEnvironment, names: Iterable[str] | None) -> None:
    """Values without a dot in their names are text: a number becomes it, bytes are decoded, None goes.

    Anything else moves to `middleware.server.NAME`. `names`: where to look; None for everywhere.
    """
    if names is None:
        names = [name for name, value in environ.items() if type(value) is not str and "." not in name]
    for name in names:
        if name not in environ:
            continue
        value = environ[name]
        if isinstance(value, str | int | float):
            environ[name] = str(value)
        elif isinstance(value, bytes):
            environ[name] = value.decode("latin-1")
        else:
            del environ[name]
            if value is not None:
                environ[f"middleware.server.{name}"] = value


def put_back_bytes(environ: WSGIEnvironment, key: str, *, of_all: bool) -> None:
    """Make bytes, as latin-1 text, of what the server has decoded as UTF-8.

    `of_all`: the server is known for it, so that `\xe9` is a character too and no byte. What is not known for it shows
    that it did by a character that is no byte.
    """
    text: str = environ.get(key) or ""
    if not text.isascii() and (of_all or max(text) > _LAST_OF_LATIN_1):
        environ[key] = text.encode("utf-8", "surrogatepass").decode("latin-1")


def complete_uri(environ: WSGIEnvironment) -> None:
    """Give REQUEST_URI its query back, which a log would miss."""
    uri, query = environ.get("REQUEST_URI"), environ["QUERY_STRING"]
    if uri and query and "?" not in uri:
        environ["REQUEST_URI"] = f"{uri}?{query}"
