"""Django on our sessions: `request.session`, and with it contrib.auth, messages and CSRF tokens, look into one of them.

    # settings.py
    MIDDLEWARE = [..., "middleware.integrations.django.SessionMiddleware", ...]  # in the place of Django's own
    SESSION_ENGINE = "middleware.integrations.django"
    # wsgi.py
    application = SessionMiddleware(get_wsgi_application(), store=SQLiteStore("sessions.db"))

The layer in wsgi.py loads and keeps the session and sets the cookie. What does not come through wsgi.py, such as the
requests of Django's test client, gets its session from the layer that WSGI_APPLICATION leads to, and Django sets the
cookie, as SESSION_COOKIE_NAME.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.module_loading import import_string

from middleware.errors import StoreError, TooManySessions
from middleware.integrations.face import keep_even_if_empty
from middleware.integrations.wrapped import session_layer_in
from middleware.sessions.middleware import KEY, unavailable
from middleware.sessions.session import DAY, MOST_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.integrations.django_users import UserMiddleware
    from middleware.sessions import Session
    from middleware.sessions import SessionMiddleware as Layer

__all__ = ["SessionMiddleware", "SessionStore", "UserMiddleware"]

EXPIRY = "_session_expiry"  # where Django keeps what set_expiry() was given


def __getattr__(name: str) -> object:
    """UserMiddleware, loaded when it is named: it needs django.contrib.auth in INSTALLED_APPS, and sessions do not."""
    if name != "UserMiddleware":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from middleware.integrations.django_users import UserMiddleware

    return UserMiddleware


class SessionStore(SessionBase):  # type: ignore[misc]
    """`request.session`: Django's session, over one of ours. What ours has besides is at `get_session(request.META)`.

    `over` is the session of a request; `session_key` is then its id in hashed form, fit for logs, and None before the
    session is kept. Without `over` it is what Django's test client opens: `session_key` is the value of the cookie.
    """

    def __init__(self, session_key: str | None = None, *, over: Session | None = None) -> None:
        self.accessed = self.modified = False
        self.by_hand = over is None
        self._sent = session_key or None
        self._kept: Session = _opened(session_key) if over is None else over

    def _get_session(self, no_load: bool = False) -> Session:  # noqa: ARG002
        self.accessed = True
        return self._kept

    async def _aget_session(self, no_load: bool = False) -> Session:  # noqa: ARG002
        await sync_to_async(len)(self._kept)  # loads it, beside the event loop
        return self._get_session()

    _session = property(_get_session)  # all of Django's methods that are not here go through it

    def clear(self) -> None:
        """Delete every key. The session itself stays; `flush()` ends it."""
        self._session.clear()
        self.modified = True

    def is_empty(self) -> bool:
        """Whether there is no session to come back to, and nothing in it."""
        return self.session_key is None and not self._session

    def load(self) -> dict[str, Any]:
        """Its content."""
        return dict(self._session)

    # Life

    @property
    def session_key(self) -> str | None:
        """The id in hashed form, or the value of the cookie where there is no request."""
        if not self.by_hand:
            return self._get_session().id
        lines = self._kept.cookie_lines()
        return (_value(lines[0]) or None) if lines else self._sent

    def create(self) -> None:
        """See that the session has an id, also where there is nothing in it, and another one than before."""
        if self._session.id is None:
            self.save()
        else:
            self.cycle_key()

    def save(self, must_create: bool = False) -> None:
        """Keep what was changed so far, now. Changes are kept without this; but then there is an id, in any case."""
        if must_create:
            self.create()
        keep_even_if_empty(self._session)
        self._session.save()

    def cycle_key(self) -> None:
        """Give the session a new id, now. The data stays, the old id opens nothing any more."""
        self._session.rotate()

    def flush(self) -> None:
        """End the session, now, and begin an empty one: its id opens nothing any more."""
        self._session.invalidate()

    async def acycle_key(self) -> None:
        """As `cycle_key()`."""
        await sync_to_async(self.cycle_key)()

    async def aflush(self) -> None:
        """As `flush()`."""
        await sync_to_async(self.flush)()

    def delete(self, session_key: str | None = None) -> None:
        """End this session. NotImplementedError for another one."""
        self._refuse_another(session_key)
        self.flush()

    def exists(self, session_key: str) -> bool:
        """Whether this session is kept. NotImplementedError for another one."""
        self._refuse_another(session_key)
        return self._session.id is not None

    @classmethod
    def clear_expired(cls) -> None:
        """Nothing: stores drop what has expired, or are told to by `python -m middleware stores purge URL`."""

    def _refuse_another(self, session_key: str | None) -> None:
        if session_key not in (None, self.session_key):
            raise NotImplementedError(
                "a session is found by its user: get_session(request.META).users has sessions_of(user), "
                "end(user, id) and end_all(user)"
            )

    # How long it lives

    def set_expiry(self, value: Any) -> None:
        """As in Django: seconds without use, a date or a timedelta, 0 for the end of the browser, None for the usual.

        The first three take the place of the idle timeout and of the lifetime; 400 days at most.
        """
        super().set_expiry(value)
        self._session.remember(self._days() if self.get(EXPIRY) else 0)

    async def aset_expiry(self, value: Any) -> None:
        """As `set_expiry()`."""
        await sync_to_async(self.set_expiry)(value)

    def get_session_cookie_age(self) -> int:
        """The seconds for which it lives if nobody uses it."""
        return int(self._session.expires - timezone.now().timestamp())

    def get_expire_at_browser_close(self) -> bool:
        """Whether it ends with the browser: yes, unless `set_expiry()` was given a time."""
        return not self.get(EXPIRY)

    async def aget_expire_at_browser_close(self) -> bool:
        """As `get_expire_at_browser_close()`."""
        return not await self.aget(EXPIRY)

    def prolong(self) -> None:
        """Count the seconds that `set_expiry()` was given from now on, once a tenth of them has gone by."""
        seconds = self.get(EXPIRY)
        if isinstance(seconds, int | float) and self.get_session_cookie_age() < 0.9 * seconds:
            self._session.remember(self._days())

    def _days(self) -> float:
        seconds: float = self.get_expiry_age()
        return min(max(seconds, 1) / DAY, MOST_DAYS)


class SessionMiddleware(DjangoSessionMiddleware):  # type: ignore[misc]
    """Stands in MIDDLEWARE where Django's own did. Raises ImproperlyConfigured where SESSION_ENGINE is another."""

    def __init__(self, get_response: Callable[[Any], HttpResponse]) -> None:
        super().__init__(get_response)
        if not issubclass(self.SessionStore, SessionStore):
            raise ImproperlyConfigured(
                f"SESSION_ENGINE is {settings.SESSION_ENGINE!r}, which knows nothing of these sessions: say "
                f"SESSION_ENGINE = {__name__!r}, so that Django's test client opens the same ones"
            )

    def __call__(self, request: Any) -> Any:
        """The answer; 503 where the page failed because the store is down."""
        try:
            return super().__call__(request)
        except StoreError as error:
            session = request.META[KEY]
            if error is not session.failure:
                raise
            session.failure = None  # its traceback leads back to the session
            answer = unavailable(error)
            return HttpResponse(b"".join(answer.body or ()), status=503, headers=dict(answer.headers))

    def process_request(self, request: Any) -> None:
        """Set `request.session`."""
        kept = request.META.get(KEY)
        if kept is not None:
            request.session = self.SessionStore(over=kept)
        else:
            request.session = self.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
            request.META[KEY] = request.session._kept

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        """Tell Django's own caches about the session. The layer keeps it, when the head of the answer leaves."""
        session, kept = request.session, request.META[KEY]
        if not kept.accessed:
            return response
        patch_vary_headers(response, ("Cookie",))
        if kept.failure is not None or response.status_code >= 500:
            return response
        session.prolong()
        lines = kept.save() if kept.is_new or session.by_hand else ()
        if lines:
            unsaid = {} if response.has_header("Cache-Control") else {"no_store": True}
            patch_cache_control(response, private=True, **unsaid)
            if session.by_hand:
                _set_cookie(request, response, lines[0])
        return response


def _opened(session_key: str | None) -> Session:
    """A session of the layer that WSGI_APPLICATION leads to. Raises ImproperlyConfigured where there is none."""
    name = settings.WSGI_APPLICATION
    layer: Layer | None = session_layer_in(import_string(name)) if name else None
    if layer is None:
        raise ImproperlyConfigured(
            "no session here: say application = SessionMiddleware(get_wsgi_application(), store=...) in wsgi.py, "
            f"and serve that. WSGI_APPLICATION is {name!r}"
        )
    return layer.open(f"{layer.cookie_name(https=True)}={session_key}" if session_key else "", https=True)


def _set_cookie(request: Any, response: HttpResponse, line: str) -> None:
    """What the layer would have done with this Set-Cookie line."""
    value, attributes = _value(line), line.lower().split("; ")
    if not value:
        response.delete_cookie(settings.SESSION_COOKIE_NAME, samesite="Lax")
        return
    max_age = [int(one.removeprefix("max-age=")) for one in attributes if one.startswith("max-age=")]
    response.set_cookie(
        settings.SESSION_COOKIE_NAME,
        value,
        max_age=max_age[0] if max_age else None,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def _value(line: str) -> str:
    """The cookie's value in a Set-Cookie line."""
    return line.partition(";")[0].partition("=")[2]


def _let_out(sender: object, request: Any = None, **_: Any) -> None:  # noqa: ARG001
    """Hand an outage of the store on to our middleware: Django asks this before it answers 500 itself."""
    session, error = None if request is None else request.META.get(KEY), sys.exception()
    if session is not None and error is not None and error is session.failure:
        raise error


def _enter(sender: object, request: Any, user: Any, **_: Any) -> None:  # noqa: ARG001
    """Tell our session who has logged in by contrib.auth, so that the user can list and end the sessions."""
    session = getattr(request, "session", None)
    if not isinstance(session, SessionStore):
        return
    kept = session._kept
    login = {key: kept[key] for key in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY) if key in kept}
    try:
        kept.login(str(user.pk), label=request.headers.get("User-Agent", ""))
    except TooManySessions:
        for key in login:
            del kept[key]
        raise
    kept.update(login)  # it is not there any more if the session was somebody else's, or was ended meanwhile


got_request_exception.connect(_let_out)
user_logged_in.connect(_enter)
