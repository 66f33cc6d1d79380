"""GatewayMiddleware: whatever the server, environ and `wsgi.input` are what PEP 3333 promises."""

from __future__ import annotations

from io import BytesIO

from middleware.errors import ClientGone, ConfigurationError
from middleware.gateway.answering import Head, Tried, answer, answer_errors, collecting
from middleware.gateway.body import RequestBody
from middleware.gateway.environ import repair
from middleware.gateway.framing import BAD_LENGTH, NO_LENGTH, size_of_body
from middleware.gateway.pages import broken_off, last_page, page
from middleware.gateway.servers import chunked_at, server_of
from middleware.wsgi import forward
from middleware.wsgi.bodies import Body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.gateway.servers import Server
    from middleware.wsgi import Ending

_FRAMED = ("2", "3")  # the versions of HTTP in which a body needs neither Content-Length nor a coding
_REASONS = {
    BAD_LENGTH: "The length of the body is not clear.",
    NO_LENGTH: "This server takes no chunked body: send it with a Content-Length.",
}


class GatewayMiddleware:
    """Give the application the environ and `wsgi.input` that PEP 3333 promises, on every server. The outermost layer.

    `drain`: how many bytes of a body that the application has left unread are read at the end, for ten seconds at most,
        on servers and behind gateways that lose the answer otherwise; 0 for none. Nothing is read of a client that
        waits for `100 Continue`.

    Names without a dot have text; SCRIPT_NAME, PATH_INFO, QUERY_STRING and `wsgi.run_once` are there; an empty
    CONTENT_LENGTH or CONTENT_TYPE, HTTP_CONTENT_LENGTH, HTTP_CONTENT_TYPE and HTTP_PROXY are not. PATH_INFO is bytes as
    latin-1 text also where a server has decoded it. `wsgi.input` ends where the body does and reads in every way, and
    `wsgi.input_terminated` says so; a client that leaves while its body is read is `errors.ClientGone`, an OSError.
    A Content-Length that is no length, one beside a chunked body that the server does not check, and any
    Transfer-Encoding but `chunked` are answered 400; a chunked body whose end the application could not know, 411 (RFC
    9112, section 6.3).
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
        server = server_of(environ.get("SERVER_SOFTWARE"), type(environ.get("wsgi.input")))
        repair(environ, server)
        length, coding = environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
        framed = environ.get("SERVER_PROTOCOL", "")[5:6] in _FRAMED
        if framed or coding is not None or not (length is None or length == "0"):
            size = _size(environ, server, length, coding, framed=framed)
            if isinstance(size, str):
                refuse = last_page if server.goes_on else page
                return refuse(size, _REASONS[size])(environ, start_response)
            if size:
                body = environ["wsgi.input"] = RequestBody(environ["wsgi.input"].read, size)
                environ["wsgi.input_terminated"] = True
                return self._with_body(environ, _head(start_response, server), server, body)
        # A WebSocket takes the connection from gevent's own input, which ends without a body.
        if "HTTP_UPGRADE" not in environ or server.name != "gevent":
            environ["wsgi.input"] = BytesIO()
            environ["wsgi.input_terminated"] = True
        if server.quiet_on_errors:
            return self._call(environ, _head(start_response, server), server)
        return self.app(environ, start_response)

    def _with_body(self, environ: WSGIEnvironment, head: Head, server: Server, body: RequestBody) -> Iterable[bytes]:
        drain = self._drain if _loses_answers(server, environ) else 0
        waits = "100-continue" in [member.strip(" \t") for member in environ.get("HTTP_EXPECT", "").lower().split(",")]

        def end(_: object = None) -> None:
            if body.touched or not waits:
                body.drain(drain)

        try:
            answered = self._call(environ, head, server, end if drain else None)
        except ClientGone:
            if head.given:
                raise
            return answer(environ, head, broken_off())
        if drain and type(answered) is not Body and type(answered) is not Tried:
            end()  # a list or a file reads no more of it, and some gateways want all of it before the answer
        return answered

    def _call(
        self, environ: WSGIEnvironment, head: Head, server: Server, end: Callable[[Ending], object] | None = None
    ) -> Iterable[bytes]:
        app = self.app if server.writes else self._collecting
        if server.quiet_on_errors:
            return answer_errors(app, environ, head, end)
        return forward(app, environ, head, end=end)


def _head(start_response: StartResponse, server: Server) -> Head:
    return Head(start_response, holds=server.quiet_on_errors and server.late_heads)


def _loses_answers(server: Server, environ: WSGIEnvironment) -> bool:
    return server.loses_answers or environ["wsgi.run_once"] is True


def _size(
    environ: WSGIEnvironment, server: Server, length: str | None, coding: str | None, *, framed: bool
) -> int | str:
    # Under CGI the body ends with standard input.
    ends = environ.get("wsgi.input_terminated") is True or environ["wsgi.run_once"] is True
    return size_of_body(length, coding, chunked=chunked_at(server, environ), ends=ends, framed=framed)
