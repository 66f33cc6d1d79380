"""Requests of one visitor at the same time: nothing is lost, and what was ended stays ended.

Most of these run one request inside another, which is the worst order without a thread; the rest meet at a barrier.
"""

from __future__ import annotations

import threading
from functools import partial
from itertools import product

import pytest
from asking import ask
from sessions.kit import SECRET, Clock, Site, SpyStore, everything, put
from sessions.races import PATIENCE, Interleaved, during, live

from middleware.errors import StoreError
from middleware.sessions import SessionMiddleware, get_session
from middleware.sessions.records import PREFIX
from middleware.stores.memory import MemoryStore
from middleware.stores.sqlite import SQLiteStore


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def visitor(store, clock):
    visitor = Site(store=store, clock=clock).visitor()
    visitor(put(user="ann"))
    return visitor


# Merging


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [lambda path: MemoryStore(), lambda path: SQLiteStore(path / "s.db")], ids=["memory", "sqlite"]
)
@pytest.mark.parametrize("forced", [True, False])
def test_each_of_eight_threads_keeps_its_own_key(make, forced, tmp_path):
    barrier = threading.Barrier(8)

    def app(environ, start_response):
        session = get_session(environ)
        len(session)
        if forced and environ["PATH_INFO"] != "/read":
            barrier.wait()
        if environ["PATH_INFO"] != "/read":
            session[environ["PATH_INFO"]] = 1
        start_response("200 OK", [])
        return [str(len(session)).encode()]

    store = make(tmp_path)
    layer = SessionMiddleware(app, store=store)

    def first(environ, start_response):
        get_session(environ)["first"] = 1
        start_response("200 OK", [])
        return []

    kept = SessionMiddleware(first, store=store)
    cookie = ask(kept).all("Set-Cookie")[0].partition(";")[0]
    for turn in range(3):
        codes = []

        def work(number, turn=turn, codes=codes):
            codes.append(ask(layer, f"/{turn}-{number}", headers={"Cookie": cookie}).code)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes == [200] * 8
    assert ask(layer, "/read", headers={"Cookie": cookie}).text == str(1 + 24)


def test_the_threads_of_one_request_use_one_session(visitor, store):
    first_is_inside, go_on = threading.Event(), threading.Event()

    def wait():
        first_is_inside.set()
        go_on.wait(PATIENCE)

    def use(session):
        store.before["get"] = wait
        threads = [threading.Thread(target=session.update, kwargs={name: 1}) for name in ("x", "y")]
        threads[0].start()
        first_is_inside.wait(PATIENCE)
        threads[1].start()
        threads[1].join(PATIENCE)
        go_on.set()
        for thread in threads:
            thread.join()

    visitor(use)
    assert visitor(everything).text in ("{'user': 'ann', 'x': 1, 'y': 1}", "{'user': 'ann', 'y': 1, 'x': 1}")


def test_a_commit_applies_only_what_this_request_changed(visitor):
    visitor(put(a=1, b=1, c=1, l=[1]))

    def change(session):
        session["a"] = 2
        del session["b"]
        session["l"].append(2)

    during(visitor, lambda: visitor(put(c=2, d=2)), change)
    assert eval(visitor(everything).text) == {"user": "ann", "a": 2, "c": 2, "d": 2, "l": [1, 2]}


def test_of_two_that_change_one_key_the_later_commit_wins(visitor):
    during(visitor, lambda: visitor(put(k="early")), put(k="late"))
    assert visitor(lambda session: session["k"]).text == "'late'"
    during(visitor, lambda: visitor(put(k="again")), lambda session: session.pop("k"))
    assert visitor(lambda session: "k" in session).text == "False"
    visitor(put(k=1))
    during(visitor, lambda: visitor(lambda session: session.pop("k")), put(k="kept"))
    assert visitor(lambda session: session["k"]).text == "'kept'"


def test_clear_deletes_the_keys_that_were_there(visitor):
    visitor(put(**{f"k{number}": number for number in range(10)}))
    during(visitor, lambda: visitor(lambda session: session.clear()), put(k5="back"))
    assert visitor(everything).text == "{'k5': 'back'}"


def test_two_requests_that_leave_a_message_each_leave_both(visitor):
    visitor(lambda session: session.flash("first"))
    during(visitor, lambda: visitor(lambda session: session.flash("second")), lambda session: session.flash("third"))
    taken = visitor(lambda session: session.pop_flash()).text
    assert [taken.index(word) for word in ("first", "second", "third")] == sorted(
        taken.index(word) for word in ("first", "second", "third")
    )


def test_a_message_left_while_another_request_takes_them_is_shown_later(visitor):
    visitor(lambda session: session.flash("first"))
    answer = during(visitor, lambda: visitor(lambda s: s.flash("second")), lambda session: session.pop_flash())
    assert "first" in answer.text
    assert visitor(lambda session: session.pop_flash()).text == "[('message', 'second')]"


@pytest.mark.slow
def test_a_store_that_refuses_every_swap_is_asked_thirty_times_and_the_application_called_once(visitor, store):
    calls = []
    store.swap = lambda key, old, new, ttl=None: calls.append("swap") or False
    answer = visitor(lambda session: (calls.append("app"), put(a=1)(session)))
    assert (calls.count("swap"), calls.count("app"), answer.code) == (30, 1, 503)


def test_a_reading_that_meets_a_write_does_not_undo_it(visitor, clock):
    clock.now += 300
    during(visitor, lambda: visitor(put(a=1)), everything)  # both refresh the record
    assert visitor(lambda session: session["a"]).text == "1"


# Log-out is final

LATE = {
    "write": put(late=1),
    "read": everything,
    "rotate": lambda session: session.rotate(),
    "flash": lambda session: session.flash("late"),
    "rotate and write": lambda session: (session.rotate(), put(late=1)(session)),
    "nested": lambda session: session["l"].append(1),
    "delete": lambda session: session.clear(),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
@pytest.mark.parametrize("rotated_first", [False, True])
def test_a_late_request_does_not_undo_a_log_out(visitor, store, clock, late, rotated_first):
    visitor(put(l=[]))
    old = visitor.cookie

    def log_out():
        if rotated_first:
            visitor(lambda session: session.rotate())
        visitor(lambda session: session.invalidate())

    clock.now += 300  # so that a mere reading would refresh
    answer = during(visitor, log_out, late)
    assert answer.code == 200
    assert answer.all("Set-Cookie") == []
    assert visitor.cookie == ""
    assert visitor.site.ask(everything, old).text == "{}"
    assert not any(b"ann" in value for value in live(store))


ACTS = {
    "write": put(w=1),
    "rotate": lambda session: session.rotate(),
    "rotate and write": lambda session: (session.rotate(), put(w=1)(session)),
    "end": lambda session: session.invalidate(),
    "end and write": lambda session: (session.invalidate(), put(w=1)(session)),
}
ENDS = {"end", "end and write"}


@pytest.mark.slow
@pytest.mark.parametrize("acts", [acts for acts in product(ACTS, repeat=3) if ENDS & {*acts}], ids=", ".join)
def test_no_order_of_three_requests_brings_an_ended_session_back(acts):
    for calls in product(range(6), repeat=2):
        store = Interleaved()
        visitor = Site(store=store, clock=Clock()).visitor()
        visitor(put(user="ann"))
        happened = []

        def request(name, twin, happened=happened):
            assert twin(lambda session: (len(session), ACTS[name](session))).code == 200
            happened.append(name)

        first, *others = [partial(request, name, visitor.twin()) for name in acts]
        store.waiting = list(zip(calls, others, strict=True))
        first()
        store.waiting.clear()
        if ENDS & {*happened}:
            assert not any(b"ann" in value for value in live(store)), calls


def test_a_log_out_between_the_steps_of_a_rotation_is_final(visitor, store):
    for verb in ("add", "swap"):
        visitor(put(user="ann"))
        old = visitor.cookie
        ending = visitor.twin()
        store.before[verb] = lambda ending=ending: ending(lambda session: session.invalidate())
        answer = visitor(lambda session: session.rotate())
        assert answer.all("Set-Cookie") == []
        assert visitor.site.ask(everything, old).text == "{}"
        assert not any(b"ann" in value for value in live(store))
        visitor.browser.cookies.clear()


def test_a_log_out_that_started_before_a_rotation_ends_the_session_all_the_same(visitor, store):
    ending = visitor.twin()
    slow = during(
        ending, lambda: [visitor(lambda session: session.rotate()) for _ in range(3)], lambda s: s.invalidate()
    )
    assert "Max-Age=0" in slow.all("Set-Cookie")[0]
    assert visitor(everything).text == "{}"
    assert not any(b"ann" in value for value in live(store))


def test_a_log_out_that_failed_half_way_can_be_tried_again(visitor, store):
    late = visitor.twin()
    visitor(lambda session: session.rotate())

    def fail():
        store.down = True

    store.before["swap"] = fail
    assert late(lambda session: session.invalidate()).code == 503
    store.down = False
    late(lambda session: session.invalidate())
    assert visitor(everything).text == "{}"


def test_an_id_given_to_a_session_that_is_ended_then_does_not_replace_the_next_one(visitor):
    """The browser may have logged in again by the time that the slow answer arrives."""
    other = visitor.twin()
    answer = during(visitor, lambda: other(lambda s: s.invalidate()), put(late=1), before=lambda s: s.rotate())
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])


def test_a_circle_of_pointers_does_not_keep_a_log_out(visitor, store):
    from middleware.sessions.records import Pointer

    key = PREFIX + visitor(lambda session: session.id).text.strip("'")
    store.inner.set(key, Pointer(key, 1_700_000_000).raw)
    assert visitor(lambda session: session.invalidate()).code == 200
    assert store.inner.get(key) is None


def test_a_rotation_that_comes_between_the_steps_of_a_log_out_does_not_save_the_session(visitor, store):
    other = visitor.twin()
    store.before["swap"] = lambda: other(lambda session: session.rotate())
    visitor(lambda session: session.invalidate())
    assert other(everything).text == "{}"
    assert not any(b"ann" in value for value in live(store))


def test_log_out_happens_at_the_call_also_where_the_application_fails_then(visitor):
    old = visitor.cookie
    with pytest.raises(ZeroDivisionError):
        visitor(lambda session: (session.invalidate(), 1 / 0))
    assert visitor.site.ask(everything, old).text == "{}"


def test_after_log_out_the_session_is_empty_usable_and_another(visitor):
    old = visitor.cookie

    def use(session):
        session.invalidate()
        assert dict(session) == {}
        assert session.id is None
        assert session.is_new
        session.flash("Good-bye.")

    visitor(use)
    assert visitor.cookie not in ("", old)
    assert visitor(lambda session: (dict(session), session.pop_flash())).text == "({}, [('message', 'Good-bye.')])"
    assert visitor.site.ask(everything, old).text == "{}"


def test_a_log_out_of_a_5xx_page_is_still_told_to_the_browser(visitor):
    visitor.site.status = "500 Sorry"
    visitor(lambda session: session.invalidate())
    assert visitor.cookie == ""


# Rotation


def test_rotation_gives_a_new_id_keeps_the_data_and_ends_the_old_id(visitor, clock):
    old = visitor.cookie
    visitor(lambda session: (session.rotate(), put(admin=True)(session)))
    assert visitor.cookie not in ("", old)
    assert visitor(everything).text == "{'user': 'ann', 'admin': True}"
    for seconds in (0, 29, 31, 3600):
        clock.now += seconds
        assert visitor.site.ask(everything, old).text == "{}"


def test_rotation_happens_at_the_call_and_its_new_id_reaches_the_browser_on_a_5xx(visitor):
    old = visitor.cookie
    visitor.site.status = "500 Sorry"
    visitor(lambda session: (session.rotate(), put(lost=1)(session)))
    assert visitor.cookie != old
    assert visitor(everything).text == "{'user': 'ann'}"
    assert visitor.site.ask(everything, old).text == "{}"


def test_rotation_keeps_what_another_request_wrote_meanwhile(visitor, store):
    other = visitor.twin()
    store.before["swap"] = lambda: other(put(theirs=1))
    visitor(lambda session: (session.rotate(), put(mine=1)(session)))
    assert visitor(everything).text == "{'user': 'ann', 'theirs': 1, 'mine': 1}"


def test_a_rotation_notes_already_that_the_session_was_used(visitor, store, clock):
    clock.now += 300
    store.forget_calls()
    visitor(lambda session: session.rotate())
    assert store.calls == ["get", "add", "swap"]


def test_a_late_write_under_the_old_id_is_dropped(visitor):
    answer = during(visitor, lambda: visitor(lambda session: session.rotate()), put(late=1))
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert visitor(everything).text == "{'user': 'ann'}"


def test_a_late_anonymous_answer_does_not_log_the_user_out(store, clock):
    visitor = Site(store=store, clock=clock).visitor()
    visitor(put(cart=[1]))
    late = visitor.twin()
    answer = during(visitor, lambda: visitor(lambda s: (s.rotate(), put(user="ann")(s))), put(seen=1))
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    arriving_late = late(put(seen=1))  # sent with the old id, served after the rotation
    assert (arriving_late.code, arriving_late.all("Set-Cookie")) == (200, [])
    assert visitor(everything).text == "{'cart': [1], 'user': 'ann'}"


def test_a_visitor_who_never_got_the_new_id_begins_anew_after_half_a_minute(visitor, clock):
    lost = visitor.twin()
    visitor(lambda session: session.rotate())
    assert lost(put(a=1)).all("Set-Cookie") == []
    assert lost(lambda session: (session.rotate(), put(a=1)(session))).all("Set-Cookie") != []
    lost = visitor.twin()
    visitor(lambda session: session.rotate())
    clock.now += 30
    lost(put(a=2))
    assert lost(everything).text == "{'a': 2}"


def test_a_log_out_with_an_id_that_was_just_rotated_ends_the_session(visitor):
    late = visitor.twin()
    visitor(lambda session: session.rotate())
    assert "Max-Age=0" in late(lambda session: session.invalidate()).all("Set-Cookie")[0]
    assert visitor(everything).text == "{}"


@pytest.mark.slow
def test_a_store_that_refuses_every_swap_leaves_the_old_id_as_it_was(visitor, store):
    store.swap = lambda key, old, new, ttl=None: False

    def use(session):
        with pytest.raises(StoreError):
            session.rotate()

    old = visitor.cookie
    visitor(use)
    assert visitor.cookie == old
    assert visitor(everything).text == "{'user': 'ann'}"


def test_a_broken_add_never_ends_in_a_shared_session(store):
    store.add = lambda key, value, ttl=None: False
    answer = Site(store=store).ask(put(a=1))
    assert (answer.code, answer.all("Set-Cookie")) == (503, [])


@pytest.mark.slow
def test_eight_threads_that_rotate_and_one_that_logs_out_leave_nothing():
    store = MemoryStore()
    site_app = SessionMiddleware(act, store=store)
    for _ in range(20):
        cookie = ask(site_app, "/write").all("Set-Cookie")[0].partition(";")[0]
        barrier = threading.Barrier(9)
        answers = []

        def work(path, cookie=cookie, barrier=barrier, answers=answers):
            answers.append(ask(site_app, path, headers={"Cookie": cookie}, barrier=barrier))

        threads = [threading.Thread(target=work, args=("/rotate",)) for _ in range(8)]
        threads.append(threading.Thread(target=work, args=("/end",)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer.code for answer in answers] == [200] * 9
        cookies = [line.partition(";")[0] for answer in answers for line in answer.all("Set-Cookie")]
        for one in [cookie, *cookies]:
            assert ask(site_app, "/read", headers={"Cookie": one}).text == "{}"


def act(environ, start_response):
    session = get_session(environ)
    path = environ["PATH_INFO"]
    if path in ("/rotate", "/end"):
        len(session)
        environ["barrier"].wait()
    if path == "/write":
        session["user"] = "ann"
    elif path == "/rotate":
        session.rotate()
        session["late"] = 1
    elif path == "/end":
        session.invalidate()
    start_response("200 OK", [])
    return [repr(dict(session)).encode()]


# In a signed cookie


def test_ending_a_signed_session_deletes_its_cookie_and_says_once_what_that_means(caplog):
    from middleware import operators

    operators._said.clear()
    visitor = Site(secret=SECRET).visitor()
    for _ in range(2):
        visitor(put(user="ann"))
        visitor(lambda session: session.invalidate())
        assert visitor.cookie == ""
    assert len(caplog.records) == 1
    assert "store=" in caplog.records[0].getMessage()


def test_a_late_reading_of_a_signed_session_does_not_undo_a_log_out():
    visitor = Site(secret=SECRET).visitor()
    visitor(put(user="ann"))
    answer = during(visitor, lambda: visitor(lambda session: session.invalidate()), everything)
    assert answer.all("Set-Cookie") == []


def test_rotating_a_signed_session_changes_its_name_and_keeps_its_data():
    visitor = Site(secret=SECRET).visitor()
    visitor(put(user="ann"))
    before = visitor(lambda session: session.id).text
    visitor.site.status = "500 Sorry"
    visitor(lambda session: (session.rotate(), put(lost=1)(session)))
    visitor.site.status = "200 OK"
    assert visitor(lambda session: session.id).text != before
    visitor(lambda session: (session.rotate(), put(admin=True)(session)))
    assert visitor(everything).text == "{'user': 'ann', 'admin': True}"
