"""Client certificates through real TLS, of cheroot, werkzeug, nginx, and nginx before uWSGI. CRT-1, CRT-2."""

from __future__ import annotations

import json
import ssl
import threading
import time
from contextlib import contextmanager
from http.client import HTTPSConnection

import pytest
from auth_helpers import who
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from conftest import program
from cryptography import x509
from over_http import exchange, served
from own_ca import DAY, DNS, EMAIL, Authority, a_key, authority, escaped, write_with_key
from servers.http_servers import QuietWerkzeug, uwsgi
from servers.nginx import nginx
from servers.programs import free_port
from werkzeug.serving import make_server as make_werkzeug_server

from middleware.auth import AuthMiddleware, optional, require
from middleware.auth.schemes.client_certificate import ClientCertificate
from middleware.auth.schemes.trusted_header import TrustedHeader

pytestmark = pytest.mark.slow

BOB = {"Authorization": "Basic Ym9iOmJvYXQ="}
SECRET = "the proxy's own secret"
HELD = "ann@example.com ann@example.com certificate"
NOBODY = "None None None"
RULES = [optional("/maybe"), require("/")]


class Certificates:
    """Files of the server, of clients, and of what both trust."""

    def __init__(self, folder):
        now = time.time()
        lasting = {"begins": now - DAY, "ends": now + DAY}
        here = [x509.DNSName("localhost")]
        self.folder = folder
        self.authority, _ = write_with_key(folder, "authority", authority().certificate, authority().key)
        self.server = write_with_key(folder, "server", authority().issue("localhost", san=here, **lasting), a_key())
        names = [EMAIL("ann@example.com"), DNS("ann.example.com")]
        issued = {
            "ann": authority().issue("Ann Smith", san=names, **lasting),
            "nameless": authority().issue("Ann Smith", **lasting),
            "two": authority().issue("Ann Smith", san=[*names, EMAIL("root@example.com")], **lasting),
            "expired": authority().issue("Ann", san=names, begins=now - 2 * DAY, ends=now - DAY),
            "foreign": Authority("Staff CA").issue("Ann Smith", san=names, **lasting),
        }
        self.clients = {name: write_with_key(folder, name, one, a_key()) for name, one in issued.items()}
        self.ann = issued["ann"]

    def ask(self, port, path, client=None, headers=None):
        """The status and the text of the answer to a client with this certificate."""
        context = ssl.create_default_context(cafile=self.authority)
        if client is not None:
            context.load_cert_chain(*self.clients[client])
        connection = HTTPSConnection("localhost", port, timeout=20, context=context)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    @contextmanager
    def nginx(self, servers, **values):
        """The port of an nginx with these `server` blocks."""
        port = free_port()
        folder = self.folder / str(port)
        folder.mkdir()
        passwords = folder / "passwords"
        passwords.write_text("bob:{PLAIN}boat\n")
        tls = _TLS.format(port=port, server=self.server, authority=self.authority)
        with nginx(program("nginx"), folder, servers.format(tls=tls, passwords=passwords, **values), port):
            yield port


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def cheroot(app, certificates):
    server = Server(("127.0.0.1", 0), app, numthreads=2)
    server.ssl_adapter = BuiltinSSLAdapter(
        *map(str, certificates.server), certificate_chain=str(certificates.authority)
    )
    server.ssl_adapter.context.load_verify_locations(certificates.authority)
    server.ssl_adapter.context.verify_mode = ssl.CERT_OPTIONAL
    server.error_log = lambda *_, **__: None  # that of a handshake which fails
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.bind_addr[1]
    finally:
        server.stop()
        thread.join()


@pytest.fixture(scope="module")
def by_cheroot(certificates):
    app = AuthMiddleware(who, ClientCertificate("san:email"), rules=RULES)
    with cheroot(app, certificates) as port:
        yield port


def test_cheroot_says_whose_certificate_it_has_verified(by_cheroot, certificates):
    assert certificates.ask(by_cheroot, "/", "ann") == (200, HELD)


def test_who_shows_cheroot_no_certificate_is_a_stranger(by_cheroot, certificates):
    forged = {"SSL-Client-Verify": "SUCCESS", "SSL-Client-Cert": escaped(certificates.ann), "Client-Cert": ":YQ==:"}
    assert certificates.ask(by_cheroot, "/maybe", headers=forged) == (200, NOBODY)
    assert certificates.ask(by_cheroot, "/", headers=forged)[0] == 401


@pytest.mark.parametrize("client", ["nameless", "two"])
def test_a_certificate_without_exactly_one_name_is_refused_behind_cheroot(by_cheroot, certificates, client):
    assert certificates.ask(by_cheroot, "/maybe", client)[0] == 401


@pytest.mark.parametrize("client", ["foreign", "expired"])
def test_what_cheroot_cannot_verify_gets_no_answer(by_cheroot, certificates, client):
    with pytest.raises(OSError):  # an alert, or a connection that is closed
        certificates.ask(by_cheroot, "/maybe", client)


@pytest.fixture(scope="module")
def by_werkzeug(certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.authority)
    context.load_cert_chain(*certificates.server)
    context.verify_mode = ssl.CERT_OPTIONAL
    app = AuthMiddleware(who, ClientCertificate("san:email", require_verify=False), rules=RULES)
    server = make_werkzeug_server("127.0.0.1", 0, app, ssl_context=context, request_handler=QuietWerkzeug)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


def test_werkzeug_hands_on_what_it_has_verified_without_saying_so(by_werkzeug, certificates):
    assert certificates.ask(by_werkzeug, "/", "ann") == (200, HELD)
    assert certificates.ask(by_werkzeug, "/maybe") == (200, NOBODY)


_TLS = """
    listen 127.0.0.1:{port} ssl;
    server_name localhost;
    ssl_certificate {server[0]};
    ssl_certificate_key {server[1]};
    ssl_client_certificate {authority};
    ssl_verify_client optional;
"""
NGINX = """
server {{
    {tls}
    location / {{
        proxy_set_header Xauthuser "";
        proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
        proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
        proxy_set_header X-Proxy-Secret "{secret}";
        proxy_pass http://127.0.0.1:{behind};
    }}
    location /named/ {{
        auth_basic "Staff";
        auth_basic_user_file {passwords};
        proxy_set_header X-SSL-Client-Cert "";
        proxy_set_header Xauthuser $remote_user;
        proxy_set_header X-Proxy-Secret "{secret}";
        proxy_pass http://127.0.0.1:{behind};
    }}
    location /unproved/ {{
        proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
        proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
        proxy_pass http://127.0.0.1:{behind};
    }}
}}
"""


@pytest.fixture(scope="module")
def behind_nginx(certificates):
    """The port of nginx, and that of the application behind it."""
    app = AuthMiddleware(
        who,
        [
            ClientCertificate(
                "san:email", header="X-SSL-Client-Cert", verify_header="X-SSL-Client-Verify", secret=SECRET
            ),
            TrustedHeader("Xauthuser", peers=["127.0.0.1"], secret=SECRET),
        ],
        rules=[optional("/maybe", "/unproved/maybe"), require("/")],
    )
    with served(app) as behind, certificates.nginx(NGINX, behind=behind, secret=SECRET) as port:
        yield port, behind


def test_nginx_says_whose_certificate_it_has_verified(behind_nginx, certificates):
    assert certificates.ask(behind_nginx[0], "/", "ann") == (200, HELD)


def test_what_a_client_of_nginx_says_itself_is_replaced(behind_nginx, certificates):
    forged = {"X-SSL-Client-Cert": escaped(certificates.ann), "X-SSL-Client-Verify": "SUCCESS", "Xauthuser": "root"}
    twins = {name.replace("-", "_"): value for name, value in forged.items()}
    for path in ("/maybe", "/unproved/maybe"):
        assert certificates.ask(behind_nginx[0], path, headers=forged) == (200, NOBODY)
        assert certificates.ask(behind_nginx[0], path, headers=twins) == (200, NOBODY)


def test_a_certificate_that_nginx_sends_without_the_secret_names_nobody(behind_nginx, certificates):
    assert certificates.ask(behind_nginx[0], "/unproved/maybe", "ann") == (200, NOBODY)


@pytest.mark.parametrize("client", ["nameless", "two"])
def test_a_certificate_without_exactly_one_name_is_refused_behind_nginx(behind_nginx, certificates, client):
    assert certificates.ask(behind_nginx[0], "/maybe", client)[0] == 401


@pytest.mark.parametrize("client", ["foreign", "expired"])
def test_what_nginx_has_not_verified_does_not_arrive(behind_nginx, certificates, client):
    assert certificates.ask(behind_nginx[0], "/maybe", client)[0] == 400


def test_whom_nginx_lets_in_by_a_password_is_named_by_its_field(behind_nginx, certificates):
    signed_in = {**BOB, "Xauthuser": "root"}
    assert certificates.ask(behind_nginx[0], "/named/", headers=signed_in) == (200, "bob bob proxy")
    assert certificates.ask(behind_nginx[0], "/named/", headers={"Xauthuser": "root"})[0] == 401


def test_who_goes_round_nginx_is_a_stranger(behind_nginx, certificates):
    cert = f"X-SSL-Client-Cert: {escaped(certificates.ann)}"
    fields = [cert, "X-SSL-Client-Verify: SUCCESS", "Xauthuser: root", "X-Proxy-Secret: a guess"]
    assert exchange(behind_nginx[1], "/maybe", *fields).body.decode() == NOBODY


UWSGI = """
server {{
    {tls}
    include /etc/nginx/uwsgi_params;
    uwsgi_param SSL_CLIENT_VERIFY $ssl_client_verify;
    uwsgi_param SSL_CLIENT_CERT $ssl_client_escaped_cert;
    location / {{
        uwsgi_pass 127.0.0.1:{behind};
    }}
    location /server/staff {{
        auth_basic "Staff";
        auth_basic_user_file {passwords};
        include /etc/nginx/uwsgi_params;
        uwsgi_param REMOTE_USER $remote_user;
        uwsgi_param AUTH_TYPE Basic;
        uwsgi_pass 127.0.0.1:{behind};
    }}
    location /server/unchecked {{
        include /etc/nginx/uwsgi_params;
        uwsgi_param REMOTE_USER $remote_user;
        uwsgi_pass 127.0.0.1:{behind};
    }}
}}
"""


@pytest.fixture(scope="module")
def behind_nginx_and_uwsgi(certificates):
    log = certificates.folder / "uwsgi.log"
    served_by_uwsgi = uwsgi("auth.trusting_site:application", log, protocol="--socket")
    with served_by_uwsgi as behind, certificates.nginx(UWSGI, behind=behind) as port:
        yield port


def told(answer):
    seen = json.loads(answer[1])
    return seen["user"], seen["REMOTE_USER"], seen["AUTH_TYPE"]


def test_nginx_hands_a_certificate_on_by_the_uwsgi_protocol(behind_nginx_and_uwsgi, certificates):
    found = told(certificates.ask(behind_nginx_and_uwsgi, "/server/", "ann"))
    assert found == ("ann@example.com", "ann@example.com", "certificate")
    assert told(certificates.ask(behind_nginx_and_uwsgi, "/server/maybe")) == (None, None, None)


def test_whom_nginx_lets_in_by_a_password_is_the_user_of_the_server(behind_nginx_and_uwsgi, certificates):
    found = told(certificates.ask(behind_nginx_and_uwsgi, "/server/staff", headers=BOB))
    assert found == ("bob", "bob", "Basic")


def test_a_name_that_nginx_has_not_checked_is_nobodys(behind_nginx_and_uwsgi, certificates):
    answer = certificates.ask(behind_nginx_and_uwsgi, "/server/unchecked", headers=BOB)
    assert answer[0] == 401
