"""Rules in their order, made ready to be looked up by path and method. Values in, values out.

The first rule that matches decides, and what no rule matches is denied. Each path that a rule names is a key of a
table, so a request costs as many look-ups as its path has segments, however many rules there are.
"""

from __future__ import annotations

from middleware.auth.rules.paths import is_plain, readings
from middleware.auth.rules.rule import AMBIGUOUS, DENIED, METHODS, Rule, checked_methods, is_method
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    Entry = tuple[int, Rule, frozenset[str] | None]  # the place in the list, and the methods; None: all of them


class Rules:
    """Rules in their order, checked and made ready.

    `extra_methods` are further methods that `allow` and `optional` may match. `case_insensitive`: `/Admin` is `/admin`,
    as on disks that do not tell them apart; of letters beyond ASCII, which each disk compares in its own way, a path is
    judged in every case. Raises ConfigurationError for a path that earlier rules have decided already, and for methods
    that nobody knows.
    """

    __slots__ = ("_below", "_case_insensitive", "_exactly", "_known", "_longest", "_rules", "by_method")

    by_method: bool  # whether the method of a request may decide

    def __init__(
        self, rules: Sequence[Rule], extra_methods: Iterable[str] = (), *, case_insensitive: bool = False
    ) -> None:
        for rule in rules:
            if not isinstance(rule, Rule):
                raise ConfigurationError(
                    f"rules= takes what allow(), optional(), require() and deny() make, not {rule!r}"
                )
        self._known = METHODS | (checked_methods("extra_methods", extra_methods) if extra_methods else frozenset())
        self._case_insensitive = case_insensitive
        self._rules = tuple(rules)
        self._below: dict[str, list[Entry]] = {}
        self._exactly: dict[str, list[Entry]] = {}
        self._longest = 0
        for index, rule in enumerate(rules):
            self._add(index, rule)
        entries = [entry for table in (self._below, self._exactly) for found in table.values() for entry in found]
        self.by_method = any(methods is not None for _, _, methods in entries)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def index(self, rule: Rule) -> int | None:
        """Which rule this is, counted from 1; None for what no rule decides."""
        return next((number for number, one in enumerate(self._rules, 1) if one is rule), None)

    def rule_for(self, path: str, method: str) -> Rule:
        """The rule that decides, DENIED where none matches, AMBIGUOUS where the path can be read in several ways.

        AMBIGUOUS is also what no method can be.
        """
        return self.rules_for(path, [method])[0]

    def rules_for(self, path: str, methods: Iterable[str]) -> list[Rule]:
        """The rule that decides for each of these methods. The path is read once, which may be the most of it."""
        found = (path,) if is_plain(path) else self._readings(path)
        return [self._only(found, method) if is_method(method) else AMBIGUOUS for method in methods]

    def decisions(self, path: str, method: str) -> dict[str, Rule]:
        """Each reading of a path, and the rule that decides it; nothing where there are too many readings to tell."""
        return {reading: self._first(reading, method) for reading in sorted(self._readings(path))}

    def _only(self, found: Collection[str], method: str) -> Rule:
        """The rule that decides all of these readings."""
        rules = {self._first(reading, method) for reading in found}
        return rules.pop() if len(rules) == 1 else AMBIGUOUS

    def _readings(self, path: str) -> Collection[str]:
        found = readings(path) or ()
        if self._case_insensitive:
            return {folded(reading) for reading in found for folded in (_ascii_lower, str.lower, str.casefold)}
        return found

    def _add(self, index: int, rule: Rule) -> None:
        if rule.kind not in ("allow", "optional", "require", "deny"):
            raise ConfigurationError(f"rules= takes what allow(), optional(), require() and deny() make, not {rule!r}")
        if not rule.paths:
            raise ConfigurationError(f'{rule.kind}() needs a path: {rule.kind}("/") is for all of them')
        unknown = (rule.methods or frozenset()) - self._known
        if unknown:
            raise ConfigurationError(f"{rule!r}: {min(unknown)} is no known method: name it in extra_methods=")
        everything = rule.methods is None and rule.kind in ("require", "deny")
        methods = None if everything else rule.methods or self._known
        for path in rule.paths:
            key = self._closed(path.removeprefix("="))
            if self._case_insensitive and key != key.casefold():
                raise ConfigurationError(
                    f"{path!r} in {rule!r}: with case_insensitive=, letters beyond ASCII are in lower case, and "
                    "one that disks compare in different ways, as they do ß, is in no path of a rule"
                )
            self._refuse_covered(index, path, key)
            table = self._exactly if path[0] == "=" else self._below
            table.setdefault(key, []).append((index, rule, methods))
            self._longest = max(self._longest, len(key))

    def _refuse_covered(self, index: int, path: str, key: str) -> None:
        """A path that earlier rules decide for every known method never reaches its own: most likely a mistake."""
        rule = self._rules[index]
        left = set(self._known if rule.methods is None else rule.methods)
        covering = [entry for prefix in self._prefixes(key) for entry in self._below.get(prefix, ())]
        if path[0] == "=":
            covering += self._exactly.get(key, ())
        for place, earlier, methods in sorted(covering, key=lambda entry: entry[0]):
            if place == index:
                break
            left -= self._known if methods is None else methods
            if not left:
                raise ConfigurationError(
                    f"{path!r} in {rule!r} is decided by {earlier!r} above it, for the first rule that matches wins: "
                    "move the narrower rule up, or leave it out"
                )

    def _first(self, path: str, method: str) -> Rule:
        closed = self._closed(path)
        best = len(self._rules)
        decided = DENIED
        for index, rule, methods in self._exactly.get(closed, ()):
            if methods is None or method in methods:
                best, decided = index, rule
                break
        for prefix in self._prefixes(closed):
            for index, rule, methods in self._below.get(prefix, ()):
                if index < best and (methods is None or method in methods):
                    best, decided = index, rule
                    break
        return decided

    def _prefixes(self, closed: str) -> Iterator[str]:
        """The beginnings of a path that a rule may name: each up to a slash."""
        place = closed.find("/")
        while 0 <= place < self._longest:
            yield closed[: place + 1]
            place = closed.find("/", place + 1)

    def _closed(self, path: str) -> str:
        text = path if path[-1:] == "/" else path + "/"
        return _ascii_lower(text) if self._case_insensitive else text


def _ascii_lower(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join([character.lower() if character.isascii() else character for character in text])
