"""The kernel, on which every layer stands: pass a request on and act on its answer, and an answer as a value.

`forward` keeps what PEP 3333 asks of a middleware: late starters, `write()`, heads replaced through `exc_info`,
one chunk in and one chunk out, `close()` once in every ending. `Response` is an answer as a value.
"""

from middleware.wsgi.exchange import UNWATCHED, Ending
from middleware.wsgi.forward import forward
from middleware.wsgi.response import Response

__all__ = ["UNWATCHED", "Ending", "Response", "forward"]
