"""All that a session can hold, for hypothesis, and when two such values are the same."""

from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal

from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=["Cs"]))
LOOKALIKES = ("$", "$tuple", "$dict", "$bytes", '{"$', '"$', '[{"$tuple":[1]}]', '\\{"$', "{", "\\")
keys = texts | st.sampled_from(LOOKALIKES)

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | keys,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(keys, children, max_size=4),
    max_leaves=8,
)

_day = timedelta(days=1) - timedelta(microseconds=1)
_zones = st.builds(timezone, st.timedeltas(-_day, _day))  # to the microsecond
_folds = st.sampled_from([0, 1])
_decimals = st.decimals() | st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.sampled_from([0, 1]),
    st.lists(st.integers(0, 9), max_size=40).map(tuple),
    st.integers(-(10**9), 10**9) | st.sampled_from(["F", "n"]),
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | keys
    | st.binary()
    | st.builds(lambda when, fold: when.replace(fold=fold), st.datetimes(timezones=st.none() | _zones), _folds)
    | st.builds(lambda when, fold: when.replace(fold=fold), st.times(timezones=st.none() | _zones), _folds)
    | st.dates()
    | st.timedeltas()
    | st.uuids()
    | _decimals.filter(lambda number: not number.is_snan())
)
hashable = st.recursive(
    _leaves,
    lambda children: st.lists(children, max_size=3).map(tuple) | st.frozensets(children, max_size=3),
    max_leaves=4,
)
values = st.recursive(
    _leaves | st.just(Decimal("sNaN")) | st.sets(hashable, max_size=3) | st.dictionaries(hashable, _leaves, max_size=3),
    lambda children: (
        st.lists(children, max_size=4)
        | st.lists(children, max_size=4).map(tuple)
        | st.dictionaries(keys, children, max_size=4)
        | st.dictionaries(_leaves, children, max_size=4)
    ),
    max_leaves=8,
)


def form(value):
    """Type and value all the way down, so that 1, True and 1.0 differ, 0.0 and -0.0, and two NaN do not."""
    kind = type(value)
    if kind is dict:
        return kind, [(form(key), form(item)) for key, item in value.items()]
    if kind in (set, frozenset):
        return kind, sorted(map(form, value), key=repr)
    if kind in (list, tuple):
        return kind, list(map(form, value))
    return kind, repr(value)


def same(one, other):
    """Equal, and of the same type all the way down."""
    return form(one) == form(other)
