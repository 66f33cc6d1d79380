#!/srv/site/venv/bin/python
"""Apache starts this script, and as many more of it as it needs."""

import sys

sys.path.insert(0, "/srv/site")

from flup.server.fcgi import WSGIServer
from wsgi import application

WSGIServer(application).run()
