"""The reference app for any server: what outlives a request is in files of one folder.

Any number of threads and processes may share them, so the same stack serves under CGI, where each request has a process
of its own, and under a server with many workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.reference.secret import secret_in
from examples.reference.site import site
from examples.reference.stack import build
from middleware import FileSink, GatewayMiddleware, SQLiteStore

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIApplication


def deployed(kept: Path, site: WSGIApplication = site) -> WSGIApplication:
    """The site in its stack, which keeps all it has to keep in this folder."""
    kept.mkdir(mode=0o700, exist_ok=True)
    app = build(
        secret_in(kept),
        SQLiteStore(kept / "sessions.db"),
        pages=SQLiteStore(kept / "pages.db"),
        sink=FileSink(kept / "access.log"),
        log_format="json",
        site=site,
    )
    # Some gateways lose an answer that comes before the request was read: up to 4 MiB of it are.
    return GatewayMiddleware(app, drain=4 << 20)
