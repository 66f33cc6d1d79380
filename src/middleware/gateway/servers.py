"""The servers that need something of the gateway layer, and how one is known. Values in, values out.

The rule: a server is known by the class of its `wsgi.input`, which is its own; by SERVER_SOFTWARE, which may name a web
server in front, only where that class is Python's.
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal
    from wsgiref.types import WSGIEnvironment

    Chunked = Literal["checked", "decoded", "lost"]


class Server:
    """What is to be known of a server.

    `name`: as its makers write it. `input_of`: how the name of the class of its `wsgi.input` begins, or "".
    `software`: how its SERVER_SOFTWARE begins, or "".
    `chunked`: what becomes of a chunked body. "checked": it comes with its length, or with `wsgi.input_terminated`, or
        the application cannot know where it ends; with a Content-Length beside it, the server has refused it or made
        that the true one. "decoded": it ends where it should, and a Content-Length beside it is handed on unchecked.
        "lost": the application gets nothing of it, or its raw framing.
    `utf8_text`: its environ has characters where PEP 3333 asks for bytes.
    `quiet_on_errors`: an exception of the application is no answer, or one that says 200.
    `writes`: whether its `start_response` returns a `write()`.
    `not_text`: names without a dot under which it has something else than text; None: look at every one, which takes a
        microsecond.
    """

    __slots__ = ("chunked", "input_of", "name", "not_text", "quiet_on_errors", "software", "utf8_text", "writes")

    def __init__(
        self,
        name: str,
        *,
        input_of: str = "",
        software: str = "",
        chunked: Chunked = "checked",
        utf8_text: bool = False,
        quiet_on_errors: bool = False,
        writes: bool = True,
        not_text: Sequence[str] | None = (),
    ) -> None:
        self.name = name
        self.input_of = input_of
        self.software = software
        self.chunked: Chunked = chunked
        self.utf8_text = utf8_text
        self.quiet_on_errors = quiet_on_errors
        self.writes = writes
        self.not_text = not_text


ANY_OTHER = Server("any other", not_text=None)
SERVERS = (
    Server("cheroot", input_of="cheroot.", chunked="decoded", quiet_on_errors=True),  # and CherryPy, whose server it is
    Server("eventlet", input_of="eventlet.", chunked="decoded", not_text=("headers_raw",)),
    Server("flup, AJP", input_of="flup.server.ajp_base.", chunked="lost", quiet_on_errors=True),
    Server("gevent", input_of="gevent.pywsgi."),
    Server("granian", input_of="granian.", quiet_on_errors=True, writes=False),
    Server("mod_python", input_of="builtins.mp_request", chunked="lost", utf8_text=True, not_text=("SCRIPT_FILENAME",)),
    Server("mod_wsgi", input_of="mod_wsgi."),
    Server("Paste", input_of="paste.httpserver.", chunked="lost", utf8_text=True),
    Server("uWSGI", input_of="uwsgi.", quiet_on_errors=True),
    Server("gunicorn", input_of="gunicorn."),
    Server("waitress", software="waitress"),
    Server("Werkzeug", software="Werkzeug/", chunked="decoded", not_text=("REMOTE_PORT",)),
    Server("wsgiref", software="WSGIServer/", chunked="lost"),  # and Django's runserver, which is made of it
)


def _find(software: object, input_class: type) -> Server:
    """The server with this SERVER_SOFTWARE, if it is text, and this class of `wsgi.input`."""
    own = f"{input_class.__module__}.{input_class.__qualname__}"
    for server in SERVERS:
        if server.input_of and own.startswith(server.input_of):
            return server
    for server in SERVERS:
        if server.software and str(software).startswith(server.software):
            return server
    return ANY_OTHER


server_of: Callable[[object, type], Server] = lru_cache(maxsize=64)(_find)


def chunked_at(server: Server, environ: WSGIEnvironment) -> Chunked:
    """What becomes of a chunked body; uWSGI loses those of clients that speak HTTP to it, with no web server between.

    A web server in front says DOCUMENT_ROOT, and has decoded the body.
    """
    if server.name == "uWSGI" and "DOCUMENT_ROOT" not in environ:
        return "lost"
    return server.chunked
