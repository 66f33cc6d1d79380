"""What a network does to a server: nobody answers, or the answer is lost on its way."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Thread


class Silent:
    """An address that accepts connections, by the kernel, and never answers."""

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._kept = []
        return self

    def __exit__(self, *_):
        self._listener.close()
        for connection in self._kept:
            connection.close()

    @property
    def accepted(self):
        """How many connections came until now."""
        with suppress(BlockingIOError):
            while True:
                self._kept.append(self._listener.accept()[0])
        return len(self._kept)


class Relay:
    """A way to a server on which answers get lost while `losing` is set: what was asked is done, unheard of."""

    def __init__(self, port):
        self._server = port
        self.losing = Event()
        self.lost = 0

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self._listener.getsockname()[1]
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()

    def _accept(self):
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._server))
                for pair in ((client, server, False), (server, client, True)):
                    Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, target, answers):
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                if answers and self.losing.is_set():
                    self.lost += 1
                    client, server = target, source
                    client.shutdown(socket.SHUT_RDWR)
                    server.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
