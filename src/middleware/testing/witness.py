"""What an application under test saw: how often it was called, pulled and closed, and what was wrong."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any
    from wsgiref.types import WSGIEnvironment

REQUIRED = (
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL",
    "wsgi.version", "wsgi.url_scheme", "wsgi.input", "wsgi.errors", "wsgi.multithread", "wsgi.multiprocess",
    "wsgi.run_once",
)  # fmt: skip


ENDLESS = 1000  # values, of which a client asks for two


class Bug(Exception):
    """The error of an application under test."""


class Timeout(BaseException):
    """What a server raises in a worker that takes too long: no layer may catch it for good."""


class Witness:
    """One request, seen by the application."""

    def __init__(self) -> None:
        self.calls = 0
        self.pulled = 0  # values taken from its body
        self.closed = 0  # its close() was called, or its generator finalised
        self.broken: list[str] = []
        self._files: list[Any] = []
        self.marks: dict[str, object] = {}  # what the server put into environ, which has to arrive

    def forbid(self, wrong: object, what: str) -> None:
        """Note `what` if it is `wrong`."""
        if wrong and what not in self.broken:
            self.broken.append(what)

    def called(self, environ: WSGIEnvironment) -> None:
        """The application is called."""
        self.calls += 1
        self.forbid(type(environ) is not dict, f"environ is exactly a dict: {type(environ)}")
        missing = [key for key in REQUIRED if key not in environ]
        self.forbid(missing, f"environ lacks {missing}")
        self.forbid("HTTP_CONTENT_TYPE" in environ or "HTTP_CONTENT_LENGTH" in environ, "HTTP_CONTENT_* was added")
        lost = [key for key, mark in self.marks.items() if environ.get(key) is not mark]
        self.forbid(lost, f"these of the server's objects did not arrive: {lost}")

    def pull(self) -> None:
        """A value is taken from its body."""
        self.forbid(self.closed, "a value was taken after close()")
        self.pulled += 1
        if self.pulled > ENDLESS:
            raise AssertionError("a stream without end was read and read")

    def close(self) -> None:
        """Its close() is called."""
        self.closed += 1

    def iterator(
        self,
        chunks: Iterable[bytes],
        *,
        first: Callable[[], object] | None = None,
        last: Callable[[], object] | None = None,
        fails: BaseException | None = None,
        close_fails: BaseException | None = None,
    ) -> Iterator[bytes]:
        """An iterator with `close()`: it does `first` in its first `next` and `last` or `fails` in its last."""
        return _Chunks(self, chunks, first, last, fails, close_fails)

    def generator(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """A generator, not yet begun."""
        for chunk in chunks:
            self.pull()
            yield chunk

    def endless(self) -> Iterator[bytes]:
        """A stream without end."""
        return self.iterator(iter(lambda: b"tick ", b""))

    def only_iter(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """An iterable without anything else."""
        return _OnlyIter(self.generator(chunks))

    def only_getitem(self, chunks: Sequence[bytes]) -> Any:
        """An iterable by the old protocol, which `iter()` takes and type checkers do not."""
        return _OnlyGetItem(chunks)

    def with_another_iterator(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """An iterable with `close()`, whose iterator is another object that must not be closed in its place."""
        return _Beside(self, chunks)

    def closing(self, chunks: Iterable[bytes], closes: Any) -> Iterable[bytes]:
        """`chunks`, and `closes` closed at the end."""
        return _Closing(chunks, closes)

    def closing_list(self, chunks: Iterable[bytes]) -> list[bytes]:
        """A list with `close()`."""
        return _ClosingList(self, chunks)

    def file(self, file: Any) -> Iterator[bytes]:
        """A file whose `close()` is seen; iterated over in blocks."""
        self._files.append(file)
        return _File(self, file)

    def discard(self) -> None:
        """Close the files that a layer may have left open."""
        for file in self._files:
            file.close()


class _Chunks:
    def __init__(
        self,
        witness: Witness,
        chunks: Iterable[bytes],
        first: Callable[[], object] | None,
        last: Callable[[], object] | None,
        fails: BaseException | None,
        close_fails: BaseException | None,
    ) -> None:
        self._witness = witness
        self._chunks = iter(chunks)
        self._first = first
        self._last = last
        self._fails = fails
        self._close_fails = close_fails

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            first()
        for chunk in self._chunks:
            self._witness.pull()
            return chunk
        last, self._last = self._last, None
        if last is not None:
            last()
        if self._fails is not None:
            raise self._fails
        raise StopIteration

    def close(self) -> None:
        self._witness.close()
        if self._close_fails is not None:
            raise self._close_fails


class _OnlyIter:
    def __init__(self, iterator: Iterator[bytes]) -> None:
        self._iterator = iterator

    def __iter__(self) -> Iterator[bytes]:
        return self._iterator


class _OnlyGetItem:
    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = chunks

    def __getitem__(self, index: int) -> bytes:
        return self._chunks[index]


class _Beside:
    def __init__(self, witness: Witness, chunks: Iterable[bytes]) -> None:
        self._witness = witness
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._witness.generator(self._chunks)

    def close(self) -> None:
        self._witness.close()


class _ClosingList(list[bytes]):
    def __init__(self, witness: Witness, chunks: Iterable[bytes]) -> None:
        super().__init__(chunks)
        self._witness = witness

    def close(self) -> None:
        self._witness.close()


class _Closing:
    def __init__(self, chunks: Iterable[bytes], closes: Any) -> None:
        self._chunks = chunks
        self._closes = closes

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        self._closes.close()


class _File:
    def __init__(self, witness: Witness, file: Any) -> None:
        self._witness = witness
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block: bytes = self._file.read(4096)
        if not block:
            raise StopIteration
        return block

    def close(self) -> None:
        self._witness.close()
        self._file.close()
