"""An answer in hand whose body is begun, to see whether it fails at once."""

from __future__ import annotations

from middleware.wsgi.bodies import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from middleware.wsgi import Response


def prime(taken: Response) -> None:
    """Run an answer in hand to its first chunk that is not empty, so that what fails by then fails here.

    Nothing is held up by that: a server sends no head before that chunk either (PEP 3333). A list cannot fail.
    """
    body = taken.body
    if body is None or isinstance(body, list | tuple):
        return
    try:
        iterator = iter(body)
        first = next((chunk for chunk in iterator if chunk), None)
    except BaseException as error:
        try:
            taken.close()
        except Exception as another:  # noqa: BLE001 - the first error is the one that leaves
            error.add_note(f"and then close() of the body raised {another!r}")
        raise
    taken.body = _Primed(body, iterator, first)


class _Primed:
    """A body whose first chunk is known."""

    __slots__ = ("_body", "_first", "_iterator")

    def __init__(self, body: Iterable[bytes], iterator: Iterator[bytes], first: bytes | None) -> None:
        self._body = body
        self._iterator = iterator
        self._first = first

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._iterator) if first is None else first

    def close(self) -> None:
        close(self._body)
