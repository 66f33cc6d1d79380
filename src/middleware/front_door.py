"""The front door of a package: its names are loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def later(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package; `homes` says which of its modules have which names.

    What was loaded stays in the package, which is not asked again. Type checkers do not look in here: the package
    imports the same names for them, under TYPE_CHECKING.
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    there = vars(sys.modules[package])

    def load(name: str) -> object:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # As `importlib.import_module`, which is 0.5 ms of a process that serves one request.
        value: object = getattr(__import__(f"{package}.{home}", fromlist=(name,)), name)
        there[name] = value
        return value

    return load, lambda: sorted({*there, *home_of})
