"""SCRIPT_NAME and PATH_INFO from the target of the request, whatever a gateway has made of them."""

from __future__ import annotations

import json
from urllib.parse import quote_from_bytes

import pytest
from asking import ask
from hypothesis import given
from hypothesis import strategies as st

from middleware import ProxyMiddleware, RawTargetMiddleware
from middleware.errors import ConfigurationError

WRONG = {"SCRIPT_NAME": "/the/whole/path", "PATH_INFO": "/garbage"}


def tells(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [json.dumps([environ.get("SCRIPT_NAME"), environ.get("PATH_INFO")]).encode()]


def told(target, name="REQUEST_URI", mount="", decoded=False, **entries):
    """What the application sees: SCRIPT_NAME and PATH_INFO, or the status of a refusal."""
    layer = RawTargetMiddleware(tells, mount=mount, decoded=decoded)
    answer = ask(layer, **{**WRONG, "REQUEST_URI": "", "RAW_URI": "", name: target, **entries})
    return tuple(json.loads(answer.body)) if answer.code == 200 else answer.code


@pytest.mark.parametrize("name", ["REQUEST_URI", "RAW_URI"])
@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a?b=/c", "/a"),
        ("/?", "/"),
        ("/caf%C3%A9", "/caf\xc3\xa9"),
        ("/caf%e9", "/caf\xe9"),
        ("/caf\xc3\xa9", "/caf\xc3\xa9"),
        ("/a%2Fb", "/a/b"),
        ("/a%252Fb", "/a%2Fb"),
        ("//dbl", "//dbl"),
        ("//host/path", "//host/path"),
        ("/x/../y", "/x/../y"),
        ("/%0A", "/\n"),
        ("/a+b;c=d", "/a+b;c=d"),
        ("http://host/path?x", "/path"),
        ("HTTPS://host:8443/a%20b", "/a b"),
        ("http://host", "/"),
        ("http://host?x", "/"),
        ("/http://host/path", "/http://host/path"),
    ],
)
def test_the_path_is_that_of_the_target(name, target, path):
    assert told(target, name) == ("", path)


@pytest.mark.parametrize(
    "target",
    [
        "a/b", "host:443", "?x", "/%zz", "/%", "/%4", "/a%4", "/%00", "/a\0", "/a b", "/a\nb", "/a\tb", "/\x7f", "/a#b",
        "http://", "http:///path", "ftp://host/path", "/\u20ac", "\u20ac", "/%4\u0661", "/%+1", "/%\xe9\xe9", "**",
    ],
)  # fmt: skip
def test_a_target_that_is_no_path_is_refused(target):
    assert told(target) == 400


@pytest.mark.parametrize("target", ["*", "", None])
def test_a_request_without_a_path_in_its_target_goes_on_as_it_is(target):
    assert told(target) == (WRONG["SCRIPT_NAME"], WRONG["PATH_INFO"])


@pytest.mark.parametrize("target", [7, b"/a", ("/a",)])
def test_a_target_that_is_no_text_is_refused(target):
    assert told(target) == 400


def test_request_uri_goes_before_raw_uri():
    assert told("/one", RAW_URI="/two") == ("", "/one")


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/app", ("/app", "")),
        ("/app/", ("/app", "/")),
        ("/app/a%2Fb?x", ("/app", "/a/b")),
        ("/%61pp/x", ("/app", "/x")),
        ("http://host/app/x", ("/app", "/x")),
        ("/apple", 404),
        ("/", 404),
        ("//app/x", 404),
        ("/other/../app/x", 404),
        ("/App/x", 404),
    ],
)
def test_the_mount_point_is_the_script_name_and_nothing_else_is_served(target, found):
    assert told(target, mount="/app") == found


def test_a_mount_point_is_written_as_text():
    assert told("/caf%C3%A9/x", mount="/café") == ("/caf\xc3\xa9", "/x")


def test_the_prefix_of_a_proxy_goes_before_the_mount_point():
    app = RawTargetMiddleware(ProxyMiddleware(tells, hops=1, prefix="X-Forwarded-Prefix"), mount="/app")
    told_by_proxy = {"HTTP_X_FORWARDED_FOR": "203.0.113.9", "HTTP_X_FORWARDED_PREFIX": "/shop"}
    assert json.loads(ask(app, REQUEST_URI="/app/x", **told_by_proxy).body) == ["/shop/app", "/x"]


@pytest.mark.parametrize("mount", ["app", "/app/", "/", "/my%20app", None, 7, b"/app"])
def test_a_mount_that_is_no_path_is_refused_with_what_to_write(mount):
    with pytest.raises(ConfigurationError, match='mount= is "" or a path that is not percent-encoded'):
        RawTargetMiddleware(tells, mount=mount)


@pytest.mark.parametrize(
    ("target", "query", "path"),
    [
        ("/caf\xc3\xa9", "", "/caf\xc3\xa9"),
        ("/a%2561b c#d?x=%20", "x=%20", "/a%2561b c#d"),
        ("/a?b", "", "/a?b"),
        ("/a?b?b", "b", "/a?b"),
        ("/%zz", "", "/%zz"),
        ("/\n", "", "/\n"),
    ],
)
def test_a_target_that_is_decoded_already_is_not_decoded_again(target, query, path):
    assert told(target, decoded=True, QUERY_STRING=query) == ("", path)
    assert told(f"/app{target}", decoded=True, QUERY_STRING=query, mount="/app") == ("/app", path)


@pytest.mark.parametrize("target", ["a", "/\0", "/\u20ac", "http://host/path", 7])
def test_a_decoded_target_that_is_no_path_is_refused(target):
    assert told(target, decoded=True) == 400


def test_decoded_is_true_or_false():
    with pytest.raises(ConfigurationError, match="decoded= is True or False, not 'yes'"):
        RawTargetMiddleware(tells, decoded="yes")


@given(st.binary().filter(lambda path: b"\0" not in path), st.sampled_from(["", "/", "/a", "!~"]))
def test_any_bytes_arrive_as_they_were_encoded(path, safe):
    assert told("/" + quote_from_bytes(path, safe=safe)) == ("", "/" + path.decode("latin-1"))


@given(st.text(), st.booleans())
def test_no_target_is_an_exception(target, decoded):
    found = told(target, decoded=decoded)
    assert found in (400, ("", "/garbage"), (WRONG["SCRIPT_NAME"], "/garbage")) or found[1].startswith("/")


@given(st.text(st.sampled_from("/%?#:2fF0a*h.t\x00\xe9\u20ac")).map(lambda text: f"/{text}"))
def test_no_path_is_an_exception(target):
    found = told(target)
    assert found == 400 or found[1].startswith("/")
