"""The rules themselves, with whatever an application may send."""

from __future__ import annotations

from cached_site import START
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching.policy import DEFAULT
from middleware.caching.said import Said
from middleware.caching.selecting import selecting, selecting_value
from middleware.caching.storing import declared_length, kept, refusal, updated

awkward = st.text(st.sampled_from(list(',;="\\ \tno-storeprivatemax-age90W/*x\xa0\x0b')), max_size=40)
text = awkward | st.text(st.characters(max_codepoint=255), max_size=40)
names = st.sampled_from(
    ["Cache-Control", "Expires", "Age", "Date", "Vary", "ETag", "Last-Modified", "Content-Length", "Connection", "X"]
)
fields = st.lists(st.tuples(names, text), max_size=8)
statuses = st.sampled_from(["200", "204", "404", "500", "206", "304", "abc", "", "99", "600", "²00"])


def allowed(status, pairs, **asked):
    said = Said(status, pairs, START, START, DEFAULT)
    return refusal(status, said, policy=DEFAULT, **{"authorized": False, "with_cookie": False, **asked}) is None


@given(statuses, fields, st.booleans(), st.booleans(), st.floats(0, 1e11), st.floats(0, 1e11))
def test_no_answer_is_too_odd_to_be_judged(status, pairs, authorized, with_cookie, asked_at, received_at):
    said = Said(status, pairs, asked_at, received_at, DEFAULT)
    refusal(status, said, authorized=authorized, with_cookie=with_cookie, policy=DEFAULT)
    assert said.initial_age >= 0
    assert said.lifetime is None or 0 <= said.lifetime <= 1 << 31
    assert said.useful_for(status) >= 1
    kept(pairs, received_at)
    updated(pairs, pairs, received_at)
    declared_length(pairs)


@given(fields, st.sampled_from(["no-store", "private"]), st.data())
def test_no_store_and_private_are_obeyed_in_any_company(pairs, directive, data):
    cased = "".join(data.draw(st.sampled_from([c.upper(), c])) for c in directive)
    before, after = (
        data.draw(st.sampled_from(["", "max-age=60,", "public, s-maxage=9 ,", ",", 'x="a,b",'])),
        data.draw(st.sampled_from(["", ",max-age=60", "=1", '="x"', " ", "\t, public", ";", "; max-age=60", " =x"])),
    )
    position = data.draw(st.integers(0, len(pairs)))
    pairs = [("Cache-Control", "public, max-age=60"), *pairs]
    pairs.insert(position, ("cache-CONTROL", before + cased + after))
    assert not allowed("200", pairs)


@given(fields, text)
def test_a_cookie_is_never_stored(pairs, value):
    assert not allowed("200", [*pairs, ("Set-Cookie", value), ("Cache-Control", "public, max-age=60")])


@given(fields)
def test_credentials_never_make_more_storable(pairs):
    for asked in ({"authorized": True}, {"with_cookie": True}):
        if allowed("200", pairs, **asked):
            assert allowed("200", pairs)


@given(fields)
def test_what_is_kept_can_be_sent_again(pairs):
    stored = kept(pairs, START)
    if stored is not None:
        assert not any(character in name + value for name, value in stored for character in "\r\n\0")
        assert any(name.lower() == "date" for name, _ in stored)


@given(st.sampled_from(["accept-encoding", "x"]), st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True)))
def test_white_space_round_commas_counts_only_where_it_may_mean_something(name, words):
    loose, tight = ", ".join(words), ",".join(words)
    assert (selecting_value(name, loose) == selecting_value(name, tight)) is (name != "x" or len(words) < 2)


@given(st.lists(text, max_size=4))
def test_a_star_in_vary_always_counts(lines):
    assert selecting([*lines, "*"], ()) is None
    assert selecting(["a, *, b", *lines], ()) is None


def test_endless_fields_take_no_endless_time():
    """As many steps as there are characters, whatever they are; a square of that would never come back."""
    for unit in [",", '"', '",', "a=", "no-store", ';"', "\\", '"\\']:
        endless = unit * (1_000_000 // len(unit))
        pairs = [(name, endless) for name in ("Cache-Control", "Vary", "Age", "Expires", "ETag", "Date", "Connection")]
        said = Said("200", pairs, START, START, DEFAULT)
        refusal("200", said, authorized=False, with_cookie=False, policy=DEFAULT)
        kept(pairs, START)
