"""Check a layer: run it round every shape of application, in every situation, and say what is wrong.

```python
from middleware.testing import SHAPES, check_layer, check_shape

def test_my_layer_keeps_pep_3333():
    check_layer(MyLayer)

@pytest.mark.parametrize("shape", SHAPES, ids=str)          # or one test a shape
def test_my_layer_round(shape):
    check_shape(shape, MyLayer, adds=["X-Mine"])
```

Nothing here needs pytest. What is checked, and where PEP 3333 says so, stands beside each check.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from io import BytesIO, StringIO
from wsgiref.validate import validator

from middleware.testing.server import make_environ, serve
from middleware.testing.shapes import FAILED, SHAPES, STAYS, Shape, Situation, situations
from middleware.testing.together import check_requests, check_together
from middleware.testing.witness import Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.testing.server import Received

    Wrap = Callable[[WSGIApplication], WSGIApplication]


def check_layer(
    wrap: Wrap,
    *,
    adds: Collection[str] | None = None,
    changes: Collection[str] = (),
    answers: bool = False,
    reads_ahead: bool = False,
    starts_late: bool = False,
    **entries: Any,
) -> None:
    """Check that the layer `wrap(app)` keeps PEP 3333, whatever the application does. AssertionError if it does not.

    `adds`: the only header fields it may add (default: it may add any).
    `changes`: the header fields of the application that it may change or remove.
    `answers`: it may answer without calling the application.
    `reads_ahead`: it may run an application that starts late to its first non-empty chunk, as `Response.from_app` does.
    `starts_late`: it may call `start_response` only when it is iterated, as PEP 3333 allows an application.
    `entries`: what each request carries besides (`HTTP_AUTHORIZATION=...`).
    """
    for shape in SHAPES:
        check_shape(
            shape,
            wrap,
            adds=adds,
            changes=changes,
            answers=answers,
            reads_ahead=reads_ahead,
            starts_late=starts_late,
            **entries,
        )
    check_requests(wrap, answers=answers, **entries)
    check_together(wrap, answers=answers, **entries)


def check_shape(
    shape: Shape,
    wrap: Wrap,
    *,
    adds: Collection[str] | None = None,
    changes: Collection[str] = (),
    answers: bool = False,
    reads_ahead: bool = False,
    starts_late: bool = False,
    **entries: Any,
) -> None:
    """Check the layer round one shape, in every situation, alone and between two validators of `wsgiref`."""
    allowed = _Allowed(adds, changes, answers, reads_ahead, starts_late)
    for validated in (False, True) if shape.valid else (False,):
        problems: list[str] = []
        cause: BaseException | None = None
        for situation in situations(shape):
            visit = _between_validators if validated else _alone
            found, error = visit(shape, wrap, situation, entries, allowed)
            problems += [f"{shape}, {situation}{', between validators' * validated}: {problem}" for problem in found]
            cause = cause or error
        if problems:
            raise AssertionError("\n".join(problems)) from cause  # its traceback shows the line in the layer


def _alone(
    shape: Shape, wrap: Wrap, situation: Situation, entries: dict[str, Any], allowed: _Allowed
) -> tuple[list[str], BaseException | None]:
    """What is wrong, and an error that is not the application's."""
    visit = run(shape, wrap, situation, **entries)
    return [*visit.problems(allowed)], visit.foreign_error


def _between_validators(
    shape: Shape, wrap: Wrap, situation: Situation, entries: dict[str, Any], allowed: _Allowed
) -> tuple[list[str], BaseException | None]:
    """The same, between two validators of `wsgiref`."""
    results: list[Any] = []

    def keep_result(app: WSGIApplication) -> WSGIApplication:
        def keeping(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            result = app(environ, start_response)
            results.append(result)
            return result

        return keeping

    found, error = _alone(shape, lambda app: validator(wrap(keep_result(validator(app)))), situation, entries, allowed)
    for result in results:
        if not result.closed:
            found.append("what the application returned was not closed")
            with suppress(Exception):
                result.close()  # else the validator complains once more, when it is collected
    return found, error


def run(shape: Shape, wrap: Wrap, situation: Situation = STAYS, **entries: Any) -> Run:
    """One request through `wrap` to an application of this shape."""
    return Run(shape, wrap, situation, entries)


@dataclass(frozen=True)
class _Allowed:
    """What a layer may do beside passing the request on."""

    adds: Collection[str] | None = None
    changes: Collection[str] = ()
    answers: bool = False
    reads_ahead: bool = False
    starts_late: bool = False

    def may_add(self, name: str) -> bool:
        return self.adds is None or self.may_change(name) or name.lower() in {other.lower() for other in self.adds}

    def may_change(self, name: str) -> bool:
        return name.lower() in {other.lower() for other in self.changes}


class Run:
    """What happened in one request: what the application saw (`witness`), what the client got (`received`)."""

    def __init__(self, shape: Shape, wrap: Wrap, situation: Situation, entries: dict[str, Any]) -> None:
        self.shape = shape
        self.situation = situation
        self.witness = Witness()
        self.pulled: list[int] = []  # how many values the application had given when n had arrived
        self.input = _Untouched(b"a=1")
        self.errors = _Errors()
        self.witness.marks = {"test.anything": object(), "wsgi.input_terminated": object()}
        environ = make_environ("/shape", situation.method)
        environ["wsgi.input"] = self.input
        environ["wsgi.errors"] = self.errors
        environ.update(self.witness.marks)
        if situation.method == "POST":
            environ["CONTENT_LENGTH"] = "3"
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
        environ.update(entries)
        before = dict(copy_context().items())
        self.received: Received = serve(
            wrap(shape.make(self.witness)),
            environ,
            leave_after=situation.leave_after,
            write=situation.write,
            files=situation.files,
            on_value=lambda _: self.pulled.append(self.witness.pulled),
        )
        self.witness.discard()
        self.context_changed = dict(copy_context().items()) != before

    def problems(self, allowed: _Allowed | None = None) -> Iterator[str]:
        """What is wrong, in words."""
        allowed = allowed or _Allowed()
        yield from self.received.broken
        if self.input.touched:
            yield f"wsgi.input was touched though the application reads nothing: {self.input.touched}"  # P10, P11
        if self.errors.was_closed:
            yield "wsgi.errors was closed"  # P11
        if self.context_changed:
            yield "context variables are not as before the call"  # P54
        if not self.witness.calls:
            not_reached = allowed.answers or (self.shape.late and self.situation.leave_after == 0)
            if not not_reached:
                yield f"the application was not called: {self.received}"
            return
        yield from self.witness.broken
        yield from self._wrong_error()
        if self.foreign_error is None:  # else the rest follows from it
            yield from self._wrong_head(allowed)
            yield from self._wrong_body(allowed)
        if self.witness.closed != self.shape.closes:
            yield f"the application's close() was called {self.witness.closed} times"  # P39 to P46

    @property
    def foreign_error(self) -> BaseException | None:
        """The error that reached the server, where it is not the one of the application."""
        error = self.received.error
        return None if type(error) is self.shape.fails else error

    @property
    def _stays(self) -> bool:
        return self.situation.leave_after is None

    @property
    def _told(self) -> bool:
        """The layer tells of the application's error by an answer of its own."""
        fails = self.shape.fails
        return fails is not None and issubclass(fails, Exception) and self.received.status.startswith("5")

    def _wrong_error(self) -> Iterator[str]:
        """An error leaves as it is, or a 5xx tells of it; never a quiet 200 (P16, P44, P47 to P49)."""
        error, fails = self.received.error, self.shape.fails
        if self.foreign_error is not None:
            yield f"an error that is not the application's: {error!r}"
        due = self.shape.in_call or self.shape.in_close or (self._stays and self.situation.method != "HEAD")
        if error is None and fails is not None and due and not self._told:
            yield f"the application's error was lost: {fails.__name__}"

    def _wrong_head(self, allowed: _Allowed) -> Iterator[str]:
        shape, received = self.shape, self.received
        restarts = shape.status == FAILED
        late = shape.late or allowed.starts_late
        early = (restarts and not self._stays) or (late and self.situation.leave_after == 0)
        cut = received.error is not None and not received.status  # before the head had left
        if early or cut or shape.in_call or self._told:
            return
        if received.status != shape.status:
            yield f"status {received.status!r} instead of {shape.status!r}"
        kept = [pair for pair in shape.headers if not allowed.may_change(pair[0])]
        rest = iter(received.headers)
        if not all(pair in rest for pair in kept):
            yield f"headers {received.headers}, where {kept} have to be in this order"  # P22, P23, P33 to P35
        added = [name for name, _ in received.headers if name not in dict(shape.headers) and not allowed.may_add(name)]
        if added or "X-First" in dict(received.headers):
            yield f"headers that do not belong to this answer: {added or ['X-First']}"  # P14, P15, P24

    def _wrong_body(self, allowed: _Allowed) -> Iterator[str]:
        shape, received = self.shape, self.received
        if self.situation.method != "HEAD" and not self._told:
            whole = self._stays and not shape.in_call
            right = received.body == shape.body if whole else shape.body.startswith(received.body)
            if not right:
                yield f"body {received.body[:80]!r} instead of {shape.body[:80]!r}"  # P18 to P21, P28 to P31
        for arrived, pulled in enumerate(self.pulled):
            # What a late starter gives first is at most the second value of these shapes.
            ahead = 2 if allowed.reads_ahead and shape.late else 0
            if pulled > max(arrived, ahead):
                yield f"{pulled} values were taken from the application when {arrived} had arrived"  # P25, P26
                return


class _Untouched(BytesIO):
    """A request body that notes whether it was touched."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.touched: list[str] = []

    def read(self, size: int | None = -1, /) -> bytes:
        self.touched.append("read")
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self.touched.append("readline")
        return super().readline(size)

    def readlines(self, hint: int | None = None, /) -> list[bytes]:
        self.touched.append("readlines")
        return super().readlines(-1 if hint is None else hint)

    def close(self) -> None:
        self.touched.append("close")
        super().close()


class _Errors(StringIO):
    """The server's error log, which notes whether it was closed."""

    was_closed = False

    def close(self) -> None:
        self.was_closed = True
        super().close()
