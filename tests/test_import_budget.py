"""What `import middleware` and building the five-layer stack may load. No time in here: a module is loaded or not."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
SOURCE = str(ROOT / "src")
SCRIPT = ROOT / "benchmarks" / "cgi_scripts" / "ours.py"
SITE = sysconfig.get_path("purelib")

# Each costs a process that starts for one request 3 to 80 ms (docs/architecture.md).
TOO_DEAR = {
    "base64",
    "calendar",
    "concurrent",
    "contextlib",
    "cryptography",
    "dataclasses",
    "datetime",
    "email",
    "enum",
    "hashlib",
    "hmac",
    "http",
    "importlib.metadata",
    "inspect",
    "itsdangerous",
    "json",
    "logging",
    "pathlib",
    "random",
    "re",
    "secrets",
    "selectors",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "typing",
    "urllib.parse",
    "uuid",
    "webob",
    "wsgiref",
}

STACK = """
from middleware import (
    AuthMiddleware, Basic, CacheMiddleware, CookieMiddleware, LoggingMiddleware, MemoryStore, SessionLogin,
    SessionMiddleware, allow, require,
)
SECRET = "a secret of the test, 32 characters"
users = {"alice": "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43}
def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
STORED = "app = SessionMiddleware(app, store=MemoryStore(max_bytes=1 << 20))"
SIGNED = "app = SessionMiddleware(app, secret=SECRET)"


def stack(session):
    return f"""{STACK}
app = AuthMiddleware(hello, [SessionLogin(users), Basic(users, realm="app")], rules=[allow("/pub"), require("/")])
{session}
app = CookieMiddleware(app, secret=SECRET)
app = CacheMiddleware(app, store=MemoryStore(max_bytes=1 << 20))
app = LoggingMiddleware(app)
"""


# SCRIPT on a server that loads nothing, as that of the standard library does, and tells the cookies that it is given.
CGI = """
import io, sys, types, wsgiref
SCRIPT, ASKED, COOKIE = sys.argv[2:]
environ = {
    "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": ASKED, "REQUEST_URI": ASKED, "QUERY_STRING": "",
    "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "shop.example", "SERVER_PORT": "80", "HTTP_HOST": "shop.example",
    "REMOTE_ADDR": "203.0.113.7", "HTTP_COOKIE": COOKIE, "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
    "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, "wsgi.multithread": False, "wsgi.multiprocess": True,
    "wsgi.run_once": True,
}
given = []
class CGIHandler:
    def run(self, app):
        def start_response(status, headers):
            assert status == "200 OK", status
            given.extend(value.partition(";")[0] for name, value in headers if name == "Set-Cookie")
        body = app(environ, start_response)
        b"".join(body)
        if hasattr(body, "close"):
            body.close()
handlers = sys.modules["wsgiref.handlers"] = types.ModuleType("wsgiref.handlers")
handlers.CGIHandler = CGIHandler
with open(SCRIPT) as script:
    exec(compile(script.read(), SCRIPT, "exec"))
"""


def loaded_by(source, *arguments):
    """The modules that `source` loads in an interpreter that reads no site-packages, no .pth file and no environment.

    What `threading`, `functools` and `os` bring along is there before: the house may use them.
    """
    return set(ran(source, *arguments)[0])


def ran(source, *arguments):
    """The modules that `source` loads, and what it calls `given`."""
    script = f"""
import sys
sys.path[:0] = {[SOURCE, SITE]!r}
import binascii, functools, os, threading, time
before = set(sys.modules)
{source}
new = sorted(set(sys.modules) - before)
import json
print(json.dumps([new, globals().get("given")]))
"""
    command = [sys.executable, "-I", "-S", "-B", "-c", script, *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_importing_middleware_loads_nothing_but_its_front_door():
    assert loaded_by("import middleware") == {"__future__", "middleware", "middleware.front_door"}


@pytest.mark.parametrize("session", [STORED, SIGNED], ids=["stored", "signed"])
def test_building_the_five_layers_loads_nothing_dear(session):
    loaded = loaded_by(stack(session))
    assert "middleware.sessions.middleware" in loaded
    assert loaded & TOO_DEAR == set()


OTHER_ROOMS = {"middleware.caching", "middleware.cookies", "middleware.logging", "middleware.sessions"}


def test_a_scheme_loads_no_other_and_no_other_room():
    source = "from middleware import AuthMiddleware, Basic, allow; AuthMiddleware(print, Basic({}), rules=[allow('/')])"
    loaded = loaded_by(source)
    schemes = {name.rpartition(".")[2] for name in loaded if name.startswith("middleware.auth.schemes.")}
    assert schemes == {"authorization", "base", "basic"}
    assert loaded & OTHER_ROOMS == set()


def test_what_finds_out_the_client_behind_proxies_loads_nothing_dear():
    request = "{'REMOTE_ADDR': '10.0.0.1', 'HTTP_X_FORWARDED_FOR': '203.0.113.9', 'HTTP_X_FORWARDED_PROTO': 'https'}"
    build = "ProxyMiddleware(lambda environ, start_response: [], trust=['10.0.0.0/8'])"
    loaded = loaded_by(f"from middleware.gateway import ProxyMiddleware; {build}({request}, None)")
    assert "middleware.gateway.proxies" in loaded
    assert loaded & TOO_DEAR == set()


def test_what_repairs_a_request_loads_nothing_dear():
    get = "{'REQUEST_METHOD': 'GET', 'PATH_INFO': '/', 'wsgi.input': None}"
    build = f"GatewayMiddleware(lambda environ, start_response: [])({get}, None)"
    loaded = loaded_by(f"from middleware import GatewayMiddleware; {build}")
    assert "middleware.gateway.body" in loaded
    assert loaded & TOO_DEAR == set()


@pytest.mark.parametrize(
    ("content", "brings"), [({"a": [1, {"b": "c"}]}, set()), ({"a": [(1, 2)]}, {"middleware.sessions.typed"})]
)
def test_what_a_session_holds_loads_no_types_that_are_not_in_it(content, brings):
    source = "from middleware.sessions.codec import decoded, encoded, encoded_value"
    loaded = loaded_by(f"{source}; encoded_value('k', {content}); decoded(encoded({content}, typed={bool(brings)}))")
    assert loaded & {"datetime", "decimal", "uuid", "middleware.sessions.typed"} == brings


# What no usual request needs, by CGI, where it pays for all that is loaded: of ours, and of others.
OF_NO_PAGE = {
    f"middleware.{name}"
    for name in (
        "auth.answers.answers", "auth.answers.pages", "auth.event_log", "auth.identity", "auth.login.login_pages",
        "auth.precis", "auth.throttle.throttle", "auth.verification", "caching.buffers", "caching.changing",
        "caching.conditional", "caching.purging", "caching.refreshing", "cookies.policy", "cookies.signed", "events",
        "logging.formats.schemas", "logging.metrics", "logging.sinks.queue", "logging.trace",
        "sessions.in_cookie.record", "sessions.in_store.endings", "sessions.in_store.index", "sessions.typed",
        "stores.memory", "structured", "timestamp_signer", "wsgi.files", "wsgi.taken",
    )
}  # fmt: skip
NEVER = {
    "email", "enum", "hmac", "http", "importlib", "inspect", "ipaddress", "itsdangerous", "logging", "pathlib", "re",
    "secrets", "socket", "tempfile", "typing", "unicodedata", "urllib.parse", "uuid", "webob",
}  # fmt: skip
OF_A_SESSION = {"json", "struct", "middleware.sessions.in_store.record", "middleware.sessions.codec"}
OF_A_MISS = {
    "middleware.caching.handle",
    "middleware.caching.asking",
    "middleware.caching.fetching",
    "middleware.caching.flights.flights",
}
OF_STORING = {"middleware.caching.judging", "middleware.caching.rules.said", "middleware.caching.rules.storing"}


@pytest.fixture
def by_cgi(tmp_path):
    """What a request of this path loads in a process of its own, and the cookies that it gives."""
    (tmp_path / "users.htpasswd").write_text("alice:$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43 + "\n")

    def request(path, cookie=""):
        loaded, given = ran(CGI, str(tmp_path), str(SCRIPT), path, cookie)
        return set(loaded), "; ".join(given)

    return request


def test_a_page_by_cgi_loads_nothing_of_sessions_and_of_storing_pages(by_cgi):
    for cookie in ("", "theme=dark"):
        loaded, _ = by_cgi("/", cookie)
        assert loaded >= OF_A_MISS
        assert loaded & (OF_A_SESSION | OF_STORING | OF_NO_PAGE | NEVER) == set()


def test_a_session_by_cgi_loads_what_it_is_kept_by_and_nothing_of_users_and_logins(by_cgi):
    _, cookies = by_cgi("/count")
    loaded, again = by_cgi("/count", cookies)
    assert again == ""  # it was found
    assert loaded >= OF_A_SESSION
    assert loaded & (OF_STORING | OF_NO_PAGE | NEVER) == {"enum", "re"}  # which json needs


def test_a_cached_page_by_cgi_loads_nothing_that_asks_the_application(by_cgi):
    by_cgi("/kept")
    loaded, _ = by_cgi("/kept")
    assert "middleware.caching.rules.said" in loaded
    assert loaded & (OF_A_SESSION | OF_A_MISS | OF_NO_PAGE | NEVER) == set()
    assert loaded & {"middleware.caching.judging", "middleware.caching.rules.storing"} == set()


def test_the_probe_would_see_what_is_loaded():
    assert {"json", "re", "enum"} <= loaded_by("import json")


@pytest.mark.parametrize(
    "name", sorted(TOO_DEAR | OTHER_ROOMS | OF_NO_PAGE | NEVER | OF_A_SESSION | OF_A_MISS | OF_STORING)
)
def test_a_module_that_may_not_be_loaded_goes_by_that_name(name):
    assert find_spec(name)
