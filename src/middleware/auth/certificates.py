"""Whose a client certificate is. Needs the `crypto` extra: loaded with the first certificate.

The rule: a name comes from the certificate itself, never from the text of a distinguished name that a server made of
it, and only where there is one candidate and no other. Whatever is wrong with a certificate refuses it.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from middleware.auth.certificate_forms import der_of
from middleware.auth.names import normal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Facts = tuple[x509.Certificate, list[tuple[str, str]], list[str], str, float, float]
    UserFrom = str | Callable[[x509.Certificate], str | None]
    Roles = Mapping[str, str | Iterable[str]] | Callable[[x509.Certificate], str | Iterable[str]]

_ALTERNATIVE: Mapping[str, type[x509.RFC822Name | x509.DNSName | x509.UniformResourceIdentifier]] = {
    "san:email": x509.RFC822Name,
    "san:dns": x509.DNSName,
    "san:uri": x509.UniformResourceIdentifier,
}


class Holder:
    """Whose a certificate is: what an Identity is made of."""

    __slots__ = ("expires_at", "fingerprint", "issuer", "roles", "user")

    def __init__(self, user: str, roles: frozenset[str], issuer: str, fingerprint: str, expires_at: float) -> None:
        self.user = user
        self.roles = roles
        self.issuer = issuer
        self.fingerprint = fingerprint
        self.expires_at = expires_at


def holder_of(text: str, user_from: UserFrom, roles: Roles, now: float) -> Holder | str:
    """Whose the certificate is that `text` hands on; else the word for why it is refused.

    `malformed`: not a certificate, or not one that can be read whole. `not yet valid`, `expired`: by its own dates.
    `no name`, `several names`: for `user_from`. `bad name`: RFC 8265 has no such name, or it could be taken for two.
    """
    der = der_of(text)
    facts = None if der is None else _facts(der)
    if facts is None:
        return "malformed"
    certificate, alternatives, common_names, issuer, begins, ends = facts
    if now < begins:
        return "not yet valid"
    if now > ends:
        return "expired"
    fingerprint = certificate.fingerprint(SHA256()).hex()
    if callable(user_from):
        named = _called(user_from, certificate)
        candidates = [] if named is None else [named]
    elif user_from == "fingerprint":
        candidates = [fingerprint]
    elif user_from == "cn":
        candidates = common_names
    else:
        candidates = [value for kind, value in alternatives if kind == user_from]
    if len(candidates) != 1:
        return "several names" if candidates else "no name"
    is_free = callable(user_from) or user_from == "cn"
    user = _name(candidates[0]) if is_free else normal_name(candidates[0])
    if user is None:
        return "bad name"
    return Holder(user, _roles(roles, certificate, alternatives, issuer), issuer, fingerprint, ends)


@lru_cache(maxsize=128)  # a connection brings its certificate with each request: 55 us in place of 125
def _facts(der: bytes) -> Facts | None:
    """The certificate with its alternative names, common names, issuer and dates; None where one cannot be read.

    cryptography reads each part when it is first asked for, so that all are asked for here, where an error is caught.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        alternatives: list[tuple[str, str]] = []
        for extension in certificate.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                for form, kind in _ALTERNATIVE.items():
                    alternatives += ((form, value) for value in extension.value.get_values_for_type(kind))
        common = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        names = [value if isinstance(value, str) else value.decode() for value in common]
        issuer = certificate.issuer.rfc4514_string()
        begins = certificate.not_valid_before_utc.timestamp()
        return certificate, alternatives, names, issuer, begins, certificate.not_valid_after_utc.timestamp()
    except Exception:  # noqa: BLE001 - the bytes are the client's: of many kinds of error none is ours
        return None


def _called(user_from: Callable[[x509.Certificate], str | None], certificate: x509.Certificate) -> str | None:
    """What the site's own rule says. Where it looks for what this certificate has not, there is no name."""
    try:
        return user_from(certificate)
    except (LookupError, x509.ExtensionNotFound, x509.AttributeNotFound):
        return None


def _name(candidate: str) -> str | None:
    """A name of RFC 8265, of several parts with a space between (section 3.5): people are called `Ann Smith`.

    `ann/CN=root` is one name here, and two to who reads distinguished names as text.
    """
    if "=" in candidate.partition("/")[2]:
        return None
    parts = [normal_name(part) for part in candidate.split(" ")]
    return " ".join(part for part in parts if part is not None) if None not in parts else None


def _roles(
    roles: Roles, certificate: x509.Certificate, alternatives: list[tuple[str, str]], issuer: str
) -> frozenset[str]:
    if callable(roles):
        try:
            return frozenset(_listed(roles(certificate)))
        except (LookupError, x509.ExtensionNotFound, x509.AttributeNotFound):
            return frozenset()
    keys = [f"issuer:{issuer}", *(f"{form}:{value}" for form, value in alternatives)]
    return frozenset(role for key in keys for role in _listed(roles.get(key, ())))


def _listed(roles: str | Iterable[str]) -> Iterable[str]:
    return (roles,) if isinstance(roles, str) else roles
