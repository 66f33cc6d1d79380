"""What of a request selects one of the answers of a URL: Vary (RFC 9111, section 4.1)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SELECTING = 32  # field names in one Vary; an answer that names more is not stored
LONGEST_TIDIED = 1024  # characters of an Accept; no client needs more, and 64 KiB of commas took 0.1 s
TOKEN = frozenset(
    "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
)  # what names of fields are made of, in lower case


def selecting(vary: Iterable[str], allow_origin: Iterable[str]) -> tuple[str, ...] | None:
    """The request fields that select this answer, lower case, sorted; None for `*`, for too many, or for no list.

    `Accept Cookie`, say, has no comma: what it means is in doubt, so the answer is nobody else's.

    An Access-Control-Allow-Origin other than `*` depends on Origin, whether Vary says so or not.
    """
    line = ",".join(vary)
    if line.count(",") > 8 * MAX_SELECTING or len(line) > 1 << 12:
        return None
    names = {name.lower() for member in line.split(",") if (name := member.strip(" \t"))}
    if "*" in names or len(names) > MAX_SELECTING or not TOKEN.issuperset("".join(names)):
        return None
    if any(value.strip(" \t") != "*" for value in allow_origin):
        names.add("origin")
    return tuple(sorted(names))


def selecting_value(name: str, value: str | None) -> str | None:
    """A request field's value as it is compared for Vary (RFC 9111, section 4.1); None where the field is absent."""
    if value is None:
        return None
    if name not in ("accept", "accept-encoding", "accept-language") or '"' in value or len(value) > LONGEST_TIDIED:
        return value.strip(" \t")
    return ",".join(map(_tidy, value.split(",")))


def _tidy(part: str) -> str:
    """A member of these lists without its white space, its name in lower case: a parameter may mean its case."""
    name, *parameters = part.split(";")
    return ";".join([name.strip(" \t").lower(), *[one.strip(" \t") for one in parameters]])
