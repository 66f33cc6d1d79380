"""CherryPy's server, alone."""

import signal
import sys

from cheroot.wsgi import Server
from wsgi import application

server = Server(("127.0.0.1", 8080), application, numthreads=8)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
try:
    server.start()
finally:
    server.stop()
