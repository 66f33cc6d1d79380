"""Bearer tokens, from the header field to what the application finds and what the client is told."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored, who
from jwt_helpers import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    Site,
    bearer,
    claims,
    ec,
    header,
    okp,
    public,
    rsa,
    secret,
    signed,
    token,
)

from middleware.auth import AuthMiddleware, Basic, Identity, get_auth, get_identity, optional, require
from middleware.auth.jwt import remembering
from middleware.auth.schemes.base import Refused
from middleware.auth.schemes.bearer import Bearer, token_in
from middleware.errors import ConfigurationError, MissingExtra

FRESH = [require("/fresh", fresh=600), require("/write", scope=["write", "read"]), require("/admin", role="admin")]
RULES = [*FRESH, optional("/pub"), require("/")]


def site(app=who, **options):
    return Site(app, **{"keys": public(rsa()), "rules": RULES, **options})


def identified(found):
    """An application that hands its identity to the test."""

    def app(environ, start_response):
        found.append(get_identity(environ))
        return who(environ, start_response)

    return app


def test_a_good_token_reaches_the_application_as_an_identity():
    found = []
    app = site(identified(found), roles="groups")
    made = token(
        scope="read write",
        scp=["admin"],
        groups=["staff"],
        name="Ann",
        auth_time=NOW - 60,
        amr=["pwd", "otp"],
        address={"city": "Bonn", "lines": ["a"]},
    )
    assert ask(app, headers=bearer(made)).text == "ann ann Bearer"
    (identity,) = found
    assert (identity.user, identity.scheme, identity.issuer, identity.name) == ("ann", "bearer", ISSUER, "Ann")
    assert (identity.roles, identity.scopes) == ({"staff"}, {"read", "write", "admin"})
    assert (identity.authenticated_at, identity.expires_at) == (NOW - 60, NOW + 600)
    assert identity.factors == ("pwd", "otp")
    assert identity.claims["address"]["city"] == "Bonn"
    with pytest.raises(TypeError):
        identity.claims["sub"] = "root"
    with pytest.raises(TypeError):
        identity.claims["address"]["city"] = "Rome"


def test_what_a_token_does_not_say_nobody_makes_up():
    found = []
    ask(site(identified(found)), headers=bearer(token(name=7)))
    (identity,) = found
    assert identity.authenticated_at is None
    assert (identity.name, identity.roles, identity.scopes, identity.factors) == (None, frozenset(), frozenset(), ())


def test_no_token_is_asked_for_without_an_error():
    answer = ask(site())
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == ['Bearer realm="API"']


def test_the_realm_is_the_one_that_was_given():
    assert ask(site(realm='the "API"')).header("WWW-Authenticate") == 'Bearer realm="the \\"API\\""'


@pytest.mark.parametrize(
    "field",
    [
        "Bearer",
        "bearer ",
        "Bearer a b",
        "Bearer é",
        "Bearer\tabc",
        "Bearer abc\tdef",
        "Bearer =",
        "Bearer a=b",
        'Bearer "abc"',
        "Bearer a, Bearer b",
        "Bearer a,b",
        "Basic YW5uOmFwcGxl, Bearer abc",
        "Bearer abc, Basic YW5uOmFwcGxl",
    ],
)
def test_a_malformed_field_is_an_invalid_request(field):
    for path in ("/", "/pub"):
        answer = ask(site(), path, headers={"Authorization": field})
        assert answer.code == 400
        assert answer.all("WWW-Authenticate") == ['Bearer realm="API", error="invalid_request"']
        assert answer.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("field", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer  {}", " Bearer {} "])
def test_a_scheme_is_compared_without_case_and_spaces_surround_as_they_like(field):
    app = site()
    for _ in range(2):
        assert ask(app, headers={"Authorization": field.format(token())}).code == 200


@pytest.mark.parametrize(
    "field",
    ["", " ", "Negotiate YII=", "Bäsic abc", "Bearerx abc", "Digest a=1, b=2", "x" * 20_000, "Digest " + "," * 9000],
)
def test_a_field_of_another_scheme_is_not_ours(field):
    assert token_in(field) is None
    assert ask(site(), "/pub", headers={"Authorization": field}).code == 200


@pytest.mark.parametrize("length", [16_385, 1_000_000])
@pytest.mark.parametrize("fill", ["x", ".", ",", " x", "="])
def test_a_field_that_is_too_long_is_no_token(length, fill):
    answer = ask(site(), headers={"Authorization": "Bearer " + fill * length})
    assert answer.code == 401
    assert answer.header("WWW-Authenticate") == 'Bearer realm="API", error="invalid_token"'


def test_a_token_elsewhere_is_not_looked_at():
    body = f"access_token={token()}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask(site(), f"/?access_token={token()}").code == 401
    assert ask(site(), "/", "POST", headers=form, body=body).code == 401


def test_a_bad_token_does_not_fall_through_to_another_scheme():
    asked = []

    class Later:
        name, auth_type, reads = "later", "Later", ()

        def authenticate(self, environ):
            asked.append(environ)

        def challenges(self, environ, refused):
            return ["Later"]

    scheme = Bearer(issuer=ISSUER, audience=AUDIENCE, keys=SECRET)
    app = AuthMiddleware(who, [scheme, Later()])
    answer = ask(app, headers=bearer("abc"))
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == ['Bearer realm="API", error="invalid_token"', "Later"]
    assert asked == []
    ask(app, headers=basic())
    assert len(asked) == 1


def test_basic_and_bearer_stand_beside_one_another():
    scheme = Bearer(issuer=ISSUER, audience=AUDIENCE, keys=public(rsa()), clock=lambda: NOW)
    app = AuthMiddleware(who, [scheme, Basic({"ann": stored("apple")})])
    assert ask(app, headers=basic()).text == "ann ann Basic"
    assert ask(app, headers=bearer(token())).text == "ann ann Bearer"
    assert [line.partition(" ")[0] for line in ask(app).all("WWW-Authenticate")] == ["Bearer", "Basic"]


def test_the_client_is_not_told_what_is_wrong_and_the_operator_is():
    app = site()
    expired, other = token(exp=NOW - 1), token(aud="web")
    answers = [ask(app, headers=bearer(bad)) for bad in (expired, other, "abc")]
    assert len({(answer.status, answer.header("WWW-Authenticate"), answer.body) for answer in answers}) == 1
    assert app.told("token.invalid") == ["expired", "audience", "not three segments"]
    assert app.told("refused") == app.told("token.invalid")


def test_no_event_and_no_answer_holds_the_token():
    app = site()
    bad = token(exp=NOW - 1)
    for made in (bad, token(head={"jku": "https://evil.example"})):
        answer = ask(app, headers=bearer(made))
        signature = made.rpartition(".")[2]
        assert signature not in repr(app.events) + repr(answer) + answer.text + repr(Refused("x"))
    assert app.told("token.key_header") == ["ignored"]


def test_a_scope_that_is_missing_is_named():
    app = site()
    assert ask(app, "/write", headers=bearer(token(scope="read write x"))).code == 200
    answer = ask(app, "/write", headers=bearer(token(scope="read")))
    assert answer.code == 403
    expected = 'Bearer realm="API", error="insufficient_scope", scope="read write"'
    assert answer.all("WWW-Authenticate") == [expected]
    assert answer.header("Cache-Control") == "no-store"


def test_a_role_that_is_missing_is_403_without_an_error_of_bearer():
    app = site(roles=["realm_access", "roles"])
    assert ask(app, "/admin", headers=bearer(token(realm_access={"roles": ["admin"]}))).code == 200
    answer = ask(app, "/admin", headers=bearer(token(realm_access={"roles": ["staff"]})))
    assert answer.code == 403
    assert answer.all("WWW-Authenticate") == []


@pytest.mark.parametrize("auth_time", [None, NOW - 601])
def test_a_login_that_is_too_old_is_asked_for_again(auth_time):
    answer = ask(site(), "/fresh", headers=bearer(token(auth_time=auth_time)))
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == [
        'Bearer realm="API", error="insufficient_user_authentication", max_age="600"'
    ]


def test_a_login_that_is_young_enough_gets_in():
    app = site()
    made = token(auth_time=NOW - 590)
    assert ask(app, "/fresh", headers=bearer(made)).code == 200
    app.clock.advance(30)
    assert ask(app, "/fresh", headers=bearer(made)).code == 401
    assert ask(app, "/", headers=bearer(made)).code == 200


def test_an_application_can_ask_for_a_scope_itself():
    def app(environ, start_response):
        refusal = get_auth(environ).require(scope="pay")
        return who(environ, start_response) if refusal is None else refusal(environ, start_response)

    answer = ask(site(app), headers=bearer(token(scope="read")))
    assert answer.code == 403
    assert 'error="insufficient_scope", scope="pay"' in answer.header("WWW-Authenticate")


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": ["read"]},
        {"scope": 1},
        {"scope": None, "scp": 1},
        {"scp": ["read", 1]},
        {"scp": {"read": True}},
        {"groups": 1},
        {"groups": ["staff", 1]},
        {"groups": {"staff": True}},
        {"amr": "pwd"},
        {"amr": [1]},
    ],
)
def test_a_claim_of_the_wrong_type_is_refused(changes):
    assert ask(site(roles="groups"), headers=bearer(token(**changes))).code == 401


@pytest.mark.parametrize("access", ["admin", ["admin"], None, 7])
def test_roles_at_the_end_of_a_path_that_leads_nowhere(access):
    answer = ask(site(roles=["realm_access", "roles"]), headers=bearer(token(realm_access=access)))
    assert answer.code == (200 if access is None else 401)


def test_one_role_and_scp_as_a_text_are_taken_as_issuers_write_them():
    found = []
    ask(site(identified(found), roles="role"), headers=bearer(token(role="admin", scp="read  write")))
    assert found[0].roles == {"admin"}
    assert found[0].scopes == {"read", "write"}


def test_another_claim_can_name_the_user():
    app = site(user="nick")
    assert ask(app, headers=bearer(token(nick="ann"))).text.startswith("ann ")
    for bad in (None, "", 7, "ann\nroot", "ann smith", "a\u200bnn", "\uff41nn", "ja\u0308son"):
        assert ask(app, headers=bearer(token(nick=bad))).code == 401


def test_an_address_names_the_user_only_where_the_issuer_has_verified_it():
    app = site(user="email")
    assert ask(app, headers=bearer(token(email="ann@site.example", email_verified=True))).text.startswith("ann@site")
    assert ask(app, headers=bearer(token(email="ann@site.example"))).code == 401
    for said in (False, None, "true", 1):
        assert ask(app, headers=bearer(token(email="ann@site.example", email_verified=said))).code == 401
    for bad in ("ann", "a@evil.example@site.example"):
        assert ask(app, headers=bearer(token(email=bad, email_verified=True))).code == 401


def test_a_name_beyond_ascii_is_the_same_in_remote_user():
    assert ask(site(), headers=bearer(token(sub="jäsøn"))).text == "jäsøn jäsøn Bearer"


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "at+jwt", "application/jwt"])
def test_issuers_older_than_rfc_9068_are_served_where_that_is_wanted(typ):
    made = token(head={"typ": typ})
    assert ask(site(legacy_typ=True), headers=bearer(made)).code == 200
    assert ask(site(), headers=bearer(made)).code == (200 if typ == "at+jwt" else 401)


def test_tokens_of_another_use_are_refused_even_so():
    for typ in ("logout+jwt", "dpop+jwt", "secevent+jwt"):
        assert ask(site(legacy_typ=True), headers=bearer(token(head={"typ": typ}))).code == 401


@pytest.mark.parametrize(
    ("keys", "algorithm", "key"),
    [
        (lambda: rsa().as_pem(private=False), "RS256", rsa),
        (lambda: rsa().as_pem(private=False).decode(), "PS384", rsa),
        (lambda: ec().as_pem(private=False), "ES256", ec),
        (lambda: okp().as_pem(private=False), "EdDSA", okp),
        (lambda: okp().as_pem(private=False), "Ed25519", okp),
        (lambda: public(okp(), rsa(), ec()), "EdDSA", okp),
        (lambda: rsa().as_dict(private=False), "RS512", rsa),
        (lambda: SECRET, "HS256", secret),
        (SECRET.decode, "HS256", secret),
    ],
)
def test_keys_are_given_in_whatever_form_they_are_at_hand(keys, algorithm, key):
    app = site(keys=keys(), algorithms=[algorithm])
    made = signed(header(alg=algorithm, kid=key().kid), claims(), key())
    assert ask(app, headers=bearer(made)).code == 200
    assert ask(app, headers=bearer(made[:-4] + ("AAAA" if made[-4:] != "AAAA" else "BBBB"))).code == 401


def test_a_token_that_was_good_is_not_verified_again_for_a_minute():
    app = site()
    verified = []
    verify = app.scheme._tokens._verifier.verify
    app.scheme._tokens._verifier.verify = lambda *given: verified.append(1) or verify(*given)
    made, other = token(), token(sub="bob")
    for _ in range(3):
        assert ask(app, headers=bearer(made)).text == "ann ann Bearer"
        assert ask(app, headers=bearer(other)).text == "bob bob Bearer"
    assert len(verified) == 2
    app.clock.advance(59)
    ask(app, headers=bearer(made))
    assert len(verified) == 2
    app.clock.advance(1)
    ask(app, headers=bearer(made))
    assert len(verified) == 3


def test_a_token_is_never_remembered_beyond_its_end():
    app = site()
    made = token(exp=NOW + 20)
    assert ask(app, headers=bearer(made)).code == 200
    app.clock.advance(20)
    assert ask(app, headers=bearer(made)).code == 401


def test_bad_tokens_are_not_remembered_and_good_ones_only_so_many(monkeypatch):
    monkeypatch.setattr(remembering, "MOST", 16)
    app = site(keys=SECRET, algorithms=["HS256"])
    for number in range(40):
        made = signed(header(alg="HS256", kid=None), claims(sub=f"user {number}"), secret())
        assert ask(app, headers=bearer(made)).code == 200
        ask(app, headers=bearer(made + "AAAA"))
    assert len(app.scheme._remembered._known) == 16


def test_remembering_can_be_switched_off():
    assert site(remember_for=0).scheme._remembered is None
    app = site(remember_for=5)
    ask(app, headers=bearer(token()))
    assert [until for _, until, _ in app.scheme._remembered._known.values()] == [NOW + 5]


def test_many_threads_share_what_is_remembered():
    app = site()
    tokens = [token(sub=f"user{number}") for number in range(8)]
    together = threading.Barrier(8)
    wrong = []

    def run(number):
        together.wait()
        for turn in range(40):
            sub = (number + turn) % 8
            if ask(app, headers=bearer(tokens[sub])).text != f"user{sub} user{sub} Bearer":
                wrong.append(sub)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


OPAQUE = {
    "abc": {"user": "ann", "scopes": ["read"], "roles": ["admin"], "expires_at": NOW + 60, "claims": {"a": [1]}},
    "def": Identity("bob", "bearer", authenticated_at=NOW),
    "old": {"user": "eve", "expires_at": NOW},
}


def test_opaque_tokens_are_found_by_a_callable():
    asked = []
    app = site(verify=lambda given: asked.append(given) or OPAQUE.get(given), keys=None)
    assert ask(app, "/admin", headers=bearer("abc")).text == "ann ann Bearer"
    assert ask(app, "/fresh", headers=bearer("def")).text == "bob bob Bearer"
    answer = ask(app, "/write", headers=bearer("abc"))
    assert answer.code == 403
    assert 'error="insufficient_scope"' in answer.header("WWW-Authenticate")
    for bad in ("old", "ghi", "e30.e30.AA"):
        answer = ask(app, headers=bearer(bad))
        assert answer.code == 401
        assert answer.header("WWW-Authenticate") == 'Bearer realm="API", error="invalid_token"'
    assert app.told("token.invalid") == ["expired", "unknown token", "unknown token"]
    assert ask(app, headers=bearer("a b")).code == 400
    assert asked == ["abc", "def", "abc", "old", "ghi", "e30.e30.AA"]


def test_opaque_tokens_are_remembered_where_that_is_wanted():
    asked = []
    app = site(verify=lambda given: asked.append(given) or OPAQUE.get(given), keys=None, remember_for=30)
    for _ in range(3):
        assert ask(app, headers=bearer("abc")).code == 200
        assert ask(app, headers=bearer("ghi")).code == 401
    assert asked == ["abc", "ghi", "ghi", "ghi"]


def test_an_error_of_the_callable_is_never_anonymous():
    def verify(given):
        raise KeyError("database")

    with pytest.raises(KeyError):
        ask(site(verify=verify, keys=None), "/pub", headers=bearer("abc"))


@pytest.mark.parametrize("found", ["ann", True, ["ann"], {"users": "ann"}, {}])
def test_a_callable_that_gives_no_identity_is_an_error(found):
    with pytest.raises(TypeError):
        ask(site(verify=lambda given: found, keys=None), headers=bearer("abc"))


SMALL = {"kty": "RSA", "n": "0" * 171, "e": "AQAB"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs issuer="),
        ({"issuer": ISSUER}, "needs audience="),
        ({"audience": AUDIENCE}, "needs issuer="),
        ({"issuer": "", "audience": AUDIENCE}, "needs issuer="),
        ({"issuer": ISSUER, "audience": ""}, "needs audience="),
        ({"issuer": ISSUER, "audience": []}, "needs audience="),
        ({"issuer": ISSUER, "audience": [1]}, "needs audience="),
        ({"issuer": "http://op.example", "audience": "a"}, "https URL"),
        ({"issuer": "http://127.0.0.1", "audience": "a"}, "allow_insecure=True"),
        ({"issuer": "http://127.0.0.1.evil.example", "audience": "a", "allow_insecure": True}, "https URL"),
        ({"issuer": "file:///etc/passwd", "audience": "a"}, "https URL"),
        ({"issuer": "ftp://op.example", "audience": "a", "allow_insecure": True}, "https URL"),
        ({"issuer": "https://a@op.example", "audience": "a"}, "https URL"),
        ({"issuer": "https://op.example/#x", "audience": "a"}, "https URL"),
        ({"issuer": "https://op.example/?x", "audience": "a"}, "without a query"),
        ({"issuer": "https://op.example:port", "audience": "a"}, "https URL"),
        ({"issuer": "https://", "audience": "a"}, "https URL"),
        ({"issuer": "op.example", "audience": "a"}, "https URL"),
        ({"issuer": "https://op.example\n", "audience": "a"}, "https URL"),
        ({"issuer": "op", "audience": "a", "jwks_uri": "http://op.example"}, "jwks_uri="),
        ({"issuer": ISSUER, "audience": "a", "fetch": "requests"}, "fetch="),
        ({"issuer": ISSUER, "audience": "a", "algorithms": []}, "algorithms="),
        ({"issuer": ISSUER, "audience": "a", "algorithms": "RS256"}, "list of names"),
        ({"issuer": ISSUER, "audience": "a", "algorithms": ["none"]}, "'none' is none of"),
        ({"issuer": ISSUER, "audience": "a", "algorithms": ["RS256", "HS256"]}, "pass for a secret"),
        ({"issuer": ISSUER, "audience": "a", "algorithms": ["HS256"]}, "keys=secret"),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "algorithms": ["RS256"]}, "have no use for"),
        ({"issuer": ISSUER, "audience": "a", "keys": b"short"}, "too short"),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET[:40], "algorithms": ["HS512"]}, "fits none of"),
        ({"issuer": ISSUER, "audience": "a", "keys": b"-----BEGIN PUBLIC KEY-----\nAAAA"}, "no public key in PEM"),
        ({"issuer": ISSUER, "audience": "a", "keys": {"keys": []}}, "none of them"),
        ({"issuer": ISSUER, "audience": "a", "keys": {"keys": [SMALL]}}, "none of them"),
        ({"issuer": ISSUER, "audience": "a", "keys": SMALL}, "fewer than 2048 bits"),
        ({"issuer": ISSUER, "audience": "a", "keys": 7}, "a JWK set"),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "jwks_uri": "https://op.example"}, "nothing is fetched"),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "leeway": -1}, "leeway="),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "leeway": True}, "leeway="),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "remember_for": 61}, "remember_for="),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "realm": "Büro"}, "realm="),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "roles": []}, "roles="),
        ({"issuer": ISSUER, "audience": "a", "keys": SECRET, "user": ""}, "user="),
        ({"verify": "abc"}, "verify="),
        ({"verify": len, "issuer": ISSUER, "audience": "a"}, "leave out issuer=, audience="),
    ],
)
def test_a_wrong_option_is_said_at_construction(options, says):
    with pytest.raises(ConfigurationError, match=says):
        Bearer(**options)


def test_a_private_key_has_no_business_here():
    for keys in (rsa().as_pem(private=True), rsa().as_dict(private=True)):
        with pytest.raises(ConfigurationError, match="private key") as wrong:
            Bearer(issuer=ISSUER, audience=AUDIENCE, keys=keys)
        assert str(rsa().as_dict(private=True)["d"]) not in str(wrong.value)


def test_without_the_extra_signed_tokens_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "joserfc.jws", None)
    with pytest.raises(MissingExtra, match=r"wsgi-middleware\[jwt\]"):
        Bearer(issuer=ISSUER, audience=AUDIENCE)
    assert Bearer(verify=OPAQUE.get)


def test_a_repr_holds_no_key():
    assert SECRET.decode() not in repr(vars(site(keys=SECRET).scheme))


def test_bearer_works_without_a_layer():
    scheme = Bearer(issuer=ISSUER, audience=AUDIENCE, keys=public(rsa()), clock=lambda: NOW)
    assert scheme.authenticate(make_environ(headers=bearer(token()))).user == "ann"
    refused = scheme.authenticate(make_environ(headers=bearer(token(exp=NOW))))
    assert refused.reason == "expired"
    assert scheme.challenges({}, refused) == ('Bearer realm="API", error="invalid_token"',)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "loaded"),
    [
        ("verify=len", set()),
        ("issuer='a', audience='b', keys=b'a secret of 32 bytes, or of more'", {"joserfc", "json"}),
        ("issuer='https://a', audience='b'", {"joserfc", "json", "http"}),
    ],
)
def test_a_scheme_loads_what_it_needs_and_no_more(options, loaded):
    program = f"""
import sys
from middleware.auth.schemes.bearer import Bearer
assert not {{"joserfc", "json", "http", "cryptography"}} & sys.modules.keys()
Bearer({options})
print(*{{"joserfc", "json", "http"}} & sys.modules.keys())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert set(ran.stdout.split()) == loaded
