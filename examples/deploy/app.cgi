#!/srv/site/venv/bin/python
"""One process a request."""

import gc

gc.disable()  # one request leaves little garbage: not to look for it takes a quarter off what the stack costs

import signal
import sys
from wsgiref.handlers import CGIHandler

sys.path.insert(0, "/srv/site")

from wsgi import application

# When the client has left, the web server closes the pipe and says SIGTERM. The pipe is enough: the answer is closed and
# logged as it breaks. Whatever goes on all the same is killed three seconds later.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
CGIHandler().run(application)
gc.freeze()  # nor at the end of the process
