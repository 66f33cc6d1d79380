"""Paste's server, with threads from a pool: five at least."""

from paste.httpserver import serve
from wsgi import application

serve(application, "127.0.0.1", "8080", threadpool_workers=10)
