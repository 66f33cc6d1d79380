"""The small answers of the gateway room's own."""

from __future__ import annotations

from middleware.wsgi import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def page(status: str, text: str) -> Response:
    """One line of plain text."""
    body = f"{text}\n".encode()
    return Response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))], [body])


def last_page(status: str, text: str) -> Response:
    """The same, after which the server closes the connection, whatever is still to be read from it.

    An application has no word for that (PEP 3333 forbids `Connection`), but servers do it where one fails, and quietly
    where it fails as for a client that has gone.
    """
    response = page(status, text)
    response.body = _Last(response.body or ())
    return response


def broken_off() -> Response:
    """What a client is told that has gone."""
    return page("400 Bad Request", "The body of the request broke off.")


class _Last:
    """These chunks, and then an error."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        from errno import EPIPE

        raise BrokenPipeError(EPIPE, "the connection ends here, since nobody knows where its next request begins")
