"""`python -m benchmarks`: measure everything and print the table."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.method import BATCH, measure, table
from benchmarks.redis_server import redis_server


def main() -> None:
    """Measure and print: what ours costs, what the peer costs, the ratio, and whether that reaches its target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--rounds", type=int, default=60, help="rounds in which every case takes its turn (60)")
    parser.add_argument("--batch", type=float, default=BATCH * 1000, help="milliseconds of one turn (2)")
    parser.add_argument("--only", default="", help="only rows whose title holds this text")
    asked = parser.parse_args()

    warnings.simplefilter("ignore")  # the peers' own
    from benchmarks import (
        access_log,
        cgi,
        cold_start,
        gateway,
        kernel,
        logins,
        metrics,
        misses,
        pages,
        proxies,
        sessions,
        stack,
        tokens,
    )

    with TemporaryDirectory() as directory, redis_server(Path(directory)) as redis_port:
        there = Path(directory)
        rows = [
            *kernel.rows(),
            *gateway.rows(),
            *proxies.rows(),
            *tokens.rows(),
            *sessions.rows(redis_port),
            *access_log.rows(there),
            *metrics.rows(there),
            *logins.rows(),
            *pages.rows(redis_port),
            *misses.rows(),
            *stack.rows(there),
        ]
        rows = [row for row in rows if asked.only in row.title]
        cases = [case for row in rows for case in row.cases()]
        times = measure(cases, rounds=asked.rounds, batch=asked.batch / 1000)
        results = [row.result(times) for row in rows]
        if asked.only in cold_start.TITLE:
            results.append(cold_start.result(asked.rounds))
        results += cgi.results(there, asked.rounds, only=asked.only)
    print(table(results, markdown=asked.markdown))


if __name__ == "__main__":
    main()
