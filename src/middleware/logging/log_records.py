"""The names of a request in the application's own log records. Imported where it is asked for, as `logging` is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from middleware.logging.context import current_request

if TYPE_CHECKING:
    from collections.abc import Callable

_NONE = "-"


class RequestIdFilter(logging.Filter):
    """Adds `request_id`, `trace_id` and `span_id` to every record, `-` outside of a request, and lets all pass.

    On a handler, where it sees the records of all loggers: `handler.addFilter(RequestIdFilter())`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the names; True."""
        name_request(record)
        return True


def name_request(record: logging.LogRecord) -> None:
    """Add `request_id`, `trace_id` and `span_id` to a record, each where it has none yet."""
    has = record.__dict__
    if "request_id" in has and "trace_id" in has and "span_id" in has:
        return
    names = current_request()
    trace = None if names is None else names.trace
    has.setdefault("request_id", _NONE if names is None else names.request_id)
    has.setdefault("trace_id", _NONE if trace is None else trace.trace_id)
    has.setdefault("span_id", _NONE if trace is None else trace.span_id)


def name_all_records() -> Callable[..., logging.LogRecord]:
    """Have every record of this process named when it is made, whatever its logger and handlers. Once is enough.

    The factory that was set before goes on to make the records; it is returned. `extra=` of a log call cannot have one
    of these names then: the standard library refuses what a record has already.
    """
    before = logging.getLogRecordFactory()
    if getattr(before, "_names_requests", False):
        return before

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        name_request(record)
        return record

    factory._names_requests = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)
    return before
