"""An AJP daemon of threads."""

import socket

from flup.server.ajp import WSGIServer
from wsgi import application

from middleware import RawTargetMiddleware


class Server(WSGIServer):
    """Without TCP_NODELAY, uploads crawl at 0.2 MB a second."""

    def _setupSocket(self):
        listening = super()._setupSocket()
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening


# mod_proxy_ajp hands on the path as it was sent, percent-encoded.
Server(RawTargetMiddleware(application), bindAddress=("127.0.0.1", 9000)).run()
