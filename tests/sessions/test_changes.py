"""Requests of one visitor at once: what they change is merged as if they had come one after the other."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from middleware.sessions.changes import MOST_MESSAGES, Changes
from middleware.sessions.codec import encoded_value

keys = st.sampled_from("abcd")
datas = st.dictionaries(keys, st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2))
requests = st.lists(st.dictionaries(keys, st.none() | st.integers(4, 6), max_size=3), max_size=4)  # None: deletes
one_message = st.lists(st.sampled_from("xyz"), min_size=2, max_size=2)


def made(loaded, wanted, taken=(), left=()):
    """The changes of a request that loaded this, and then set and deleted what it wanted."""
    mine = deepcopy(loaded)
    for key, value in wanted.items():
        if value is None:
            mine.pop(key, None)
        else:
            mine[key] = value
    before = {key: encoded_value(key, loaded[key]) if key in loaded else None for key in wanted}
    return Changes(before, mine, list(taken), list(left))


@given(datas, requests)
def test_changes_of_concurrent_requests_are_those_of_the_same_requests_one_after_the_other(loaded, wanted):
    held = loaded
    for wants in wanted:  # in the order of their commits; each began before any of them
        held = made(loaded, wants).merged(held)
    serial = deepcopy(loaded)
    for wants in wanted:
        serial = made(serial, wants).mine
    assert held == serial


@given(datas, requests, st.randoms())
def test_where_no_two_requests_change_the_same_key_the_order_of_their_commits_does_not_matter(loaded, wanted, chance):
    taken = set()
    apart = []
    for wants in wanted:
        apart.append({key: value for key, value in wants.items() if key not in taken})
        taken |= wants.keys()
    in_order, shuffled = loaded, loaded
    for wants in apart:
        in_order = made(loaded, wants).merged(in_order)
    for wants in chance.sample(apart, len(apart)):
        shuffled = made(loaded, wants).merged(shuffled)
    assert in_order == shuffled


@given(datas, datas, st.dictionaries(keys, st.none() | st.integers(4, 6)))
def test_a_merge_touches_neither_side_and_may_be_repeated(loaded, theirs, wants):
    changes = made(loaded, wants)
    mine_before, theirs_before = deepcopy(changes.mine), deepcopy(theirs)
    merged = changes.merged(theirs)
    assert changes.merged(merged) == merged
    assert (changes.mine, theirs) == (mine_before, theirs_before)
    assert {key: merged.get(key) for key in wants} == {key: changes.mine.get(key) for key in wants}
    assert {key: merged[key] for key in merged.keys() - wants} == {key: theirs[key] for key in theirs.keys() - wants}


@given(datas, datas, st.dictionaries(keys, st.none() | st.integers(4, 6)))
def test_overwritten_are_the_keys_that_both_have_changed(loaded, theirs, wants):
    changed_by_them = {key for key in {*loaded, *theirs} if loaded.get(key) != theirs.get(key)}
    found = made(loaded, wants).overwritten(theirs, encoded_value)
    assert len(found) == len(set(found))
    assert set(found) == changed_by_them & wants.keys()


@given(datas)
def test_what_comes_back_as_it_was_is_not_overwritten(loaded):
    assert made(loaded, dict.fromkeys("abcd")).overwritten(deepcopy(loaded), encoded_value) == []


# Messages


@given(st.lists(one_message, max_size=4), st.lists(st.tuples(st.booleans(), st.lists(one_message, max_size=2))))
def test_each_message_is_shown_by_one_who_takes_it_or_waits(waiting, requests):
    held, shown, left = waiting, [], list(waiting)
    for takes, leaves in requests:  # one after the other, each in its own page
        if takes:
            shown += held
        held = made({}, {}, held if takes else (), leaves).messages(held)
        left += leaves
    assert [*shown, *held] == left


@given(
    st.lists(one_message, max_size=4), st.lists(st.tuples(st.booleans(), st.lists(one_message, max_size=2)), max_size=4)
)
def test_requests_at_once_take_what_waited_and_lose_nothing_that_others_left(waiting, requests):
    waiting = [["waited", *message] for message in waiting]
    held = waiting
    for takes, leaves in requests:  # all of them began with what waited first
        held = made({}, {}, waiting if takes else (), leaves).messages(held)
    taken = any(takes for takes, _ in requests)
    assert held == [*([] if taken else waiting), *[message for _, leaves in requests for message in leaves]]


@given(st.integers(0, MOST_MESSAGES), st.integers(0, MOST_MESSAGES), st.integers(0, 3 * MOST_MESSAGES))
def test_as_many_messages_wait_as_may_and_the_oldest_go_first(waiting, taken, left):
    numbered = [["n", str(number)] for number in range(waiting + left)]
    changes = Changes({}, {}, numbered[: min(taken, waiting)], numbered[waiting:])
    kept = numbered[min(taken, waiting) :]
    found = changes.messages(numbered[:waiting])
    assert found == kept[-MOST_MESSAGES:]
    assert changes.dropped(numbered[:waiting]) == len(kept) - len(found)


def test_who_changes_nothing_leaves_all_as_it_is():
    changes = made({"a": 1}, {})
    waiting = [["c", "m"]] * (MOST_MESSAGES + 5)
    assert not changes
    assert changes.names == []
    assert changes.merged({"b": 2}) == {"b": 2}
    assert changes.messages(waiting) is waiting


def test_changes_are_named_for_events():
    assert made({}, {"b": 1, "a": None}).names == ["b", "a"]
    assert made({}, {"b": 1}, left=[["c", "m"]]).names == ["b", "flash"]
    assert made({}, {}, taken=[["c", "m"]]).names == ["flash"]
    assert made({}, {}, taken=[["c", "m"]])
