"""Names of users: one spelling each, or none (PW-13)."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from precis_i18n import get_profile

from middleware.auth.names import LONGEST, normal_name

PRESERVED, MAPPED = get_profile("UsernameCasePreserved"), get_profile("UsernameCaseMapped")

# RFC 8265, section 3.5, tables 1 and 2.
GOOD = ["juliet@example.com", "fussball", "fu\u00dfball", "\u03c0", "\u03a3", "\u03c3", "\u03c2"]
BAD = ["foo bar", "", "henry\u2163", "\u265a"]


@pytest.mark.parametrize("user", [*GOOD, "ann", "ann+notes", "j\u00e4s\u00f8n", "\u5f20\u4e09", "\u05d0\u05d1"])
def test_a_name_is_kept_as_it_is(user):
    assert normal_name(user) == user


@pytest.mark.parametrize(
    ("user", "normal"),
    [
        ("ja\u0308so\u0308n", "j\u00e4s\u00f6n"),
        ("\uff21lice", "Alice"),
        ("\uff76\uff9e", "\u30ac"),
        ("\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m"),
    ],
)
def test_spellings_of_one_name_are_one(user, normal):
    assert normal_name(user) == normal


@pytest.mark.parametrize(
    ("user", "small"),
    [("Ann", "ann"), ("\uff21lice", "alice"), ("\u03a3", "\u03c3"), ("\u00c4NN", "\u00e4nn"), ("\u00df", "\u00df")],
)
def test_capitals_are_small_only_where_that_is_asked_for(user, small):
    assert normal_name(user, case_map=True) == small
    assert normal_name(user) != small or user == small


@pytest.mark.parametrize(
    "user",
    [
        *BAD,
        "\ufb01sh",
        "so\u00adft",
        "zero\u200bwidth",
        "\u202eann",
        "nu\0l",
        "tab\t",
        "\x7f",
        "an\u3000n",
        "\ud800",
        "\u0378",
        "a\ufe0f",
        "\u1100",
        "\u0640",
        "a" * (LONGEST + 1),
        "\u00e4" * (LONGEST + 1),
        "\U000e0100",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("case_map", [False, True])
def test_what_is_no_name_is_refused(user, case_map):
    assert normal_name(user, case_map=case_map) is None


def test_letters_that_only_look_alike_stay_distinct():
    assert normal_name("\u0430nn") != normal_name("ann")
    assert normal_name("fu\u00dfball", case_map=True) != normal_name("fussball", case_map=True)


@pytest.mark.parametrize(
    ("user", "is_name"),
    [
        ("l\u00b7l", True),
        ("\u00b7l", False),
        ("l\u00b7", False),
        ("a\u00b7l", False),
        ("\u0375\u03b1", True),
        ("\u0375a", False),
        ("\u0375", False),
        ("\u05d0\u05f3", True),
        ("a\u05f3", False),
        ("\u05f4", False),
        ("\u30fb", False),
        ("a\u30fb\u30a2", True),
        ("\u30fba", False),
        ("\u0628\u0661", True),
        ("\u0628\u0661\u06f1", False),
        ("\u0915\u094d\u200d", True),
        ("a\u200d", False),
        ("\u200c", False),
    ],
    ids=ascii,
)
def test_a_character_that_needs_a_context_is_refused_outside_of_it(user, is_name):
    assert (normal_name(user) is not None) == is_name


@pytest.mark.parametrize(
    ("user", "is_name"),
    [
        ("\u05d01", True),
        ("1\u05d0", False),
        ("a\u05d0", False),
        ("\u05d0a", False),
        ("\u05d0-", False),
        ("\u05d0\u05b0", True),
        ("\u06281\u0661", False),
        ("\u0300\u0301", True),
        ("\u0300\u05d0", False),
    ],
    ids=ascii,
)
def test_directions_are_not_mixed(user, is_name):
    assert (normal_name(user) is not None) == is_name


def peer(user, case_map):
    if len(user) > LONGEST:
        return None
    try:
        return (MAPPED if case_map else PRESERVED).enforce(user)
    except UnicodeEncodeError:
        return None


def agree(user, case_map):
    expected = peer(user, case_map)
    if expected is None or not {"\u200c", "\u200d"} & {*expected}:
        assert normal_name(user, case_map=case_map) == expected
    else:
        assert normal_name(user, case_map=case_map) in (expected, None)


@pytest.mark.parametrize("case_map", [False, True])
@given(user=st.text())
@example(user="\u0627\u200c\u0628")
def test_names_are_those_of_another_precis(case_map, user):
    agree(user, case_map)


ODD = (
    "al-1\u00b7\u0375\u03b1\u05d0\u05f3\u30fb\u30a2\u0661\u06f1\u0628\u094d\u200c\u200d"
    "\u0300\u0308\uff21\uff9e\u0130\u03a3"
)


@given(st.text(ODD, max_size=6), st.booleans())
def test_odd_names_are_those_of_another_precis(user, case_map):
    agree(user, case_map)


@pytest.mark.slow
@pytest.mark.parametrize("case_map", [False, True])
def test_each_character_is_judged_as_by_another_precis(case_map):
    # A letter that is newer than this Python's Unicode, or than the tables of the peer, is in no name.
    known = [
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")
    ]
    differing = [
        ascii(user)
        for character in known
        for user in (character, f"\u30a2{character}")
        if normal_name(user, case_map=case_map) != peer(user, case_map)
    ]
    assert differing == []


@given(st.text(), st.booleans())
def test_a_normal_name_is_its_own(user, case_map):
    normal = normal_name(user, case_map=case_map)
    assert normal is None or normal_name(normal, case_map=case_map) == normal
