"""The public names as a user writes them, for pyright and mypy to read: `make check` finds no error here.

It is never run. `assert_type` holds what a name gives; each public name is used once, the way its page shows it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, assert_type

import redis
from flask import Flask
from pymemcache import PooledClient
from sqlalchemy import Table, create_engine

import middleware
from middleware import (
    UNWATCHED,
    AccessRecord,
    Account,
    ApacheFormat,
    ApiKey,
    ApiKeyRecord,
    ApiKeys,
    AuthMiddleware,
    AuthTkt,
    Basic,
    Bearer,
    CacheKeys,
    CacheMiddleware,
    CachePolicy,
    CachePurger,
    Choice,
    ClientCertificate,
    ConditionalMiddleware,
    CookieMiddleware,
    CookieOptions,
    Digest,
    Ending,
    Event,
    FileSink,
    GatewayMiddleware,
    Htdigest,
    Htpasswd,
    Identity,
    JsonFormat,
    LoggingMiddleware,
    MemcachedStore,
    MemoryStore,
    Metrics,
    Outer,
    PlainPasswords,
    Privacy,
    ProxyMiddleware,
    QueueSink,
    RawTargetMiddleware,
    RedisStore,
    RememberMe,
    RequestIdFilter,
    RequestIds,
    Response,
    ServerUser,
    SessionInfo,
    SessionLogin,
    SessionMiddleware,
    SQLiteStore,
    SQLStore,
    Store,
    StreamSink,
    Throttle,
    Timeouts,
    TrustedHeader,
    UsersFrom,
    allow,
    check_csrf,
    csrf_input,
    deny,
    forward,
    get_auth,
    get_cache,
    get_cookies,
    get_identity,
    get_request_id,
    get_session,
    ha1,
    hash_password,
    name_all_records,
    new_api_key,
    open_store,
    optional,
    require,
    trace_headers,
)
from middleware.errors import (
    ConfigurationError,
    CookieTooLarge,
    LayerMissing,
    LockTimeout,
    MiddlewareError,
    MissingExtra,
    ReauthenticationRequired,
    SessionClosed,
    SessionTooLarge,
    StoreError,
    TooManySessions,
    ValueTooLarge,
)
from middleware.integrations.beaker import BeakerSession, BeakerSessions
from middleware.integrations.flask import SessionInterface, by_identity, use_sessions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import TextIO
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

assert_type(middleware.__version__, str)


# An application that handles what the layers put into environ.


def site(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = get_session(environ)
    visits: int = session.get("visits", 0)
    session["visits"] = visits + 1
    session.setdefault("cart", []).append(17)
    session.flash("Welcome", "info")
    for category, message in session.pop_flash():
        assert_type(message, str)
        assert_type(category, str)
    assert_type(session.is_new, bool)
    assert_type(session.has_cookie, bool)
    assert_type(session.accessed, bool)
    assert_type(csrf_input(session), str)
    assert_type(check_csrf(environ, "what the form has"), bool)
    assert_type(session.csrf_token, str)
    assert_type(session.check_csrf_token(None), bool)
    del session["visits"]
    assert_type(session.increment("hits"), int)
    with session.lock(timeout=2, ttl=10):
        session["stock"] = session.get("stock", 0) - 1
    assert_type(session.csrf_token, str)
    assert_type(session.check_csrf_token("posted"), bool)
    session.login("ann", label="Firefox", keep=["cart"])
    session.remember(30)
    session.require_fresh(300)
    assert_type(session.user, str | None)
    for one in session.users.sessions_of("ann"):
        assert_type(one, SessionInfo)
        session.users.end("ann", one.id)
    assert_type(session.users.end_all("ann", but=session.id), int)
    session.rotate()
    session.logout()
    session.invalidate()

    cookies = get_cookies(environ)
    assert_type(cookies.get("theme"), str | None)
    assert_type(cookies.get_signed("unread", max_age=3600), str | None)
    cookies.set("theme", "dark", max_age=86400, samesite="Strict")
    cookies.set_signed("unread", "3")
    assert_type(cookies.get_sealed("address", max_age=3600), str | None)
    cookies.set_sealed("address", "1 Main Street", max_age=3600)
    cookies.set("greeting", "Grüße", quoted=True)
    assert_type(cookies.get("greeting", quoted=True), str | None)
    cookies.delete("theme")

    identity = get_identity(environ)
    assert_type(identity, Identity | None)
    if identity is not None:
        assert_type(identity.user, str)
        assert_type(identity.roles, frozenset[str])
    auth = get_auth(environ)
    assert_type(auth.login("ann"), Identity)
    auth.login("ann", remember=True, factors=["pwd", "otp"])
    assert_type(auth.impersonate("bob").actor, str | None)
    assert_type(auth.stop_impersonating(), Identity)
    auth.logout(everywhere=True)

    cache = get_cache(environ)
    cache.tag("articles", "article-7")
    cache.purge("/articles/7", "/articles", prefix=True)
    cache.purge_tags("articles", soft=True)
    cache.purge_all()
    assert_type(get_request_id(environ), str)
    assert_type(trace_headers(environ), dict[str, str])

    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


# The five layers, each on the one before: what a layer gives is an application.


def build(here: Path, secret: str, out: TextIO) -> WSGIApplication:
    users = Htpasswd(here / "users", groups=here / "groups", plain=True, upgrade="bcrypt", case_map=True)
    hashes = {"ann": hash_password("correct horse battery")}

    def users_of_ours(user: str) -> Account | None:
        return Account(hashes[user], roles=["staff"]) if user in hashes else None

    def set_hash(user: str, new: str, old: str) -> bool:
        return hashes.get(user) == old

    described = UsersFrom(users_of_ours, forms=["argon2id", "bcrypt"], set_hash=set_hash)

    def ha1_of_ours(user: str, realm: str, algorithm: str) -> str | None:
        return None

    def page(environ: WSGIEnvironment, status: str, reason: str) -> str:
        return f"<h1>{status}</h1>{reason}"

    def line(record: AccessRecord) -> str:
        return f"{record.status} {record.sent} {record.duration:.3f}"

    app: WSGIApplication = site
    app = AuthMiddleware(
        app,
        [SessionLogin(users), Basic(users_of_ours, realm="App"), Basic(hashes), Basic(described)],
        rules=[
            allow("/static", "=/healthz"),
            deny("/old"),
            require("/admin", role="admin", methods=["GET"]),
            optional("/"),
        ],
        page=page,
    )
    remember = RememberMe(days=7, extend=True, cookie=CookieOptions("stay", secure=True))
    app = AuthMiddleware(
        app,
        SessionLogin(users, remember=remember, keep=["cart"], login_path="/in", form=False),
        rules=[optional("/in"), require("/")],
        store=MemoryStore(),
    )
    app = AuthMiddleware(app, Basic(hashes))
    app = AuthMiddleware(app, Bearer(issuer="https://op.example", audience=["api"], roles=["realm_access", "roles"]))
    app = AuthMiddleware(app, Bearer(issuer="a", audience="b", keys={"keys": []}, algorithms=["EdDSA"], leeway=0))
    app = AuthMiddleware(app, Bearer(verify=lambda token: {"user": token} if token else None, remember_for=30))
    app = AuthMiddleware(app, Basic(hashes), throttle=Throttle(free_failures=3, device_secret=[secret]), store=None)
    app = AuthMiddleware(app, Basic(hashes), throttle=None)
    app = AuthMiddleware(app, Bearer(issuer="https://op.example", audience=["api"], roles="groups"))
    trusted = TrustedHeader("Xauthuser", groups="Xauthgroups", peers=["10.0.0.0/8"], secret=[secret, secret.encode()])
    holder = ClientCertificate("san:email", roles={"issuer:CN=Staff CA": ["staff"]})
    own = ClientCertificate(lambda certificate: str(certificate.serial_number), header="Client-Cert", secret=secret)
    app = AuthMiddleware(app, [ServerUser(roles={"ann": ["admin"]}), trusted, holder])
    app = AuthMiddleware(AuthMiddleware(app, Outer()), [ServerUser(roles=lambda user: [user]), own])
    digest = Digest(Htdigest(here / "users.htdigest"), realm="App", secret=secret, algorithms=["SHA-256", "MD5"])
    app = AuthMiddleware(app, [digest, Basic(hashes)], store=SQLiteStore(here / "auth.db"))
    app = AuthMiddleware(app, Digest({"ann": ha1("ann", "App", "seven apples")}, realm="App", secret=[secret]))
    app = AuthMiddleware(app, Digest(PlainPasswords({"ann": "seven apples"}), realm="App", secret=secret, sess=True))
    app = AuthMiddleware(app, Digest(ha1_of_ours, realm="App", secret=secret, nonce_lifetime=60, max_nonces=100))
    key, record = new_api_key("shop", user="ann", scopes=["read"], expires_at=1_800_000_000)
    assert_type(key, str)
    assert_type(record, ApiKeyRecord)

    def key_of_ours(key_id: str) -> ApiKeyRecord | None:
        return record if key_id == record.id else None

    app = AuthMiddleware(app, [ApiKey({record.id: record}), ApiKey(ApiKeys(here / "keys"), header=None)])
    app = AuthMiddleware(app, ApiKey(key_of_ours, header="X-Token"))
    tickets = AuthTkt(secret=[secret, secret.encode()], timeout=3600, also_reads=["md5"], compat=["repoze.who"])
    app = AuthMiddleware(app, [tickets, AuthTkt(secret=secret, timeout=60.0, reissue_time=6, users=users)])
    app = SessionMiddleware(app, store=SQLiteStore(here / "sessions.db"), cookie=CookieOptions("sid", max_age=86400))
    app = SessionMiddleware(app, secret=secret, seal=True, chunks=3, revocations=MemoryStore(), on_outage="anonymous")
    app = SessionMiddleware(app, store=MemoryStore(), timeouts=Timeouts.AAL2, rotate_on=["user"], on_event=listener)
    app = SessionMiddleware(app, store=MemoryStore(), on_other_browser="rotate", clear_site_data=["cache"])
    app = SessionMiddleware(app, secret=[secret, secret.encode()], timeouts=Timeouts(idle=900, lifetime=43200))
    app = CookieMiddleware(app, secret=secret, options=CookieOptions(samesite="Strict", secure=True))
    app = CookieMiddleware(app, secret=secret, seal=True, readable=["theme"], on_bad="raise", on_event=listener)
    app = ConditionalMiddleware(app)
    app = ConditionalMiddleware(app, max_body=1 << 16, weak=True)
    app = CacheMiddleware(app, store=MemoryStore(max_bytes=64 << 20, when_full="evict"))
    keys = CacheKeys(
        ignore_query=["utm_*", "gclid"],
        ignore_cookies=("_ga*",),
        allowed_hosts=["www.example.com"],
        unkeyed={"x-theme": "key", "x-forwarded-host": "strip", "x-debug": "bypass"},
        normalise={"accept-encoding": lambda value: "gzip" if "gzip" in value else None},
        extra=lambda environ: (str(environ.get("tenant")), "v2"),
    )
    assert_type(keys.replace(allowed_hosts=()), CacheKeys)
    app = CacheMiddleware(app, store=MemoryStore(), keys=keys)
    policy = CachePolicy(heuristic=0, store_set_cookie="public", stale_on_failure=60.0, targeted=["Surrogate-Control"])
    assert_type(CachePolicy.CONFORMANCE.replace(store_set_cookie=False), CachePolicy)
    app = CacheMiddleware(app, store=MemoryStore(), policy=policy)
    app = CacheMiddleware(app, store=MemoryStore(), policy="conformance")
    app = CacheMiddleware(app, store=MemoryStore(), purge_by=lambda environ: environ.get("REMOTE_ADDR") == "::1")
    app = LoggingMiddleware(app, format="json", sink=FileSink(here / "access.log"))
    with QueueSink(FileSink(here / "queued.log"), size=5000, patience=2.0) as queue:
        app = LoggingMiddleware(app, sink=queue)
        assert_type(queue.written + queue.dropped + queue.failed, int)
    app = LoggingMiddleware(app, format=ApacheFormat("%h %t %>s", utc=True, missing_address="::"), sink=print)
    app = LoggingMiddleware(app, format=JsonFormat("otel", extra={"tenant": "%{tenant}n"}), sink=print)
    app = LoggingMiddleware(app, format=JsonFormat([("status", "%>s"), ("who", "%u")], utc=True), sink=print)
    app = LoggingMiddleware(app, format=line, sink=StreamSink(out, flush=True), request_ids=RequestIds(None))
    app = LoggingMiddleware(app, sink=print, error_log=True)
    app = LoggingMiddleware(app, sink=print, trace="continue", request_ids=RequestIds(trust=True, accept=str.isalnum))
    hide = Privacy(and_parameters=["ticket"], cookies=["id"], path=lambda path: path.lower(), addresses="/24,/48")
    choice = Choice(
        quiet={"/healthz": "2xx"}, skip=lambda record: record.aborted, sample=0.1, slow=1, levels=["5xx=ERROR"]
    )
    logged = LoggingMiddleware(app, sink=print, privacy=hide, choice=choice)
    assert_type(logged.skipped + logged.failures, int)
    app = LoggingMiddleware(logged, sink=print, privacy=None, choice=Choice(quiet=["/healthz"]))
    logging.getLogger().addFilter(RequestIdFilter())
    name_all_records()
    app = LoggingMiddleware(app)
    app = ProxyMiddleware(app, trust=["10.0.0.0/8", "unix"], field="Forwarded", host="Forwarded")
    metrics = Metrics(buckets=[0.1, 1], duration_labels=["route"], route_key="site.route", on_request=print)
    app = LoggingMiddleware(app, metrics=metrics, server_timing=lambda environ: get_identity(environ) is not None)
    app = SessionMiddleware(app, store=MemoryStore(), on_event=metrics.on_event)
    metrics_app: WSGIApplication = metrics.app
    assert callable(metrics_app)
    assert_type([*metrics.collector().collect()], list[Any])
    app = LoggingMiddleware(app, server_timing=True)
    app = RawTargetMiddleware(app, mount="/app", decoded=True)
    app = GatewayMiddleware(app, drain=1 << 20)
    outermost = ProxyMiddleware(app, hops=1, proto=None, port="X-Forwarded-Port", prefix="X-Prefix", keep_fields=True)
    inner: WSGIApplication = outermost.app
    assert callable(inner)
    return outermost


# A store: ours by URL, and one of a user's own.


def use(store: Store) -> None:
    store.set("key", b"value", ttl=60)
    assert_type(store.get("key"), bytes | None)
    assert_type(store.add("key", b"value"), bool)
    assert_type(store.swap("key", b"value", b"other", ttl=0.5), bool)
    assert_type(store.delete("key"), bool)


class Dictionary:
    """A store by its shape: nothing is inherited."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self.values[key] = value

    def add(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        return self.values.setdefault(key, value) is value

    def swap(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        return self.values.get(key) == old

    def delete(self, key: str) -> bool:
        return self.values.pop(key, None) is not None


use(Dictionary())
use(MemoryStore())
use(open_store("memory://?max_bytes=64MiB"))
use(RedisStore(redis.Redis(socket_timeout=2)))
use(RedisStore(lambda: redis.RedisCluster("localhost", 6379), prefix="app:"))
CachePurger(open_store("redis://localhost/0"), keys=CacheKeys(ignore_query=["utm_*"])).purge_tags("articles", soft=True)
use(MemcachedStore(PooledClient("localhost", timeout=2, connect_timeout=2), prefix="app:"))
with SQLStore(create_engine("postgresql+psycopg://db/app"), prefix="app:", table="web.kept") as shared:
    use(shared)
    shared.create_table()
    assert_type(shared.table, Table)
    assert_type(shared.purge(), int)
with SQLiteStore("sessions.db", prefix="sessions", timeout=5.0, durable=False) as opened:
    use(opened)


# A layer of a user's own.


class Banner:
    def __init__(self, app: WSGIApplication, *, text: str) -> None:
        self.app = app
        self.text = text

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/closed":
            return Response("403 Forbidden", [("Content-Type", "text/plain")], [b"closed"])(environ, start_response)

        def amend(response: Response) -> object:
            assert_type(response.code, str)
            assert_type(response.get("Vary"), str | None)
            assert_type(response.get_all("Set-Cookie"), list[str])
            response.set("X-Banner", self.text)
            response.add("Link", "</style.css>; rel=preload")
            response.remove("Server")
            response.vary("Accept-Language")
            return UNWATCHED if response.code == "404" else None

        seen: list[int] = []

        def end(ending: Ending) -> None:
            assert_type(ending.completed, bool)
            assert_type(ending.error, BaseException | None)

        return forward(self.app, environ, start_response, amend, watch=lambda chunk: seen.append(len(chunk)), end=end)


class Replaced:
    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        taken = Response.from_app(self.app, environ)
        if taken.status.startswith("500"):
            return Response("500 Internal Server Error", [], [b"sorry"])(environ, start_response)
        return taken(environ, start_response)


layered: WSGIApplication = Banner(Replaced(site), text="hello")


# Sessions in frameworks.


def in_frameworks(store: Store) -> WSGIApplication:
    flask_app = Flask("site")
    layer = use_sessions(flask_app, store=store)
    _ = by_identity({"ann": object()}.get)
    assert_type(layer, SessionMiddleware)
    assert_type(layer.cookie_name(https=True), str)
    Flask("inside").session_interface = SessionInterface()
    session = layer.open("id=...")
    assert_type(session.pop_flash("info"), list[tuple[str, str]])
    assert_type(session.peek_flash("info"), list[tuple[str, str]])
    session.revert()
    return SessionMiddleware(BeakerSessions(site), store=store)


def of_beaker(environ: WSGIEnvironment) -> None:
    session: BeakerSession = environ["beaker.session"]
    session.save()
    session.regenerate_id()
    session.delete()
    assert_type(session.last_accessed, float | None)
    assert_type(session.accessed(), bool)


# What a user may want to hear.


def listener(event: Event) -> None:
    assert_type(event.name, str)
    assert_type(event.subject, str | None)
    assert_type(event.time, float)


# What a user may want to catch.


def caught(error: Exception) -> str:
    match error:
        case ConfigurationError() | MissingExtra() | LayerMissing():
            return "set up wrongly"
        case ValueTooLarge() | StoreError():
            return "the store"
        case SessionTooLarge() | CookieTooLarge() | SessionClosed() | LockTimeout():
            return "the session"
        case ReauthenticationRequired() | TooManySessions():
            return "the login"
        case MiddlewareError():
            return "ours"
        case _:
            return "not ours"


def anything(environ: WSGIEnvironment) -> Any:
    return environ["middleware.notes"]
