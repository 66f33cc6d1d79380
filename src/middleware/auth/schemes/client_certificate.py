"""The holder of a client certificate: from the server that ended TLS, or from a proxy that did. The `crypto` extra."""

from __future__ import annotations

import time

from middleware.auth.identity import Identity
from middleware.auth.option_checks import check_roles
from middleware.auth.proof import Field, Proof
from middleware.auth.schemes.base import Refused
from middleware.auth.telling import tell
from middleware.errors import ConfigurationError, MissingExtra
from middleware.operators import say_once
from middleware.options import a_switch, check_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.certificates import Roles, UserFrom
    from middleware.auth.schemes.base import Freshness
    from middleware.signing import Secret

_KEPT = "middleware.auth.certificate"
_ABSENT = (None, "", "NONE", "(null)")  # the last is Apache's word for a variable that is not there
_KINDS = ("issuer:", "san:email:", "san:dns:", "san:uri:")
_NAMES = ("san:email", "san:dns", "san:uri", "cn", "fingerprint")

# RFC 9440, section 2.2: of the application's own, and none of a client's.
_STANDARD = (Field("Client-Cert", "header"), Field("Client-Cert-Chain", "header"))


class ClientCertificate:
    """The holder of a client certificate (TLS), whom the server or a proxy has verified.

    `user_from`: where the name stands in the certificate, `"san:email"`, `"san:dns"`, `"san:uri"` (its alternative
    names), `"cn"` or `"fingerprint"` (SHA-256, hexadecimal); or a callable that takes the certificate, a
    `cryptography.x509.Certificate`, and gives a name or None. There must be exactly one. `roles`: a mapping, of
    `"issuer:CN=Staff CA,O=Example"` (RFC 4514) and `"san:dns:build.example.com"` for example, to roles; or a callable
    that takes the certificate.

    By default the certificate is what the server says, in SSL_CLIENT_VERIFY and SSL_CLIENT_CERT (mod_ssl, cheroot,
    nginx by FastCGI or uwsgi). `header`: the field in which a proxy sends it, Client-Cert (RFC 9440), or one with PEM
    or escaped PEM and `verify_header`, which must say SUCCESS; believed with `peers`, `secret` and `secret_header` as
    by TrustedHeader. `require_verify=False`: for a server or proxy that hands on none that it has not verified, and
    does not say so. `clock`: seconds since 1970; the dates of a certificate are judged again.

    Raises ConfigurationError, and MissingExtra without the package cryptography.
    """

    name = "certificate"
    auth_type = "certificate"
    freshness: Freshness = "always"

    def __init__(
        self,
        user_from: UserFrom,
        *,
        roles: Roles | None = None,
        header: str | None = None,
        verify_header: str | None = None,
        peers: Sequence[str] | None = None,
        secret: Secret | None = None,
        secret_header: str = "X-Proxy-Secret",  # noqa: S107 - the name of a field
        require_verify: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if user_from not in _NAMES and not callable(user_from):
            raise ConfigurationError(f"user_from= is one of {', '.join(_NAMES)}, or a callable, not {user_from!r}")
        check_roles(roles)
        for key in getattr(roles, "keys", tuple)():
            if not isinstance(key, str) or not key.startswith(_KINDS):
                raise ConfigurationError(
                    f"roles= maps an issuer or an alternative name, issuer:CN=Staff CA or {_KINDS[1]}ann@example.com, "
                    f"and not {key!r}"
                )
        self._check_package()
        self._user_from = user_from
        self._roles: Roles = {} if roles is None else roles
        check_clock(clock)
        self._clock = clock
        self._header = None if header is None else Field(header, "header")
        self._verify_header = None if verify_header is None else Field(verify_header, "verify_header")
        self._proof = None if header is None else Proof("ClientCertificate", peers, secret, secret_header)
        self.reads = self._fields()
        self._must_say = verify_header is not None or (header is None and a_switch("require_verify", require_verify))
        if header is None:
            if verify_header is not None or peers is not None or secret is not None:
                raise ConfigurationError(
                    "verify_header=, peers= and secret= are for a certificate that a proxy sends: name its header="
                )
        elif verify_header is None and require_verify and header.lower() != "client-cert":
            raise ConfigurationError(
                f"nothing says that the proxy has verified what it sends in {header}: name the field that does by "
                "verify_header=, or say require_verify=False where it sends none that it has not verified"
            )

    def _fields(self) -> tuple[str, ...]:
        if self._header is None or self._proof is None:
            return ("*",)  # a connection is no field of the request
        named = [field.name for field in (self._header, self._verify_header) if field is not None]
        fields = (*named, *self._proof.fields)
        if len({field.lower() for field in fields}) != len(fields):
            raise ConfigurationError(f"ClientCertificate needs a field for each: {', '.join(fields)}")
        return fields

    def _check_package(self) -> None:
        try:
            import cryptography  # noqa: F401 - asked for, not used
        except ImportError:
            raise MissingExtra(
                "ClientCertificate reads certificates with the package cryptography: "
                "pip install 'wsgi-middleware[crypto]'"
            ) from None

    def receive(self, environ: WSGIEnvironment, /) -> None:
        """Take the fields out of environ, and keep what they say where it is proved."""
        environ.pop(_KEPT, None)  # of a layer outside of this one
        if self._header is not None and self._proof is not None:
            missing = self._proof.missing(environ)
            verified = self._verify_header.take(environ) if self._verify_header is not None else None
            certificate = self._header.take(environ)
            if certificate is not None or verified is not None:
                if missing is None:
                    environ[_KEPT] = (certificate, verified)
                else:
                    tell(environ, "proxy.untrusted", scheme=self.name, reason=missing)
        for field in _STANDARD:
            field.take(environ)

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
        """Whose certificate came with the connection."""
        if self._header is not None:
            certificate, verified = environ.get(_KEPT, (None, None))
        else:
            certificate, verified = environ.get("SSL_CLIENT_CERT"), environ.get("SSL_CLIENT_VERIFY")
        if verified in _ABSENT:
            if self._must_say or verified == "NONE":
                return None
        elif verified != "SUCCESS":
            return Refused("not verified")
        if certificate not in _ABSENT:
            return self._holder(certificate)
        if verified and self._header is None:
            _miss_the_certificate()
        return None

    def _holder(self, certificate: str) -> Identity | Refused:
        from middleware.auth.certificates import holder_of

        now = self._clock()
        holder = holder_of(certificate, self._user_from, self._roles, now)
        if isinstance(holder, str):
            return Refused(holder)
        return Identity(
            holder.user,
            self.name,
            authenticated_at=now,
            issuer=holder.issuer,
            roles=holder.roles,
            claims={"fingerprint": holder.fingerprint},
            expires_at=holder.expires_at,
            factors=("cert",),
        )

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]:  # noqa: ARG002
        """None: a certificate is asked for in the handshake of TLS."""
        return ()


def _miss_the_certificate() -> None:
    say_once(
        "the server has verified a client certificate and does not hand it on: "
        "SSLOptions +StdEnvVars +ExportCertData for mod_ssl, SSL_CLIENT_CERT $ssl_client_escaped_cert for nginx",
        logger="middleware.auth",
    )
