"""The site's HTML. Values in, text out; whatever comes from outside passes through `escape`."""

from __future__ import annotations

from html import escape
from time import localtime, strftime
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from middleware import Identity, SessionInfo

LINKS = (("/", "Home"), ("/clock", "Clock"), ("/notes", "Notes"), ("/admin", "Admin"), ("/report", "Report"))

# Where the layer in own_layer.py writes what the cache said, and how old the page is.
CACHE_SAID = "(what the cache said)"
AGE = "(how old it is)"


def frame(title: str, content: str, *, theme: str | None, user: Identity | None, path: str) -> str:
    """A whole page."""
    links = "".join(
        f'<li><a href="{href}"{" aria-current=page" if href == path else ""}>{name}</a></li>' for href, name in LINKS
    )
    return f"""<!DOCTYPE html>
<html lang="en"{f' data-theme="{escape(theme)}"' if theme else ""}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Reference app</title>
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="site"><div class="bar">
<a class="brand" href="/">wsgi-middleware</a>
<nav aria-label="Pages"><ul>{links}</ul></nav>
{_who(user) if path not in ("/clock", "/login") else ""}
</div></header>
<main id="content">
<h1>{escape(title)}</h1>
{content}
</main>
<footer>The reference app of wsgi-middleware. No JavaScript.</footer>
</body>
</html>
"""


def _who(user: Identity | None) -> str:
    if user is None:
        return '<div class="who"><a href="/login">Sign in</a></div>'
    return (
        f'<div class="who"><span>Signed in as <a href="/signed-in"><strong>{escape(user.user)}</strong></a></span>'
        '<form method="post" action="/logout"><button class="quiet">Sign out</button></form></div>'
    )


def home() -> str:
    """What there is to try, a card a layer."""
    cards = (
        (
            "Caching",
            "/clock",
            "Clock",
            "Made once in ten seconds, for everybody. Reload it and watch the time stand still.",
        ),
        ("Sessions", "/notes", "Notes", "Kept in your session, also over a restart. Sign in first."),
        ("Sessions", "/signed-in", "Where you are signed in", "Every browser of yours, and a button to sign it out."),
        (
            "Authentication",
            "/admin",
            "Admin",
            "For one role, which may purge the clock. Bob is told that it is not for him.",
        ),
        ("Authentication", "/api/me", "API", "The same accounts for programs, by Basic authentication."),
        ("Logging", "/stream", "Stream", "Ten lines in two seconds, one log line when the last has gone."),
        ("All of them", "/report", "Report", "What each layer did to your request."),
    )
    listed = "".join(
        f'<li class="card"><p class="layer">{layer}</p><h2><a href="{href}">{name}</a></h2><p>{text}</p></li>'
        for layer, href, name, text in cards
    )
    return f"""<p class="lead">Five layers round one small WSGI application. Each page is there for one of them.</p>
<ul class="cards">{listed}</ul>
<h2 id="theme">Theme, in a signed cookie</h2>
<form method="post" action="/theme" class="row" aria-labelledby="theme">
<button name="theme" value="light" class="quiet">Light</button>
<button name="theme" value="dark" class="quiet">Dark</button>
</form>"""


def clock(made: str) -> str:
    """The cached page."""
    return f"""<p class="lead">This page was made at</p>
<p class="time"><time>{made}</time></p>
<p>Within ten seconds everybody gets this very page from the cache.
<a href="/clock">Ask again</a>, or be <em>ann</em> and <a href="/admin">purge it</a>.</p>
<h2>What the cache said to your request</h2>
<dl class="facts">
<dt>Cache-Status</dt><dd><code class="said">{CACHE_SAID}</code></dd>
<dt>Age</dt><dd>{AGE}</dd>
</dl>
<h2>How to read it</h2>
<dl class="facts">
<dt><code>hit; ttl=7</code></dt><dd>It came from the cache, which will send it for seven more seconds.</dd>
<dt><code>fwd=uri-miss</code></dt><dd>The application was asked: nothing was stored of this address.</dd>
<dt><code>fwd=stale</code></dt><dd>The application was asked: what was stored is too old.</dd>
<dt><code>collapsed</code></dt><dd>It was asked once, for you and for others who came at the same time.</dd>
<dt><code>stored</code></dt><dd>The cache keeps this page for the next who asks.</dd>
<dt><code>detail=</code></dt><dd>Why it does not, in a word: the <a href="/report">report</a> has one.</dd>
</dl>"""


def notes(kept: list[str], messages: list[tuple[str, str]], token: str) -> str:
    """The notes, newest last, and the form for one more. `token`: the hidden input of the form."""
    listed = "".join(f"<li>{escape(note)}</li>" for note in kept)
    shown = f'<ul class="notes">{listed}</ul>' if kept else "<p>Nothing noted yet.</p>"
    clear = '<button name="clear" value="yes" class="quiet" formnovalidate>Forget all</button>' if kept else ""
    return f"""{_flashes(messages)}{shown}
<form method="post" action="/notes" class="stack">
{token}
<label>A note <input name="note" required maxlength="500" autocomplete="off"></label>
<div class="row"><button>Keep it</button>{clear}</div>
</form>"""


def signed_in(sessions: list[SessionInfo], current: str | None, messages: list[tuple[str, str]], token: str) -> str:
    """The user's sessions, the one that was used last first, each with a button that ends it."""
    listed = "".join(_session(one, is_current=one.id == current) for one in sessions)
    others = '<button name="others" value="yes">Sign out everywhere else</button>' if sessions[1:] else ""
    return f"""{_flashes(messages)}<p class="lead">Every browser in which you are signed in.</p>
<form method="post" action="/signed-in">
{token}
<ul class="sessions">{listed}</ul>
<div class="row">{others}<button name="everywhere" value="yes" class="quiet">Sign out everywhere</button></div>
</form>"""


def _session(one: SessionInfo, *, is_current: bool) -> str:
    action = (
        "<strong>this browser</strong>"
        if is_current
        else (f'<button name="end" value="{escape(one.id)}" class="quiet">Sign out</button>')
    )
    return (
        f"<li><span>{escape(_browser(one.label))}<br><small>signed in {_time(one.created)}, "
        f"last used {_time(one.last_seen)}</small></span>{action}</li>"
    )


def _browser(label: str) -> str:
    """What a person calls the browser, as far as its User-Agent tells."""
    known = {"Firefox/": "Firefox", "Edg/": "Edge", "Chrome/": "Chrome or Chromium", "Safari/": "Safari"}
    return next((name for part, name in known.items() if part in label), label[:60] or "A browser without a name")


def _time(seconds: float) -> str:
    return f"<time>{strftime('%d %B, %H:%M', localtime(seconds))}</time>"


def _flashes(messages: list[tuple[str, str]]) -> str:
    return "".join(f'<p class="flash" role="status">{escape(text)}</p>' for _, text in messages)


def admin(user: Identity | None, messages: list[tuple[str, str]], token: str) -> str:
    """The page for one role, and its buttons that purge what the cache keeps."""
    name = escape(user.user) if user else ""
    return f"""{_flashes(messages)}<p class="lead">Welcome, {name}. Only the role <em>admin</em> comes this far.</p>
<h2 id="purge">Purge the cache</h2>
<p>The <a href="/clock">clock</a> is kept for ten seconds, under the tag <code>clock</code>. Whoever asks for it after a
purge gets a new one: a hit becomes <code>fwd=uri-miss</code>.</p>
<form method="post" action="/admin" aria-labelledby="purge">
{token}
<div class="row">
<button name="purge" value="page">Purge the clock</button>
<button name="purge" value="tag" class="quiet">Purge its tag</button>
<button name="purge" value="all" class="quiet">Purge everything</button>
</div>
</form>
<h2>Who may come where</h2>
<p><a href="/admin/explain">Ask which rule decides a request</a>, and why.</p>
<h2>Who has been here</h2>
<p><a href="/admin/log">The last lines of the access log</a>, newest first.</p>"""


def log(lines: list[str]) -> str:
    """The last lines of the access log, newest first."""
    shown = escape("\n".join(lines)) or "Nothing yet."
    return f"""<p class="lead">One line a request, written when its answer has ended.
Whatever a client sends, it stays one line.</p>
<pre class="told" tabindex="0" role="region" aria-label="The last requests">{shown}</pre>"""


def explain(method: str, path: str, told: str) -> str:
    """A form for a method and a path, and which rule decides them."""
    methods = "".join(
        f"<option{' selected' if one == method else ''}>{one}</option>" for one in ("GET", "POST", "DELETE", "get")
    )
    tries = "".join(
        f'<li><a href="/admin/explain?method=GET&amp;path={quote(one)}"><code>{escape(one)}</code></a></li>'
        for one in ("/admin", "//admin", "/static/../admin", "/api/me", "/nowhere")
    )
    return f"""<p class="lead">The rules stand in <code>stack.py</code>. This asks nobody and changes nothing.</p>
<form method="get" action="/admin/explain" class="stack">
<label>Method <select name="method">{methods}</select></label>
<label>Path <input name="path" value="{escape(path)}" required autocomplete="off" spellcheck="false"></label>
<div><button>Explain</button></div>
</form>
<pre class="told" tabindex="0" role="region" aria-label="Explanation">{escape(told)}</pre>
<h2>Try</h2>
<ul class="tries">{tries}</ul>"""


def report(facts: dict[str, str]) -> str:
    """What each layer did, outermost first."""
    rows = "".join(f"<dt>{escape(layer)}</dt><dd>{escape(fact)}</dd>" for layer, fact in facts.items())
    return f"""<p class="lead">What each layer did to this request, outermost first.</p>
<dl class="facts">{rows}</dl>"""


def not_found() -> str:
    """No page has this address."""
    return '<p class="lead">No page has this address. <a href="/">Back to the start</a></p>'


def stale_form(path: str) -> str:
    """The answer to a form without the token of its session."""
    return f'<p class="lead">This form is too old, or from elsewhere. <a href="{path}">Open it again</a></p>'


def refused() -> str:
    """The answer to whoever may not see a page."""
    return '<p class="lead">This page is not for you. <a href="/">Back to the start</a></p>'


def login(error: str, next_url: str, token: str) -> str:
    """The form that SessionLogin takes."""
    shown = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    return f"""{shown}<form method="post" action="/login" class="stack">
<input type="hidden" name="next" value="{escape(next_url)}">
<input type="hidden" name="token" value="{escape(token)}">
<label>Name <input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<label class="check"><input type="checkbox" name="remember" value="yes"> Keep me signed in for 30 days</label>
<div><button>Sign in</button></div>
</form>"""
