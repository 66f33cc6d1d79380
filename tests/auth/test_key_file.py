"""API keys in a file: its lines, and how it is read again."""

from __future__ import annotations

import stat
from contextlib import suppress

import pytest
from asking import ask
from auth_helpers import who
from hypothesis import given
from hypothesis import strategies as st

from middleware import operators
from middleware.auth import AuthMiddleware
from middleware.auth.api_keys import ApiKeyRecord, new_api_key
from middleware.auth.key_file import ApiKeys, add_to_file, line_of, record_of, seconds_of
from middleware.auth.schemes.api_key import ApiKey
from middleware.errors import ConfigurationError

DIGEST = "0f" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "api-keys"


def test_a_line_says_all_of_a_record():
    record = ApiKeyRecord("a1", DIGEST, "ann", scopes=["b", "a"], roles=["ci"], expires_at=1_801_353_600, disabled=True)
    line = f"a1 {DIGEST} user=ann scopes=a,b roles=ci expires=2027-01-31T00:00:00Z disabled"
    assert line_of(record) == line
    assert record_of(line) == record
    assert record_of(f"  a1\t{DIGEST} disabled roles=ci user=ann scopes=b,a expires=2027-01-31 \r") == record
    assert record_of(f"a1 {DIGEST} user=jäsøn") == ApiKeyRecord("a1", DIGEST, "jäsøn")


@pytest.mark.parametrize("line", ["", "   ", "#", f"# a1 {DIGEST} user=ann"])
def test_an_empty_line_and_a_comment_are_no_record(line):
    assert record_of(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "a1",
        f"a1 {DIGEST}",
        f"a1 {DIGEST} ann",
        f"a1 {DIGEST} user",
        f"a1 {DIGEST} user=",
        f"a1 {DIGEST} scopes=read",
        f"a1 {DIGEST} user=ann user=bob",
        f"a1 {DIGEST} user=ann disabled=no",
        f"a1 {DIGEST} user=ann disabled disabled",
        f"a1 {DIGEST} user=ann disable",
        f"a1 {DIGEST} user=ann expires=soon",
        f"a1 {DIGEST} user=ann expires=",
        f"a1 {DIGEST} user=a%FFb",
        f"a1 {DIGEST} user=a%0Ab",
        f"a1 {DIGEST[1:]} user=ann",
        f"a_1 {DIGEST} user=ann",
    ],
)
def test_a_line_that_is_no_key_is_an_error_that_shows_no_secret(line):
    with pytest.raises(ValueError) as caught:
        record_of(line)
    assert DIGEST[1:] not in str(caught.value)


def test_a_date_is_in_utc_where_it_does_not_say_more():
    assert seconds_of("2027-01-31") == seconds_of("2027-01-31T00:00:00Z") == seconds_of("2027-01-31T01:00:00+01:00")


def test_keys_are_found_in_a_file(path):
    key, record = new_api_key(user="ann")
    path.write_text(f"# our keys\n\n{line_of(record)}\n")
    keys = ApiKeys(path)
    assert keys.get(record.id) == record
    assert keys.get("other") is None
    assert ask(AuthMiddleware(who, ApiKey(keys)), headers={"X-API-Key": key}).text == "ann ann apikey"


def test_KEY_2_what_is_changed_in_the_file_counts_for_the_next_request(path):
    key, record = new_api_key(user="ann")
    path.write_text(line_of(record))
    app = AuthMiddleware(who, ApiKey(ApiKeys(path)))
    headers = {"X-API-Key": key}
    assert ask(app, headers=headers).code == 200
    path.write_text(line_of(record) + " disabled")
    assert ask(app, headers=headers).code == 401
    path.write_text(line_of(record))
    assert ask(app, headers=headers).code == 200
    path.write_text("#" + line_of(record))
    assert ask(app, headers=headers).code == 401
    path.unlink()
    assert ask(app, headers=headers).code == 503


def test_one_odd_line_leaves_the_other_keys_alone(path, caplog, monkeypatch):
    monkeypatch.setattr(operators, "_said", {})
    key, record = new_api_key(user="ann")
    path.write_text(f"a line of junk {key}\n{line_of(record)}\n")
    keys = ApiKeys(path)
    assert keys.get(record.id) == record
    keys.get(record.id)
    assert caplog.text.count("line 1 of") == 1
    assert key not in caplog.text


def test_of_an_id_that_is_there_twice_the_first_line_counts(path):
    record = ApiKeyRecord("a1", DIGEST, "ann", disabled=True)
    path.write_text(f"{line_of(record)}\na1 {DIGEST} user=bob\n")
    assert ApiKeys(path).get("a1") == record


def test_API_7_a_file_that_is_not_there_is_refused(path):
    with pytest.raises(ConfigurationError, match="api-keys"):
        ApiKeys(path)


def test_a_source_shows_its_path_only(path):
    path.write_text(f"a1 {DIGEST} user=ann")
    assert repr(ApiKeys(path)) == f"<ApiKeys {str(path)!r}>"


def test_a_record_is_added_to_a_file_that_only_its_owner_reads(path):
    records = [new_api_key(user=user)[1] for user in ("ann", "bob")]
    add_to_file(path, records[0])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    add_to_file(path, records[1])
    keys = ApiKeys(path)
    assert [keys.get(record.id) for record in records] == records


def test_a_record_is_added_on_a_line_of_its_own(path):
    path.write_text(f"a1 {DIGEST} user=ann")
    _, record = new_api_key(user="bob")
    add_to_file(path, record)
    keys = ApiKeys(path)
    assert keys.get("a1").user == "ann"
    assert keys.get(record.id) == record


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).filter(
    str.isprintable
)


@given(names, st.lists(names), st.lists(names), st.none() | st.integers(0, 1 << 33), st.booleans())
def test_what_was_written_is_read_again(user, scopes, roles, expires_at, disabled):
    record = ApiKeyRecord("a1", DIGEST, user, scopes=scopes, roles=roles, expires_at=expires_at, disabled=disabled)
    line = line_of(record)
    assert line.isascii()
    assert record_of(line) == record


@given(st.text())
def test_every_line_is_a_record_or_a_value_error(line):
    with suppress(ValueError):
        record_of(line)
