"""The whole stack, in the one place where the layers meet. Copy these lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from examples.reference.last_lines import LINES
from examples.reference.own_layer import ShowCacheStatus
from examples.reference.site import login_page, refused_page, site
from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    CookieMiddleware,
    Htpasswd,
    LoggingMiddleware,
    MemoryStore,
    RememberMe,
    SessionLogin,
    SessionMiddleware,
    allow,
    optional,
    require,
)

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from examples.reference.last_lines import LastLines
    from middleware import FileSink, Store

HERE = Path(__file__).parent

RULES = [
    allow("/clock", "/stream", "/static"),  # for everybody; nobody is identified
    require("/signed-in", schemes=["session"], fresh=3600),  # who signed in within the hour, not who is remembered
    require("/notes", schemes=["session"]),
    require("/admin", schemes=["session"], role="admin"),
    require("/api", schemes=["basic"]),
    optional("/"),  # all the rest: identified where possible
]


def build(
    secret: str | bytes,
    sessions: Store,
    *,
    pages: Store | None = None,
    sink: LastLines | FileSink = LINES,
    log_format: str = "combined",
    site: WSGIApplication = site,
) -> WSGIApplication:
    """A site in its five layers.

    `secret` signs cookies of CookieMiddleware, `sessions` keeps who is signed in, `pages` what is cached; in the memory
    of this process unless a store is given. `sink` takes the lines of the access log.
    """
    users = Htpasswd(HERE / "users.htpasswd", groups=HERE / "groups")

    app: WSGIApplication = site
    app = AuthMiddleware(
        app,
        [SessionLogin(users, page=login_page, remember=RememberMe(days=30)), Basic(users, realm="Reference app")],
        rules=RULES,
        store=sessions,
        page=refused_page,
    )
    app = SessionMiddleware(app, store=sessions)
    app = CookieMiddleware(app, secret=secret)
    app = CacheMiddleware(app, store=MemoryStore() if pages is None else pages)
    app = ShowCacheStatus(app, paths=("/clock", "/report"))  # a layer of our own
    app = LoggingMiddleware(app, format=log_format, sink=sink)  # the last line is the outermost layer
    return app
