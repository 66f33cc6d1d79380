"""Real clients of Digest at a real server, and two processes that share a store."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest
import requests
from asking import ask
from auth_helpers import basic, stored
from conftest import program
from digest_client import Client, challenges
from over_http import served

from middleware.auth import AuthMiddleware, Basic, get_identity
from middleware.auth.digest.sources import PlainPasswords
from middleware.auth.schemes.digest import Digest
from middleware.testing.clock import FakeClock

pytestmark = pytest.mark.slow

SECRET = "a secret of the test, 32 characters"
BOTH = ("SHA-256", "MD5")
USERS = {"ann": "apple", "jäsøn": 'p"ä:s\\s'}


class Site:
    """Protected by Digest; counts what reached it, and lets its clock pass after each of them."""

    def __init__(self, *others, pause=0, **options):
        self.clock = FakeClock()
        self.pause = pause
        self.events = []
        digest = Digest(PlainPasswords(USERS), realm="The App", secret=SECRET, clock=self.clock, **options)
        self.app = AuthMiddleware(
            self.inside, [digest, *others], on_event=lambda event: self.events.append(event.name), clock=self.clock
        )

    def inside(self, environ, start_response):
        self.clock.advance(self.pause)
        identity = get_identity(environ)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{identity.scheme} {identity.user} {environ['REQUEST_METHOD']} {body}|".encode()]


def curl(*arguments):
    ran = subprocess.run(
        [program("curl"), "-sS", "--max-time", "20", *arguments], capture_output=True, check=True, timeout=30
    )
    return ran.stdout.decode()


OPTIONS = [{}, {"algorithms": BOTH}, {"algorithms": ("MD5",)}, {"sess": True}, {"userhash": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_curl_signs_in_by_whatever_is_offered(options):
    site = Site(**options)
    with served(site.app) as port:
        url = f"http://127.0.0.1:{port}"
        assert curl("--digest", "-u", "ann:apple", f"{url}/a%20b/j%C3%A4?x=%2F&y", f"{url}/2") == "digest ann GET |" * 2
        assert curl("--digest", "-u", 'jäsøn:p"ä:s\\s', url) == "digest jäsøn GET |"
        assert curl("--digest", "-u", "ann:apple", "-d", "a=1", url) == "digest ann POST a=1|"
        assert "401" in curl("--digest", "-u", "ann:pear", "-o", "/dev/null", "-w", "%{http_code}", url)
    assert site.events.count("login.success") == 4


def test_curl_takes_digest_where_basic_is_offered_too():
    site = Site(Basic({"ann": stored("apple")}))
    with served(site.app) as port:
        url = f"http://127.0.0.1:{port}/"
        assert curl("--anyauth", "-u", "ann:apple", url) == "digest ann GET |"
        assert curl("--basic", "-u", "ann:apple", url) == "basic ann GET |"


def test_curl_goes_on_with_a_new_nonce_when_the_old_one_has_expired():
    site = Site()
    asked = []

    def late(environ, start_response):
        asked.append(environ.get("HTTP_AUTHORIZATION"))
        site.clock.advance(400 if len(asked) == 2 else 0)  # between the challenge and what answers it
        return site.app(environ, start_response)

    with served(late) as port:
        assert curl("--digest", "-u", "ann:apple", f"http://127.0.0.1:{port}/") == "digest ann GET |"
    assert site.events.count("digest.stale") == 1
    assert len(asked) == 3


def test_curl_sends_the_whole_url_to_a_proxy():
    site = Site()
    with served(site.app) as port:
        asked = curl("--digest", "-u", "ann:apple", "--proxy", f"http://127.0.0.1:{port}", "http://site.example/a?b=c")
    assert asked == "digest ann GET |"


@pytest.mark.parametrize("options", [*OPTIONS[:3], {"sess": True, "algorithms": BOTH}], ids=str)
@pytest.mark.parametrize("user", USERS)
def test_requests_signs_in(options, user):
    site = Site(**options)
    with served(site.app) as port, requests.Session() as session:
        session.auth = requests.auth.HTTPDigestAuth(user, USERS[user])
        for _ in range(3):
            answer = session.get(f"http://127.0.0.1:{port}/a%20b/j%C3%A4?x=%2F&y", timeout=20)
            assert answer.content.decode() == f"digest {user} GET |"
        assert session.post(f"http://127.0.0.1:{port}/", data="a=1", timeout=20).text.endswith("POST a=1|")
        session.auth = requests.auth.HTTPDigestAuth(user, "pear")
        assert session.get(f"http://127.0.0.1:{port}/", timeout=20).status_code == 401
    assert site.events.count("login.success") == 1


@pytest.mark.parametrize("options", [*OPTIONS[:3], {"sess": True, "algorithms": BOTH}], ids=str)
def test_httpx_signs_in(options):
    site = Site(**options)
    with served(site.app) as port, httpx.Client(auth=httpx.DigestAuth("ann", "apple"), timeout=20) as client:
        for _ in range(3):
            answer = client.get(f"http://127.0.0.1:{port}/a%20b/j%C3%A4?x=%2F&y")
            assert answer.text == "digest ann GET |"
        assert client.post(f"http://127.0.0.1:{port}/", content=b"a=1").text == "digest ann POST a=1|"
        assert client.get(f"http://127.0.0.1:{port}/", auth=httpx.DigestAuth("ann", "pear")).status_code == 401
    assert site.events.count("login.success") == 1


def test_requests_and_httpx_go_on_when_a_nonce_has_expired():
    site = Site(pause=400)
    with served(site.app) as port:
        url = f"http://127.0.0.1:{port}/"
        with requests.Session() as session:
            session.auth = requests.auth.HTTPDigestAuth("ann", "apple")
            assert [session.get(url, timeout=20).text for _ in range(3)] == ["digest ann GET |"] * 3
        with httpx.Client(auth=httpx.DigestAuth("ann", "apple"), timeout=20) as client:
            assert [client.get(url).text for _ in range(3)] == ["digest ann GET |"] * 3


# DIG-8, with processes

PROCESS = """
import json, sys
from asking import ask
from auth_helpers import who
from middleware.auth import AuthMiddleware
from middleware.auth.digest.sources import PlainPasswords
from middleware.auth.schemes.digest import Digest
from middleware.stores.sqlite import SQLiteStore

with SQLiteStore(sys.argv[1]) as store:
    users = PlainPasswords({"ann": "apple"})
    app = AuthMiddleware(who, Digest(users, realm="App", secret=sys.argv[2]), store=store, on_event=lambda event: None)
    for line in sys.stdin:
        field = json.loads(line)
        answer = ask(app, HTTP_AUTHORIZATION=field)
        print(json.dumps([answer.code, answer.all("WWW-Authenticate")]), flush=True)
"""


class Process:
    """A process of its own with the same site, which says what it answers."""

    def __init__(self, path):
        self.running = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(path), SECRET],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.stdin.close()
        self.running.wait(60)
        self.running.stdout.close()

    def send(self, field):
        self.running.stdin.write(json.dumps(field) + "\n")
        self.running.stdin.flush()

    def answer(self):
        return json.loads(self.running.stdout.readline())


def test_of_one_response_at_two_processes_with_one_store_one_is_good(tmp_path):
    with Process(tmp_path / "store.db") as one, Process(tmp_path / "store.db") as other:
        one.send("")
        _, (line,) = one.answer()
        client = Client(None)
        client.challenge = {"realm": "App"}
        client.nonce = line.partition('nonce="')[2].partition('"')[0]
        for count in range(1, 11):
            field = client.field(count)
            for process in (one, other):  # at once: neither waits for the answer of the other
                process.send(field)
            answers = [one.answer(), other.answer()]
            codes = sorted(code for code, _ in answers)
            assert codes == [200, 401], count
            (refusal,) = [lines for code, lines in answers if code == 401]
            assert all(line.endswith("stale=true") for line in refusal)
        other.send(client.field(12))
        assert other.answer()[0] == 200
        one.send(client.field(11))
        assert one.answer()[0] == 200
        one.send(client.field(12))
        assert one.answer()[0] == 401


def test_challenges_of_all_schemes_are_lines_that_clients_can_read():
    site = Site(Basic({"ann": stored("apple")}), algorithms=BOTH)
    assert [offer["algorithm"] for offer in challenges(ask(site.app))] == list(BOTH)
    assert ask(site.app, headers=basic()).code == 200
    with served(site.app) as port:
        with httpx.Client(auth=httpx.DigestAuth("ann", "apple"), timeout=20) as client:
            assert client.get(f"http://127.0.0.1:{port}/").text == "digest ann GET |"
        answer = requests.get(
            f"http://127.0.0.1:{port}/", auth=requests.auth.HTTPDigestAuth("ann", "apple"), timeout=20
        )
        assert answer.text == "digest ann GET |"
