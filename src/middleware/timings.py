"""How long a part of a request took, for whoever wants to tell: `environ["middleware.timings"]`, a list, where it is.

The entries are (name, milliseconds, description or None). Nothing is measured where nobody has put the list there.
"""

from __future__ import annotations

from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar
    from wsgiref.types import WSGIEnvironment

    Function = TypeVar("Function", bound=Callable[..., object])

TIMINGS = "middleware.timings"


def timed(function: Function, environ: WSGIEnvironment, name: str, description: str | None = None) -> Function:
    """`function`, whose time is told, each time. Only where the list is there."""
    timings = environ[TIMINGS]

    def timing(*given: object) -> object:
        began = perf_counter()
        try:
            return function(*given)
        finally:
            timings.append((name, (perf_counter() - began) * 1000, description))

    return timing  # type: ignore[return-value]
