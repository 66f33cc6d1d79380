from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError
from middleware.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("10B", 10),
        ("64KiB", 65536),
        ("64 mib", 64 << 20),
        (" 2GiB ", 2 << 30),
        ("1TiB", 1 << 40),
        ("1kB", 1000),
        ("3MB", 3_000_000),
        ("1GB", 10**9),
    ],
)
def test_a_size_is_bytes_or_a_whole_number_with_a_unit(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "64M", "64K", "-1", "1.5MiB", "MiB", "1MiB1", "0x10", "1_000", "\u0661", "1e3", "9" * 5000]
)
def test_a_doubtful_size_is_refused_with_an_example(text):
    with pytest.raises(ConfigurationError, match="64MiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("0.5", 0.5),
        ("30m", 1800.0),
        ("30 m", 1800.0),
        ("2h", 7200.0),
        ("1h30m", 5400.0),
        ("1h 30m 5s", 5405.0),
        ("14d", 1209600.0),
        ("1w", 604800.0),
        ("250ms", 0.25),
        ("1.5h", 5400.0),
    ],
)
def test_a_duration_is_seconds_or_numbers_with_units(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "-5m",
        "5M",
        "30min",
        "1m1h",
        "1m1m",
        "1h30",
        "1..5s",
        ".5s",
        "5.s",
        "inf",
        "nan",
        "1e3",
        "\u0663m",
        "9" * 5000,
    ],
)
def test_a_doubtful_duration_is_refused_with_an_example(text):
    with pytest.raises(ConfigurationError, match="1h30m"):
        parse_duration(text)


@given(st.text())
def test_any_text_is_a_number_or_a_configuration_error(text):
    for parse in (parse_size, parse_duration):
        with suppress(ConfigurationError):
            assert parse(text) >= 0


@given(st.integers(0, 10**12))
def test_a_plain_number_means_bytes_and_seconds(number):
    assert parse_size(str(number)) == number
    assert parse_duration(str(number)) == number
