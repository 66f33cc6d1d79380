"""A body that is made while it is sent."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def ticks(most: int) -> Iterator[bytes]:
    """A line every twentieth of a second."""
    for number in range(1, most + 1):
        yield f"tick {number}\n".encode()
        sleep(0.05)
