"""The answer of an application that starts it when the server asks for the first chunk, and may find no store then."""

from __future__ import annotations

from middleware.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class LateStart:
    """Hands on the chunks one by one. A StoreError goes to `refuse`: what that answers comes in their place."""

    __slots__ = ("_body", "_iterator", "_refuse", "_request")

    def __init__(self, body: Iterable[bytes], refuse: Callable[..., Iterable[bytes] | None], *request: object) -> None:
        self._body = body
        self._iterator = iter(body)
        self._refuse = refuse
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._iterator)
        except StoreError as error:
            page = self._refuse(error, *self._request)
            if page is None:
                raise
            self._iterator = iter(page)
        return next(self._iterator)

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
