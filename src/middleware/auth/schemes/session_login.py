"""A login with a form, kept in the session, remembered beyond it where that is asked for, and lent to act as another.

Its parts are in `login/`: the pages (`login_pages`), what a session keeps (`kept_login`), remember-me (`remembering`),
and acting as another (`impersonating`).
"""

from __future__ import annotations

import os
import time

from middleware.auth.login import kept_login
from middleware.auth.login.kept_login import ACTING, ACTOR, AGAIN, LOGIN, KeptLogin, session_of
from middleware.auth.login.login_paths import LoginPaths
from middleware.auth.telling import tell
from middleware.auth.users import check_users
from middleware.errors import ConfigurationError, SessionClosed, TooManySessions
from middleware.headers import quoted
from middleware.made_once import made_once
from middleware.options import check_clock
from middleware.sessions.middleware import SessionMiddleware

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth.answers.pages import Page
    from middleware.auth.identity import Identity
    from middleware.auth.login.login_pages import LoginPages
    from middleware.auth.login.remember_me import RememberMe
    from middleware.auth.login.remember_series import Series
    from middleware.auth.login.remembering import Remembering
    from middleware.auth.middleware import AuthMiddleware
    from middleware.auth.schemes.base import Refused
    from middleware.auth.users import Account, Users
    from middleware.auth.verification import Verifier
    from middleware.sessions import Session

_REMEMBERED = ("remember",)


class SessionLogin:
    """A login with a form, kept in the session. Needs SessionMiddleware outside of AuthMiddleware.

    `users`: as for `Basic`. `login_path` serves the form (GET) and takes it (POST), `logout_path` ends the login
    (POST); both are paths as the browser sees them (below SCRIPT_NAME where the layer is `mounted`), and no rule is
    needed for them. `default_next`: where a login leads that came from nowhere.

    `page(environ, error, next)`: gives the HTML of the login page, with a form that posts `username`, `password`,
    `next`, `token` (from `get_auth(environ).form_token()`) and, to be remembered, `remember` to `login_path`; `error`
    is a sentence or empty. `form`: False where `login_path` is a page of the application, which signs people in by
    `get_auth(environ).login(user)`; it needs a rule that lets everybody in.

    `remember`: `RememberMe(...)` keeps people signed in who ask for it; the layer then needs a `store=`. `keep`: the
    keys of a stranger's session that a login keeps; None keeps all. `clock`: seconds since 1970.

    Raises ConfigurationError, and MissingExtra for stored passwords that need a package which is not installed.
    """

    name = "session"
    auth_type = "session"
    reads = ("Cookie",)

    def __init__(
        self,
        users: Users,
        *,
        login_path: str = "/login",
        logout_path: str = "/logout",
        default_next: str = "/",
        page: Page | None = None,
        form: bool = True,
        remember: RememberMe | None = None,
        keep: Collection[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_users(users)
        self.paths = LoginPaths(login_path, logout_path, default_next)
        if page is not None and not callable(page):
            raise ConfigurationError(f"page= is a callable that gives HTML, not {page!r}")
        if not isinstance(form, bool) or (page is not None and not form):
            raise ConfigurationError("form= is True, or False where the application has its own page: without page=")
        if keep is not None and (isinstance(keep, str) or not all(isinstance(key, str) for key in keep)):
            raise ConfigurationError(f"keep= is a list of keys of the session, not {keep!r}")
        self._users = users
        self._has_form = form
        self._keep = None if keep is None else frozenset(keep)
        check_clock(clock)
        self._clock = clock
        self._remembering: Remembering | None = None
        if remember is not None:
            from middleware.auth.login.remembering import Remembering

            self._remembering = Remembering(remember, clock)
        self._challenges = (f"Session login={quoted(login_path)}",)
        self.sets_cookies = remember is not None
        self._page = page
        pages: dict[str, WSGIApplication] = {logout_path: self._logout_page}
        if form:
            pages[login_path] = self._login_page
        self.pages: Mapping[str, WSGIApplication] = pages

    @made_once
    def _pages(self) -> LoginPages:
        from middleware.auth.login.login_pages import LoginPages

        return LoginPages(self, self._page, can_remember=self._remembering is not None)

    def _login_page(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._pages.login(environ, start_response)

    def _logout_page(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._pages.logout(environ, start_response)

    @made_once
    def _verifier(self) -> Verifier:
        from middleware.auth.verification import Verifier

        return Verifier(self._users, self._clock)

    def check_layer(self, layer: AuthMiddleware, /) -> None:
        """What this scheme needs of its layer, and of those inside. Raises ConfigurationError."""
        if self._remembering is not None and layer.store is None:
            raise ConfigurationError(
                "remembered logins are kept in a store: AuthMiddleware(app, ..., store=SQLiteStore(...))"
            )
        login = self.paths.login
        if not self._has_form and layer.rules.rule_for(login, "GET").kind not in ("allow", "optional"):
            raise ConfigurationError(f"nobody could come to the login page: put optional({login!r}) before other rules")
        inner: object = layer.app
        for _ in range(100):
            if isinstance(inner, SessionMiddleware):
                raise ConfigurationError(
                    "SessionMiddleware stands inside AuthMiddleware, whose SessionLogin needs it outside: move the "
                    "line app = SessionMiddleware(app, ...) below the line app = AuthMiddleware(app, ...)"
                )
            inner = getattr(inner, "app", None)

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | None:
        """Who signed in, in this session, or whom the browser remembers.

        A login whose password has changed since, or whose account is gone, is ended. Raises Unavailable, and
        LayerMissing without a session.
        """
        session = session_of(environ)
        kept = session.get(LOGIN) if session.has_cookie else None
        if kept is not None:
            identity = self._standing(environ, session, kept)
            if identity is not None:
                return identity
        return None if self._remembering is None else self._recall(environ, session, self._remembering)

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> tuple[str, ...]:  # noqa: ARG002
        """For programs: where a person signs in. No browser asks for a password when it sees this."""
        return self._challenges

    def login_url(self, environ: WSGIEnvironment, /) -> str:
        """The login page, with the way back to this request, and `again=1` for somebody who is signed in."""
        return self.paths.login_url(environ, again=session_of(environ).get(LOGIN) is not None)

    def form_token(self, environ: WSGIEnvironment, /) -> str:
        """The token that a form holds. Empty where the browser itself says where forms come from."""
        from middleware.auth.login.form_tokens import token_for

        return token_for(environ, session_of(environ))

    def remember(
        self,
        environ: WSGIEnvironment,
        user: str,
        /,
        *,
        persistent: bool = False,
        factors: Iterable[str] = ("pwd",),
    ) -> Identity:
        """Begin a login, under a new session id. What another user's session held is dropped.

        `persistent`: also remember it in this browser, where the scheme has `remember=`. `factors`: what was proved,
        as words; a login by `"remember"` is never fresh.

        Raises LookupError for a user who is unknown or disabled, Unavailable, LayerMissing, TooManySessions, ValueError
        for factors that are no words.
        """
        name, account = self._named(environ, user)
        return self.begin(environ, name, account, persistent=persistent, factors=tuple(factors))

    def name_of(self, user: str) -> str | None:
        """The one spelling of a name (RFC 8265), with small letters where the source wants that; None for no name."""
        return self._verifier.name_of(user)

    def check(self, environ: WSGIEnvironment, user: str, password: str) -> Account | None:
        """The account, if this is its password. Raises Unavailable."""
        return self._verifier.check(user, password, environ)

    def begin(
        self,
        environ: WSGIEnvironment,
        user: str,
        account: Account,
        *,
        persistent: bool,
        factors: tuple[str, ...] = ("pwd",),
    ) -> Identity:
        """Begin a login that lasts as long as the password in `account`, which is the one that was checked."""
        login = self._login(None if "remember" in factors else self._clock(), factors, user, account)
        session = self._open(environ, login)
        if self._remembering is not None and persistent:
            self._remembering.begin(environ, user, login.key, login.proof)
        elif self._remembering is not None:
            self._remembering.forget(environ, unless=user)
        return self._identity(session, login, account)

    def forget(self, environ: WSGIEnvironment, /, *, everywhere: bool = False) -> None:
        """End the login, the session that held it, and what the browser remembers; `everywhere`, all of the user.

        The user is who is identified, by whatever scheme; where nobody is, who is signed in in this session. Who acts
        as another user ends that, and logins of their own. Raises LayerMissing, SessionClosed where the head
        of the answer has left, Unavailable where the store of remembered logins fails, and for `everywhere`
        ConfigurationError where nothing can end a session that is kept in a cookie.
        """
        session = session_of(environ)
        if session.closed:
            raise SessionClosed("a logout after the head of the answer has left is too late for its cookies")
        user = self._owner(environ, session) if everywhere else None
        if user is not None:
            if self._remembering is not None:
                self._remembering.forget_everywhere(environ, user)
            session.users.end_all(user, but=session.id)
        self._tell_the_end(environ, session, "logout")
        session.logout()
        if self._remembering is not None:
            self._remembering.forget(environ)

    def impersonate(self, environ: WSGIEnvironment, user: str, /) -> Identity:
        """Let whoever is signed in act as `user`, under a new session id; the session begins anew, empty.

        It stays a session of whoever is signed in, and ends with their account as with that of `user`. Raises
        LookupError for a user who is unknown or disabled, RuntimeError where nobody is signed in by this scheme, or
        acts as somebody already, ValueError for oneself, Unavailable, LayerMissing, TooManySessions.
        """
        from middleware.auth.login import impersonating

        return impersonating.begin(self, environ, user)

    def stop_impersonating(self, environ: WSGIEnvironment, /) -> Identity:
        """Let whoever acts as another user be themselves again, under a new session id; the session is empty again.

        Raises RuntimeError where nobody does, LookupError where the account is gone by now, and as `impersonate` does.
        """
        from middleware.auth.login import impersonating

        return impersonating.end(self, environ)

    def standing_login(self, environ: WSGIEnvironment, session: Session) -> KeptLogin | None:
        """The login in this session that would be good for the next request. Raises Unavailable."""
        login = kept_login.read(session.get(LOGIN))
        if login is None or self._account_of(environ, login) is None or self._why_forgotten(environ, login):
            return None
        return login

    def _named(self, environ: WSGIEnvironment, user: str) -> tuple[str, Account]:
        """A user who may sign in: the name in its one spelling, and the account. Raises LookupError, Unavailable."""
        name = self.name_of(user)
        account = None if name is None else self._verifier.account(name, environ)
        if name is None or account is None:
            raise LookupError(f"no user {user!r} who may sign in")
        return name, account

    def _owner(self, environ: WSGIEnvironment, session: Session) -> str | None:
        """Whose logins those of this request are."""
        identity: Identity | None = environ.get("middleware.identity")
        if identity is None:
            login = kept_login.read(session.get(ACTOR) or session.get(LOGIN))
            return None if login is None else login.user
        user = identity.actor or identity.user
        return self.name_of(user) or user

    def _open(self, environ: WSGIEnvironment, login: KeptLogin) -> Session:
        """The session, given to this login under a new id."""
        text = kept_login.write(login)
        session = session_of(environ)
        if ACTOR in session:  # what it holds is of another user
            self._tell_the_end(environ, session, "login")
            session.invalidate()
        keep = self._keep if session.user is None else None
        session.login(login.user, label=environ.get("HTTP_USER_AGENT", ""), keep=keep)
        session.pop(AGAIN, None)
        session[LOGIN] = text
        return session

    def _login(self, at: float | None, factors: tuple[str, ...], user: str, account: Account) -> KeptLogin:
        key = os.urandom(16).hex()
        return KeptLogin(at, factors, key, self._verifier.proof(key, account.hash), user)

    def _identity(self, session: Session, login: KeptLogin, account: Account, actor: str | None = None) -> Identity:
        from middleware.auth.identity import Identity

        return Identity(
            login.user,
            self.name,
            name=account.name,
            roles=account.roles,
            authenticated_at=login.at,
            factors=login.factors,
            session=session.id,
            actor=actor,
        )

    def _account_of(self, environ: WSGIEnvironment, login: KeptLogin | Series) -> Account | None:
        """The account of a login, as long as it has the password that the login was made with."""
        account = self._verifier.account(login.user, environ)
        if account is None or not self._verifier.is_proof(login.key, login.proof, account.hash):
            return None
        return account

    def _standing(self, environ: WSGIEnvironment, session: Session, kept: object) -> Identity | None:
        login = kept_login.read(kept)
        acting = login is not None and login.factors == ACTING
        owner = kept_login.read(session.get(ACTOR)) if acting else login
        account = None if login is None else self._account_of(environ, login)
        reason = "account changed"
        if login is not None and account is not None and owner is not None:
            if not acting or self._account_of(environ, owner) is not None:
                reason = self._why_forgotten(environ, owner) or ""
            if not reason:
                return self._identity(session, login, account, actor=owner.user if acting else None)
        if login is not None:
            tell(environ, "session.ended", user=login.user, scheme=self.name, reason=reason)
        self._tell_the_end(environ, session, reason)
        session.invalidate()  # all of it: what it holds was that user's
        return None

    def _why_forgotten(self, environ: WSGIEnvironment, login: KeptLogin) -> str | None:
        """Why a login counts no more that was a remembered one; None where it counts, or was none."""
        if not login.mark or self._remembering is None:
            return None
        return self._remembering.why_over(environ, login.mark)

    def _tell_the_end(self, environ: WSGIEnvironment, session: Session, reason: str) -> None:
        """Tell that somebody ceases to act as another user, where that is so."""
        actor, login = kept_login.read(session.get(ACTOR)), kept_login.read(session.get(LOGIN))
        if actor is not None and login is not None:
            facts = {"scheme": self.name, "reason": reason, "actor": actor.user}
            tell(environ, "impersonation.end", user=login.user, **facts)

    def _recall(self, environ: WSGIEnvironment, session: Session, remembering: Remembering) -> Identity | None:
        """Whom the browser remembers, with a session from here on."""
        found: list[Account] = []

        def is_welcome(series: Series) -> bool:
            account = self._account_of(environ, series)
            found[:] = [] if account is None else [account]
            return account is not None

        used = remembering.recall(environ, is_welcome)
        if used is None:
            return None
        if used.is_theft:
            from middleware.auth.login.remembering import end_sessions

            end_sessions(session, used.user)
            tell(environ, "remember.theft", user=used.user, scheme=self.name)
            return None
        login = self._login(None, _REMEMBERED, used.user, found[0])._replace(mark=used.mark)
        try:
            self._open(environ, login)
        except TooManySessions:
            return None
        if not remembering.still_counts(environ, used.user):  # a logout of all that was faster has not seen the session
            session.invalidate()
            return None
        tell(environ, "remember.used", user=used.user, scheme=self.name, reason="again" if used.is_again else None)
        return self._identity(session, login, found[0])
