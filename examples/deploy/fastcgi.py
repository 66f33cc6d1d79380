"""A FastCGI daemon of threads."""

from flup.server.fcgi import WSGIServer
from wsgi import application

WSGIServer(application, bindAddress=("127.0.0.1", 9000)).run()
