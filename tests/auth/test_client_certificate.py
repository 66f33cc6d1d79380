"""Client certificates from the server and from a proxy, from environ to the identity. CRT-1 to CRT-3."""

from __future__ import annotations

import sys
from functools import cache

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st
from own_ca import DAY, DNS, EMAIL, NOW, authority, client_cert, escaped, pem, tabbed

from middleware.auth import AuthMiddleware, Basic, allow, get_identity, optional, require
from middleware.auth.schemes.base import Refused
from middleware.auth.schemes.client_certificate import ClientCertificate
from middleware.errors import ConfigurationError, MissingExtra

RULES = [allow("/pub"), optional("/maybe"), require("/")]
SECRET = "the proxy's own secret"
PROVED = {"X-Proxy-Secret": SECRET}
HELD = "ann@example.com ann@example.com certificate"
NOBODY = "None None None"


@cache
def ann():
    return authority().issue("Ann Smith", san=(EMAIL("ann@example.com"), DNS("ann.example.com")))


def scheme(user_from="san:email", **options):
    return ClientCertificate(user_from, clock=lambda: NOW, **options)


def guarded(*arguments, **options):
    return AuthMiddleware(who, scheme(*arguments, **options), rules=RULES)


def by_the_server(certificate=None, verify="SUCCESS"):
    said = {"SSL_CLIENT_VERIFY": verify, "SSL_CLIENT_CERT": pem(certificate or ann())}
    return {key: value for key, value in said.items() if value is not None}


def test_the_holder_of_a_verified_certificate_is_identified():
    assert ask(guarded(), **by_the_server()).text == HELD


def test_an_identity_says_what_the_certificate_says():
    found = []
    app = AuthMiddleware(
        lambda environ, start: found.append(get_identity(environ)) or who(environ, start),
        scheme(roles={"issuer:CN=Staff CA,O=Example\\, Inc.": "staff"}),
        rules=[require("/", role="staff")],
    )
    assert ask(app, **by_the_server()).code == 200
    (identity,) = found
    assert (identity.scheme, identity.factors, identity.roles) == ("certificate", ("cert",), {"staff"})
    assert (identity.authenticated_at, identity.expires_at) == (NOW, NOW + DAY)
    assert identity.issuer == "CN=Staff CA,O=Example\\, Inc."
    assert len(identity.claims["fingerprint"]) == 64


@pytest.mark.parametrize("form", [pem, tabbed, escaped])
def test_the_forms_of_mod_ssl_and_of_nginx_are_read(form):
    assert ask(guarded(), **{**by_the_server(), "SSL_CLIENT_CERT": form(ann())}).text == HELD


@pytest.mark.parametrize("verify", ["NONE", "", None, "(null)"])
def test_where_the_server_has_verified_nothing_there_is_nobody(verify):
    assert ask(guarded(), "/maybe", **by_the_server(verify=verify)).text == NOBODY
    assert ask(guarded(), **by_the_server(verify=verify)).code == 401


@pytest.mark.parametrize(
    "verify",
    ["GENEROUS", "FAILED:self-signed certificate", "FAILED", "success", "SUCCESS,SUCCESS", " SUCCESS", "1", "0"],
)
@pytest.mark.parametrize("options", [{}, {"require_verify": False}])
def test_what_the_server_has_not_found_good_is_refused(verify, options):
    for path in ("/", "/maybe"):
        assert ask(guarded(**options), path, **by_the_server(verify=verify)).code == 401


def test_a_server_that_only_hands_on_what_it_has_verified_need_not_say_so():
    app = guarded(require_verify=False)
    assert ask(app, **by_the_server(verify=None)).text == HELD
    assert ask(app, "/maybe").text == NOBODY
    assert ask(app, "/maybe", **by_the_server(verify="NONE")).text == NOBODY


def test_a_certificate_that_the_server_keeps_to_itself_is_told_of_once(caplog):
    for _ in range(2):
        assert ask(guarded(), "/maybe", SSL_CLIENT_VERIFY="SUCCESS", SSL_CLIENT_S_DN="CN=ann").text == NOBODY
    (record,) = caplog.records
    assert "+ExportCertData" in record.message


@pytest.mark.parametrize(
    "said", ["garbage", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "\0", "é" * 9]
)
def test_what_is_no_certificate_is_401(said):
    for path in ("/", "/maybe"):
        assert ask(guarded(), path, SSL_CLIENT_VERIFY="SUCCESS", SSL_CLIENT_CERT=said).code == 401


def test_the_name_never_comes_from_the_servers_text_of_a_name():
    said = {
        "SSL_CLIENT_S_DN_CN": "root",
        "SSL_CLIENT_S_DN": "/CN=ann/CN=root",
        "SSL_CLIENT_SAN_Email_0": "root@x.example",
    }
    assert ask(guarded(), **by_the_server(), **said).text == HELD
    nameless = authority().issue("root")
    assert ask(guarded(), **by_the_server(nameless), **said).code == 401


@pytest.mark.parametrize(("begins", "ends"), [(NOW + 1, NOW + 9), (NOW - 9, NOW - 1)])
def test_the_dates_are_judged_again(begins, ends):
    certificate = authority().issue("ann", begins=begins, ends=ends)
    assert ask(guarded("cn"), **by_the_server(certificate)).code == 401


def test_a_refusal_says_why_to_the_operator_and_not_to_the_client():
    events = []
    app = AuthMiddleware(who, scheme("cn"), on_event=events.append)
    answer = ask(app, **by_the_server(authority().issue("ann", "root")))
    assert [(event.name, event.details["reason"]) for event in events] == [("refused", "several names")]
    assert b"several" not in answer.body
    assert answer.header("WWW-Authenticate") is None


def test_it_is_always_fresh():
    app = AuthMiddleware(who, scheme(), rules=[require("/", fresh=1)])
    assert ask(app, **by_the_server()).text == HELD


def test_bad_certificates_do_not_fall_through_to_another_scheme():
    app = AuthMiddleware(who, [scheme(), Basic({"bob": stored("boat")})])
    assert ask(app, headers=basic("bob", "boat")).code == 200
    assert ask(app, headers=basic("bob", "boat"), **by_the_server(verify="FAILED:expired")).code == 401


def test_no_cache_keeps_what_depends_on_the_connection():
    answer = ask(guarded(), "/maybe")
    assert answer.header("Vary") == "*"


# A certificate that a proxy sends in a field.

STANDARD = {"header": "Client-Cert", "secret": SECRET}
NGINX = {"header": "X-SSL-Client-Cert", "verify_header": "X-SSL-Client-Verify", "secret": SECRET}


def test_the_field_of_rfc_9440_is_read():
    assert ask(guarded(**STANDARD), headers={**PROVED, "Client-Cert": client_cert(ann())}).text == HELD


def test_the_escaped_pem_of_nginx_is_read():
    said = {"X-SSL-Client-Cert": escaped(ann()), "X-SSL-Client-Verify": "SUCCESS"}
    assert ask(guarded(**NGINX), headers={**PROVED, **said}).text == HELD


@pytest.mark.parametrize(
    ("verify", "code"), [("NONE", 200), ("", 200), (None, 200), ("FAILED:expired", 401), ("SUCCESS,SUCCESS", 401)]
)
def test_what_the_proxy_has_not_verified_names_nobody(verify, code):
    said = {"X-SSL-Client-Cert": escaped(ann()), **({} if verify is None else {"X-SSL-Client-Verify": verify})}
    answer = ask(guarded(**NGINX), "/maybe", headers={**PROVED, **said})
    assert answer.code == code
    assert code == 401 or answer.text == NOBODY


def test_a_proxy_that_saw_no_certificate_names_nobody(caplog):
    for said in ({}, {"X-SSL-Client-Cert": "", "X-SSL-Client-Verify": "NONE"}, {"X-SSL-Client-Verify": "SUCCESS"}):
        assert ask(guarded(**NGINX), "/maybe", headers={**PROVED, **said}).text == NOBODY
    assert caplog.records == []


@pytest.mark.parametrize("options", [STANDARD, NGINX], ids=["RFC 9440", "nginx"])
@pytest.mark.parametrize("secret", [None, "a guess"])
@pytest.mark.parametrize(("path", "method"), [("/pub", "GET"), ("/maybe", "GET"), ("/pub", "OPTIONS")])
def test_what_comes_without_proof_is_removed_and_names_nobody(options, secret, path, method):
    seen, events = [], []
    app = AuthMiddleware(
        lambda environ, start: seen.append(dict(environ)) or who(environ, start),
        scheme(**options),
        rules=RULES,
        on_event=events.append,
    )
    sent = {
        "Client-Cert": client_cert(ann()),
        "Client-Cert-Chain": client_cert(ann()),
        "X-SSL-Client-Cert": escaped(ann()),
        "X-SSL-Client-Verify": "SUCCESS",
        **({} if secret is None else {"X-Proxy-Secret": secret}),
    }
    assert ask(app, path, method, headers=sent).text == NOBODY
    taken = {"HTTP_CLIENT_CERT", "HTTP_CLIENT_CERT_CHAIN", "HTTP_X_PROXY_SECRET"}
    if options is NGINX:
        taken |= {"HTTP_X_SSL_CLIENT_CERT", "HTTP_X_SSL_CLIENT_VERIFY"}
    assert not taken & seen[0].keys()
    assert [(event.name, event.details["reason"]) for event in events] == [("proxy.untrusted", "secret")]


def test_with_proof_the_field_does_not_reach_the_application_either():
    seen = []
    app = AuthMiddleware(lambda environ, start: seen.append(dict(environ)) or who(environ, start), scheme(**STANDARD))
    ask(app, headers={**PROVED, "Client-Cert": client_cert(ann()), "Client-Cert-Chain": client_cert(ann())})
    assert not {"HTTP_CLIENT_CERT", "HTTP_CLIENT_CERT_CHAIN", "HTTP_X_PROXY_SECRET"} & seen[0].keys()


def test_where_the_server_has_the_certificate_no_field_is_one():
    app = guarded()
    assert (
        ask(app, "/maybe", headers={"Client-Cert": client_cert(ann()), "SSL-Client-Verify": "SUCCESS"}).text == NOBODY
    )


def test_where_a_proxy_sends_the_certificate_that_of_the_connection_is_the_proxys_own():
    assert ask(guarded(**STANDARD), "/maybe", headers=PROVED, **by_the_server()).text == NOBODY


@pytest.mark.parametrize("twice", [", ", ","])
def test_two_certificates_are_none(twice):
    said = {"Client-Cert": twice.join([client_cert(ann())] * 2)}
    assert ask(guarded(**STANDARD), headers={**PROVED, **said}).code == 401


def test_caches_are_told_of_the_fields():
    answer = ask(guarded(**NGINX), "/maybe", headers=PROVED)
    assert answer.header("Vary") == "X-SSL-Client-Cert, X-SSL-Client-Verify, X-Proxy-Secret"


@pytest.mark.parametrize(
    ("user_from", "options", "message"),
    [
        ("dn", {}, "user_from="),
        (None, {}, "user_from="),
        (["cn"], {}, "user_from="),
        ("cn", {"roles": "staff"}, "roles="),
        ("cn", {"header": "Client-Cert"}, "believe everybody"),
        ("cn", {"header": "X-SSL-Cert", "secret": SECRET}, "verify_header="),
        ("cn", {"secret": SECRET}, "header="),
        ("cn", {"peers": ["10.0.0.0/8"]}, "header="),
        ("cn", {"verify_header": "X-SSL-Verify"}, "header="),
        ("cn", {"header": "Client-Cert", "verify_header": "client-cert", "secret": SECRET}, "a field for each"),
        ("cn", {"header": "Client_Cert", "secret": SECRET}, "header="),
        ("cn", {"header": "Client-Cert", "secret": "short"}, "secret"),
    ],
)
def test_a_wrong_option_is_said_at_construction(user_from, options, message):
    with pytest.raises(ConfigurationError, match=message):
        ClientCertificate(user_from, **options)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtra, match=r"wsgi-middleware\[crypto\]"):
        ClientCertificate("cn")


@given(st.text(max_size=99), st.sampled_from(["SUCCESS", "NONE", "", "FAILED:x"]) | st.text(max_size=9))
def test_nothing_in_environ_is_an_error(certificate, verify):
    found = scheme().authenticate(make_environ(SSL_CLIENT_CERT=certificate, SSL_CLIENT_VERIFY=verify))
    assert found is None or isinstance(found, Refused)
