"""Messages to the operator of a site. The rule: each of them once in the life of a process.

`logging` is imported by the first of them; a layer that has nothing to say does without.
"""

from __future__ import annotations

MOST = 1000  # different messages: one that is made up anew for each request does not fill the memory

_said: dict[str, object] = {}


def say_once(message: str, *, logger: str) -> None:
    """Log a warning that was not logged before in this process. For any number of threads."""
    if message in _said or len(_said) >= MOST:
        return
    mine = object()
    if _said.setdefault(message, mine) is not mine:  # atomic, where a lock could be held while the process forks
        return
    import logging

    logging.getLogger(logger).warning("%s", message)
