"""What requests of one visitor write at the same time is all there, in every order of their calls to the store.

Numbers: S9 to S12 of the notes, point 1 of the issue. With one interruption, and with nine where there is the time.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
from sessions.kit import Clock, put
from sessions.orders import Stepped, every_order
from sessions.races import Crowded, cookie_of

from middleware.sessions import Timeouts
from middleware.stores.memory import MemoryStore

pytestmark = pytest.mark.usefixtures("elsewhere")


def in_a_lock(number, session):
    with session.lock():
        session["locked"] = session.get("locked", 0) + 1


# What each of two requests does, by number, and what shows that both did it, each as often as it is in `done`.
WRITES = {
    "own key": lambda number, session: put(**{f"own {number}": 1})(session),
    "increment": lambda number, session: session.increment("counter"),
    "lock": in_a_lock,
    "flash": lambda number, session: session.flash(f"message {number}"),
    "deletion": lambda number, session: session.pop(f"old {number}"),
    "inside of a value": lambda number, session: session[f"deep {number}"]["list"].append(1),
    "csrf token": lambda number, session: put(**{f"token {number}": session.csrf_token})(session),
}
BEGAN = {"old 0": 0, "old 1": 1, "deep 0": {"list": []}, "deep 1": {"list": []}}


def expected(names):
    data = {**BEGAN, "deep 0": {"list": []}, "deep 1": {"list": []}}
    for number, name in enumerate(names):
        if name == "own key":
            data[f"own {number}"] = 1
        elif name in ("increment", "lock"):
            key = {"increment": "counter", "lock": "locked"}[name]
            data[key] = data.get(key, 0) + 1
        elif name == "deletion":
            del data[f"old {number}"]
        elif name == "inside of a value":
            data[f"deep {number}"] = {"list": [1]}
    return data


def shown(session):
    tokens = [session[key] for key in session if key.startswith("token")]
    data = {key: value for key, value in session.items() if not key.startswith("token")}
    return data, [session.check_csrf_token(one) for one in tokens], sorted(text for _, text in session.peek_flash())


@pytest.mark.parametrize("switches", [1, pytest.param(9, marks=pytest.mark.slow)], ids=["once", "often"])
@pytest.mark.parametrize("names", [*combinations_with_replacement(WRITES, 2)], ids=" and ".join)
def test_what_two_requests_write_is_all_there(names, switches):
    def prepare():
        clock = Clock()
        store = Stepped(MemoryStore(clock=clock))
        site = Crowded(store=store, clock=clock)
        cookie = cookie_of(site.ask(put(**BEGAN)))
        answers = []

        def work(number, name):
            answers.append(site.ask(lambda session: WRITES[name](number, session), cookie))

        def check():
            assert [answer.code for answer in answers] == [200, 200]
            assert [line for answer in answers for line in answer.all("Set-Cookie")] == []
            data, tokens, messages = eval(site.ask(shown, cookie).text)
            assert data == expected(names)
            assert tokens == [True] * names.count("csrf token")
            assert messages == [f"message {number}" for number, name in enumerate(names) if name == "flash"]
            if names == ("increment", "increment"):
                assert sorted(answer.text for answer in answers) == ["1", "2"]

        return store, [lambda pair=pair: work(*pair) for pair in enumerate(names)], check

    assert every_order(prepare, switches=switches) > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own key", "increment", "lock"])
def test_what_three_requests_write_is_all_there_where_the_session_gets_a_new_id_meanwhile(name):
    def prepare():
        clock = Clock()
        store = Stepped(MemoryStore(clock=clock))
        site = Crowded(store=store, clock=clock, timeouts=Timeouts(renew_every=60))
        cookie = cookie_of(site.ask(put(**BEGAN)))
        clock.now += 60
        answers = []

        def work(number):
            answers.append(site.ask(lambda session: WRITES[name](number, session), cookie))

        def check():
            assert [answer.code for answer in answers] == [200] * 3
            assert eval(site.ask(shown, cookie).text)[0] == expected([name] * 3)
            assert len({line for answer in answers for line in answer.all("Set-Cookie")}) == 1

        return store, [lambda number=number: work(number) for number in range(3)], check

    assert every_order(prepare, switches=1 if name == "lock" else 2) > 1
