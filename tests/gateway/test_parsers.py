"""Properties of what reads the fields: nothing a client writes is an exception, or an address that a proxy wrote."""

from __future__ import annotations

import ipaddress

import pytest
from gateway.behind import client, seen
from hypothesis import given
from hypothesis import strategies as st

from middleware.gateway.connection import host_of, last, port_of, prefix_of, scheme_of
from middleware.gateway.proxies import client_by_count, client_by_trust, elements, listed

# Latin-1 as WSGI has it, and what means something here more often than the rest.
WORDS = [
    "for=", "For=", "proto=https", "host=evil", "unknown", "6.6.6.6", "10.0.0.3", "::ffff:6.6.6.6", "unix:", "_x",
    '"', "\\", ",", ";", "=", "[", "]", ":", " ", "\t", "\xff", "\x00",
]  # fmt: skip
JUNK = st.lists(st.sampled_from(WORDS) | st.text(st.characters(max_codepoint=255), max_size=4)).map("".join)
CLIENTS = st.ip_addresses(v=4, network="203.0.113.0/24") | st.ip_addresses(v=6, network="2001:db8::/32")
PROXIES = st.lists(st.ip_addresses(v=4, network="10.0.0.0/8"), max_size=5)
PORTS = st.none() | st.integers(0, 65535)
HOSTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


def listed_node(address, port):
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def element(address, port, host):
    """What a proxy that keeps to RFC 7239 writes, whatever Host it was sent."""
    node = f"[{address}]" if address.version == 6 else str(address)
    escaped = host.replace("\\", "\\\\").replace('"', '\\"')
    return f'for="{node}{"" if port is None else f":{port}"}";host="{escaped}";proto=https'


@given(JUNK)
def test_whatever_is_sent_is_read_or_not_without_an_exception(value):
    for read in (listed, elements):
        for hop in read(value):
            assert hop is None or hop.address is None or hop.address == "" or ipaddress.ip_address(hop.address)
        client_by_trust(read(value), lambda address: True)
        client_by_count(read(value), 2)
    scheme_of(value), host_of(value), port_of(value), prefix_of(value), last(value)
    for field in ("X-Forwarded-For", "Forwarded"):
        seen({field: value, "X-Forwarded-Proto": value}, field=field)


@given(JUNK)
def test_of_a_host_and_a_prefix_only_what_is_one_is_taken(value):
    found = host_of(value)
    assert found is None or (":".join(filter(None, found)) == value and not set(value) & set(' /\\@#?,;"<>\r\n\x00'))
    prefix = prefix_of(value)
    assert not prefix or (prefix[0] == "/" and prefix[1] != "/" and not prefix.endswith("/"))


@given(JUNK, CLIENTS, PORTS, PROXIES)
def test_nobody_is_the_client_whom_no_proxy_has_named_in_a_list(junk, address, port, proxies):
    value = ", ".join([junk, listed_node(address, port), *map(str, proxies)])
    assert client(value) == str(address)
    assert client(value, hops=len(proxies) + 1) == str(address)


@given(JUNK, CLIENTS, PORTS, HOSTS, PROXIES)
def test_nobody_is_the_client_whom_no_proxy_has_named_in_forwarded(junk, address, port, host, proxies):
    added = [element(address, port, host), *(element(proxy, None, host) for proxy in proxies)]
    value = ", ".join([junk, *added])
    assert client(value, field="Forwarded") == str(address)
    environ = seen({"Forwarded": value}, field="Forwarded", host="Forwarded", hops=len(added))
    assert environ["REMOTE_ADDR"] == str(address)
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTP_HOST"] == (host if host_of(host) else "127.0.0.1")


@given(JUNK, PROXIES)
def test_where_the_last_proxy_names_nobody_the_client_is_a_proxy(junk, proxies):
    for field, mark, nobody in (("X-Forwarded-For", "", "unknown"), ("Forwarded", "for=", "for=unknown")):
        value = ", ".join([junk, nobody, *(f"{mark}{proxy}" for proxy in proxies)])
        assert client(value, field=field) == str([*proxies, "10.0.0.1"][0])


@pytest.mark.parametrize("read", [listed, elements])
@pytest.mark.parametrize("word", [*WORDS, 'for="', '\\"', '",', 'a="b";', "a=b;"])
def test_a_megabyte_is_read_in_a_moment(read, word):
    """No time is asserted: what is not linear here would take hours."""
    assert len(list(read(word * ((1 << 20) // len(word))))) <= 32
