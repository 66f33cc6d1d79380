"""Pass a request on and act on its answer.

What PEP 3333 asks of a middleware is kept by this file and by `exchange`, once for every layer.
"""

from __future__ import annotations

from middleware.wsgi.bodies import Body, ListBody
from middleware.wsgi.exchange import UNWATCHED, Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.wsgi.exchange import Ending
    from middleware.wsgi.response import Response


def forward(
    app: WSGIApplication,
    environ: WSGIEnvironment,
    start_response: StartResponse,
    amend: Callable[[Response], object] | None = None,
    *,
    watch: Callable[[bytes], object] | None = None,
    end: Callable[[Ending], object] | None = None,
) -> Iterable[bytes]:
    """Pass the request on and act at the three moments of its answer.

    `amend(response)` sees each head on its way out, on a header list of its own, as late as PEP 3333 allows: when the
    application has returned, inside the server's first `next` for an application that starts late, or at the first
    non-empty `write()`. It runs again for a head that replaces one which has not left, so it must bear repeating.
    It may set `response.body`; what the application still gives is then dropped and its iterable closed. (A head that
    replaces one when the body is already in the server's hands cannot bring a body: the error it reports is raised.)

    `watch(chunk)` sees each non-empty chunk, yielded or written alike. `end(ending)` runs exactly once, after the
    application's own `close()`, however the answer ends. Without these two the application's body goes on as it is, and
    likewise where `amend` returns `UNWATCHED`: nothing more of this answer is watched then, and no end told.

    Raises RuntimeError where the application breaks PEP 3333: `start_response` is never called, or twice without
    `exc_info`.
    """
    exchange = Exchange()  # filled here: a constructor would add 0.08 to the 0.75 us that an amended answer costs
    exchange.app = app
    exchange.environ = environ
    exchange.start_response = start_response
    exchange.amend = amend
    exchange.watch = watch
    exchange.end = end
    exchange.head = exchange.first = exchange.accepted = exchange.exc_info = None
    exchange.file = exchange.error = exchange.server_error = None
    exchange.handed_on = exchange.left = exchange.completed = False

    body: Iterable[bytes] = ()
    try:
        if (watch is None and end is None) or "wsgi.file_wrapper" not in environ:
            body = app(environ, exchange.start)
        else:
            body = exchange.call_with_watched_files()
        head = exchange.head
        if head is None:
            return Body(exchange, body)
        if exchange.exc_info is not None:
            exchange.release(head)
        elif exchange.accepted is None:  # release(), without the 0.08 us of its call
            if amend is not None and amend(head) is UNWATCHED:
                exchange.watch = exchange.end = None
            exchange.server_write = start_response(head.status, head.headers)
            exchange.accepted = head
        if head.body is not None:
            application_body, body = body, ()
            body = exchange.replace(application_body)
    except BaseException as error:
        exchange.fail(error, body)
        raise
    exchange.handed_on = True
    if (exchange.watch is None and exchange.end is None) or exchange.ends_with_file(body):
        return body
    if type(body) is list or type(body) is tuple or type(body) is ListBody:  # is_whole(), without its call
        return ListBody(exchange, body)
    return Body(exchange, body)
