"""What ProxyMiddleware is told, what it takes out of environ, and what it tells the operator."""

from __future__ import annotations

import pytest
from asking import ask
from gateway.behind import seen

from middleware import ProxyMiddleware
from middleware.errors import ConfigurationError
from middleware.testing import SHAPES, check_layer, check_shape, check_together

FORGED = {
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=https",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Ssl": "on",
    "X-Real-IP": "6.6.6.6",
}


def keys(headers):
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r'would believe nobody: say trust=\["10.0.0.0/8"\].* or hops=1'),
        ({"trust": [], "hops": None}, "trust= names nobody: say trust="),
        ({"trust": ["10.0.0.1"], "hops": 1}, "give one of them"),
        ({"trust": "10.0.0.1"}, r'trust= is a list of networks such as \["10.0.0.0/8"\]'),
        ({"trust": 7}, "trust= is a list"),
        ({"trust": ["proxy.example"]}, "a network is an address .* not 'proxy.example'"),
        ({"trust": ["10.0.0.1/8"]}, "has bits set beyond its length"),
        ({"trust": [7]}, "a network is an address"),
        ({"trust": ["0.0.0.0/0"]}, "trust= names everybody.* say hops=1"),
        ({"trust": ["unix", "::/0"]}, "trust= names everybody"),
        ({"trust": ["::ffff:0:0/96"]}, "trust= names everybody"),
        ({"trust": ["0.0.0.0/1", "128.0.0.0/1"]}, "trust= names everybody"),
        ({"hops": 0}, "hops= is a number of proxies from 1 to 32, not 0"),
        ({"hops": 33}, "from 1 to 32"),
        ({"hops": True}, "not True"),
        ({"hops": "1"}, "not '1'"),
        ({"hops": 1, "field": None}, "hops= counts the entries of field="),
        ({"hops": 1, "field": "X-Forwarded-For, Forwarded"}, "field= is the name of a header field"),
        ({"hops": 1, "field": ["X-Forwarded-For"]}, "field= is the name of a header field"),
        ({"hops": 1, "field": "X_Forwarded_For"}, "field= is the name of a header field"),
        ({"hops": 1, "field": ""}, "field= is the name of a header field"),
        ({"hops": 1, "proto": ""}, "proto= is the name of a header field"),
        ({"hops": 1, "proto": True}, "proto= is the name of a header field"),
        ({"hops": 1, "host": "Host"}, "a header field that only proxies set"),
        ({"hops": 1, "host": "X-Forwarded-Proto"}, "none twice"),
        ({"hops": 1, "proto": "x-forwarded-for"}, "none twice"),
        ({"hops": 1, "host": "Forwarded"}, 'goes with field="Forwarded" only'),
        ({"hops": 1, "prefix": "Forwarded", "field": "Forwarded"}, 'goes with field="Forwarded" only'),
        ({"hops": 1, "field": "Forwarded", "host": "X-Forwarded-Host"}, 'say host="Forwarded" or host=None'),
        ({"hops": 1, "field": "Forwarded", "proto": "X-Forwarded-Proto"}, 'say proto="Forwarded" or proto=None'),
        ({"hops": 1, "field": "forwarded", "port": "X-Forwarded-Port"}, "leave port= out"),
        ({"hops": 1, "keep_fields": "no"}, "keep_fields= is True or False"),
    ],
)
def test_an_option_that_is_wrong_is_refused_in_a_sentence(options, message):
    with pytest.raises(ConfigurationError, match=message):
        ProxyMiddleware(None, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"trust": ["192.0.2.1"]},
        {"trust": ["10.0.0.0/8"]},
        {"trust": ["10.0.0.0/8"], "field": None, "proto": None},
        {"hops": 1},
        {"hops": 2},
        {"hops": 1, "field": "Forwarded"},
    ],
)
def test_fields_of_proxies_go_no_further_believed_or_not(options):
    environ = seen(FORGED, **options)
    assert not keys(FORGED).keys() & environ.keys()
    assert environ["middleware.forwarded"] == keys(FORGED)


def test_fields_that_were_named_go_no_further_either():
    environ = seen({"X-Scheme": "https", "True-Client-IP": "203.0.113.9"}, field="True-Client-IP", proto="X-Scheme")
    assert environ["wsgi.url_scheme"] == "https"
    assert not {"HTTP_X_SCHEME", "HTTP_TRUE_CLIENT_IP"} & environ.keys()


def test_fields_are_kept_where_an_application_reads_them_itself():
    environ = seen(FORGED, peer="192.0.2.1", keep_fields=True)
    assert keys(FORGED).items() <= environ.items()
    assert "middleware.forwarded" not in environ


def test_a_request_that_came_without_them_is_not_changed():
    before = {"REMOTE_PORT": 1, "HTTP_X_FORWARDED_USER": "ann", "HTTP_HOST": "a:8000", "SERVER_PORT": "8000"}
    environ = seen(entries=before)
    assert before.items() <= environ.items()
    assert "middleware.forwarded" not in environ


def test_it_is_the_same_environ_that_goes_on():
    seen_by_app = []
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    ProxyMiddleware(lambda environ, start_response: seen_by_app.append(environ), hops=1)(environ, None)
    assert seen_by_app[0] is environ


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.9", "172.20.0.3", "::1", "fd00::7", ""])
def test_a_peer_nearby_that_is_not_trusted_is_told_of_once(peer, caplog):
    for _ in range(3):
        seen({"X-Forwarded-For": "203.0.113.9"}, peer=peer, trust=["192.0.2.1"])
    (record,) = caplog.records
    assert record.name == "middleware.gateway"
    assert f'add "{peer or "unix"}"' in record.getMessage()


@pytest.mark.parametrize("peer", ["203.0.113.77", "2001:db8::1"])
def test_a_client_that_tries_is_not_worth_a_line(peer, caplog):
    seen(FORGED, peer=peer)
    seen(FORGED, peer="10.0.0.1")
    seen(peer="127.0.0.1", trust=["192.0.2.1"])
    assert caplog.records == []


def trusting(app):
    return ProxyMiddleware(app, trust=["127.0.0.1"], host="X-Forwarded-Host", prefix="X-Forwarded-Prefix")


def counting(app):
    return ProxyMiddleware(app, hops=1, field="Forwarded", host="Forwarded")


wraps = pytest.mark.parametrize("wrap", [trusting, counting], ids=["trust", "hops"])


@pytest.mark.slow
@wraps
def test_the_layer_keeps_pep_3333(wrap):
    check_layer(wrap, adds=[])


@pytest.mark.slow
@wraps
def test_the_layer_keeps_pep_3333_where_it_changes_environ(wrap):
    for shape in SHAPES:
        check_shape(shape, wrap, adds=[], **keys(FORGED))
    check_together(wrap, **keys(FORGED))


def test_its_application_can_be_asked_for():
    assert trusting(ask).app is ask
