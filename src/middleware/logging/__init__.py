"""Access logging: one line about each request, written when its answer has ended."""

from middleware.front_door import later
from middleware.logging.choice import Choice
from middleware.logging.middleware import LoggingMiddleware
from middleware.logging.privacy import Privacy
from middleware.logging.record import AccessRecord
from middleware.logging.request_id import RequestIds, get_request_id
from middleware.logging.sinks import FileSink, StreamSink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.logging.formats.apache import ApacheFormat
    from middleware.logging.formats.json_lines import JsonFormat
    from middleware.logging.log_records import RequestIdFilter, name_all_records
    from middleware.logging.metrics import Metrics
    from middleware.logging.sinks.queue import QueueSink
    from middleware.logging.trace import Trace, trace_headers

__all__ = [
    "AccessRecord",
    "ApacheFormat",
    "Choice",
    "FileSink",
    "JsonFormat",
    "LoggingMiddleware",
    "Metrics",
    "Privacy",
    "QueueSink",
    "RequestIdFilter",
    "RequestIds",
    "StreamSink",
    "Trace",
    "get_request_id",
    "name_all_records",
    "trace_headers",
]

# What not every site asks for, and where it is: `json` and the standard library's `logging` come with some of it.
__getattr__, __dir__ = later(
    __name__,
    {
        "formats.apache": ("ApacheFormat",),
        "formats.json_lines": ("JsonFormat",),
        "log_records": ("RequestIdFilter", "name_all_records"),
        "metrics": ("Metrics",),
        "sinks.queue": ("QueueSink",),
        "trace": ("Trace", "trace_headers"),
    },
)
