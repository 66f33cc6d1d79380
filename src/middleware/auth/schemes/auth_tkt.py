"""Logins kept in a ticket of mod_auth_tkt, which Paste, repoze.who, Pyramid and Apache read and write too.

All that a ticket says is in the cookie, signed. So nothing is stored, and nothing can be called back: a ticket that was
copied is good until it is too old. Who can choose takes SessionLogin.
"""

from __future__ import annotations

import time

from middleware.auth.identity import Identity
from middleware.auth.login.next_url import next_of, safe_next
from middleware.auth.telling import tell, tell_of_login
from middleware.auth.tickets.codec import ANYWHERE, DIGESTS, Ticket, read_ticket, write_ticket
from middleware.auth.tickets.compat import OldNames
from middleware.auth.tickets.cookie import TicketCookie
from middleware.auth.tickets.terms import Terms, max_age_of, split_data, with_max_age
from middleware.auth.users import check_users
from middleware.cookies.options import CookieOptions
from middleware.errors import ConfigurationError
from middleware.headers import quoted
from middleware.made_once import made_once
from middleware.operators import say_once
from middleware.options import a_switch, check_clock
from middleware.signing import check_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Literal
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from middleware.auth.schemes.base import Freshness, Refused
    from middleware.auth.tickets.codec import Read
    from middleware.auth.users import Account, Users
    from middleware.auth.verification import Verifier
    from middleware.signing import Secret

_COOKIE = CookieOptions("auth_tkt")


class AuthTkt:
    """Logins in a signed ticket, as mod_auth_tkt, Paste, repoze.who and Pyramid have them.

    `secret`: as in `check_secrets`; the last of a list signs. `timeout`: seconds that a ticket is good. `digest`:
    `"sha512"`, `"sha256"` or `"md5"`, by which tickets are written, and read; `also_reads`: further ones that are read,
    and then replaced. `reissue_time`: a ticket that is older, in seconds, is replaced, so that `timeout` counts from
    the last request. `absolute_timeout`: seconds that a login lasts, however often its ticket was replaced.
    `include_ip`: a ticket holds for one REMOTE_ADDR. `cookie`: its name (`auth_tkt`) and attributes.

    `users`: a source as for `Basic`, which is asked for every request: who is unknown or disabled there is nobody, and
    roles are those of the account. Without it the tokens of a ticket are the roles. `login_page`: the path of the page
    where the application signs people in, with the way back in `next_field` of its query. `compat`: what old
    applications find in environ: `"remote_user_tokens"`, `"paste.auth_tkt"`, `"repoze.who"`. `clock`: seconds since
    1970.

    Raises ConfigurationError, and MissingExtra for stored passwords that need a package which is not installed.
    """

    name = "auth_tkt"
    auth_type = "auth_tkt"
    reads = ("Cookie",)
    freshness: Freshness = "never"
    sets_cookies = True

    def __init__(
        self,
        *,
        secret: Secret,
        timeout: float,
        digest: Literal["md5", "sha256", "sha512"] = "sha512",
        also_reads: Iterable[Literal["md5", "sha256", "sha512"]] = (),
        reissue_time: float | None = None,
        absolute_timeout: float | None = None,
        include_ip: bool = False,
        cookie: CookieOptions = _COOKIE,
        users: Users | None = None,
        login_page: str | None = None,
        next_field: str = "next",
        compat: Iterable[Literal["remote_user_tokens", "paste.auth_tkt", "repoze.who"]] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = check_secrets(secret)
        self._terms = Terms(timeout, reissue_time, absolute_timeout)
        self._digests = _digests(digest, also_reads)
        self._cookie = TicketCookie(cookie)
        self._old_names = OldNames(compat, self._begin, self._end)
        if login_page is not None and not _is_path(login_page):
            raise ConfigurationError(f"login_page= is a path of this site, not {login_page!r}")
        if not isinstance(next_field, str) or not next_field.isascii() or not next_field.isidentifier():
            raise ConfigurationError(f"next_field= is a name of letters, digits and underscores, not {next_field!r}")
        if users is not None:
            check_users(users)
        self.pages: Mapping[str, WSGIApplication] = {}
        self._include_ip = a_switch("include_ip", include_ip)
        self._users = users
        self._login_page = login_page
        self._next_field = next_field
        check_clock(clock)
        self._clock = clock
        self._challenges = ("Ticket" if login_page is None else f"Ticket login={quoted(login_page)}",)

    @made_once
    def _verifier(self) -> Verifier:
        from middleware.auth.verification import Verifier

        assert self._users is not None
        return Verifier(self._users, self._clock)

    def receive(self, environ: WSGIEnvironment, /) -> None:
        """Remove what a server may have set, and put there what old applications call."""
        self._old_names.receive(environ)

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | None:
        """Whose ticket this is: of several good ones the newest counts, bad and old ones are deleted.

        Raises Unavailable.
        """
        values = self._cookie.values(environ)
        if not values:
            return None
        now, address = self._clock(), self._address(environ)
        found = [read_ticket(value, self._secrets, self._digests, address) for value in values]
        good = [read for read in found if read is not None and self._terms.is_good(read.ticket, now)]
        read = max(good, key=lambda each: each.ticket.at, default=None)
        identity = None if read is None else self._identity_of(environ, read.ticket)
        if read is None or identity is None:
            self._cookie.delete(environ)
            return None
        self._renew(environ, read, now, alone=len(values) == 1)
        self._old_names.tell(environ, identity)
        return identity

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> tuple[str, ...]:  # noqa: ARG002
        """For programs: where a person signs in. No browser asks for a password when it sees this."""
        return self._challenges

    def login_url(self, environ: WSGIEnvironment, /) -> str | None:
        """The login page of the application, with the way back to this request; None where this is the page itself."""
        page = self._login_page
        wanted = None if page is None else next_of(environ)
        if page is None or wanted is None:
            return page
        if wanted.partition("?")[0] == page:
            return None  # the rules hide it, and a redirect would lead here again
        from urllib.parse import quote

        return f"{page}?{self._next_field}={quote(wanted, safe='/')}"

    def remember(
        self,
        environ: WSGIEnvironment,
        user: str,
        /,
        *,
        persistent: bool = False,
        factors: Iterable[str] = ("pwd",),  # noqa: ARG002 - a ticket does not say
    ) -> Identity:
        """Begin a login. One that is persistent outlives the browser, for `timeout` seconds.

        Raises LookupError for a user who is unknown to `users` or disabled, ValueError for one whom no ticket can name,
        CookieTooLarge, Unavailable.
        """
        return self._identity(*self._signed_in(environ, user, (), "", int(self._terms.timeout) if persistent else None))

    def forget(self, environ: WSGIEnvironment, /, *, everywhere: bool = False) -> None:
        """End the login in this browser. Raises RuntimeError for `everywhere`: no ticket can be called back."""
        if everywhere:
            raise RuntimeError(
                "tickets that are elsewhere cannot be called back: they end with timeout=, with the account in users=, "
                "or with secret="
            )
        self._cookie.delete(environ)
        self._old_names.clear(environ)

    def form_token(self, environ: WSGIEnvironment, /) -> str:  # noqa: ARG002 - no page of ours takes a form
        """Empty."""
        return ""

    def _identity_of(self, environ: WSGIEnvironment, ticket: Ticket) -> Identity | None:
        """Whom this ticket names; None where the source of users does not know them any more."""
        account = self._account(environ, ticket.user)
        return None if account is None and self._users is not None else self._identity(ticket, account)

    def _identity(self, ticket: Ticket, account: Account | None) -> Identity:
        return Identity(
            ticket.user if account is None else self._name(ticket.user),
            self.name,
            name=None if account is None else account.name,
            roles=ticket.tokens if account is None else account.roles,
            expires_at=self._terms.ends_at(ticket),
            factors=("ticket",),
            claims={
                "userid": ticket.typed_user,
                "tokens": ticket.tokens,
                "userdata": split_data(ticket.data)[0],
                "timestamp": ticket.at,
            },
        )

    def _account(self, environ: WSGIEnvironment, user: str) -> Account | None:
        return None if self._users is None else self._verifier.account(user, environ)

    def _name(self, user: str) -> str:
        """The name in the spelling of the source, whose account it is."""
        return self._verifier.name_of(user) or user

    def _renew(self, environ: WSGIEnvironment, read: Read, now: float, *, alone: bool) -> None:
        """Replace a ticket that is old enough, or was made with another digest or secret than new ones are."""
        ticket = read.ticket
        is_old = self._terms.is_old(ticket, now)
        if not is_old and read.digest == self._digests[0] and read.secret == len(self._secrets) - 1:
            return
        try:
            max_age = max_age_of(ticket)
            value = self._written(environ, self._terms.renewed(ticket, int(now) if is_old else ticket.at))
        except ValueError:  # it would be too large
            return
        self._cookie.put(environ, value, max_age, alone=alone)

    def _signed_in(
        self, environ: WSGIEnvironment, user: str, tokens: Iterable[str], data: str, max_age: int | None
    ) -> tuple[Ticket, Account | None]:
        """The ticket of a login that begins, on its way to the browser, and the account."""
        kept = [token for token in tokens if token]
        account = self._account(environ, user)
        if account is None and self._users is not None:
            raise LookupError(f"no user {user!r} who may sign in")
        if account is not None:
            user = self._name(user)
        if account is not None and not kept:  # for other readers: the roles that a ticket can tell
            kept = [role for role in sorted(account.roles) if role.isprintable() and not set(role) & set("!,")]
        ticket = Ticket(user, at=int(self._clock()), tokens=kept, data=with_max_age(data, max_age))
        self._cookie.put(environ, self._written(environ, ticket), max_age)
        return ticket, account

    def _begin(
        self, environ: WSGIEnvironment, user: str, tokens: Iterable[str], data: str, max_age: int | None
    ) -> None:
        """For old names: a login from the next request on."""
        self._signed_in(environ, user, tokens, data, max_age)
        tell_of_login(environ, user, self.name)

    def _end(self, environ: WSGIEnvironment) -> None:
        """For old names: no login from the next request on."""
        identity: Identity | None = environ.get("middleware.identity")
        self._cookie.delete(environ)
        tell(environ, "logout", user=None if identity is None else identity.user, scheme=self.name)

    def _address(self, environ: WSGIEnvironment) -> str:
        return environ.get("REMOTE_ADDR", "") if self._include_ip else ANYWHERE

    def _written(self, environ: WSGIEnvironment, ticket: Ticket) -> str:
        value = write_ticket(ticket, self._secrets[-1], self._digests[0], self._address(environ))
        self._cookie.check(value)
        return value


def _is_path(page: object) -> bool:
    return isinstance(page, str) and page[:1] == "/" and safe_next(page, "") is not None and "?" not in page


def _digests(digest: object, also_reads: Iterable[object]) -> tuple[str, ...]:
    given = (digest, *((also_reads,) if isinstance(also_reads, str) else also_reads))
    for each in given:
        if each not in DIGESTS:
            raise ConfigurationError(f"a digest of tickets is {', '.join(DIGESTS)}, not {each!r}")
    if "md5" in given:
        say_once(
            "AuthTkt takes tickets signed with md5, as mod_auth_tkt and Paste make them: where they need not read ours "
            'any more, say digest="sha512", with also_reads=["md5"] until the last old ticket has ended',
            logger="middleware.auth",
        )
    return tuple(dict.fromkeys(map(str, given)))
