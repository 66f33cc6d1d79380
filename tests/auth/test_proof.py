"""What shows that a request came through a proxy of the site: its network, its secret, or both. TRU-1 to TRU-4."""

from __future__ import annotations

import logging

import pytest
from asking import make_environ
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth.proof import Field, Proof, warn_of_twins
from middleware.errors import ConfigurationError

SECRET = "the proxy's own secret"
HEADER = "X-Proxy-Secret"


def proof(peers=None, secret=None, secret_header=HEADER):
    return Proof("Test", peers, secret, secret_header)


def sent(secret=None, address="192.0.2.7"):
    return make_environ(headers={} if secret is None else {HEADER: secret}, REMOTE_ADDR=address)


PROVED = [
    (proof(peers=["192.0.2.0/24"]), sent(), None),
    (proof(peers=["192.0.2.0/24"]), sent(address="::ffff:192.0.2.7"), None),
    (proof(peers=["198.51.100.0/24"]), sent(), "peer"),
    (proof(peers=["192.0.2.0/24"]), sent(address=""), "peer"),
    (proof(peers=["192.0.2.0/24"]), sent(address="localhost"), "peer"),
    (proof(secret=SECRET), sent(SECRET), None),
    (proof(secret=SECRET), sent(f" {SECRET}\t"), None),
    (proof(secret=[SECRET, "the next of its secrets"]), sent(SECRET), None),
    (proof(secret=[SECRET, "the next of its secrets"]), sent("the next of its secrets"), None),
    (proof(secret="das Geheimnis, größer"), sent("das Geheimnis, größer".encode().decode("latin-1")), None),
    (proof(secret=SECRET), sent(), "secret"),
    (proof(secret=SECRET), sent(""), "secret"),
    (proof(secret=SECRET), sent(SECRET[:-1]), "secret"),
    (proof(secret=SECRET), sent(f"{SECRET},{SECRET}"), "secret"),
    (proof(secret=SECRET), sent(SECRET.upper()), "secret"),
    (proof(secret=SECRET), sent("\u2603"), "secret"),
    (proof(["192.0.2.0/24"], SECRET), sent(SECRET), None),
    (proof(["192.0.2.0/24"], SECRET), sent("a guess"), "secret"),
    (proof(["198.51.100.0/24"], SECRET), sent(SECRET), "peer"),
    (proof(["198.51.100.0/24"], SECRET), sent(SECRET, address=""), None),
    (proof(["198.51.100.0/24"], SECRET), sent(address=""), "secret"),
]


@pytest.mark.parametrize(("proof", "environ", "missing"), PROVED)
def test_what_is_asked_for_must_all_hold(proof, environ, missing):
    assert proof.missing(dict(environ)) == missing


@pytest.mark.parametrize("made", [proof(secret=SECRET), proof(peers=["10.0.0.0/8"])], ids=["secret", "peers"])
def test_the_secret_is_taken_out_whether_it_is_right_or_not(made):
    for secret in (SECRET, "a guess"):
        environ = sent(secret)
        made.missing(environ)
        assert secret not in environ.values()


def test_two_proofs_may_ask_for_the_same_secret_and_it_is_printed_nowhere():
    environ = sent(SECRET)
    assert proof(peers=["192.0.2.0/24"]).missing(environ) is None
    assert proof(secret=SECRET).missing(environ) is None
    assert proof(secret="another secret, as long").missing(environ) == "secret"
    assert SECRET not in repr(environ)
    assert proof(secret=SECRET, secret_header="X-Other").missing(environ) == "secret"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"peers": []},
        {"peers": "10.0.0.0/8"},
        {"peers": ["proxy.example"]},
        {"peers": ["10.0.0.1/8"]},
        {"peers": ["10.0.0.0/8", "0.0.0.0/0"]},
        {"peers": ["::/0"]},
        {"secret": "too short"},
        {"secret": []},
        {"secret": 7},
        {"secret": "a secret of two\nlines in a field"},
        {"secret": "a secret with a blank behind "},
        {"secret": SECRET, "secret_header": ""},
        {"secret": SECRET, "secret_header": "X_Proxy_Secret"},
        {"secret": SECRET, "secret_header": "X-Proxy-Secret:"},
        {"secret": SECRET, "secret_header": None},
        {"secret": SECRET, "secret_header": "Content-Type"},
    ],
)
def test_what_proves_nothing_is_refused_at_construction(options):
    with pytest.raises(ConfigurationError):
        proof(**options)


def test_no_secret_is_in_a_message():
    with pytest.raises(ConfigurationError) as refused:
        proof(secret="tell nobody of this\n")
    assert "nobody" not in str(refused.value)
    assert SECRET not in repr(proof(secret=SECRET))


TWINS = {"HTTP_X_AUTH_USER": "a", "HTTP_X.AUTH.USER": "b", "HTTP_X_AUTH_USER ": "c"}


def test_a_field_is_taken_with_what_is_called_like_it():
    environ = make_environ(**TWINS, HTTP_X_AUTH_USERS="kept")
    assert Field("X-Auth-User", "user").take(environ) == "a"
    assert [key for key in environ if key.startswith("HTTP_X")] == ["HTTP_X_AUTH_USERS"]
    assert Field("Xauthuser", "user").take({"HTTP_XAUTHUSER": ""}) == ""
    assert Field("Xauthuser", "user").take({"HTTP_XAUTHUSER ": ""}) is None


def test_a_name_with_a_dash_is_told_of_once(caplog):
    fields = [Field("X-Auth-User", "user"), Field("Xauthgroups", "groups")]
    for _ in range(2):
        warn_of_twins(fields, "Test")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("middleware.auth", logging.WARNING)
    assert "auth.proxy.twin_risk" in record.message
    assert "X_Auth_User" in record.message
    assert "XAuthUser" in record.message


@given(st.text(max_size=50), st.text(max_size=50))
def test_only_the_secret_and_the_network_prove_anything(secret, address):
    made = proof(["192.0.2.0/24"], SECRET)
    assert made.missing(sent(secret, address)) in ("peer", "secret")
