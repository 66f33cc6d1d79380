"""Ranges of bytes out of a body, and parts of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching.rules.ranges import UNSATISFIABLE, chosen_range, is_the_part_it_says

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


def part(content_range, size):
    return is_the_part_it_says([("Content-Range", content_range)], size)


def test_a_part_says_where_its_bytes_stand():
    assert part("bytes 2-5/10", 4)
    assert part("Bytes 0-0/1", 1)


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
def test_a_part_that_contradicts_itself_is_not_what_it_says(content_range, size):
    assert not part(content_range, size)


def test_what_is_not_one_part_says_nothing():
    assert not is_the_part_it_says([("Content-Type", "multipart/byteranges; boundary=x")], 4)
    assert not is_the_part_it_says([("Content-Range", "bytes 0-3/10"), ("content-range", "bytes 0-3/10")], 4)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 12), st.integers(0, 10))
def test_a_part_is_what_it_says_where_the_numbers_agree(first, last, total, size):
    assert part(f"bytes {first}-{last}/{total}", size) == (first <= last < total and size == last - first + 1)


@given(st.text(st.sampled_from(list("bytes 0123-/*")), max_size=20), st.integers(0, 5))
def test_no_part_is_too_odd(content_range, size):
    for text in (content_range, "bytes " + content_range):
        assert part(text, size) in (True, False)
