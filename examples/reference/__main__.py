"""`python -m examples.reference`: serve the reference app with waitress on a loopback port."""

from __future__ import annotations

import argparse
import os

from waitress import create_server

from examples.reference.stack import build

ACCOUNTS = (("ann", "seven-green-apples", "has the role admin"), ("bob", "three-blue-boats", "has none"))


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.reference", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="the loopback port; a free one by default")
    port: int = parser.parse_args().port

    server = create_server(build(secret=os.urandom(32)), host="127.0.0.1", port=port)
    print(f"The reference app: http://127.0.0.1:{server.effective_port}/")
    for user, password, role in ACCOUNTS:
        print(f"  sign in as {user} with {password} ({role})")
    print("Stop it with Ctrl-C. One line a request follows.", flush=True)
    server.run()


if __name__ == "__main__":
    main()
