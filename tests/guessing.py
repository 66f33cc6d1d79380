"""A layer whose scheme takes "user:password" from the field X-Key, and what the tests of guessing ask of it."""

from __future__ import annotations

from threading import Barrier, Thread

from asking import ask
from auth_helpers import who

from middleware.auth import AuthMiddleware, Identity, Refused
from middleware.auth.throttle import counters
from middleware.auth.throttle.attempts import attempt
from middleware.auth.throttle.throttle import Throttle
from middleware.errors import StoreError
from middleware.testing import FakeClock

ANN = "192.0.2.7"
NEIGHBOUR = "192.0.2.200"  # in the same /24
ELSEWHERE = "198.51.100.1"
PASSWORDS = {"ann": "apple", "bob": "boat", "zoë": "zebra"}


class Key:
    """Reads X-Key. `checks` are the passwords that were looked at; `quiet` and `same` are for `attempt`."""

    name = "key"
    auth_type = "Key"
    reads = ("X-Key",)

    def __init__(self, *, check=None, quietly=False, same=False):
        self.checks = []
        self.check = check or self.is_right
        self.options = {"quietly": quietly}
        self.same = same

    def is_right(self, user, password):
        return True if PASSWORDS.get(user.lower()) == password else None

    def authenticate(self, environ, /):
        field = environ.get("HTTP_X_KEY")
        if field is None:
            return None
        user, _, password = field.partition(":")

        def check():
            self.checks.append(password)
            return self.check(user, password)

        options = {**self.options, "same": field} if self.same else self.options
        if attempt(environ, self.name, user, check, **options) is None:
            return Refused(Refused.WRONG, user=user)
        return Identity(user, self.name)

    def challenges(self, environ, refused, /):
        return ["Key"]


class Site:
    """An application behind the layer, and what it told."""

    def __init__(self, clock, *, throttle="usual", store=None, scheme=None, app=who, **options):
        self.clock = clock
        self.events = []
        self.scheme = scheme or Key()
        self.throttle = Throttle(clock=clock, **options) if throttle == "usual" else throttle
        self.app = AuthMiddleware(
            app, self.scheme, throttle=self.throttle, store=store, on_event=self.events.append, clock=clock
        )

    def ask(self, password="wrong", user="ann", address=ANN, headers=None, **environ):
        return ask(self.app, headers={"X-Key": f"{user}:{password}", **(headers or {})}, REMOTE_ADDR=address, **environ)

    def guess(self, times=1, user="ann", address=ANN, **options):
        """The codes of so many wrong passwords, one after the other."""
        return [self.ask(f"guess {number}", user, address, **options).code for number in range(times)]

    @property
    def told(self):
        return [event.name for event in self.events]


class Broken:
    """A store that fails from call `after` on, until it is mended."""

    def __init__(self, inner, after=0):
        self.inner = inner
        self.left = after
        self.is_broken = True

    def _call(self, verb, *args):
        if self.is_broken:
            if self.left <= 0:
                raise StoreError("down")
            self.left -= 1
        return getattr(self.inner, verb)(*args)

    def get(self, key):
        return self._call("get", key)

    def set(self, key, value, ttl=None):
        return self._call("set", key, value, ttl)

    def add(self, key, value, ttl=None):
        return self._call("add", key, value, ttl)

    def swap(self, key, old, new, ttl=None):
        return self._call("swap", key, old, new, ttl)

    def delete(self, key):
        return self._call("delete", key)


def together(number, ask):
    """What `ask(number)` gives for so many threads that start at once."""
    barrier = Barrier(number)
    given = [None] * number

    def run(at):
        barrier.wait()
        given[at] = ask(at)

    threads = [Thread(target=run, args=(at,)) for at in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


# In processes of their own, which find functions by the name of their module: the names of test files they do not know.


def guess_in_process(store, number, barrier):
    """The codes of eight threads of one of the processes."""
    site = Site(FakeClock(), store=store)
    barrier.wait(60)
    return together(8, lambda at: site.ask(f"guess {number} {at}", address=ANN).code)


def succeed_in_process(store, number, barrier):
    counters.PATIENCE = 60
    site = Site(FakeClock(), store=store)
    barrier.wait(60)
    return together(4, lambda at: site.ask("apple", address=ANN).code)
