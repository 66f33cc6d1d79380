"""How the benchmarks measure. The rule: only ratios within one run count, and only after equal work was asserted.

Other jobs on the machine raise all times alike, so times of two runs say nothing, while a ratio of two cases that took
turns in one run holds. Each round runs every case once, in shuffled order, in batches of 2 ms; the least of all rounds
is the case's time. Garbage is collected as in a server, after what exists already is frozen.
"""

from __future__ import annotations

import gc
import random
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import WSGIApplication

BATCH = 0.002  # seconds

# What a request carries when it reaches an application: the keys of a usual server behind a usual browser.
REQUEST: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/account/orders",
    "QUERY_STRING": "page=2",
    "REQUEST_URI": "/account/orders?page=2",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_SOFTWARE": "server/1.0",
    "REMOTE_ADDR": "203.0.113.7",
    "REMOTE_PORT": "49152",
    "HTTP_HOST": "shop.example",
    "HTTP_CONNECTION": "keep-alive",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
    "HTTP_ACCEPT_LANGUAGE": "de-DE,de;q=0.9,en;q=0.5",
    "HTTP_REFERER": "https://shop.example/account",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "HTTP_COOKIE": "theme=dark; consent=2024-11-02; _track=GA1.2.1234567890.1700000000",
    "HTTP_UPGRADE_INSECURE_REQUESTS": "1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.input": BytesIO(),
    "wsgi.errors": None,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


@dataclass(frozen=True)
class Case:
    """Something to time: `run` once, after `check` has asserted what it does."""

    name: str
    run: Callable[[], object]
    check: Callable[[], object] = field(default=lambda: None)


@dataclass(frozen=True)
class Row:
    """One line of the table: what ours costs above its base, over what the peer costs above its own.

    A run that does the thing many times says so in `per`; the ratio does not change, the times are those of one.
    A row without a target tells what something costs.
    """

    title: str
    ours: Case
    peer: Case
    target: float | None
    ours_base: Case | None = None
    peer_base: Case | None = None
    per: int = 1

    def cases(self) -> Iterable[Case]:
        return [case for case in (self.ours, self.peer, self.ours_base, self.peer_base) if case]

    def result(self, times: dict[Case, float]) -> Result:
        ours = times[self.ours] - (times[self.ours_base] if self.ours_base else 0)
        peer = times[self.peer] - (times[self.peer_base] if self.peer_base else 0)
        in_us = 1e6 / self.per
        return Result(self.title, ours * in_us, self.peer.name, peer * in_us, "µs", ours / peer, self.target)


@dataclass(frozen=True)
class Result:
    """A measured row; `judged` is what is held against the target, as a rule the ratio."""

    title: str
    ours: float
    peer_name: str
    peer: float
    unit: str
    ratio: float
    target: float | None
    judged_by: str = "ratio"

    @property
    def ok(self) -> bool:
        return self.target is None or (self.ratio if self.judged_by == "ratio" else self.ours) <= self.target

    def cells(self) -> list[str]:
        target = "-"
        if self.target is not None:
            target = f"{self.target:.3g}" if self.judged_by == "ratio" else f"{self.target:g} {self.unit}"
        return [
            self.title,
            f"{self.ours:.2f} {self.unit}",
            self.peer_name,
            f"{self.peer:.2f} {self.unit}",
            f"{self.ratio:.3f}",
            target,
            "" if self.target is None else "ok" if self.ok else "over",
        ]


@dataclass(frozen=True)
class Answer:
    """What an application gave to one request."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    def field(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def cookies(self) -> str:
        """What a browser would send back, as the Cookie field of the next request."""
        return "; ".join(
            value.partition(";")[0].strip()
            for key, value in self.headers
            if key.lower() == "set-cookie" and "=" in value
        )


def ask(app: WSGIApplication, **environ: Any) -> Answer:
    """One request, looked at."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        head[:] = status, headers
        return len

    body = app({**REQUEST, **environ}, start_response)
    data = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return Answer(head[0], list(head[1]), data)


def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
    """A server's, for requests that are timed."""
    return len


def serve(app: WSGIApplication, **environ: Any) -> Callable[[], None]:
    """One request as a server makes it, to be timed: copy the environ, call, iterate, close."""
    request = {**REQUEST, **environ}

    def run() -> None:
        body = app(request.copy(), start_response)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()

    return run


def url_number(number: int) -> dict[str, str]:
    """What environ has of one of many URLs."""
    path = f"/account/orders/{number}"
    return {"PATH_INFO": path, "REQUEST_URI": f"{path}?page=2"}


def serve_anew(app: WSGIApplication, *, chunks: int | None = None) -> Callable[[], None]:
    """The same, for a URL that was not asked for yet. `chunks`: of the body, after which the client leaves."""
    numbers = count()

    def run() -> None:
        request = REQUEST.copy()
        request.update(url_number(next(numbers)))
        body = app(request, start_response)
        if chunks is None:
            for _ in body:
                pass
        else:
            iterator = iter(body)
            for _ in range(chunks):
                next(iterator)
        if hasattr(body, "close"):
            body.close()

    return run


def measure(cases: Iterable[Case], *, rounds: int, batch: float = BATCH) -> dict[Case, float]:
    """The least seconds that one run of each case took."""
    unique = list(dict.fromkeys(cases))
    for case in unique:
        case.check()
    batches = [(case, _size(case.run, batch)) for case in unique]
    least = dict.fromkeys(unique, float("inf"))
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        random.shuffle(batches)
        for case, times in batches:
            least[case] = min(least[case], _seconds(case.run, times) / times)
    gc.unfreeze()
    return least


def _size(run: Callable[[], object], batch: float) -> int:
    """How many runs fill a batch, once what is done only the first time (a password verified, a module loaded) is."""
    run()
    times = 1
    while (seconds := _seconds(run, times)) < batch / 2:
        times *= 2
    return max(1, round(times * batch / seconds))


def _seconds(run: Callable[[], object], times: int) -> float:
    repeated = range(times)
    began = perf_counter()
    for _ in repeated:
        run()
    return perf_counter() - began


def table(results: Sequence[Result], *, markdown: bool = False) -> str:
    """The results as text or as a Markdown table."""
    heading = ["scenario", "ours", "peer", "peer's", "ratio", "target", ""]
    lines = [heading, *(result.cells() for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in padded)
    rule = ["-" * width for width in widths]
    return "\n".join(f"| {' | '.join(line)} |" for line in (padded[0], rule, *padded[1:]))
