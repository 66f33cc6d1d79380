"""The session, as the application handles it.

Nothing is parsed, fetched or computed before the first use. What counts as a change is that a value differs from the
one that was loaded, nested values too. The record behind it (`stored.py`, `signed.py`) knows where it is kept.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from middleware.errors import SessionClosed, StoreError
from middleware.sessions.changes import Changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
    from typing import Any, Protocol, Self

    from middleware.sessions.codec import Messages

    Base = MutableMapping[str, Any]

    class Record(Protocol):
        """Where a session is kept, as one request found it."""

        data: dict[str, Any]
        messages: Messages
        cookie: str | None
        """As in `Session.cookie`."""

        @property
        def id(self) -> str | None: ...
        @property
        def is_new(self) -> bool: ...
        @property
        def created(self) -> float: ...
        @property
        def last_seen(self) -> float: ...
        @property
        def size(self) -> int: ...
        @property
        def room(self) -> int: ...
        def encoded_value(self, key: str, value: object) -> bytes: ...
        def check_size(self, data: dict[str, Any], messages: Messages) -> int: ...
        def save(self, data: dict[str, Any], changes: Changes) -> None: ...
        def touch(self) -> None: ...
        def rotate(self) -> None: ...
        def end(self) -> None: ...

    class Place(Protocol):
        """Where sessions are kept."""

        @property
        def open(self) -> Callable[[str], Record]: ...
else:
    Base = MutableMapping


_NONE: Messages = []  # replaced where messages come, never changed


class Session(Base):
    """What is kept for a visitor from one request to the next: a mapping of text to plain values.

    Values are str, int, float, bool, None, and lists and dicts of them; they come back equal and of the same type, and
    anything else is a TypeError in the line that sets it. Changes inside lists and dicts are noticed. Changes are kept
    when the head of the answer leaves: not where the application fails or answers 5xx (`save_on_error=True` keeps them
    then too); a change after that, or a first use, raises SessionClosed.

    `accessed`: whether it was used; the answer is then for this visitor only. `closed`: whether the head has left.
    """

    # What an unused session never reads stands on the class: that makes it 0.1 us cheaper.
    failure: StoreError | None = None
    _record: Record | None = None
    _data: dict[str, Any] | None = None  # None: not loaded
    _encode: Callable[[str, object], bytes]
    _before: dict[str, bytes | None]  # by key, of what may have changed: as it was loaded; None: not there
    _after: dict[str, bytes]  # by key, of what was set to a value that cannot change: as it will be kept
    _space: int | None = None  # bytes that the content may grow by, at least; None: as it was loaded
    _taken: Messages
    _left: Messages

    def __init__(self, place: Place, field: str) -> None:
        self._place = place
        self._field = field
        self.accessed = self.closed = False

    def __repr__(self) -> str:
        return "<Session>"

    # Reading

    def __getitem__(self, key: str) -> Any:
        data = self._data
        if data is None:
            data = self._load()
        value = data[key]
        kind = type(value)
        if (kind is list or kind is dict) and key not in self._before:
            self._remember(key)  # whoever holds it can change it
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """The value of the key, or `default`."""
        return self[key] if key in self._loaded() else default

    def __contains__(self, key: object) -> bool:
        return key in self._loaded()

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())

    def keys(self) -> KeysView[str]:
        """A view of the keys."""
        self._loaded()
        return super().keys()

    def values(self) -> ValuesView[Any]:
        """A view of the values."""
        self._loaded()
        return super().values()

    def items(self) -> ItemsView[str, Any]:
        """A view of the pairs of key and value."""
        self._loaded()
        return super().items()

    # Changing

    def __setitem__(self, key: str, value: Any) -> None:
        data = self._data
        if data is None or self.closed:
            data = self._changing(key)
        encoded = self._encode(key, value)
        there, old = key in data, data.get(key)
        if key not in self._before:  # as `_remember` does, 0.1 us faster
            self._before[key] = self._encode(key, old) if there else None
        data[key] = value
        try:
            self._count(len(encoded) + 6 * len(key) + 4)  # a character of a key has six bytes at most
        except (TypeError, ValueError):
            if there:
                data[key] = old
            else:
                del data[key]
            raise
        self._after[key] = encoded

    def __delitem__(self, key: str) -> None:
        data = self._changing(key)
        if key not in data:
            raise KeyError(key)
        self._remember(key)
        del data[key]

    def clear(self) -> None:
        """Delete every key. The session itself stays; `invalidate` ends it."""
        data = self._changing("*")
        for key in data:
            self._remember(key)
        data.clear()

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        self.update(other)
        return self

    # Messages

    def flash(self, message: str, category: str = "message") -> None:
        """Leave a message for the page that the visitor sees next, after a redirect too. 50 wait at most."""
        if type(message) is not str or type(category) is not str:
            raise TypeError("a flash message and its category are text")
        self._changing("flash")
        size = len(self._encode("flash", [category, message]))
        before = self._left
        self._left = [*before, [category, message]]
        try:
            self._count(size + 4)
        except (TypeError, ValueError):
            self._left = before
            raise

    def pop_flash(self) -> list[tuple[str, str]]:
        """Take the messages that wait, oldest first, as pairs of category and message: each is shown once."""
        self._loaded()
        waiting = self._waiting()
        if waiting:
            self._changing("flash")
            assert self._record is not None
            self._taken = list(self._record.messages)
            self._left = _NONE
        return [(category, message) for category, message in waiting]

    # Life

    def rotate(self) -> None:
        """Give the session a new id, now. The data stays, the old id opens nothing any more. Due at each log-in.

        In a signed cookie there is no way to end the old one before its time: see docs/sessions.md.
        """
        self._changing("rotate()")
        self._ask(self._asked().rotate)

    def invalidate(self) -> None:
        """End the session, now, and begin an empty one, which is kept if something is put into it. Due at log-out.

        No other request brings the ended one back, also none that is still running.
        """
        self._changing("invalidate()")
        record = self._asked()
        self._ask(record.end)
        self._begin(record, instead_of=record)
        self._space = None

    @property
    def id(self) -> str | None:
        """Tells this session from others, in logs too: the id in hashed form. None before it is kept."""
        return self._asked().id

    @property
    def is_new(self) -> bool:
        """Whether this request began the session."""
        return self._asked().is_new

    @property
    def created(self) -> float:
        """When the session began, in seconds since 1970."""
        return self._asked().created

    @property
    def last_seen(self) -> float:
        """When it was last used before this request, in seconds since 1970, within a tenth of the idle timeout."""
        return self._asked().last_seen

    @property
    def cookie(self) -> str | None:
        """What the browser must be told by now: a new value, `""` to forget its cookie, None where it knows already."""
        return None if self._record is None else self._record.cookie

    def finish(self, status: str, save_on_error: bool) -> str | None:
        """Keep what was changed, for the head of the answer is about to leave, and take no more changes: `cookie` then.

        Raises StoreError where the store does not take them. What `rotate` and `invalidate` did before has happened.
        """
        record = self._record
        closed, self.closed = self.closed, True
        if record is None:
            return None
        if not closed and (status[:1] != "5" or save_on_error):
            keys = self._changed() if self._before else []
            if keys or self._taken or self._left:
                record.save(record.data, Changes(keys, self._taken, self._left))
            else:
                record.touch()
        return record.cookie

    def _load(self) -> dict[str, Any]:
        """Open the record. The data in it."""
        if self.closed:
            raise SessionClosed(
                "the session is first used after the head of the answer has left, too late to tell caches: "
                "use it before the first chunk"
            )
        self.accessed = True
        try:
            record = self._place.open(self._field)
        except StoreError as error:
            self.failure = error
            raise
        return self._begin(record, instead_of=None)

    def _loaded(self) -> dict[str, Any]:
        data = self._data
        return self._load() if data is None else data

    def _asked(self) -> Record:
        if self._data is None:
            self._load()
        assert self._record is not None
        return self._record

    def _begin(self, record: Record, *, instead_of: Record | None) -> dict[str, Any]:
        """Work with the record as it is now. The data in it.

        Of several threads that an application starts for one request the first to load counts: a second record would
        undo what was changed since. Nothing here is a call, so CPython runs no other thread in between, and no lock is
        held while a store is asked.
        """
        if self._record is instead_of:
            self._record = record
            self._encode = record.encoded_value
            self._before = {}
            self._after = {}
            self._taken = self._left = _NONE
            self._data = record.data
        data = self._data
        assert data is not None
        return data

    def _changing(self, what: str) -> dict[str, Any]:
        if self.closed:
            raise SessionClosed(
                f"the session is changed ({what!r}) after the head of the answer has left, too late to be kept: "
                "change it before the first chunk"
            )
        data = self._data
        return self._load() if data is None else data

    def _remember(self, key: str) -> None:
        """Keep how the value of the key was loaded, before anything can change it."""
        if key in self._before or self.closed:
            return
        data = self._loaded()
        self._before[key] = self._encode(key, data[key]) if key in data else None

    def _count(self, bytes_more: int) -> None:
        """Refuse what has no room, while the application can still do something about it.

        SessionTooLarge then. TypeError or ValueError for a nested change elsewhere that would not come back.
        """
        space = self._space
        if space is None:
            record = self._asked()
            space = record.room - record.size
        self._space = left = space - bytes_more  # less than there is, where something was replaced: then it is counted
        if left < 0:
            record, data = self._asked(), self._loaded()
            try:
                for key in self._before.keys() & data.keys():
                    self._encode(key, data[key])
                self._space = record.room - record.check_size(data, self._waiting())
            except (TypeError, ValueError):
                self._space = space
                raise

    def _waiting(self) -> Messages:
        return self._left if self._taken else [*self._asked().messages, *self._left]

    def _changed(self) -> list[str]:
        """The keys whose values differ from what was loaded."""
        data, after = self._loaded(), self._after
        keys = []
        for key, before in self._before.items():
            now = None
            if key in data:
                value = data[key]
                kind = type(value)
                known = None if kind is list or kind is dict else after.get(key)
                now = self._encode(key, value) if known is None else known
            if now != before:
                keys.append(key)
        return keys

    def _ask(self, act: Callable[[], None]) -> None:
        try:
            act()
        except StoreError as error:
            self.failure = error
            raise
