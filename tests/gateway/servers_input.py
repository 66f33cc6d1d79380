"""What servers give as `wsgi.input`, no more able than the worst of them, and environs as they make them."""

from __future__ import annotations

from asking import make_environ

from middleware import GatewayMiddleware


class Input:
    """`read(n)` and nothing else, which complains where more is asked for than is there, as some wait for ever then."""

    def __init__(self, body=b"", *, most=None):
        self.body = body
        self.at = 0
        self.most = most  # bytes that one read gives
        self.reads = 0

    def read(self, size):
        self.reads += 1
        assert 0 < size <= len(self.body) - self.at, f"read({size}) with {len(self.body) - self.at} bytes left hangs"
        end = self.at + min(size, self.most or size)
        found, self.at = self.body[self.at : end], end
        return found

    @property
    def left(self):
        return len(self.body) - self.at


class Ending(Input):
    """One that gives b"" at its end, which is where the client left or where a chunked body ends."""

    def read(self, size):
        self.reads += 1
        found = self.body[self.at : self.at + size]
        self.at += len(found)
        return found


class Breaking(Ending):
    """One that raises at its end."""

    def __init__(self, body, error):
        super().__init__(body)
        self.error = error

    def read(self, size):
        found = super().read(size)
        if not found:
            raise self.error
        return found


def input_of(server, base=Ending):
    """The class of a server's own input, by its module and name."""
    module, _, name = server.rpartition(".")
    return type(name, (base,), {"__module__": module})


INPUTS = {
    "cheroot": "cheroot.server.KnownLengthRFile",
    "eventlet": "eventlet.wsgi.Input",
    "flup, AJP": "flup.server.ajp_base.InputStream",
    "gevent": "gevent.pywsgi.Input",
    "granian": "granian._granian.WSGIBody",
    "gunicorn": "gunicorn.http.body.Body",
    "mod_python": "builtins.mp_request",
    "mod_wsgi": "mod_wsgi.Input",
    "Paste": "paste.httpserver.LimitedLengthFile",
    "uWSGI": "uwsgi._Input",
}
SOFTWARE = {"waitress": "waitress", "Werkzeug": "Werkzeug/3.1.9", "wsgiref": "WSGIServer/0.2"}


def environ_of(server=None, body=b"", **entries):
    """A POST as a server hands it on: `server` is a name in docs/gateway.md, None one that nobody knows."""
    given = input_of(INPUTS[server])(body) if server in INPUTS else Ending(body)
    software = SOFTWARE.get(server, "Apache/2.4.71")
    environ = make_environ("/", "POST", **{"wsgi.input": given, "SERVER_SOFTWARE": software, **entries})
    return {key: value for key, value in environ.items() if value is not None}


def unnoticed_gateway(app):
    """The layer round what puts back the one entry that it is there to replace: for checks that nothing changes.

    The client waits for 100 Continue, so nobody may read a body that the application leaves.
    """

    def put_back(environ, start_response):
        environ["wsgi.input_terminated"] = environ.pop("test.input_terminated")
        return app(environ, start_response)

    layer = GatewayMiddleware(put_back)

    def serve(environ, start_response):
        environ["test.input_terminated"] = environ.get("wsgi.input_terminated")
        environ["HTTP_EXPECT"] = "100-continue"
        return layer(environ, start_response)

    return serve
