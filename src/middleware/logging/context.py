"""Which request this thread, or this task, works for: a context variable, set while the application runs.

It is set and put back inside the call, each `next` and `close()` of the body, never across them: a server may take the
chunks of two answers by turns, and each in another thread.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from middleware.logging.trace import Trace


class RequestNames:
    """What a request is called: its id and, where the layer keeps traces, its place in one."""

    __slots__ = ("request_id", "trace")

    def __init__(self, request_id: str, trace: Trace | None) -> None:
        self.request_id = request_id
        self.trace = trace


_current: ContextVar[RequestNames] = ContextVar("middleware.logging.request")

enter = _current.set
leave = _current.reset


def current_request() -> RequestNames | None:
    """The request that is being worked for, None outside of one."""
    return _current.get(None)


class BodyInContext:
    """A body whose chunks are made in the context of its request."""

    __slots__ = ("_body", "_close", "_names", "_next")

    def __init__(self, body: Iterable[bytes], names: RequestNames) -> None:
        self._body = body
        self._names = names
        self._next: Callable[[], bytes] | None = None
        self._close: Callable[[], object] | None = getattr(body, "close", None)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = enter(self._names)
        try:
            if self._next is None:
                self._next = iter(self._body).__next__
            return self._next()
        finally:
            leave(token)

    def close(self) -> None:
        """Close the body, in the context of its request."""
        if self._close is None:
            return
        token = enter(self._names)
        try:
            self._close()
        finally:
            leave(token)
