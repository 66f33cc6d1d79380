"""The name of a request."""

from __future__ import annotations

import os

import pytest
from asking import ask

from middleware import ProxyMiddleware
from middleware.errors import ConfigurationError, LayerMissing
from middleware.logging import LoggingMiddleware, RequestIds, get_request_id


def hello(environ, start_response):
    start_response("200 OK", [])
    return [environ["middleware.request_id"].encode()]


def layer(app=hello, **options):
    return LoggingMiddleware(app, sink=lambda line: None, **options)


@pytest.mark.slow
def test_a_request_gets_128_random_bits():
    ids = {ask(layer()).text for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in ids)


def test_the_id_goes_to_the_client():
    answer = ask(layer())
    assert answer.all("X-Request-ID") == [answer.text]


def test_the_application_finds_it_in_three_places():
    seen = []

    def app(environ, start_response):
        notes = environ["middleware.notes"]
        seen.extend([get_request_id(environ), environ["middleware.request_id"], notes["request_id"]])
        return hello(environ, start_response)

    answer = ask(layer(app))
    assert set(seen) == {answer.text}


def test_the_header_may_have_another_name():
    answer = ask(layer(request_ids=RequestIds("X-Correlation-ID")))
    assert answer.header("X-Correlation-ID") == answer.text
    assert answer.header("X-Request-ID") is None


def test_the_header_may_be_left_out_and_the_id_is_still_there():
    answer = ask(layer(request_ids=RequestIds(None)))
    assert answer.header("X-Request-ID") is None
    assert len(answer.text) == 32


def test_the_id_of_a_client_is_not_trusted_unless_told():
    answer = ask(layer(), headers={"X-Request-ID": "theirs"})
    assert answer.text != "theirs"


def test_the_id_of_a_client_is_taken_where_it_is_trusted():
    seen = []

    def app(environ, start_response):
        seen.append(environ["HTTP_X_REQUEST_ID"])
        return hello(environ, start_response)

    answer = ask(layer(app, request_ids=RequestIds(trust=True)), headers={"X-Request-ID": "theirs-1._"})
    assert answer.text == "theirs-1._"
    assert answer.header("X-Request-ID") == "theirs-1._"
    assert seen == ["theirs-1._"]


@pytest.mark.parametrize(
    ("peer", "is_taken"), [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("203.0.113.9", False), ("", False)]
)
def test_an_id_may_be_taken_from_proxies_alone(peer, is_taken):
    logged = layer(request_ids=RequestIds(trust=True, peers=["10.0.0.0/8"]))
    answer = ask(logged, headers={"X-Request-ID": "theirs"}, REMOTE_ADDR=peer)
    assert (answer.text == "theirs") is is_taken


@pytest.mark.parametrize(("peer", "is_taken"), [("10.1.2.3", True), ("203.0.113.9", False)])
def test_behind_a_gateway_it_is_still_the_direct_peer_who_is_asked(peer, is_taken):
    logged = layer(request_ids=RequestIds(trust=True, peers=["10.0.0.0/8"]))
    site = ProxyMiddleware(logged, trust=["10.0.0.0/8"])
    headers = {"X-Request-ID": "theirs", "X-Forwarded-For": "203.0.113.9" if is_taken else "10.1.2.3"}
    assert (ask(site, headers=headers, REMOTE_ADDR=peer).text == "theirs") is is_taken


def test_128_characters_are_taken():
    assert ask(layer(request_ids=RequestIds(trust=True)), headers={"X-Request-ID": "a" * 128}).text == "a" * 128


@pytest.mark.parametrize("theirs", ["a" * 129, "", "a b", "a,b", "a\n", "\xe9", "<script>", "²"])
def test_an_id_that_could_do_harm_is_refused(theirs):
    lines = []
    answer = ask(
        LoggingMiddleware(hello, format="extended", sink=lines.append, request_ids=RequestIds(trust=True)),
        headers={"X-Request-ID": theirs},
    )
    assert len(answer.text) == 32
    assert lines[0].split()[-2] == answer.text
    assert not theirs or all(theirs not in text for text in (lines[0], *(value for _, value in answer.headers)))


def test_the_applications_own_header_is_replaced_also_after_a_restart():
    def app(environ, start_response):
        start_response("200 OK", [("x-request-id", "1"), ("X-REQUEST-ID", "2")])
        try:
            raise ValueError
        except ValueError as error:
            exc_info = (type(error), error, error.__traceback__)
            start_response("500 Oops", [("x-request-id", "3"), ("X-REQUEST-ID", "4")], exc_info)
        return [environ["middleware.request_id"].encode()]

    answer = ask(layer(app))
    assert answer.all("X-Request-ID") == [answer.text]


def test_a_forked_child_never_repeats_its_parent():
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, ask(layer()).body)
        os._exit(0)
    ours = ask(layer()).text
    os.waitpid(child, 0)
    theirs = os.read(read, 100).decode()
    os.close(read)
    os.close(write)
    assert len(theirs) == 32
    assert ours != theirs


def test_without_the_layer_the_accessor_says_what_to_do():
    with pytest.raises(LayerMissing, match="wrap the app in LoggingMiddleware"):
        get_request_id({})


@pytest.mark.parametrize("name", ["", "X Request", "X-Request-ID:", "X\n", "Ñ"])
def test_a_header_name_that_is_none_is_refused(name):
    with pytest.raises(ConfigurationError, match="no field name"):
        layer(request_ids=RequestIds(name))


def test_trust_without_a_header_is_refused():
    with pytest.raises(ConfigurationError, match="needs header="):
        RequestIds(None, trust=True)


def test_the_id_need_not_go_to_the_client():
    answer = ask(layer(request_ids=RequestIds(echo=False, trust=True)), headers={"X-Request-ID": "theirs"})
    assert answer.text == "theirs"
    assert answer.header("X-Request-ID") is None


def test_a_function_may_judge_the_ids_of_clients():
    ids = RequestIds(trust=True, accept=lambda text: text.startswith("Root=1-"))
    assert ask(layer(request_ids=ids), headers={"X-Request-ID": "Root=1-abc"}).text == "Root=1-abc"
    assert ask(layer(request_ids=ids), headers={"X-Request-ID": "abc"}).text != "abc"


@pytest.mark.parametrize("theirs", ["a b", 'a"b', "a\\b", "a,b", "a\n", "\xe9", "a" * 129, ""])
def test_no_function_lets_an_id_in_that_could_do_harm(theirs):
    ids = RequestIds(trust=True, accept=lambda text: True)
    assert len(ask(layer(request_ids=ids), headers={"X-Request-ID": theirs}).text) == 32


def test_a_function_may_make_the_ids():
    assert ask(layer(request_ids=RequestIds(make=lambda: "one-of-ours"))).text == "one-of-ours"


@pytest.mark.parametrize("bad", ["", "a b", None, 7, "x" * 129])
def test_a_function_that_makes_rubbish_or_fails_is_counted_and_replaced(bad):
    def fail():
        raise OSError("no entropy")

    for make in (lambda: bad, fail):
        made = layer(request_ids=RequestIds(make=make))
        assert len(ask(made).text) == 32
        assert made.failures == 1


def test_a_function_that_fails_to_judge_refuses():
    def fail(text):
        raise KeyError(text)

    made = layer(request_ids=RequestIds(trust=True, accept=fail))
    assert len(ask(made, headers={"X-Request-ID": "theirs"}).text) == 32
    assert made.failures == 1


@pytest.mark.parametrize(
    "options",
    [
        {"trust": "yes"},
        {"echo": 1},
        {"accept": "[a-z]+", "trust": True},
        {"make": 7},
        {"accept": str.isalnum},
        {"peers": ["10.0.0.0/8"]},
        {"peers": "10.0.0.0/8", "trust": True},
        {"peers": ["*"], "trust": True},
        {"peers": [], "trust": True},
        {"header": "Content-Length"},
        {"header": "host", "trust": True},
    ],
)
def test_what_cannot_be_is_refused(options):
    with pytest.raises(ConfigurationError):
        RequestIds(**options)


def test_request_ids_are_a_value_of_their_own():
    with pytest.raises(ConfigurationError, match="RequestIds"):
        layer(request_ids="X-Request-ID")


def test_an_id_that_the_outer_of_two_layers_accepts_is_that_of_both():
    lines = []
    inner = LoggingMiddleware(hello, format="%{request_id}n", sink=lines.append)
    ids = RequestIds(trust=True, accept=lambda text: text.startswith("Root=1/"))
    outer = LoggingMiddleware(inner, format="%{request_id}n", sink=lines.append, request_ids=ids)
    assert ask(outer, headers={"X-Request-ID": "Root=1/2"}).header("X-Request-ID") == "Root=1/2"
    assert lines == ["Root=1/2", "Root=1/2"]
