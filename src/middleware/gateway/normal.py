"""GatewayMiddleware: whatever the server, environ and `wsgi.input` are what PEP 3333 promises."""

from __future__ import annotations

from io import BytesIO

from middleware.errors import ClientGone, ConfigurationError
from middleware.gateway.answering import Begun, Head, answer_errors, collecting, page
from middleware.gateway.body import RequestBody
from middleware.gateway.environ import clean, make_text, put_back_bytes
from middleware.gateway.framing import BAD_LENGTH, NO_LENGTH, size_of_body
from middleware.gateway.servers import chunked_at, server_of
from middleware.wsgi import forward
from middleware.wsgi.bodies import Body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.gateway.servers import Server
    from middleware.wsgi import Ending

_REASONS = {
    BAD_LENGTH: "The length of the body is not clear.",
    NO_LENGTH: "This server takes no chunked body: send it with a Content-Length.",
}


class GatewayMiddleware:
    """Make of every server's environ and `wsgi.input` what PEP 3333 promises. The outermost layer.

    `drain`: how many bytes of a body that the application has left unread are read at the end, for servers and gateways
        that lose the answer otherwise; 0 for none. Nothing is read of a client that waits for `100 Continue`.

    Names without a dot have text; SCRIPT_NAME, PATH_INFO, QUERY_STRING and `wsgi.run_once` are there; an empty
    CONTENT_LENGTH or CONTENT_TYPE, HTTP_CONTENT_LENGTH, HTTP_CONTENT_TYPE and HTTP_PROXY are not. PATH_INFO is bytes as
    latin-1 text also where a server has decoded it. `wsgi.input` ends where the body does and reads in every way, and
    `wsgi.input_terminated` says so; a client that leaves while its body is read is `errors.ClientGone`, an OSError.
    A Content-Length that is no length, and one beside a chunked body that the server does not check, is answered 400;
    a chunked body whose end the application could not know, 411 (RFC 9112, section 6.3).
    On servers that do not answer for an application that raises, it is answered 500 and told on `wsgi.errors`.
    Raises ConfigurationError for a `drain` that is no number of bytes.
    """

    def __init__(self, app: WSGIApplication, *, drain: int = 65536) -> None:
        self.app = app
        if not isinstance(drain, int) or isinstance(drain, bool) or drain < 0:
            raise ConfigurationError(f"drain= is a number of bytes, 65536 for example, or 0 for none, not {drain!r}")
        self._drain = drain
        self._collecting = collecting(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given: object = environ.get("wsgi.input")
        server = server_of(environ.get("SERVER_SOFTWARE"), type(given))
        if server.not_text != ():
            make_text(environ, server.not_text)
        clean(environ)
        if not environ["PATH_INFO"].isascii() or not environ["SCRIPT_NAME"].isascii():
            put_back_bytes(environ, of_all=server.utf8_text)
        length, coding = environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
        if coding or not (length is None or length == "0"):
            size = _size(environ, server, length, coding or "")
            if isinstance(size, str):
                return page(size, _REASONS[size])(environ, start_response)
            if size:
                body = environ["wsgi.input"] = RequestBody(environ["wsgi.input"].read, size)
                environ["wsgi.input_terminated"] = True
                return self._with_body(environ, Head(start_response), server, body)
        # A WebSocket takes the connection from gevent's own input, which ends without a body.
        if "HTTP_UPGRADE" not in environ or environ.get("wsgi.input_terminated") is not True:
            environ["wsgi.input"] = BytesIO()
            environ["wsgi.input_terminated"] = True
        if server.quiet_on_errors:
            return self._call(environ, Head(start_response), server)
        return self.app(environ, start_response)

    def _with_body(self, environ: WSGIEnvironment, head: Head, server: Server, body: RequestBody) -> Iterable[bytes]:
        drain = self._drain
        waits = environ.get("HTTP_EXPECT", "").lower() == "100-continue"

        def end(_: object = None) -> None:
            if body.touched or not waits:
                body.drain(drain)

        try:
            answer = self._call(environ, head, server, end if drain else None)
        except ClientGone:
            if head.given:
                raise
            return page("400 Bad Request", "The body of the request broke off.")(environ, head)
        if drain and type(answer) is not Body and type(answer) is not Begun:
            end()  # a list or a file reads no more of it, and some gateways want all of it before the answer
        return answer

    def _call(
        self, environ: WSGIEnvironment, head: Head, server: Server, end: Callable[[Ending], object] | None = None
    ) -> Iterable[bytes]:
        app = self.app if server.writes else self._collecting
        if server.quiet_on_errors:
            return answer_errors(app, environ, head, end)
        return forward(app, environ, head, end=end)


def _size(environ: WSGIEnvironment, server: Server, length: str | None, coding: str) -> int | str:
    # Under CGI the body ends with standard input.
    ends = environ.get("wsgi.input_terminated") is True or environ["wsgi.run_once"] is True
    return size_of_body(length, coding, chunked=chunked_at(server, environ), ends=ends)
