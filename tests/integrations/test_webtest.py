"""WebTest shows the session of each answer, by `paste.testing_variables` (S56): round an application, in a pipeline."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from webtest import TestApp

from middleware import MemoryStore, SessionMiddleware, get_session

loadapp = pytest.importorskip("paste.deploy").loadapp

PIPELINE = """
[pipeline:main]
pipeline = log session site

[filter:log]
use = egg:wsgi-middleware#logging
sink = stderr

[filter:session]
use = egg:wsgi-middleware#session
store = memory://

[app:site]
paste.app_factory = counting_site_of_the_test:factory
"""


def app(environ, start_response):
    session = get_session(environ)
    if environ["PATH_INFO"] != "/untouched":
        session["count"] = session.get("count", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"counted"]


@pytest.fixture(params=["plain", "pipeline"])
def browser(request, tmp_path, monkeypatch):
    if request.param == "plain":
        return TestApp(SessionMiddleware(app, store=MemoryStore()))
    module = ModuleType("counting_site_of_the_test")
    module.factory = lambda global_conf: app
    monkeypatch.setitem(sys.modules, module.__name__, module)
    file = tmp_path / "site.ini"
    file.write_text(PIPELINE)
    return TestApp(loadapp(f"config:{file}"))


def test_an_answer_has_the_session_of_its_request(browser):
    assert browser.get("/").session["count"] == 1
    answer = browser.get("/")
    assert (answer.session["count"], answer.session.is_new) == (2, False)


def test_a_session_that_the_page_did_not_use_is_not_loaded_for_the_test(browser):
    answer = browser.get("/untouched")
    assert (answer.session.accessed, answer.headers.get("Set-Cookie")) == (False, None)
