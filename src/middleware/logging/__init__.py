"""Access logging: one line about each request, written when its answer has ended."""

from middleware.logging.middleware import LoggingMiddleware
from middleware.logging.record import AccessRecord
from middleware.logging.request_id import get_request_id
from middleware.logging.sinks import FileSink, StreamSink

__all__ = ["AccessRecord", "FileSink", "LoggingMiddleware", "StreamSink", "get_request_id"]
