"""A mapping that knows what was changed in it since it was loaded, inside of lists and dicts too.

What counts as a change is that a value differs from the one that was loaded, in the form in which it is kept. So a
value is encoded when it is handed out and can change, when it is set, and when the changes are asked for.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from middleware.errors import SessionClosed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
    from typing import Any, Self

    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.place import Record

    Base = MutableMapping[str, Any]
else:
    Base = MutableMapping

_NONE: Messages = []  # replaced where messages come, never changed
_TAG = b'{"$'  # as in codec.is_typed, which is not loaded before the first session is
_CANNOT_CHANGE = frozenset((str, int, float, bool, type(None), bytes))


class Tracked(Base):
    """The data of a record, which is opened at the first use."""

    # What an unused session never reads stands on the class: that makes it 0.1 us cheaper.
    _record: Record | None = None
    _data: dict[str, Any] | None = None  # None: not loaded
    _encode: Callable[[str, object], bytes]
    _before: dict[str, bytes | None]  # by key, of what may have changed: as it was loaded; None: not there
    _after: dict[str, bytes]  # by key, of what was set to a value that cannot change: as it will be kept
    _space: int | None = None  # bytes that the content may grow by, at least; None: as it was loaded
    _taken: Messages
    _left: Messages

    def __init__(self) -> None:
        self.accessed = self.closed = False

    if TYPE_CHECKING:  # the session has it, which knows where records are kept

        def _load(self, key: object = "*") -> dict[str, Any]:
            """Open the record, for the use of this key. The data in it."""
            ...

    def _use(self, key: object) -> None:
        """Note the first use, of this key, while caches can still be told."""
        if self.closed:
            raise SessionClosed(
                f"the session is first used ({key!r}) after the head of the answer has left, too late to tell caches: "
                "use it before the first chunk"
            )
        self.accessed = True

    # Reading

    def __getitem__(self, key: str) -> Any:
        data = self._data
        if data is None:
            data = self._load(key)
        value = data[key]
        if type(value) not in _CANNOT_CHANGE and key not in self._before:
            self._remember(key)  # whoever holds it can change it
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """The value of the key, or `default`."""
        return self[key] if key in self._loaded(key) else default

    def __contains__(self, key: object) -> bool:
        return key in self._loaded(key)

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
        if _TAG in encoded:
            self._asked().typed = True
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

    def pop(self, key: str, /, *default: Any) -> Any:
        """Delete the key: its value, or the default where it is not there."""
        if self._asked().error is not None:
            self._changing(key)
        return super().pop(key, *default)

    # What was changed

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
            self._space = None
            self._data = record.data
        data = self._data
        assert data is not None
        return data

    def _changes(self) -> Changes:
        """The keys whose values differ from what was loaded, and the messages that were taken and left."""
        from middleware.sessions.changes import Changes

        data, after = self._loaded(), self._after
        changed: dict[str, bytes | None] = {}
        for key, before in self._before.items():
            now = None
            if key in data:
                known = after.get(key) if type(data[key]) in _CANNOT_CHANGE else None
                now = self._encoded(key, data[key]) if known is None else known
            if now != before:
                changed[key] = before
        return Changes(changed, data, self._taken, self._left)

    def _kept(self, all_there_is: dict[str, Any] | None) -> None:
        """Go on from here: what was changed is kept. `all_there_is`: where that is more than this request changed."""
        data = self._loaded()
        if all_there_is is not None:
            for key in [key for key in data if key not in all_there_is]:
                del data[key]
            for key, value in all_there_is.items():
                # What is the same stays the same object: the application may hold it and change it.
                if key not in data or self._encode(key, value) != self._encode(key, data[key]):
                    data[key] = value
        self._before = {key: self._encoded(key, data[key]) if key in data else None for key in self._before}
        self._after = {}
        self._taken = self._left = _NONE
        self._space = None

    def _take_back(self) -> None:
        """Make every change undone that was not kept yet."""
        from middleware.sessions.codec import decoded

        data = self._loaded()
        for key, before in self._before.items():
            if before is None:
                data.pop(key, None)
            elif not self._is_as_before(key, before):
                data[key] = decoded(b"[%b]" % before)[0]
        self._kept(None)

    def _is_as_before(self, key: str, before: bytes) -> bool:
        data = self._loaded()
        try:
            return key in data and self._encode(key, data[key]) == before
        except (TypeError, ValueError):  # it was changed to what cannot be kept
            return False

    def _loaded(self, key: object = "*") -> dict[str, Any]:
        data = self._data
        return self._load(key) if data is None else data

    def _asked(self) -> Record:
        if self._data is None:
            self._load()
        assert self._record is not None
        return self._record

    def _changing(self, what: str) -> dict[str, Any]:
        if self.closed:
            raise SessionClosed(
                f"the session is changed ({what!r}) after the head of the answer has left, too late to be kept: "
                "change it before the first chunk"
            )
        data = self._data
        if data is None:
            data = self._load()
        record = self._record
        if record is not None and record.error is not None:
            raise record.error
        return data

    def _remember(self, key: str) -> None:
        """Keep how the value of the key was loaded, before anything can change it."""
        if key in self._before or self.closed:
            return
        data = self._loaded()
        self._before[key] = self._encode(key, data[key]) if key in data else None

    def _encoded(self, key: str, value: object) -> bytes:
        encoded = self._encode(key, value)
        if _TAG in encoded:
            self._asked().typed = True
        return encoded

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
                    self._encoded(key, data[key])
                self._space = record.room - record.check_size(data, self._waiting())
            except (TypeError, ValueError):
                self._space = space
                raise

    def _waiting(self) -> Messages:
        return [*self._not_taken(), *self._left]

    def _not_taken(self) -> Messages:
        from middleware.sessions.changes import Changes

        return Changes({}, {}, self._taken, _NONE).still_waiting(self._asked().messages)
