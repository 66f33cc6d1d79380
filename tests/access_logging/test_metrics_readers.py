"""Prometheus' own checker reads the text, and prometheus_client adds up what many processes count."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from asking import ask
from conftest import program
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from middleware.events import Event
from middleware.logging import LoggingMiddleware, Metrics

pytestmark = pytest.mark.slow

ROUTES = ("/articles/<id>", 'a"b\\\n', "", "\u2028é", "{le='1'} 7 #")


def site(environ, start_response):
    environ["middleware.notes"]["route"] = environ["route"]
    start_response("200 OK", [])
    return [b"x"]


def promtool(text):
    ran = subprocess.run(
        [program("promtool"), "check", "metrics"], check=False, input=text, capture_output=True, timeout=60
    )
    return ran.returncode, (ran.stdout + ran.stderr).decode()


@pytest.mark.parametrize("labels", [(), ("method", "status", "route")])
def test_promtool_finds_nothing_to_complain_of(labels):
    metrics = Metrics(duration_labels=labels)
    assert promtool(ask(metrics.app).body) == (0, "")
    layer = LoggingMiddleware(site, sink=lambda line: None, metrics=metrics)
    for route in ROUTES:
        for method in ("GET", "BREW"):
            ask(layer, method=method, route=route)
    metrics.on_event(Event("auth", "login.failure", 1.0))
    assert promtool(ask(metrics.app).body) == (0, "")


def test_promtool_would_complain():
    assert promtool(b"# TYPE requests counter\nrequests 1\n")[0] == 3
    assert promtool(b'a{b="c\n"} 1\n')[0] == 1


WORKER = """
import sys
from prometheus_client import Counter, Histogram
from asking import ask
from middleware.logging import LoggingMiddleware
from middleware.logging import Metrics

requests = Counter("http_requests", "Requests.", ["method", "status", "route"])
seconds = Histogram("http_request_duration_seconds", "Durations.")


def hand_on(method, status, route, duration, sent):
    requests.labels(method, status, route).inc()
    seconds.observe(duration)


def hello(environ, start_response):
    environ["middleware.notes"]["route"] = "/hello"
    start_response("200 OK", [])
    return [b"hello"]


app = LoggingMiddleware(hello, sink=lambda line: None, metrics=Metrics(on_request=hand_on))
for _ in range(int(sys.argv[1])):
    ask(app)
"""


def test_prometheus_client_adds_up_the_processes_of_a_site(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(requests)], env=environment) for requests in (3, 4, 300)
    ]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))
    labels = {"method": "GET", "status": "200", "route": "/hello"}
    assert registry.get_sample_value("http_requests_total", labels) == 307
    assert registry.get_sample_value("http_request_duration_seconds_count") == 307
