"""A session is a dict that comes back: any changes, through whatever object was put in or got out, beside a model."""

from __future__ import annotations

from ast import literal_eval
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions.kit import SECRET, Site, everything

from middleware.stores.memory import MemoryStore

keys = st.sampled_from("abc")
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("xyé", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=4,
)
changes = st.one_of(
    st.tuples(st.sampled_from(["set", "setdefault"]), keys, values),
    st.tuples(st.sampled_from(["pop", "get"]), keys),
    st.tuples(st.sampled_from(["clear", "values"])),
    st.tuples(st.just("change what was held"), values),
)


def change(data, steps):
    """Take the steps. What was put in or got out is held, and some steps change it."""
    held = []
    for name, *arguments in deepcopy(steps):
        if name == "set":
            data[arguments[0]] = arguments[1]
            held.append(arguments[1])
        elif name == "setdefault":
            held.append(data.setdefault(*arguments))
        elif name == "pop":
            held.append(data.pop(arguments[0], None))
        elif name == "get":
            held.append(data.get(arguments[0]))
        elif name == "values":
            held += data.values()
        elif name == "clear":
            data.clear()
        for one in held if name == "change what was held" else ():
            if type(one) is list:
                one.append(deepcopy(arguments[0]))
            elif type(one) is dict:
                one["new"] = deepcopy(arguments[0])


@pytest.mark.parametrize("kind", ["stored", "signed"])
@given(requests=st.lists(st.lists(changes, max_size=6), max_size=4))
def test_a_session_holds_what_a_dict_would_hold(kind, requests):
    visitor = Site(**({"store": MemoryStore()} if kind == "stored" else {"secret": SECRET})).visitor()
    model = {}
    for steps in requests:
        change(model, steps)
        model = literal_eval(repr(model))  # as a request ends, nothing is one object any more
        visitor(lambda session, steps=steps: change(session, steps))
        assert literal_eval(visitor(everything).text) == model
