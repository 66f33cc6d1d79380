"""The site itself: raw WSGI with WebOb, eleven pages, each there for one layer. The layers are stacked in stack.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep, strftime
from typing import TYPE_CHECKING

from webob import Request, Response

from examples.reference import pages
from examples.reference.last_lines import LINES
from middleware import (
    check_csrf,
    csrf_input,
    get_auth,
    get_cache,
    get_cookies,
    get_identity,
    get_request_id,
    get_session,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware import Identity
    from middleware.caching import Cache

STYLE = (Path(__file__).parent / "style.css").read_bytes()
THEMES = ("light", "dark")

View = Callable[[Request], Response]


def site(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The application that all layers wrap."""
    request = Request(environ)
    view = VIEWS.get(request.path_info)
    if view is None:
        answer = page(request, "Not found", pages.not_found(), status=404)
    elif request.method not in METHODS.get(request.path_info, ("GET", "HEAD")):
        answer = Response(status=405, allow=METHODS.get(request.path_info, ("GET", "HEAD")))
    else:
        answer = view(request)
    return answer(environ, start_response)


def home(request: Request) -> Response:
    """What there is to try."""
    return page(request, "Home", pages.home())


def clock(request: Request) -> Response:
    """Cached for ten seconds for everybody, so it reads neither session, cookie nor identity."""
    html = pages.frame("Clock", pages.clock(strftime("%H:%M:%S")), theme=None, user=None, path="/clock")
    answer = Response(html)
    answer.headers["Cache-Control"] = "public, max-age=0, s-maxage=10"  # ten seconds in our cache, none in the browser
    answer.headers["Cache-Tag"] = "clock"  # by which it is purged, whatever its address
    return answer


def notes(request: Request) -> Response:
    """Notes kept in the session, for whoever is signed in."""
    session = get_session(request.environ)
    if request.method == "POST":
        if not check_csrf(request.environ, request.POST.get("csrf_token")):
            return page(request, "Not from here", pages.stale_form("/notes"), status=403)
        text = str(request.POST.get("note", "")).strip()[:500]
        if "clear" in request.POST:
            session.pop("notes", None)
            session.flash("All notes are gone.")
        elif text:
            session["notes"] = [*session.get("notes", []), text][-20:]
            session.flash("Noted.")
        return see_other("/notes")
    return page(request, "Notes", pages.notes(session.get("notes", []), session.pop_flash(), csrf_input(session)))


def signed_in(request: Request) -> Response:
    """Where the user is signed in, and the buttons that end it there."""
    session = get_session(request.environ)
    user = session.user
    assert user is not None  # the rule for /signed-in requires one
    if request.method == "POST":
        if not check_csrf(request.environ, request.POST.get("csrf_token")):
            return page(request, "Not from here", pages.stale_form("/signed-in"), status=403)
        if "everywhere" in request.POST:
            get_auth(request.environ).logout(everywhere=True)
            return see_other("/")
        if "others" in request.POST:
            session.users.end_all(user, but=session.id)
            session.flash("You are signed in here only.")
        elif session.users.end(user, str(request.POST.get("end"))):
            session.flash("Signed out there.")
        return see_other("/signed-in")
    listed = pages.signed_in(session.users.sessions_of(user), session.id, session.pop_flash(), csrf_input(session))
    return page(request, "Where you are signed in", listed)


def admin(request: Request) -> Response:
    """Only for the role admin, who may purge: the rule stands in stack.py, and nothing here has to check it.

    The answer to a purge leads back here. One that led to the clock would by itself remove what is stored of it, since
    a cache takes what an answer to POST points at for changed (RFC 9111, section 4.4).
    """
    environ = request.environ
    session = get_session(environ)
    if request.method == "POST":
        if not check_csrf(environ, request.POST.get("csrf_token")):
            return page(request, "Not from here", pages.stale_form("/admin"), status=403)
        session.flash(purge(get_cache(environ), str(request.POST.get("purge"))))
        return see_other("/admin")
    return page(request, "Admin", pages.admin(get_identity(environ), session.pop_flash(), csrf_input(session)))


def explain(request: Request) -> Response:
    """Which rule of stack.py decides a request, for whoever may see the rules."""
    method, path = request.GET.get("method", "GET"), request.GET.get("path", "//admin")
    told = get_auth(request.environ).explain(method, path)
    return page(request, "Who may come where", pages.explain(method, path, str(told)))


def log(request: Request) -> Response:
    """The last lines of the access log, as the layer outside of all writes them."""
    return page(request, "The last requests", pages.log(LINES.newest_first()))


def purge(cache: Cache, what: str) -> str:
    """Purge what was asked for, and say what that was."""
    if what == "page":
        cache.purge("/clock")
        return "The page /clock is purged."
    if what == "tag":
        cache.purge_tags("clock")
        return "All pages with the tag clock are purged."
    if what == "all":
        cache.purge_all()
        return "Everything is purged."
    return "Nothing is purged."


def api_me(request: Request) -> Response:
    """Who asks, for programs: by Basic authentication."""
    identity = get_identity(request.environ)
    assert identity is not None  # the rule for /api requires one
    return Response(json={"user": identity.user, "roles": sorted(identity.roles), "scheme": identity.scheme})


def theme(request: Request) -> Response:
    """A preference in a signed cookie, so that nobody can put a word of their own into the page."""
    chosen = str(request.POST.get("theme"))
    if chosen in THEMES:
        get_cookies(request.environ).set_signed("theme", chosen, max_age=365 * 24 * 3600)
    return see_other("/")


def stream(request: Request) -> Response:
    """An answer that arrives line by line; every layer hands each chunk on at once."""

    def lines() -> Iterator[bytes]:
        for number in range(1, 11):
            yield f"line {number} of 10 at {strftime('%H:%M:%S')}\n".encode()
            sleep(0.2)

    return Response(app_iter=lines(), content_type="text/plain", charset="utf-8", cache_control="no-store")


def report(request: Request) -> Response:
    """What each layer did to this request."""
    environ = request.environ
    session, identity = get_session(environ), get_identity(environ)
    facts = {
        "Logging": f"request id {get_request_id(environ)}",
        "Caching": pages.CACHE_SAID,
        "Cookies": "you sent " + (", ".join(sorted(get_cookies(environ))) or "none"),
        "Sessions": f"a record that keeps {', '.join(sorted(session)) or 'nothing yet'}; "
        + ("no id yet" if session.is_new else f"the hash of its id begins with {str(session.id)[:8]}"),
        "Authentication": who(identity) + f", let in by {get_auth(environ).explain().rule}",
    }
    return page(request, "Report", pages.report(facts))


def who(identity: Identity | None) -> str:
    """Who is asking, in words."""
    if identity is None:
        return "nobody is signed in"
    return f"{identity.user}, by {identity.scheme}, roles: {', '.join(sorted(identity.roles)) or 'none'}"


def style(request: Request) -> Response:
    """The style sheet."""
    return Response(STYLE, content_type="text/css", charset="utf-8", cache_control="public, max-age=3600")


VIEWS: dict[str, View] = {
    "/": home,
    "/clock": clock,
    "/notes": notes,
    "/signed-in": signed_in,
    "/admin": admin,
    "/admin/explain": explain,
    "/admin/log": log,
    "/api/me": api_me,
    "/theme": theme,
    "/stream": stream,
    "/report": report,
    "/static/style.css": style,
}
METHODS = {
    "/notes": ("GET", "HEAD", "POST"),
    "/signed-in": ("GET", "HEAD", "POST"),
    "/admin": ("GET", "HEAD", "POST"),
    "/theme": ("POST",),
}


def page(request: Request, title: str, content: str, status: int = 200) -> Response:
    """A page in the site's frame."""
    environ = request.environ
    html = pages.frame(
        title,
        content,
        theme=get_cookies(environ).get_signed("theme"),
        user=get_identity(environ),
        path=request.path_info,
    )
    return Response(html, status=status)


def see_other(location: str) -> Response:
    """After a form: look there."""
    return Response(status=303, location=location)


def login_page(environ: WSGIEnvironment, error: str, next_url: str) -> str:
    """The sign-in form, in the site's frame."""
    form = pages.login(error, next_url, get_auth(environ).form_token())
    return pages.frame("Sign in", form, theme=None, user=None, path="/login")


def refused_page(environ: WSGIEnvironment, status: str, reason: str) -> str:
    """What a person sees instead of a page that the rules refuse."""
    return pages.frame(status[4:], pages.refused(), theme=None, user=get_identity(environ), path="")


def make_site(_global: dict[str, str]) -> WSGIApplication:
    """The site for a PasteDeploy file."""
    return site
