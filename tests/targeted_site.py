"""A site with a cache round it, behind servers that differ in how they tell the target of a request."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from asking import call, make_environ
from cached_site import START, Site

RAW = ("REQUEST_URI", "RAW_URI", "neither")
each_server = pytest.mark.parametrize("raw", RAW)


class TargetedSite(Site):
    """Asked by target, byte for byte; `raw` says where its server tells it: in REQUEST_URI, in RAW_URI, or nowhere."""

    def __init__(self, raw="REQUEST_URI", **options):
        super().__init__(**options)
        self.raw = raw

    def environ(self, target="/a", method="GET", headers=None, body=b"", **environ):
        """Keywords are entries of environ; None takes one out."""
        path, _, query = target.partition("?")
        made = make_environ("/", method, headers, body, HTTP_HOST="a.example")
        del made["REQUEST_URI"]
        made["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
        made["QUERY_STRING"] = query
        if self.raw != "neither":
            made[self.raw] = target
        made.update(environ)
        return {key: value for key, value in made.items() if value is not None}

    def ask(self, target="/a", at=None, **request):
        if at is not None:
            self.now = START + at
        return call(self.cache, self.environ(target, **request))


def caching(raw="REQUEST_URI", *fields, **options):
    """A site whose every answer is fresh for a minute."""
    site = TargetedSite(raw, **options)
    site.answers("Cache-Control: max-age=60", *fields)
    return site


def echoing(raw="REQUEST_URI", *fields, names=("QUERY_STRING", "REQUEST_URI", "RAW_URI", "HTTP_COOKIE"), **options):
    """A site whose page is what its application sees of the request, fresh for a minute."""

    def app(environ, start_response):
        site.calls += 1
        site.seen.append(dict(environ))
        start_response("200 OK", [("Cache-Control", "max-age=60"), *[tuple(field.split(": ", 1)) for field in fields]])
        return [repr([environ.get(name) for name in names]).encode()]

    site = TargetedSite(raw, app=app, **options)
    return site
