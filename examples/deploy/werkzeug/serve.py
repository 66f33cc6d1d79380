"""Werkzeug's server, which `flask run` starts too. For development."""

from werkzeug.serving import run_simple
from wsgi import application

run_simple("127.0.0.1", 8080, application, threaded=True)
