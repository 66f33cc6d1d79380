"""What the log counts is what the client got, whatever shape the application has."""

from __future__ import annotations

import pytest

from middleware.logging import LoggingMiddleware
from middleware.testing import SHAPES, Shape, make_environ, serve
from middleware.testing.shapes import situations
from middleware.testing.witness import Witness


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_in_every_situation_has_one_line_with_the_bytes_that_arrived(shape: Shape):
    for situation in situations(shape):
        records = []
        lines = []
        layer = LoggingMiddleware(
            shape.make(Witness()),
            format=lambda record, records=records: records.append(record) or "line",
            sink=lines.append,
        )
        environ = make_environ(method=situation.method)
        received = serve(
            layer, environ, leave_after=situation.leave_after, write=situation.write, files=situation.files
        )
        (record,) = records
        assert lines == ["line"], situation
        assert not received.broken, situation
        if situation.method != "HEAD":  # whose body the server drops
            assert record.sent == len(received.body), situation
        if received.error is None and received.code:
            assert record.status == received.code, situation
