"""`CacheKeys`, the frozen value of what a site says of its keys."""

from __future__ import annotations

import re

import pytest

from middleware.caching import CacheKeys, CacheMiddleware
from middleware.errors import ConfigurationError
from middleware.stores import MemoryStore


def upper(value):
    return value.upper()


FULL = {
    "ignore_query": ["utm_*", "gclid"],
    "ignore_cookies": ("_ga*",),
    "allowed_hosts": ["a.example", "[::1]:8080"],
    "unkeyed": {"X-Theme": "key", "x-debug": "bypass", "X_Forwarded_Host": "strip"},
    "normalise": {"Accept-Encoding": upper},
    "extra": upper,
}


def test_it_has_what_was_said():
    keys = CacheKeys(**FULL)
    assert keys.ignore_query == ("utm_*", "gclid")
    assert keys.ignore_cookies == ("_ga*",)
    assert keys.allowed_hosts == ("a.example", "[::1]:8080")
    assert keys.unkeyed == {"x-theme": "key", "x-debug": "bypass", "x-forwarded-host": "strip"}
    assert keys.normalise == {"accept-encoding": upper}
    assert keys.extra is upper


def test_it_is_a_value():
    keys, same = CacheKeys(**FULL), CacheKeys(**FULL)
    assert keys == same
    assert hash(keys) == hash(same)
    assert keys != CacheKeys()
    assert keys != FULL
    assert len({keys, same, CacheKeys(), CacheKeys()}) == 2


def test_it_does_not_change():
    keys = CacheKeys(**FULL)
    with pytest.raises(AttributeError, match=re.escape("make others with replace()")):
        keys.extra = None
    with pytest.raises(AttributeError):
        del keys.extra
    with pytest.raises(TypeError):
        keys.unkeyed["x-theme"] = "strip"
    with pytest.raises(TypeError):
        keys.normalise["x"] = upper


def test_what_it_was_made_of_can_change_without_it():
    names, modes = ["a"], {"x": "key"}
    keys = CacheKeys(ignore_query=names, unkeyed=modes)
    names.append("b")
    modes["y"] = "key"
    assert keys.ignore_query == ("a",)
    assert keys.unkeyed == {"x": "key"}


def test_another_can_be_made_of_it():
    keys = CacheKeys(**FULL).replace(allowed_hosts=(), extra=None)
    assert keys.allowed_hosts == ()
    assert keys.extra is None
    assert keys.ignore_query == ("utm_*", "gclid")
    with pytest.raises(TypeError):
        keys.replace(ignored="x")
    with pytest.raises(ConfigurationError):
        keys.replace(allowed_hosts="a.example")


def test_it_shows_what_is_not_the_default():
    assert repr(CacheKeys()) == "CacheKeys()"
    assert repr(CacheKeys(ignore_query=["a"])) == "CacheKeys(ignore_query=('a',))"


def test_it_is_given_by_keyword():
    with pytest.raises(TypeError):
        CacheKeys(["utm_*"])


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("ignore_query", "utm_*", "a list of texts"),
        ("ignore_query", [1], "a list of texts"),
        ("ignore_query", {"a": 1}, "a list of texts"),
        ("ignore_query", None, "a list of texts"),
        ("ignore_query", [""], "'' is neither"),
        ("ignore_query", ["a*b"], "'a*b' is neither"),
        ("ignore_query", ["**"], "'**' is neither"),
        ("ignore_query", ["a=1"], "'a=1' is neither"),
        ("ignore_query", ["a&b"], "'a&b' is neither"),
        ("ignore_query", ["a;b"], "'a;b' is neither"),
        ("ignore_query", ["a\n"], "is neither"),
        ("ignore_cookies", "_ga", "a list of texts"),
        ("ignore_cookies", ["_ga=1"], "'_ga=1' is neither"),
        ("ignore_cookies", ["a b"], "'a b' is neither"),
        ("ignore_cookies", ["a,b"], "'a,b' is neither"),
        ("ignore_cookies", ["*a"], "'*a' is neither"),
        ("allowed_hosts", "a.example", "a list of texts"),
        ("allowed_hosts", ["http://a.example"], "'http://a.example' is none"),
        ("allowed_hosts", ["a.example/"], "'a.example/' is none"),
        ("allowed_hosts", ["*.example"], "'*.example' is none"),
        ("allowed_hosts", [""], "'' is none"),
        ("unkeyed", ["x"], "a dict by the names"),
        ("unkeyed", {"x y": "key"}, "'x y' is none"),
        ("unkeyed", {"": "key"}, "'' is none"),
        ("unkeyed", {7: "key"}, "7 is none"),
        ("unkeyed", {"x": "ignore"}, "'key', 'bypass' or 'strip'"),
        ("unkeyed", {"x": None}, "'key', 'bypass' or 'strip'"),
        ("unkeyed", {"x": ["key"]}, "'key', 'bypass' or 'strip'"),
        ("unkeyed", {"Host": "strip"}, "a rule of its own"),
        ("unkeyed", {"if_none_match": "strip"}, "a rule of its own"),
        ("unkeyed", {"Content-Length": "key"}, "a rule of its own"),
        ("normalise", [upper], "a dict by the names"),
        ("normalise", {"x": "upper"}, "a function of the value"),
        ("normalise", {"x,y": upper}, "'x,y' is none"),
        ("extra", "tenant", "a function of the environ"),
    ],
)
def test_a_wrong_option_is_told_when_it_is_made(option, value, told):
    with pytest.raises(ConfigurationError, match=re.escape(told)) as caught:
        CacheKeys(**{option: value})
    assert str(caught.value).startswith(f"{option}= ")


@pytest.mark.parametrize("keys", ["utm_*", {"ignore_query": ["a"]}, CacheKeys])
def test_a_layer_takes_no_other_value_for_it(keys):
    with pytest.raises(ConfigurationError, match="keys= is a CacheKeys"):
        CacheMiddleware(upper, store=MemoryStore(), keys=keys)
