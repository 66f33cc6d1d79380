"""Values that JSON has no form for come back equal and of the same type, and nothing else comes back."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, localcontext
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions.kit import Site, SpyStore, put
from sessions.values import keys, same, values

from middleware.sessions.codec import content_of, decoded, encoded, encoded_value, is_typed
from middleware.stores.memory import MemoryStore


def back(value):
    return decoded(encoded({"k": value}, typed=True))[0]["k"]


@given(st.dictionaries(keys, values, max_size=4))
def test_every_value_comes_back_equal_and_of_the_same_type(data):
    for key, value in data.items():
        assert encoded_value(key, value) == encoded(value, typed=True)[1:-1]
    assert same(decoded(encoded(data, typed=True)), [data])


@pytest.mark.slow
@given(values, values)
def test_two_values_are_encoded_alike_only_where_they_are_the_same(one, other):
    assert (encoded_value("k", one) == encoded_value("k", other)) == same(one, other)


def is_plain(value):
    """Whether JSON has a form for it that looks like no tag."""
    if type(value) is dict:
        return all(type(name) is str and is_plain(item) for name, item in value.items()) and not str(
            next(iter(value), "")
        ).startswith("$")
    if type(value) is list:
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, bool) or (type(value) is float and value - value == 0)


@given(values)
def test_a_text_is_typed_where_something_in_it_has_a_tag(value):
    assert is_typed(encoded_value("k", value)) != is_plain(value)


@pytest.mark.parametrize(
    "value",
    [
        (),
        (1, [2, (3,)]),
        set(),
        frozenset(),
        {1, "1", None, 2.5, b"", (), frozenset([frozenset()])},
        b"",
        bytes(range(256)),
        float("nan"),
        float("inf"),
        float("-inf"),
        -0.0,
        datetime(2026, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001
        datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)), fold=1),
        datetime(1, 1, 1, tzinfo=timezone(-timedelta(seconds=30, microseconds=1))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(microseconds=1))),
        time(1, tzinfo=timezone(timedelta(microseconds=-1))),
        datetime.max,  # noqa: DTZ901
        date.min,
        time(23, 59, 59, 999999, fold=1),
        time(1, tzinfo=timezone(timedelta(hours=-3, seconds=1))),
        timedelta.min,
        timedelta.max,
        timedelta(microseconds=-1),
        UUID(int=0),
        UUID("{12345678-1234-5678-1234-567812345678}"),
        Decimal("1.10"),
        Decimal("-0"),
        Decimal("0E-10"),
        Decimal("1E+999999999999999999"),
        Decimal("NaN123"),
        Decimal("-sNaN"),
        Decimal("-Infinity"),
        {1: "a", "1": "b", None: "c", (1, 2): {"d": {3: 4}}, 2.5: "e"},
        {"$tuple": [1, 2]},
        {"$dict": [["a", 1]], "$": 2},
        {"$nothing": 1},
        {"a": 1, "$tuple": [1]},
        [{"$": {"$": {}}}],
        '{"$tuple":[1]}',
    ],
    ids=lambda value: None if isinstance(value, set) else repr(value),  # a set has no order to be called by
)
def test_a_value_comes_back(value):
    assert same(back(value), value)
    assert same(back([value]), [value])
    assert same(back({"a": (value,)}), {"a": (value,)})


def test_a_session_whose_first_key_looks_like_a_tag_comes_back_though_nobody_says_that_it_is_typed():
    data = {"$user": 1, "a": [{"$tuple": 2}]}
    assert same(decoded(encoded(data)), [data])
    assert encoded(data) == encoded(data, typed=True)


def test_two_equal_sets_are_encoded_alike_in_whatever_order_they_were_filled():
    one, other = set(), set()
    for number in range(100):
        one.add(number * 1024)
        other.add((99 - number) * 1024)
    assert list(one) != list(other)
    assert encoded_value("k", one) == encoded_value("k", other)


def test_the_order_of_a_dict_is_kept_whatever_its_keys():
    for value in ({2: 0, 1: 0}, {"b": 0, "a": 0}, {"$b": 0, "$a": 0}):
        assert list(back(value)) == list(value)


def test_of_a_zone_the_offset_is_kept_and_not_the_name():
    berlin = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    found = back(berlin)
    assert found == berlin
    assert found.tzinfo == timezone(timedelta(hours=2))
    assert back(datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))).utcoffset() == timedelta(seconds=3208)


class Nowhere(tzinfo):
    def utcoffset(self, when):
        return None


@pytest.mark.parametrize(
    "value",
    [time(12, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2026, 1, 1, tzinfo=Nowhere())],
    ids=["time", "datetime"],
)
def test_a_time_in_a_zone_that_gives_it_no_offset_is_refused(value):
    with pytest.raises(ValueError, match=rf"session\['at'\] holds a {type(value).__name__} .*offset"):
        encoded_value("at", [value])


def test_a_decimal_is_kept_alike_in_every_context():
    number = Decimal("1.10E+99")
    kept = encoded_value("k", number)
    with localcontext() as context:
        context.capitals = 0
        context.prec = 1
        assert encoded_value("k", number) == kept
        assert same(back(number), number)
        for trap in context.traps:
            context.traps[trap] = False
        with pytest.raises(ValueError):
            decoded(b'[{"$decimal":"no number"}]')


# What is refused


@pytest.mark.parametrize(
    "tag",
    [
        '{"$pickle":"gASVBAAAAAAAAAB9lC4="}',
        '{"$object":"os.system"}',
        '{"$":1}',
        '{"$tuple":[1],"a":1}',
        '{"$tuple":{}}',
        '{"$tuple":null}',
        '{"$set":[[]]}',
        '{"$set":[{"a":1}]}',
        '{"$frozenset":[{"$set":[]}]}',
        '{"$set":[{"$decimal":"sNaN"}]}',
        '{"$dict":{"a":1}}',
        '{"$dict":[["a"]]}',
        '{"$dict":["ab"]}',
        '{"$dict":[[[],1]]}',
        '{"$dict":[{"a":1,"b":2}]}',
        '{"$float":"1.5"}',
        '{"$float":"Infinity"}',
        '{"$float":" nan"}',
        '{"$float":1}',
        '{"$bytes":"eA"}',
        '{"$bytes":"eA==\\n"}',
        '{"$bytes":"eB=="}',
        '{"$bytes":"é"}',
        '{"$bytes":[1]}',
        '{"$datetime":["2026-02-30T00:00:00",null,0]}',
        '{"$datetime":["2026-01-01",null,0]}',
        '{"$datetime":["20260101T000000",null,0]}',
        '{"$datetime":["2026-01-01 00:00:00",null,0]}',
        '{"$datetime":["2026-01-01T00:00:00+01:00",null,0]}',
        '{"$datetime":["2026-01-01T00:00:00Z",0,0]}',
        '{"$datetime":["2026-01-01T24:00:00",null,0]}',
        '{"$datetime":["2026-01-01T00:00:00",86400000000,0]}',
        '{"$datetime":["2026-01-01T00:00:00",99999999999999999999999999,0]}',
        '{"$datetime":["2026-01-01T00:00:00",1.5,0]}',
        '{"$datetime":["2026-01-01T00:00:00",false,0]}',
        '{"$datetime":["2026-01-01T00:00:00",null,2]}',
        '{"$datetime":["2026-01-01T00:00:00",null,null]}',
        '{"$datetime":["2026-01-01T00:00:00",null,true]}',
        '{"$datetime":["2026-01-01T00:00:00",null]}',
        '{"$datetime":["2026-01-01T00:00:00",null,0,0]}',
        '{"$datetime":[1767225600,null,0]}',
        '{"$datetime":"2026-01-01T00:00:00"}',
        '{"$time":["25:00:00",null,0]}',
        '{"$time":["12",null,0]}',
        '{"$time":["12:00:00+01:00",null,0]}',
        '{"$date":"2026-W01-1"}',
        '{"$date":"2026-13-01"}',
        '{"$timedelta":[1,2]}',
        '{"$timedelta":[0,86400,0]}',
        '{"$timedelta":[true,0,0]}',
        '{"$timedelta":[1.5,0,0]}',
        '{"$timedelta":[1000000000,0,0]}',
        '{"$timedelta":[' + "9" * 400 + ",0,0]}",
        '{"$uuid":"1"}',
        '{"$uuid":"{12345678-1234-5678-1234-567812345678}"}',
        '{"$uuid":"12345678123456781234567812345678"}',
        '{"$decimal":"1_0"}',
        '{"$decimal":" 1"}',
        '{"$decimal":"\N{ARABIC-INDIC DIGIT ONE}"}',
        '{"$decimal":"1e5"}',
        '{"$decimal":"x"}',
        '{"$decimal":1}',
    ],
)
def test_a_tag_that_we_did_not_make_is_a_value_error(tag):
    for text in (f"[{tag}]", f'[{{"a":{tag}}}]', f'[{{"a":[{{"$tuple":[{tag}]}}]}}]'):
        with pytest.raises(ValueError):
            decoded(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '[{"$dict":[[1,2]]}]',
        '[{"$tuple":[]}]',
        '[{},{"$tuple":[]}]',
        '[{},[{"$tuple":["a","b"]}]]',
        '[{},[],{"$dict":[[1,2]]}]',
        '{"$tuple":[{}]}',
        '{"$dict":[]}',
    ],
)
def test_a_content_is_made_of_a_dict_with_keys_of_text_and_of_lists(text):
    with pytest.raises(ValueError):
        content_of(decoded(text.encode()))


_TAGS = ("float", "tuple", "set", "frozenset", "dict", "bytes", "datetime", "time", "date")
_tags = st.sampled_from([f"${name}" for name in (*_TAGS, "timedelta", "uuid", "decimal", "x")])
_texts = st.sampled_from(["", "nan", "eA==", "2026-01-01", "12:00:00", "2026-01-01T00:00:00", "1.10", "sNaN"])
_made_up = st.recursive(
    st.none() | st.integers() | _texts | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(_tags | st.text(), children, max_size=2),
    max_leaves=20,
)


@given(st.lists(_made_up, max_size=3))
def test_whatever_looks_like_tags_is_a_value_error_or_something_that_comes_back(parts):
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    try:
        found = decoded(text.encode())
    except ValueError:
        return
    assert same(decoded(encoded(*found, typed=True)), found)


@given(st.dictionaries(keys, values, max_size=4), st.data())
def test_a_text_that_was_cut_or_mixed_up_raises_nothing_but_value_error(data, draw):
    text = encoded(data, typed=True)
    begin, end = sorted(draw.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    for broken in (text[begin:end], text[:begin] + text[end:], text[:end] + text[begin:]):
        try:
            content_of(decoded(broken))
        except ValueError:
            continue


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was executed')",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_never_executed(protocol):
    bomb = pickle.dumps(Bomb(), protocol)
    text = bomb.decode("latin-1")
    for planted in (bomb, b"[" + bomb + b"]", json.dumps([{"$pickle": text}], separators=(",", ":")).encode()):
        with pytest.raises(ValueError):
            decoded(planted)
    assert back({"a": bomb, "b": text, "py/object": text}) == {"a": bomb, "b": text, "py/object": text}


@pytest.mark.parametrize("tag", ["$tuple", "$frozenset", "$dict", "a"])
def test_tags_however_deep_are_read_or_refused(tag):
    for levels in (50, 1000, 100_000):
        opening, closing = ('{"$dict":[[1,', "]]}") if tag == "$dict" else (f'{{"{tag}":[', "]}")
        try:
            found = decoded(f"[[{opening * levels}{1}{closing * levels}]]".encode())
        except ValueError:
            assert levels > 50
        else:
            assert len(found) == 1
            if tag in ("$tuple", "$frozenset"):
                hash(found[0][0])


# Through the front door

EVERYTHING = {
    "$first": 1,
    "when": datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=2))),
    "naive": datetime(2026, 1, 2, 3, 4, 5, 6, fold=1),  # noqa: DTZ001
    "day": date(2026, 1, 2),
    "hour": time(3, 4, 5, 6),
    "how long": timedelta(days=-1, microseconds=1),
    "id": UUID(int=1),
    "price": Decimal("1.10"),
    "bytes": b"\0\xff",
    "pair": (1, [2]),
    "set": {1, "2"},
    "frozen": frozenset([(1, 2)]),
    "numbered": {1: {"a": {2: 3}}},
    "odd": [float("nan"), float("-inf"), -0.0],
}
KINDS = {
    "stored": lambda: {"store": MemoryStore()},
    "signed": lambda: {"secret": "a secret of the test"},
}


@pytest.fixture(params=KINDS)
def visitor(request):
    return Site(**KINDS[request.param]()).visitor()


def check(expected):
    return lambda session: same(dict(session), expected) or dict(session)


def test_every_type_comes_back_from_where_it_is_kept(visitor):
    visitor(lambda session: session.update(EVERYTHING))
    assert visitor(check(EVERYTHING)).text == "True"
    visitor(put(plain=1))  # a change of something else
    assert visitor(check({**EVERYTHING, "plain": 1})).text == "True"
    visitor(lambda session: session.rotate())
    visitor(lambda session: [session.pop(key) for key in [*EVERYTHING][1:]])
    assert visitor(check({"$first": 1, "plain": 1})).text == "True"


@pytest.mark.parametrize("key", EVERYTHING)
def test_each_type_comes_back_alone_and_set_again_it_is_no_change(visitor, key):
    value = EVERYTHING[key]
    visitor(lambda session: session.update({key: value}))
    assert visitor(check({key: value})).text == "True"
    again = visitor(lambda session: session.update({key: deepcopy(value)}))
    assert again.all("Set-Cookie") == []
    assert visitor(check({key: value})).text == "True"


def test_an_equal_value_of_any_type_is_not_written_again():
    store = SpyStore()
    visitor = Site(store=store).visitor()
    visitor(lambda session: session.update(EVERYTHING))
    store.forget_calls()
    visitor(lambda session: session.update(deepcopy(EVERYTHING)))
    assert visitor(check(EVERYTHING)).text == "True"
    assert store.writes == []


def test_changes_inside_of_values_are_noticed(visitor):
    visitor(lambda session: session.update(EVERYTHING))
    visitor(lambda session: session["pair"][1].append(3))
    visitor(lambda session: session["set"].add(3))
    visitor(lambda session: session["numbered"][1]["a"].update({(4,): 5}))
    visitor(lambda session: session["odd"].append({6}))
    changed = {
        "pair": (1, [2, 3]),
        "set": {1, "2", 3},
        "numbered": {1: {"a": {2: 3, (4,): 5}}},
        "odd": [*EVERYTHING["odd"], {6}],
    }
    assert visitor(check({**EVERYTHING, **changed})).text == "True"


def test_plain_values_turn_into_others_in_place(visitor):
    visitor(put(list=[1], dict={"a": 1}))
    visitor(lambda session: session["list"].append((2, 3)))
    assert visitor(check({"list": [1, (2, 3)], "dict": {"a": 1}})).text == "True"
    visitor(lambda session: session["dict"].update({2: 2}))
    assert visitor(check({"list": [1, (2, 3)], "dict": {"a": 1, 2: 2}})).text == "True"
    visitor(lambda session: session["list"].pop())
    visitor(lambda session: session["dict"].pop(2))
    assert visitor(check({"list": [1], "dict": {"a": 1}})).text == "True"


@pytest.mark.parametrize("theirs", [(1, 2), {3}, {"$set": []}, {1: 2}], ids=repr)
def test_what_another_request_kept_meanwhile_stays_what_it_is(theirs):
    visitor = Site(store=MemoryStore()).visitor()
    visitor(put(a=1))
    other = visitor.twin()

    def meanwhile(session):
        session["a"] = 2
        other(put(b=theirs))

    visitor(meanwhile)
    assert visitor(check({"a": 2, "b": theirs})).text == "True"


def test_counting_and_locking_leave_every_type_as_it_is():
    def inside(session):
        with session.lock():
            session["pair"][1].append(3)
        session.increment("count")
        return check({**EVERYTHING, "pair": (1, [2, 3]), "count": 1})(session)

    visitor = Site(store=MemoryStore()).visitor()
    visitor(lambda session: session.update(EVERYTHING))
    assert visitor(inside).text == "True"
    assert visitor(check({**EVERYTHING, "pair": (1, [2, 3]), "count": 1})).text == "True"


def test_an_error_in_a_lock_takes_changes_of_every_type_back():
    def inside(session):
        try:
            with session.lock():
                session["set"].add(7)
                session["pair"] = ()
                raise KeyError
        except KeyError:
            return check(EVERYTHING)(session)

    visitor = Site(store=MemoryStore()).visitor()
    visitor(lambda session: session.update(EVERYTHING))
    assert visitor(inside).text == "True"
    assert visitor(check(EVERYTHING)).text == "True"
