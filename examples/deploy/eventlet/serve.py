"""eventlet's server: a green thread for each request."""

import eventlet

eventlet.monkey_patch()  # before anything else is imported

import eventlet.wsgi
from wsgi import application

# Without minimum_chunk_size, 32 KiB of each answer are held back.
eventlet.wsgi.server(eventlet.listen(("127.0.0.1", 8080)), application, minimum_chunk_size=1, log_output=False)
