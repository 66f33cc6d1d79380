"""The session, as the application handles it.

Nothing is parsed, fetched or computed before the first use. The record behind it (`in_store/record.py`,
`in_cookie/record.py`) knows where it is kept.
"""

from __future__ import annotations

from middleware.errors import ReauthenticationRequired, StoreError
from middleware.sessions.tracked import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, TypeVar

    from middleware.sessions.in_cookie.revocations import Revocations
    from middleware.sessions.in_store.locks import SessionLock
    from middleware.sessions.in_store.users import UserSessions
    from middleware.sessions.place import Place, Record, Tell

    Answer = TypeVar("Answer")

DAY = 86400
MOST_DAYS = 400  # browsers keep no cookie longer (RFC 6265bis, section 5.5)


class Session(Tracked):
    """What is kept for a visitor from one request to the next: a mapping of text to values.

    Values are str, int, float, bool, None, bytes, datetime, date, time, timedelta, UUID, Decimal, and lists, tuples,
    sets, frozensets and dicts of them, with any of these as keys. They come back equal and of the same type (of a time
    zone its UTC offset, not its name). Anything else, a subclass too, is a TypeError in the line that sets it. Changes
    inside of values are noticed.

    Changes are kept when the head of the answer leaves: not where the application fails or answers 5xx
    (`save_on_error=True` keeps them then too); a change after that, or a first use, raises SessionClosed. While the
    store is down, whatever needs it raises StoreError.

    `accessed`: whether it was used; the answer is then for this visitor only. `closed`: whether the head has left.
    """

    failure: StoreError | None = None
    user_agent: str | None = None  # of this request, where sessions are bound to it
    _outage: str | None = None  # what `on_outage` said about this request

    def __init__(self, place: Place, field: str, tell: Tell) -> None:
        self._place = place
        self._field = field
        self._tell = tell
        self.accessed = self.closed = False  # as Tracked has it, without the 0.1 us of its call

    def __repr__(self) -> str:
        return "<Session>"

    # Messages

    def flash(self, message: str, category: str = "message") -> None:
        """Leave a message for the page that the visitor sees next, after a redirect too. 50 wait at most."""
        from middleware.sessions.messages import leave

        leave(self, message, category)

    def pop_flash(self, category: str | None = None) -> list[tuple[str, str]]:
        """Take the messages that wait, oldest first, as pairs of category and message: each is shown once.

        `category`: only those of this one; the others go on waiting.
        """
        from middleware.sessions.messages import take

        return take(self, category)

    def peek_flash(self, category: str | None = None) -> list[tuple[str, str]]:
        """The messages that wait, or those of one category, which go on waiting."""
        from middleware.sessions.messages import peek

        return peek(self, category)

    # Counting, and one at a time

    def increment(self, key: str, by: int = 1) -> int:
        """Add to a whole number, at once and whatever other requests do: what it is then. Not there counts as 0.

        It stays even if the application fails afterwards. Raises TypeError where something else is there, and
        ConfigurationError for sessions that are kept in the cookie.
        """
        data = self._changing(key)
        if type(by) is not int:
            raise TypeError(f"by= is a whole number, not {by!r}")
        self._encode(key, by)  # a TypeError for what is no key
        was_set = key in self._before and key in self._changes().before
        record = self._asked()
        total = self._ask(lambda: record.increment(key, by, data if was_set else None))
        data[key] = total
        self._before[key] = self._encode(key, total)
        self._after.pop(key, None)
        return total

    def lock(self, *, timeout: float = 5, ttl: float = 30) -> SessionLock:
        """`with session.lock():` no other request of this session is inside such a block.

        What was changed before is kept on the way in, and all is read anew, so read what you need inside. What is
        changed inside is kept on the way out; an error that leaves the block takes it back. Requests that use no lock
        do not wait. `timeout`: seconds to wait for it, LockTimeout then. `ttl`: seconds after which a holder that is
        still inside is overtaken. Raises ConfigurationError for sessions that are kept in the cookie.
        """
        self._changing("lock()")
        from middleware.sessions.in_store.locks import SessionLock

        return SessionLock(self, timeout, ttl)

    def save(self) -> list[str]:
        """Keep what was changed so far, now. The Set-Cookie lines that the browser must be sent by now.

        The layer does so by itself when the head leaves, and sends the lines. This is for sessions opened without a
        request (`SessionMiddleware.open`), and for work that goes on for long.
        """
        self._changing("save()")
        self._keep()
        return self.cookie_lines()

    def revert(self) -> None:
        """Undo what was changed and is not kept yet. What the methods of this class did at once stays done."""
        self._changing("revert()")
        self._take_back()

    def changed(self) -> None:
        """Nothing: changes are noticed by themselves. Other libraries have a flag to set, and code that sets it."""

    # Forms

    @property
    def csrf_token(self) -> str:
        """A token for the forms of this session: another text at each reading, all of them good until the next login.

        See `check_csrf_token`. OWASP, Cross-Site Request Forgery Prevention: synchronizer token.
        """
        from middleware.sessions.csrf import masked, new_secret

        record = self._asked()
        secret = record.marks.get("csrf")
        if not isinstance(secret, str):
            self._changing("csrf_token")
            secret = self._ask(lambda: record.settle("csrf", new_secret()))
        return masked(secret)

    def check_csrf_token(self, token: object) -> bool:
        """Whether the text that came with a form is a `csrf_token` of this session. Anything else is False."""
        from middleware.sessions.csrf import matches

        secret = self._asked().marks.get("csrf")
        return isinstance(secret, str) and matches(secret, token)

    # Life

    def login(self, user: str, *, label: str = "", keep: Collection[str] | None = None) -> None:
        """Give the session to a user whose password was just checked. It gets a new id, now.

        What an anonymous session held stays, or only the keys named by `keep`; what another user's session held is
        dropped with that session. `label`: text that helps the user to tell this session from others, such as the name
        of the browser; 200 characters are kept.

        Raises TooManySessions where `max_sessions` has no room for it and `when_too_many` is "refuse".
        """
        if not isinstance(user, str) or not user or not isinstance(label, str) or isinstance(keep, str):
            raise TypeError(f"a user is a text that is not empty (not {user!r}), label= is text, keep= a list of keys")
        self._changing("login()")
        self._encode("login", [user, label])  # a ValueError for half a surrogate pair
        record = self._asked()
        if record.marks.get("user") not in (None, user):
            self.invalidate()
        kept = self._ask(lambda: record.login(user, label[:200], None if keep is None else frozenset(keep)))
        if not kept:
            if names := self._changes().names:
                self._tell("late_write_dropped", record.id, keys=names)
            self._begin(record, instead_of=record)
        elif keep is not None:
            for key in [key for key in self._loaded() if key not in keep]:
                del self._loaded()[key]
                self._before.pop(key, None)
        self._ask(lambda: self._bind(record))

    def logout(self) -> None:
        """End the session of the user who is logged in: `invalidate()`."""
        self.invalidate()

    def rotate(self) -> None:
        """Give the session a new id, now. The data stays, the old id opens nothing any more.

        `login` does so. In a cookie without `revocations=` there is no way to end the old one before its time.
        """
        self._changing("rotate()")
        self._ask(self._asked().rotate)

    def invalidate(self) -> None:
        """End the session, now, and begin an empty one, which is kept if something is put into it.

        No other request brings the ended one back, also none that is still running.
        """
        self._changing("invalidate()")
        record = self._asked()
        self._ask(record.end)
        self._begin(record, instead_of=record)

    def remember(self, days: float) -> None:
        """Let the session live for so many days, over the end of the browser and without an idle timeout: 400 at most.

        Its cookie gets a Max-Age. 0 makes it a session again that goes with the browser and has its usual lifetime.
        """
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= MOST_DAYS:
            raise ValueError(f"days is a number from 0 to {MOST_DAYS}, not {days!r}")
        self._changing("remember()")
        record = self._asked()
        until = self._place.terms.clock() + days * DAY if days else 0.0
        self._ask(lambda: record.remember(until))

    def require_fresh(self, seconds: float) -> None:
        """Raise ReauthenticationRequired where the user has not logged in within the last `seconds`."""
        at = self.authenticated_at
        if at is None or not abs(self._place.terms.clock() - at) < seconds:  # the clocks of two machines may differ
            raise ReauthenticationRequired(
                f"the last login is not within {seconds:g} seconds: ask for the password, then call session.login()"
            )

    # Facts

    @property
    def users(self) -> UserSessions | Revocations:
        """The sessions of every user, to list and end them: `session.users.sessions_of(session.user)`."""
        return self._place.users(self._tell, self._fail)

    @property
    def user(self) -> str | None:
        """Who is logged in by `login`."""
        user = self._asked().marks.get("user")
        return user if isinstance(user, str) else None

    @property
    def authenticated_at(self) -> float | None:
        """When the user logged in last, in seconds since 1970; None where nobody is."""
        return self._asked().times.authenticated or None

    @property
    def id(self) -> str | None:
        """Tells this session from others, in logs too: the id in hashed form. None before it is kept."""
        return self._asked().id

    @property
    def is_new(self) -> bool:
        """Whether this request began the session."""
        return self._asked().is_new

    @property
    def has_cookie(self) -> bool:
        """Whether the request sent a cookie of these sessions, valid or not.

        Counts as a use of the session, but opens none.
        """
        if self._data is None:
            self._use("has_cookie")
        return self._place.cookie.is_in(self._field)

    @property
    def created(self) -> float:
        """When the session began, in seconds since 1970."""
        return self._asked().times.created

    @property
    def last_seen(self) -> float:
        """When it was last used before this request, in seconds since 1970, within a tenth of the idle timeout."""
        return self._asked().times.last_seen

    @property
    def expires(self) -> float:
        """When it is over if nobody uses it after this request, in seconds since 1970."""
        terms = self._place.terms
        return terms.timeouts.expires(self._asked().times._replace(last_seen=terms.clock()))

    @property
    def available(self) -> bool:
        """False where the store is down and `on_outage` lets the site go on: empty, and every change a StoreError."""
        return self._asked().error is None

    @property
    def ended(self) -> bool:
        """Whether this request has ended a session."""
        return self._record is not None and self._record.ended

    # At the end of a request

    def finish(self, status: str) -> list[str]:
        """Keep what was changed, for the head of the answer is about to leave, and take no more changes.

        The Set-Cookie lines that the browser must be sent. Raises StoreError where the store does not take the changes.
        What `rotate`, `login` and `invalidate` did before has happened.
        """
        record = self._record
        closed, self.closed = self.closed, True
        if record is None:
            return []
        if not closed:
            may_have_changed = self._before or self._taken or self._left or record.unsaved
            if may_have_changed and (status[:1] != "5" or self._place.terms.save_on_error):
                self._keep(last=True)
            record.finish()
        return self.cookie_lines()

    def cookie_lines(self) -> list[str]:
        """The Set-Cookie lines that the browser must be sent by now."""
        record = self._record
        value = None if record is None else record.cookie
        if record is None or value is None:
            return []
        until = record.times.until
        max_age = max(int(until - self._place.terms.clock()), 1) if until and value else None
        return self._place.cookie.lines(value, max_age=max_age, instead_of=self._field)

    def _keep(self, *, last: bool = False) -> None:
        """Keep the changes. `last`: nothing comes after it."""
        record = self._asked()
        changes = self._changes()
        if not (changes or record.unsaved):
            return
        try:
            for key in self._place.terms.rotate_on:
                if key in changes.before and not record.is_new:
                    record.check_size(self._loaded(), self._waiting())  # while the old id is still good
                    record.rotate(forget=("csrf",))
                    break
            merged = record.save(self._loaded(), changes)
        except StoreError as error:
            self._fail(error)
            raise
        if not last:
            self._kept(merged)

    def _reload(self, read: Callable[[Record], Answer]) -> Answer:
        """Read what the store holds by now, where nothing waits to be kept."""
        record = self._asked()
        answer = self._ask(lambda: read(record))
        data = self._loaded()
        self._kept(record.data)
        record.data = data
        return answer

    def _load(self, key: object = "*") -> dict[str, Any]:
        self._use(key)
        try:
            record: Record = self._place.open(self._field, self._tell)
            self._bind(record)
        except StoreError as error:
            record = self._without_store(error)
        return self._begin(record, instead_of=None)

    def _bind(self, record: Record) -> None:
        policy = self._place.terms.on_other_browser
        if policy is not None and self.user_agent is not None:
            from middleware.sessions.binding import bind

            bind(record, self.user_agent, policy, self._tell)

    def _without_store(self, error: StoreError) -> Record:
        """What `on_outage` wants in the place of a session that cannot be had."""
        from middleware.sessions.outage import AbsentRecord, chosen

        terms = self._place.terms
        self._tell("store_error", None, error=str(error))
        if self._outage is None:
            self._outage = chosen(terms.on_outage, error)
        if self._outage == "503":
            self.failure = error
            raise error
        record = AbsentRecord(terms.clock())
        self.failure = record.error
        return record

    def _ask(self, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        except StoreError as error:
            self._fail(error)
            raise

    def _fail(self, error: StoreError) -> None:
        """Note what the store did not do: uncaught, it becomes a 503."""
        from middleware.sessions.in_store.cell import GaveUp

        self.failure = error
        if not isinstance(error, GaveUp):
            self._tell("store_error", None if self._record is None else self._record.id, error=str(error))
