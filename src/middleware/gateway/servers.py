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
    `chunked_alone`: the same, where no web server stands in front; None: it makes no difference.
    `goes_on`: behind an answer that has refused the body it takes what is left of that for the next request.
    `loses_answers`: an answer that comes before the body was read may not arrive.
    `bare_uri`: its REQUEST_URI lacks the query.
    `utf8_text`: its environ has characters where PEP 3333 asks for bytes.
    `quiet_on_errors`: an exception of the application is no answer, or one that says 200.
    `late_heads`: whether it takes a head that comes with the first value.
    `writes`: whether its `start_response` returns a `write()`.
    `not_text`: names without a dot under which it has something else than text; None: look at every one, which takes a
        microsecond.
    """

    __slots__ = (
        "bare_uri", "chunked", "chunked_alone", "goes_on", "input_of", "late_heads", "loses_answers", "name",
        "not_text", "quiet_on_errors", "software", "utf8_text", "writes",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        input_of: str = "",
        software: str = "",
        chunked: Chunked = "checked",
        chunked_alone: Chunked | None = None,
        goes_on: bool = False,
        loses_answers: bool = False,
        bare_uri: bool = False,
        utf8_text: bool = False,
        quiet_on_errors: bool = False,
        late_heads: bool = True,
        writes: bool = True,
        not_text: Sequence[str] | None = (),
    ) -> None:
        self.name = name
        self.input_of = input_of
        self.software = software
        self.chunked: Chunked = chunked
        self.chunked_alone: Chunked | None = chunked_alone
        self.goes_on = goes_on
        self.loses_answers = loses_answers
        self.bare_uri = bare_uri
        self.utf8_text = utf8_text
        self.quiet_on_errors = quiet_on_errors
        self.late_heads = late_heads
        self.writes = writes
        self.not_text = not_text


ANY_OTHER = Server("any other", loses_answers=True, not_text=None)
SERVERS = (
    # And CherryPy. What is left of a chunked body it takes for the next request, and of any other it reads the rest.
    Server("cheroot", input_of="cheroot.", chunked="decoded", goes_on=True, loses_answers=True, quiet_on_errors=True),
    Server("eventlet", input_of="eventlet.", chunked="decoded", goes_on=True, not_text=("headers_raw",)),
    Server("flup, AJP", input_of="flup.server.ajp_base.", chunked="lost", bare_uri=True, quiet_on_errors=True),
    Server("flup, FastCGI", input_of="flup.server.fcgi_base."),
    Server("gevent", input_of="gevent.pywsgi.", goes_on=True),
    Server(
        "granian",
        input_of="granian.",
        chunked="decoded",
        loses_answers=True,
        quiet_on_errors=True,
        late_heads=False,
        writes=False,
    ),
    Server(
        "mod_python",
        input_of="builtins.mp_request",
        chunked="lost",
        bare_uri=True,
        utf8_text=True,
        not_text=("SCRIPT_FILENAME",),
    ),
    Server("mod_wsgi", input_of="mod_wsgi."),
    Server("Paste", input_of="paste.httpserver.", chunked="lost", loses_answers=True, utf8_text=True),
    Server("uWSGI", input_of="uwsgi.", chunked_alone="lost", loses_answers=True, quiet_on_errors=True),
    Server("gunicorn", input_of="gunicorn.", loses_answers=True),
    Server("waitress", software="waitress"),
    Server("Werkzeug", software="Werkzeug/", chunked="decoded", not_text=("REMOTE_PORT",)),
    # And Django's runserver, which is made of it.
    Server("wsgiref", software="WSGIServer/", chunked="lost", loses_answers=True),
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
    """What becomes of a chunked body. A web server in front says DOCUMENT_ROOT, and has decoded it."""
    if server.chunked_alone is not None and "DOCUMENT_ROOT" not in environ:
        return server.chunked_alone
    return server.chunked
