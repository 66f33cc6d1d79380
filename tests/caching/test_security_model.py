"""Whatever an application says and whoever asks: whose answer a client may get, by a model of what the RFCs allow."""

from __future__ import annotations

import json

from cached_site import START, Site
from hypothesis import given, settings
from hypothesis import strategies as st

from middleware.headers import directives

ENDS = {"wsgi.run_once": True}  # what is refreshed is refreshed before the request is over
LIFETIME = 10

controls = st.lists(
    st.sampled_from(
        [
            "max-age=10",
            "max-age=10",
            "max-age=0",
            "s-maxage=10",
            "public",
            "private",
            'private="x"',
            "no-store",
            "no-cache",
            "must-revalidate",
            "stale-while-revalidate=20",
            "stale-if-error=20",
        ]
    ),
    max_size=4,
    unique=True,
).map(", ".join)
answers = st.fixed_dictionaries(
    {
        "control": controls,
        "vary": st.sampled_from(["", "", "Cookie", "Authorization", "X", "*", "X, Cookie"]),
        "sets_cookie": st.booleans(),
        "etag": st.booleans(),
        "dated": st.booleans(),
        "kind": st.sampled_from(["page", "page", "page", "confirms", "503", "raises"]),
    }
)
requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "GET", "GET", "GET", "HEAD", "POST"]),
        "cookie": st.sampled_from([None, None, "a", "b"]),
        "authorization": st.sampled_from([None, None, None, "A", "B"]),
        "x": st.sampled_from([None, "1"]),
        "after": st.sampled_from([0, 1, 11]),
    }
)
FIELDS = ("cookie", "authorization", "x")


class Model:
    """An application that does as it is told, and remembers what it said to whom."""

    def __init__(self):
        self.site = Site(app=self.app)
        self.says = None
        self.made = []  # each call: what was asked, what was said, and when
        self.changed = 0  # calls before the last change
        self.confirmed_at = 0.0

    def app(self, environ, start_response):
        says = self.says
        asked = {name: environ.get(f"HTTP_{name.upper()}") for name in FIELDS}
        number = len(self.made)
        conditional = "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ
        confirms = says["kind"] == "confirms" and conditional
        self.made.append({**says, **asked, "at": self.site.now, "confirms": confirms})
        if says["kind"] == "raises":
            raise OSError("down")
        fields = [("Set-Cookie", f"sid={number}")] if says["sets_cookie"] else []
        if confirms:
            self.confirmed_at = self.site.now
            start_response("304 Not Modified", fields)
            return []
        fields += [("Cache-Control", says["control"])] if says["control"] else []
        fields += [("Vary", says["vary"])] if says["vary"] else []
        fields += [("ETag", '"the same for all"')] if says["etag"] else []
        fields += [("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")] if says["dated"] else []
        if environ["REQUEST_METHOD"] == "POST" and says["kind"] != "503":
            self.changed = len(self.made)
        # A 200 to HEAD would change what is stored, as RFC 9111, section 4.3.5, has it.
        status = "404 Not Found" if environ["REQUEST_METHOD"] == "HEAD" else "200 OK"
        start_response("503 Down" if says["kind"] == "503" else status, fields)
        return [json.dumps(number).encode()]

    def step(self, request, says):
        """One request, and whether what came back may be what this client gets."""
        self.says = says
        before = len(self.made)
        headers = {name: request[name] for name in FIELDS if request[name] is not None}
        at = self.site.now + request["after"] - START
        try:
            answer = self.site.ask("/a", at=at, method=request["method"], headers=headers, **ENDS)
        except OSError:
            return
        own = range(before, len(self.made))
        for line in answer.all("Set-Cookie"):
            number = int(line.removeprefix("sid="))
            assert number in own, "a cookie of another client"
            assert self.made[number]["cookie"] == request["cookie"], "the cookie of a refresh"
        if request["method"] == "HEAD" or answer.code not in (200, 503) or not answer.body:
            return
        number = json.loads(answer.body)
        if number not in own:
            self.check(self.made[number], number, request, own)

    def check(self, made, number, request, own):
        """May an answer that was made before be given to this request?"""
        said = directives(made["control"])
        assert request["method"] == "GET", "an unsafe request was answered from the store"
        assert number >= self.changed, "it was changed since"
        assert not made["sets_cookie"], "it sets a cookie"
        assert not {"private", "no-store"} & said.keys(), "it is for one client"
        assert made["vary"] != "*", "it depends on anything"
        for name in made["vary"].lower().split(", "):
            assert not name or made[name] == request[name], f"it depends on {name}"
        if made["authorization"]:
            assert {"public", "s-maxage", "must-revalidate"} & said.keys(), "it was made for credentials"
        seconds = said.get("s-maxage") or said.get("max-age")
        if made["cookie"]:
            assert "public" in said or (seconds and int(seconds)), "it was made for a cookie"
        validated = any(self.made[call]["confirms"] for call in own)
        if seconds is None and (request["cookie"] or request["authorization"]) and not own:
            raise AssertionError("its freshness was guessed, and somebody is known")
        if {"no-cache", "must-revalidate", "s-maxage"} & said.keys() and not validated:
            assert "no-cache" not in said, "it had to be validated"
            age = self.site.now - max(made["at"], self.confirmed_at)
            assert seconds is None or age < int(seconds), "it is stale"


@settings(deadline=None)
@given(st.lists(st.tuples(requests, answers), min_size=2, max_size=8))
def test_no_client_gets_what_was_made_for_another(steps):
    model = Model()
    for request, says in steps:
        model.step(request, says)
