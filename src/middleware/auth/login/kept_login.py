"""A login as the session keeps it: one line of text. No I/O but the session of the request.

What is kept is the name, what was proved and when, and a digest of the stored password under a random key: a login ends
with the password that it was made with. Where a remembered login has opened the session, it ends also with that.
"""

from __future__ import annotations

from collections import namedtuple

from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
    from wsgiref.types import WSGIEnvironment

    from middleware.sessions import Session

    class KeptLogin(NamedTuple):
        """A login. `at` is None where nobody proved in person who this is."""

        at: float | None
        factors: tuple[str, ...]
        key: str
        """Under which `proof` is the digest of the stored password."""
        proof: str
        user: str
        mark: str = ""
        """Of the exchange of a remembered login that opened the session; empty for other logins."""
else:
    KeptLogin = namedtuple("KeptLogin", ("at", "factors", "key", "proof", "user", "mark"), defaults=("",))  # noqa: PYI024

# Keys of the session.
LOGIN = "middleware.auth"
ACTOR = "middleware.auth.actor"  # the login of whoever acts as the user of LOGIN
AGAIN = "middleware.auth.again"  # whether the form asks the user of LOGIN to sign in again

ACTING = ("impersonation",)  # the factors of a login by which somebody acts as another user


def write(login: KeptLogin) -> str:
    """As the session keeps it. Raises ValueError for factors that are no words."""
    for factor in login.factors:
        if not isinstance(factor, str) or not factor.isascii() or not factor.isalnum():
            raise ValueError(f'a factor is a word of letters and digits, such as "pwd" or "otp", not {factor!r}')
    at = "-" if login.at is None else repr(float(login.at))
    return f"{at} {','.join(login.factors)} {login.key} {login.proof} {login.mark or '-'} {login.user}"


def read(kept: object) -> KeptLogin | None:
    """What `write` wrote; None for anything else."""
    parts = kept.split(" ", 5) if isinstance(kept, str) else []
    if len(parts) != 6:
        return None
    at, factors, key, proof, mark, user = parts
    proved = tuple(factors.split(",")) if factors else ()
    try:
        return KeptLogin(None if at == "-" else float(at), proved, key, proof, user, "" if mark == "-" else mark)
    except ValueError:
        return None


def session_of(environ: WSGIEnvironment) -> Session:
    """The session of this request. Raises LayerMissing."""
    try:
        session: Session = environ["middleware.session"]
    except KeyError:
        raise LayerMissing(
            "SessionLogin keeps logins in the session: write app = SessionMiddleware(app, ...) below the line with "
            "AuthMiddleware"
        ) from None
    return session
