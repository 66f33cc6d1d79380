"""Read a small form that was posted. WebOb parses it; what is larger or of another type is refused unread."""

from __future__ import annotations

from io import BytesIO

from webob import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

LARGEST = 64 << 10  # bytes
_TYPE = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form, or the status and the reason why it was refused."""

    __slots__ = ("_fields", "refused")

    def __init__(self, fields: dict[str, list[str]] | None = None, refused: tuple[str, str] | None = None) -> None:
        self._fields = fields or {}
        self.refused = refused

    def only(self, name: str) -> str | None:
        """The value of a field that is there once; None where it is missing or sent twice."""
        values = self._fields.get(name, ())
        return values[0] if len(values) == 1 else None


def read(environ: WSGIEnvironment) -> Form:
    """The form in the body of this request, of which nothing past CONTENT_LENGTH is read."""
    content_type: str = environ.get("CONTENT_TYPE", "")
    if not content_type and environ.get("CONTENT_LENGTH", "") in ("", "0"):
        return Form()  # nothing, of no type: a button without fields
    if content_type.partition(";")[0].strip(" \t").lower() != _TYPE:
        return Form(refused=("415 Unsupported Media Type", "wrong type"))
    length: str = environ.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit():
        return Form(refused=("400 Bad Request", "bad request"))
    if len(length) > 9 or int(length) > LARGEST:
        return Form(refused=("413 Content Too Large", "too large"))
    body = _read(environ, int(length))
    if body is None:
        return Form(refused=("400 Bad Request", "bad request"))
    request = Request(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": _TYPE,  # a form is UTF-8, whatever charset its sender claims
            "CONTENT_LENGTH": length,
            "wsgi.input": BytesIO(body),
        }
    )
    try:
        posted = [(name, value) for name, value in request.POST.items() if isinstance(value, str)]
    except ValueError:  # no UTF-8
        return Form(refused=("400 Bad Request", "bad request"))
    fields: dict[str, list[str]] = {}
    for name, value in posted:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def _read(environ: WSGIEnvironment, length: int) -> bytes | None:
    chunks = []
    while length > 0:
        chunk = environ["wsgi.input"].read(length)
        if not chunk:
            return None
        chunks.append(chunk)
        length -= len(chunk)
    return b"".join(chunks)
