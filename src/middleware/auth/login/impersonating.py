"""Acting as another user: a login that is lent to whoever is signed in, until they give it back or it ends."""

from __future__ import annotations

from middleware.auth.login import kept_login
from middleware.auth.login.kept_login import ACTING, ACTOR, LOGIN, session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.schemes.session_login import SessionLogin
    from middleware.sessions import Session


def begin(scheme: SessionLogin, environ: WSGIEnvironment, user: str) -> Identity:
    """As `SessionLogin.impersonate` says."""
    session = session_of(environ)
    actor = scheme.standing_login(environ, session)
    identity: Identity | None = environ.get("middleware.identity")
    known = None if identity is None else (identity.scheme, identity.user)
    if actor is None or known not in (None, (scheme.name, actor.user)):  # who is known by another scheme is not
        raise RuntimeError("nobody is signed in here who could act as somebody else")
    if ACTOR in session:
        raise RuntimeError(f"somebody acts as {actor.user!r} already: stop_impersonating() first")
    name, account = scheme._named(environ, user)
    if actor.user == name:
        raise ValueError(f"{user!r} is who is signed in")
    acting = scheme._login(None, ACTING, name, account)
    _exchange(environ, session, actor.user)
    session[LOGIN] = kept_login.write(acting)
    session[ACTOR] = kept_login.write(actor)
    return scheme._identity(session, acting, account, actor=actor.user)


def end(scheme: SessionLogin, environ: WSGIEnvironment) -> Identity:
    """As `SessionLogin.stop_impersonating` says."""
    session = session_of(environ)
    actor = kept_login.read(session.get(ACTOR))
    if actor is None:
        raise RuntimeError("nobody acts as another user here")
    account = scheme._account_of(environ, actor)
    if account is None:
        session.invalidate()
        raise LookupError(f"no user {actor.user!r} who may sign in")
    _exchange(environ, session, actor.user)
    session[LOGIN] = kept_login.write(actor)
    return scheme._identity(session, actor, account)


def _exchange(environ: WSGIEnvironment, session: Session, user: str) -> None:
    """Another session of the same user in the place of this one."""
    session.invalidate()
    session.login(user, label=environ.get("HTTP_USER_AGENT", ""))
