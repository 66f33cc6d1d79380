"""Documents of an issuer over real connections, from servers that do all they should not."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
from asking import ask
from auth_helpers import who
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt_helpers import Site, bearer, public, rsa, token

from middleware.auth.jwt.errors import FetchFailed
from middleware.auth.jwt.fetching import MOST_BYTES, check_url, fetcher
from middleware.errors import ConfigurationError

pytestmark = pytest.mark.slow

OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"Content-Type: application/json\r\n"


class Server:
    """Answers each connection by `self.act(connection, head)`, in a thread of its own."""

    def __init__(self, act, wrap=lambda connection: connection):
        self.act = act
        self.heads = []
        self.over = threading.Event()
        self._wrap = wrap
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._run)]
        self._threads[0].start()

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection):
        connection.settimeout(20)
        try:
            connection = self._wrap(connection)
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(4096)
                if not part:
                    return
                head += part
            self.heads.append(head.decode())
            self.act(connection, head.decode().split(" ")[1])
        except OSError:
            pass  # the client has gone, which is what it should
        finally:
            connection.close()

    def close(self):
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)


@contextmanager
def serving(act, **options):
    server = Server(act, **options)
    try:
        yield server
    finally:
        server.close()


def answering(*parts):
    return lambda connection, path: connection.sendall(b"".join(parts))


def said(fetch, url):
    with pytest.raises(FetchFailed) as failed:
        fetch(url)
    return str(failed.value)


@pytest.mark.parametrize(
    "head",
    [
        OK + JSON,
        OK + b"Content-Type: application/jwk-set+json; charset=utf-8\r\n",
        OK + JSON + b"Content-Length: 2\r\n",
        b"HTTP/1.0 200 OK\r\n" + JSON,
        OK + JSON + b"Connection: keep-alive\r\nContent-Length: 2\r\n",
        OK + JSON + b"Content-Encoding: identity\r\n",
    ],
)
def test_a_document_is_fetched(head):
    with serving(answering(head, b"\r\n{}")) as server:
        assert fetcher()(f"{server.url}/keys?a=b") == b"{}"
        assert server.heads[0].startswith("GET /keys?a=b HTTP/1.1\r\n")
        assert f"Host: {server.url.removeprefix('http://')}\r\n" in server.heads[0]


def test_chunks_are_put_together():
    head = OK + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    with serving(answering(head, b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n")) as server:
        assert fetcher()(server.url) == b"{}"


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([b"HTTP/1.1 302 Found\r\nLocation: /other\r\n", JSON, b"\r\n{}"], "a redirect"),
        ([b"HTTP/1.1 301 Moved\r\nLocation: https://evil.example/\r\n", JSON, b"\r\n{}"], "a redirect"),
        ([b"HTTP/1.1 307 Temporary\r\nLocation: file:///etc/passwd\r\n", JSON, b"\r\n{}"], "a redirect"),
        ([b"HTTP/1.1 500 Oops\r\n", JSON, b"\r\n{}"], "status 500"),
        ([b"HTTP/1.1 404 Not Found\r\n", JSON, b"\r\n{}"], "status 404"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], "status 204"),
        ([OK, b"Content-Type: text/html\r\n\r\n<html>"], "not JSON"),
        ([OK, b"Content-Type: text/json\r\n\r\n{}"], "not JSON"),
        ([OK, b"\r\n{}"], "not JSON"),
        ([OK, JSON, b"Content-Encoding: gzip\r\n\r\n{}"], "compressed"),
        ([OK, JSON, b"\r\n", b"x" * (MOST_BYTES + 1)], "too large"),
        ([OK, JSON, b"\r\n", b"x" * 1_000_000], "too large"),
        ([OK, JSON, b"Content-Length: 1000000\r\n\r\n", b"x" * 1_000_000], "too large"),
        ([OK, JSON, b"Content-Length: 5\r\n\r\n{}"], "cut short"),
        ([OK, JSON, b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}"], "no answer: IncompleteRead"),
        ([b"nonsense\r\n\r\n"], "no answer: BadStatusLine"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 70_000], "no answer: LineTooLong"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n"], "no answer: HTTPException"),
        ([b""], "no answer: RemoteDisconnected"),
    ],
)
def test_what_is_no_such_document_is_not_taken(parts, says):
    with serving(answering(*parts)) as server:
        assert said(fetcher(), server.url) == says
        assert len(server.heads) == 1


def test_the_largest_document_is_fetched():
    with serving(answering(OK, JSON, b"\r\n", b"x" * MOST_BYTES)) as server:
        assert len(fetcher()(server.url)) == MOST_BYTES


def trickling(first):
    def act(connection, path):
        connection.sendall(first)
        server_is_tired = threading.Event()
        for _ in range(400):
            connection.sendall(b" ")
            server_is_tired.wait(0.05)

    return act


@pytest.mark.parametrize(
    "first", [b"", OK, OK + b"X: ", OK + JSON + b"\r\n", OK + JSON + b"Content-Length: 1000\r\n\r\n{"]
)
def test_a_server_that_trickles_is_left_in_time(first):
    """Each byte comes soon enough; all of them do not."""
    with serving(trickling(first)) as server:
        assert said(fetcher(seconds=0.5), server.url) == "too slow"


def test_a_server_that_says_nothing_is_left_in_time():
    with serving(lambda connection, path: connection.recv(1)) as server:
        assert said(fetcher(seconds=0.3), server.url) == "too slow"


def test_a_port_where_nobody_listens_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert said(fetcher(), f"http://127.0.0.1:{port}") == "no answer: ConnectionRefusedError"
    assert said(fetcher(), "http://nobody.invalid/").startswith("no answer: ")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that nobody vouches for, and its key."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, False, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return str(path)


def test_https_is_spoken_with_whom_the_machine_trusts(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(
        answering(OK, JSON, b"\r\n{}"), wrap=lambda plain: context.wrap_socket(plain, server_side=True)
    ) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        assert said(fetcher(), url) == "no answer: SSLCertVerificationError"
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        assert fetcher()(url) == b"{}"
        assert said(fetcher(), url.replace("localhost", "127.0.0.1")) == "no answer: SSLCertVerificationError"


def test_a_server_that_does_not_speak_tls_is_left_in_time():
    with serving(lambda connection, path: None) as server:
        url = server.url.replace("http:", "https:")
        assert said(fetcher(seconds=0.5), url) in ("too slow", "no answer: SSLError")


@pytest.mark.parametrize(
    "url", [None, b"https://a.example", "https://a.example/\n", "https://ä.example", "https://a\\b", 7]
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ConfigurationError):
        check_url("issuer=", url, allow_insecure=True)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/a", "http://127.0.0.1", "http://[::1]:80/", "https://a.example"]
)
def test_http_to_this_machine_is_allowed_where_that_is_said(url):
    assert check_url("issuer=", url, allow_insecure=True) == url


class IssuerOverHttp:
    """An issuer that a real server stands for, and what becomes of it."""

    def __init__(self):
        self.keys = public(rsa())
        self.trouble = None
        self.fetches = 0

    def __call__(self, connection, path):
        if path == "/.well-known/openid-configuration":
            body = json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode()
        else:
            self.fetches += 1
            body = json.dumps(self.keys).encode()
        connection.sendall(self.trouble or OK + JSON + b"\r\n" + body)


@pytest.fixture
def issuer():
    issuer = IssuerOverHttp()
    with serving(issuer) as server:
        issuer.url = server.url
        yield issuer


def test_keys_rotate_and_outages_are_outlived_over_http(issuer):
    site = Site(who, issuer=issuer.url, allow_insecure=True, remember_for=0)

    def code(kid="rsa-1"):
        return ask(site, headers=bearer(token(key=rsa(kid), head={"kid": kid}, iss=issuer.url, exp=2e9))).code

    assert code() == 200
    issuer.keys = public(rsa(), rsa("rsa-2"))
    assert code("rsa-2") == 200
    issuer.keys = public(rsa("rsa-2"))
    site.clock.advance(300)
    assert (code(), code("rsa-2")) == (401, 200)
    for trouble in (
        b"HTTP/1.1 500 Oops\r\n\r\n",
        OK + b"Content-Type: text/html\r\n\r\n<html>",
        OK + JSON + b"\r\n" + b"x" * 1_000_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
    ):
        issuer.trouble = trouble
        site.clock.advance(300)
        assert code("rsa-2") == 200
    site.clock.advance(86_400)
    assert code("rsa-2") == 503
    issuer.trouble = None
    site.clock.advance(12)
    assert code("rsa-2") == 200
    assert set(site.told("jwks.failed")) == {"status 500", "not JSON", "too large", "a redirect"}


def test_a_cold_crowd_fetches_once_over_http(issuer):
    site = Site(who, issuer=issuer.url, allow_insecure=True, remember_for=0)
    made = token(iss=issuer.url)
    together = threading.Barrier(20)
    answers = []

    def run():
        together.wait()
        answers.append(ask(site, headers=bearer(made)).code)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 20
    assert issuer.fetches == 1
