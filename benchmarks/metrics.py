"""What metrics and Server-Timing add to a line of the access log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.access_log import check_line
from benchmarks.kernel import BARE, hello
from benchmarks.method import Case, Row, ask, serve
from middleware import FileSink, LoggingMiddleware, Metrics, RequestIds

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIApplication


def check_count(app: WSGIApplication, path: Path, metrics: Metrics) -> None:
    """One request writes its line and is counted as 200."""
    counted = 'http_requests_total{method="GET",status="200",route=""} '
    check_line(app, path)
    before = int(ask(metrics.app).body.decode().partition(counted)[2].partition("\n")[0])
    check_line(app, path)
    assert f"{counted}{before + 1}\n" in ask(metrics.app).body.decode()


def check_time(app: WSGIApplication, path: Path) -> None:
    """One request writes its line and has the time of the application."""
    check_line(app, path)
    assert (ask(app).field("Server-Timing") or "").startswith("app;dur=")


def rows(directory: Path) -> list[Row]:
    path = directory / "counted.log"
    metrics = Metrics()
    plain, counted, timed = (
        LoggingMiddleware(hello, sink=FileSink(path), request_ids=RequestIds(None), **options)
        for options in ({}, {"metrics": metrics}, {"server_timing": True})
    )
    log = Case("access log", serve(plain), partial(check_line, plain, path))
    cases = [
        Case("metrics", serve(counted), partial(check_count, counted, path, metrics)),
        Case("Server-Timing", serve(timed), partial(check_time, timed, path)),
    ]
    return [
        Row(f"access log with {case.name}", case, log, target=None, ours_base=BARE, peer_base=BARE) for case in cases
    ]
