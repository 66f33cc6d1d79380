"""Wrong options of SessionMiddleware: each is an error at construction, with a sentence that says what to do."""

from __future__ import annotations

import pytest
from sessions.kit import SECRET, Site

from middleware.cookies import CookieOptions
from middleware.errors import ConfigurationError
from middleware.sessions import SessionMiddleware, Timeouts
from middleware.stores.memory import MemoryStore

WRONG_PLACE = [
    ({}, r"store=.*secret="),
    ({"store": MemoryStore(), "secret": SECRET}, "not both: a stored session needs no secret"),
    ({"store": "sqlite:///sessions.db"}, r"store= has no get\(\): pass a store, such as SQLiteStore\(path\)"),
    ({"store": {}}, r"store= has no set\(\)"),
    ({"store": MemoryStore}, r"store= is the class MemoryStore: pass a store, MemoryStore\(...\)"),
    ({"store": MemoryStore(), "seal": True}, r"seal= is for sessions in a cookie \(secret=\)"),
    ({"store": MemoryStore(), "chunks": 4}, r"chunks= is for sessions in a cookie \(secret=\)"),
    ({"store": MemoryStore(), "revocations": MemoryStore()}, r"revocations= is for sessions in a cookie \(secret=\)"),
    ({"secret": "short"}, "a secret of 5 bytes can be guessed.*python -m middleware secret"),
    ({"secret": []}, "the list of secrets is empty.*python -m middleware secret"),
    ({"secret": SECRET, "seal": "yes"}, "seal is True or False, not 'yes'"),
    ({"secret": SECRET, "chunks": 0}, "chunks is a number of cookies from 1 to 20, not 0"),
    ({"secret": SECRET, "chunks": 21}, "chunks is a number of cookies from 1 to 20, not 21"),
    ({"secret": SECRET, "chunks": True}, "chunks is a number of cookies from 1 to 20, not True"),
    ({"secret": SECRET, "chunks": "4"}, "chunks is a number of cookies from 1 to 20, not '4'"),
    ({"secret": SECRET, "revocations": "redis://"}, r"revocations= has no get\(\): pass a store"),
    ({"secret": SECRET, "revocations": MemoryStore}, "revocations= is the class MemoryStore"),
    ({"secret": SECRET, "max_sessions": 2}, r"max_sessions= needs store="),
]

WRONG = [
    ({"cookie": "sid"}, r"cookie= is a CookieOptions\(\"name\", ...\).*not 'sid'"),
    ({"cookie": None}, r"cookie= is a CookieOptions"),
    ({"timeouts": 1800}, r"timeouts= is Timeouts\(idle=..., lifetime=...\) in seconds, not 1800"),
    ({"timeouts": {"idle": 60}}, r"timeouts= is Timeouts\("),
    ({"rotate_on": "user"}, "rotate_on= is a list of texts, not 'user'"),
    ({"rotate_on": None}, "rotate_on= is a list of texts, not None"),
    ({"rotate_on": [1]}, r"rotate_on= is a list of texts, not \[1\]"),
    ({"rotate_on": iter(["user"])}, "rotate_on= is a list of texts"),  # it could be read only once
    ({"aliases": "beaker.session"}, "aliases= is a list of texts, not 'beaker.session'"),
    ({"aliases": 5}, "aliases= is a list of texts, not 5"),
    ({"aliases": ["wsgi.input"]}, "aliases= cannot hold 'wsgi.input'"),
    ({"clear_site_data": "cache"}, "clear_site_data= is a list of texts, not 'cache'"),
    ({"clear_site_data": ["cookie"]}, "clear_site_data= is a list of cache, cookies, storage.*'cookie'"),
    ({"clear_site_data": ['cache"\r\nX: y']}, "clear_site_data= is a list of cache"),
    ({"max_bytes": 0}, "max_bytes is a number of bytes above 0, not 0"),
    ({"max_bytes": 1.5}, "max_bytes is a number of bytes above 0, not 1.5"),
    ({"max_bytes": "64KiB"}, "max_bytes is a number of bytes above 0, not '64KiB'"),
    ({"save_on_error": "no"}, "save_on_error is True or False, not 'no'"),
    ({"on_outage": 503}, 'on_outage is "503", "anonymous" or a function, not 503'),
    ({"on_outage": None}, 'on_outage is "503", "anonymous" or a function, not None'),
    ({"on_other_browser": "log out"}, 'on_other_browser is "tell", "rotate", "end" or None, not \'log out\''),
    ({"on_other_browser": True}, "on_other_browser is"),
    ({"on_event": "print"}, "on_event= is a function of an Event, not 'print'"),
    ({"clock": 1700000000}, "clock is a function that gives the time in seconds since 1970, not 1700000000"),
    ({"clock": None}, "clock is a function"),
]

WRONG_WITH_A_STORE = [
    ({"max_sessions": 0}, "max_sessions is a number of sessions above 0, or None, not 0"),
    ({"max_sessions": True}, "max_sessions is a number of sessions above 0, or None, not True"),
    ({"when_too_many": "end"}, 'when_too_many is "end_oldest" or "refuse", not \'end\''),
]


def named(wrong):
    return [
        pytest.param(*pair, id=" ".join(f"{name}={value!r:.20}" for name, value in pair[0].items())) for pair in wrong
    ]


@pytest.mark.parametrize(("options", "message"), named(WRONG_PLACE))
def test_a_session_needs_one_place_that_can_keep_it(options, message):
    with pytest.raises(ConfigurationError, match=message):
        SessionMiddleware(Site.serve, **options)


@pytest.mark.parametrize(("options", "message"), named(WRONG))
@pytest.mark.parametrize("place", ["store", "secret"])
def test_a_wrong_option_is_an_error_that_says_what_is_right(place, options, message):
    given = {"store": MemoryStore()} if place == "store" else {"secret": SECRET}
    with pytest.raises(ConfigurationError, match=message):
        SessionMiddleware(Site.serve, **given, **options)


@pytest.mark.parametrize(("options", "message"), named(WRONG_WITH_A_STORE))
def test_a_wrong_option_of_stored_sessions_is_an_error_that_says_what_is_right(options, message):
    with pytest.raises(ConfigurationError, match=message):
        SessionMiddleware(Site.serve, store=MemoryStore(), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"rotate_on": {"user"}, "aliases": ("beaker.session", "paste.session")},
        {"clear_site_data": ("cache", "cookies", "storage", "executionContexts", "*")},
        {"timeouts": Timeouts.AAL3, "cookie": CookieOptions("sid", max_age=60)},
        {"on_outage": lambda error: "503", "on_event": print},
    ],
)
def test_what_is_right_is_taken(options):
    assert SessionMiddleware(Site.serve, store=MemoryStore(), **options)
    assert SessionMiddleware(Site.serve, secret=SECRET, **options)
