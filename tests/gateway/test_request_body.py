"""The body of a request reads as io.BytesIO does, whatever the server's input can do, and never past its end."""

from __future__ import annotations

from io import BufferedReader, BytesIO, TextIOWrapper

import pytest
from gateway.servers_input import Breaking, Ending, Input
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ClientGone, MiddlewareError
from middleware.gateway.body import BLOCK, RequestBody
from middleware.gateway.framing import TO_ITS_END

SIZES = st.none() | st.integers(-2, 40)
READS = st.one_of(
    st.tuples(st.sampled_from(["read", "readline", "readlines"]), SIZES),
    st.tuples(st.sampled_from(["read", "readline", "readlines", "next"])),
)
BODIES = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"long" * 5])).map(b"".join)


def ask(stream, name, *arguments):
    if name == "next":
        return next(stream, None)
    return getattr(stream, name)(*arguments)


@given(BODIES, st.lists(READS), st.none() | st.integers(1, 7), st.booleans())
def test_any_reads_give_what_bytesio_gives(body, reads, most, announced):
    model = BytesIO(body)
    given_by_server = Input(body, most=most) if announced else Ending(body)
    stream = RequestBody(given_by_server.read, len(body) if announced else TO_ITS_END)
    for read in reads:
        assert ask(stream, *read) == ask(model, *read)
    assert stream.read() == model.read()
    assert stream.read() == b""


@given(BODIES, st.lists(st.integers(0, 30)))
def test_what_reads1_gives_is_the_body_too(body, sizes):
    stream = RequestBody(Input(body, most=3).read, len(body))
    parts = [stream.read1(size) for size in sizes]
    assert all(len(part) <= size for part, size in zip(parts, sizes, strict=True))
    assert b"".join(parts) + stream.read() == body


def test_a_large_body_comes_whole_in_lines_and_in_blocks():
    body = b"".join(b"%d\n" % number for number in range(50_000))
    assert len(body) > 4 * BLOCK
    assert [*RequestBody(Input(body).read, len(body))] == body.splitlines(keepends=True)
    stream = RequestBody(Input(body).read, len(body))
    assert b"".join(iter(lambda: stream.read(1000), b"")) == body


def test_no_server_is_asked_to_make_room_for_what_a_client_only_announces():
    asked = []

    def read(size):
        asked.append(size)
        return b""

    with pytest.raises(ClientGone):
        RequestBody(read, 10**17).read()
    assert max(asked) <= 1 << 20


def test_python_may_wrap_it_in_its_own_readers():
    body = "café\nthé\n".encode()
    assert [*TextIOWrapper(RequestBody(Input(body).read, len(body)), "utf-8")] == ["café\n", "thé\n"]
    assert BufferedReader(RequestBody(Input(body).read, len(body))).read() == body


def test_closing_it_leaves_the_servers_input_open():
    server = BytesIO(b"hello")
    RequestBody(server.read, 5).close()
    assert server.read() == b"hello"


READ = [
    lambda stream: stream.read(),
    lambda stream: stream.read(5),
    lambda stream: stream.readline(),
    lambda stream: stream.readlines(),
    lambda stream: [*stream],
    lambda stream: TextIOWrapper(stream).read(),
]


@pytest.mark.parametrize("read", READ)
def test_a_body_that_ends_too_early_is_an_error_and_no_short_body(read):
    stream = RequestBody(Ending(b"abc").read, 5)
    with pytest.raises(ClientGone, match="broke off 2 bytes before its end"):
        read(stream)


def test_a_body_that_has_ended_too_early_stays_an_error():
    stream = RequestBody(Ending(b"abc").read, 5)
    for _ in range(2):
        with pytest.raises(ClientGone, match="broke off 2 bytes before its end"):
            stream.read()


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize(
    "error", [ConnectionResetError("reset"), OSError("error during read"), ValueError("bad chunk")]
)
@pytest.mark.parametrize("size", [5, TO_ITS_END])
def test_what_a_server_raises_is_told_as_the_same_error(read, error, size):
    stream = RequestBody(Breaking(b"abc", error).read, size)
    with pytest.raises(ClientGone, match="the body of the request broke off: ") as raised:
        read(stream)
    assert raised.value.__cause__ is error


def test_frameworks_know_the_error_as_an_oserror():
    assert issubclass(ClientGone, OSError)
    assert issubclass(ClientGone, MiddlewareError)
