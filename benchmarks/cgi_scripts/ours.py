"""A CGI script: the same site in all five layers, kept in two SQLite files and a log file in the folder it is given."""

from __future__ import annotations

import gc

gc.disable()

import os
import sys
from wsgiref.handlers import CGIHandler

from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    CookieMiddleware,
    FileSink,
    Htpasswd,
    LoggingMiddleware,
    SessionLogin,
    SessionMiddleware,
    SQLiteStore,
    allow,
    get_session,
    optional,
    require,
)

FOLDER = sys.argv[1]


def site(environ, start_response):
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    said = os.getpid()
    if environ["PATH_INFO"] == "/count":
        session = get_session(environ)
        said = session["count"] = session.get("count", 0) + 1
    elif environ["PATH_INFO"] == "/kept":
        headers.append(("Cache-Control", "public, max-age=86400"))
    body = str(said).encode()
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]


sessions = SQLiteStore(f"{FOLDER}/sessions.db")
users = Htpasswd(f"{FOLDER}/users.htpasswd")

app = AuthMiddleware(
    site,
    [SessionLogin(users), Basic(users, realm="benchmark")],
    rules=[allow("/kept"), require("/private", schemes=["basic"]), optional("/")],
    store=sessions,
)
app = SessionMiddleware(app, store=sessions)
app = CookieMiddleware(app, secret="benchmark secret, 32 bytes long.")
app = CacheMiddleware(app, store=SQLiteStore(f"{FOLDER}/pages.db", durable=False))
app = LoggingMiddleware(app, sink=FileSink(f"{FOLDER}/access.log"))
CGIHandler().run(app)
gc.freeze()
