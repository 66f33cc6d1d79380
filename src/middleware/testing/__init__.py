"""What users test their own layers and stores with: the same tools that test ours.

`check_layer(wrap)` runs a layer round every shape of application (`SHAPES`), alone, between validators, in threads.
`serve` is the strict server that it asks through, `FakeClock` stands in for `time.time`, and
`middleware.testing.stores` has the stores' contract as tests.
"""

from middleware.testing.checks import check_layer, check_shape, run
from middleware.testing.clock import FakeClock
from middleware.testing.server import Received, make_environ, serve
from middleware.testing.shapes import SHAPES, SITUATIONS, Shape, Situation
from middleware.testing.together import check_requests, check_together

__all__ = [
    "SHAPES",
    "SITUATIONS",
    "FakeClock",
    "Received",
    "Shape",
    "Situation",
    "check_layer",
    "check_requests",
    "check_shape",
    "check_together",
    "make_environ",
    "run",
    "serve",
]
