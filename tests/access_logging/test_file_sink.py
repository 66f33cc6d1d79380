"""A file of lines that others rename, truncate and delete while it is written."""

from __future__ import annotations

import io
import logging
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from asking import ask
from conftest import program
from forking import forked, needs_fork
from logged_site import PLAIN, by_path, hello, started
from servers.programs import wait_until

from middleware.errors import ConfigurationError
from middleware.logging import FileSink, LoggingMiddleware


class Log:
    """A layer that logs to a file, and the clock by which it looks where the path leads."""

    def __init__(self, path):
        self.now = 1000.0
        self.path = path
        self.sink = FileSink(path, clock=lambda: self.now)
        self.layer = LoggingMiddleware(hello, sink=self.sink, format=by_path)
        self.errors = io.StringIO()

    def line(self, text):
        assert ask(self.layer, f"/{text}", **{"wsgi.errors": self.errors}).body == b"hello"

    @property
    def lost(self):
        return self.layer.failures


@pytest.fixture
def log(tmp_path):
    log = Log(tmp_path / "access.log")
    yield log
    log.sink.close()


def lines(path):
    return path.read_text().split()


@pytest.fixture
def told():
    """What operators were told through `logging`."""

    class Kept(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    messages = []
    handler = Kept()
    logging.getLogger("middleware.logging").addHandler(handler)
    yield messages
    logging.getLogger("middleware.logging").removeHandler(handler)


def test_a_file_is_appended_to(tmp_path):
    path = tmp_path / "access.log"
    path.write_text("/before\n")
    with FileSink(path) as sink:
        ask(LoggingMiddleware(hello, sink=sink, format=by_path), "/line")
        assert path.read_text() == "/before\n/line\n"


def test_a_new_file_is_for_owner_and_group(tmp_path):
    before = os.umask(0)
    try:
        sink = FileSink(tmp_path / "access.log")
    finally:
        os.umask(before)
    sink.close()
    assert Path(sink.path).stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="make its directory"):
        FileSink(tmp_path / "missing" / "access.log")
    with pytest.raises(ConfigurationError, match="make its directory"):
        FileSink(tmp_path)


@pytest.mark.parametrize("path", [7, None, "a\0b"])
def test_what_is_no_path_is_an_error_at_once(path):
    with pytest.raises(ConfigurationError, match="is no path of a file"):
        FileSink(path)


def test_a_path_is_the_place_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = Log("access.log")
    monkeypatch.chdir("/")
    (tmp_path / "access.log").rename(tmp_path / "old")
    log.sink.reopen()
    log.line("line")
    log.sink.close()
    assert lines(tmp_path / "access.log") == ["/line"]


def test_a_file_that_was_replaced_is_left_within_a_second(log, tmp_path):
    log.line("1")
    log.path.rename(tmp_path / "old")
    log.path.touch()
    log.now += 0.9
    log.line("2")
    assert (lines(tmp_path / "old"), lines(log.path)) == (["/1", "/2"], [])
    log.now += 0.1
    log.line("3")
    assert (lines(tmp_path / "old"), lines(log.path)) == (["/1", "/2"], ["/3"])


def test_a_clock_that_is_set_back_delays_nothing(log, tmp_path):
    log.path.rename(tmp_path / "old")
    log.path.touch()
    log.now -= 3600
    log.line("1")
    assert lines(log.path) == ["/1"]


def test_whoever_renames_a_file_has_a_second_to_make_the_next(log, tmp_path):
    log.path.rename(tmp_path / "old")
    log.now += 1
    log.line("1")
    assert lines(tmp_path / "old") == ["/1"]
    assert not log.path.exists()
    log.now += 1
    log.line("2")
    assert (lines(tmp_path / "old"), lines(log.path)) == (["/1"], ["/2"])


def test_a_file_that_is_truncated_is_written_from_its_beginning(log, tmp_path):
    log.line("1")
    shutil.copy(log.path, tmp_path / "copy")
    os.truncate(log.path, 0)
    log.line("2")
    assert log.path.read_bytes() == b"/2\n"


def test_a_file_that_is_deleted_is_made_again(log):
    log.line("1")
    log.path.unlink()
    log.now += 1
    log.line("2")
    assert lines(log.path) == ["/2"]
    assert log.lost == 0


def test_a_file_is_opened_anew_where_the_application_asks(log, tmp_path):
    log.line("1")
    log.path.rename(tmp_path / "old")
    log.sink.reopen()
    log.line("2")
    assert (lines(tmp_path / "old"), lines(log.path)) == (["/1"], ["/2"])


def test_a_deleted_directory_costs_lines_until_it_is_there_again(tmp_path):
    directory = tmp_path / "logs"
    directory.mkdir()
    log = Log(directory / "access.log")
    shutil.rmtree(directory)
    log.now += 1
    log.line("1")
    log.line("2")
    log.sink.reopen()
    log.line("3")
    assert log.lost == 3
    assert log.errors.getvalue().count("\n") == 1
    assert "access.log" in log.errors.getvalue()
    directory.mkdir()
    log.now += 1
    log.line("4")
    assert lines(log.path) == ["/4"]
    assert log.lost == 3
    log.sink.close()


def test_where_no_new_file_can_be_opened_the_renamed_one_goes_on_and_that_is_told_once(log, tmp_path, told):
    log.path.rename(tmp_path / "old")
    log.path.mkdir()
    for number in "123":
        log.now += 1
        log.line(number)
    log.sink.reopen()
    log.line("4")
    assert (lines(tmp_path / "old"), log.lost) == (["/1", "/2", "/3", "/4"], 0)
    (message,) = told
    assert "was renamed and cannot be opened anew" in message
    log.path.rmdir()
    log.now += 1
    log.line("5")
    assert lines(log.path) == ["/5"]


def test_a_closed_file_stays_closed(log, tmp_path):
    log.sink.close()
    log.path.rename(tmp_path / "old")
    log.now += 1
    log.sink.reopen()
    log.line("1")
    assert log.lost == 1
    assert not log.path.exists() or log.path.read_text() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_costs_the_line_and_no_more():
    log = Log("/dev/full")
    log.line("1")
    log.now += 1
    log.line("2")
    log.sink.close()
    assert log.lost == 2


@needs_fork
def test_what_a_full_disk_left_of_a_line_stays_a_line_of_its_own(log):
    import resource

    with forked() as in_child:
        if in_child:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
            log.line("1")
            log.line("long-line")
            log.line("lost")
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            log.line("2")
            log.line("3")
            assert log.lost == 2
    assert log.path.read_text() == "/1\n/long\n/2\n/3\n"


@needs_fork
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_line_is_written_on_where_a_signal_has_the_file_opened_anew_in_its_midst(tmp_path):
    import fcntl

    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    room = fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)
    log = Log(path)
    long = "x" * room
    with forked() as in_child:
        if in_child:
            signal.signal(signal.SIGUSR1, lambda *_: log.sink.reopen())
            main = threading.main_thread().ident
            seen = []

            def read():
                wait_until(lambda: is_full(reading, room))
                signal.pthread_kill(main, signal.SIGUSR1)
                wait_until(lambda: seen.append(some(reading)) or b"/after\n" in b"".join(seen))

            reader = threading.Thread(target=read)
            reader.start()
            log.layer = LoggingMiddleware(hello, sink=log.sink, format=lambda record: record.target[:6] + long)
            log.line("first")
            log.layer = LoggingMiddleware(hello, sink=log.sink, format=by_path)
            log.line("after")
            reader.join()
            assert b"".join(seen).decode() == f"/first{long}\n/after\n"
    os.close(reading)
    log.sink.close()


def is_full(descriptor, room):
    import fcntl
    import struct
    import termios

    (waiting,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))
    return waiting == room


def some(descriptor):
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


def test_threads_lose_no_line_while_the_file_is_renamed_and_opened_anew(log, tmp_path):
    ready = threading.Barrier(5)

    def client(number):
        ready.wait()
        for count in range(200):
            log.sink.write(f"{number}.{count}\n")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    for turn in range(50):
        log.path.rename(tmp_path / f"old.{turn}")
        log.sink.reopen()
    for thread in threads:
        thread.join()
    files = [log.path, *tmp_path.glob("old.*")]
    assert len(files) == 51
    written = [line for path in files for line in path.read_text().splitlines()]
    assert sorted(written) == sorted(f"{number}.{count}" for number in range(4) for count in range(200))


@needs_fork
def test_a_forked_child_appends_to_the_same_file(log):
    log.line("1")
    with forked() as in_child:
        if in_child:
            log.line("2")
    log.line("3")
    assert lines(log.path) == ["/1", "/2", "/3"]


def test_no_signal_handler_is_installed(tmp_path):
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    FileSink(tmp_path / "access.log").close()
    assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before


@pytest.mark.slow
def test_many_processes_append_whole_lines(tmp_path):
    path = tmp_path / "access.log"
    code = PLAIN + (
        "path, number = sys.argv[1:]\n"
        "with FileSink(path) as sink:\n"
        "    layer = LoggingMiddleware(hello, sink=sink, format=lambda record: number * 500)\n"
        "    for _ in range(2500):\n"
        "        request(layer)\n"
    )
    processes = [started(code, path, number) for number in "1234"]
    assert [process.wait(120) for process in processes] == [0] * 4
    written = path.read_text().splitlines()
    assert len(written) == 10_000
    assert set(written) == {number * 500 for number in "1234"}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["create", "nocreate", "copytruncate", "sighup"])
def test_logrotate_loses_no_line_and_the_new_file_is_used(log, tmp_path, way):
    command = program("logrotate", "/usr/sbin/logrotate")
    on_signal = f"postrotate\nkill -HUP {os.getpid()}\nendscript" if way == "sighup" else ""
    configuration = tmp_path / "logrotate.conf"
    configuration.write_text(f"{log.path} {{\nrotate 9\n{'create 0640' if way == 'sighup' else way}\n{on_signal}\n}}\n")
    configuration.chmod(0o600)
    before = signal.signal(signal.SIGHUP, lambda *_: log.sink.reopen())
    try:
        for turn in range(3):
            for number in range(1000):
                log.line(f"{turn}.{number}")
            subprocess.run([command, "--force", "--state", tmp_path / "state", configuration], check=True, timeout=60)
            if way != "sighup":
                log.now += 1
            if way == "nocreate":
                log.line(f"{turn}.last")  # the first look leaves whoever renamed the file its time
                log.now += 1
    finally:
        signal.signal(signal.SIGHUP, before)
    log.line("end")
    assert log.lost == 0
    assert lines(log.path) == ["/end"]
    rotated = [tmp_path / f"access.log.{age}" for age in (3, 2, 1)]
    last = ["last"] if way == "nocreate" else []
    for turn, path in enumerate(rotated):
        assert lines(path) == [f"/{turn}.{number}" for number in [*range(1000), *last]]
