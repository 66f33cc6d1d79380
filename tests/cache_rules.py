"""Answers as the rules see them, with whatever an application may send."""

from __future__ import annotations

from types import SimpleNamespace

from cached_site import START
from hypothesis import strategies as st

from middleware.caching import CachePolicy
from middleware.caching.rules.said import Said

awkward = st.text(st.sampled_from(list(',;="\\ \tno-storeprivatemax-age90W/*x\xa0\x0b')), max_size=40)
text = awkward | st.text(st.characters(max_codepoint=255), max_size=40)
names = st.sampled_from(
    [
        "Cache-Control",
        "CDN-Cache-Control",
        "Expires",
        "Age",
        "Date",
        "Vary",
        "ETag",
        "Last-Modified",
        "Content-Length",
        "Content-Range",
        "Connection",
        "Pragma",
        "X",
    ]
)
fields = st.lists(st.tuples(names, text), max_size=8)
statuses = st.sampled_from(["200", "204", "404", "500", "206", "304", "abc", "", "99", "600", "²00"])
policies = st.builds(
    CachePolicy,
    heuristic=st.floats(0, 1),
    guess_for_cookies=st.booleans(),
    store_set_cookie=st.sampled_from([False, "public", True]),
    store_private_fields=st.booleans(),
    store_partial=st.booleans(),
    guard_unkeyed=st.booleans(),
    stale_on_failure=st.floats(0, 1e6),
    targeted=st.sampled_from([(), ("CDN-Cache-Control",)]),
    strip_targeted=st.booleans(),
)


def said(*lines, status="200", at=START, policy=None):
    """What an answer with these lines says."""
    pairs = [tuple(line.split(": ", 1)) for line in lines]
    return Said(status, pairs, at, at, CachePolicy() if policy is None else policy)


def kept_answer(*lines, policy=None):
    """A stored answer as the judge sees it."""
    its = said(*lines, policy=policy)
    lifetime = its.guessed if its.lifetime is None else its.lifetime
    never = its.must_validate or lifetime <= its.initial_age
    return SimpleNamespace(
        lifetime=lifetime,
        initial_age=its.initial_age,
        received=START,
        stale_at=float("-inf") if never else START + lifetime - its.initial_age,
        may_be_stale=its.may_be_stale,
        stale_while_revalidate=its.stale_while_revalidate,
        stale_on_failure=its.stale_on_failure,
        immutable=its.immutable,
    )
