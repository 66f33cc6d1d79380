"""However much comes, and in whatever form: the cache stays small, and works in proportion. S27, S38, S39."""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from asking import call, make_environ
from cached_site import START, Site

from middleware.headers import http_date
from middleware.stores import MemoryStore

pytestmark = pytest.mark.slow
FRESH = "Cache-Control: max-age=60"


class Counted(MemoryStore):
    """Counts what is asked of it, and the bytes that come and go."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = 0
        self.moved = 0

    def get(self, key):
        self.calls += 1
        value = super().get(key)
        self.moved += len(value or b"")
        return value

    def set(self, key, value, ttl=None):
        self.calls += 1
        self.moved += len(value)
        super().set(key, value, ttl)

    def add(self, key, value, ttl=None):
        self.calls += 1
        self.moved += len(value)
        return super().add(key, value, ttl)

    def swap(self, key, old, new, ttl=None):
        self.calls += 1
        self.moved += len(old) + len(new)
        return super().swap(key, old, new, ttl)

    def delete(self, key):
        self.calls += 1
        return super().delete(key)


# One page in endless variants: S27


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("User-Agent", 250),
        ("Cookie", 250),
        ("Accept-Encoding", 250),
        pytest.param("X", 2_000, marks=pytest.mark.slow),
    ],
)
def test_endless_variants_of_one_page_take_bounded_room_and_leave_other_pages_alone(name, count):
    store = Counted(clock=lambda: site.now)
    site = Site(store=store)
    site.answers("Cache-Control: max-age=86400", f"Vary: {name}", body=b"x" * 100)
    others = [f"/other/{number}" for number in range(10)]
    for other in others:
        site.ask(other)
    cost, used = [], []
    for number in range(count):
        store.calls = store.moved = 0
        site.now += 2  # a second later nothing is left of what one miss tells others that wait for it
        site.ask(headers={name: f"{number:08}"})
        cost.append((store.calls, store.moved))
        used.append(store.bytes_used)
    assert max(used[200:]) <= 1.1 * used[200] <= 64 * 4096
    calls, moved = zip(*cost, strict=True)
    assert max(calls[200:]) <= max(calls[100:200]) <= 25
    assert max(moved[200:]) <= 1.1 * max(moved[100:200])
    assert all(site.is_hit(other) for other in others)
    assert site.is_hit(headers={name: f"{count - 1:08}"})


def test_endless_lists_of_fields_in_vary_take_bounded_room():
    store = Counted(clock=lambda: site.now)
    site = Site(store=store)
    cost = []
    for number in range(200):
        site.now += 2
        site.answers("Cache-Control: max-age=86400", f"Vary: X-{number:03}, X-{number + 1:03}", body=b"x" * 100)
        store.calls = store.moved = 0
        site.ask(headers={f"X-{number:03}": "1"})
        cost.append((store.calls, store.moved))
    calls, moved = zip(*cost, strict=True)
    assert max(calls[100:]) <= max(calls[50:100]) <= 35
    assert max(moved[100:]) <= 1.1 * max(moved[50:100])
    assert store.bytes_used < 64 * 4096


# Endless addresses, endless bodies: S38


@pytest.mark.parametrize("count", [500, 5000])
def test_endless_addresses_take_bounded_room_and_what_is_in_use_stays(count):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=3600")])
        return [b"x" * 100]

    store = MemoryStore(max_bytes=300_000)
    site = Site(store=store, app=app)
    request = make_environ("/a")
    for number in range(count):
        query = f"q={number}"
        call(site.cache, {**request, "QUERY_STRING": query, "REQUEST_URI": f"/a?{query}"})
        if number % 50 == 0:
            assert store.bytes_used <= 300_000
            in_use = site.ask("/in-use", at=number / 100)
            assert number == 0 or "; hit" in in_use.header("Cache-Status")
    assert "; hit" in site.ask(f"/a?q={count - 1}").header("Cache-Status")


CHUNK = 1 << 16
LIMIT = 1 << 20


@pytest.mark.parametrize(
    "fields", [[], [("Content-Length", str(1 << 28))]], ids=["without a length", "with its length"]
)
@pytest.mark.parametrize("written", [False, True], ids=["yielded", "written"])
def test_a_body_without_end_passes_through_bounded_memory(fields, written):
    def chunks():
        for _ in range((1 << 28) // CHUNK):
            yield bytes(CHUNK)

    def app(environ, start_response):
        write = start_response("200 OK", [("Cache-Control", "max-age=60"), *fields])
        if not written:
            return chunks()
        for chunk in chunks():
            write(chunk)
        return []

    site = Site(app=app, max_object=LIMIT)
    passed = 0

    def count(chunk):
        nonlocal passed
        passed += len(chunk)

    tracemalloc.start()
    try:
        body = site.cache(make_environ("/a"), lambda *head: count)
        for chunk in body:
            count(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if hasattr(body, "close"):
        body.close()
    assert passed == 1 << 28
    assert peak < 2 * LIMIT
    assert site.store.bytes_used < LIMIT


def test_a_body_of_tiny_pieces_takes_no_more_room_than_one_of_large_ones():
    small = 1 << 16

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        for number in range(small // 4):
            yield b"%04d" % (number % 10_000)

    site = Site(app=app, max_object=small)
    tracemalloc.start()
    try:
        for _ in site.cache(make_environ("/a"), lambda *head: None):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * small


# Bombs of numbers and lists: S39

BOMBS = [
    ",",
    '"',
    '","',
    '\\"',
    ', "',
    "a=,",
    " ",
    ";",
    "9",
    "a",
    '"a",',
    "=",
    "a, ",
    "\\",
    "W/",
    "*,",
    "0-1,",
    "a;b=1,",
    "[",
    "(",
]
ANSWERED = [
    "Cache-Control",
    "CDN-Cache-Control",
    "Vary",
    "Expires",
    "Date",
    "Age",
    "Last-Modified",
    "ETag",
    "Cache-Tag",
    "Surrogate-Key",
    "Content-Length",
    "Connection",
    "Access-Control-Allow-Origin",
    "Location",
]
ASKED = [
    "If-None-Match",
    "If-Modified-Since",
    "If-Range",
    "Range",
    "Cookie",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Cache-Control",
    "Pragma",
    "Host",
    "X-Forwarded-Host",
    "Origin",
]


def bombed_answer(name, text):
    site = Site(name=None)
    fields = [] if name == "Cache-Control" else [("Cache-Control", "max-age=60")]
    site.given = ("200 OK", [*fields, (name, text)], b"body")
    return lambda: [site.ask(method=method, at=at).code for method, at in (("GET", 0), ("GET", 61), ("POST", 61))]


def bombed_request(name, text):
    site = Site(name=None)
    site.answers(FRESH, "Vary: Accept, Accept-Encoding, Accept-Language, Cookie", 'ETag: "1"', body=b"body")
    environ = {"HTTP_HOST": text} if name == "Host" else {"headers": {name: text}}
    return lambda: [site.ask(at=at, **environ).code for at in (0, 1, 61)]


def work(run):
    """How many lines of Python are executed."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return lines


few_or_all = pytest.mark.parametrize(
    ("bombs", "size"), [(BOMBS[:6], 1024), pytest.param(BOMBS, 8192, marks=pytest.mark.slow)], ids=["few", "all"]
)


@few_or_all
@pytest.mark.parametrize("name", ANSWERED)
def test_a_bomb_in_an_answer_takes_work_in_proportion_to_its_size(name, bombs, size):
    for bomb in bombs:
        small, large = (work(bombed_answer(name, (bomb * length)[:length])) for length in (size // 4, size))
        assert large < 7 * small, f"{bomb!r}: {small} lines for {size // 4} bytes, {large} for {size}"


@few_or_all
@pytest.mark.parametrize("name", ASKED)
def test_a_bomb_in_a_request_takes_work_in_proportion_to_its_size(name, bombs, size):
    for bomb in bombs:
        small, large = (work(bombed_request(name, (bomb * length)[:length])) for length in (size // 4, size))
        assert large < 7 * small, f"{bomb!r}: {small} lines for {size // 4} bytes, {large} for {size}"


@pytest.mark.parametrize("name", ["Accept", "Accept-Encoding", "Accept-Language"])
def test_a_list_that_no_client_needs_is_not_taken_to_pieces(name):
    usual = work(bombed_request(name, "text/html, *;q=0.1"))
    for bomb in BOMBS:
        assert work(bombed_request(name, (bomb * (1 << 16))[: 1 << 16])) < 2 * usual


@pytest.mark.parametrize("name", ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"])
@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000, "-" + "9" * 5000, "9" * 5000 + ".5"])
def test_a_number_of_five_thousand_digits_is_no_error(name, digits):
    site = Site()
    site.answers(f"Cache-Control: {name}={digits}", f"CDN-Cache-Control: {name}={digits}", f"Age: {digits}")
    for at in (0, 1, 61):
        assert site.ask(at=at, headers={"Cache-Control": f"max-age={digits}, min-fresh={digits}"}).code == 200


@pytest.mark.parametrize(
    "given",
    [
        "bytes=" + ",".join(f"{number}-{number}" for number in range(1000)),
        "bytes=" + "0-," * 1000,
        "bytes=0-" + "9" * 5000,
        "bytes=" + "9" * 5000 + "-",
        "bytes=-" + "9" * 5000,
        "bytes=" + "," * 5000,
        "bytes=-" * 1000,
    ],
    ids=["a thousand", "overlapping", "long end", "long start", "long suffix", "commas", "dashes"],
)
def test_a_range_that_is_a_bomb_gets_no_more_than_the_whole(given):
    site = Site()
    site.answers(FRESH, f"Last-Modified: {http_date(START - 999)}", body=b"0123456789")
    site.ask()
    answer = site.ask(headers={"Range": given})
    assert answer.code in (200, 206, 416)
    assert len(answer.body) <= 10
