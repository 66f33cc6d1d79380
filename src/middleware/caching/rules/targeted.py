"""Fields that speak to some caches alone, in the place of Cache-Control and Expires (RFC 9213)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from middleware.structured import Member

_LONGEST = 1 << 12  # characters; what a longer field says is unknown


def targeted_directives(
    names: Sequence[str], lines: Mapping[str, Sequence[str]]
) -> tuple[bool, dict[str, str | None] | None]:
    """Whether a field of these names replaces Cache-Control, and its directives as `cache_control` gives them.

    The first counts that is there, not empty, and a Dictionary of Structured Fields. One too long to be read replaces
    it too, by None: nothing can be known then.
    """
    for name in names:
        if name not in lines:
            continue
        text = ", ".join(lines[name])
        if len(text) > _LONGEST:
            return True, None
        from middleware.structured import parse_dictionary

        members = parse_dictionary(text)
        if members:
            return True, {key: _argument(key, value) for key, value in members.items()}
    return False, None


def _argument(name: str, value: Member) -> str | None:
    """A directive's argument as Cache-Control would have it, `""` for what that directive does not take.

    A number is an Integer, names of fields are a String; a switch is there or not, and `?0`, neither, restricts.
    """
    if value is True:
        return None
    if name in ("no-cache", "private"):
        return value if type(value) is str else ""
    return str(value) if type(value) is int else ""
