"""An answer as a value, and as the WSGI application that gives it."""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Response:
    """An answer as a value, and a WSGI application that gives it.

    `status` is the status line without the protocol (`"200 OK"`), `headers` a list of `(name, value)` pairs of str,
    `body` an iterable of bytes. As an application it drops the body for HEAD, 204 and 304 (RFC 9110, section 6.4.1).

    In the `amend` of `forward`, `body` is None, which means the application's own; setting it replaces that body.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: str, headers: Iterable[tuple[str, str]] = (), body: Iterable[bytes] | None = ()) -> None:
        self.status = status
        self.headers = [*headers]
        self.body = body

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status!r}>"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            start_response(self.status, list(self.headers))
        except BaseException:
            self.close()  # the server refuses the head, so nobody will get the body
            raise
        return self.body_for(environ)

    @staticmethod
    def from_app(app: WSGIApplication, environ: WSGIEnvironment) -> Response:
        """Call `app` and take its answer in hand, the head first and the body unread.

        For a layer that must decide with the answer before anything leaves. It has a price: an application that calls
        `start_response` only when it is iterated is run to its first non-empty chunk, and what it writes before it
        returns is kept (1 MiB in memory, more in a temporary file). The body belongs to the application: it is never
        cut, and whoever does not return the response must call `close()`.
        """
        from middleware.wsgi.taken import take

        return take(app, environ)

    @property
    def code(self) -> str:
        """The three digits of the status, `"200"`."""
        return self.status[:3]

    def may_have_body(self, environ: WSGIEnvironment) -> bool:
        """Whether this answer to this request can carry a body at all (RFC 9110, section 6.4.1)."""
        return environ.get("REQUEST_METHOD") != "HEAD" and self.status[:3] not in ("204", "304")

    def body_for(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """The body as this request gets it: closed and empty where there can be none."""
        if isinstance(self.body, (bytes, str)):
            raise TypeError(f'the body of a Response is an iterable of bytes: give [b"..."], not {self.body[:40]!r}')
        if self.may_have_body(environ):
            return () if self.body is None else self.body
        self.close()
        return []

    def close(self) -> None:
        """Close the body, for whoever does not return it."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()

    def get(self, name: str) -> str | None:
        """The field's value, all its lines joined by a comma (RFC 9110, section 5.3), or None.

        Set-Cookie cannot be joined: `get_all` it.
        """
        values = self.get_all(name)
        return ", ".join(values) if values else None

    def get_all(self, name: str) -> list[str]:
        """The value of each line of the field, in order."""
        name = name.lower()
        return [value for key, value in self.headers if key.lower() == name]

    def set(self, name: str, value: str) -> None:
        """Make one line of the field the only one. ValueError: it would end the line; TypeError: it is no str."""
        if type(value) is not str or not value.isprintable():
            _refuse_what_breaks_the_head(name, value)
        lower = name.lower()
        for key, _ in self.headers:
            if key.lower() == lower:
                self.remove(name)
                break
        self.headers.append((name, value))

    def add(self, name: str, value: str) -> None:
        """Append one line. ValueError: it would end the line; TypeError: it is no str."""
        if type(value) is not str or not value.isprintable():
            _refuse_what_breaks_the_head(name, value)
        self.headers.append((name, value))

    def remove(self, name: str) -> None:
        """Remove every line of the field, if there is one."""
        name = name.lower()
        self.headers[:] = [pair for pair in self.headers if pair[0].lower() != name]

    def vary(self, *names: str) -> None:
        """Add field names to Vary, once each whatever their case; `*` says it all (RFC 9110, section 12.5.5)."""
        present = [pair for pair in self.headers if pair[0].lower() == "vary"]
        if not present and len(names) == 1:
            self.add("Vary", names[0])
            return
        value = _united(tuple([value for _, value in present]), names)
        if value is not None:
            self.add("Vary", value)
            for pair in present:
                self.headers.remove(pair)  # never the new line, which names more than each of these


@lru_cache(maxsize=64)
def _united(present: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    """The lines of a Vary and more names as one line; None where nothing is missing. Remembered: 0.8 us less."""
    members = [member for value in present for part in value.split(",") if (member := part.strip())]
    known = {member.lower() for member in members}
    if "*" in known:
        return None
    before = len(members)
    for name in names:
        if name.lower() not in known:
            known.add(name.lower())
            members.append(name)
    return ", ".join(members) if len(members) > before else None


def _refuse_what_breaks_the_head(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"the {name} header field is a str: give {str(value)!r}, not {value!r}")
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError(f"the {name} header field cannot hold a line break or NUL: {value!r}")
