"""The lines of a file of Apache's htpasswd, each judged. Pure: no I/O."""

from __future__ import annotations

from middleware.auth.names import normal_name
from middleware.auth.passwords import cost_of, is_weak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from middleware.auth.passwords import Cost

_NEVER_PLAIN = ("$", "{", "*", "!")  # how hashes begin, and what Unix puts in the place of one


class Entry:
    """A line of the file that names a user.

    `name` is the user's in its one spelling, None where it is no name; `stored` the password as sources give it, and
    `cost` its cost, None where nobody can have it.
    """

    __slots__ = ("cost", "line", "name", "stored", "user")

    def __init__(self, line: int, user: str, name: str | None, stored: str, cost: Cost | None) -> None:
        self.line = line
        self.user = user
        self.name = name
        self.stored = stored
        self.cost = cost

    @property
    def is_valid(self) -> bool:
        """Whether a user may sign in by it."""
        return self.name is not None and self.cost is not None


class Finding:
    """What `check_file` says of a line: never the password itself.

    `form` is that of the stored password, None where nobody can have it. `problems` are of these words: `no user` (no
    name and colon), `invalid name`, `invalid password`, `duplicate` (an earlier line counts), `same name` (as that of
    an earlier line, spelled in another way: an error of `Htpasswd`), `weak`, `missing extra`, `of htdigest` (a line of
    `name:realm:HA1`, which is for `Digest` and `Htdigest`).
    """

    __slots__ = ("form", "line", "problems", "user")

    def __init__(self, line: int, user: str, form: str | None, problems: Iterable[str]) -> None:
        self.line = line
        self.user = user
        self.form = form
        self.problems = tuple(problems)

    def __repr__(self) -> str:
        return f"<Finding line {self.line}: {self.user!a} {self.form} {', '.join(self.problems)}>"


def entries_of(lines: Iterable[str], *, plain: bool, case_map: bool) -> list[Entry]:
    """What the lines say; those that name nobody are left out."""
    return [
        entry
        for number, line in enumerate(lines, 1)
        if (entry := entry_of(number, line, plain=plain, case_map=case_map)) is not None
    ]


def entry_of(number: int, line: str, *, plain: bool, case_map: bool) -> Entry | None:
    """What a line says: `name:password`, and whatever behind another colon. None for a comment, and without a name."""
    user, colon, rest = line.partition(":")
    if not colon or not user or user.startswith("#"):
        return None
    stored = rest.partition(":")[0].strip()
    if plain and stored and not stored.startswith(_NEVER_PLAIN):
        from middleware.auth.passwords.plain import PREFIX

        stored = PREFIX + stored
    cost = cost_of(stored)
    if cost is not None and cost[0] == "plain" and not plain:
        cost = None
    return Entry(number, user, normal_name(user, case_map=case_map), stored, cost)


def same_names(entries: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """The entries that name the same user in two spellings, with the first that does."""
    first: dict[str | None, Entry] = {}
    for entry in entries:
        first.setdefault(entry.name, entry)
    return [
        (first[entry.name], entry)
        for entry in entries
        if entry.name is not None and first[entry.name].user != entry.user
    ]


def findings_of(lines: Sequence[str], *, plain: bool, case_map: bool) -> list[Finding]:
    """What there is to say of each line that is neither empty nor a comment."""
    from middleware.auth.passwords import is_missing

    found = []
    first: dict[str, str] = {}  # how the first line spells a name
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        entry = entry_of(number, line, plain=plain, case_map=case_map)
        if entry is None:
            found.append(Finding(number, "", None, ["no user"]))
            continue
        problems = []
        if entry.name is None:
            problems.append("invalid name")
        elif entry.name in first:
            problems.append("duplicate" if first[entry.name] == entry.user else "same name")
        else:
            first[entry.name] = entry.user
        if (entry.cost is None or entry.cost[0] == "plain") and _is_of_htdigest(line):
            found.append(Finding(number, entry.user, None, [*problems, "of htdigest"]))
            continue
        if entry.cost is None:
            problems.append("invalid password")
        elif is_missing(entry.cost):
            problems.append("missing extra")
        if entry.cost is not None and is_weak(entry.cost):
            problems.append("weak")
        found.append(Finding(number, entry.user, None if entry.cost is None else entry.cost[0], problems))
    return found


def _is_of_htdigest(line: str) -> bool:
    from middleware.auth.digest.credentials import HEX_DIGITS, is_hex

    _, _, rest = line.partition(":")
    realm, _, stored = rest.partition(":")
    return bool(realm) and any(is_hex(stored.strip(), digits) for digits in HEX_DIGITS.values())
