"""Real clients at a real server: curl, requests and httpx with Basic, and the whole way through the login page."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
import requests
from auth_helpers import stored, who
from conftest import program

from middleware.auth import AuthMiddleware, Basic, SessionLogin, require
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore

pytestmark = pytest.mark.slow

USERS = {"ann": stored("apple"), "jäsøn": stored('p"ä:s\\s')}


class Silent(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def served(app):
    with make_server("127.0.0.1", 0, app, handler_class=Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def curl(*arguments):
    ran = subprocess.run(
        [program("curl"), "-sS", "--max-time", "20", *arguments], capture_output=True, check=True, timeout=30
    )
    return ran.stdout.decode()


def test_curl_signs_in_by_basic():
    app = AuthMiddleware(who, Basic(USERS, realm='a "b" \\c'), remote_user_encoding="wsgi")
    with served(app) as url:
        assert curl("--basic", "-u", 'jäsøn:p"ä:s\\s', url).startswith("jäsøn ")
        assert curl("--anyauth", "-u", "ann:apple", url) == "ann ann Basic"
        assert "401" in curl("-i", "-u", "ann:pear", url).splitlines()[0]


@pytest.mark.parametrize("client", [requests, httpx], ids=["requests", "httpx"])
def test_BAS_3_clients_in_python_sign_in_by_basic(client):
    """requests sends a text as latin-1, httpx as UTF-8."""
    app = AuthMiddleware(who, Basic(USERS), remote_user_encoding="wsgi")
    with served(app) as url:
        answer = client.get(url, auth=("jäsøn", 'p"ä:s\\s'), timeout=20)
        assert (answer.status_code, answer.content.decode().split(" ")[0]) == (200, "jäsøn")
        assert client.get(url, auth=("ann", "pear"), timeout=20).status_code == 401


@pytest.mark.parametrize("client", [requests.Session, httpx.Client], ids=["requests", "httpx"])
def test_clients_in_python_go_through_the_login_page(client):
    layer = AuthMiddleware(who, SessionLogin(USERS), rules=[require("/")])
    with served(SessionMiddleware(layer, store=MemoryStore())) as url, client() as session:
        session.headers["Accept"] = "text/html"
        page = session.get(f"{url}/login").text
        token = page.partition('name="token" value="')[2].partition('"')[0]
        form = {"username": "ann", "password": "apple", "token": token}
        assert session.post(f"{url}/login", data=form).status_code in (200, 303)
        assert session.get(f"{url}/notes").text == "ann ann session"
        assert session.post(f"{url}/login", data={**form, "token": "another"}).status_code == 403


def test_curl_goes_through_the_login_page_with_the_token_of_its_session(tmp_path):
    jar = str(tmp_path / "jar")
    layer = AuthMiddleware(who, SessionLogin(USERS), rules=[require("/")])
    with served(SessionMiddleware(layer, store=MemoryStore())) as url:

        def visit(*arguments):
            return curl("-b", jar, "-c", jar, "-H", "Accept: text/html", *arguments)

        page = visit("-L", f"{url}/notes?a=1&b=%2F")
        fields = {
            name: page.partition(f'name="{name}" value="')[2].partition('"')[0].replace("&amp;", "&")
            for name in ("next", "token")
        }
        assert fields["next"] == "/notes?a=1&b=%2F"
        form = {**fields, "username": "jäsøn", "password": 'p"ä:s\\s'}
        given = [part for name, value in form.items() for part in ("--data-urlencode", f"{name}={value}")]
        assert visit("-L", "-w", " %{url_effective}", *given, f"{url}/login") == (
            f"jäsøn jäsøn session {url}/notes?a=1&b=%2F"
        )
        token = visit(f"{url}/logout").partition('name="token" value="')[2].partition('"')[0]
        visit("--data-urlencode", f"token={token}", f"{url}/logout")
        assert "302" in visit("-i", f"{url}/notes").splitlines()[0]
