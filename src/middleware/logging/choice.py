"""Which requests get a line, and which of them are told as slow. Values in, values out; errors always get theirs."""

from __future__ import annotations

from itertools import count

from middleware.errors import ConfigurationError
from middleware.logging.escaping import MAX_OTHER, QUOTED, escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from middleware.logging.record import AccessRecord

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}  # as `logging` numbers them


class Choice:
    """Which requests are written, and how they are told. A frozen value; by itself it writes every one, at INFO.

    `quiet`: paths of which the good answers are not written, `{"/healthz": "2xx"}`; statuses are a class or a number,
    several stand between commas, and none of them is 5xx. In a list, `["/healthz=2xx", "/ping"]`, a path alone means
    2xx. The path is that path alone, as the application finds it: SCRIPT_NAME and PATH_INFO.
    `skip(record)`: whether a request is left out; where it fails, the line is written and the failure counted.
    `sample`: the share of requests that is written, 1.0 for all; the request id decides, so that all lines of one
    request, also in other processes, are there or not.
    `slow`: seconds; a request that takes longer is told by a warning on the logger `middleware.slow` as well.
    `levels`: the level of a line by its status, `{"5xx": "ERROR", "404": "INFO"}`; a number goes before its class.

    Whatever is left out, three always have their line: an answer 5xx and an error of the application whatever any of
    these say, and a request whose client left unless `skip` says so. `sample` leaves out none that is slow.

    Raises ConfigurationError.
    """

    __slots__ = ("_levels", "_quiet", "_sample", "_skip", "slow")

    slow: float | None
    _quiet: Mapping[str, frozenset[str]]
    _skip: Callable[[AccessRecord], object] | None
    _sample: float
    _levels: Mapping[str, str]

    def __init__(
        self,
        *,
        quiet: Mapping[str, str] | Sequence[str] = (),
        skip: Callable[[AccessRecord], object] | None = None,
        sample: float = 1.0,
        slow: float | None = None,
        levels: Mapping[str, str] | Sequence[str] = (),
    ) -> None:
        if skip is not None and not callable(skip):
            raise ConfigurationError(f"skip= is a function of the record, not {skip!r}")
        if not _is_number(sample) or not 0 <= sample <= 1:
            raise ConfigurationError(f"sample= is a share from 0 to 1, not {sample!r}")
        if slow is not None and (not _is_number(slow) or not slow > 0):
            raise ConfigurationError(f"slow= is seconds above 0, or None, not {slow!r}")
        put = object.__setattr__
        put(self, "_quiet", _quiet(quiet))
        put(self, "_skip", skip)
        put(self, "_sample", float(sample))
        put(self, "slow", slow)
        put(self, "_levels", _levels(levels))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Choice does not change: make another one ({name})")

    def __repr__(self) -> str:
        quiet, levels = ([*pairs] for pairs in (self._quiet, self._levels))
        return f"<Choice quiet {quiet}, sample {self._sample}, slow {self.slow}, levels of {levels}>"

    @property
    def takes_all(self) -> bool:
        """Whether there is nothing to decide."""
        return not (self._quiet or self._skip or self._sample < 1 or self.slow is not None or self._levels)

    def judge(self, record: AccessRecord) -> None:
        """Say on the record whether it is slow, and which level its line has."""
        if self.slow is not None and record.duration > self.slow:
            record.slow = True
        if self._levels:
            number = 500 if _failed(record) and record.status < 500 else record.status
            name = self._levels.get(str(number)) or self._levels.get(f"{number // 100}xx")
            if name is not None:
                record.level_name, record.level = name, LEVELS[name]

    def takes(self, record: AccessRecord, path: str) -> bool:
        """Whether a judged record is written. `path`: the path as the application found it.

        Raises what the user's function raises.
        """
        if _failed(record):
            return True
        if not record.aborted:
            quiet = self._quiet.get(path)
            if quiet is not None and not quiet.isdisjoint((str(record.status), f"{record.status // 100}xx")):
                return False
            if self._sample < 1 and not record.slow and not is_sampled(record.request_id, self._sample):
                return False
        return self._skip is None or not self._skip(record)


class Count:
    """A number that counts up, in any thread, in a signal handler and on in a forked child: without a lock."""

    def __init__(self) -> None:
        self._counter = count()

    def add(self) -> None:
        """Count one."""
        next(self._counter)

    @property
    def value(self) -> int:
        """How many there were."""
        return int(repr(self._counter)[len("count(") : -1])  # to look at it without counting


def is_sampled(request_id: str, share: float) -> bool:
    """Whether a request is of the share that is written; every process says the same."""
    from zlib import crc32

    return crc32(request_id.encode("utf-8", "surrogatepass")) < share * 2**32


def tell_slow(record: AccessRecord) -> None:
    """A warning about a slow request, on a logger of the standard library, in one line of printable ASCII."""
    import logging

    route = record.note("route")
    place = escaped(route if isinstance(route, str) and route else record.path or "/", QUOTED, MAX_OTHER)
    logging.getLogger("middleware.slow").warning(
        "slow request %s: %s %s took %.3f s",
        record.request_id,
        escaped(record.method, QUOTED, MAX_OTHER),
        place,
        record.duration,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _failed(record: AccessRecord) -> bool:
    return record.status >= 500 or record.error is not None


def _quiet(given: Mapping[str, str] | Sequence[str]) -> Mapping[str, frozenset[str]]:
    made: dict[str, frozenset[str]] = {}
    for path, text in _pairs("quiet", given, "/healthz=2xx"):
        if not path.startswith("/"):
            raise ConfigurationError(f"quiet=: a path begins with /, unlike {path!r}")
        statuses = frozenset(status.strip() for status in (text or "2xx").split(","))
        for status in statuses:
            _check_status("quiet", status)
            if status.startswith("5"):
                raise ConfigurationError(f"quiet=: errors are always written, so leave out {status} of {path}")
        # As WSGI has a path.
        key = path.encode("utf-8", "surrogateescape").decode("latin-1")
        made[key] = made.get(key, frozenset()) | statuses
    return made


def _levels(given: Mapping[str, str] | Sequence[str]) -> Mapping[str, str]:
    made = {}
    for status, text in _pairs("levels", given, "5xx=ERROR"):
        _check_status("levels", status)
        name = text.upper()
        if name not in LEVELS:
            raise ConfigurationError(f"levels=: {text!r} is no level: {', '.join(LEVELS)}")
        made[status] = name
    return made


def _pairs(option: str, given: Mapping[str, str] | Sequence[str], example: str) -> Iterator[tuple[str, str]]:
    """What stands in a mapping, or in a list of `name=value`."""
    pairs: list[object]
    if isinstance(given, list | tuple | frozenset):
        pairs = [tuple(text.rpartition("=")[::2]) if "=" in text else (text, "") for text in map(str, given)]
    else:
        items: Callable[[], Iterable[object]] | None = getattr(given, "items", None)
        pairs = [None] if items is None else [*items()]
    for pair in pairs:
        match pair:
            case (str() as name, str() as value):
                yield name.strip(), value.strip()
            case _:
                raise ConfigurationError(
                    f"{option}= takes a dict or a list of texts such as {example!r}, not {given!r}"
                )


def _check_status(option: str, status: str) -> None:
    if (
        len(status) != 3
        or status[0] not in "12345"
        or not (status[1:] == "xx" or (status.isascii() and status.isdigit()))
    ):
        raise ConfigurationError(f"{option}=: {status!r} is no status such as 2xx or 404")
