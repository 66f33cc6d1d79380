"""What the cache remembers in a process stays within its bounds, whatever it is given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from middleware.caching.memo import Memo

steps = st.lists(
    st.tuples(st.sampled_from(["put", "grow", "forget"]), st.integers(0, 12), st.integers(0, 6000)), max_size=60
)


@given(steps)
def test_it_holds_no_more_than_it_may_and_gives_what_was_put_last(steps):
    memo = Memo(10_000)
    last, sizes = {}, {}
    for number, (step, name, size) in enumerate(steps):
        if step == "put":
            memo.put(name, number, size)
            last[name], sizes[name] = number, size
        elif step == "grow":
            memo.grow(name, size)
            sizes[name] = sizes.get(name, 0) + size
        else:
            memo.forget(name)
            last.pop(name, None)
        held = [name for name in range(13) if memo.get(name) is not None]
        assert sum(sizes[name] for name in held) <= 10_000
        assert all(memo.get(name) == last[name] for name in held)


def test_the_older_half_goes_when_it_is_full():
    memo = Memo(10_000)
    for number in range(19):
        memo.put(number, number, 0)
    assert [number for number in range(19) if memo.get(number) is not None] == [*range(19)]
    for number in range(19, 21):
        memo.put(number, number, 0)
    assert [number for number in range(21) if memo.get(number) is not None] == [*range(11, 21)]


def test_what_would_leave_no_room_for_others_is_not_held():
    memo = Memo(10_000)
    memo.put("small", 1, 10)
    memo.put("large", 2, 2501)
    assert (memo.get("small"), memo.get("large")) == (1, None)


def test_what_became_too_large_is_not_held_with_an_older_value():
    memo = Memo(10_000)
    memo.put("name", "old", 10)
    memo.put("name", "new", 2501)
    assert memo.get("name") is None
