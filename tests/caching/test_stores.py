"""The store behind the cache: whatever happens there, requests are answered, and with nothing but what was stored."""

from __future__ import annotations

import gc

import pytest
from asking import ask
from cached_site import START, Site

from middleware.caching import CacheMiddleware, CachePolicy, CachePurger
from middleware.errors import ConfigurationError, StoreError
from middleware.stores import MemoryStore, SQLiteStore


class Plain:
    """The contract on a dict, to look into and to damage."""

    def __init__(self):
        self.data = {}

    @property
    def entries(self):
        """The kinds of what is kept, but for marks and flights, which leave by themselves."""
        kinds = sorted(name.split()[1] for name in self.data)
        return [kind for kind in kinds if kind not in ("flight", "mark")]

    def get(self, key):
        return self.data.get(key)

    def set(self, key, value, ttl=None):
        assert type(value) is bytes
        assert ttl is None or ttl > 0
        self.data[key] = value

    def add(self, key, value, ttl=None):
        return self.data.setdefault(key, value) is value

    def swap(self, key, old, new, ttl=None):
        if self.data.get(key) != old:
            return False
        self.data[key] = new
        return True

    def delete(self, key):
        return self.data.pop(key, None) is not None


def cached(store, body=b"the body"):
    site = Site(store=store)
    site.answers("Cache-Control: max-age=60", "Vary: X", 'ETag: "1"', body=body)
    site.ask()
    return site


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["record", "head", "body", "mark"])
def test_whatever_byte_is_damaged_the_answer_is_the_applications(kind, step):
    store = Plain()
    cached(store)
    word = {"record": "url"}.get(kind, kind)
    (name,) = [name for name in store.data if name.startswith(f"cache {word} ")]
    whole = dict(store.data)
    for position in range(0, len(whole[name]), step):
        store.data = dict(whole)
        damaged = bytearray(whole[name])
        damaged[position] ^= 1 << position % 8
        store.data[name] = bytes(damaged)
        site = Site(store=store)
        site.answers("Cache-Control: max-age=60", "Vary: X", body=b"new")
        assert site.ask().body == b"new"
        assert site.is_hit()


@pytest.mark.parametrize("cut", [0, 3, 20, -1])
def test_a_value_that_was_cut_is_a_miss(cut):
    store = Plain()
    cached(store)
    for name, data in dict(store.data).items():
        store.data[name] = data[:cut]
    site = Site(store=store)
    site.answers(body=b"new")
    assert site.ask().body == b"new"


def test_a_body_that_is_damaged_later_is_noticed_too():
    store = MemoryStore()
    names = []
    store_set = store.set
    store.set = lambda key, value, ttl=None: (names.append(key), store_set(key, value, ttl))[1]
    site = cached(store)
    assert site.is_hit()
    (name,) = [name for name in names if name.startswith("cache body ")]
    store_set(name, b"the b0dy")
    assert site.ask(at=1).body == b"the body"
    assert site.calls == 2


def test_an_entry_whose_body_is_gone_is_a_miss_and_removed():
    store = Plain()
    site = cached(store)
    for name in list(store.data):
        if name.startswith("cache body "):
            del store.data[name]
    assert not site.is_hit()
    assert site.is_hit()


def test_a_store_that_mistakes_one_key_for_another_does_not_mix_answers():
    class Colliding(Plain):
        """As if two URLs had one hash."""

        def get(self, key):
            return super().get(key.replace("/b", "/a"))

    store = Colliding()
    cached(store)
    site = Site(store=store)
    site.answers(body=b"other")
    assert site.ask("/b").body == b"other"


@pytest.mark.parametrize("error", [StoreError("down"), OSError("down"), ValueError("bug")])
@pytest.mark.parametrize(
    "verbs", [["get"], ["add"], ["set"], ["swap"], ["delete"], ["get", "set", "add", "swap", "delete"]]
)
def test_a_store_that_fails_takes_nothing_down(error, verbs, caplog):
    class Broken(Plain):
        def fail(self, *arguments):
            raise error

    for verb in verbs:
        setattr(Broken, verb, Broken.fail)
    site = Site(store=Broken())
    site.answers("Cache-Control: max-age=60", "Vary: X", 'ETag: "1"')
    for number in range(20):
        assert site.ask(headers={"X": str(number % 2)}).code == 200
        assert site.ask(method="POST").code == 200
        assert site.ask(at=2 * number).code == 200
    assert len(caplog.records) == 1
    assert site.ask(at=100, method="POST").code == 200
    assert site.ask(headers={"X": "another"}).code == 200
    assert len(caplog.records) == 2


def test_a_store_that_fails_three_times_is_left_alone_for_a_while():
    class Slow(Plain):
        calls = 0

        def get(self, *arguments):
            self.calls += 1
            raise StoreError("after a second")

        add = set = get

    store = Slow()
    site = Site(store=store)
    site.answers("Cache-Control: max-age=60")
    for _ in range(100):
        assert site.ask().code == 200
    assert store.calls == 3


@pytest.mark.parametrize("verb", ["add", "swap"])
def test_a_store_that_fails_slowly_is_not_asked_again_and_again_by_one_request(verb):
    class Locked(Plain):
        locked = False
        calls = 0

        def tried(self, own, *arguments):
            if self.locked:
                self.calls += 1
                raise StoreError("locked for five seconds")
            return own(*arguments)

        def add(self, *arguments):
            return self.tried(super().add, *arguments) if verb == "add" else super().add(*arguments)

        def swap(self, *arguments):
            return self.tried(super().swap, *arguments) if verb == "swap" else super().swap(*arguments)

    store = Locked()
    site = cached(store)
    store.locked = True
    for request in ({"headers": {"X": "2"}}, {"at": 61}, {"method": "POST"}):
        store.calls = 0
        assert site.ask(**request).code == 200
        assert store.calls <= 2


def test_a_store_that_fails_is_told_once_a_minute_and_so_is_that_it_works_again(caplog):
    class Failing(Plain):
        fails = False

        def get(self, key):
            if self.fails:
                raise StoreError("down")
            return super().get(key)

    events = []
    store = Failing()
    site = Site(store=store, on_event=events.append)
    site.answers("Cache-Control: max-age=600")
    site.ask()
    store.fails = True
    for at in range(1, 150):
        assert not site.is_hit(at=at)
    store.fails = False
    for at in range(150, 160):
        site.ask(at=at)
    assert site.is_hit()
    told = [(event.name, event.time - START) for event in events]
    assert told == [("store_failed", 1), ("store_failed", 61), ("store_failed", 121), ("store_recovered", 151)]
    assert {event.layer for event in events} == {"cache"}
    assert events[0].details == {"error": "StoreError: down"}
    assert len(caplog.records) == 3


def test_a_store_that_reads_but_does_not_write_has_not_recovered_with_the_next_read():
    class ReadOnly(Plain):
        def add(self, *arguments):
            raise StoreError("read-only")

        set = swap = add

    events = []
    site = Site(store=ReadOnly(), on_event=events.append)
    site.answers("Cache-Control: max-age=600")
    for at in range(50):
        assert not site.is_hit(at=at)
    assert [event.name for event in events] == ["store_failed"]


def test_a_store_that_failed_is_not_left_alone_for_longer_where_the_clock_steps_back():
    class Failing(Plain):
        fails = True

        def get(self, key):
            if self.fails:
                raise StoreError("down")
            return super().get(key)

    store = Failing()
    site = Site(store=store, flight_timeout=0.1)
    site.answers("Cache-Control: max-age=600")
    for _ in range(5):
        assert not site.is_hit(at=1000)
    store.fails = False
    assert not site.is_hit(at=0)
    assert site.is_hit()


def test_an_answer_that_does_not_fit_into_the_store_passes(caplog):
    site = Site(store=MemoryStore(max_bytes=8192))
    site.answers("Cache-Control: max-age=60", body=b"x" * 10_000)
    assert site.ask().body == site.ask().body == b"x" * 10_000
    assert caplog.records == []


@pytest.mark.slow
def test_a_store_that_evicts_keeps_all_of_what_is_asked_for():
    site = Site(store=MemoryStore(max_bytes=200_000))
    site.answers("Cache-Control: max-age=3600, public")
    site.ask()
    for number in range(3000):
        site.ask(f"/{number}")
        if number % 10 == 0:
            assert site.is_hit(at=number / 10)


def test_the_cache_works_on_sqlite(tmp_path):
    with SQLiteStore(tmp_path / "cache.db") as store:
        site = Site(store=store)
        site.answers("Cache-Control: max-age=60", "Vary: X")
        site.ask(headers={"X": "1"})
        assert not site.is_hit(headers={"X": "2"})
        assert site.is_hit(headers={"X": "1"})
        other = Site(store=store)
        other.answers()
        assert other.is_hit(headers={"X": "2"})
        other.ask(method="POST")
        assert not site.is_hit(headers={"X": "2"})


def test_looking_one_variant_up_reads_no_more_where_there_are_many():
    class Counted(Plain):
        gets = 0

        def get(self, key):
            self.gets += 1
            return super().get(key)

    store = Counted()
    site = Site(store=store)
    site.answers("Cache-Control: max-age=60", "Vary: X")
    needed = []
    for number in range(40):
        site.ask(headers={"X": str(number)})
        store.gets = 0
        assert site.is_hit(headers={"X": str(number)})
        needed.append(store.gets)
    assert set(needed) == {4}  # with the mark of everything


class ReadingMany(Plain):
    """Counts its round trips."""

    def __init__(self):
        super().__init__()
        self.trips = 0

    def get(self, key):
        self.trips += 1
        return super().get(key)

    def get_many(self, keys):
        self.trips += 1
        return [self.data.get(key) for key in keys]


def trips(site, at, **request):
    """How often the store is read for a hit."""
    site.store.trips = 0
    assert site.is_hit(at=at, **request)
    return site.store.trips


@pytest.mark.parametrize("tags", [0, 1, 64])
@pytest.mark.parametrize("path", ["/a", "/a?b=c"])
def test_a_hit_takes_two_round_trips_at_first_and_then_one(tags, path):
    site = Site(store=ReadingMany())
    fields = [f"Cache-Tag: {','.join(map(str, range(tags)))}"] if tags else []
    site.answers("Cache-Control: max-age=60", *fields)
    site.ask(path)
    for one in (site, Site(store=site.store)):  # as in another process
        one.answers()
        assert trips(one, 1, path=path) == 2
        assert trips(one, 1, path=path) == 1
        assert trips(one, 1.5, path=path) == 1
        assert trips(one, 2, path=path) == 2


def test_a_hit_by_vary_takes_one_round_trip_more_at_first():
    site = Site(store=ReadingMany())
    site.answers("Cache-Control: max-age=60", "Vary: X", "Cache-Tag: a, b")
    site.ask()
    assert [trips(site, at) for at in (1, 1, 1.5)] == [3, 1, 1]


def test_a_change_by_another_process_is_seen_at_the_next_request():
    one = Site(store=ReadingMany())
    one.answers("Cache-Control: max-age=600", "Cache-Tag: a")
    other = Site(store=one.store)
    purger = CachePurger(one.store, clock=lambda: one.now)
    for purge in (
        lambda: other.ask(method="POST"),
        lambda: purger.purge("http://127.0.0.1/a"),
        lambda: purger.purge_tags("a"),
        purger.purge_all,
    ):
        one.ask()
        assert one.is_hit()
        purge()
        one.now += 0.1
        assert not one.is_hit()


def test_what_is_stored_means_to_each_layer_on_a_store_what_its_policy_says():
    one = Site(policy="conformance")
    other = Site(store=one.store)
    one.answers("Cache-Control: max-age=10")
    one.ask()
    for site in (one, other):
        assert site.is_hit()
    strict = Site(store=one.store, policy=CachePolicy(stale_on_failure=0))
    strict.fails()
    with pytest.raises(OSError, match="down"):
        strict.ask(at=11)
    other.fails()
    assert other.ask(at=11).code == 200


def test_each_layer_on_a_store_signs_hits_with_its_own_name():
    one = Site(name="one")
    other = Site(store=one.store, name="other")
    one.answers("Cache-Control: max-age=60")
    one.ask()
    for site, name in ((one, "one"), (other, "other"), (one, "one")):
        assert site.ask().header("Cache-Status") == f"{name}; hit; ttl=60"


@pytest.mark.slow
def test_a_layer_that_is_gone_is_told_nothing_more():
    one = Site()
    before = len(gc.get_objects())
    for _ in range(20):
        Site(store=one.store)
        CachePurger(one.store)
    gc.collect()
    one.answers("Cache-Control: max-age=60")
    one.ask()
    CachePurger(one.store, clock=lambda: one.now).purge_all()
    gc.collect()
    assert len(gc.get_objects()) < before + 1000


def test_a_purge_by_one_layer_on_a_store_is_seen_by_all():
    one = Site()
    sites = [one, Site(store=one.store), Site(store=one.store, policy="conformance")]
    one.answers("Cache-Control: max-age=600", "Cache-Tag: a")
    purger = CachePurger(one.store, clock=lambda: one.now)
    for purge in (
        lambda: one.ask(method="POST"),
        lambda: purger.purge("http://127.0.0.1/a"),
        lambda: purger.purge("http://127.0.0.1/a", prefix=True),
        lambda: purger.purge_tags("a"),
        purger.purge_all,
        one.store.clear,
    ):
        one.now += 0.1
        one.ask()
        for site in sites:
            site.now = one.now
            assert site.is_hit()
        purge()
        one.now += 0.1
        for site in sites[::-1]:
            site.now = one.now
            assert not site.is_hit()
            one.store.clear()


def test_what_the_store_lets_go_is_not_answered_for_long():
    site = Site(store=MemoryStore(max_bytes=20_000))
    site.answers("Cache-Control: max-age=600", body=b"x" * 2000)
    site.ask("/first")
    assert site.is_hit("/first")
    for number in range(20):
        site.ask(f"/{number}")
    assert not site.is_hit("/first", at=1)


def test_what_is_replaced_leaves_nothing_behind():
    store = Plain()
    site = cached(store)
    for at in range(0, 1000, 61):
        site.answers("Cache-Control: max-age=60", "Vary: X", 'ETag: "2"', body=b"%d" % at)
        site.ask(at=at)
    assert store.entries == ["body", "head", "url"]


@pytest.mark.parametrize("forget", ["invalidated", "purged", "expired"])
def test_what_many_tags_had_leaves_nothing_behind_but_for_a_while(forget):
    site = Site()
    for number in range(60):
        site.answers("Cache-Control: max-age=60", f"Cache-Tag: a{number}, b{number}, all")
        site.ask(f"/a?{number}")
    site.now += 1
    if forget == "purged":
        CachePurger(site.store, clock=lambda: site.now).purge_tags("all")
    if forget == "invalidated":
        for number in range(60):
            site.ask(f"/a?{number}", method="POST")
        assert site.store.bytes_used < 130 * 900  # marks
    site.now += 3 * 86400
    site.store.purge()
    assert site.store.bytes_used == 0


def test_what_was_invalidated_leaves_nothing_behind():
    store = Plain()
    site = Site(store=store)
    site.answers("Cache-Control: max-age=60", "Vary: X")
    for value in "abc":
        site.ask(headers={"X": value})
    site.answers(status="204 No Content")
    site.ask(method="POST")
    assert store.entries == []


def test_an_answer_that_took_the_place_of_another_on_the_way_leaves_nothing_of_it_behind():
    class Interrupted(Plain):
        """Another thread stores its answer while this one stores its own."""

        def set(self, key, value, ttl=None):
            super().set(key, value, ttl)
            if value == b"answer 1":
                site.ask()

    store = Interrupted()
    site = Site(store=store)
    site.answers("Cache-Control: max-age=60")
    site.ask()
    assert site.calls == 2
    assert store.entries == ["body", "head", "url"]
    assert site.is_hit()


def test_an_answer_that_is_invalidated_while_it_is_stored_leaves_nothing_behind():
    class Interrupted(Plain):
        """Another thread changes the resource between two steps of storing."""

        def set(self, key, value, ttl=None):
            super().set(key, value, ttl)
            if value == b"answer 2":
                site.ask(method="POST")

    store = Interrupted()
    site = Site(store=store)
    site.answers("Cache-Control: max-age=60")
    site.ask()
    site.ask(at=61)
    assert store.entries == []


def test_a_304_gives_way_to_an_answer_that_was_stored_meanwhile():
    def app(environ, start_response):
        conditional = environ.get("HTTP_IF_NONE_MATCH") == '"1"'
        if conditional and not inside:
            inside.append(1)
            site.ask()
            start_response("304 Not Modified", [("ETag", '"1"'), ("Cache-Control", "max-age=60")])
            return []
        start_response("200 OK", [("ETag", '"2"' if inside else '"1"'), ("Cache-Control", "max-age=60")])
        return [b"new" if inside else b"old"]

    inside = []
    site = Site(app=app)
    site.ask()
    assert site.ask(at=61).body == b"old"
    hit = site.ask()
    assert (hit.body, hit.header("ETag")) == (b"new", '"2"')
    assert "; hit" in hit.header("Cache-Status")


def test_an_answer_that_was_replaced_while_it_was_read_gives_way_to_the_new_one():
    class Interrupted(Plain):
        """Another process replaces what was found before its body is read."""

        replaced = None

        def get(self, key):
            if self.replaced and key.startswith("cache body"):
                replaced, self.replaced = self.replaced, None
                self.data = replaced
            return super().get(key)

    store = Interrupted()
    site = cached(store)
    old = dict(store.data)
    other = Site(store=store)
    other.answers("Cache-Control: max-age=60", "Vary: X", body=b"new")
    other.ask(at=61)
    store.data, store.replaced = old, dict(store.data)
    site.answers(body=b"made anew, and not to be stored")
    assert site.ask(at=1).body == b"new"
    assert site.is_hit()


def test_variants_that_had_to_go_leave_nothing_behind():
    store = Plain()
    site = Site(store=store)
    site.answers("Cache-Control: max-age=60", "Vary: X")
    for number in range(100):
        site.ask(headers={"X": str(number)})
    assert store.entries == [*["body"] * 64, *["head"] * 64, "url"]


def test_the_variant_that_was_stored_longest_ago_goes_first():
    site = Site()
    site.answers("Cache-Control: max-age=10", "Vary: X")
    for number in range(64):
        site.ask(headers={"X": str(number)})
    site.ask(at=11, headers={"X": "0"})
    site.ask(headers={"X": "new"})
    assert site.is_hit(headers={"X": "0"})


def test_two_answers_at_once_leave_one_behind():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        if not inside:
            inside.append(1)
            ask(site.cache, "/a")
        return [b"inner" if len(inside) == 2 else b"outer"]

    inside = []
    store = Plain()
    site = Site(store=store, app=app)
    assert site.ask().body == b"outer"
    assert store.entries == ["body", "head", "url"]


def test_a_change_that_another_process_stored_is_seen_here():
    one = Site(store=Plain())
    one.answers("Cache-Control: max-age=60", body=b"old")
    one.ask()
    assert one.is_hit()
    other = Site(store=one.store)
    other.now = one.now + 61  # its clock is ahead
    other.answers("Cache-Control: max-age=600", body=b"new")
    other.ask(at=61)
    assert one.ask(at=1).body == b"new"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"store": {}}, "MemoryStore"),
        ({"store": None}, "MemoryStore"),
        ({"max_object": 0}, "max_object"),
        ({"max_object": "4"}, "max_object"),
        ({"name": ""}, "name="),
        ({"name": "a\nb"}, "name="),
        ({"name": "\u00e9"}, "name="),
    ],
)
def test_a_wrong_option_is_refused_with_a_sentence(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        CacheMiddleware(None, **{"store": MemoryStore(), **options})


@pytest.mark.parametrize(
    ("name", "item"), [("edge", "edge"), ("Our Cache", '"Our Cache"'), ('a"b', '"a\\"b"'), ("1a", '"1a"')]
)
def test_the_cache_signs_with_its_name(name, item):
    site = Site(name=name)
    assert site.ask().header("Cache-Status") == f"{item}; fwd=uri-miss; detail=no-freshness"


def test_without_a_name_no_cache_status_is_sent():
    site = Site(name=None)
    site.answers("Cache-Control: max-age=60", 'ETag: "1"')
    for request in ({}, {}, {"method": "POST"}, {"headers": {"Range": "x"}}, {}, {"at": 61}):
        assert site.ask(**request).header("Cache-Status") is None


def test_cache_status_says_how_each_answer_came_about():
    site = Site()
    site.answers("Cache-Control: max-age=60", 'ETag: "1"', "Cache-Status: inner; hit")
    own = [site.ask(at=at).all("Cache-Status")[-1] for at in (0, 10)]
    assert own == ["wsgi-middleware; fwd=uri-miss; stored", "wsgi-middleware; hit; ttl=50"]
    assert site.ask().all("Cache-Status")[0] == "inner; hit"
    site.answers("Cache-Control: max-age=60", status="304 Not Modified")
    assert site.ask(at=61).all("Cache-Status")[-1] == "wsgi-middleware; fwd=stale; fwd-status=304; stored"
    site.answers()
    assert site.ask(at=200).header("Cache-Status") == "wsgi-middleware; fwd=stale; detail=no-freshness"
    assert site.ask(method="POST").header("Cache-Status") == "wsgi-middleware; fwd=method"
    assert site.ask(body=b"fat").header("Cache-Status") == "wsgi-middleware; fwd=bypass; detail=body"


def test_a_cache_inside_a_cache_answers_as_one_alone():
    inner = Site()
    inner.answers("Cache-Control: max-age=60")
    outer = CacheMiddleware(inner.cache, store=MemoryStore(), clock=lambda: inner.now)
    assert ask(outer).body == ask(outer).body == b"answer 1"


def test_an_answer_that_expires_again_and_again_leaves_no_bodies_behind():
    site = Site(store=(store := MemoryStore(clock=lambda: site.now)))
    for fields in (["Cache-Control: s-maxage=1"], ["Cache-Control: max-age=1"]):
        site.answers(*fields, body=b"x" * 10_000)
        for _ in range(50):
            site.now += 700
            site.ask()
        assert store.bytes_used < 50_000
