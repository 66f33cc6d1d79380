"""EVT-3: what nobody may read is in no event, log line, repr, explanation or text of an error, whatever the scheme."""

from __future__ import annotations

import logging

from asking import Browser, ask
from auth_helpers import basic, stored, who
from digest_client import Client
from jwt_helpers import AUDIENCE, ISSUER, NOW, SECRET, bearer, secret, token

from middleware import (
    ApiKey,
    AuthMiddleware,
    AuthTkt,
    Basic,
    Bearer,
    Digest,
    RememberMe,
    SessionLogin,
    SessionMiddleware,
    Throttle,
    TrustedHeader,
    get_auth,
    get_identity,
    ha1,
    new_api_key,
    optional,
    require,
)
from middleware.stores.memory import MemoryStore
from middleware.testing import FakeClock

RIGHT, WRONG = "marked-right-password", "marked-wrong-password"
STORED = stored(RIGHT)
HA1 = ha1("ann", "App", RIGHT)
SIGNING, PROXYS = "marked-secret-that-signs-things", "marked-secret-of-the-proxy-here"
KEY, RECORD = new_api_key("shop", user="ann")
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
SECRETS = [RIGHT, WRONG, STORED, HA1, SIGNING, PROXYS, KEY, RECORD.sha256]


class Watched:
    """A layer round `who`, and all that it says of itself."""

    def __init__(self, scheme, caplog, **options):
        caplog.set_level(logging.DEBUG)
        self.caplog = caplog
        self.said = []
        self.layer = AuthMiddleware(self.application, scheme, **{"on_event": self.tell, "rules": None, **options})

    def application(self, environ, start_response):
        if environ["PATH_INFO"] == "/in" and get_identity(environ) is None:
            get_auth(environ).login("ann")
        self.said += [repr(get_identity(environ)), str(get_auth(environ).explain())]
        return who(environ, start_response)

    def tell(self, event):
        self.said += [repr(event), repr({name: getattr(event, name) for name in ("subject", "client", "details")})]

    def shows(self, *secrets):
        """Which of these can be read somewhere."""
        layer = self.layer
        parts = [layer, layer.throttle, *layer.schemes, *layer.rules]
        text = "\n".join([*self.said, *map(repr, parts), self.caplog.text])
        assert self.said
        return [one for one in (*SECRETS, *secrets) if one in text]


def test_of_basic(caplog):
    site = Watched(Basic({"ann": STORED}), caplog, throttle=Throttle(device_secret=SIGNING))
    sent = [basic("ann", RIGHT), *[basic("ann", WRONG)] * 7, basic("eve", RIGHT), {"Authorization": f"Basic {RIGHT}"}]
    assert {ask(site.layer, headers=headers).code for headers in sent} == {200, 401, 429}
    assert site.shows(*(headers["Authorization"].partition(" ")[2] for headers in sent)) == []


def test_of_digest(caplog):
    site = Watched(Digest({"ann": HA1}, realm="App", secret=SIGNING), caplog)
    client = Client(site.layer, "ann", RIGHT)
    client.challenged()
    given = client.parameters()
    assert [client.get().code, client.get().code] == [200, 401]  # the second one is replayed
    assert Client(site.layer, "ann", WRONG).get().code == 401
    assert site.shows(given["nonce"], given["response"]) == []


def test_of_bearer(caplog):
    good = token(key=secret(), head={"alg": "HS256", "kid": None})
    scheme = Bearer(issuer=ISSUER, audience=AUDIENCE, keys=SECRET, clock=FakeClock(NOW))
    site = Watched(scheme, caplog, clock=FakeClock(NOW))
    sent = [good, f"{good}x", good[:-9], "marked-opaque-token", "ma rked", "é"]
    codes = [ask(site.layer, headers=bearer(one)).code for one in sent]
    assert codes == [200, 401, 401, 401, 400, 400]
    assert site.shows(SECRET.decode(), "marked-opaque-token", *good.split(".")) == []


def test_of_tokens_that_a_function_knows(caplog):
    site = Watched(Bearer(verify={"marked-opaque-token": {"user": "ann"}}.get), caplog)
    assert [ask(site.layer, headers=bearer(one)).code for one in ("marked-opaque-token", "marked-wrong")] == [200, 401]
    assert site.shows("marked-opaque-token", "marked-wrong") == []


def test_of_keys(caplog):
    site = Watched(ApiKey({RECORD.id: RECORD}), caplog)
    assert ask(site.layer, headers={"X-API-Key": KEY}).code == 200
    for sent in (f"{KEY}x", KEY.upper(), "marked", f"{KEY},{KEY}"):
        assert ask(site.layer, headers={"X-API-Key": sent}).code in (400, 401)
    assert site.shows(KEY.rpartition("_")[2]) == []


def test_of_proxies(caplog):
    site = Watched(TrustedHeader("Xauthuser", secret=PROXYS), caplog)
    for secret_sent in (PROXYS, WRONG):
        ask(site.layer, headers={"Xauthuser": "ann", "X-Proxy-Secret": secret_sent})
    assert site.shows() == []


def kept_by(browser):
    """The values of the cookies after some requests, each as they were and as they came to be."""
    values = set()
    for path in ("/in", "/", "/"):
        browser.get(path)
        values |= set(browser.cookies.values())
    assert values
    return values


def forge(browser):
    """Send cookies that are nearly those of this browser."""
    forger = Browser(browser.app)
    forger.cookies = {name: f"{value}x" for name, value in browser.cookies.items()}
    forger.get("/")


def test_of_logins_in_sessions(caplog):
    store, clock = MemoryStore(), FakeClock(1000)
    scheme = SessionLogin({"ann": STORED}, remember=RememberMe(), clock=clock)
    site = Watched(scheme, caplog, store=store, clock=clock)
    browser = Browser(SessionMiddleware(site.layer, store=store))
    form = {"username": "ann", "password": WRONG, "remember": "on"}
    assert browser.post("/login", form, SAME_SITE).code == 401
    assert browser.post("/login", {**form, "password": RIGHT}, SAME_SITE).code == 303
    values = set(browser.cookies.values())
    thief = Browser(browser.app)
    thief.cookies = {"remember": browser.cookies["remember"]}
    for _ in range(2):
        browser.cookies = {"remember": browser.cookies["remember"]}  # it was closed
        values |= kept_by(browser)
    clock.advance(60)
    thief.get("/")
    forge(browser)
    assert "remember.theft" in "".join(site.said)
    assert site.shows(*values, *(part for value in values for part in value.split(":"))) == []


def test_of_logins_in_tickets(caplog):
    site = Watched(AuthTkt(secret=SIGNING, timeout=60), caplog, rules=[optional("/in"), require("/")])
    browser = Browser(site.layer)
    values = kept_by(browser)
    forge(browser)
    assert site.shows(*values) == []
