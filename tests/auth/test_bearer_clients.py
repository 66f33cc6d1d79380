"""Real clients with bearer tokens at a real server: curl, requests and httpx."""

from __future__ import annotations

import subprocess

import httpx
import pytest
import requests
from auth_helpers import stored, who
from conftest import program
from jwt_helpers import AUDIENCE, ISSUER, NOW, public, rsa, token
from over_http import served

from middleware.auth import AuthMiddleware, Basic, require
from middleware.auth.schemes.bearer import Bearer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url():
    bearer = Bearer(issuer=ISSUER, audience=AUDIENCE, keys=public(rsa()), clock=lambda: NOW)
    rules = [require("/write", scope="write"), require("/fresh", fresh=60), require("/")]
    app = AuthMiddleware(who, [bearer, Basic({"ann": stored("apple")})], rules=rules)
    with served(app) as port:
        yield f"http://127.0.0.1:{port}"


def curl(*arguments):
    ran = subprocess.run(
        [program("curl"), "-sS", "--max-time", "20", *arguments], capture_output=True, check=True, timeout=30
    )
    return ran.stdout.decode()


def test_curl_sends_a_token(url):
    assert curl("-H", f"Authorization: Bearer {token()}", url) == "ann ann Bearer"
    assert curl("--oauth2-bearer", token(), url) == "ann ann Bearer"
    assert curl("--basic", "-u", "ann:apple", url) == "ann ann Basic"


@pytest.mark.parametrize(
    ("path", "sent", "status", "challenge"),
    [
        ("/", [], "401", 'Bearer realm="API"'),
        ("/", ["--oauth2-bearer", "abc"], "401", 'Bearer realm="API", error="invalid_token"'),
        ("/", ["-H", "Authorization: Bearer a b"], "400", 'Bearer realm="API", error="invalid_request"'),
        ("/write", "good", "403", 'Bearer realm="API", error="insufficient_scope", scope="write"'),
        ("/fresh", "good", "401", 'Bearer realm="API", error="insufficient_user_authentication", max_age="60"'),
    ],
)
def test_curl_is_told_what_is_wrong(url, path, sent, status, challenge):
    sent = ["--oauth2-bearer", token()] if sent == "good" else sent
    lines = curl("-i", *sent, url + path).splitlines()
    assert lines[0].split(" ")[1] == status
    fields = [line.partition(": ") for line in lines]
    assert challenge in [value for name, _, value in fields if name.lower() == "www-authenticate"]


def test_a_field_that_is_sent_twice_is_malformed(url):
    twice = ["-H", f"Authorization: Bearer {token()}", "-H", "Authorization: Bearer abc"]
    assert curl("-i", *twice, url).splitlines()[0].split(" ")[1] in ("400", "401")


@pytest.mark.parametrize("client", [requests, httpx], ids=["requests", "httpx"])
def test_a_client_in_python_sends_a_token(url, client):
    answer = client.get(url, headers={"Authorization": f"Bearer {token()}"})
    assert (answer.status_code, answer.text) == (200, "ann ann Bearer")
    answer = client.get(f"{url}/write", headers={"Authorization": f"Bearer {token(scope='read write')}"})
    assert answer.status_code == 200
    answer = client.get(url, headers={"Authorization": f"Bearer {token(exp=NOW)}"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="API", error="invalid_token"')
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_client_that_asks_first_reads_all_challenges(url):
    answer = httpx.get(url, auth=httpx.BasicAuth("ann", "apple"))
    assert answer.text == "ann ann Basic"
    challenges = httpx.get(url).headers.get_list("WWW-Authenticate")
    assert challenges == ['Bearer realm="API"', 'Basic realm="Login", charset="UTF-8"']
