"""What happened to a session is told once, of the right session, and without any secret.

Numbers: S25 and S52 to S54 of the notes.
"""

from __future__ import annotations

import logging
import os
from hashlib import sha256

import pytest
from sessions.kit import SECRET, Clock, Site, SpyStore, everything, put
from sessions.races import during

from middleware import operators
from middleware.errors import StoreError
from middleware.sessions import Timeouts
from middleware.stores.memory import MemoryStore

CLIENT = "192.0.2.7"


class Scene:
    """A site whose events are kept, and a visitor of it who has a session."""

    def __init__(self, **options):
        self.events = []
        self.clock = Clock()
        self.store = SpyStore()
        options = {"store": self.store, **options}
        self.site = Site(clock=self.clock, on_event=self.events.append, **options)
        self.visitor = self.site.visitor(REMOTE_ADDR=CLIENT)
        self.visitor(put(a=1))
        self.id = eval(self.visitor(lambda session: session.id).text)
        self.events.clear()

    def ask(self, use, cookie=None):
        return self.site.ask(use, cookie, REMOTE_ADDR=CLIENT)

    def told(self):
        return [(event.name, dict(event.details)) for event in self.events]


@pytest.fixture
def scene():
    return Scene()


def login(session):
    session.login("ann", label="phone")


def log_out(session):
    session.logout()


def rotate(session):
    session.rotate()


def refuse_swaps(scene):
    scene.store.swap = lambda key, old, new, ttl=None: False


def fail(scene):
    scene.store.down = True


def pass_time(scene, seconds=1800):
    scene.clock.now += seconds


# Each once in its scenario: what is done, and what is told

SCENARIOS = {
    "created": (lambda s: s.ask(put(b=1)), [("created", {})]),
    "created by increment": (lambda s: s.ask(lambda session: session.increment("n")), [("created", {})]),
    "login": (lambda s: s.visitor(login), [("login", {"user": "ann"})]),
    "login of a new visitor": (lambda s: s.ask(login), [("created", {}), ("login", {"user": "ann"})]),
    "logout": (
        lambda s: (s.visitor(login), s.visitor(log_out)),
        [("login", {"user": "ann"}), ("logout", {"user": "ann"})],
    ),
    "ended": (lambda s: s.visitor(log_out), [("ended", {"user": None})]),
    "ended by its user from elsewhere": (
        lambda s: (s.visitor(login), s.site.app.users.end_all("ann")),
        [("login", {"user": "ann"}), ("ended", {"user": "ann"})],
    ),
    "another user": (
        lambda s: (s.visitor(login), s.visitor(lambda session: session.login("bob"))),
        [("login", {"user": "ann"}), ("logout", {"user": "ann"}), ("created", {}), ("login", {"user": "bob"})],
    ),
    "rotated": (lambda s: s.visitor(rotate), [("rotated", {"user": None})]),
    "expired": (lambda s: (pass_time(s), s.visitor(everything)), [("expired", {})]),
    "unknown_id": (lambda s: s.ask(everything, "id=" + "ab" * 32), [("unknown_id", {})]),
    "unknown_id of a wrong form": (lambda s: s.ask(everything, "id=zzz"), [("unknown_id", {})]),
    "unknown_id of an ended session": (
        lambda s: (s.visitor.twin(), s.visitor(log_out))[0](everything),
        [("ended", {"user": None}), ("unknown_id", {})],
    ),
    "stale_id": (
        lambda s: (s.visitor.twin(), s.visitor(rotate))[0](everything),
        [("rotated", {"user": None}), ("stale_id", {})],
    ),
    "duplicate_cookie": (
        lambda s: s.ask(everything, f"{s.visitor.cookie}; {s.visitor.cookie}"),
        [("duplicate_cookie", {"count": 2})],
    ),
    "overwritten": (
        lambda s: during(s.visitor, lambda: s.visitor(put(a="theirs", b=1)), put(a="mine", c=1)),
        [("overwritten", {"keys": ["a"]})],
    ),
    "overwritten by a deletion": (
        lambda s: during(s.visitor, lambda: s.visitor(put(a="theirs")), lambda session: session.clear()),
        [("overwritten", {"keys": ["a"]})],
    ),
    "merged": (lambda s: during(s.visitor, lambda: s.visitor(put(b=1)), put(c=1)), []),
    "late_write_dropped": (
        lambda s: during(s.visitor, lambda: s.visitor(log_out), put(b=1, c=2)),
        [("ended", {"user": None}), ("late_write_dropped", {"keys": ["b", "c"]})],
    ),
    "late read": (lambda s: during(s.visitor, lambda: s.visitor(log_out), everything), [("ended", {"user": None})]),
    "late login": (
        lambda s: during(s.visitor, lambda: s.visitor(log_out), lambda session: (put(b=1)(session), login(session))),
        [
            ("ended", {"user": None}),
            ("created", {}),
            ("login", {"user": "ann"}),
            ("late_write_dropped", {"keys": ["b"]}),
        ],
    ),
    "flash_dropped": (
        lambda s: s.visitor(lambda session: [session.flash(str(number)) for number in range(52)]),
        [("flash_dropped", {"count": 2})],
    ),
    "store_error": (lambda s: (fail(s), s.visitor(everything)), [("store_error", {"error": "the store is down"})]),
    "read": (lambda s: (pass_time(s, 200), s.visitor(everything)), []),
    "write": (lambda s: s.visitor(put(a=2)), []),
    "not used": (lambda s: s.ask(lambda session: None, "id=zzz; id=zzz"), []),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_event_is_told_once_where_it_happens(scene, scenario, caplog):
    happens, told = SCENARIOS[scenario]
    happens(scene)
    assert scene.told() == told
    for event in scene.events:
        assert event.layer == "session"
        assert event.time == scene.clock.now
        assert event.client == (None if "elsewhere" in scenario and event.name == "ended" else CLIENT)
        assert event.subject is None or len(event.subject) == 64


@pytest.mark.slow
def test_a_conflict_is_told_once(scene, caplog):
    refuse_swaps(scene)
    assert scene.visitor(put(b=1)).code == 503
    assert [name for name, _ in scene.told() if name != "store_error"] == ["conflict"]


@pytest.mark.parametrize(
    "use",
    [log_out, rotate, login, lambda session: [session.flash("x") for _ in range(51)]],
    ids=["log-out", "rotation", "login", "flash"],
)
def test_the_subject_is_the_id_in_hashed_form(scene, use):
    scene.visitor(use)
    [event] = scene.events
    now = scene.visitor(lambda session: session.id).text
    assert event.subject == (scene.id if use is log_out else eval(now))
    assert scene.id != scene.visitor.cookie.partition("=")[2]


def test_a_renewal_is_told_once_and_what_its_old_id_is_met_with_later():
    scene = Scene(timeouts=Timeouts(renew_every=60))
    early, late = scene.visitor.twin(), scene.visitor.twin()
    pass_time(scene, 60)
    scene.visitor(everything)
    early(everything)
    pass_time(scene, 30)
    late(everything)
    assert scene.told() == [("renewed", {"user": None}), ("stale_id", {})]
    assert scene.events[1].subject == scene.id


def test_a_cookie_that_we_did_not_make_is_told():
    scene = Scene(store=None, secret=SECRET)
    scene.ask(everything, "id=e30.e30.e30")
    assert scene.told() == [("tampered_cookie", {})]


def test_an_overwritten_key_is_told_once_however_often_the_store_had_to_be_asked(scene):
    """The merge is made anew for each attempt, and counts once."""
    inner, attempts = scene.store.swap, []

    def contended(key, old, new, ttl=None):
        attempts.append(key)
        return len(attempts) > 4 and inner(key, old, new, ttl)

    def meanwhile():
        scene.visitor(put(a="theirs"))
        scene.store.swap = contended

    during(scene.visitor, meanwhile, put(a="mine"))
    assert len(attempts) == 5
    assert scene.told() == [("overwritten", {"keys": ["a"]})]


def test_nothing_is_told_of_keys_that_were_not_overwritten_after_all(scene):
    """The session is ended after the merge was made, and before it is written."""
    visitor, before = scene.visitor, scene.store.before

    def meanwhile():
        visitor(put(a="theirs"))
        before["swap"] = lambda: before.update(swap=lambda: visitor(log_out))

    during(visitor, meanwhile, put(a="mine"))
    assert [name for name, _ in scene.told()] == ["ended", "late_write_dropped"]


# Guessing


def test_guessing_is_visible_with_the_client(scene):
    for _ in range(50):
        scene.ask(everything, "id=" + os.urandom(32).hex())
    assert [(event.name, event.client) for event in scene.events] == [("unknown_id", CLIENT)] * 50
    assert len({event.subject for event in scene.events}) == 50


# A listener that fails


@pytest.mark.parametrize("use", [put(b=1), log_out, rotate, login, everything], ids=range(5))
def test_a_listener_that_raises_changes_nothing_and_is_told_of_once(use, caplog):
    def raises(event):
        raise ZeroDivisionError("the listener's own")

    quiet, loud = Site(store=SpyStore()), Site(store=SpyStore(), on_event=raises)
    operators._said.clear()
    for unknown in (None, "id=" + "ab" * 32):
        answers = []
        for site in (quiet, loud):
            visitor = site.visitor()
            visitor(put(a=1))
            answers += [visitor(use), site.ask(use, unknown)]
        for left, right in zip(answers[:2], answers[2:], strict=True):
            assert (left.status, left.body) == (right.status, right.body)
            assert [name for name, _ in left.headers] == [name for name, _ in right.headers]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(set(messages)) > 0
    assert all("on_event= failed" in message and "ZeroDivisionError" in message for message in messages)


# No secrets

VALUE = "a value to hide"


def texts_of(error):
    """All that a report of this error would show, but for the lines of the source."""
    while error is not None:
        yield repr(error)
        yield str(error)
        error = error.__cause__ or error.__context__


def everything_happens(site, clock, texts, cookies):
    """A visit with all that can go wrong. What is shown or said goes into `texts`, what is secret into `cookies`."""
    visitor = site.visitor()

    def said(use):
        def guarded(session):
            try:
                return use(session)
            except Exception as error:
                texts.extend(texts_of(error))
            finally:
                texts.append(repr(session))
                texts.append(repr(session.users))
                if not session.closed:
                    cookies.append(session.csrf_token)

        try:
            visitor(guarded)
        except Exception as error:
            texts.extend(texts_of(error))
        cookies.append(visitor.cookie.partition("=")[2])

    def locked_twice(session):
        with session.lock(), session.lock(timeout=0.001):
            pass

    twin = visitor.twin()
    for use in (
        put(text=VALUE, list=[VALUE]),
        login,
        rotate,
        lambda session: session.increment("text"),
        lambda session: session.increment("n", "1"),
        lambda session: session["list"].append(object()),
        lambda session: session.update(large=VALUE * 10_000),
        lambda session: session.flash(VALUE, 1),
        lambda session: session.flash(VALUE),
        lambda session: session.pop_flash(),
        lambda session: session.check_csrf_token(VALUE),
        lambda session: session.remember(401),
        lambda session: session.require_fresh(0),
        lambda session: (session.login("bob"), put(text=VALUE)(session)),
        lambda session: texts.append(repr(session.users.sessions_of("bob"))),
        locked_twice,
        log_out,
        put(text=VALUE),
        everything,
    ):
        clock.now += 400
        said(use)
        twin(put(late=VALUE))
    clock.now += 5000
    said(everything)
    said(put(text=VALUE))
    texts.append(repr(site.app))
    texts.append(repr(site.app.users))


@pytest.mark.parametrize("kind", ["stored", "signed", "sealed"])
def test_no_id_secret_token_or_value_is_in_any_text(kind, caplog):
    caplog.set_level(0)
    logging.getLogger("middleware").setLevel(0)
    operators._said.clear()
    clock, store, texts, secrets = Clock(), SpyStore(MemoryStore()), [], []
    options = {
        "stored": {"store": store},
        "signed": {"secret": SECRET, "revocations": store},
        "sealed": {"secret": SECRET, "seal": True, "revocations": store},
    }[kind]
    site = Site(
        clock=clock,
        timeouts=Timeouts(renew_every=600),
        on_event=lambda event: texts.append(repr(event)),
        max_sessions=1 if kind == "stored" else None,
        **options,
    )
    everything_happens(site, clock, texts, secrets)
    store.down = True
    everything_happens(site, clock, texts, secrets)
    texts += [record.getMessage() for record in caplog.records]
    texts += [str(record.exc_info) for record in caplog.records]
    secrets = {VALUE, SECRET, *filter(None, secrets)}
    assert len(secrets) > 15
    assert len(texts) > 100
    for text in texts:
        assert not [secret for secret in secrets if secret in text], text


def test_the_store_is_shown_digests_of_ids_only_and_no_key_of_ours_is_one_of_an_application():
    """Also in the index of a user, in locks and in what a new id leaves behind."""
    clock, store, texts, secrets = Clock(), SpyStore(MemoryStore()), [], []
    site = Site(clock=clock, store=store, timeouts=Timeouts(renew_every=600), max_sessions=2)
    everything_happens(site, clock, texts, secrets)
    assert {*store.writes} == {"add", "swap", "delete"}  # and nothing is just set
    ids = {secret for secret in secrets if len(secret) == 64}
    assert len(ids) > 5
    for value in store.values:
        assert not [one for one in ids if one.encode() in value or bytes.fromhex(one) in value]
    digests = {sha256(one.encode()).hexdigest() for one in ids}
    keys = {value.decode() for value in store.values if value.startswith(b"middleware.")}
    assert {key.rpartition(":")[2] for key in keys if key.startswith("middleware.session:")} & digests
    assert all(key.startswith(("middleware.session:", "middleware.session.")) for key in keys)


def test_an_error_of_a_store_is_told_as_it_says_itself():
    """A store keeps what is secret out of its errors; the event has no more than their text."""
    scene = Scene()

    def raises():
        raise StoreError("the cable is out")

    scene.store.before["get"] = raises
    assert scene.visitor(everything).code == 503
    assert scene.told() == [("store_error", {"error": "the cable is out"})]
