"""What Prometheus reads: numbers with names and labels, as text (exposition format 0.0.4). Values in, text out."""

from __future__ import annotations

from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal, TypeAlias

    Labels: TypeAlias = Sequence[tuple[str, str]]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family:
    """A metric: its name, what it is, and its samples: (what follows the name, labels, value)."""

    __slots__ = ("help", "kind", "name", "samples")

    def __init__(self, name: str, kind: Literal["counter", "gauge", "histogram"], help: str) -> None:  # noqa: A002
        self.name = name
        self.kind = kind
        self.help = help
        self.samples: list[tuple[str, Labels, float]] = []

    def add(self, value: float, labels: Labels = (), suffix: str = "") -> None:
        """One sample more."""
        self.samples.append((suffix, labels, value))

    def add_histogram(self, bounds: Sequence[float], counts: Sequence[int], total: float, labels: Labels = ()) -> None:
        """The samples of one histogram. `counts`: of each bucket alone, that above the last bound at the end."""
        reached = 0
        for bound, count in zip((*bounds, inf), counts, strict=True):
            reached += count
            self.add(reached, (*labels, ("le", number(bound))), "_bucket")
        self.add(total, labels, "_sum")
        self.add(reached, labels, "_count")


def text(families: Iterable[Family]) -> str:
    """All of them as Prometheus reads them."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n")
        for suffix, labels, value in family.samples:
            shown = ",".join(f'{name}="{escaped(label)}"' for name, label in labels)
            lines.append(f"{family.name}{suffix}{f'{{{shown}}}' if shown else ''} {number(value)}\n")
    return "".join(lines)


def escaped(label: str) -> str:
    """The value of a label between its quotes."""
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value: float) -> str:
    """A number as Go reads it."""
    return "+Inf" if value == inf else repr(value)
