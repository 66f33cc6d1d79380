"""What a path costs that nobody needs credentials for: its readings are few, and found once."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Basic, allow, attempt, require
from middleware.auth.rules import paths, table
from middleware.auth.rules.paths import EACH_READING, MOST_WORK

USERS = {"ann": stored("apple")}
DOUBTFUL = [
    "/",
    "/a",
    "..",
    ".",
    "%2e",
    "%2f",
    "%25",
    ";",
    "\\",
    " ",
    "?",
    "#",
    "\0",
    "\t",
    "//",
    "/../",
    "/./",
    "\xff",
]
MANY = "/a/a/?/../ #?%2fa%2e\0;\t/../..a//a?\t \t/./..%2e/.././;/?/../ #?%2fa%2e\0;\t/../..a//a?\t \t/./..%2e/.././;/?"
OVERRIDES = {
    "X-HTTP-Method-Override": "DELETE",
    "X-HTTP-Method": "PUT",
    "X-Method-Override": "PATCH",
}


def site(app=who, rules=None, **options):
    told = []
    rules = [allow("/pub", methods=["GET"]), require("/")] if rules is None else rules
    return AuthMiddleware(app, Basic(USERS), rules=rules, on_event=told.append, **options), told


@pytest.fixture
def looks(monkeypatch):
    """The paths whose readings were looked for, each time that they were."""
    found = []

    def readings(path):
        found.append(path)
        return paths.readings(path)

    monkeypatch.setattr(table, "readings", readings)
    return found


@given(st.lists(st.sampled_from(DOUBTFUL), min_size=1, max_size=60), st.integers(1, 10), st.integers(0, 60))
def test_no_path_has_more_readings_than_the_work_that_is_done_for_one(parts, times, depth):
    path = "/a" * depth + "/" + "".join(parts) * times
    steps = []
    with pytest.MonkeyPatch.context() as patched:
        real = paths._steps_from
        patched.setattr(paths, "_steps_from", lambda text: steps.append(text) or real(text))
        app, _ = site()
        assert ask(app, PATH_INFO=path).code in (400, 401)
    assert sum(len(text) + EACH_READING for text in steps[:-1]) <= MOST_WORK


def test_a_path_with_too_many_readings_is_refused():
    app, told = site()
    assert ask(app, PATH_INFO=MANY).code == 400
    assert [event.name for event in told] == ["path.ambiguous"]


@pytest.mark.parametrize("path", [MANY, MANY * 20, "/x//y" * 60], ids=["many", "long", "refused for want of a login"])
def test_a_request_has_its_path_read_once_whatever_is_told_of_it(looks, path):
    app, told = site()
    ask(app, PATH_INFO=path, headers={"Authorization": "Basic !"})
    assert len(told) == 1
    assert looks == [path]


def test_fields_that_name_other_methods_have_it_read_once_more_together(looks):
    app, _ = site()
    path = "/x//y" * 60
    assert ask(app, PATH_INFO=path, method="POST", headers=OVERRIDES).code == 401
    assert looks == [path] * 2


def test_an_event_names_the_rule_that_let_the_request_in_wherever_the_application_moves_it():
    def mount(environ, start_response):
        environ["SCRIPT_NAME"] = environ["PATH_INFO"]
        environ["PATH_INFO"] = "/"
        attempt(environ, "door", "ann", lambda: None)
        return who(environ, start_response)

    app, told = site(mount, [allow("/pub"), require("/")], mounted=True)
    assert ask(app, "/pub").code == 200
    assert told[0].details["rule"] == "allow('/pub')"
