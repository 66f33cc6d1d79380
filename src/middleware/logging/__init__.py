"""Access logging: one line about each request, written when its answer has ended."""

from middleware.logging.middleware import LoggingMiddleware
from middleware.logging.record import AccessRecord
from middleware.logging.request_id import RequestIds, get_request_id
from middleware.logging.sinks import FileSink, StreamSink
from middleware.logging.trace import Trace, trace_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.logging.log_records import RequestIdFilter, name_all_records
    from middleware.logging.sinks.queue import QueueSink

__all__ = [
    "AccessRecord",
    "FileSink",
    "LoggingMiddleware",
    "QueueSink",
    "RequestIdFilter",
    "RequestIds",
    "StreamSink",
    "Trace",
    "get_request_id",
    "name_all_records",
    "trace_headers",
]


def __getattr__(name: str) -> object:
    if name == "QueueSink":
        from middleware.logging.sinks.queue import QueueSink

        return QueueSink
    if name not in ("RequestIdFilter", "name_all_records"):
        raise AttributeError(f"module 'middleware.logging' has no attribute {name!r}")
    from middleware.logging import log_records  # `logging` of the standard library comes with it

    return getattr(log_records, name)
