"""What a real Apache hands on, by mod_wsgi, by CGI and by mod_ssl, and what the schemes make of it.

TRU-5, TRU-7, CRT-1, T20.
"""

from __future__ import annotations

import ssl
import time
from http.client import HTTPSConnection

import pytest
from asking import ask
from auth_helpers import basic, who
from over_http import exchange
from own_ca import DAY, DNS, EMAIL, a_key, authority, write_with_key
from servers.apache import apache, told
from servers.programs import free_port

from middleware.auth import AuthMiddleware, optional
from middleware.auth.answers.missing_header import cure_for_missing_header
from middleware.auth.schemes.client_certificate import ClientCertificate
from middleware.auth.schemes.server_user import ServerUser
from middleware.auth.schemes.trusted_header import TrustedHeader

pytestmark = pytest.mark.slow

AUTHORIZATION = f"Authorization: {basic('bob', 'boat')['Authorization']}"
SECRET = "the proxy's own secret"
PASSWORDS = "bob:{SHA}KlDd+SmcK8IuXufK6NRkQKhjmh4=\n"

MORE = """
<LocationMatch "^/(wsgi|cgi)/staff">
    RequestHeader set Xauthuser "expr=%{{REMOTE_USER}}"
    RequestHeader set X-Proxy-Secret "{secret}"
</LocationMatch>
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
    SSLEngine on
    SSLCertificateFile {server[0]}
    SSLCertificateKeyFile {server[1]}
    SSLCACertificateFile {authority}
    SSLVerifyClient optional
    SSLOptions +StdEnvVars +ExportCertData
    <Location /wsgi/kept>
        SSLOptions -ExportCertData
    </Location>
</VirtualHost>
"""


class Site:
    def __init__(self, port, tls_port, folder):
        self.port = port
        self.tls_port = tls_port
        self.folder = folder

    def environ(self, path, *fields):
        """What an application gets for this request."""
        return told(exchange(self.port, path, *fields).body)

    def environ_over_tls(self, path, client=None):
        context = ssl.create_default_context(cafile=self.folder / "authority.pem")
        if client is not None:
            context.load_cert_chain(*client)
        connection = HTTPSConnection("localhost", self.tls_port, timeout=20, context=context)
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return told(body)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    lasting = {"begins": time.time() - DAY, "ends": time.time() + DAY}
    trusted, _ = write_with_key(folder, "authority", authority().certificate, authority().key)
    server = write_with_key(
        folder, "server", authority().issue("localhost", san=[DNS("localhost")], **lasting), a_key()
    )
    tls_port = free_port()
    more = MORE.format(secret=SECRET, port=tls_port, server=server, authority=trusted)
    with apache(more, PASSWORDS) as port:
        yield Site(port, tls_port, folder)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    lasting = {"begins": time.time() - DAY, "ends": time.time() + DAY}
    ann = authority().issue("Ann Smith", san=[EMAIL("ann@example.com")], **lasting)
    return write_with_key(tmp_path_factory.mktemp("client"), "ann", ann, a_key())


def asked(scheme, environ):
    """Who the application finds behind this scheme, where the server has handed on this environ."""
    environ = {key: value for key, value in environ.items() if not key.startswith("wsgi.")}
    return ask(AuthMiddleware(who, scheme, rules=[optional("/")]), **environ).text


@pytest.mark.parametrize("by", ["wsgi", "cgi"])
def test_whom_apache_has_identified_is_the_user(site, by):
    environ = site.environ(f"/{by}/staff", AUTHORIZATION)
    assert asked(ServerUser(), environ) == "bob bob Basic"


def test_a_field_that_apache_fills_names_the_user_whatever_the_client_has_sent(site):
    environ = site.environ("/wsgi/staff", AUTHORIZATION, "Xauthuser: root", "X-Proxy-Secret: a guess")
    assert asked(TrustedHeader("Xauthuser", secret=SECRET), environ) == "bob bob proxy"


@pytest.mark.parametrize("by", ["wsgi", "cgi"])
def test_whom_apache_has_not_identified_is_nobody(site, by):
    forged = [AUTHORIZATION, "Remote-User: root", "Remote_User: root", "Auth-Type: Basic"]
    assert asked(ServerUser(), site.environ(f"/{by}/", *forged)) == "None None None"


@pytest.mark.parametrize(("by", "directive"), [("wsgi", "WSGIPassAuthorization On"), ("cgi", "CGIPassAuth On")])
def test_apache_keeps_authorization_to_itself_until_the_directive_that_is_named_is_there(site, by, directive):
    environ = site.environ(f"/{by}/", AUTHORIZATION)
    assert "HTTP_AUTHORIZATION" not in environ
    assert directive in cure_for_missing_header(environ, ["basic"])
    handed_on = site.environ(f"/{by}/handed-on", AUTHORIZATION)
    assert handed_on["HTTP_AUTHORIZATION"] == AUTHORIZATION.partition(": ")[2]
    assert cure_for_missing_header(handed_on, ["basic"]) is None


@pytest.mark.parametrize("by", ["wsgi", "cgi"])
def test_mod_ssl_says_whose_certificate_it_has_verified(site, client, by):
    environ = site.environ_over_tls(f"/{by}/", client)
    assert asked(ClientCertificate("san:email"), environ) == "ann@example.com ann@example.com certificate"
    assert asked(ClientCertificate("cn"), environ) == "Ann Smith Ann Smith certificate"


@pytest.mark.parametrize("by", ["wsgi", "cgi"])
def test_who_shows_mod_ssl_no_certificate_is_a_stranger(site, by):
    assert asked(ClientCertificate("san:email"), site.environ_over_tls(f"/{by}/")) == "None None None"


def test_a_certificate_that_mod_ssl_keeps_to_itself_is_told_of(site, client, caplog):
    environ = site.environ_over_tls("/wsgi/kept", client)
    assert asked(ClientCertificate("san:email"), environ) == "None None None"
    assert "+ExportCertData" in caplog.text
