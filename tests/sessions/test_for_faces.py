"""What faces for other libraries ask of a session: messages by category (S35), changes undone, cookies (S56)."""

from __future__ import annotations

import pytest
from sessions.kit import SECRET, Site, put

from middleware import CookieOptions, MemoryStore, SessionMiddleware
from middleware.errors import SessionClosed

KINDS = {"stored": lambda: {"store": MemoryStore()}, "signed": lambda: {"secret": SECRET}}


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


@pytest.fixture
def visitor(options):
    return Site(**options).visitor()


def leave(*messages):
    def use(session):
        for message in messages:
            session.flash(message, message[0])

    return use


def test_messages_of_one_category_are_taken_and_the_others_wait(visitor):
    visitor(leave("a1", "b1", "a2"))
    assert visitor(lambda session: session.peek_flash("a")).text == "[('a', 'a1'), ('a', 'a2')]"
    assert visitor(lambda session: session.pop_flash("a")).text == "[('a', 'a1'), ('a', 'a2')]"
    assert visitor(lambda session: session.pop_flash("a")).text == "[]"
    assert visitor(lambda session: session.pop_flash()).text == "[('b', 'b1')]"
    assert visitor(lambda session: session.pop_flash()).text == "[]"


def test_messages_are_taken_by_category_one_after_the_other_in_one_request(visitor):
    def use(session):
        leave("b2", "a2")(session)
        taken = session.pop_flash("a")
        leave("a3")(session)
        return taken, session.pop_flash("b"), session.peek_flash()

    visitor(leave("a1", "b1", "c1"))
    taken = [("a", "a1"), ("a", "a2")], [("b", "b1"), ("b", "b2")], [("c", "c1"), ("a", "a3")]
    assert visitor(use).text == repr(taken)
    assert visitor(lambda session: session.pop_flash()).text == repr(taken[2])


def test_the_same_message_twice_is_two_messages(visitor):
    visitor(leave("a", "b", "a"))
    assert visitor(lambda session: session.pop_flash("a")).text == "[('a', 'a'), ('a', 'a')]"
    assert visitor(lambda session: session.pop_flash()).text == "[('b', 'b')]"


def test_two_requests_that_take_different_categories_take_each_message_once():
    visitor = Site(store=MemoryStore()).visitor()
    visitor(leave("a", "b"))
    window = visitor.twin()

    def use(session):
        before = session.peek_flash()
        return before, window(lambda session: session.pop_flash("b")).text, session.pop_flash("a")

    assert visitor(use).text == repr(([("a", "a"), ("b", "b")], "[('b', 'b')]", [("a", "a")]))
    assert visitor(lambda session: session.pop_flash()).text == "[]"


def test_a_change_is_undone_before_it_is_kept(visitor):
    def use(session):
        session["list"].append(2)
        session["new"] = 1
        del session["gone"]
        session.flash("hello")
        session.revert()
        return dict(session), session.peek_flash()

    visitor(put(list=[1], gone=0))
    assert visitor(use).text == "({'list': [1], 'gone': 0}, [])"
    assert visitor(dict).text == "{'list': [1], 'gone': 0}"


def test_what_was_kept_is_not_undone(visitor):
    def use(session):
        session["a"] = 2
        session.save()
        session["a"] = 3
        session.revert()
        return session["a"]

    visitor(put(a=1))
    assert visitor(use).text == "2"
    assert visitor(dict).text == "{'a': 2}"


def test_too_late_to_undo(options):
    session = SessionMiddleware(lambda *_: [], **options).open()
    session.finish("200 OK")
    with pytest.raises(SessionClosed):
        session.revert()


def test_a_layer_knows_what_its_cookie_is_called(options):
    layer = SessionMiddleware(lambda *_: [], **options)
    assert (layer.cookie_name(), layer.cookie_name(https=True)) == ("id", "__Host-id")
    layer = SessionMiddleware(lambda *_: [], cookie=CookieOptions("shop"), **options)
    assert (layer.cookie_name(), layer.cookie_name(https=True)) == ("shop", "shop")


def test_a_session_is_opened_by_the_value_of_its_cookie_changed_and_kept(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(put(a=1))
    session = site.app.open(f"{site.app.cookie_name()}={visitor.browser.cookies['id']}")
    session["b"] = session["a"] + 1
    for line in session.save():
        visitor.browser.cookies["id"] = line.partition(";")[0].partition("=")[2]
    assert visitor(dict).text == "{'a': 1, 'b': 2}"
