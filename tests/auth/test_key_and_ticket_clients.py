"""Real clients at a real server: API keys by curl, requests and httpx, tickets by their cookie jars."""

from __future__ import annotations

import subprocess

import httpx
import pytest
import requests
from auth_helpers import who
from conftest import program
from over_http import served
from paste.auth import auth_tkt as paste

from middleware.auth import AuthMiddleware, get_auth, optional
from middleware.auth.api_keys import new_api_key
from middleware.auth.schemes.api_key import ApiKey
from middleware.auth.schemes.auth_tkt import AuthTkt
from middleware.cookies import CookieOptions

pytestmark = pytest.mark.slow

SECRET = "a secret of the test, 32 characters"
KEY, RECORD = new_api_key("test", user="ann")


def curl(*arguments):
    ran = subprocess.run(
        [program("curl"), "-sS", "--max-time", "20", *arguments], capture_output=True, check=True, timeout=30
    )
    return ran.stdout.decode()


def by_curl(url, fields):
    headers = [part for name, value in fields for part in ("-H", f"{name}: {value}")]
    text, _, code = curl("-w", " %{http_code}", *headers, url).rpartition(" ")
    return int(code), text


def by_requests(url, fields):
    answer = requests.get(url, headers=dict(fields), timeout=20)
    return answer.status_code, answer.text


def by_httpx(url, fields):
    answer = httpx.get(url, headers=fields, timeout=20)
    return answer.status_code, answer.text


@pytest.mark.parametrize("client", [by_curl, by_requests, by_httpx])
def test_KEY_2_clients_send_keys_in_both_fields(client):
    with served(AuthMiddleware(who, ApiKey({RECORD.id: RECORD}))) as port:
        url = f"http://127.0.0.1:{port}/"
        assert client(url, [("X-API-Key", KEY)]) == (200, "ann ann apikey")
        assert client(url, [("Authorization", f"ApiKey {KEY}")]) == (200, "ann ann apikey")
        assert client(url, [("X-API-Key", KEY[:-1])])[0] == 401
        assert client(f"{url}?X-API-Key={KEY}", [])[0] == 401
        assert client(url, [("X-API-Key", KEY), ("Authorization", f"ApiKey {KEY}")])[0] == 400


@pytest.mark.parametrize("client", [by_curl, by_httpx])
def test_KEY_2_a_field_that_is_sent_twice_is_refused(client):
    with served(AuthMiddleware(who, ApiKey({RECORD.id: RECORD}))) as port:
        url = f"http://127.0.0.1:{port}/"
        for field, value in (("X-API-Key", KEY), ("Authorization", f"ApiKey {KEY}")):
            assert client(url, [(field, value), (field, value)])[0] in (400, 401)
        assert client(url, [("X-API-Key", KEY), ("X-API-Key", KEY)])[0] == 400


def test_KEY_2_curl_gives_up_where_nothing_but_a_key_helps():
    with served(AuthMiddleware(who, ApiKey({RECORD.id: RECORD}))) as port:
        head = curl("-i", "--anyauth", "-u", "ann:apple", f"http://127.0.0.1:{port}/")
        assert "401" in head.splitlines()[0]


def site(environ, start_response):
    action, _, user = environ["PATH_INFO"].strip("/").partition("/")
    if action == "in":
        get_auth(environ).login(user)
    if action == "out":
        get_auth(environ).logout()
    return who(environ, start_response)


def tickets(**options):
    return AuthMiddleware(site, AuthTkt(secret=SECRET, timeout=600, **options), rules=[optional("/")])


@pytest.mark.parametrize("client", [requests.Session, httpx.Client])
def test_clients_with_a_jar_sign_in_and_out(client):
    with served(tickets()) as port, client() as session:
        url = f"http://localhost:{port}"
        session.get(f"{url}/in/ann")
        assert session.get(url).text == "ann ann auth_tkt"
        session.get(f"{url}/in/bob")
        assert session.get(url).text == "bob bob auth_tkt"
        session.get(f"{url}/out")
        assert session.get(url).text == "None None None"


def test_curl_with_a_jar_signs_in_and_out(tmp_path):
    jar = str(tmp_path / "jar")
    with served(tickets()) as port:

        def visit(path=""):
            return curl("-b", jar, "-c", jar, f"http://localhost:{port}/{path}")

        visit("in/ann")
        assert visit() == "ann ann auth_tkt"
        visit("out")
        assert visit() == "None None None"


@pytest.fixture(scope="module")
def chromium():
    path = program("chromium", "chromium-browser", "google-chrome")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP app.example.com 127.0.0.1"]
        browser = started.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.mark.parametrize(("last", "left"), [("in/bob", "bob bob auth_tkt"), ("out", "None None None")])
@pytest.mark.parametrize("domains", [["app.example.com"], [".app.example.com"], [None, "app.example.com"]])
def test_a_login_or_logout_of_ours_ends_the_cookies_of_a_peer_whatever_their_domain(chromium, domains, last, left):
    """Paste sets up to three cookies: for the host, for its domain, and for all below it."""
    theirs = paste.AuthTicket(SECRET, "ann", "0.0.0.0").cookie_value().decode()
    attributes = ["; Path=/" + (f"; Domain={domain}" if domain else "") for domain in domains]

    def app(environ, start_response):
        if environ["PATH_INFO"] != "/peer":
            return ours(environ, start_response)
        start_response("200 OK", [("Set-Cookie", f"auth_tkt={theirs}{each}") for each in attributes])
        return [b""]

    ours = tickets(also_reads=["md5"])
    context = chromium.new_context()
    page = context.new_page()
    with served(app) as port:

        def visit(path=""):
            page.goto(f"http://app.example.com:{port}/{path}")
            return page.inner_text("body")

        visit("peer")
        assert visit() == "ann ann auth_tkt"
        visit(last)
        assert visit() == left
        assert len(context.cookies()) == (1 if last == "in/bob" else 0)
    context.close()


def test_the_cookie_for_all_hosts_of_a_domain_holds_for_them(tmp_path):
    jar = str(tmp_path / "jar")
    with served(tickets(cookie=CookieOptions("auth_tkt", domain="example.com"))) as port:

        def visit(host, path=""):
            there = ("--resolve", f"{host}:{port}:127.0.0.1")
            return curl(*there, "-b", jar, "-c", jar, f"http://{host}:{port}/{path}")

        visit("a.example.com", "in/ann")
        assert visit("b.example.com") == "ann ann auth_tkt"
        visit("b.example.com", "out")
        assert visit("a.example.com") == "None None None"
