"""The one way in which tests ask: a request goes in, a response comes out, the server's duties are done."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import quote, urlencode, urlsplit
from wsgiref.util import setup_testing_defaults


class Answer:
    """What a client got."""

    def __init__(self, status, headers, body):
        self.status = status
        self.code = int(status[:3])
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def header(self, name):
        """The value of the field, its lines joined, or None."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name):
        """The value of each line of the field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __repr__(self):
        return f"<Answer {self.status} {self.headers} {self.body[:80]!r}>"


def make_environ(path="/", method="GET", headers=None, body=b"", **environ):
    """A request as a server would hand it on; keywords are environ entries (`REMOTE_ADDR=...`)."""
    parts = urlsplit(path)
    made = {"REQUEST_METHOD": method, "PATH_INFO": parts.path, "QUERY_STRING": parts.query, "REMOTE_ADDR": "127.0.0.1"}
    made["REQUEST_URI"] = quote(parts.path, safe="/%") + (f"?{parts.query}" if parts.query else "")
    if body:
        made["CONTENT_LENGTH"] = str(len(body))
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        made[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    made["wsgi.input"] = BytesIO(body)
    made["wsgi.multithread"] = True
    made.update(environ)
    setup_testing_defaults(made)
    return made


def call(app, environ):
    """Serve one request as a server does: iterate, close, let every error out."""
    heads = []
    chunks = []

    def start_response(status, headers, exc_info=None):
        if exc_info and any(chunks):
            raise exc_info[1].with_traceback(exc_info[2])
        assert not heads or exc_info, "start_response called twice without exc_info"
        heads.append((status, list(headers)))
        return chunks.append

    body = app(environ, start_response)
    try:
        for chunk in body:
            assert heads, "a chunk before start_response"
            chunks.append(chunk)
    finally:
        if hasattr(body, "close"):
            body.close()
    status, headers = heads[-1]
    return Answer(status, headers, b"".join(chunks))


def ask(app, path="/", method="GET", headers=None, body=b"", **environ):
    """One request to a WSGI application."""
    return call(app, make_environ(path, method, headers, body, **environ))


class Browser:
    """A client that keeps cookies by name, as long as the server does not delete them."""

    def __init__(self, app, **environ):
        self.app = app
        self.cookies = {}
        self.environ = environ

    def request(self, path, method="GET", headers=None, body=b"", **environ):
        headers = dict(headers or {})
        if self.cookies:
            headers.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        answer = ask(self.app, path, method, headers, body, **{**self.environ, **environ})
        for line in answer.all("Set-Cookie"):
            pair, *attributes = line.strip().split(";")
            name, _, value = pair.partition("=")
            if any(attribute.strip().lower() == "max-age=0" for attribute in attributes):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path="/", headers=None, **environ):
        return self.request(path, headers=headers, **environ)

    def post(self, path="/", data=None, headers=None, **environ):
        """A form, posted."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.request(path, "POST", headers, urlencode(data or {}).encode(), **environ)
