"""Messages to the operator, each once in the life of a process."""

from __future__ import annotations

_said: set[str] = set()


def say_once(message: str, logger: str = "middleware.cookies") -> None:
    """Log a warning that was not logged before in this process."""
    if message in _said:
        return
    _said.add(message)
    import logging

    logging.getLogger(logger).warning("%s", message)
