"""The user whom a proxy names in a header field, believed with a proof only. TRU-1 to TRU-4, TRU-6, T2."""

from __future__ import annotations

import threading

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Basic, allow, deny, get_identity, optional, require
from middleware.auth.schemes.base import Refused
from middleware.auth.schemes.client_certificate import ClientCertificate
from middleware.auth.schemes.trusted_header import TrustedHeader
from middleware.errors import ConfigurationError

SECRET = "the proxy's own secret"
PROVED = {"X-Proxy-Secret": SECRET}
RULES = [allow("/pub"), optional("/maybe"), deny("/never"), require("/")]


class Site:
    """An application behind the layer that shows who is there, and keeps the environ that it got."""

    def __init__(self, scheme, rules=RULES, **options):
        self.seen = None
        self.events = []
        self.layer = AuthMiddleware(self._show, scheme, rules=rules, on_event=self.events.append, **options)

    def _show(self, environ, start_response):
        self.seen = dict(environ)
        identity = get_identity(environ)
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [(identity.user if identity else "nobody").encode()]

    def ask(self, path="/", method="GET", headers=None, **environ):
        self.seen = None
        return ask(self.layer, path, method, headers, **environ)

    def told(self):
        return [(event.name, event.details.get("reason")) for event in self.events]


def secretly(**options):
    return TrustedHeader("Xauthuser", groups="Xauthgroups", name="Xauthname", secret=SECRET, **options)


@pytest.fixture
def site():
    return Site(secretly())


def test_the_user_whom_the_proxy_names_is_identified(site):
    said = {"Xauthuser": "ann", "Xauthgroups": "staff, admin,,", "Xauthname": "Ann Smith"}
    assert site.ask(headers={**PROVED, **said}).text == "ann"
    identity = site.seen["middleware.identity"]
    assert (identity.scheme, identity.name, identity.roles) == ("proxy", "Ann Smith", {"staff", "admin"})
    assert (identity.authenticated_at, identity.factors) == (None, ())
    assert (site.seen["REMOTE_USER"], site.seen["AUTH_TYPE"]) == ("ann", "proxy")


def test_a_request_without_the_field_is_one_of_a_stranger(site):
    assert site.ask("/maybe", headers=PROVED).text == "nobody"
    assert site.ask("/maybe", headers={**PROVED, "Xauthgroups": "admin"}).text == "nobody"
    refused = site.ask(headers=PROVED)
    assert refused.code == 401
    assert refused.header("WWW-Authenticate") is None


def test_a_proxy_is_known_by_its_network_too():
    site = Site(TrustedHeader("Xauthuser", peers=["192.0.2.0/28", "2001:db8::/64"]))
    for address, text in [("192.0.2.1", "ann"), ("2001:db8::7", "ann"), ("192.0.2.16", "nobody"), ("", "nobody")]:
        assert site.ask("/maybe", headers={"Xauthuser": "ann"}, REMOTE_ADDR=address).text == text
    assert site.told() == [("proxy.untrusted", "peer")] * 2


def test_no_field_of_a_client_moves_a_peer():
    site = Site(TrustedHeader("Xauthuser", peers=["192.0.2.0/28"]))
    forged = {
        "Xauthuser": "root",
        "X-Forwarded-For": "192.0.2.1",
        "Forwarded": "for=192.0.2.1",
        "X-Real-IP": "192.0.2.1",
    }
    assert site.ask("/maybe", headers=forged, REMOTE_ADDR="198.51.100.1").text == "nobody"


def test_with_both_proofs_both_must_hold():
    site = Site(secretly(peers=["192.0.2.1"]))
    told = {"Xauthuser": "ann"}
    assert site.ask("/maybe", headers={**PROVED, **told}, REMOTE_ADDR="192.0.2.1").text == "ann"
    assert site.ask("/maybe", headers={**PROVED, **told}, REMOTE_ADDR="192.0.2.2").text == "nobody"
    assert site.ask("/maybe", headers=told, REMOTE_ADDR="192.0.2.1").text == "nobody"
    assert site.ask("/maybe", headers={**PROVED, **told}, REMOTE_ADDR="").text == "ann"  # a Unix socket
    assert site.ask("/maybe", headers=told, REMOTE_ADDR="").text == "nobody"
    assert site.told() == [("proxy.untrusted", reason) for reason in ("peer", "secret", "secret")]


@pytest.mark.parametrize("secret", [{}, {"X-Proxy-Secret": ""}, {"X-Proxy-Secret": "a guess"}])
def test_what_comes_without_the_secret_is_told_and_dropped(site, secret):
    assert site.ask("/maybe", headers={**secret, "Xauthuser": "root", "Xauthgroups": "admin"}).text == "nobody"
    assert site.told() == [("proxy.untrusted", "secret")]
    assert site.ask(headers={**secret, "Xauthuser": "root"}).code == 401
    assert "root" not in repr(site.events)
    assert "a guess" not in repr(site.events)


BAD_NAMES = ["", " ", "ann smith", "ann,root", "ann, root", ",", "ann,", "ann\t", "ann\0", "ann\n", "\x7f", "\xff\xfe"]
INVISIBLE = [text.encode().decode("latin-1") for text in ("an\u200bn", "\u202eann", "\ufb01sh", "a\u00adnn")]


@pytest.mark.parametrize("user", [*BAD_NAMES, *INVISIBLE, "\u2603", "a" * 300])
@pytest.mark.parametrize("path", ["/", "/maybe"])
def test_a_proved_field_that_is_not_one_name_is_400(site, user, path):
    assert site.ask(path, headers={**PROVED, "Xauthuser": user}).code == 400
    assert site.seen is None


@pytest.mark.parametrize("groups", ["admin\0", "admin\n", "\xff", "\u2603"])
def test_proved_groups_that_are_no_text_are_400(site, groups):
    assert site.ask(headers={**PROVED, "Xauthuser": "ann", "Xauthgroups": groups}).code == 400


def test_what_the_proxy_says_is_utf_8(site):
    said = {"Xauthuser": "ja\u0308s\u00f8n", "Xauthgroups": "Büro Süd,\tstaff", "Xauthname": "Jäsøn 🦆"}
    encoded = {field: text.encode().decode("latin-1") for field, text in said.items()}
    assert site.ask(headers={**PROVED, **encoded}).text == "jäsøn"
    identity = site.seen["middleware.identity"]
    assert (identity.roles, identity.name) == ({"Büro Süd", "staff"}, "Jäsøn 🦆")


def test_groups_are_roles_for_the_rules():
    site = Site(secretly(), rules=[require("/", role="admin")])
    assert site.ask(headers={**PROVED, "Xauthuser": "ann", "Xauthgroups": "staff,admin"}).code == 200
    assert site.ask(headers={**PROVED, "Xauthuser": "ann", "Xauthgroups": "administrators"}).code == 403


# 5.4: what the application may not see, in whatever way it is asked for.
SENT = {
    "HTTP_XAUTHUSER": "root",
    "HTTP_XAUTHGROUPS": "admin",
    "HTTP_XAUTHNAME": "Root",
    "HTTP_X_PROXY_SECRET": "a guess",
    "HTTP_REMOTE_USER": "root",
    "HTTP_X_FORWARDED_USER": "root",
    "REMOTE_USER": "root",
}


@pytest.mark.parametrize("secret", ["a guess", SECRET])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/pub", "/maybe", "/", "/never"])
def test_the_fields_never_reach_the_application(site, path, method, secret):
    answer = site.ask(path, method, **{**SENT, "HTTP_X_PROXY_SECRET": secret})
    assert answer.code == (200 if site.seen else 403 if path == "/never" else 401)
    if site.seen is None:
        assert path == "/never" or secret != SECRET
        return
    assert not [key for key in SENT if key != "REMOTE_USER" and key in site.seen]
    assert secret not in [value for value in site.seen.values() if isinstance(value, str)]
    asked = secret == SECRET and (path != "/pub" or method == "PROPFIND")  # which no `allow` matches
    assert site.seen.get("REMOTE_USER") == ("root" if asked else None)


def test_the_field_of_the_user_may_be_one_that_the_layer_removes_by_itself():
    site = Site(TrustedHeader("Remote-User", groups="Remote-Groups", secret=SECRET))
    assert site.ask(headers={**PROVED, "Remote-User": "ann"}).text == "ann"
    assert "HTTP_REMOTE_USER" not in site.seen


def test_nothing_is_remembered_from_one_request_to_the_next(site):
    assert site.ask(headers={**PROVED, "Xauthuser": "ann"}).text == "ann"
    assert site.ask(headers=PROVED).code == 401


def test_two_schemes_may_share_the_secret():
    other = ClientCertificate("cn", header="Client-Cert", secret=SECRET)
    for schemes in ([secretly(), other], [other, secretly()]):
        site = Site(schemes)
        assert site.ask(headers={**PROVED, "Xauthuser": "ann"}).text == "ann"
        assert SECRET not in repr(site.seen)


def test_a_layer_inside_does_not_believe_what_the_layer_outside_has_kept():
    inner = AuthMiddleware(lambda *_: pytest.fail("reached"), TrustedHeader("Xother", secret="another secret, as long"))
    outer = AuthMiddleware(inner, secretly())
    assert ask(outer, headers={**PROVED, "Xauthuser": "ann"}).code == 401


def test_caches_are_told_what_was_looked_at(site):
    answer = site.ask("/maybe", headers={**PROVED, "Xauthuser": "ann"})
    assert answer.header("Vary") == "Xauthuser, Xauthgroups, Xauthname, X-Proxy-Secret"
    assert answer.header("Cache-Control") == "private"
    assert site.ask("/pub").header("Vary") is None


def test_it_is_never_fresh():
    site = Site([secretly(), Basic({"ann": stored("apple")})], rules=[require("/", fresh=600)])
    assert site.ask(headers={**PROVED, "Xauthuser": "ann"}).code == 401
    assert site.ask(headers=basic()).code == 200


def test_another_scheme_is_asked_where_the_proxy_names_nobody():
    site = Site([secretly(), Basic({"bob": stored("boat")})])
    assert site.ask(headers={**PROVED, **basic("bob", "boat")}).text == "bob"
    assert site.ask(headers={"Xauthuser": "root", **basic("bob", "boat")}).text == "bob"
    assert site.ask(headers={**PROVED, "Xauthuser": "a,b", **basic("bob", "boat")}).code == 400


@pytest.mark.parametrize(
    ("user", "options", "message"),
    [
        ("Xauthuser", {}, "believe everybody"),
        ("Xauthuser", {"peers": []}, "peers="),
        ("Xauthuser", {"peers": ["0.0.0.0/0"]}, "peers="),
        ("Xauthuser", {"secret": "short"}, "secret"),
        ("X_Auth_User", {"secret": SECRET}, "user="),
        (None, {"secret": SECRET}, "user="),
        ("Xauthuser", {"secret": SECRET, "groups": "Xauth:groups"}, "groups="),
        ("Xauthuser", {"secret": SECRET, "groups": "xauthuser"}, "a field for each"),
        ("X-Proxy-Secret", {"secret": SECRET}, "a field for each"),
        ("Cookie", {"secret": SECRET}, "Cookie"),
    ],
)
def test_a_wrong_option_is_said_at_construction(user, options, message):
    with pytest.raises(ConfigurationError, match=message):
        TrustedHeader(user, **options)


def test_a_name_that_has_a_twin_is_told_of_once_at_construction(caplog):
    for _ in range(2):
        TrustedHeader("X-Auth-User", groups="Xauthgroups", secret=SECRET)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["auth.proxy.twin_risk"]
    secretly()
    assert len(caplog.records) == 1


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_whatever_the_proxy_says_ends_in_a_name_or_in_400(user, groups, name):
    scheme = secretly()
    environ = make_environ(headers={**PROVED, "Xauthuser": user, "Xauthgroups": groups, "Xauthname": name})
    scheme.receive(environ)
    found = scheme.authenticate(environ)
    assert found is not None
    if isinstance(found, Refused):
        assert found.status == 400
    else:
        assert found.user
        assert not set(found.user) & {",", " "}
        assert found.user.isprintable()
        assert all("," not in role and role.strip() for role in found.roles)


def test_many_threads_see_each_its_own_user(site):
    barrier = threading.Barrier(8)
    found = {}

    def run(user):
        layer = AuthMiddleware(
            lambda environ, start: (start("200 OK", []), barrier.wait(60), [environ["REMOTE_USER"].encode()])[2],
            scheme,
        )
        found[user] = ask(layer, headers={**PROVED, "Xauthuser": user}).text

    scheme = secretly()
    threads = [threading.Thread(target=run, args=(f"user{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {user: user for user in found}
    assert len(found) == 8
