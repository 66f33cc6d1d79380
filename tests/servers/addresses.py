"""The address of a store on each kind of server, with nothing in it."""

from __future__ import annotations

from servers.programs import IN_TIME
from stores.sql_kit import DRIVERS, place

KINDS = ("redis", "cluster", "memcached", *DRIVERS)


def empty_store(kind, request):
    """What `open_store` takes. The server is started where no test has asked for it yet."""
    if kind in DRIVERS:
        return empty_table(place(kind, request))
    server = request.getfixturevalue({"redis": "redis_server", "cluster": "redis_cluster"}.get(kind, kind))
    if kind == "memcached":
        server.ask("flush_all")
    for node in server.nodes if kind == "cluster" else [server] if kind == "redis" else []:
        node.ask("FLUSHALL")
    return server.url()


def empty_table(database):
    database.store()
    database.close()
    return f"{database.url}{IN_TIME}&table={database.table}"
