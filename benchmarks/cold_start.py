"""What a process that serves one request pays before it: `import middleware`, and building the five layers."""

from __future__ import annotations

import random
import subprocess
import sys
import sysconfig
from pathlib import Path
from time import perf_counter

from benchmarks.method import Result

SOURCE = str(Path(__file__).parent.parent / "src")
TITLE = "import and build"
LIMIT = 25  # ms; the aim is 12

BUILD = """
from middleware import (
    AuthMiddleware, Basic, CacheMiddleware, CookieMiddleware, LoggingMiddleware, MemoryStore, SessionLogin,
    SessionMiddleware, allow, require,
)
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
SECRET = "benchmark secret, 32 bytes long."
app = AuthMiddleware(app, [SessionLogin({}), Basic({})], rules=[allow("/pub"), require("/")])
app = SessionMiddleware(app, store=MemoryStore())
app = CookieMiddleware(app, secret=SECRET)
app = CacheMiddleware(app, store=MemoryStore())
app = LoggingMiddleware(app)
"""


def result(rounds: int) -> Result:
    """Both interpreters take turns, without site-packages' .pth files and without an environment."""
    paths = f"import sys; sys.path[:0] = {[SOURCE, sysconfig.get_path('purelib')]!r}\n"
    scripts = {"bare": paths, "ours": paths + BUILD}
    least = dict.fromkeys(scripts, float("inf"))
    _start(scripts["ours"])  # writes the byte code
    for _ in range(rounds):
        for name in random.sample([*scripts], len(scripts)):
            least[name] = min(least[name], _start(scripts[name]))
    bare = least["bare"] * 1000
    ours = least["ours"] * 1000 - bare
    return Result(TITLE, ours, "bare interpreter", bare, "ms", ours / bare, LIMIT, judged_by="ours")


def _start(script: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)
    return perf_counter() - began
