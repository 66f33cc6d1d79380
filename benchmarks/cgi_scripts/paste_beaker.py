"""A CGI script: the same site with Paste's log and login round Beaker's sessions and cache, both kept in files."""

from __future__ import annotations

import gc

gc.disable()

import logging
import os
import sys
from wsgiref.handlers import CGIHandler

sys.modules["redis"] = None  # Beaker loads it where it is installed, which it need not be: 100 ms

from beaker.middleware import CacheMiddleware, SessionMiddleware
from paste.auth.basic import AuthBasicHandler
from paste.translogger import TransLogger

FOLDER = sys.argv[1]
USERS = {"alice": "correct horse battery"}


def site(environ, start_response):
    said = os.getpid()
    if environ["PATH_INFO"] == "/count":
        session = environ["beaker.session"]
        said = session["count"] = session.get("count", 0) + 1
        session.save()
    elif environ["PATH_INFO"] == "/kept":
        pages = environ["beaker.cache"].get_cache("pages", type="file", expire=86400)
        said = pages.get("/kept", createfunc=os.getpid)
    body = str(said).encode()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


private = AuthBasicHandler(site, "benchmark", lambda environ, user, password: USERS.get(user) == password)


def sites(environ, start_response):
    app = private if environ["PATH_INFO"] == "/private" else site
    return app(environ, start_response)


log = logging.getLogger("wsgi")
log.addHandler(logging.FileHandler(f"{FOLDER}/access.log"))
log.setLevel(logging.INFO)

app = CacheMiddleware(sites, {"cache.data_dir": f"{FOLDER}/cache"})
app = SessionMiddleware(app, {"session.type": "file", "session.data_dir": f"{FOLDER}/sessions"})
app = TransLogger(app, logger=log)
CGIHandler().run(app)
gc.freeze()
