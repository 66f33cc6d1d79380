"""The pure parts of Digest: credentials, responses, nonces and windows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth.digest.credentials import Credentials, credentials, extended, parameters
from middleware.auth.digest.nonces import LENGTH, Nonces
from middleware.auth.digest.response import expected_response, ha1
from middleware.auth.digest.windows import WIDTH, OwnWindows, SharedWindows, used
from middleware.auth.schemes.base import Refused, Unavailable
from middleware.stores.memory import MemoryStore
from middleware.testing.clock import FakeClock

# RFC 7616, section 3.9.1.
RFC = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}
FIELD = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize("algorithm", RFC)
def test_the_examples_of_the_standard_are_right(algorithm):
    given = credentials(FIELD.format(algorithm, RFC[algorithm]))
    assert isinstance(given, Credentials)
    stored = ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    assert expected_response(stored, given, "GET") == given.response == RFC[algorithm]


def test_a_whole_field_is_read():
    given = credentials(FIELD.format("SHA-256", RFC["SHA-256"].upper()))
    assert (given.username, given.userhash, given.realm) == ("Mufasa", False, "http-auth@example.org")
    assert (given.algorithm, given.sess, given.has_qop) == ("SHA-256", False, True)
    assert (given.nc, given.count, given.response) == ("00000001", 1, RFC["SHA-256"])
    assert RFC["SHA-256"] not in repr(given)


def test_the_password_of_a_user_with_a_colon_is_nobodys():
    with pytest.raises(ValueError, match="colon"):
        ha1("a:b", "App", "apple")
    with pytest.raises(ValueError, match="SHA-256, MD5"):
        ha1("ann", "App", "apple", "SHA-512")


NAMES = st.text("abcdefghijklmnopqrstuvwxyz*-", min_size=1)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=50)


@given(st.dictionaries(NAMES, VALUES, max_size=20))
def test_every_list_of_parameters_comes_through(given):
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in given.items()}
    for text in (f'{name}="{value}"' for name, value in quoted.items()):
        assert parameters(text) is not None
    assert parameters(" , ".join(f'{name}="{value}"' for name, value in quoted.items())) == given


PIECES = st.sampled_from(
    [
        "Digest ",
        "digest",
        "username",
        "=",
        '"',
        "\\",
        ",",
        " ",
        "\t",
        "nc",
        "00000001",
        "*",
        "UTF-8''",
        "%41",
        "\xe4",
        "☃",
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map("".join).map("Digest ".__add__)))
def test_no_field_makes_the_parser_fail(field):
    found = credentials(field)
    assert found is None or isinstance(found, Credentials | Refused)
    if isinstance(found, Refused):
        assert found.status in (400, 401)


@given(st.text())
def test_every_name_comes_through_as_an_extended_value(name):
    try:
        encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    except UnicodeEncodeError:
        return
    assert extended(f"UTF-8''{encoded}") == name


class Text(str):
    """Text that counts the characters which were looked through."""

    looked = 0

    def find(self, part, start=0, end=None):
        end = len(self) if end is None else end
        found = super().find(part, start, end)
        Text.looked += max((found if found >= 0 else end) - start, 0)
        return found


@pytest.mark.parametrize(
    "value",
    ['a="' + "\\a" * 4000 + '"', 'a="' + '\\"' * 4000, "a=1," * 30 + "," * 8000, 'a="' + "a\\\\" * 2600 + '",b="c"'],
    ids=["escapes", "no end", "commas", "backslashes"],
)
def test_a_field_is_looked_through_a_few_times_at_most(value):
    Text.looked = 0
    parameters(Text(value))
    assert Text.looked <= 3 * len(value)


# Nonces


def test_a_nonce_says_when_it_was_made_and_is_a_token():
    clock = FakeClock(1_790_000_000.25)
    nonces = Nonces([b"k" * 16], "App", clock)
    nonce = nonces.issue()
    assert len(nonce) == LENGTH
    assert nonces.issued_at(nonce) == 1_790_000_000_250_000
    assert set(nonce) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_no_two_nonces_are_of_one_time():
    nonces = Nonces([b"k" * 16], "App", FakeClock())
    times = [nonces.issued_at(nonces.issue()) for _ in range(100)]
    assert times == sorted(set(times))


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_nonce(text):
    assert Nonces([b"k" * 16], "App", FakeClock()).issued_at(text) is None


@pytest.mark.parametrize("change", [lambda nonce: nonce.replace("-", "+").replace("_", "/"), str.swapcase, str.upper])
def test_a_nonce_has_one_spelling(change):
    nonces = Nonces([b"k" * 16], "App", FakeClock())
    for _ in range(200):
        nonce = nonces.issue()
        assert change(nonce) == nonce or nonces.issued_at(change(nonce)) is None


# Windows


@given(st.lists(st.integers(1, 200), max_size=100))
def test_a_window_lets_each_count_pass_once_and_none_below(counts):
    window = None
    seen = set()
    for count in counts:
        after = used(window, count, "ann")
        may = count not in seen and (not seen or count > max(seen) - WIDTH)
        assert (after is not None) == may
        if after is not None:
            window = after
            seen.add(count)
            assert window[0] == max(seen)
            assert window[1] < 1 << WIDTH


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 70)), max_size=60))
def test_windows_of_a_process_and_of_a_store_let_the_same_pass(asked):
    own, shared = OwnWindows(100), SharedWindows(MemoryStore(), 300)
    begun = set()
    for nonce, count in asked:
        if nonce not in begun and count != 1:
            assert shared.use(f"{nonce}", nonce, count, "ann", shared.find(f"{nonce}")) == "stale"
            continue
        begun.add(nonce)
        found = [windows.use(f"{nonce}", nonce, count, "ann", windows.find(f"{nonce}")) for windows in (own, shared)]
        assert found[0] == found[1]
        assert own.find(f"{nonce}") == shared.find(f"{nonce}")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), max_size=100), st.integers(1, 5))
def test_however_few_windows_are_kept_no_count_is_good_twice(asked, most):
    windows = OwnWindows(most)
    passed = set()
    for nonce, count in asked:
        if windows.use(f"{nonce}", nonce, count, "ann", None) is None:
            assert (nonce, count) not in passed
            passed.add((nonce, count))
        assert len(windows) <= most


class Contended:
    """A store in which another request is always faster."""

    def __init__(self):
        self.counts = 0

    def get(self, key):
        self.counts += 1
        return f"{self.counts:x} 1 ann".encode()

    def swap(self, key, old, new, ttl=None):
        return False


def test_a_nonce_that_too_many_want_is_given_up():
    shared = SharedWindows(Contended(), 300)
    with pytest.raises(Unavailable):
        shared.use("nonce", 1, 1000, "ann", shared.find("nonce"))


def test_a_record_outlives_its_nonce_and_not_much_longer():
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    shared = SharedWindows(store, 300)
    assert shared.use("nonce", 1, 1, "ann", None) is None
    clock.advance(301)
    assert shared.find("nonce") == (1, 1, "ann")
    clock.advance(300)
    assert shared.find("nonce") is None
