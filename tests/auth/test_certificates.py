"""Whose a client certificate is: the forms that servers hand on, and the names in it. CRT-1 to CRT-3."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from own_ca import DAY, DNS, EMAIL, NOW, URI, authority, bare, client_cert, der, escaped, pem, tabbed

from middleware.auth.certificate_forms import LONGEST, der_of
from middleware.auth.certificates import holder_of

ANN = (EMAIL("ann@example.com"), DNS("ann.example.com"), URI("spiffe://example.com/ann?team=a"))
SPACED = "spaces for line ends"

FORMS = {
    "PEM": pem,
    "PEM with Windows' line ends": lambda certificate: pem(certificate).replace("\n", "\r\n"),
    "PEM behind tabs": tabbed,
    SPACED: lambda certificate: pem(certificate).replace("\n", " "),
    "percent-encoded PEM": escaped,
    "percent-encoded PEM with plus signs as they are": lambda certificate: escaped(certificate).replace("%2B", "+"),
    "a byte sequence": client_cert,
    "base64": bare,
    "white space round it": lambda certificate: f" {client_cert(certificate)}\t",
}


@pytest.fixture(scope="module")
def ann():
    return authority().issue("Ann Smith", san=ANN)


@pytest.fixture(scope="module")
def whole(ann):
    return der(ann)


def held(certificate, user_from="cn", roles=None, now=NOW):
    return holder_of(pem(certificate), user_from, roles or {}, now)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_in_which_a_server_hands_a_certificate_on_is_read(ann, form):
    assert der_of(form(ann)) == der(ann)


NO_FORMS = {
    "nothing": lambda text: "",
    "white space": lambda text: " \t",
    "a word": lambda text: "(null)",
    "half of it": lambda text: text[: len(text) // 2],
    "without its end": lambda text: text.replace("-----END CERTIFICATE-----", ""),
    "text before it": lambda text: f"subject=ann {text}",
    "text after it": lambda text: f"{text} and more",
    "two of them": lambda text: text + text,
    "two of them in one field": lambda text: f"{text}, {text}",
    "a key": lambda text: text.replace("CERTIFICATE", "PRIVATE KEY"),
    "URL-safe base64": lambda text: text.replace("M", "-"),
    "padding in the middle": lambda text: text.replace("MII", "M=I"),
    "letters beyond ASCII": lambda text: text.replace("MII", "MÎI"),
    "half an escape": lambda text: text.replace("-----BEGIN ", "-----BEGIN%2"),
    "an escape that is none": lambda text: text.replace("-----BEGIN ", "-----BEGIN%zz"),
    "an escaped byte that is no UTF-8": lambda text: text.replace("-----BEGIN ", "-----BEGIN%20").replace("MII", "%FF"),
    "too much": lambda text: text.replace("MII", "A" * LONGEST + "MII"),
}


@pytest.mark.parametrize("spoil", NO_FORMS.values(), ids=NO_FORMS)
def test_what_is_not_one_whole_certificate_in_a_known_form_is_none(ann, spoil):
    assert der_of(spoil(pem(ann))) is None


@pytest.mark.parametrize("spoil", [lambda text: text[:-1], lambda text: f"{text}, {text}", lambda text: f"{text};a=1"])
def test_a_byte_sequence_is_exactly_one(ann, spoil):
    assert der_of(spoil(client_cert(ann))) is None


@pytest.mark.parametrize(
    ("user_from", "user"),
    [
        ("cn", "Ann Smith"),
        ("san:email", "ann@example.com"),
        ("san:dns", "ann.example.com"),
        ("san:uri", "spiffe://example.com/ann?team=a"),
    ],
)
def test_the_name_is_taken_from_the_certificate(ann, user_from, user):
    assert held(ann, user_from).user == user


def test_a_fingerprint_is_that_of_sha_256(ann):
    assert held(ann, "fingerprint").user == held(ann).fingerprint == sha256(der(ann)).hexdigest()


def test_a_site_may_have_a_rule_of_its_own(ann):
    assert held(ann, lambda certificate: f"no-{certificate.version.name}").user == "no-v3"


@pytest.mark.parametrize(
    "rule",
    [
        lambda certificate: None,
        lambda certificate: certificate.subject.get_attributes_for_oid(NameOID.USER_ID)[0].value,
        lambda certificate: certificate.extensions.get_extension_for_class(x509.KeyUsage) and "ann",
    ],
    ids=["says so", "no such attribute", "no such extension"],
)
def test_a_rule_that_finds_nothing_finds_nobody(ann, rule):
    assert held(ann, rule) == "no name"


def test_an_error_in_the_rule_of_a_site_is_an_error():
    with pytest.raises(ZeroDivisionError):
        held(authority().issue("ann"), lambda certificate: 1 / 0)


NAMELESS = [
    ("cn", (), (), "no name"),
    ("cn", ("ann", "root"), (), "several names"),
    ("cn", ("ann", "ann"), (), "several names"),
    ("san:email", ("ann",), (), "no name"),
    ("san:email", ("ann",), (DNS("ann.example.com"),), "no name"),
    ("san:email", ("ann",), (EMAIL("ann@example.com"), EMAIL("root@example.com")), "several names"),
    ("san:dns", ("ann",), (DNS("a.example.com"), DNS("b.example.com")), "several names"),
    ("san:uri", ("ann",), (URI("urn:a"), URI("urn:b")), "several names"),
    ("cn", ("ann\0.example.com",), (), "bad name"),
    ("cn", ("root\0",), (), "bad name"),
    ("san:email", ("ann",), (EMAIL("root@example.com\0.evil.example"),), "bad name"),
    ("san:dns", ("ann",), (DNS("example.com\0.evil.example"),), "bad name"),
    ("cn", ("ann/CN=root",), (), "bad name"),
    ("cn", ("/CN=ann/CN=root",), (), "bad name"),
    ("cn", ("ann\nroot",), (), "bad name"),
    ("cn", ("Ann  Smith",), (), "bad name"),
    ("cn", (" ann",), (), "bad name"),
    ("cn", ("an\u200bn",), (), "bad name"),
    ("san:email", ("ann",), (EMAIL("ann root@example.com"),), "bad name"),
]


@pytest.mark.parametrize(("user_from", "common_names", "san", "why"), NAMELESS)
def test_a_certificate_without_exactly_one_good_name_names_nobody(user_from, common_names, san, why):
    assert held(authority().issue(*common_names, san=san), user_from) == why


def test_the_spelling_of_a_name_is_that_of_rfc_8265():
    assert held(authority().issue("Ja\u0308so\u0308n \uff21nn")).user == "Jäsön Ann"


@pytest.mark.parametrize(
    ("now", "why"),
    [(NOW - DAY - 1, "not yet valid"), (NOW + DAY + 1, "expired")],
)
def test_the_dates_of_a_certificate_are_judged_again(ann, now, why):
    assert held(ann, now=now) == why
    assert held(ann, now=NOW - DAY).user
    assert held(ann, now=NOW + DAY).expires_at == NOW + DAY


def test_roles_go_by_the_issuer_and_by_alternative_names(ann):
    roles = {
        "issuer:CN=Staff CA,O=Example\\, Inc.": ["staff"],
        "san:dns:ann.example.com": ["operator", "reader"],
        "san:email:bob@example.com": ["admin"],
        "cn:Ann Smith": ["never"],
    }
    assert held(ann, roles=roles).roles == {"staff", "operator", "reader"}
    assert held(ann).roles == set()
    assert held(ann).issuer == "CN=Staff CA,O=Example\\, Inc."


def test_roles_may_be_a_rule_of_the_sites_own(ann):
    assert held(ann, roles=lambda certificate: [certificate.version.name]).roles == {"v3"}
    assert held(ann, roles=lambda certificate: [certificate.extensions[99]]).roles == set()


def doubled(certificate):
    """The certificate with its extension of alternative names replaced by a second one of basic constraints."""
    san, constraints = b"\x06\x03\x55\x1d\x11", b"\x06\x03\x55\x1d\x13"
    assert der(certificate).count(san) == 1
    return der(certificate).replace(san, constraints)


BROKEN = {
    "no DER": lambda certificate: b"ann",
    "cut off": lambda certificate: der(certificate)[:-1],
    "something behind it": lambda certificate: der(certificate) + b"\0",
    "an extension twice": doubled,
    "alternative names that are none": lambda certificate: der(certificate).replace(b"ann@example.com", b"\xff" * 15),
    "an organization that is no UTF-8": lambda certificate: der(certificate).replace(b"Example, Inc.", b"\xff" * 13),
    "a date that is none": lambda certificate: der(certificate).replace(b"\x17\x0d26", b"\x17\x0d2x"),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    "user_from", ["cn", "fingerprint", lambda certificate: "ann"], ids=["cn", "fingerprint", "rule"]
)
def test_a_certificate_that_cannot_be_read_whole_is_malformed(ann, spoil, user_from):
    assert spoil(ann) != der(ann)
    assert holder_of(b64encode(spoil(ann)).decode(), user_from, {}, NOW) == "malformed"


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: f":{raw.hex()}:"))
def test_no_text_is_an_error(text):
    assert holder_of(text, "cn", {}, NOW) == "malformed"


@given(st.integers(0, 1 << 16), st.integers(0, 255))
def test_a_certificate_with_a_changed_byte_is_read_or_refused(whole, place, byte):
    changed = bytearray(whole)
    changed[place % len(whole)] = byte
    for user_from in ("cn", "san:email", "fingerprint"):
        assert holder_of(b64encode(changed).decode(), user_from, {}, NOW) is not None
