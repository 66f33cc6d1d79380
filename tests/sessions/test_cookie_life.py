"""A session in a cookie with revocations, in any order of acts: which of its cookies opens it. S15, S20, S22, S32."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sessions.kit import SECRET, Clock, Site, SpyStore, put

from middleware.sessions import Timeouts

GRACE = 30
IDLE = 1000


class CookieLife(RuleBasedStateMachine):
    """Ann's browser, and somebody who has a copy of every cookie that she ever got."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        timeouts = Timeouts(idle=IDLE, lifetime=10**6, grace=GRACE)
        options = {"secret": SECRET, "revocations": SpyStore(), "clock": self.clock}
        self.site = Site(timeouts=timeouts.replace(renew_every=100), **options)
        self.onlooker = Site(timeouts=timeouts, **options)  # which renews nothing
        self.ann = self.site.visitor()
        self.ann(lambda session: session.login("ann"))
        self.is_in = True
        self.good = [self.ann.cookie]  # cookies of the session as it is now
        self.dead = []

    def act(self, use):
        """Ann does this in her session. Whether she got another id by it."""
        before = self.opens(self.ann.cookie)
        self.ann(use)
        after = self.opens(self.ann.cookie)
        self.is_in = after is not None
        if self.is_in and self.ann.cookie not in self.good:
            self.good.append(self.ann.cookie)
        return before != after

    def opens(self, cookie):
        """The id of the session that a copy of this cookie opens."""
        found = []
        self.onlooker.ask(lambda session: found.append(session.id if session.user else None), cookie or None)
        return found[0]

    def end(self):
        self.dead += self.good
        self.good = []

    @rule(value=st.integers(0, 3))
    def write(self, value):
        self.act(put(value=value))

    @rule()
    def read(self):
        self.act(len)

    @rule()
    def forms(self):
        self.act(lambda session: (session.csrf_token, session.flash("hello")))

    @rule(seconds=st.sampled_from([1, 20, 50, 150, 400]))
    def time_passes(self, seconds):
        self.clock.now += seconds

    @rule(days=st.sampled_from([0, 1, 30]))
    def remember(self, days):
        self.act(lambda session: session.remember(days))

    @rule()
    def rotate(self):
        if self.is_in:
            latest = self.ann.cookie
            if self.act(lambda session: session.rotate()):
                self.good = [cookie for cookie in self.good if cookie == self.ann.cookie]
                self.dead.append(latest)

    @rule()
    def login_again(self):
        self.end()
        self.ann(lambda session: session.login("ann"))
        self.is_in = True
        self.good = [self.ann.cookie]

    @rule()
    def logout(self):
        self.ann(lambda session: session.logout())
        self.is_in = False
        self.end()

    @rule()
    def logout_by_a_copy(self):
        """Whoever has a cookie that is still good can end the session, too."""
        for cookie in self.good:
            if self.opens(cookie) is not None:
                self.site.ask(lambda session: session.logout(), cookie)
                self.is_in = False
                self.end()
                return

    @rule()
    def end_all(self):
        self.site.app.users.end_all("ann")
        self.is_in = False
        self.end()

    @rule()
    def end_all_others(self):
        if self.is_in:
            self.act(lambda session: session.users.end_all("ann", but=session.id) if session.user else None)

    @invariant()
    def what_was_ended_stays_ended(self):
        assert [cookie for cookie in self.dead if self.opens(cookie) is not None] == []

    @invariant()
    def all_good_cookies_open_one_session(self):
        ids = {self.opens(cookie) for cookie in self.good} - {None}
        assert len(ids) <= 1

    @invariant()
    def anns_own_cookie_is_good(self):
        if self.is_in and self.opens(self.ann.cookie) is None:
            # Only time may have done it.
            self.is_in = False
            moved = self.clock.now
            self.clock.now -= IDLE
            assert self.opens(self.ann.cookie) is not None
            self.clock.now = moved
            self.end()


CookieLife.TestCase.settings = settings(max_examples=min(30, settings().max_examples), stateful_step_count=25)
TestCookieLife = CookieLife.TestCase
