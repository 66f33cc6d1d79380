"""gevent's server: a greenlet for each request."""

from gevent import monkey

monkey.patch_all()  # before anything else is imported

import signal

from gevent import signal_handler
from gevent.pywsgi import WSGIServer
from wsgi import application

server = WSGIServer(("127.0.0.1", 8080), application, log=None)
signal_handler(signal.SIGTERM, server.stop, 2)
server.serve_forever()
