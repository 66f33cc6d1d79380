"""A CGI script: the page and the counter in Flask, with its session in a signed cookie. No log, no login, no cache."""

from __future__ import annotations

import gc

gc.disable()

import os
from wsgiref.handlers import CGIHandler

from flask import Flask, Response, session

app = Flask("benchmarks")
app.secret_key = "benchmark secret, 32 bytes long."


@app.get("/")
def page():
    return Response(str(os.getpid()), mimetype="text/plain")


@app.get("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return Response(str(session["count"]), mimetype="text/plain")


CGIHandler().run(app)
gc.freeze()
