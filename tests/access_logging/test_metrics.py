"""What is counted, whatever clients send and however answers end."""

from __future__ import annotations

import random
import string
import sys
from threading import Barrier

import pytest
from asking import ask, make_environ
from forking import forked, needs_fork
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from middleware import testing
from middleware.errors import ConfigurationError
from middleware.events import Event
from middleware.logging import LoggingMiddleware, Metrics, QueueSink
from middleware.logging.choice import Choice
from middleware.testing import SHAPES, serve
from middleware.testing.crowds import THREADS, in_threads
from middleware.testing.shapes import situations
from middleware.testing.witness import Witness


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]


def logged(metrics, app=hello, sink=lambda line: None, **options):
    return LoggingMiddleware(app, sink=sink, metrics=metrics, **options)


def routed(route):
    def app(environ, start_response):
        environ["middleware.notes"]["route"] = route
        return hello(environ, start_response)

    return app


def text_of(metrics):
    answer = ask(metrics.app)
    assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def samples(metrics):
    """{(name, labels in order): value}, as prometheus_client reads the text."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text_of(metrics))
        for sample in family.samples
    }


def value(metrics, name, **labels):
    return samples(metrics).get((name, tuple(sorted(labels.items()))))


def series(metrics, name):
    """The labels of each series of this name."""
    return [dict(labels) for found, labels in samples(metrics) if found == name]


def test_a_request_is_counted_by_method_status_and_route_with_its_bytes_and_its_time():
    metrics = Metrics(buckets=[0.1, 1])
    timer = iter([10.0, 10.0, 10.5])
    ask(logged(metrics, routed("/articles/<id>"), timer=lambda: next(timer)), "/articles/7", method="POST")
    assert text_of(metrics) == (
        "# HELP http_requests_total Requests whose answer has ended.\n"
        "# TYPE http_requests_total counter\n"
        'http_requests_total{method="POST",status="200",route="/articles/<id>"} 1\n'
        "# HELP http_request_duration_seconds Time from a request's arrival to the end of its answer.\n"
        "# TYPE http_request_duration_seconds histogram\n"
        'http_request_duration_seconds_bucket{le="0.1"} 0\n'
        'http_request_duration_seconds_bucket{le="1.0"} 1\n'
        'http_request_duration_seconds_bucket{le="+Inf"} 1\n'
        "http_request_duration_seconds_sum 0.5\n"
        "http_request_duration_seconds_count 1\n"
        "# HELP http_response_bytes_total Bytes of bodies that were handed to the server.\n"
        "# TYPE http_response_bytes_total counter\n"
        "http_response_bytes_total 6\n"
        "# HELP http_requests_in_flight Requests whose answer has not ended.\n"
        "# TYPE http_requests_in_flight gauge\n"
        "http_requests_in_flight 0\n"
        "# HELP middleware_log_lines_total Lines of the access log by what became of them.\n"
        "# TYPE middleware_log_lines_total counter\n"
        'middleware_log_lines_total{outcome="written"} 1\n'
        'middleware_log_lines_total{outcome="dropped"} 0\n'
        'middleware_log_lines_total{outcome="failed"} 0\n'
        'middleware_log_lines_total{outcome="skipped"} 0\n'
    )


def test_buckets_never_fall_and_the_last_is_the_count():
    metrics = Metrics(buckets=[1, 2, 3])
    for seconds in (0.5, 1.0, 2.5, 9.0, 2.0):
        timer = iter([0.0, 0.0, seconds])
        ask(logged(metrics, timer=lambda timer=timer: next(timer)))
    name = "http_request_duration_seconds"
    assert [value(metrics, f"{name}_bucket", le=le) for le in ("1.0", "2.0", "3.0", "+Inf")] == [2, 3, 4, 5]
    assert (value(metrics, f"{name}_count"), value(metrics, f"{name}_sum")) == (5, 15.0)


def test_durations_may_be_told_apart_by_labels():
    metrics = Metrics(duration_labels=["route", "method"])
    ask(logged(metrics, routed("/a")))
    ask(logged(metrics, routed("/b")), method="HEAD")
    assert value(metrics, "http_request_duration_seconds_count", method="GET", route="/a") == 1
    assert value(metrics, "http_request_duration_seconds_count", method="HEAD", route="/b") == 1


@pytest.mark.parametrize("method", ["get", "BREW", "", "GET ", "GET\n", 'G"', "\xff", None, 7, []])
def test_a_method_that_is_not_known_is_other(method):
    metrics = Metrics()
    layer = logged(metrics)
    body = layer(make_environ(REQUEST_METHOD=method), lambda *_: None)
    body.close()
    assert [labels["method"] for labels in series(metrics, "http_requests_total")] == ["_OTHER"]


@pytest.mark.parametrize(
    ("status", "shown"), [("299 Odd", "299"), ("1000 Much", "_OTHER"), ("OK", "_OTHER"), ("012 Low", "_OTHER")]
)
def test_a_status_that_is_not_of_three_digits_is_other(status, shown):
    def app(environ, start_response):
        start_response(status, [])
        return []

    metrics = Metrics()
    logged(metrics, app)(make_environ(), lambda *_: None).close()
    assert [labels["status"] for labels in series(metrics, "http_requests_total")] == [shown]


@pytest.mark.parametrize("route", [None, 7, b"/", ["/"], {}, ""])
def test_a_route_that_is_no_text_is_none(route):
    metrics = Metrics()
    ask(logged(metrics, routed(route)))
    assert value(metrics, "http_requests_total", method="GET", status="200", route="") == 1


@pytest.mark.parametrize("route", ["/" * 201, "/\udc80"])
def test_a_route_that_no_label_can_hold_is_other(route):
    metrics = Metrics()
    ask(logged(metrics, routed(route)))
    assert value(metrics, "http_requests_total", method="GET", status="200", route="_OTHER") == 1


def test_labels_are_escaped():
    route = 'a"b\\\n\\n,}é\u2028 {x="y"} 7'
    metrics = Metrics(duration_labels=("route",))
    ask(logged(metrics, routed(route)))
    assert value(metrics, "http_requests_total", method="GET", status="200", route=route) == 1
    assert value(metrics, "http_request_duration_seconds_count", route=route) == 1


def test_the_route_may_stand_in_environ_but_a_note_comes_first():
    metrics = Metrics(route_key="router.pattern")

    def app(environ, start_response):
        environ["router.pattern"] = "/articles/:id"
        return hello(environ, start_response)

    ask(logged(metrics, app))
    assert value(metrics, "http_requests_total", method="GET", status="200", route="/articles/:id") == 1
    ask(logged(metrics, routed("/noted")), **{"router.pattern": "/other"})
    assert value(metrics, "http_requests_total", method="GET", status="200", route="/noted") == 1


def hostile(number, chance):
    """Requests as scanners make them, for a site that answers with whatever status they name."""
    letters = string.ascii_letters + string.digits + '/"\\\n '
    for _ in range(number):
        method = "".join(chance.choices(letters, k=5))
        path = "/" + "".join(chance.choices(letters, k=12))
        yield make_environ(method=method, PATH_INFO=path, REQUEST_URI=path)


def test_random_paths_and_methods_make_no_series():
    metrics = Metrics()
    layer = logged(metrics)
    for environ in hostile(500, random.Random(6)):
        layer(environ, lambda *_: None).close()
    assert series(metrics, "http_requests_total") == [{"method": "_OTHER", "status": "200", "route": ""}]


@pytest.mark.slow
def test_fifty_thousand_random_paths_and_methods_make_no_series_and_as_routes_a_thousand():
    def app(environ, start_response):
        environ["middleware.notes"]["route"] = environ["PATH_INFO"]  # what nobody should do
        start_response(f"{chance.randrange(0, 1100):03} Odd", [])
        return []

    chance = random.Random(6)
    metrics, misled = Metrics(), Metrics(duration_labels=("method", "status", "route"))
    layer, misled_layer = logged(metrics), logged(misled, app)
    for index, environ in enumerate(hostile(50_000, chance)):
        layer(environ.copy(), lambda *_: None).close()
        environ["REQUEST_METHOD"] = chance.choice(("GET", "POST", "PUT", environ["REQUEST_METHOD"]))
        misled_layer(environ, lambda *_: None).close()
        if index == 10_000:
            before = len(text_of(misled).splitlines())
    assert len(series(metrics, "http_requests_total")) == 1
    assert len(series(misled, "http_requests_total")) <= 1000
    found = samples(misled)
    assert len([1 for name, _ in found if name.startswith("http_request_duration_seconds")]) <= 1000
    assert len(text_of(misled).splitlines()) == before
    assert sum(number for (name, _), number in found.items() if name == "http_requests_total") == 50_000


@pytest.mark.slow
def test_a_thousand_series_and_then_the_route_is_other_and_then_all_labels_are():
    metrics = Metrics()
    layer = logged(metrics, lambda environ, start_response: routed(environ["PATH_INFO"])(environ, start_response))
    for number in range(2000):
        ask(layer, f"/{number}")
    found = series(metrics, "http_requests_total")
    assert {"method": "GET", "status": "200", "route": "_OTHER"} in found
    assert 800 < len(found) <= 1000
    for status in range(100, 1000):

        def app(environ, start_response, status=status):
            environ["middleware.notes"]["route"] = "/1"
            start_response(f"{status} Odd", [])
            return []

        logged(metrics, app)(make_environ(), lambda *_: None).close()
    found = series(metrics, "http_requests_total")
    assert len(found) == 1000
    assert {"method": "_OTHER", "status": "_OTHER", "route": "_OTHER"} in found
    assert value(metrics, "http_request_duration_seconds_count") == 2900


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nothing_is_in_flight_after_any_ending_and_each_is_counted_once(shape):
    for situation in situations(shape):
        metrics = Metrics()
        during = []

        def app(environ, start_response, shape=shape, metrics=metrics, during=during):
            during.append(metrics)
            assert [sample for _, _, sample in in_flight(metrics)] == [1]
            return shape.make(Witness())(environ, start_response)

        serve(
            logged(metrics, app),
            testing.make_environ(method=situation.method),
            leave_after=situation.leave_after,
            write=situation.write,
            files=situation.files,
        )
        assert during, situation
        assert [sample for _, _, sample in in_flight(metrics)] == [0], situation
        assert value(metrics, "http_request_duration_seconds_count") == 1, situation
        assert value(metrics, "middleware_log_lines_total", outcome="written") == 1, situation


def in_flight(metrics):
    (family,) = [family for family in metrics.families() if family.name == "http_requests_in_flight"]
    return family.samples


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize("started", [True, False])
def test_an_error_that_ends_the_program_ends_the_request_too(error, started):
    def app(environ, start_response):
        if started:
            start_response("200 OK", [])
        raise error

    metrics = Metrics()
    with pytest.raises(type(error)):
        ask(logged(metrics, app))
    assert value(metrics, "http_requests_in_flight") == 0
    assert value(metrics, "http_requests_total", method="GET", status="500", route="") == 1


def test_a_request_is_in_flight_until_the_body_is_closed_however_often():
    metrics = Metrics()
    layer = logged(metrics)
    first, second = (layer(make_environ(), lambda *_: None) for _ in range(2))
    list(first)
    assert value(metrics, "http_requests_in_flight") == 2
    first.close()
    first.close()
    assert value(metrics, "http_requests_in_flight") == 1
    second.close()
    assert value(metrics, "http_requests_in_flight") == 0
    assert value(metrics, "http_response_bytes_total") == 6


def test_lines_that_fail_are_counted_and_so_are_their_requests():
    def broken(line):
        raise OSError("full")

    metrics = Metrics()
    layer = logged(metrics, sink=broken)
    assert ask(layer).text == "hello\n"
    assert value(metrics, "middleware_log_lines_total", outcome="failed") == layer.failures == 1
    assert value(metrics, "middleware_log_lines_total", outcome="written") == 0
    assert value(metrics, "http_requests_total", method="GET", status="200", route="") == 1


def test_a_clock_that_fails_leaves_a_request_of_which_nothing_is_known():
    metrics = Metrics()
    layer = logged(metrics, clock=lambda: 1 / 0)
    assert ask(layer).text == "hello\n"
    assert value(metrics, "http_requests_total", method="GET", status="_OTHER", route="") == 1
    assert value(metrics, "http_requests_in_flight") == 0
    assert value(metrics, "middleware_log_lines_total", outcome="failed") == layer.failures == 1


class CountingSink:
    """As a queue counts its lines."""

    written = dropped = failed = 0

    def write(self, line):
        self.dropped += 1


def test_a_sink_that_counts_its_lines_is_asked_once_though_two_layers_have_it():
    metrics = Metrics()
    sink = CountingSink()
    for _ in range(2):
        ask(logged(metrics, sink=sink))
    sink.written, sink.failed = 5, 3
    found = samples(metrics)
    counts = [found["middleware_log_lines_total", (("outcome", each),)] for each in ("written", "dropped", "failed")]
    assert counts == [5, 2, 3]


def test_a_queue_tells_what_became_of_its_lines():
    def half_broken(line):
        if '"POST ' in line:
            raise OSError("full")

    metrics = Metrics()
    with QueueSink(half_broken) as queue:
        layer = logged(metrics, sink=queue)
        for method in ("GET", "POST", "GET"):
            ask(layer, method=method)
    ask(layer)  # the queue is closed
    found = samples(metrics)
    counts = [found["middleware_log_lines_total", (("outcome", each),)] for each in ("written", "dropped", "failed")]
    assert counts == [2, 1, 1]


@pytest.mark.parametrize("sink", [lambda line: None, QueueSink(lambda line: None)], ids=["function", "queue"])
def test_a_request_whose_line_is_left_out_is_counted_and_its_line_is_skipped(sink):
    metrics = Metrics()
    layer = logged(metrics, sink=sink, choice=Choice(quiet={"/healthz": "2xx"}))
    for _ in range(3):
        ask(layer, "/healthz")
    assert value(metrics, "http_requests_total", method="GET", status="200", route="") == 3
    assert value(metrics, "middleware_log_lines_total", outcome="skipped") == layer.skipped == 3
    assert value(metrics, "middleware_log_lines_total", outcome="written") == 0


def test_events_of_other_layers_are_counted_by_layer_and_name():
    metrics = Metrics()
    assert "middleware_events_total" not in text_of(metrics)
    for name in ("login.failure", "login.failure", "logout"):
        metrics.on_event(Event("auth", name, 1.0, "alice", "203.0.113.9", {}))
    assert value(metrics, "middleware_events_total", layer="auth", event="login.failure") == 2
    assert value(metrics, "middleware_events_total", layer="auth", event="logout") == 1
    assert "alice" not in text_of(metrics)
    for number in range(2000):
        metrics.on_event(Event("own", f"event {number}", 1.0))
    assert len(series(metrics, "middleware_events_total")) <= 1000


def test_a_function_gets_each_request_with_bounded_labels_and_may_fail(caplog):
    got = []

    def on_request(*facts):
        got.append(facts)
        raise ValueError

    metrics = Metrics(on_request=on_request)
    timer = iter([1.0, 1.0, 1.25] * 2)
    layer = logged(metrics, routed("/a"), timer=lambda: next(timer))
    assert ask(layer, method="BREW").code == ask(layer).code == 200
    assert got == [("_OTHER", "200", "/a", 0.25, 6), ("GET", "200", "/a", 0.25, 6)]
    assert [record.message for record in caplog.records] == ["on_request= of Metrics failed: ValueError"]


@pytest.mark.slow
def test_requests_in_many_threads_are_each_counted_once_and_readers_see_buckets_that_fit():
    metrics = Metrics(duration_labels=("route",))
    layer = logged(metrics, lambda environ, start_response: routed(environ["PATH_INFO"])(environ, start_response))
    barrier = Barrier(THREADS)

    def work(number):
        barrier.wait()
        for index in range(100):
            if number == 0:
                for found, labels in (seen := samples(metrics)):
                    if found == "http_request_duration_seconds_count":
                        top = ("http_request_duration_seconds_bucket", tuple(sorted([*labels, ("le", "+Inf")])))
                        assert seen[top] == seen[found, labels]
            else:
                ask(layer, f"/{index % 3}")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        in_threads(work, barrier)
    finally:
        sys.setswitchinterval(before)
    total = (THREADS - 1) * 100
    routes = [
        value(metrics, "http_requests_total", method="GET", status="200", route=f"/{number}") for number in range(3)
    ]
    assert sum(routes) == total
    assert value(metrics, "http_response_bytes_total") == 6 * total
    assert value(metrics, "http_requests_in_flight") == 0


@needs_fork
def test_a_forked_child_begins_at_0_though_its_parent_was_adding_up():
    metrics = Metrics()
    layer = logged(metrics)
    ask(layer)
    open_in_parent = layer(make_environ(), lambda *_: None)
    with metrics._adding_up, forked() as is_child:
        if is_child:
            assert value(metrics, "http_requests_in_flight") == 0
            assert value(metrics, "http_response_bytes_total") == 0
            for _ in range(300):
                ask(layer)
            assert value(metrics, "http_response_bytes_total") == 1800
    open_in_parent.close()
    assert value(metrics, "http_requests_total", method="GET", status="200", route="") == 2


def test_the_application_answers_head_and_refuses_what_would_change_something():
    metrics = Metrics()
    get, head = (ask(metrics.app, method=method) for method in ("GET", "HEAD"))
    assert head.body == b""
    assert head.headers == get.headers
    assert get.header("Cache-Control") == "no-store"
    post = ask(metrics.app, method="POST")
    assert (post.code, post.header("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/metrics", "/", "/_metrics", "/prometheus"])
def test_no_path_of_the_site_tells_the_numbers_by_itself(path):
    assert ask(logged(Metrics()), path).text == "hello\n"


def test_prometheus_client_says_the_same():
    metrics = Metrics(duration_labels=("method",))
    for route in ("/a", 'b"\\\n'):
        ask(logged(metrics, routed(route)))
    metrics.on_event(Event("auth", "logout", 1.0))
    registry = CollectorRegistry()
    registry.register(metrics.collector())
    theirs = generate_latest(registry).decode()
    read = [
        {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }
        for families in map(list, map(text_string_to_metric_families, (theirs, text_of(metrics))))
    ]
    assert read[0] == read[1]
    kinds = [{family.name: (family.type, family.documentation) for family in text_string_to_metric_families(text)}
             for text in (theirs, text_of(metrics))]  # fmt: skip
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"buckets": []}, "buckets="),
        ({"buckets": [1, 1]}, "rise"),
        ({"buckets": [2, 1]}, "rise"),
        ({"buckets": [0, 1]}, "above 0"),
        ({"buckets": [1, float("inf")]}, "above 0"),
        ({"buckets": [float("nan")]}, "above 0"),
        ({"buckets": [True]}, "above 0"),
        ({"buckets": "123"}, "buckets="),
        ({"buckets": 7}, "buckets="),
        ({"buckets": [*range(1, 102)]}, "100 at most"),
        ({"duration_labels": "route"}, "duration_labels="),
        ({"duration_labels": ["path"]}, "duration_labels="),
        ({"duration_labels": 7}, "duration_labels="),
        ({"duration_labels": [[]]}, "duration_labels="),
        ({"route_key": "PATH_INFO"}, "route_key="),
        ({"route_key": "HTTP_X_ROUTE"}, "route_key="),
        ({"route_key": ""}, "route_key="),
        ({"route_key": 7}, "route_key="),
        ({"on_request": 7}, "on_request="),
    ],
)
def test_an_option_that_cannot_work_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Metrics(**options)


@pytest.mark.parametrize("metrics", [True, Metrics, "metrics"])
def test_the_layer_refuses_what_are_no_metrics(metrics):
    with pytest.raises(ConfigurationError, match="metrics= is a Metrics"):
        logged(metrics)
