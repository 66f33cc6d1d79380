"""Log-ins, log-outs, new ids, lists and limits of one user, in every order of their calls to the store.

In every order with one interruption, that is, and with two where `make test` has the time: the races that were found
here need two.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import combinations_with_replacement

import pytest
from sessions.kit import Clock, everything, put
from sessions.orders import Stepped, every_order
from sessions.races import Crowded, cookie_of, live

from middleware.errors import StoreError, TooManySessions
from middleware.sessions import Timeouts
from middleware.stores.memory import MemoryStore

pytestmark = [pytest.mark.usefixtures("elsewhere"), pytest.mark.slow]
SWITCHES = [pytest.param(1, id="once"), pytest.param(2, id="twice", marks=pytest.mark.slow)]


def login(session):
    try:
        session.login("ann", label="new")
    except TooManySessions:
        return "refused"


def changes_in_a_lock(session):
    with session.lock():
        session["late"] = 1


ACTS = {
    "login": login,
    "rotation": lambda session: session.rotate(),
    "rotation and write": lambda session: (session.rotate(), put(late=1)(session)),
    "renewal": everything,
    "remember": lambda session: session.remember(30),
    "write": put(late=1),
    "increment": lambda session: session.increment("late"),
    "lock": changes_in_a_lock,
    "csrf token": lambda session: len(session.csrf_token),
}
BEFORE = {
    "nobody": None,
    "a visitor": put(cart=[1]),
    "ann": lambda session: session.login("ann", label="old"),
}


class Scene:
    """One browser, which may have a session, and what its requests and others do at once."""

    has_failed = False

    def __init__(self, before, acts, others=(), *, due=True, **options):
        self.clock = Clock()
        self.store = Stepped(MemoryStore(clock=self.clock))
        options |= {"store": self.store, "clock": self.clock}
        self.site = Crowded(timeouts=Timeouts(renew_every=60 if due else None), **options)
        self.judge = Crowded(**options)  # which gives nobody a new id
        self.users = self.site.app.users
        self.cookie = cookie_of(self.site.ask(BEFORE[before])) if BEFORE[before] else ""
        self.id = eval(self.site.ask(lambda session: session.id, self.cookie).text)
        self.clock.now += 90
        self.answers = []
        self.works = [partial(self.act, name) for name in acts] + [partial(other, self) for other in others]

    def act(self, name):
        self.answers.append(self.site.ask(ACTS[name], self.cookie))

    def elsewhere(self):
        """A login in another browser."""
        self.answers.append(self.site.ask(login))

    def alive(self):
        """The sessions in which somebody is ann, by whatever cookie the browsers were given."""
        cookies = {self.cookie, *map(cookie_of, self.answers)} - {""}
        found = [eval(self.judge.ask(lambda session: (session.user, session.id), one).text) for one in cookies]
        return {id for user, id in found if user == "ann"}

    def listed(self):
        return self.users.sessions_of("ann")

    def check(self):
        """Whoever is logged in is listed, and is out after a log-out everywhere."""
        assert {answer.code for answer in self.answers} <= ({200, 503} if self.has_failed else {200})
        listed, alive = {info.id for info in self.listed()}, self.alive()
        assert listed >= alive if self.has_failed else listed == alive
        self.users.end_all("ann")
        assert (self.alive(), self.listed()) == (set(), [])
        if not self.has_failed:  # a login that failed may leave what nobody has the id of
            assert not any(b'"ann"' in value for value in live(self.store))


def play(make, check=lambda scene: None, *, switches):
    """Play this scene in every order."""

    def prepare():
        scene = make()

        def check_all():
            check(scene)
            scene.check()

        return scene.store, scene.works, check_all

    assert every_order(prepare, switches=switches) > 1


def due(acts):
    """Whether the session is due for a new id: it is in the scenes that are about that."""
    return "renewal" in acts


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("act", ACTS)
def test_a_log_out_everywhere_leaves_nobody_who_was_logged_in_before(before, act, switches):
    """A login that meets it is undone, or takes place after it."""

    def check(scene):
        if act != "login":
            assert scene.alive() == set()

    play(
        lambda: Scene(before, [act], [lambda scene: scene.users.end_all("ann")], due=due(act)), check, switches=switches
    )


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("act", ACTS)
def test_a_log_out_of_all_others_keeps_this_one(act, switches):
    def check(scene):
        assert len(scene.alive()) == 1
        assert scene.users.end_all("ann") == 1

    play(
        lambda: Scene("ann", [act], [lambda scene: scene.users.end_all("ann", but=scene.id)], due=due(act)),
        check,
        switches=switches,
    )


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("act", ACTS)
def test_a_session_that_is_ended_by_its_handle_is_ended(act, switches):
    def check(scene):
        if act != "login":
            assert scene.alive() == set()

    play(
        lambda: Scene("ann", [act], [lambda scene: scene.users.end("ann", scene.id)], due=due(act)),
        check,
        switches=switches,
    )


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("act", ACTS)
def test_a_list_harms_nobody_and_shows_a_session_that_gets_a_new_id_once(act, switches):
    shown = []

    def listing(scene):
        shown.append(len(scene.users.sessions_of("ann")))

    def check(scene):
        assert len(scene.alive()) == 1

    play(lambda: Scene("ann", [act], [listing], due=due(act)), check, switches=switches)
    assert max(shown) == 1


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("before", BEFORE)
def test_of_two_logins_as_many_stay_as_may(before, limit, policy, switches):
    def make():
        scene = Scene(before, [], [Scene.elsewhere] * 2, max_sessions=limit, when_too_many=policy, due=False)
        scene.site.ask(everything, scene.cookie)
        return scene

    def check(scene):
        assert len(scene.alive()) == limit

    play(make, check, switches=switches)


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
@pytest.mark.parametrize("act", ["rotation", "renewal", "remember", "login"])
def test_a_session_on_the_way_to_its_new_id_takes_the_room_of_one(act, policy, switches):
    def check(scene):
        assert len(scene.alive()) == 2

    play(
        lambda: Scene("ann", [act], [Scene.elsewhere], max_sessions=2, when_too_many=policy, due=due(act)),
        check,
        switches=switches,
    )


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("act", ["rotation", "renewal", "login"])
def test_a_session_that_is_remembered_while_it_gets_a_new_id_is_listed_as_long_as_it_lives(act, switches):
    def check(scene):
        assert len(scene.alive()) == 1
        scene.clock.now += 13 * 3600
        assert len(scene.listed()) == len(scene.alive())

    play(lambda: Scene("ann", [act, "remember"], due=due(act)), check, switches=switches)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "act", "switches"),
    [("nobody", "login", 2), ("ann", "rotation", 1), ("ann", "renewal", 1), ("ann", "remember", 1)],
)
def test_a_store_that_fails_in_the_midst_of_it_hides_nobody_from_the_next_log_out_everywhere(before, act, switches):
    for call in range(40):
        failures = []

        def make(call=call):
            scene = Scene(before, [act], [end_all], due=due(act))
            scene.store.fails_after = call
            return scene

        def end_all(scene):
            with suppress(StoreError):
                scene.users.end_all("ann")

        def check(scene, failures=failures):
            scene.has_failed = scene.store.fails_after is None
            scene.store.fails_after = None
            failures.append(scene.has_failed)

        play(make, check, switches=switches)
        if not any(failures):
            break
    else:
        raise AssertionError("more calls than were tried")


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize(
    "acts", [*combinations_with_replacement(["rotation", "renewal", "remember", "lock"], 2)], ids=" and ".join
)
def test_no_two_requests_of_one_browser_log_it_out(acts, switches):
    def check(scene):
        assert len(scene.alive()) == 1

    play(lambda: Scene("ann", acts, due=due(acts)), check, switches=switches)


@pytest.mark.slow
def test_a_rotation_that_began_under_an_earlier_id_is_not_taken_for_another_session():
    """Beside a renewal: what is about to be the session has entered the index in the place of the id before."""

    def check(scene):
        assert len(scene.alive()) == 1

    def others(scene):
        scene.judge.ask(lambda session: session.id and session.users.end_all("ann", but=session.id), scene.cookie)

    play(lambda: Scene("ann", ["rotation", "renewal"], [others]), check, switches=2)


@pytest.mark.slow
@pytest.mark.parametrize("acts", [("login", "rotation"), ("rotation", "renewal")], ids=" and ".join)
def test_three_at_once_hide_nobody(acts):
    play(lambda: Scene("ann", acts, [lambda scene: scene.users.end_all("ann")]), switches=2)
