"""Text into options, by the annotations of whatever is built."""

from __future__ import annotations

import os.path
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching import CacheKeys
from middleware.caching.keys.key_options import UNKEYED
from middleware.errors import ConfigurationError
from middleware.integrations.conversion import build, keys, read_option, readers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from middleware.caching import CachePolicy
    from middleware.cookies import CookieOptions
    from middleware.cookies.options import SameSite


class Layer:
    """A constructor such as the layers have."""

    def __init__(
        self,
        app,
        *,
        max_age: float | None = None,
        max_bytes: int = 1,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        names: tuple[str, ...] = (),
        secure: bool | Literal["auto"] = "auto",
        retries: int = 1,
        skip: Callable[[dict], bool] | None = None,
    ):
        self.app = app
        self.options = {key: value for key, value in locals().items() if key not in ("self", "app")}
        if retries > 5:
            raise ConfigurationError("retries= is at most 5")


def built(**options):
    return build(Layer, "app", options=options, where="[filter:x]").options


def refused(**options):
    with pytest.raises(ConfigurationError) as caught:
        built(**options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_age", "30m", 1800.0),
        ("max_age", " 90 ", 90.0),
        ("max_age", "none", None),
        ("max_age", "", None),
        ("max_bytes", "64MiB", 64 << 20),
        ("secret", "one, two words", "one, two words"),
        ("secret", "\nolder key\nnewer key", ["older key", "newer key"]),
        ("names", "a b,c", ("a", "b", "c")),
        ("names", "\na\nb", ("a", "b")),
        ("secure", "auto", "auto"),
        ("secure", "On", True),
        ("secure", "no", False),
        ("retries", "3", 3),
        ("skip", "os.path:exists", os.path.exists),
    ],
)
def test_a_text_is_read_as_the_annotation_says(key, text, value):
    assert built(**{key: text})[key] == value


def test_what_is_not_given_keeps_its_default():
    assert built(retries="2")["secure"] == "auto"


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("max_age", "soon", "a duration such as 30m"),
        ("max_bytes", "big", "a size such as 64MiB"),
        ("secure", "maybe", "one of auto or true or false"),
        ("retries", "few", "a whole number"),
        ("skip", "os.path", "package.module:function"),
        ("skip", "os.path:nonsense", "package.module:function"),
        ("skip", "no_such_module:name", "package.module:function"),
    ],
)
def test_a_bad_value_names_section_key_value_and_what_was_expected(key, text, expected):
    message = refused(**{key: text})
    assert message.startswith(f"[filter:x]: {key} is {text!r}, expected ")
    assert expected in message


@pytest.mark.parametrize(("wrong", "right"), [("secrets", "secret"), ("max_byte", "max_bytes"), ("maxage", "max_age")])
def test_an_unknown_key_names_the_nearest_real_one(wrong, right):
    assert refused(**{wrong: "1"}) == f"[filter:x]: there is no option {wrong!r}; did you mean {right!r}?"


def test_a_key_with_a_dot_is_no_option_where_there_is_no_group():
    assert "no option 'max_age.x'" in refused(**{"max_age.x": "1"})


def test_what_the_constructor_refuses_names_the_section():
    assert refused(retries="6") == "[filter:x]: retries= is at most 5"


def test_every_key_can_be_listed():
    assert keys(Layer) == ["max_age", "max_bytes", "secret", "names", "secure", "retries", "skip"]


def test_a_type_that_no_text_can_give_is_told_to_the_developer():
    with pytest.raises(LookupError, match="complex"):
        readers("option", "complex | None")


@given(
    st.text(),
    st.sampled_from(["max_age", "max_bytes", "retries"]),
    st.sampled_from(
        ["int", "float | None", "bool", "tuple[int, ...]", "str", "str | Sequence[str]", "SameSite", "Secret"]
    ),
)
def test_any_text_is_read_or_refused(text, name, annotation):
    with suppress(ConfigurationError):
        read_option(name, text, annotation, where="here")


class Group:
    def __init__(self, app, name=None, *, size: int, max_age: int | None = None, same: SameSite = "Lax"):
        self.values = (name, size, max_age, same)


@pytest.mark.parametrize(("text", "value"), [("none", "None"), ("STRICT", "Strict"), ("Lax", "Lax")])
def test_a_choice_is_read_in_either_case_and_means_the_name_that_the_layer_knows(text, value):
    assert build(Group, "app", options={"size": "1", "same": text}, where="here").values[3] == value


def test_a_duration_of_whole_seconds_is_an_int():
    assert build(Group, "app", options={"size": "1", "max_age": "1h"}, where="here").values[2] == 3600
    with pytest.raises(ConfigurationError, match="whole seconds"):
        build(Group, "app", options={"size": "1", "max_age": "1.5s"}, where="here")


def test_an_option_that_must_be_given_and_is_not_is_named():
    with pytest.raises(ConfigurationError, match="here: the option 'size' is missing"):
        build(Group, "app", options={}, where="here")


def test_a_mapping_is_named():
    given = {"ignore_query": "utm_* gclid", "unkeyed": "middleware.caching.keys.key_options:UNKEYED"}
    read = build(CacheKeys, options=given, where="[filter:x]")
    assert read == CacheKeys(ignore_query=["utm_*", "gclid"], unkeyed=UNKEYED)
    with pytest.raises(ConfigurationError, match=r"a name such as package\.module:NAME"):
        build(CacheKeys, options={"normalise": "gzip"}, where="[filter:x]")


def test_options_that_travel_together_are_written_with_a_dot():
    from middleware.cookies import CookieOptions

    class Cookies:
        def __init__(self, app, *, cookie: CookieOptions | None = None):
            self.cookie = cookie

    options = {"cookie.name": "sid", "cookie.max_age": "30d", "cookie.samesite": "strict"}
    assert build(Cookies, "app", options=options, where="x").cookie == CookieOptions(
        "sid", max_age=30 * 86400, samesite="Strict"
    )
    assert "cookie.max_age" in keys(Cookies)
    for wrong in ({"cookie.maxage": "1"}, {"cookie": "sid"}, {"cookies.name": "sid"}):
        with pytest.raises(ConfigurationError, match=r"there is no option .*did you mean"):
            build(Cookies, "app", options=wrong, where="x")


class Cached:
    def __init__(self, app, *, policy: CachePolicy | Literal["default", "conformance"] = "default"):
        self.policy = policy


def test_a_word_may_stand_for_options_that_travel_together():
    from middleware.caching import CachePolicy

    def policy(**options):
        return build(Cached, "app", options=options, where="x").policy

    assert policy(policy="Conformance") == "conformance"
    assert policy(
        **{
            "policy.stale_on_failure": "5m",
            "policy.store_set_cookie": "public",
            "policy.heuristic": "0.2",
            "policy.targeted": "Site-Cache-Control, CDN-Cache-Control",
            "policy.honour_reload": "yes",
        }
    ) == CachePolicy(
        stale_on_failure=300.0,
        store_set_cookie="public",
        heuristic=0.2,
        targeted=["Site-Cache-Control", "CDN-Cache-Control"],
        honour_reload=True,
    )
    assert keys(Cached)[:2] == ["policy", "policy.heuristic"]
    with pytest.raises(ConfigurationError, match="policy is 'strict', expected one of default, conformance"):
        policy(policy="strict")
    with pytest.raises(ConfigurationError, match=r"did you mean 'honour_reload'"):
        policy(**{"policy.honor_reload": "yes"})
    with pytest.raises(ConfigurationError, match=r"as a whole and in part, by policy\.heuristic"):
        policy(**{"policy": "default", "policy.heuristic": "0"})
    with pytest.raises(ConfigurationError, match="x: policy: heuristic is a share from 0 to 1"):
        policy(**{"policy.heuristic": "2"})
