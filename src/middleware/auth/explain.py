"""Why a request is let in or not: which rule decides it, in words. Nothing is changed, asked or derived."""

from __future__ import annotations

from middleware.auth.rules.rule import is_method
from middleware.headers import environ_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.gate import Gate
    from middleware.auth.identity import Identity
    from middleware.auth.rules.rule import Rule

_RESULTS = {
    "allow": "everybody may",
    "optional": "everybody may; who has credentials is identified",
    "deny": "nobody may: 403",
    "unmatched": "no rule matches, so nobody may: 401, or 403 for who is identified",
    "ambiguous": "nobody may: 400, for it can be read in several ways",
    "page": "everybody may: it is a page of a scheme",
}


class Explanation:
    """Which rule decides a request, and why. `str()` of it is the text for people.

    `method` and `path`: what was asked for. `readings`: each reading of the path with the text of its rule; one where
    the path is plain. `rule`: the text of the rule that wins, `index` its place in the list, counted from 1; None
    where none does. `kind`: `"allow"`, `"optional"`, `"require"`, `"deny"`, `"unmatched"`, `"ambiguous"` or `"page"`.
    `schemes`: the names of those that are asked, each with the request fields that it reads and, where the request is
    known, whether they are there. `result`: what becomes of it.
    """

    __slots__ = ("index", "kind", "method", "path", "readings", "result", "rule", "schemes")

    def __init__(
        self,
        method: str,
        path: str,
        *,
        kind: str,
        rule: str | None,
        index: int | None,
        readings: Mapping[str, str],
        schemes: Sequence[tuple[str, str]],
        result: str,
    ) -> None:
        self.method = method
        self.path = path
        self.kind = kind
        self.rule = rule
        self.index = index
        self.readings = dict(readings)
        self.schemes = tuple(schemes)
        self.result = result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Explanation) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"<Explanation {self.method} {self.path!a}: {self.result}>"

    def __str__(self) -> str:
        lines = [f"{ascii(self.method)[1:-1]} {ascii(self.path)[1:-1]}"]
        if len(self.readings) > 1:
            lines.append("  can be read as")
            lines += [f"    {ascii(reading)[1:-1]}  decided by {rule}" for reading, rule in self.readings.items()]
        if self.rule is not None:
            place = "" if self.index is None else f"rule {self.index}: "
            lines.append(f"  decided by {place}{self.rule}")
        lines += [f"  asks {name}, {what}" for name, what in self.schemes]
        lines.append(f"  {self.result}")
        return "\n".join(lines)


def result_of(gate: Gate, identity: Identity | None, environ: WSGIEnvironment | None, now: float) -> str:
    """What becomes of a request at this gate: for anybody, or for who it is in this environ."""
    rule = gate.rule
    if rule.kind != "require":
        return _RESULTS[rule.kind]
    if environ is None:
        return f"needs {_needs(rule)}"
    if identity is None:
        return f"needs {_needs(rule)}: nobody is identified"
    lack = gate.lack(identity, None, now)
    if lack is None:
        unless = "" if rule.check is None else ", if check= says yes"
        return f"{identity.user!a} may, by {identity.scheme}{unless}"
    return f"{identity.user!a} by {identity.scheme} may not: {lack} is missing"


def ambiguous_result(method: str, path: str) -> str:
    """Why nobody may, however the rules are."""
    if path[:1] != "/":
        return "nobody may: 400, for a path begins with a slash"
    return _RESULTS["ambiguous"] if is_method(method) else "nobody may: 400, for this is no method"


def page_result() -> str:
    """What becomes of a request for a page of a scheme."""
    return _RESULTS["page"]


def asked_schemes(gate: Gate, environ: WSGIEnvironment | None) -> list[tuple[str, str]]:
    """The schemes that count at this gate, with what they look at."""
    if gate.leads_to is not None:
        return []
    found = []
    for scheme in gate.schemes:
        what = "which reads " + (", ".join(scheme.reads) or "no field")
        if environ is not None and scheme.reads:
            there = [field for field in scheme.reads if environ.get(environ_key(field))]
            what += f": {', '.join(there)} is there" if there else ": not there"
        found.append((scheme.name, what))
    return found


def _needs(rule: Rule) -> str:
    wanted = ["a login"]
    if rule.roles is not None:
        wanted.append(f"one of the roles {', '.join(sorted(rule.roles))}")
    if rule.users is not None:
        wanted.append(f"to be one of {', '.join(sorted(rule.users))}")
    if rule.scopes is not None:
        wanted.append(f"the scopes {' '.join(sorted(rule.scopes))}")
    if rule.fresh is not None:
        wanted.append(f"a proof of the last {rule.fresh:g} seconds")
    if rule.check is not None:
        wanted.append("that check= says yes")
    return ", ".join(wanted)
