"""An attribute that is made when it is first asked for, and is the same for all threads."""

from __future__ import annotations

from functools import cached_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    made_once = cached_property
else:

    class made_once(cached_property):  # noqa: N801 - called as what it is a kind of
        """As `cached_property`, which would give each of two threads that come here at once one of its own.

        Both may make one: that of the first is kept by both.
        """

        def __get__(self, instance: object, owner: type | None = None) -> object:
            return self if instance is None else vars(instance).setdefault(self.attrname, self.func(instance))
