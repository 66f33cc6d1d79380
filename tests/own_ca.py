"""A certificate authority of the tests' own, and the forms in which servers hand its certificates on."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = 1_790_000_000.0  # in September 2026
DAY = 86_400

_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
EMAIL, DNS, URI = x509.RFC822Name, x509.DNSName, x509.UniformResourceIdentifier


class Authority:
    """Signs whatever it is asked to."""

    def __init__(self, name="Staff CA"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = distinguished(name)
        self.certificate = self._signed(self.name, self.key.public_key(), ca=True)

    def issue(self, *common_names, san=(), begins=NOW - DAY, ends=NOW + DAY, key=None, extensions=()):
        """A certificate, whatever names it has."""
        public = (key or a_key()).public_key()
        return self._signed(distinguished(*common_names), public, san=san, begins=begins, ends=ends, more=extensions)

    def _signed(self, subject, public, *, san=(), begins=0.0, ends=4e9, ca=False, more=()):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_moment(begins))
            .not_valid_after(_moment(ends))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if ca:
            builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
        if san:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(san)), critical=False)
        for extension in more:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, SHA256())


@cache
def authority():
    """One for all tests of a process: keys take time."""
    return Authority()


@cache
def a_key():
    return ec.generate_private_key(ec.SECP256R1())


def _moment(seconds):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def distinguished(*common_names):
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc.")
    return x509.Name([organization, *(x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names)])


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


def pem(certificate):
    """As mod_ssl, cheroot and werkzeug have it in SSL_CLIENT_CERT."""
    return certificate.public_bytes(Encoding.PEM).decode()


def write_with_key(folder, name, certificate, key):
    """The paths of the certificate and its private key, as programs take them."""
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_text(pem(certificate))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def escaped(certificate):
    """As nginx has it in `$ssl_client_escaped_cert`."""
    return quote(pem(certificate), safe="-")


def tabbed(certificate):
    """As nginx has it in `$ssl_client_cert`."""
    return pem(certificate).strip().replace("\n", "\n\t")


def client_cert(certificate):
    """As the field Client-Cert has it (RFC 9440)."""
    return f":{b64encode(der(certificate)).decode()}:"


def bare(certificate):
    return b64encode(der(certificate)).decode()
