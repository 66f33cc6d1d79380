"""Scheme, host, port and path prefix, from the fields of a trusted proxy."""

from __future__ import annotations

from wsgiref.util import application_uri

import pytest
from gateway.behind import seen

ALL = {"host": "X-Forwarded-Host", "port": "X-Forwarded-Port", "prefix": "X-Forwarded-Prefix"}
TOLD = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/shop",
}
BEHIND = {"HTTP_HOST": "10.0.0.5:8000", "SERVER_NAME": "10.0.0.5", "SERVER_PORT": "8000", "SCRIPT_NAME": ""}


def uri(headers, **options):
    """What an application takes for its own address."""
    return application_uri(seen(headers, entries=BEHIND, **{**ALL, **options}))


def test_an_application_takes_the_address_of_its_proxy_for_its_own():
    assert uri({}) == "http://10.0.0.5:8000/"
    assert uri(TOLD) == "https://shop.example:8443/shop"


def test_of_a_peer_that_is_not_trusted_nothing_is_believed():
    assert uri(TOLD, trust=["192.0.2.1"]) == "http://10.0.0.5:8000/"
    assert uri({"Forwarded": "for=6.6.6.6;host=a;proto=https"}, field="Forwarded", port=None, host="Forwarded",
               trust=["192.0.2.1"]) == "http://10.0.0.5:8000/"  # fmt: skip


def test_where_fewer_proxies_have_spoken_than_there_are_nothing_is_believed():
    two = {**TOLD, "X-Forwarded-For": "203.0.113.9, 10.0.0.2"}
    assert uri(two, trust=None, hops=2) == "https://shop.example:8443/shop"
    for value in ("203.0.113.9", "garbage, 10.0.0.2"):
        assert uri({**TOLD, "X-Forwarded-For": value}, trust=None, hops=2) == "http://10.0.0.5:8000/"
    assert uri(TOLD, trust=None, hops=1) == "http://10.0.0.5:8000/"


def test_only_the_scheme_is_believed_unless_told_otherwise():
    environ = seen(TOLD, entries=BEHIND)
    assert environ["wsgi.url_scheme"] == "https"
    assert {key: environ[key] for key in BEHIND} == BEHIND


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("https", "https"), ("HTTPS", "https"), (" https\t", "https"), ("http, https", "https"),
        ("https, http", "http"),
        ("http", "http"), ("", "http"), ("on", "http"), ("ftp", "http"), ("https;", "http"), ("https,", "http"),
        ("javascript", "http"), ("http s", "http"), ("https\n", "http"), ("\u017fttps", "http"), ("\xff", "http"),
    ],
)  # fmt: skip
def test_the_scheme_is_one_of_two_or_what_it_was(value, scheme):
    assert seen({"X-Forwarded-Proto": value})["wsgi.url_scheme"] == scheme


def test_cgi_names_for_the_scheme_follow():
    https = seen({"X-Forwarded-Proto": "https"}, entries={"REQUEST_SCHEME": "http"})
    assert (https["HTTPS"], https["REQUEST_SCHEME"]) == ("on", "https")
    by_tls = {"HTTPS": "on", "REQUEST_SCHEME": "https", "wsgi.url_scheme": "https"}
    http = seen({"X-Forwarded-Proto": "http"}, entries=by_tls)
    assert (http.get("HTTPS"), http["REQUEST_SCHEME"], http["wsgi.url_scheme"]) == (None, "http", "http")
    assert seen({"X-Forwarded-Proto": "no"}, entries=by_tls)["HTTPS"] == "on"
    assert "REQUEST_SCHEME" not in seen({"X-Forwarded-Proto": "https"})


@pytest.mark.parametrize(
    ("sent", "server_port"),
    [("shop.example", "443"), ("shop.example:8443", "8443"), ("[2001:db8::1]:444", "444"), ("a/b", "80"), ("", "80")],
)
def test_the_port_of_the_server_is_that_of_host_once_the_scheme_is_known(sent, server_port):
    environ = seen({"X-Forwarded-Proto": "https"}, entries={"HTTP_HOST": sent, "SERVER_PORT": "80"})
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == (sent, server_port)


@pytest.mark.parametrize(
    ("value", "name", "port"),
    [
        ("shop.example", "shop.example", "80"),
        ("shop.example:8080", "shop.example", "8080"),
        ("evil.example, shop.example", "shop.example", "80"),
        ("Shop_1.Example.", "Shop_1.Example.", "80"),
        ("192.0.2.1:81", "192.0.2.1", "81"),
        ("[2001:db8::1]", "[2001:db8::1]", "80"),
        ("[2001:db8::1]:81", "[2001:db8::1]", "81"),
    ],
)
def test_a_host_takes_the_place_of_host(value, name, port):
    environ = seen({"X-Forwarded-Host": value}, entries=BEHIND, host="X-Forwarded-Host")
    last = value.rpartition(", ")[2]
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (last, name, port)


@pytest.mark.parametrize(
    "value",
    [
        "", ",", "shop.example,", "a b", "user@shop.example", "shop.example/", "shop.example#", "shop.example?x",
        "shop.example:", "shop.example:0", "shop.example:65536", "shop.example:x", "shop.example:80:80", ":80",
        "[2001:db8::1", "[2001:db8::1]x", "[2001:db8::1]:", "[]", "[1.2.3.4]", "[fe80::1%eth0]", "2001:db8::1",
        "shop.example\n", "sh\xf6p.example", "shop.example\x00", '"shop.example"', "<script>", "%41", "a\\b",
        pytest.param("a" * 256, id="long"),
    ],
)  # fmt: skip
def test_what_is_no_host_is_ignored(value):
    environ = seen({"X-Forwarded-Host": value}, entries=BEHIND, host="X-Forwarded-Host")
    assert {key: environ[key] for key in BEHIND} == BEHIND


@pytest.mark.parametrize(
    ("scheme", "host", "port", "told"),
    [
        ("https", "shop.example", "8443", "shop.example:8443"),
        ("https", "shop.example", "443", "shop.example"),
        ("https", "shop.example:8000", "443", "shop.example"),
        ("http", "shop.example:8000", "443", "shop.example:443"),
        ("http", "[2001:db8::1]:1", "81", "[2001:db8::1]:81"),
    ],
)
def test_a_port_is_put_into_host_where_it_is_not_the_usual_one(scheme, host, port, told):
    environ = seen({"X-Forwarded-Port": f"1, {port}", "X-Forwarded-Proto": scheme}, entries={"HTTP_HOST": host}, **ALL)
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == (told, port)


@pytest.mark.parametrize("value", ["", "0", "08443", "65536", "x", "-1", "8443x", "8443,", "\u0661", "9" * 40])
def test_what_is_no_port_is_ignored(value):
    environ = seen({"X-Forwarded-Port": value}, entries=BEHIND, **ALL)
    assert {key: environ[key] for key in BEHIND} == BEHIND


def test_a_port_beside_no_host_is_that_of_the_server_alone():
    environ = seen({"X-Forwarded-Port": "8443"}, entries={"HTTP_HOST": "a/b", "SERVER_PORT": "80"}, **ALL)
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("a/b", "8443")


@pytest.mark.parametrize(
    ("value", "script_name"),
    [
        ("/shop", "/shop/mounted"), ("/shop/", "/shop/mounted"), ("/a/b-c_~1", "/a/b-c_~1/mounted"),
        ("/other, /shop", "/shop/mounted"), ("/...", "/.../mounted"),
        ("", "/mounted"), ("/", "/mounted"), ("shop", "/mounted"), ("//evil.example", "/mounted"),
        ("/a//b", "/mounted"), ("/a//", "/mounted"), ("/a/../b", "/mounted"), ("/a/.", "/mounted"),
        ("/..", "/mounted"),
        ("/a?b", "/mounted"), ("/a#b", "/mounted"), ("/%2e%2e", "/mounted"), ("/a\\b", "/mounted"),
        ("/a b", "/mounted"),
        ("/caf\xe9", "/mounted"), ("/a\n", "/mounted"), ("https://evil.example/", "/mounted"),
        pytest.param("/" + "a" * 1024, "/mounted", id="long"), pytest.param("/" * 100_000, "/mounted", id="slashes"),
    ],
)  # fmt: skip
def test_a_prefix_goes_before_script_name(value, script_name):
    environ = seen({"X-Forwarded-Prefix": value}, entries={"SCRIPT_NAME": "/mounted", "PATH_INFO": "/p"}, **ALL)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, "/p")


CHAIN = (
    "for=6.6.6.6;proto=http;host=evil, for=203.0.113.9;proto=https;host=shop.example, for=10.0.0.2;proto=http;host=b"
)


def by_element(value, **options):
    environ = seen({"Forwarded": value}, entries=BEHIND, **{"field": "Forwarded", "host": "Forwarded", **options})
    return environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ["HTTP_HOST"]


def test_forwarded_tells_scheme_and_host_in_the_element_of_the_client():
    assert by_element(CHAIN) == ("203.0.113.9", "https", "shop.example")
    assert by_element(CHAIN, trust=None, hops=2) == ("203.0.113.9", "https", "shop.example")
    assert by_element(CHAIN, host=None) == ("203.0.113.9", "https", "10.0.0.5:8000")
    assert by_element(CHAIN, proto=None) == ("203.0.113.9", "http", "shop.example")
    assert by_element(CHAIN, proto="forwarded", host="FORWARDED") == ("203.0.113.9", "https", "shop.example")


def test_a_client_that_is_not_named_has_a_scheme_and_a_host_all_the_same():
    for node in ("unknown", "_hidden", '"_hidden:80"', '"unknown:_p"'):
        value = f"for=6.6.6.6;host=evil, for={node};proto=https;host=shop.example, for=10.0.0.2"
        assert by_element(value) == ("10.0.0.2", "https", "shop.example")
    assert by_element("proto=https;host=shop.example") == ("10.0.0.1", "https", "shop.example")
    value = "for=_hidden;proto=https;host=shop.example, for=10.0.0.2"
    assert by_element(value, trust=None, hops=2) == ("10.0.0.1", "https", "shop.example")


def test_an_element_that_cannot_be_read_tells_nothing():
    assert by_element("for=6.6.6.6;proto=https;host=evil;proto=https") == ("10.0.0.1", "http", "10.0.0.5:8000")
    assert by_element('for=6.6.6.6;proto=https;host="evil') == ("10.0.0.1", "http", "10.0.0.5:8000")
    assert by_element('for=203.0.113.9;proto=gopher;host="a/b"') == ("203.0.113.9", "http", "10.0.0.5:8000")


def test_beside_forwarded_nothing_else_is_read():
    told = {**TOLD, "Forwarded": "for=203.0.113.9"}
    environ = seen(told, entries=BEHIND, field="Forwarded", host="Forwarded", prefix="X-Forwarded-Prefix")
    assert environ["wsgi.url_scheme"] == "http"
    assert (environ["HTTP_HOST"], environ["SCRIPT_NAME"]) == ("10.0.0.5:8000", "/shop")


def test_fields_of_other_names_are_read_where_they_are_named():
    environ = seen(
        {"X-Real-IP": "203.0.113.9", "CloudFront-Forwarded-Proto": "https", "X-Forwarded-Proto": "http"},
        field="X-Real-IP",
        proto="CloudFront-Forwarded-Proto",
    )
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("203.0.113.9", "https")
    assert seen({"X-Forwarded-Proto": "https"}, proto=None)["wsgi.url_scheme"] == "http"
