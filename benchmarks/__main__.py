"""`python -m benchmarks`: measure everything and print the table. Exit status 1 where a ratio is over its target."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.method import BATCH, measure, table


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--rounds", type=int, default=60, help="rounds in which every case takes its turn (60)")
    parser.add_argument("--batch", type=float, default=BATCH * 1000, help="milliseconds of one turn (2)")
    parser.add_argument("--only", default="", help="only rows whose title holds this text")
    asked = parser.parse_args()

    warnings.simplefilter("ignore")  # the peers' own
    from benchmarks import access_log, cold_start, kernel, logins, pages, sessions, stack, tokens

    with TemporaryDirectory() as directory:
        there = Path(directory)
        rows = [
            *kernel.rows(),
            *tokens.rows(),
            *sessions.rows(),
            *access_log.rows(there),
            *logins.rows(),
            *pages.rows(),
            *stack.rows(there),
        ]
        rows = [row for row in rows if asked.only in row.title]
        cases = [case for row in rows for case in row.cases()]
        times = measure(cases, rounds=asked.rounds, batch=asked.batch / 1000)
    results = [row.result(times) for row in rows]
    if asked.only in cold_start.TITLE:
        results.append(cold_start.result(asked.rounds))
    print(table(results, markdown=asked.markdown))
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
