"""What is wrong with a deployment is told where its operator looks: in the log of the server."""

from __future__ import annotations

import pytest
from deployment.rows import ROWS
from deployment.site import served
from servers.asked import ANN
from servers.programs import wait_until

pytestmark = pytest.mark.slow

IN_MEMORY = """
from middleware import MemoryStore, SessionMiddleware, get_session

def application(environ, start_response):
    get_session(environ)["seen"] = True
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"seen"]

application = SessionMiddleware(application, store=MemoryStore())
"""


@pytest.mark.parametrize("row", [name for name, row in ROWS.items() if row.authorization])
def test_where_authorization_is_not_handed_on_the_log_names_the_setting(row):
    setting = ROWS[row].authorization
    with served(row, without=setting) as site:
        assert site.ask("/api/me", ANN).status == 401
        wait_until(lambda: setting in site.running.logs())


@pytest.mark.parametrize("row", ["apache-cgid", "lighttpd-cgi", "modwsgi-daemon", "gunicorn-sync", "uwsgi-http"])
def test_where_memory_is_not_shared_the_log_says_so(row):
    with served(row, IN_MEMORY) as site:
        assert site.ask("/").body == b"seen"
        wait_until(lambda: "MemoryStore" in site.running.logs())
