"""The cookie that keeps the owner of an account out of the counter of whoever guesses beside them (PW-12)."""

from __future__ import annotations

import pytest
from asking import Browser, ask, make_environ
from auth_helpers import basic, stored, who
from digest_client import Client, digest, protected
from guessing import ANN, ELSEWHERE, NEIGHBOUR, Key, Site

from middleware.auth import AuthMiddleware, Basic
from middleware.auth.throttle.attempts import attempt
from middleware.auth.throttle.throttle import Throttle
from middleware.testing import FakeClock

SECRET = "a secret of the test, 32 characters"
NAME = "auth-device"
DAY = 86400


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def site(clock):
    return Site(clock, device_secret=SECRET)


class Owner(Browser):
    """A browser in the network that others guess from."""

    def __init__(self, site, address=ANN, **environ):
        super().__init__(site.app, REMOTE_ADDR=address, **environ)

    def sign_in(self, password="apple", user="ann"):
        return self.get(headers={"X-Key": f"{user}:{password}"})


def test_who_has_signed_in_before_does_not_wait_for_the_guesses_of_others(site):
    owner = Owner(site)
    assert owner.sign_in().code == 200
    assert site.guess(6, address=NEIGHBOUR) == [401] * 5 + [429]
    assert site.ask("apple").code == 429
    assert owner.sign_in().code == 200


def test_not_for_the_network_as_a_whole_either(clock):
    site = Site(clock, device_secret=SECRET, network_failures=10)
    owner = Owner(site)
    owner.sign_in()
    for number in range(12):
        site.guess(1, f"user {number}", NEIGHBOUR)
    assert site.ask("boat", "bob").code == 429
    assert owner.sign_in().code == 200


def test_the_browser_may_have_moved(site):
    owner = Owner(site)
    owner.sign_in()
    site.guess(6, address=ELSEWHERE)
    owner.environ["REMOTE_ADDR"] = ELSEWHERE
    assert owner.sign_in().code == 200


def test_its_own_failures_count_for_the_browser_and_for_nobody_else(site, clock):
    owner, other = Owner(site), Owner(site)
    owner.sign_in()
    other.sign_in()
    assert [owner.sign_in(f"guess {number}").code for number in range(6)] == [401] * 5 + [429]
    assert owner.sign_in().code == 429
    assert other.sign_in().code == 200
    assert site.ask("apple").code == 200
    clock.advance(1)
    assert owner.sign_in().code == 200


def test_it_is_worth_nothing_for_another_user(site):
    owner = Owner(site)
    owner.sign_in("boat", "bob")
    site.guess(5)
    assert owner.sign_in().code == 429


def test_it_serves_every_spelling_of_the_name(site):
    owner = Owner(site)
    owner.sign_in()
    site.guess(5)
    assert owner.sign_in(user="ANN").code == 200


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[1:],
        lambda token: token + "=",
        lambda token: "",
        lambda token: "x" * 4000,
        lambda token: "é",
        lambda token: ".".join(token.split(".")[:2]),
    ],
)
def test_a_forged_one_is_none(site, forge):
    owner = Owner(site)
    owner.sign_in()
    site.guess(5, address=NEIGHBOUR)
    owner.cookies[NAME] = forge(owner.cookies[NAME])
    assert owner.sign_in().code == 429


def test_one_that_another_secret_signed_is_none(site, clock):
    owner = Owner(Site(clock, device_secret="another secret of the test, 32 chars"))
    owner.sign_in()
    owner.app = site.app
    site.guess(5)
    assert owner.sign_in().code == 429


def test_secrets_can_be_changed(site, clock):
    owner = Owner(site)
    owner.sign_in()
    later = Site(clock, device_secret=[SECRET, "a newer secret of the test, 32 chars"])
    later.guess(5)
    owner.app = later.app
    assert owner.sign_in().code == 200


def test_the_cookie_is_for_this_host_and_not_for_scripts(site):
    line = Owner(site).sign_in().header("Set-Cookie")
    name_and_value, *attributes = line.split("; ")
    assert name_and_value.startswith(f"{NAME}=")
    assert sorted(attributes) == ["HttpOnly", f"Max-Age={180 * DAY}", "Path=/", "SameSite=Lax"]


def test_over_https_it_is_secure_and_no_other_host_can_set_it(site):
    owner = Owner(site, **{"wsgi.url_scheme": "https"})
    line = owner.sign_in().header("Set-Cookie")
    assert line.startswith(f"__Host-{NAME}=")
    assert "; Secure" in line
    site.guess(5)
    assert owner.sign_in().code == 200
    owner.cookies = {NAME: owner.cookies[f"__Host-{NAME}"]}
    assert owner.sign_in().code == 429


def test_the_answer_that_sets_it_is_kept_out_of_caches(site):
    assert Owner(site).sign_in().header("Cache-Control") == "no-store"


def test_it_shows_neither_the_name_nor_the_password(site):
    owner = Owner(site)
    owner.sign_in()
    assert "ann" not in owner.cookies[NAME]
    assert "apple" not in owner.cookies[NAME]
    assert owner.cookies[NAME] not in str([event.details for event in site.events])
    assert SECRET not in repr(site.throttle)


def test_it_is_set_once_and_again_after_half_its_life(site, clock):
    owner = Owner(site)
    owner.sign_in()
    first = owner.cookies[NAME]
    assert owner.sign_in().header("Set-Cookie") is None
    clock.advance(89 * DAY)
    assert owner.sign_in().header("Set-Cookie") is None
    clock.advance(2 * DAY)
    assert owner.sign_in().header("Set-Cookie") is not None
    assert owner.cookies[NAME] != first
    clock.advance(100 * DAY)
    site.guess(5)
    assert owner.sign_in().code == 200


def test_a_browser_that_gets_a_new_cookie_keeps_its_failures(site, clock):
    owner = Owner(site)
    owner.sign_in()
    clock.advance(91 * DAY)
    old = dict(owner.cookies)
    assert [owner.sign_in("wrong").code for _ in range(4)] == [401] * 4
    owner.sign_in()
    assert [owner.sign_in("wrong").code for _ in range(4)] == [401] * 4
    owner.cookies = old
    assert [owner.sign_in("wrong").code for _ in range(2)] == [401, 429]


def test_an_old_one_is_none(site, clock):
    owner = Owner(site)
    owner.sign_in()
    clock.advance(181 * DAY)
    site.guess(5)
    assert owner.sign_in().code == 429


def test_a_failure_sets_none(site):
    assert Owner(site).sign_in("wrong").header("Set-Cookie") is None


def test_what_comes_with_every_request_sets_none(clock):
    site = Site(clock, device_secret=SECRET, scheme=Key(quietly=True))
    assert Owner(site).sign_in().header("Set-Cookie") is None


def test_without_a_secret_there_is_none(clock):
    site = Site(clock)
    assert Owner(site).sign_in().header("Set-Cookie") is None
    assert not site.throttle.sets_cookies


def test_a_login_after_the_head_has_left_goes_without(clock):
    codes = []

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"head"
        codes.append(attempt(environ, "key", "ann", lambda: "found"))

    site = Site(clock, device_secret=SECRET, app=app)
    answer = site.ask("apple")
    assert answer.code == 200
    assert codes == ["found"]


def test_a_crowd_of_cookies_is_looked_at_in_bounded_time(site):
    owner = Owner(site)
    owner.sign_in()
    site.guess(5)
    right = owner.cookies[NAME]
    crowd = "; ".join([f"{NAME}=x"] * 8)
    throttle = site.throttle
    assert throttle._devices.known(make_environ(headers={"Cookie": f"{NAME}=x; {NAME}={right}"}), "ann")
    assert throttle._devices.known(make_environ(headers={"Cookie": f"{crowd}; {NAME}={right}"}), "ann") is None


def test_a_life_beyond_what_browsers_keep_is_cut():
    line = Throttle(device_secret=SECRET, device_life=10**9)._devices._http.setting_checked("x")
    assert f"Max-Age={400 * DAY}" in line


def test_a_password_that_is_sent_with_every_request_sets_it_when_it_is_checked_and_not_while_it_is_remembered(clock):
    throttle = Throttle(clock=clock, device_secret=SECRET)
    app = AuthMiddleware(who, Basic({"ann": stored("apple")}, clock=clock), throttle=throttle, clock=clock)
    first = ask(app, headers=basic())
    assert first.header("Set-Cookie").startswith(f"{NAME}=")
    assert "no-store" in first.header("Cache-Control")
    assert ask(app, headers=basic()).header("Set-Cookie") is None
    clock.advance(61)
    assert ask(app, headers=basic()).header("Set-Cookie").startswith(f"{NAME}=")


def test_digest_sets_it_with_the_first_use_of_a_nonce(clock):
    client = Client(protected(digest(clock=clock), throttle=Throttle(clock=clock, device_secret=SECRET), clock=clock))
    assert client.get(1).header("Set-Cookie").startswith(f"{NAME}=")
    assert client.get(2).header("Set-Cookie") is None
