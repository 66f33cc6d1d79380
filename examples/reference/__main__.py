"""`python -m examples.reference`: serve the reference app with waitress on a loopback port."""

from __future__ import annotations

import argparse
from pathlib import Path

from waitress import create_server

from examples.reference.secret import secret_in
from examples.reference.stack import build
from middleware import SQLiteStore

ACCOUNTS = (("ann", "seven-green-apples", "has the role admin"), ("bob", "three-blue-boats", "has none"))
KEPT = Path(__file__).parent / "instance"


def main() -> None:
    """Serve until interrupted. Sessions and the secret are kept in a folder, so that a restart signs nobody out."""
    parser = argparse.ArgumentParser(prog="python -m examples.reference", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="the loopback port; a free one by default")
    parser.add_argument("--keep", type=Path, default=KEPT, help="the folder for sessions and secret")
    asked = parser.parse_args()
    port: int = asked.port
    folder: Path = asked.keep

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with SQLiteStore(folder / "sessions.db") as sessions:
        server = create_server(build(secret_in(folder), sessions), host="127.0.0.1", port=port)
        print(f"The reference app: http://127.0.0.1:{server.effective_port}/")
        for user, password, role in ACCOUNTS:
            print(f"  sign in as {user} with {password} ({role})")
        print("Stop it with Ctrl-C. One line a request follows.", flush=True)
        server.run()


if __name__ == "__main__":
    main()
