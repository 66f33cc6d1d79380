"""Addresses and networks, beside the standard library's `ipaddress`."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError
from middleware.networks import Networks, network_of, wider_network, without_port

ADDRESSES = st.ip_addresses() | st.builds(
    ipaddress.IPv6Address, st.sampled_from(["::", "::1", "::ffff:1.2.3.4", "1::8"])
)


def spellings(address):
    """An address as servers may write it."""
    texts = [str(address), address.exploded, str(address).upper()]
    if address.version == 4:
        texts += [
            f"::ffff:{address}",
            f"0:0:0:0:0:ffff:{address}",
            f"::FFFF:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}",
        ]
    return texts


def unmapped(address):
    return getattr(address, "ipv4_mapped", None) or address


@given(ADDRESSES)
def test_an_address_stands_for_its_24_or_64_however_it_is_written(address):
    real = unmapped(address)
    network = ipaddress.ip_network((real, 24 if real.version == 4 else 64), strict=False)
    assert {ipaddress.ip_network(network_of(text)) for text in spellings(address)} == {network}
    assert len({network_of(text) for text in spellings(address)}) == 1


@given(ADDRESSES)
def test_round_a_64_there_is_a_48_and_round_a_24_nothing(address):
    real = unmapped(address)
    network = ipaddress.ip_network((real, 24 if real.version == 4 else 48), strict=False)
    assert {ipaddress.ip_network(wider_network(network_of(text))) for text in spellings(address)} == {network}


def test_round_what_is_no_network_there_is_none():
    assert wider_network("") == ""


@given(st.text(alphabet="0123456789abcdefABCDEFg.:%/ \0ü٣-", max_size=45) | st.text())
def test_what_is_an_address_here_is_one_for_the_standard_library(text):
    try:
        right = unmapped(ipaddress.ip_address(text.partition("%")[0] if ":" in text else text))
    except ValueError:
        assert network_of(text) == ""
    else:
        assert real_network(right) == ipaddress.ip_network(network_of(text))


def real_network(address):
    return ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False)


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "/run/app.sock", "unix:", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4:80", "[::1]",
     "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7:8::", ":1", "1:", ":::", "::1.2.3.4:5", "12345::",
     "1.2.3.4::", "٣.2.3.4", "1.2.3.4\n", "::" + "0" * 1_000_000],
)  # fmt: skip
def test_what_is_no_address_is_in_no_network(text):
    assert network_of(text) == ""
    assert text not in Networks(["0.0.0.0/0", "::/0"])


def test_a_zone_does_not_matter():
    assert network_of("fe80::1%eth0") == network_of("fe80::1") == "fe80:0:0:0::/64"
    assert "fe80::1%eth0" in Networks(["fe80::/10"])


@given(st.data(), ADDRESSES)
def test_an_address_is_in_the_networks_that_the_standard_library_finds_it_in(data, address):
    real = unmapped(address)
    length = data.draw(st.integers(0, real.max_prefixlen))
    network = ipaddress.ip_network((real, length), strict=False)
    other = data.draw(ADDRESSES)
    networks = Networks([str(network)])
    assert all(text in networks for text in spellings(address))
    assert (str(other) in networks) == (unmapped(other) in network)


def test_an_address_alone_is_a_network_of_one():
    networks = Networks(["192.0.2.1", "::1", "10.0.0.0/8"])
    assert all(address in networks for address in ["192.0.2.1", "::1", "0:0:0:0:0:0:0:1", "::ffff:10.9.9.9"])
    assert not any(address in networks for address in ["192.0.2.2", "::2", "11.0.0.0", "", None, 7])
    assert len(networks) == 3
    assert "10.0.0.0/8" in repr(networks)


def test_a_mapped_network_is_that_of_its_ipv4_addresses():
    networks = Networks(["::ffff:10.0.0.0/104"])
    assert "10.1.2.3" in networks
    assert "::ffff:10.1.2.3" in networks
    assert "11.1.2.3" not in networks


@pytest.mark.parametrize(
    "networks",
    ["10.0.0.0/8", b"x", 7, None, [""], ["localhost"], ["10.0.0.0/"], ["10.0.0.0/33"], ["10.0.0.0/08"], ["10.0.0.1/8"],
     ["10.0.0.0/-1"], ["10.0.0.0/255.0.0.0"], ["::/129"], ["::1/64"], ["fe80::%eth0/64"], ["::ffff:10.0.0.0/8"], [7]],
)  # fmt: skip
def test_what_is_no_network_is_refused(networks):
    with pytest.raises(ConfigurationError):
        Networks(networks)


@given(ADDRESSES, st.integers(0, 65535))
def test_an_address_is_the_same_with_a_port_behind_it(address, port):
    for text in spellings(address) if address.version == 6 else [str(address)]:
        written = f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
        assert without_port(written) == without_port(text) == text


@pytest.mark.parametrize(
    "text", ["", ":", "[", "[]", "[]:1", "[::1", "[::1]x", "[::1]:x", "1.2.3.4:", "1.2.3.4:123456", "name:80"]
)
def test_what_has_no_port_is_left_as_it_is(text):
    assert without_port(text) == text
