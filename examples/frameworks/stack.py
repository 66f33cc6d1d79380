"""The layers round an application, whichever framework it was made with. Copy this beside the file of yours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    FileSink,
    GatewayMiddleware,
    LoggingMiddleware,
    MemoryStore,
    SessionLogin,
    SessionMiddleware,
    SQLiteStore,
    allow,
    optional,
    require,
)

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

DATA = Path(os.environ.get("SITE_DATA") or Path(__file__).parent / "data")

# Her password is seven-green-apples. `python -m middleware auth hash` makes such a line of yours.
USERS = {"ann": "$scrypt$ln=14,r=8,p=5$b3nHmpl0vQNZgARnxTNCQA$KanjcA5B6KPtVP/fHeHOW9MvSt7T+q169BwhJOU3U4Q"}
RULES = [
    allow("=/", "/café"),  # one page for everybody, which the cache may keep: nobody is identified
    require("/private"),
    optional("/"),  # all the rest: identified where possible
]


def in_layers(app: WSGIApplication, folder: Path = DATA) -> WSGIApplication:
    """The application in its layers, which keep all they have to keep in this folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    store = SQLiteStore(folder / "site.db")
    app = AuthMiddleware(app, [SessionLogin(USERS), Basic(USERS)], rules=RULES, store=store)
    app = SessionMiddleware(app, store=store)
    app = CacheMiddleware(app, store=MemoryStore())
    app = LoggingMiddleware(app, format="json", sink=FileSink(folder / "access.log"))
    app = GatewayMiddleware(app)  # the last line is the outermost layer
    return app
