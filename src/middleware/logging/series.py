"""Numbers by labels, and never more series of them than there is room for. No threads, no WSGI."""

from __future__ import annotations

from bisect import bisect_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from typing import Protocol

    Labels = tuple[str, ...]

    class SizedContainer(Container[Labels], Protocol):
        """The series that there are."""

        def __len__(self) -> int: ...


OTHER = "_OTHER"


def place(series: SizedContainer, labels: Labels, most: int) -> Labels:
    """The labels under which these are counted, so that there are never more than `most` series.

    Where there is no room left, the last label is `_OTHER`, the one of which there are most; for that a tenth is kept.
    Where that is used up, all are.
    """
    if labels in series or len(series) < most - most // 10 - 1:
        return labels
    others = (*labels[:-1], OTHER)
    if others in series or len(series) < most - 1:
        return others
    return (OTHER,) * len(labels)


class Histogram:
    """How many values came into each bucket, the last of which has no upper bound, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.total = 0.0

    def add(self, value: float, bounds: Sequence[float]) -> None:
        """Count one. A value that is a bound belongs below it."""
        self.counts[bisect_left(bounds, value)] += 1
        self.total += value
