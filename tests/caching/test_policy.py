"""The choices that the RFCs leave to a shared cache, as a value."""

from __future__ import annotations

import pytest

from middleware.caching import CachePolicy
from middleware.errors import ConfigurationError

CHOICES = {
    "heuristic": 0.5,
    "guess_for_cookies": True,
    "store_set_cookie": "public",
    "store_private_fields": True,
    "store_partial": True,
    "store_post": True,
    "user_is_authorization": False,
    "guard_unkeyed": False,
    "honour_reload": True,
    "only_if_cached": False,
    "stale_on_failure": 5,
    "targeted": ("Site-Cache-Control",),
    "strip_targeted": True,
}


@pytest.mark.parametrize("name", CHOICES)
def test_each_choice_makes_another_policy(name):
    default = CachePolicy()
    other = default.replace(**{name: CHOICES[name]})
    assert other != default
    assert getattr(other, name) == CHOICES[name]
    assert other.replace(**{name: getattr(default, name)}) == default
    assert hash(other.replace(**{name: getattr(default, name)})) == hash(default)
    assert f"{name}={CHOICES[name]!r}" in repr(other)


def test_a_policy_can_be_read_from_what_it_shows():
    policy = CachePolicy(**CHOICES)
    assert eval(repr(policy)) == policy
    assert policy != "policy"


def test_a_policy_does_not_change():
    policy = CachePolicy()
    with pytest.raises(AttributeError, match=r"replace\(\)"):
        policy.heuristic = 1
    with pytest.raises(AttributeError, match=r"replace\(\)"):
        del policy.heuristic
    with pytest.raises(AttributeError):
        policy.other = 1


def test_the_names_of_targeted_fields_are_those_of_fields():
    assert CachePolicy(targeted=["A-Cache-Control", "b"]).targeted_names == ("a-cache-control", "b")
    assert CachePolicy(targeted=[]).targeted == ()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *[(name, wrong) for name, value in CHOICES.items() if type(value) is bool for wrong in (1, None, "yes")],
        *[("heuristic", wrong) for wrong in (-0.1, 1.1, float("nan"), True, "0.1", None)],
        *[("stale_on_failure", wrong) for wrong in (-1, float("inf"), float("nan"), True, "600", None)],
        *[("store_set_cookie", wrong) for wrong in ("private", 1, None)],
        *[("targeted", wrong) for wrong in ("CDN-Cache-Control", b"x", None, 5, [5], [""], ["a b"], ["Cache-Control"])],
        ("targeted", ["Expires"]),
    ],
)
def test_a_wrong_choice_is_named(name, wrong):
    with pytest.raises(ConfigurationError, match=f"^{name} "):
        CachePolicy(**{name: wrong})


def test_an_unknown_choice_is_a_type_error():
    with pytest.raises(TypeError):
        CachePolicy().replace(heuristics=0)


def test_the_policy_of_conformance_differs_in_what_the_table_says():
    default, conformance = CachePolicy(), CachePolicy.CONFORMANCE
    assert conformance == default.replace(
        store_set_cookie=True,
        store_private_fields=True,
        guess_for_cookies=True,
        guard_unkeyed=False,
        store_partial=True,
        store_post=True,
        honour_reload=True,
        user_is_authorization=False,
    )
