"""Requests that overlap in any way, against a model of what sessions promise.

The model knows the sessions by what was acknowledged of them, and each request by what it has read and changed since.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore
from middleware.testing.clock import FakeClock

FORGED = "id=" + "ab" * 32
NOTHING = object()


class Kept:
    """A session, as all that was acknowledged makes it."""

    def __init__(self, cookie, data, messages=(), user=None):
        self.ids = [cookie]  # each that it had, the latest last
        self.data = data
        self.messages = list(messages)
        self.user = user
        self.is_alive = True

    @property
    def cookie(self):
        return self.ids[-1] if self.is_alive else None


class Request:
    """What one request has read of a session, and what it made of it."""

    def __init__(self, session):
        self.session = session
        self.begin_anew()

    def begin_anew(self):
        self.kept = None
        self.cookie = None  # the id by which it knows the session
        self.is_lost = False  # the session was ended or moved: nothing that this does counts
        self.came_too_late = False  # with an id that the session had before
        self.user = None
        self.follow({}, [])

    def follow(self, data, messages):
        self.read, self.mine = deepcopy(data), deepcopy(data)
        self.waiting, self.taken, self.left = list(messages), [], []

    @property
    def is_attached(self):
        return not self.is_lost and self.kept is not None and self.kept.cookie == self.cookie

    @property
    def is_new(self):
        return self.kept is None and not self.is_lost

    @property
    def changes(self):
        keys = [*self.read, *(key for key in self.mine if key not in self.read)]
        changed = {key: self.mine.get(key, NOTHING) for key in keys}
        return {key: value for key, value in changed.items() if value != self.read.get(key, NOTHING)}

    @property
    def shown(self):
        return self.left if self.taken else self.waiting + self.left


class Overlapping(RuleBasedStateMachine):
    """Up to a few requests at a time, each with a cookie that some browser had at some time."""

    requests = Bundle("requests")
    cookies = Bundle("cookies")

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.store = MemoryStore(clock=self.clock)
        self.app = SessionMiddleware(lambda *_: [], store=self.store, clock=self.clock)
        self.kept = []
        self.pointers = {}  # of ids that were changed and still lead a log-out on: the session
        self.given = {FORGED}
        self.numbers = count()

    # Requests come and go

    @initialize(target=cookies)
    def first(self):
        request = Request(self.app.open())
        request.session["list"] = request.mine["list"] = []
        return self.save(request)

    @rule(target=requests, cookie=st.one_of(cookies, cookies, cookies, st.sampled_from(["", FORGED])))
    def begin(self, cookie):
        request = Request(self.app.open(cookie))
        assert len(request.session) >= 0
        for kept in self.kept:
            if cookie and kept.cookie == cookie:
                request.kept, request.cookie, request.user = kept, cookie, kept.user
                request.follow(kept.data, kept.messages)
        if request.kept is None and cookie in self.pointers:
            request.kept, request.cookie, request.is_lost = self.pointers[cookie], cookie, True
            request.came_too_late = True
        self.agree(request)
        return request

    @rule(target=cookies, request=requests)
    def save(self, request):
        """What the end of a request does too, if it is answered with anything but 5xx."""
        request.session.save()
        self.commit(request)
        return self.told(request)

    @rule(request=consumes(requests))
    def fail(self, request):
        """It ends without a save."""

    # Changes

    @rule(
        request=requests, key=st.sampled_from("ab"), value=st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
    )
    def set(self, request, key, value):
        request.session[key] = value
        request.mine[key] = deepcopy(value)

    @rule(request=requests, key=st.sampled_from("ab"))
    def delete(self, request, key):
        request.session.pop(key, None)
        request.mine.pop(key, None)

    @rule(request=requests, value=st.integers(0, 3))
    def append(self, request, value):
        request.session.setdefault("list", []).append([value])
        request.mine.setdefault("list", []).append([value])

    @rule(request=requests)
    def flash(self, request):
        message = str(next(self.numbers))
        request.session.flash(message)
        request.left.append(message)

    @rule(request=requests)
    def pop_flash(self, request):
        shown = request.session.pop_flash()
        assert shown == [("message", message) for message in request.shown]
        if shown:
            request.taken, request.left = request.waiting, []

    @rule(target=cookies, request=requests)
    def increment(self, request):
        number = request.session.increment("counter")
        if request.is_new:
            self.keep(request, {"counter": 1})
            assert number == 1
        elif request.is_attached:
            request.kept.data["counter"] = request.kept.data.get("counter", 0) + 1
            assert number == request.kept.data["counter"]
        else:
            request.is_lost = True
        request.read["counter"] = request.mine["counter"] = number
        return self.told(request)

    @rule(target=cookies, request=requests)
    def change_in_a_lock(self, request):
        with request.session.lock():
            self.commit(request)
            if request.is_attached:
                request.follow(request.kept.data, request.kept.messages)
            elif not request.is_new:
                request.is_lost = True
            self.agree(request)
            request.session["locked"] = request.session.get("locked", 0) + 1
            request.mine["locked"] = request.mine.get("locked", 0) + 1
        self.commit(request)
        return self.told(request)

    # Life

    @rule(target=cookies, request=requests)
    def rotate(self, request):
        request.session.rotate()
        if request.is_attached:
            self.move(request)
        elif request.came_too_late:  # it has nothing of the session, and may have another
            request.kept, request.is_lost, request.came_too_late = None, False, False
        elif not request.is_new:
            request.is_lost = True
        return self.told(request)

    @rule(target=cookies, request=requests, user=st.sampled_from(["ann", "bob"]))
    def login(self, request, user):
        request.session.login(user)
        if request.user not in (None, user):
            self.end(request)
        if request.is_attached:
            self.move(request)
            request.kept.user = user
        else:
            if not request.is_new:
                request.begin_anew()
            self.keep(request, {}, user)
        request.user = user
        return self.told(request)

    @rule(target=cookies, request=requests)
    def log_out(self, request):
        request.session.logout()
        self.end(request)
        self.agree(request)
        return self.told(request)

    @rule(user=st.sampled_from(["ann", "bob"]))
    def end_all(self, user):
        alive = [kept for kept in self.kept if kept.is_alive and kept.user == user]
        assert self.app.users.end_all(user) == len(alive)
        for kept in alive:
            kept.is_alive = False

    # What it comes to

    def agree(self, request):
        """The request sees what the model says that it sees."""
        assert dict(request.session) == request.mine
        assert request.session.peek_flash() == [("message", message) for message in request.shown]

    def told(self, request):
        """The cookie that the browser is given by now: an id that was never seen before, or none."""
        lines = request.session.cookie_lines()
        given = "" if not lines or "Max-Age=0" in lines[0] else lines[0].partition(";")[0]
        if request.is_lost or request.kept is None:
            assert not given
        self.given.add(given)
        return given or multiple()

    def new_id(self, request):
        [line] = request.session.cookie_lines()
        cookie = line.partition(";")[0]
        assert cookie not in self.given
        return cookie

    def keep(self, request, data, user=None, messages=()):
        """A session begins."""
        request.cookie = self.new_id(request)
        request.kept = Kept(request.cookie, deepcopy(data), messages, user)
        request.read = deepcopy(data)
        self.kept.append(request.kept)

    def move(self, request):
        self.pointers[request.cookie] = request.kept
        request.cookie = self.new_id(request)
        request.kept.ids.append(request.cookie)

    def end(self, request):
        """A log-out follows the session through all ids that it got since, and takes them away."""
        kept = request.kept
        if kept is not None and (request.cookie in self.pointers or kept.cookie == request.cookie):
            for passed in kept.ids[kept.ids.index(request.cookie) :]:
                self.pointers.pop(passed, None)
            kept.is_alive = False
        request.begin_anew()

    def commit(self, request):
        changes, messages = request.changes, request.taken or request.left
        if not changes and not messages:
            return
        if request.is_new:
            if request.mine or request.left:
                self.keep(request, request.mine, messages=request.left)
                request.follow(request.mine, request.left)
        elif request.is_attached:
            kept = request.kept
            for key, value in changes.items():
                kept.data.pop(key, None) if value is NOTHING else kept.data.update({key: deepcopy(value)})
            kept.messages = [one for one in kept.messages if one not in request.taken] + request.left
            request.follow(kept.data, kept.messages)
        else:
            request.is_lost = True
            request.follow(request.mine, request.waiting)

    @invariant()
    def every_cookie_opens_what_was_acknowledged_and_nothing_else(self):
        alive = {kept.cookie: kept for kept in self.kept if kept.is_alive}
        for cookie in {*self.given, *alive} - {""}:
            session = self.app.open(cookie)
            kept = alive.get(cookie)
            if kept is None:
                assert (session.user, dict(session), session.peek_flash()) == (None, {}, [])
            else:
                assert (session.user, dict(session)) == (kept.user, kept.data)
                assert session.peek_flash() == [("message", message) for message in kept.messages]

    @invariant()
    def users_are_listed_with_their_sessions(self):
        for user in ("ann", "bob"):
            listed = {info.id for info in self.app.users.sessions_of(user)}
            alive = {self.app.open(kept.cookie).id for kept in self.kept if kept.is_alive and kept.user == user}
            assert listed == alive


TestOverlapping = Overlapping.TestCase
TestOverlapping.settings = settings(stateful_step_count=30)
