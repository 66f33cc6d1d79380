"""Real server programs in tests: started on a free port, killed as a crash does, started again, stopped by their own
process id.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

PATIENCE = 30  # seconds for a program to answer, or to end
IN_TIME = f"?timeout={PATIENCE}s"  # in a store's URL, where a server is late only because the machine is busy


def free_port():
    """A port of the loopback interface that nobody listens on, below those that outgoing connections are given.

    So it stays free while a server that had it is down. Of several workers of pytest-xdist each has ports of its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    of_each = 12_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = 20_000 + worker * of_each + random.randrange(of_each)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Running:
    """A program that runs between `start()` and `stop()` or `kill()`, as often as they are called.

    command: the program's path and arguments. It must stay in the foreground.
    ready: called without arguments until it returns a true value; an OSError means: not yet.
    log: a file for what the program prints.
    options: for `subprocess.Popen`, such as `user=` and `env=`.
    """

    def __init__(self, command, ready, *, log, **options):
        self._command = [str(part) for part in command]
        self._ready = ready
        self._log = log
        self._options = options
        self._process = None

    @property
    def pid(self):
        """The process id of the program that runs."""
        return self._process.pid

    def start(self):
        """Start it, and come back when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **self._options
            )
        give_up = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                raise AssertionError(f"{self._command[0]} did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.01)
        return self

    def kill(self):
        """End it at once, with whatever it has not written (SIGKILL)."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self):
        """Ask it to end, and wait until it has."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    @contextmanager
    def hanging(self):
        """Let it accept connections and never answer. After that it may do what it was asked meanwhile."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            os.waitpid(self._process.pid, os.WUNTRACED)  # it may be in the midst of an answer
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _answers(self):
        try:
            return self._ready()
        except OSError:
            return False


def wait_until(condition, patience=PATIENCE):
    """Come back when the condition holds."""
    give_up = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up, "it does not come to hold"
        time.sleep(0.01)


def listens(port, host="127.0.0.1"):
    """Whether somebody accepts connections there."""
    with socket.create_connection((host, port), timeout=1):
        return True
