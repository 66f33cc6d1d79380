"""The standard library's server, a thread for each request. For development."""

from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

from wsgi import application


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


make_server("127.0.0.1", 8080, application, Threaded).serve_forever()
