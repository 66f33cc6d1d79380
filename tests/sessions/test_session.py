"""A session through the front door: when it is loaded, what is kept and when. S numbers are the catalogue's."""

from __future__ import annotations

import sys
from collections import OrderedDict

import pytest
from asking import Browser, ask, make_environ
from sessions.kit import HTTPS, SECRET, Clock, Site, SpyStore, everything, put

from middleware.cookies import CookieOptions
from middleware.errors import ConfigurationError, LayerMissing, SessionClosed, SessionTooLarge, StoreError
from middleware.sessions import Session, SessionMiddleware, Timeouts, get_session
from middleware.stores.memory import MemoryStore

KINDS = {"stored": lambda: {"store": SpyStore()}, "signed": lambda: {"secret": SECRET}}


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


@pytest.fixture
def store():
    return SpyStore()


# Loading


def test_a_session_nobody_uses_costs_nothing(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(put(a=1))
    if "store" in options:
        options["store"].forget_calls()
        options["store"].down = True
    answer = visitor(lambda session: session.accessed)
    assert (answer.code, answer.text, answer.headers) == (200, "False", [("Content-Type", "text/plain")])
    assert "store" not in options or options["store"].calls == []


ACCESSES = {
    "in": lambda s: "k" in s,
    "len": len,
    "iter": iter,
    "bool": bool,
    "==": lambda s: s == {},
    "[]": lambda s: s["k"],
    "get": lambda s: s.get("k"),
    "keys": lambda s: s.keys(),
    "items": lambda s: s.items(),
    "values": lambda s: s.values(),
    "pop": lambda s: s.pop("k"),
    "popitem": lambda s: s.popitem(),
    "setdefault": lambda s: s.setdefault("k", 1),
    "update": lambda s: s.update(k=2),
    "|=": lambda s: s.__ior__({"k": 2}),
    "set": lambda s: s.__setitem__("k", 2),
    "del": lambda s: s.__delitem__("k"),
    "clear": lambda s: s.clear(),
    "flash": lambda s: s.flash("hello"),
    "pop_flash": lambda s: s.pop_flash(),
    "rotate": lambda s: s.rotate(),
    "invalidate": lambda s: s.invalidate(),
    "id": lambda s: s.id,
    "is_new": lambda s: s.is_new,
    "created": lambda s: s.created,
    "last_seen": lambda s: s.last_seen,
}


@pytest.mark.parametrize("access", ACCESSES.values(), ids=ACCESSES)
def test_every_operation_is_an_access_at_once(options, access):
    def use(session):
        before = session.accessed
        access(session)
        return before, session.accessed

    visitor = Site(**options).visitor()
    visitor(put(k=1))
    answer = visitor(use)
    assert answer.text == "(False, True)"
    assert answer.header("Vary") == "Cookie"


def test_the_repr_neither_loads_nor_shows_anything(options):
    visitor = Site(**options).visitor()
    visitor(put(k="hidden"))
    answer = visitor(lambda session: (repr(session), session.accessed))
    assert answer.text == "('<Session>', False)"
    assert "hidden" not in visitor(lambda session: (session["k"], repr(session), repr(session.items()))[1:]).text


def test_a_session_is_a_mapping(options):
    def use(session):
        session.update({"a": 1}, b=[2])
        session |= {"c": 3}
        assert session.setdefault("d", 4) == session.pop("d") == 4
        assert session.pop("d", "none") == "none"
        del session["c"]
        with pytest.raises(KeyError):
            del session["c"]
        with pytest.raises(KeyError):
            session["c"]
        assert session == {"a": 1, "b": [2]}
        assert list(session) == list(session.keys()) == ["a", "b"]
        assert list(session.values()) == [1, [2]]
        return list(session.items())

    visitor = Site(**options).visitor()
    assert visitor(use).text == visitor(lambda session: list(session.items())).text == "[('a', 1), ('b', [2])]"


# Changes


def test_what_was_put_in_is_there_in_the_next_request(options):
    visitor = Site(**options).visitor()
    visitor(put(user="ann", cart=[17, {"n": 1.5}], nothing=None, yes=True))
    assert visitor(everything).text == repr({"user": "ann", "cart": [17, {"n": 1.5}], "nothing": None, "yes": True})


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["l"].append(1),
        lambda s: s["d"]["x"].update(y=1),
        lambda s: dict(s.items())["l"].append(1),
        lambda s: next(iter(s.values())).append(1),
        lambda s: s.get("l").append(1),
        lambda s: s.setdefault("l", []).append(1),
        lambda s: s.setdefault("new", []).append(1),
        lambda s: s.update(l=[1]),
    ],
)
def test_a_change_inside_a_value_is_noticed_without_a_flag(options, change):
    visitor = Site(**options).visitor()
    visitor(put(l=[], d={"x": {}}))
    before = visitor(everything).text
    after = visitor(lambda session: (change(session), everything(session))[1]).text
    assert visitor(everything).text == after != before


def test_an_equal_value_is_no_change(options):
    visitor = Site(**options).visitor()
    visitor(put(a=1, l=[1]))
    if "store" in options:
        options["store"].forget_calls()

    def use(session):
        session["a"] = 1
        session["l"] = [1]
        session["l"].append(2)
        session["l"].pop()
        del session["a"]
        session["a"] = 1
        session["new"] = 1
        del session["new"]

    assert visitor(use).all("Set-Cookie") == []
    assert "store" not in options or options["store"].writes == []


@pytest.mark.parametrize("other", [1.0, True, "1", [1]])
def test_a_value_of_another_type_is_a_change(options, other):
    visitor = Site(**options).visitor()
    visitor(put(a=1))
    visitor(put(a=other))
    assert visitor(everything).text == repr({"a": other})


def test_clear_deletes_every_key_and_keeps_the_session(store):
    visitor = Site(store=store).visitor()
    visitor(put(a=1, b=2))
    before = visitor.cookie
    visitor(lambda session: session.clear())
    assert visitor.cookie == before
    assert visitor(everything).text == "{}"


@pytest.mark.parametrize("value", [object(), (1, object()), {1: object()}, OrderedDict()])
def test_a_value_that_would_not_come_back_is_refused_in_the_line_that_sets_it(options, value):
    def use(session):
        with pytest.raises(TypeError, match="'o'"):
            session["o"] = value
        session["fine"] = 1

    visitor = Site(**options).visitor()
    assert visitor(use).code == 200
    assert visitor(everything).text == "{'fine': 1}"


def test_a_nested_value_that_would_not_come_back_is_refused_before_the_head_leaves(options):
    visitor = Site(**options).visitor()
    visitor(put(l=[]))
    with pytest.raises(TypeError, match=r"'l'.*object"):
        visitor(lambda session: session["l"].append(object()))
    assert visitor(everything).text == "{'l': []}"


# When


def serve(body, **options):
    def app(environ, start_response):
        return body(environ, start_response, get_session(environ))

    return Browser(SessionMiddleware(app, **options))


def test_a_session_changed_after_start_response_is_saved(options):
    def body(environ, start_response, session):
        start_response("200 OK", [])
        session["n"] = session.get("n", 0) + 1
        return [str(session["n"]).encode()]

    browser = serve(body, **options)
    assert [browser.get().text for _ in range(3)] == ["1", "2", "3"]


def test_a_generator_may_change_the_session_until_its_first_chunk(options):
    def body(environ, start_response, session):
        start_response("200 OK", [])
        session["n"] = session.get("n", 0) + 1
        yield str(session["n"]).encode()

    browser = serve(body, **options)
    assert [browser.get().text for _ in range(3)] == ["1", "2", "3"]


def test_the_store_has_accepted_the_changes_before_the_server_sees_a_byte(store):
    seen = []

    def writing(environ, start_response):
        write = start_response("200 OK", [])
        get_session(environ)["a"] = 1
        write(b"one")
        return [b"two"]

    def generating(environ, start_response):
        start_response("200 OK", [])
        get_session(environ)["a"] = 1
        yield b"one"

    for app in (writing, generating):
        store.forget_calls()
        layer = SessionMiddleware(app, store=store)

        def start_response(status, headers, exc_info=None):
            seen.append(("head", list(store.writes)))
            return lambda data: seen.append(("write", list(store.writes)))

        seen.extend(("chunk", list(store.writes)) for _ in layer(make_environ(), start_response))
    assert {tuple(writes) for _, writes in seen} == {("add",)}


def test_the_body_goes_on_as_the_same_object(options):
    body = [b"one"]

    def app(environ, start_response):
        get_session(environ)["a"] = 1
        start_response("200 OK", [])
        return body

    assert SessionMiddleware(app, **options)(make_environ(), lambda *head: None) is body


def test_a_change_or_a_first_use_after_the_head_raises_and_reading_does_not(options):
    problems = []

    def body(environ, start_response, session):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/used":
            session["a"] = 1
        yield b"one"
        for late in (
            lambda: session.__setitem__("late", 2),
            lambda: session.__delitem__("a"),
            lambda: session.flash("late"),
            session.rotate,
            session.invalidate,
            session.clear,
            lambda: session["a"],
        ):
            try:
                late()
            except SessionClosed as error:
                problems.append(str(error))
        yield b"two"

    browser = serve(body, **options)
    assert browser.get("/used").text == "onetwo"
    assert len(problems) == 6  # all but reading
    assert "'late'" in problems[0]
    assert "before the first chunk" in problems[0]
    problems.clear()
    assert browser.get("/").header("Vary") is None
    assert len(problems) == 7
    reader = Site(**options).visitor()
    reader.browser.cookies = browser.cookies
    assert reader(everything).text == "{'a': 1}"


def test_nothing_is_kept_where_the_application_raises(options):
    visitor = Site(**options).visitor()
    visitor(put(a=1))

    def fail(session):
        session["a"] = 2
        raise RuntimeError("sorry")

    with pytest.raises(RuntimeError):
        visitor(fail)
    assert visitor(everything).text == "{'a': 1}"


@pytest.mark.parametrize("save_on_error", [False, True])
def test_nothing_is_kept_on_a_5xx_unless_asked_for(options, save_on_error):
    site = Site(save_on_error=save_on_error, **options)
    visitor = site.visitor()
    visitor(put(a=1))
    site.status = "500 Sorry"
    answer = visitor(put(a=2))
    assert answer.header("Vary") == "Cookie"
    assert answer.header("Cache-Control") == ("no-store" if save_on_error and "secret" in options else "private")
    assert site.visitor()(put(new=1)).all("Set-Cookie") == [] or save_on_error
    site.status = "404 No"
    assert visitor(everything).text == ("{'a': 2}" if save_on_error else "{'a': 1}")


def test_a_replaced_head_carries_the_cookie_once(options):
    def body(environ, start_response, session):
        session["a"] = 1
        start_response("200 OK", [])

        def chunks():
            try:
                raise ValueError("late")
            except ValueError:
                start_response("500 Sorry", [("Content-Type", "text/plain")], sys.exc_info())
            yield b"sorry"

        return chunks()

    answer = serve(body, **options).get()
    assert answer.code == 500
    assert len(answer.all("Set-Cookie")) == 1
    assert answer.header("Vary") == "Cookie"
    assert answer.header("Cache-Control") == "no-store"


# Nothing without content


def test_visitors_who_leave_nothing_store_nothing(store):
    site = Site(store=store)
    for cookie in (None, "id=" + "0" * 64, "id=garbage", "id=", "id=\x00"):
        for use in (everything, lambda session: session.invalidate(), lambda session: session.rotate()):
            assert site.ask(use, cookie).code == 200
    assert store.writes == []


def test_a_key_set_and_deleted_in_a_new_session_leaves_nothing(options):
    def use(session):
        session["a"] = 1
        del session["a"]
        session.flash("hello")
        session.pop_flash()

    answer = Site(**options).ask(use)
    assert answer.all("Set-Cookie") == []
    assert "store" not in options or options["store"].calls == []


# Flash messages


def test_a_flash_message_is_shown_once_and_survives_a_redirect(options):
    site = Site(**options)
    visitor = site.visitor()
    site.status = "303 See Other"
    visitor(lambda session: session.flash("Saved.", "success"))
    visitor(lambda session: session.flash("Really ☃."))
    site.status = "200 OK"
    assert visitor(len).text == "0"
    assert visitor(lambda session: session.pop_flash()).text == "[('success', 'Saved.'), ('message', 'Really ☃.')]"
    assert visitor(lambda session: session.pop_flash()).text == "[]"


def test_a_flash_message_can_be_shown_by_the_request_that_leaves_it(options):
    def use(session):
        session.flash("now")
        first = session.pop_flash()
        session.flash("later")
        return first

    visitor = Site(**options).visitor()
    visitor(lambda session: session.flash("before"))
    assert visitor(use).text == "[('message', 'before'), ('message', 'now')]"
    assert visitor(lambda session: session.pop_flash()).text == "[('message', 'later')]"


def test_a_request_that_takes_the_messages_and_fails_leaves_them(options):
    visitor = Site(**options).visitor()
    visitor(lambda session: session.flash("important"))
    with pytest.raises(ZeroDivisionError):
        visitor(lambda session: session.pop_flash() and 1 / 0)
    assert "important" in visitor(lambda session: session.pop_flash()).text


def test_the_fifty_first_message_drops_the_oldest(options):
    visitor = Site(**options).visitor()
    visitor(lambda session: [session.flash(str(number)) for number in range(51)])
    taken = eval(visitor(lambda session: session.pop_flash()).text)
    assert [message for _, message in taken] == [str(number) for number in range(1, 51)]


def test_a_flash_message_is_text(options):
    def use(session):
        for arguments in ((1,), ("x", None), (b"x",)):
            with pytest.raises(TypeError):
                session.flash(*arguments)

    assert Site(**options).ask(use).code == 200


# Time


def test_a_session_is_over_after_its_idle_timeout(options):
    clock = Clock()
    visitor = Site(clock=clock, timeouts=Timeouts(idle=1000), **options).visitor()
    visitor(put(a=1))
    for _ in range(5):
        clock.now += 900
        assert visitor(everything).text == "{'a': 1}"  # a mere reading keeps it alive
    clock.now += 1000
    assert visitor(everything).text == "{}"


def test_a_session_is_over_after_its_lifetime_however_busy(options):
    clock = Clock()
    visitor = Site(clock=clock, timeouts=Timeouts(idle=100, lifetime=600), **options).visitor()
    visitor(put(a=1))
    for _ in range(9):
        clock.now += 60
        assert visitor(lambda session: (session.rotate(), everything(session))[1]).text == "{'a': 1}"
    clock.now += 60
    assert visitor(everything).text == "{}"


def test_a_session_in_use_lives_on_when_a_clock_is_set_back():
    clock, elapsed = Clock(), Clock(0.0)
    visitor = Site(store=MemoryStore(clock=elapsed), clock=clock).visitor()
    visitor(put(a=1))
    clock.now -= 1000
    for _ in range(5):
        assert visitor(everything).text == "{'a': 1}"
        clock.now += 900
        elapsed.now += 900


def test_a_slow_request_does_not_shorten_the_life_of_its_session(store):
    clock = Clock()
    visitor = Site(store=store, clock=clock).visitor()
    visitor(put(a=1))
    other = visitor.twin()

    def slow(session):
        len(session)
        clock.now += 1000
        other(everything)
        session["b"] = 1

    visitor(slow)
    clock.now += 1700
    assert visitor(everything).text == "{'a': 1, 'b': 1}"


def test_a_session_that_a_wrong_clock_has_stamped_does_not_live_until_then(options):
    clock = Clock()
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    clock.now -= 365 * 86400
    assert visitor(everything).text == "{}"


def test_what_was_over_is_never_taken_up_again(options):
    clock = Clock()
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    old = visitor.cookie
    clock.now += 1800
    visitor(put(b=1))
    assert visitor.cookie != old
    assert visitor(everything).text == "{'b': 1}"


def test_reading_writes_at_most_once_in_a_tenth_of_the_idle_timeout(store):
    clock = Clock()
    site = Site(clock=clock, timeouts=Timeouts(idle=1000), store=store)
    visitor = site.visitor()
    visitor(put(a=1))
    store.forget_calls()
    for _ in range(100):
        clock.now += 0.99
        assert visitor(everything).all("Set-Cookie") == []
    assert store.calls == ["get"] * 100
    clock.now += 1
    visitor(everything)
    visitor(everything)
    assert store.writes == ["swap"]
    assert visitor(everything).text == "{'a': 1}"


def test_reading_a_signed_session_sets_its_cookie_once_in_a_tenth_of_the_idle_timeout():
    clock = Clock()
    visitor = Site(clock=clock, timeouts=Timeouts(idle=1000), secret=SECRET).visitor()
    visitor(put(a=1))
    clock.now += 99
    assert visitor(everything).all("Set-Cookie") == []
    clock.now += 1
    assert len(visitor(everything).all("Set-Cookie")) == 1
    assert visitor(everything).all("Set-Cookie") == []


def test_a_cookie_with_max_age_moves_with_the_session(store):
    clock = Clock()
    visitor = Site(clock=clock, timeouts=Timeouts(idle=1000), store=store, cookie=CookieOptions(max_age=1000)).visitor()
    assert "Max-Age=1000" in visitor(put(a=1)).all("Set-Cookie")[0]
    first = visitor.cookie
    assert visitor(put(a=2)).all("Set-Cookie") == []
    for use in (everything, put(a=3)):
        clock.now += 100
        assert "Max-Age=1000" in visitor(use).all("Set-Cookie")[0]
        assert visitor.cookie == first


def test_a_session_knows_its_times_and_its_name(options):
    clock = Clock()
    visitor = Site(clock=clock, **options).visitor()

    def about(session):
        return session.is_new, session.id is None, session.created - 1_700_000_000, session.last_seen - 1_700_000_000

    assert visitor(about).text == "(True, True, 0.0, 0.0)"
    visitor(put(a=1))
    clock.now += 180
    assert visitor(about).text.replace("0.0", "0") == "(False, False, 0, 0)"
    clock.now += 60
    assert visitor(about).text.replace("180.0", "180").replace("0.0", "0") == "(False, False, 0, 180)"
    name = visitor(lambda session: session.id).text
    assert name == visitor(lambda session: session.id).text
    assert len(name) == 2 + 64
    assert name.strip("'") not in visitor.cookie


# Size


def test_a_stored_session_has_room_for_max_bytes(store):
    site = Site(store=store, max_bytes=1000)
    visitor = site.visitor()
    fits = "x" * (1000 - len('[{"a":""}]'))
    visitor(put(a=fits))
    assert visitor(lambda session: len(session["a"])).text == str(len(fits))

    def use(session):
        with pytest.raises(SessionTooLarge, match=r"'a' \(99\d bytes\)"):
            session["b"] = 1
        with pytest.raises(SessionTooLarge):
            session["a"] += "x"
        session["a"] = "small"
        session["b"] = 1

    visitor(use)
    assert visitor(everything).text == "{'a': 'small', 'b': 1}"


def test_a_nested_change_that_is_too_large_raises_before_the_head(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(put(l=[], small=1))
    with pytest.raises(SessionTooLarge, match="'l'"):
        visitor(lambda session: session["l"].append("x" * 70_000))
    assert visitor(everything).text == "{'l': [], 'small': 1}"


def test_a_signed_session_may_fill_its_cookie_and_no_more():
    site = Site(secret=SECRET, cookie=CookieOptions("id"))
    visitor = site.visitor()
    refusals = []

    def fill(session):
        for size in range(2800, 3200):
            try:
                session["a"] = "x" * size
            except SessionTooLarge as error:
                refusals.append((size, str(error)))
                return

    visitor(fill)  # the last that had room is kept
    [(too_much, message)] = refusals
    room = too_much - 1
    assert "'a'" in message
    assert "store=" in message
    assert 4090 < len(visitor.cookie) - 1 <= 4096
    assert visitor(lambda session: len(session["a"])).text == str(room)
    with pytest.raises(SessionTooLarge):
        visitor(lambda session: session.update(a="x" * 5000))
    assert visitor(lambda session: len(session["a"])).text == str(room)


@pytest.mark.parametrize("nested", [object(), (1, 2j)])
def test_a_nested_value_that_would_not_come_back_is_named_where_it_is_met_first_and_undoes_nothing_else(
    options, nested
):
    def use(session):
        session["l"] = []
        session["l"].append(nested)
        for change in (put(big="x" * 60_000), lambda session: session.flash("x" * 60_000)):
            with pytest.raises(TypeError, match=r"session\['l'\]"):
                change(session)
        session["l"].pop()
        assert "big" not in session
        assert session.pop_flash() == []

    visitor = Site(**{**options, "max_bytes": 50_000}).visitor()
    visitor(use)
    assert visitor(everything).text == "{'l': []}"


@pytest.mark.parametrize("text", ["é" * 5000, "x" * 5000])
def test_a_flash_message_that_has_no_room_is_refused(text):
    def use(session):
        with pytest.raises(SessionTooLarge):
            session.flash(text)
        session.flash("short")

    visitor = Site(secret=SECRET).visitor()
    visitor(use)
    assert visitor(lambda session: session.pop_flash()).text == "[('message', 'short')]"


# Construction


@pytest.mark.parametrize(
    "wrong",
    [{"idle": 0}, {"idle": "30m"}, {"lifetime": -1}, {"lifetime": float("inf")}, {"grace": True}, {"renew_every": 0}],
)
def test_a_timeout_is_a_number_of_seconds_above_0(wrong):
    with pytest.raises(ConfigurationError, match="seconds above 0"):
        Timeouts(**wrong)


def test_an_unknown_option_is_pythons_own_error():
    with pytest.raises(TypeError):
        SessionMiddleware(Site.serve, store=MemoryStore(), timeout=5)


def test_the_session_is_in_environ_under_its_key_and_its_aliases(options):
    def app(environ, start_response):
        session = get_session(environ)
        assert isinstance(session, Session)
        assert environ["middleware.session"] is environ["beaker.session"] is session
        start_response("200 OK", [])
        return [b"ok"]

    assert ask(SessionMiddleware(app, aliases=["beaker.session"], **options)).text == "ok"


def test_the_accessor_names_the_layer_that_is_missing():
    with pytest.raises(LayerMissing, match="SessionMiddleware"):
        get_session({})


def test_a_memory_store_under_several_processes_is_said_once(caplog):
    from middleware import operators

    operators._said.clear()
    site = Site(store=MemoryStore())
    site.ask(everything)
    assert caplog.records == []
    for environ in ({"wsgi.multiprocess": True}, {"wsgi.run_once": True}):
        site.ask(lambda session: None, **environ)
    assert len(caplog.records) == 1
    assert "SQLiteStore" in caplog.records[0].getMessage()
    operators._said.clear()
    Site(store=SpyStore()).ask(everything, **{"wsgi.multiprocess": True})
    assert len(caplog.records) == 1


# Outage


@pytest.mark.parametrize(
    "use", [everything, put(a=2), lambda session: session.invalidate(), lambda session: session.rotate()]
)
@pytest.mark.parametrize("since", ["the start", "the end"])
def test_while_the_store_is_down_the_answer_is_503_and_the_cookie_stays(store, use, since, caplog):
    site = Site(store=store)
    visitor = site.visitor()
    visitor(put(a=1))

    def fail(session):
        if since == "the end":
            len(session)
            store.down = True
        use(session)

    store.down = since == "the start"
    answer = visitor(fail)
    if use is everything and since == "the end":
        assert answer.code == 200  # it had what it wanted
    else:
        assert answer.code == 503
        assert answer.header("Retry-After") == "5"
        assert answer.header("Cache-Control") == "no-store"
        assert len(caplog.records) == 1
    assert answer.all("Set-Cookie") == []
    store.down = False
    assert visitor(everything).text == "{'a': 1}"


@pytest.mark.parametrize("then", [put(b=2), lambda session: session.invalidate()])
def test_a_new_id_reaches_the_browser_also_where_the_store_fails_after_that(store, then):
    """The old one opens nothing any more: a 503 without it would end the session."""
    visitor = Site(store=store).visitor()
    visitor(put(a=1))

    def use(session):
        session.rotate()
        store.down = True
        then(session)

    old = visitor.cookie
    answer = visitor(use)
    assert (answer.code, answer.header("Cache-Control")) == (503, "no-store")
    assert visitor.cookie not in ("", old)
    store.down = False
    assert visitor(everything).text == "{'a': 1}"


def test_a_log_out_that_happened_is_told_also_where_the_store_fails_after_that(store):
    visitor = Site(store=store).visitor()
    visitor(put(a=1))

    def use(session):
        session.invalidate()
        store.down = True
        session["b"] = 1

    assert visitor(use).code == 503
    assert visitor.cookie == ""


def test_the_application_may_answer_itself_while_the_store_is_down(store):
    def use(session):
        try:
            return session.get("a")
        except StoreError:
            return "sorry"

    store.down = True
    answer = Site(store=store).ask(use, "id=" + "0" * 64)
    assert (answer.code, answer.text) == (200, "'sorry'")


def test_a_generator_whose_changes_the_store_does_not_take_is_answered_503(store):
    def body(environ, start_response, session):
        start_response("200 OK", [("Content-Type", "text/html")])
        session["a"] = 1
        store.down = True
        yield b"a page"

    answer = serve(body, store=store).get()
    assert (answer.code, answer.header("Retry-After")) == (503, "5")
    assert b"a page" not in answer.body
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"


def test_an_error_of_another_store_is_not_ours(store):
    def use(session):
        len(session)
        raise StoreError("the application's own")

    with pytest.raises(StoreError):
        Site(store=store).ask(use)


def test_a_head_that_has_left_stays_when_the_store_fails(store):
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one")
        raise StoreError("late")

    with pytest.raises(StoreError):
        ask(SessionMiddleware(app, store=store))


def test_no_secret_and_no_value_is_logged(options, caplog):
    caplog.set_level(0)
    visitor = Site(**options).visitor(**HTTPS)
    visitor(put(a="a value to hide"))
    visitor(lambda session: session.rotate())
    visitor(lambda session: session.invalidate())
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "a value to hide" not in logged
    assert SECRET not in logged
