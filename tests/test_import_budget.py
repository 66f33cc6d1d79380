"""What `import middleware` and building the five-layer stack may load. No time in here: a module is loaded or not."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SOURCE = str(Path(__file__).parent.parent / "src")
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


def loaded_by(source):
    """The modules that `source` loads in an interpreter that reads no site-packages, no .pth file and no environment.

    What `threading`, `functools` and `os` bring along is there before: the house may use them.
    """
    script = f"""
import sys
sys.path[:0] = {[SOURCE, SITE]!r}
import binascii, functools, os, threading, time
before = set(sys.modules)
{source}
new = sorted(set(sys.modules) - before)
import json
print(json.dumps(new))
"""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    return set(json.loads(ran.stdout))


def test_importing_middleware_loads_nothing_else():
    assert loaded_by("import middleware") == {"middleware"}


@pytest.mark.parametrize("session", [STORED, SIGNED], ids=["stored", "signed"])
def test_building_the_five_layers_loads_nothing_dear(session):
    loaded = loaded_by(stack(session))
    assert "middleware.sessions.middleware" in loaded
    assert loaded & TOO_DEAR == set()


def test_a_scheme_loads_no_other_and_no_other_room():
    source = "from middleware import AuthMiddleware, Basic, allow; AuthMiddleware(print, Basic({}), rules=[allow('/')])"
    loaded = loaded_by(source)
    schemes = {name.rpartition(".")[2] for name in loaded if name.startswith("middleware.auth.schemes.")}
    assert schemes == {"authorization", "base", "basic"}
    assert loaded & {"middleware.caching", "middleware.cookies", "middleware.logging", "middleware.sessions"} == set()


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


def test_the_probe_would_see_what_is_loaded():
    assert {"json", "re", "enum"} <= loaded_by("import json")
