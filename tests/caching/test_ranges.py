"""Ranges of bytes out of a body, and parts of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching.ranges import UNSATISFIABLE, Part, chosen_range, combined, covers, part_of

BODY = b"0123456789"
lengths = st.integers(0, 20)


@pytest.mark.parametrize(
    ("given_range", "bytes_"),
    [
        ("bytes=0-1", b"01"),
        ("bytes=7-", b"789"),
        ("bytes=-1", b"9"),
        ("bytes=8-99", b"89"),
        ("bytes=-99", BODY),
        ("BYTES=0-0", b"0"),
        (" bytes= 2-3 ,", b"23"),
        ("bytes=0-" + "9" * 900, BODY),
        ("bytes=-" + "9" * 900, BODY),
        ("bytes=00001-2", b"12"),
    ],
)
def test_a_range_chooses_bytes(given_range, bytes_):
    first, last = chosen_range(given_range, 10)
    assert BODY[first : last + 1] == bytes_


@pytest.mark.parametrize(
    ("given_range", "length"),
    [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0), ("bytes=" + "9" * 900 + "-", 10)],
)
def test_a_range_may_choose_what_is_not_there(given_range, length):
    assert chosen_range(given_range, length) == UNSATISFIABLE


@pytest.mark.parametrize(
    "given_range",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=1-b",
        "bytes=a-",
        "bytes=-",
        "bytes=5",
        "bytes=--5",
        "bytes=-5-6",
        "bytes=1-2-3",
        "bytes=0-1,4-5",
        "bytes=0 - 1",
        "bytes=+1-2",
        "bytes=\u00b2-3",
        "bytes =0-1",
        "lines=0-1",
        "0-1",
        "bytes=" + "9" * 900 + "-5",
        "bytes=0-1" + " " * 2000,
    ],
)
def test_what_is_no_range_of_bytes_is_ignored(given_range):
    assert chosen_range(given_range, 10) is None


@given(st.text(st.sampled_from(list("bytes=0123-, \t")), max_size=20) | st.text(max_size=20), lengths)
def test_no_range_is_too_odd(given_range, length):
    for text in (given_range, "bytes=" + given_range):
        chosen = chosen_range(text, length)
        if isinstance(chosen, tuple):
            assert 0 <= chosen[0] <= chosen[1] < length


@given(st.none() | lengths, st.none() | lengths, lengths)
def test_a_range_means_what_a_slice_means(first, last, length):
    if first is None and last is None:
        return
    asked = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    body = range(length)
    meant = body[first : None if last is None else last + 1] if first is not None else body[max(0, length - last) :]
    chosen = chosen_range(asked, length)
    if first is not None and last is not None and last < first:
        assert chosen is None
    elif not meant:
        assert chosen == UNSATISFIABLE
    else:
        assert chosen == (meant[0], meant[-1])


def part(content_range, size, status="206", etag=None):
    fields = [("Content-Range", content_range)] + ([("ETag", etag)] if etag else [])
    return part_of(status, fields, size)


def test_a_part_says_where_its_bytes_stand():
    found = part("bytes 2-5/10", 4, etag='"1"')
    assert (found.first, found.last, found.total, found.etag) == (2, 5, 10, '"1"')
    assert part("bytes 2-5/10", 4, etag='W/"1"').etag is None
    assert part("bytes 2-5/10", 4).etag is None
    assert covers(found, (2, 5))
    assert covers(found, (3, 3))
    assert not covers(found, (1, 3))
    assert not covers(found, (5, 6))


@pytest.mark.parametrize(
    ("content_range", "size"),
    [
        ("bytes 2-7/10", 5),
        ("bytes 2-7/*", 6),
        ("bytes */10", 0),
        ("bytes 2-7/7", 6),
        ("bytes 7-2/10", 0),
        ("bytes 2-7", 6),
        ("bytes=2-7/10", 6),
        ("bytes  2-7/10", 6),
        ("lines 2-7/10", 6),
        ("bytes -7/10", 6),
        ("bytes 0-0/" + "9" * 900, 1),
        ("", 0),
    ],
)
def test_a_part_that_contradicts_itself_is_none(content_range, size):
    assert part(content_range, size) is None


def test_what_is_not_one_part_is_none():
    assert part("bytes 0-3/10", 4, status="200") is None
    assert part_of("206", [("Content-Type", "multipart/byteranges; boundary=x")], 4) is None
    assert part_of("206", [("Content-Range", "bytes 0-3/10"), ("content-range", "bytes 0-3/10")], 4) is None


def cut(first, last, etag='"1"', total=10):
    return Part(first, last, total, etag), BODY[first : last + 1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), min_size=1, max_size=5))
def test_parts_that_meet_are_one_part(spans):
    joined = combined([cut(*span) for span in spans])
    bytes_ = {position for first, last in spans for position in range(first, last + 1)}
    gapless = len(bytes_) == max(bytes_) - min(bytes_) + 1
    if gapless:
        whole, body = joined
        assert (whole.first, whole.last, whole.total, whole.etag) == (min(bytes_), max(bytes_), 10, '"1"')
        assert body == BODY[whole.first : whole.last + 1]
    else:
        assert joined is None


def test_parts_of_different_or_unknown_things_are_not_joined():
    assert combined([cut(0, 4), cut(5, 9, '"2"')]) is None
    assert combined([cut(0, 4), cut(5, 9, total=11)]) is None
    assert combined([cut(0, 4, None), cut(5, 9, None)]) is None
    assert combined([]) is None


@given(st.text(st.sampled_from(list("bytes 0123-/*")), max_size=20), st.integers(0, 5))
def test_no_part_is_too_odd(content_range, size):
    for text in (content_range, "bytes " + content_range):
        found = part(text, size)
        assert found is None or (0 <= found.first <= found.last < found.total and found.last - found.first + 1 == size)


def test_endless_ranges_take_no_endless_time():
    for unit in (",", "9", "-", "0-1,", '"', " "):
        for before in ("", "bytes=", "bytes=1-", "bytes "):
            endless = before + unit * (300_000 // len(unit))
            chosen_range(endless, 10)
            part(endless, 10)
