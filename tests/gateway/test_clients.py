"""Who the client is, by trusted networks and by a count of proxies. L47 to L52."""

from __future__ import annotations

import pytest
from gateway.behind import client, seen

from middleware import ProxyMiddleware


def test_who_is_not_named_is_not_believed():
    forged = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"}
    assert seen(forged, peer="127.0.0.1")["REMOTE_ADDR"] == "127.0.0.1"
    assert seen(forged, peer="127.0.0.1", field="Forwarded")["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("6.6.6.6,203.0.113.9,10.0.0.2", "203.0.113.9"),
        ("6.6.6.6\t, 203.0.113.9 ,\t10.0.0.2 ", "203.0.113.9"),
        ("10.0.0.4, 10.0.0.3, 10.0.0.2", "10.0.0.4"),  # all are trusted: the leftmost
        ("garbage, 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, garbage, 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, , 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, unknown, 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, garbage", "10.0.0.1"),
        ("6.6.6.6,", "10.0.0.1"),
        ("", "10.0.0.1"),
        (" ", "10.0.0.1"),
    ],
)
def test_the_client_is_the_first_from_the_right_who_is_not_trusted(value, found):
    assert client(value) == found


def test_a_peer_that_is_not_trusted_is_the_client():
    assert client("6.6.6.6, 203.0.113.9, 10.0.0.2", peer="203.0.113.77") == "203.0.113.77"


@pytest.mark.parametrize(
    ("hops", "value", "found"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (1, "7.7.7.7, 6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (2, "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "6.6.6.6, garbage", "192.0.2.1"),
        (2, "garbage, 10.0.0.2", "192.0.2.1"),
        (2, "", "192.0.2.1"),
    ],
)
def test_the_client_is_the_entry_of_that_number_from_the_right_or_the_peer(hops, value, found):
    assert client(value, peer="192.0.2.1", hops=hops) == found


@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded"])
@pytest.mark.parametrize(
    ("node", "address", "port"),
    [
        ("1.2.3.4:5", "1.2.3.4", "5"),
        ("[2001:db8::1]:80", "2001:db8::1", "80"),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[2001:DB8::1]", "2001:db8::1", None),
        ("[::ffff:1.2.3.4]:443", "1.2.3.4", "443"),
        ("1.2.3.4:_hidden", "1.2.3.4", None),
    ],
)
def test_an_entry_may_have_a_port_and_brackets(field, node, address, port):
    environ = seen({field: f'for="{node}"' if field == "Forwarded" else f'"{node}"'}, field=field)
    assert (environ["REMOTE_ADDR"], environ.get("REMOTE_PORT")) == (address, port)


@pytest.mark.parametrize("node", ["1.2.3.4:5", "[2001:db8::1]:80", "2001:db8::1", "::ffff:1.2.3.4"])
def test_without_quotes_an_entry_of_x_forwarded_for_is_the_same(node):
    assert client(node) in ("1.2.3.4", "2001:db8::1")


@pytest.mark.parametrize(
    "node",
    [
        "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536", "1.2.3.4:123456", "1.2.3.4:-1", "1.2.3.4:_", "1.2.3.4:_ä", "1.2.3",
        "01.2.3.4", "1.2.3.4.5", "256.2.3.4", "[1.2.3.4]", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]80", "[]",
        "[2001:db8::1]:", "fe80::1%eth0", "[fe80::1%eth0]", "1.2.3.4 5.6.7.8", "1.2.3.4;", '"1.2.3.4', '"', '""',
        "\u0661.2.3.4", "1.2.3.4\n", "\xff", "unix:x",
        pytest.param("x" * 5000, id="long"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_nobody(node):
    assert client(node) == "10.0.0.1"
    assert client(f"6.6.6.6, {node}") == "10.0.0.1"


def test_ipv4_in_ipv6_is_ipv4():
    assert client("6.6.6.6, 203.0.113.9, ::ffff:10.0.0.2", peer="::ffff:10.0.0.1") == "203.0.113.9"
    assert client("::ffff:203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize("peer", ["", "unix:", "localhost", "<local>"])
def test_a_peer_without_an_address_is_trusted_where_it_is_named(peer):
    assert client("203.0.113.9", peer=peer) == peer
    assert client("203.0.113.9", peer=peer, trust=["unix"]) == "203.0.113.9"
    assert client("6.6.6.6, 203.0.113.9, 10.0.0.2", peer=peer, trust=["unix", "10.0.0.0/8"]) == "203.0.113.9"


def test_a_proxy_behind_a_unix_socket_is_a_hop_where_sockets_are_trusted():
    chain = "6.6.6.6, 203.0.113.9, unix:"
    assert client(chain, peer="", trust=["unix"]) == "203.0.113.9"
    assert client(chain) == "10.0.0.1"
    assert client("unix:", peer="10.0.0.1", trust=["unix", "10.0.0.0/8"]) == "10.0.0.1"


def test_a_request_without_an_address_has_a_peer_without_one():
    environ = seen(entries={"REMOTE_ADDR": None})
    assert environ["middleware.peer"] == ""


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ('For="[2001:db8::1]:4711";proto=https', "2001:db8::1"),
        ('FOR="203.0.113.9:80" ; Proto=http', "203.0.113.9"),
        ("by=10.0.0.1;for=203.0.113.9;;host=a", "203.0.113.9"),
        ("for=6.6.6.6, for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
        ('for="x, for=6.6.6.6', "6.6.6.6"),
        ('for=", for="[2001:db8::1]"', "2001:db8::1"),
        ('host="a, b";for=203.0.113.9', "203.0.113.9"),
        ('for=6.6.6.6, host="a, for=7.7.7.7";for=203.0.113.9', "203.0.113.9"),
        (r'for=203.0.113.9;host="a\", for=6.6.6.6, x=\""', "203.0.113.9"),
        (r'for=6.6.6.6;host="\", for=203.0.113.9', "203.0.113.9"),
        (r'for="203.0.113\.9"', "203.0.113.9"),
        ("for=6.6.6.6, for=unknown, for=10.0.0.2", "10.0.0.2"),
        ("for=6.6.6.6, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=6.6.6.6, proto=https, for=10.0.0.2", "10.0.0.2"),
        ("for=6.6.6.6, for=, for=10.0.0.2", "10.0.0.2"),
        ("for=6.6.6.6, for=10.0.0.2;for=7.7.7.7", "10.0.0.1"),
        ("for=1.2.3.4;for=5.6.7.8", "10.0.0.1"),
        ("for=1.2.3.4;FOR=1.2.3.4", "10.0.0.1"),
        ('for="1.2.3.4', "10.0.0.1"),
        ('for="1.2.3.4;by=x"', "10.0.0.1"),
        ('for=1.2.3.4"', "10.0.0.1"),
        ('for="1.2.3.4"x', "10.0.0.1"),
        ("for=1.2.3.4:80", "10.0.0.1"),  # a colon stands in quotes only
        ('for="2001:db8::1"', "10.0.0.1"),  # and IPv6 in brackets
        ("for = 1.2.3.4", "10.0.0.1"),
        ("for=1.2.3.4,", "10.0.0.1"),
        ("for", "10.0.0.1"),
        ("=1.2.3.4", "10.0.0.1"),
        ("for=1.2.3.4;x", "10.0.0.1"),
        ("1.2.3.4", "10.0.0.1"),
        (";", "10.0.0.1"),
        ("", "10.0.0.1"),
        pytest.param(f"for=203.0.113.9;x={'x' * 600}", "10.0.0.1", id="long"),
    ],
)
def test_forwarded_is_read_from_the_right(value, found):
    assert client(value, field="Forwarded") == found


@pytest.mark.parametrize(
    ("hops", "value", "found"),
    [
        (1, "for=6.6.6.6, for=203.0.113.9", "203.0.113.9"),
        (2, "for=6.6.6.6, for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
        (2, "for=203.0.113.9", "10.0.0.1"),
        (2, "for=203.0.113.9, for=", "10.0.0.1"),
        (2, "for=unknown, for=10.0.0.2", "10.0.0.1"),
    ],
)
def test_elements_of_forwarded_are_counted_too(hops, value, found):
    assert client(value, field="Forwarded", hops=hops) == found


@pytest.mark.parametrize(
    ("field", "found"), [("X-Forwarded-For", "203.0.113.1"), ("Forwarded", "203.0.113.2"), ("X-Real-IP", "203.0.113.3")]
)
def test_one_field_is_read_and_no_other(field, found):
    sent = {"X-Forwarded-For": "203.0.113.1", "Forwarded": "for=203.0.113.2", "X-Real-IP": "203.0.113.3"}
    assert seen(sent, field=field)["REMOTE_ADDR"] == found
    del sent[field]
    assert seen(sent, field=field)["REMOTE_ADDR"] == "10.0.0.1"


def test_without_a_field_the_peer_is_the_client():
    environ = seen({"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}, field=None)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("10.0.0.1", "https")


@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded"])
@pytest.mark.parametrize("junk", ["a", ",", '"', '\\"', '",', "for=6.6.6.6,", "\\", '"\\', "6.6.6.6,"])
def test_what_a_client_sends_before_takes_nothing_from_the_last_entry(field, junk):
    entry = 'for="203.0.113.9:80"' if field == "Forwarded" else "203.0.113.9"
    assert client(junk * ((1 << 20) // len(junk)) + "," + entry, field=field) == "203.0.113.9"


@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded"])
def test_only_the_last_32_entries_are_read(field):
    mark = "for=" if field == "Forwarded" else ""
    for trusted, found in ((31, "203.0.113.9"), (32, "10.0.0.2")):
        value = ",".join([f"{mark}203.0.113.9", *[f"{mark}10.0.0.2"] * trusted])
        assert client(value, field=field) == found


def test_what_the_server_said_of_the_proxy_goes_with_it():
    entries = {"REMOTE_HOST": "proxy.example", "REMOTE_PORT": 40000}
    environ = seen({"X-Forwarded-For": "203.0.113.9"}, entries=entries)
    assert "REMOTE_HOST" not in environ
    assert "REMOTE_PORT" not in environ
    untouched = seen(entries=entries)
    assert (untouched["REMOTE_HOST"], untouched["REMOTE_PORT"]) == ("proxy.example", 40000)


def test_the_direct_peer_stays_known():
    assert seen({"X-Forwarded-For": "203.0.113.9"})["middleware.peer"] == "10.0.0.1"
    assert seen()["middleware.peer"] == "10.0.0.1"
    assert seen({"X-Forwarded-For": "203.0.113.9"}, peer="192.0.2.1")["middleware.peer"] == "192.0.2.1"


def test_of_two_layers_the_outer_one_has_found_the_truth():
    def wrapped(app):
        return ProxyMiddleware(app, trust=["0.0.0.0/1", "192.0.0.0/3"])

    found = {}

    def app(environ, start_response):
        found.update(environ)
        return []

    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "6.6.6.6, 203.0.113.9, 10.0.0.2"}
    outer = ProxyMiddleware(wrapped(app), trust=["10.0.0.0/8"], keep_fields=True)
    outer(environ, None)
    outer(environ, None)  # an environ that is sent through again
    assert (found["REMOTE_ADDR"], found["middleware.peer"]) == ("203.0.113.9", "10.0.0.1")
