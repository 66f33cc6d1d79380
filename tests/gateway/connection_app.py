"""Applications for real servers behind real proxies: they say what they know of their connection."""

from __future__ import annotations

import json

from middleware import ProxyMiddleware

ENTRIES = (
    "REMOTE_ADDR", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO",
    "middleware.peer", "middleware.forwarded",
)  # fmt: skip


def tells(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({key: environ[key] for key in ENTRIES if key in environ}).encode()]


listed = ProxyMiddleware(
    tells, trust=["unix", "127.0.0.1"], host="X-Forwarded-Host", port="X-Forwarded-Port", prefix="X-Forwarded-Prefix"
)
standard = ProxyMiddleware(tells, trust=["unix", "127.0.0.1"], field="Forwarded", host="Forwarded")
