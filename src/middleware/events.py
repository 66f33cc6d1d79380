"""What happened in a layer, told to whoever listens: one frozen `Event`, and one `emit` that never raises."""

from __future__ import annotations

from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Listener = Callable[["Event"], object]

_FIELDS = ("layer", "name", "time", "subject", "client", "details")


class Event:
    """Something that happened in a layer, for metrics, audit logs and alarms. A frozen value without any secret.

    `layer`: `"session"`, `"cookies"`, `"cache"`. `name`: what happened, such as `"login"`; the layer's page lists
    them. `time`: in seconds since 1970, by the layer's clock. `subject`: what it happened to, such as the hashed id of
    a session, the name of a cookie or a URL; None where there is nothing to name. `client`: the address of the client
    as the server gave it in `REMOTE_ADDR`; None outside of a request. `details`: further facts by name.
    """

    __slots__ = _FIELDS

    layer: str
    name: str
    time: float
    subject: str | None
    client: str | None
    details: Mapping[str, object]

    def __init__(
        self,
        layer: str,
        name: str,
        time: float,
        subject: str | None = None,
        client: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        for field, value in zip(_FIELDS, (layer, name, time, subject, client, details or {}), strict=True):
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an event does not change ({name})")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.layer, self.name, self.time, self.subject, self.client))

    def __repr__(self) -> str:
        return f"Event({', '.join(map(repr, self._values()))})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in _FIELDS)


def emit(listener: Listener, event: Event) -> None:
    """Tell the listener. What it raises is logged once and changes nothing else."""
    try:
        listener(event)
    except Exception as error:  # noqa: BLE001 - a listener is not part of the answer
        kind = type(error).__name__  # whose text may be another for each client, and use up all that is ever said
        say_once(f"on_event= failed at the event {event.layer}.{event.name}: {kind}", logger="middleware.events")
