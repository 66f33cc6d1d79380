"""All five layers, beside Paste's log and login over Beaker's sessions, and what a chunk costs on its way through."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from beaker.middleware import CacheMiddleware as BeakerCache

from benchmarks import sessions
from benchmarks.access_log import COMBINED, check_line, our_log, paste_log
from benchmarks.kernel import BARE
from benchmarks.logins import USERS, authorization, our_login, paste_login
from benchmarks.method import Case, Row, ask, serve
from benchmarks.page_peers import PAGE
from benchmarks.pages import Page
from benchmarks.tokens import SECRET
from middleware import AuthMiddleware, Basic, CacheMiddleware, CookieMiddleware, MemoryStore, allow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    Layer = Callable[[WSGIApplication], WSGIApplication]

CHUNK = bytes(64 << 10)
CHUNKS = 250


class Stacked(sessions.Contender):
    """A stack with a session in it, and a browser that sends alice's password each time."""

    def __init__(self, name: str, layer: Layer, using: Callable[[sessions.Action], WSGIApplication], log: Path) -> None:
        super().__init__(name, layer, using, HTTP_AUTHORIZATION=authorization())
        self.log = log

    def check(self, app: WSGIApplication) -> None:
        """The session counts, the log has the line with her name, and nobody gets in without her password."""
        super().check(app)
        before = self.log.stat().st_size
        # From elsewhere: where somebody guesses, what is remembered is counted as a try too, which costs 140 us.
        assert ask(app, HTTP_AUTHORIZATION=authorization("wrong"), REMOTE_ADDR="198.51.100.9").status.startswith("401")
        assert self.ask(app, self.cookie).status == "200 OK"
        *_, line = self.log.read_bytes()[before:].splitlines(keepends=True)
        assert COMBINED.fullmatch(line.decode()), line


def our_stack(app: WSGIApplication, *, session: Layer, log: Path, login: Layer = our_login) -> WSGIApplication:
    app = login(app)
    app = session(app)
    app = CookieMiddleware(app, secret=SECRET)
    app = CacheMiddleware(app, store=MemoryStore())
    return our_log(app, log)


def paste_stack(app: WSGIApplication, *, session: Layer, log: Path) -> WSGIApplication:
    app = paste_login(app)
    app = session(app)
    return paste_log(app, log)


def stream(chunks: int) -> WSGIApplication:
    """An application that starts its answer and returns a generator of so many chunks."""

    def generate() -> Iterable[bytes]:
        for _ in range(chunks):
            yield CHUNK

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return generate()

    return app


def rows(directory: Path) -> list[Row]:
    return [*_sessions(directory), _cached_page(directory), _streaming(directory)]


def _sessions(directory: Path) -> list[Row]:
    """Alice's password, a session written, a line in the log; the answer is hers, so the cache lets it pass."""
    kinds = (
        ("memory", sessions.memory_layer(), sessions.beaker_memory_layer, 0.32),
        ("cookie", sessions.cookie_layer, sessions.beaker_cookie_layer, 0.24),
    )
    found = []
    for kind, our_session, beaker_session, target in kinds:
        our_file, paste_file = directory / f"ours-{kind}.log", directory / f"paste-{kind}.log"
        ours = Stacked(
            "five layers", partial(our_stack, session=our_session, log=our_file), sessions.with_ours, our_file
        )
        peer = Stacked(
            f"Paste + Beaker {kind}",
            partial(paste_stack, session=beaker_session, log=paste_file),
            sessions.with_beaker,
            paste_file,
        )
        title = f"five layers, {kind} session"
        cases = ours.case(sessions.write), peer.case(sessions.write)
        found.append(Row(title, *cases, target=target, ours_base=BARE, peer_base=BARE))
    return found


def _cached_page(directory: Path) -> Row:
    """A page of 10 KB that the cache has, and a line in the log. Beaker keeps the page's data for its application."""
    page = Page(PAGE)

    def for_everybody(app: WSGIApplication) -> WSGIApplication:
        return AuthMiddleware(app, [Basic(USERS)], rules=[allow("/")])

    our_file, paste_file = directory / "ours-page.log", directory / "paste-page.log"
    ours = our_stack(page, session=sessions.memory_layer(), log=our_file, login=for_everybody)
    peer = paste_log(BeakerCache(beaker_page), paste_file)

    def check(app: WSGIApplication, file: Path) -> None:
        assert ask(app).body == PAGE
        calls = page.calls, len(made)
        assert ask(app).body == PAGE
        assert calls == (page.calls, len(made))
        check_line(app, file)

    return Row(
        "five layers, cached page",
        Case("five layers", serve(ours), partial(check, ours, our_file)),
        Case("Paste + Beaker cache", serve(peer), partial(check, peer, paste_file)),
        target=0.35,
        ours_base=BARE,
        peer_base=BARE,
    )


made: list[int] = []


def beaker_page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The page, made once and kept with Beaker's cache of data."""

    def make() -> bytes:
        made.append(1)
        return PAGE

    body: bytes = environ["beaker.cache"].get_cache("pages", type="memory", expire=86400).get("page", createfunc=make)
    start_response("200 OK", [*Page(body).headers])
    return [body]


def _streaming(directory: Path) -> Row:
    """What one chunk of 64 KB costs: the time of many chunks less that of one."""

    def case(name: str, app: WSGIApplication, chunks: int) -> Case:
        def check() -> None:
            answer = ask(app, HTTP_AUTHORIZATION=authorization())
            assert answer.body == CHUNK * chunks

        return Case(f"{name}, {chunks}", serve(app, HTTP_AUTHORIZATION=authorization()), check)

    def stacked(chunks: int) -> WSGIApplication:
        return our_stack(stream(chunks), session=sessions.memory_layer(), log=directory / "stream.log")

    return Row(
        "streaming, a chunk",
        case("five layers", stacked(CHUNKS), CHUNKS),
        case("bare generator", stream(CHUNKS), CHUNKS),
        target=5.5,
        ours_base=case("five layers", stacked(1), 1),
        peer_base=case("bare generator", stream(1), 1),
        per=CHUNKS - 1,
    )
