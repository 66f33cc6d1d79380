"""The benchmarks run, with every assertion of equal work. What they measure is not judged: no test holds a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_every_benchmark_does_equal_work_and_is_in_the_table():
    for peer in ("beaker.middleware", "django", "flask_caching", "paste.translogger"):
        pytest.importorskip(peer, reason="the peers come with the extra 'bench'")
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "1", "--batch", "0.01", "--markdown"],
        cwd=ROOT,
        env={**os.environ, "PYTHONDEVMODE": ""},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    titles = [line.split("|")[1].strip() for line in ran.stdout.splitlines()[2:]]
    assert {
        "pass on",
        "session read, cookie",
        "cache hit, 10 KB",
        "cache miss, stored",
        "five layers, memory session",
        "import and build",
        "CGI, a page",
        "CGI, a session, beside Flask",
        "CGI, a cached page",
    } <= {*titles}
    assert len(titles) == len({*titles})
