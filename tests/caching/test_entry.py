"""What the cache keeps in a store, as bytes: it comes back as it was, or not at all."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching.rules.policy import DEFAULT
from middleware.caching.rules.said import Said
from middleware.caching.shelf.entry import Head, Record, StoredBody
from middleware.caching.shelf.lines import VERSION, checksum, opened, sealed
from middleware.caching.shelf.marks import Mark

text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
names = st.from_regex(r"[A-Za-z-]{1,9}", fullmatch=True)
fields = st.lists(st.tuples(names, text), max_size=6)
times = st.floats(0, 1e12)
generations = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
tagged = st.lists(st.tuples(visible.map("tag {}".format), generations), max_size=4).map(tuple)


def head_of(pairs, received=0.0, length=7, *, asked_at=0.0, tagged=()):
    said = Said("200", pairs, received, received, DEFAULT)
    head = Head("g", "200 OK", pairs, said, received, StoredBody("n", length, 7, 9))
    head.asked_at = asked_at
    head.tagged = tagged
    return head


@given(fields, times, times, st.integers(0, 10**9), tagged)
def test_a_head_comes_back_as_it_was(pairs, asked_at, received, length, marks):
    head = head_of(pairs, received, length, asked_at=asked_at, tagged=marks)
    back = Head.from_bytes("address", head.to_bytes("address"))
    assert back.fields == pairs
    assert (back.asked_at, back.tagged) == (asked_at, marks)
    assert (back.received, back.initial_age, back.lifetime) == (head.received, head.initial_age, head.lifetime)
    assert (back.stale_at, back.explicit, back.hit_fields) == (head.stale_at, head.explicit, head.hit_fields)
    assert (back.body.name, back.body.length, back.body.checksum, back.body.until) == ("n", length, 7, 9)


@given(tagged)
def test_a_head_knows_the_tags_that_it_was_stored_with(marks):
    assert head_of([], tagged=marks).tags == tuple(name[4:] for name, _ in marks)


selections = st.lists(st.lists(names.map(str.lower), max_size=3).map(tuple), max_size=4, unique=True).map(tuple)
variants = st.lists(st.sampled_from(["-", "a" * 32, "b" * 32]), unique=True).map(tuple)
record_marks = st.lists(st.tuples(st.sampled_from(["everything", "path " + "0f" * 16]), generations)).map(tuple)


@given(selections, variants, record_marks, times)
def test_a_record_comes_back_as_it_was(selections, variants, marked, soft_at):
    record = Record("g", 7, 5, selections, variants, marked=marked, soft_at=soft_at)
    back = Record.from_bytes("address", record.to_bytes("address"))
    assert (back.generation, back.serial, back.until) == ("g", 7, 5)
    assert (back.selections, back.variants) == (selections, variants)
    assert (back.marked, back.soft_at) == (marked, soft_at)


@given(generations, times, times, st.integers(0, 2**40))
def test_a_mark_comes_back_as_it_was(generation, purged_at, soft_at, until):
    back = Mark.from_bytes("address", Mark(generation, purged_at, soft_at, until).to_bytes("address"))
    assert (back.generation, back.purged_at, back.soft_at, back.until) == (generation, purged_at, soft_at, until)


KINDS = {
    "head": (Head, head_of([("Cache-Control", "max-age=60"), ("ETag", '"1"')], tagged=(("tag a", "0" * 32),))),
    "record": (Record, Record("g", 1, 2, (("x",),), ("a" * 32,), marked=(("everything", "0" * 32),))),
    "mark": (Mark, Mark("g", 1.0, 2.0, 3)),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_what_was_stored_elsewhere_or_as_something_else_does_not_count(kind):
    read, value = KINDS[kind]
    data = value.to_bytes("address")
    assert read.from_bytes("address", data) is not None
    assert read.from_bytes("another address", data) is None
    assert [other for other, (reader, _) in KINDS.items() if reader.from_bytes("address", data)] == [kind]


@each_kind
def test_what_has_a_damaged_byte_does_not_count(kind):
    read, value = KINDS[kind]
    data = value.to_bytes("address")
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            assert read.from_bytes("address", bytes(damaged)) is None


@each_kind
@given(data=st.data(), now=times)
def test_what_is_sealed_but_not_ours_does_not_count_or_is_one_of_its_kind(kind, data, now):
    """As if a program that knows the format had written it: no exception, and nothing but what it says."""
    read, value = KINDS[kind]
    lines = opened(kind, "address", value.to_bytes("address"))
    position = data.draw(st.integers(0, len(lines) - 1))
    lines[position] = data.draw(text | st.sampled_from(["", "-1", "nan", "1e999", "9" * 400, " ", ";", "=", "a=b=c"]))
    cut = data.draw(st.integers(1, len(lines)))
    for some in (lines, lines[:cut]):
        found = read.from_bytes("address", sealed(kind, "address", some))
        assert found is None or isinstance(found, read)
        if isinstance(found, Head):
            assert found.age(now) >= 0
            assert isinstance(found.ttl(now), int)


@each_kind
def test_what_another_version_wrote_does_not_count(kind):
    read, value = KINDS[kind]
    data = value.to_bytes("address")[4:].replace(VERSION.encode(), b"wsgi-middleware cache 2")
    assert read.from_bytes("address", checksum(data).to_bytes(4, "big") + data) is None


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@each_kind
@pytest.mark.parametrize("data", [b"", b"\0" * 4, pickle.dumps(Bomb()), pickle.dumps("text", 0), b"{}", b"spoilt"])
def test_what_is_no_entry_does_not_count(kind, data):
    read, _ = KINDS[kind]
    assert read.from_bytes("address", data) is None
    assert read.from_bytes("address", checksum(data).to_bytes(4, "big") + data) is None


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd_to_be_read(data):
    for read, _ in KINDS.values():
        assert read.from_bytes("a", data) is None


@pytest.mark.parametrize("character", ["\r", "\0"])
def test_a_field_that_would_split_an_answer_is_not_read(character):
    """Whoever wrote it into the store: it reaches no client."""
    data = head_of([("X", f"a{character}Set-Cookie: b")]).to_bytes("address")
    assert Head.from_bytes("address", data) is None


def test_a_line_break_is_not_stored():
    with pytest.raises(ValueError, match="line break"):
        head_of([("X", "a\nSet-Cookie: b")]).to_bytes("address")
