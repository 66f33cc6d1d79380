"""API keys, from the header field to what the application finds."""

from __future__ import annotations

import threading
from random import Random
from types import SimpleNamespace

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Basic, Refused, optional, require
from middleware.auth.api_keys import ApiKeyRecord, new_api_key
from middleware.auth.schemes import api_key
from middleware.auth.schemes.api_key import ApiKey
from middleware.errors import ConfigurationError

NOW = 1_790_000_000.0
CHANCE = Random(7).randbytes  # the same keys in every process that collects these tests
KEY, RECORD = new_api_key("test", user="ann", scopes=["read"], roles=["ci"], expires_at=NOW + 60, chance=CHANCE)
OTHER, ANOTHER = new_api_key("test", user="bob", chance=CHANCE)
KEYS = {RECORD.id: RECORD, ANOTHER.id: ANOTHER}


def protected(keys=None, *, clock=lambda: NOW, rules=None, on_event=None, **options):
    scheme = ApiKey(KEYS if keys is None else keys, clock=clock, **options)
    return AuthMiddleware(who, scheme, rules=rules, on_event=on_event)


def changed(record, **changes):
    values = {name: getattr(record, name) for name in ApiKeyRecord.__slots__}
    return ApiKeyRecord(**{**values, **changes})


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY},
        {"x-api-key": f" {KEY} "},
        {"Authorization": f"ApiKey {KEY}"},
        {"Authorization": f"apikey  {KEY} "},
        {"Authorization": f" APIKEY {KEY}"},
    ],
)
def test_KEY_2_a_key_reaches_the_application_as_an_identity(headers):
    assert ask(protected(), headers=headers).text == "ann ann apikey"


def test_KEY_2_the_identity_says_what_the_key_is_good_for():
    identity = ApiKey(KEYS, clock=lambda: NOW).authenticate(make_environ(headers={"X-API-Key": KEY}))
    assert (identity.user, identity.scheme, identity.factors) == ("ann", "apikey", ("key",))
    assert (identity.scopes, identity.roles) == ({"read"}, {"ci"})
    assert identity.authenticated_at is None
    assert identity.expires_at == NOW + 60
    assert identity.claims["key_id"] == RECORD.id


def test_KEY_2_scopes_and_roles_count_in_rules():
    app = protected(rules=[require("/read", scope="read"), require("/write", scope="write"), require("/ci", role="ci")])
    asked = {path: ask(app, path, headers={"X-API-Key": KEY}).code for path in ("/read", "/write", "/ci")}
    assert asked == {"/read": 200, "/write": 403, "/ci": 200}


def test_a_key_is_never_fresh():
    app = AuthMiddleware(
        who, [ApiKey(KEYS, clock=lambda: NOW), Basic({"ann": stored("apple")})], rules=[require("/", fresh=600)]
    )
    assert ask(app, headers={"X-API-Key": KEY}).code == 401
    assert ask(app, headers=basic()).code == 200


def test_without_a_key_one_is_asked_for():
    answer = ask(protected(realm='a "b"'))
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == ['ApiKey realm="a \\"b\\""']
    assert {"x-api-key", "authorization"} <= set(answer.header("Vary").lower().replace(" ", "").split(","))


@pytest.mark.parametrize("path", [f"/?api_key={KEY}", f"/?X-API-Key={KEY}", f"/?access_token={KEY}", f"/{KEY}"])
def test_KEY_2_a_key_in_the_url_is_no_key(path):
    assert ask(protected(), path).code == 401


def test_KEY_2_another_field_can_hold_the_key_and_then_the_usual_one_does_not():
    app = protected(header="X-Token")
    assert ask(app, headers={"X-Token": KEY}).code == 200
    assert ask(app, headers={"X-API-Key": KEY}).code == 401
    app = protected(header=None)
    assert ask(app, headers={"Authorization": f"ApiKey {KEY}"}).code == 200
    assert ask(app, headers={"X-API-Key": KEY}).code == 401


# KEY-2 and BAS-5: the field, what it is answered with.
FIELDS = [
    (KEY + ",", 400),
    (f"{KEY},{KEY}", 400),
    (f"{KEY}, {OTHER}", 400),
    (",", 400),
    ("a" * (1 << 20) + ",", 400),
    ("," * (1 << 20), 400),
    (KEY[:-1], 401),
    (KEY + "a", 401),
    (KEY.upper(), 401),
    (KEY.replace("test_", "live_"), 401),
    (KEY.replace("test_", ""), 401),
    (OTHER.rpartition("_")[0] + "_" + KEY.rpartition("_")[2], 401),
    (f'"{KEY}"', 401),
    (f"Bearer {KEY}", 401),
    (f"ApiKey {KEY}", 401),
    (RECORD.id, 401),
    (RECORD.sha256, 401),
    (f"test_{RECORD.id}_{RECORD.sha256}", 401),
    ("_", 401),
    ("__", 401),
    ("null", 401),
    (" ", 401),
    (f"\t{KEY}", 401),
    (f"{KEY}\0", 401),
    (f"{KEY}\r\nX: y", 401),
    ("test_é_ü", 401),
    ("test_名_前", 401),
    ("\ud800", 401),
    ("test_" + "a" * 100_000 + "_" + "b" * 100_000, 401),
    ("_" * (1 << 20), 401),
    ("a_" * (1 << 19), 401),
]


@pytest.mark.parametrize(
    ("field", "code"), FIELDS, ids=lambda value: str(value)[:30].encode("ascii", "replace").decode()
)
def test_KEY_2_hostile_fields_are_refused(field, code):
    assert ask(protected(), headers={"X-API-Key": field}).code == code
    assert ask(protected(rules=[optional("/")]), headers={"X-API-Key": field}).code == code


@pytest.mark.parametrize(
    ("field", "code"),
    [
        (f"ApiKey {KEY}, ApiKey {KEY}", 400),
        (f"ApiKey {KEY},", 400),
        (f"Basic YTpi, ApiKey {KEY}", 400),
        ("apikey " + "a," * 4000, 400),
        ("ApiKey", 401),
        ("ApiKey ", 401),
        (f"ApiKey\t{KEY}", 401),
        (f'ApiKey key="{KEY}"', 401),
        ("ApiKey " + "a" * (1 << 20), 401),
        ("apikey " + "," * (1 << 20), 401),
        ("ApiKey \xff", 401),
    ],
    ids=lambda value: str(value)[:30],
)
def test_KEY_2_hostile_authorization_fields_are_refused(field, code):
    assert ask(protected(rules=[optional("/")]), headers={"Authorization": field}).code == code


@pytest.mark.parametrize(
    "field", ["", "Basic YTpi", "ApiKeys x", "Bearer a", 'Digest a="b", c="ApiKey x"', "a" * (1 << 20)]
)
def test_what_is_of_another_scheme_is_left_to_it(field):
    assert ask(protected(rules=[optional("/")]), headers={"Authorization": field}).text == "None None None"


def test_an_empty_field_is_no_key():
    assert ask(protected(rules=[optional("/")]), headers={"X-API-Key": ""}).code == 200


def test_KEY_2_two_keys_in_two_fields_are_too_many():
    assert ask(protected(), headers={"X-API-Key": KEY, "Authorization": f"ApiKey {KEY}"}).code == 400


def test_a_bad_key_is_not_made_good_by_other_credentials():
    app = AuthMiddleware(who, [ApiKey(KEYS), Basic({"ann": stored("apple")})])
    assert ask(app, headers={"X-API-Key": KEY[:-1], **basic()}).code == 401


@pytest.mark.parametrize(("change", "reason"), [({"expires_at": NOW}, "expired"), ({"disabled": True}, "disabled")])
def test_KEY_2_a_key_that_has_ended_is_refused(change, reason):
    told = []
    app = protected({RECORD.id: changed(RECORD, **change)}, on_event=told.append)
    assert ask(app, headers={"X-API-Key": KEY}).code == 401
    assert [(event.name, event.subject, event.details["reason"]) for event in told] == [("refused", "ann", reason)]


def test_KEY_2_what_is_wrong_with_a_key_is_told_only_to_who_has_it():
    keys = {RECORD.id: changed(RECORD, disabled=True)}
    forged = KEY[:-1] + ("a" if KEY[-1] != "a" else "b")
    refused = ApiKey(keys).authenticate(make_environ(headers={"X-API-Key": forged}))
    assert refused.reason == "wrong key"


def test_KEY_2_a_key_that_is_taken_away_is_refused_from_the_next_request_on():
    keys = dict(KEYS)
    app = protected(keys)
    assert ask(app, headers={"X-API-Key": KEY}).code == 200
    keys[RECORD.id] = changed(RECORD, disabled=True)
    assert ask(app, headers={"X-API-Key": KEY}).code == 401
    del keys[RECORD.id]
    assert ask(app, headers={"X-API-Key": KEY}).code == 401
    assert ask(app, headers={"X-API-Key": OTHER}).code == 200


def test_KEY_1_an_unknown_id_costs_the_same_as_a_wrong_secret(monkeypatch):
    done = []
    right = api_key.is_right
    monkeypatch.setattr(api_key, "is_right", lambda key, digest: done.append(digest is not None) or right(key, digest))
    app = protected()
    for key in (KEY[:-1] + "0", new_api_key("test", user="eve")[0], KEY):
        ask(app, headers={"X-API-Key": key})
    assert done == [True, False, True]


def test_KEY_1_a_source_finds_keys_by_their_id_alone():
    asked = []

    def find(key_id):
        asked.append(key_id)
        return KEYS.get(key_id)

    assert ask(protected(find), headers={"X-API-Key": KEY}).code == 200
    assert ask(protected(find), headers={"X-API-Key": KEY + "a,"}).code == 400
    assert ask(protected(find), headers={"X-API-Key": "junk"}).code == 401
    assert asked == [RECORD.id]


def test_a_source_may_give_rows_of_its_own():
    row = SimpleNamespace(id=RECORD.id, sha256=RECORD.sha256, user="ann", scopes=["read"], disabled=0, note="x")
    assert ask(protected(lambda _: row), headers={"X-API-Key": KEY}).text == "ann ann apikey"
    row.disabled = 1
    assert ask(protected(lambda _: row), headers={"X-API-Key": KEY}).code == 401


@pytest.mark.parametrize("found", [7, "ann", SimpleNamespace(id=RECORD.id, user="ann", sha256=None), b""])
def test_a_source_that_gives_no_record_is_a_failing_source(found, caplog):
    assert ask(protected(lambda _: found), headers={"X-API-Key": KEY}).code == 503
    assert "the source of API keys failed" in caplog.text
    assert KEY not in caplog.text


def test_a_source_that_fails_is_503(caplog):
    def find(_):
        raise OSError("down")

    answer = ask(protected(find), headers={"X-API-Key": KEY})
    assert (answer.code, answer.header("Retry-After")) == (503, "5")
    assert "down" in caplog.text


@pytest.mark.parametrize(
    "keys",
    [None, 7, "keys.txt", [RECORD], dict, {RECORD.id: RECORD.sha256}, {"other": RECORD}, {"a_b": RECORD}, {KEY: "ann"}],
    ids=lambda keys: type(keys).__name__,
)
def test_API_7_what_is_no_source_of_keys_is_refused(keys):
    with pytest.raises(ConfigurationError, match="keys=") as caught:
        ApiKey(keys)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("header", ["", "X Key", "X_Key", "X-Kéy", "Authorization", "cookie", 7, "X:Y"])
def test_API_7_what_is_no_field_of_its_own_is_refused(header):
    with pytest.raises(ConfigurationError, match="header="):
        ApiKey(KEYS, header=header)


@pytest.mark.parametrize("realm", ["Büro", "a\nb", 7])
def test_API_7_a_realm_that_no_field_can_hold_is_refused(realm):
    with pytest.raises(ConfigurationError, match="realm="):
        ApiKey(KEYS, realm=realm)


def test_EVT_3_neither_keys_nor_digests_are_in_events():
    told = []
    app = protected(on_event=told.append)
    for key in (KEY, KEY[:-1] + "0", f"{KEY},{KEY}", "test_unknown_" + KEY.rpartition("_")[2]):
        ask(app, headers={"X-API-Key": key})
    text = repr([(event.name, event.subject, event.details) for event in told])
    assert len(told) == 3
    assert KEY.rpartition("_")[2] not in text
    assert RECORD.sha256 not in text
    assert RECORD.sha256 not in repr(ApiKey(KEYS))


def test_many_threads_share_a_scheme():
    app = protected()
    gate = threading.Barrier(8)
    answers = []

    def work(key, user):
        gate.wait()
        answers.extend(ask(app, headers={"X-API-Key": key}).text == f"{user} {user} apikey" for _ in range(50))

    threads = [threading.Thread(target=work, args=pair) for pair in [(KEY, "ann"), (OTHER, "bob")] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 400


@given(st.text(), st.text())
def test_every_field_is_an_identity_a_refusal_or_nothing(field, authorization):
    headers = {"X-API-Key": field, "Authorization": authorization}
    found = ApiKey(KEYS).authenticate(make_environ(headers=headers))
    assert found is None or isinstance(found, Refused)
