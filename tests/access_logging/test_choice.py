"""Which requests get a line."""

from __future__ import annotations

import json
import subprocess
import sys
from threading import Barrier, Thread

import pytest
from asking import ask, make_environ

from middleware.errors import ConfigurationError
from middleware.logging import JsonFormat, LoggingMiddleware, RequestIds
from middleware.logging.choice import Choice, Count, is_sampled


def answer(status="200 OK", body=b"hello\n"):
    def app(environ, start_response):
        start_response(environ.get("test.status", status), [("Content-Type", "text/plain")])
        return [body]

    return app


def failing(environ, start_response):
    start_response("200 OK", [])
    yield b"begun"
    raise ValueError("late")


class Log:
    """A layer with this choice, and what it wrote."""

    def __init__(self, app=None, *, seconds=0.5, form=lambda record: f"{record.path} {record.status}", **choice):
        self.lines = []
        self.now = 0.0
        self.seconds = seconds
        self.layer = LoggingMiddleware(
            app or answer(), format=form, sink=self.lines.append, choice=Choice(**choice), timer=self.timer
        )

    def timer(self):
        self.now += self.seconds / 2  # once for the first byte, once for the end
        return self.now

    def ask(self, path="/healthz", **environ):
        return ask(self.layer, path, **environ)

    def abort(self, path="/healthz", **environ):
        body = self.layer(make_environ(path, **environ), lambda *head: None)
        body.close()

    def failing(self, path="/healthz"):
        with pytest.raises(ValueError, match="late"):
            self.ask(path)


def test_by_default_every_request_is_written():
    log = Log()
    log.ask()
    assert log.lines == ["/healthz 200"]
    assert log.layer.skipped == 0


def test_a_quiet_path_hides_its_good_answers_and_nothing_else():
    log = Log(quiet={"/healthz": "2xx"})
    for _ in range(1000):
        log.ask()
    assert log.lines == []
    log.ask(**{"test.status": "503 Service Unavailable"})
    log.abort()
    assert len(log.lines) == 2
    assert log.layer.skipped == 1000
    assert log.layer.failures == 0


@pytest.mark.parametrize(
    ("quiet", "status", "written"),
    [
        ({"/healthz": "2xx"}, "204 No Content", False),
        ({"/healthz": "2xx"}, "304 Not Modified", True),
        ({"/healthz": "2xx, 304"}, "304 Not Modified", False),
        ({"/healthz": "200"}, "201 Created", True),
        (["/healthz"], "200 OK", False),
        (["/healthz=404", "/healthz=2xx"], "404 Not Found", False),
        (["/healthz=404", "/healthz=2xx"], "200 OK", False),
        (["/health", "/healthz/"], "200 OK", True),
    ],
)
def test_which_answers_a_quiet_path_hides(quiet, status, written):
    log = Log(quiet=quiet)
    log.ask(**{"test.status": status})
    assert bool(log.lines) is written


def test_a_quiet_path_is_the_whole_path_under_its_mount():
    log = Log(quiet={"/app/gesund\u00e4": "2xx"})
    log.ask(SCRIPT_NAME="/app", PATH_INFO="/gesund\xc3\xa4")
    log.ask(SCRIPT_NAME="/other", PATH_INFO="/gesund\xc3\xa4")
    assert len(log.lines) == 1


def test_an_error_after_the_head_is_no_good_answer():
    log = Log(failing, quiet={"/healthz": "2xx"}, skip=lambda record: True, sample=0.0)
    log.failing()
    assert log.lines == ["/healthz 200"]


def test_the_function_sees_the_whole_record():
    seen = []

    def skip(record):
        seen.append((record.status, record.sent, record.duration))
        return record.status == 404

    log = Log(skip=skip)
    log.ask()
    log.ask(**{"test.status": "404 Not Found"})
    assert seen == [(200, 6, 0.5), (404, 6, 0.5)]
    assert log.lines == ["/healthz 200"]
    assert log.layer.skipped == 1


def test_the_function_hides_no_error():
    log = Log(skip=lambda record: True)
    log.ask(**{"test.status": "500 Oops"})
    assert log.lines == ["/healthz 500"]


def test_a_function_that_fails_costs_no_line_and_is_counted():
    log = Log(skip=lambda record: 1 / 0)
    assert log.ask().body == b"hello\n"
    assert log.lines == ["/healthz 200"]
    assert log.layer.failures == 1


def test_a_sample_is_a_share_of_the_ids():
    written = sum(is_sampled(f"{number:032x}", 0.1) for number in range(10_000))
    assert 850 <= written <= 1150
    assert all(is_sampled(f"{number}", 1.0) for number in range(100))
    assert not any(is_sampled(f"{number}", 0.0) for number in range(100))


@pytest.mark.slow
def test_another_process_takes_the_same_sample():
    script = "from middleware.logging.choice import is_sampled; print([is_sampled(str(n), 0.1) for n in range(500)])"
    theirs = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert theirs.strip() == str([is_sampled(str(number), 0.1) for number in range(500)])


def test_what_is_not_sampled_is_counted_and_still_has_its_id():
    log = Log(sample=0.0)
    assert len(log.ask().header("X-Request-ID")) == 32
    assert log.lines == []
    assert log.layer.skipped == 1


def test_errors_aborted_and_slow_requests_are_in_every_sample():
    log = Log(sample=0.0)
    log.ask(**{"test.status": "502 Bad Gateway"})
    log.abort()
    assert len(log.lines) == 2
    slow = Log(sample=0.0, slow=1.0, seconds=1.1)
    slow.ask()
    assert slow.lines == ["/healthz 200"]


def test_an_id_is_in_the_sample_or_not():
    lines = []
    layer = LoggingMiddleware(
        answer(), sink=lines.append, format="extended", choice=Choice(sample=0.5), request_ids=RequestIds(trust=True)
    )
    for number in range(20):
        for _ in range(2):
            ask(layer, headers={"X-Request-ID": f"id-{number}"})
    expected = [f"id-{number}" for number in range(20) for _ in range(2) if is_sampled(f"id-{number}", 0.5)]
    assert [line.split()[-2] for line in lines] == expected


@pytest.mark.parametrize(("seconds", "told"), [(0.9, 0), (1.0, 0), (1.1, 1)])
def test_a_slow_request_is_told_by_one_warning(caplog, seconds, told):
    log = Log(slow=1.0, seconds=seconds, form=lambda record: str(record.slow))
    request_id = log.ask("/reports?token=1").header("X-Request-ID")
    records = [record for record in caplog.records if record.name == "middleware.slow"]
    assert len(records) == told
    assert log.lines == [str(bool(told))]
    for record in records:
        assert record.levelname == "WARNING"
        assert record.getMessage() == f"slow request {request_id}: GET /reports took 1.100 s"


def test_a_slow_request_is_told_by_its_route_and_without_secrets(caplog):
    def routed(environ, start_response):
        environ["middleware.notes"]["route"] = "/users/<id>\n"
        return answer()(environ, start_response)

    Log(routed, slow=1.0, seconds=2.0).ask("/users/7")
    Log(slow=1.0, seconds=2.0).ask("/a;token=s3cr3t/b")
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "GET /users/<id>\\n took 2.000 s",
        "GET /a;token=***/b took 2.000 s",
    ]


def test_a_slow_health_check_is_told_and_not_written(caplog):
    log = Log(slow=1.0, seconds=2.0, quiet=["/healthz"])
    log.ask()
    assert log.lines == []
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("levels", "status", "level"),
    [
        ({}, "500 Oops", "INFO"),
        ({"5xx": "ERROR", "4xx": "warning"}, "500 Oops", "ERROR"),
        ({"5xx": "ERROR", "4xx": "warning"}, "404 Not Found", "WARNING"),
        ({"4xx": "WARNING", "404": "DEBUG"}, "404 Not Found", "DEBUG"),
        (["4xx=WARNING", "404=DEBUG"], "404 Not Found", "DEBUG"),
        ({"5xx": "ERROR"}, "200 OK", "INFO"),
    ],
)
def test_a_line_has_the_level_of_its_status(levels, status, level):
    import logging

    log = Log(levels=levels, form=lambda record: f"{record.level} {record.level_name}")
    log.ask(**{"test.status": status})
    (line,) = log.lines
    number, name = line.split()
    assert int(number) == logging.getLevelName(level)
    assert name in (level, "None")


def test_an_error_after_the_head_has_the_level_of_errors():
    log = Log(failing, levels={"5xx": "ERROR", "2xx": "DEBUG"}, form=lambda record: str(record.level_name))
    log.failing()
    assert log.lines == ["ERROR"]


@pytest.mark.parametrize(
    ("form", "name", "good", "bad"),
    [("json", "log.level", "info", "warning"), (JsonFormat("otel"), "severity_text", "INFO", "WARNING")],
    ids=["ecs", "otel"],
)
def test_json_has_the_level_too(form, name, good, bad):
    log = Log(levels={"4xx": "WARNING"}, form=form)
    for status in ("200 OK", "404 Not Found"):
        log.ask(**{"test.status": status})
    assert [json.loads(line)[name] for line in log.lines] == [good, bad]


def test_a_logger_hears_of_the_level(caplog):
    caplog.set_level("INFO", logger="middleware.access")
    ask(LoggingMiddleware(answer("500 Oops"), choice=Choice(levels={"5xx": "CRITICAL"})))
    (record,) = caplog.records
    assert (record.levelname, record.access["log.level"]) == ("CRITICAL", "critical")


def test_what_is_left_out_changes_no_answer():
    bare = ask(answer())
    log = Log(skip=lambda record: True)
    found = log.ask()
    assert (found.status, found.body) == (bare.status, bare.body)
    assert [pair for pair in found.headers if pair[0] != "X-Request-ID"] == bare.headers
    assert log.layer.skipped == 1


def test_threads_lose_no_count():
    counted = Count()
    barrier = Barrier(8)

    def work():
        barrier.wait(30)
        for _ in range(1000):
            counted.add()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counted.value == 8000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"quiet": {"/healthz": "5xx"}}, "errors are always written, so leave out 5xx of /healthz"),
        ({"quiet": {"/healthz": "2xx,503"}}, "errors are always written"),
        ({"quiet": {"/healthz": "2x"}}, "'2x' is no status such as 2xx or 404"),
        ({"quiet": {"healthz": "2xx"}}, "a path begins with /"),
        ({"quiet": {"/healthz": 200}}, "takes a dict or a list of texts"),
        ({"quiet": "/healthz"}, "takes a dict or a list of texts"),
        ({"skip": True}, "skip= is a function"),
        ({"sample": 1.1}, "sample= is a share"),
        ({"sample": True}, "sample= is a share"),
        ({"slow": 0}, "slow= is seconds above 0"),
        ({"slow": float("nan")}, "slow= is seconds above 0"),
        ({"slow": "1s"}, "slow= is seconds above 0"),
        ({"levels": {"5xx": "BAD"}}, "'BAD' is no level"),
        ({"levels": {"9xx": "ERROR"}}, "'9xx' is no status"),
        ({"levels": ["5xx"]}, "'' is no level"),
    ],
)
def test_a_wrong_option_is_refused(options, told):
    with pytest.raises(ConfigurationError) as caught:
        Choice(**options)
    assert told in str(caught.value)


def test_the_layer_takes_no_other_choice():
    with pytest.raises(ConfigurationError, match="choice= takes Choice"):
        LoggingMiddleware(answer(), choice=None)


def test_it_does_not_change():
    with pytest.raises(AttributeError):
        Choice().slow = 1.0
    assert "slow 2.0" in repr(Choice(slow=2.0))
