"""Starts the reference app as a reader does, on a free port, and stops it by its own process id."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Thread

ROOT = Path(__file__).parent.parent
PATIENCE = 20  # seconds for a line to come


class Served:
    """A running reference app."""

    def __init__(self, process):
        self._lines = Queue()
        self._passed_over = []
        Thread(target=lambda: [self._lines.put(line) for line in process.stdout], daemon=True).start()
        self.greeting = ""
        while "Ctrl-C" not in self.greeting:
            self.greeting += self._lines.get(timeout=PATIENCE)
        self.url = re.search(r"http://127\.0\.0\.1:\d+", self.greeting)[0]

    def line_with(self, text):
        """The line that holds this text, whatever was printed before it: threads may log in any order."""
        for line in self._passed_over:
            if text in line:
                return line
        while text not in (line := self._lines.get(timeout=PATIENCE)):
            self._passed_over.append(line)
        return line


@contextmanager
def served():
    """The reference app on a free port, with a folder of its own for what it keeps."""
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "examples.reference", "--keep", folder],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        try:
            yield Served(process)
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)
