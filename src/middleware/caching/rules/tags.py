"""Tags: the words by which an application names what its answers are made of, and purges them. Values in, values out.

They come from fields of an answer, or from the application by `get_cache(environ).tag(...)`; never from a request.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from middleware.caching.rules.said import Fields

MAX_TAGS = 64  # of one answer; one with more is not stored
MAX_LENGTH = 256  # characters of a tag

TAG_FIELDS = ("Cache-Tag", "Surrogate-Key")
_BY_SPACES = "surrogate-key"


def is_tag(text: object) -> bool:
    """Whether this can be a tag: 1 to 256 visible ASCII characters."""
    return (
        isinstance(text, str) and 0 < len(text) <= MAX_LENGTH and text.isascii() and text.isprintable()
    ) and " " not in text


def checked(tags: Iterable[object]) -> tuple[str, ...]:
    """These tags, each once. A ValueError for what is none."""
    once = dict.fromkeys(tags)
    for tag in once:
        if not is_tag(tag):
            raise ValueError(f"a tag is 1 to {MAX_LENGTH} visible ASCII characters, not {tag!r}")
    return tuple(str(tag) for tag in once)


def are_fit(tags: tuple[str, ...]) -> bool:
    """Whether an answer may have all of these."""
    return len(tags) <= MAX_TAGS and all(map(is_tag, tags))


def tags_of(fields: Fields, names: Iterable[str] = TAG_FIELDS) -> tuple[str, ...] | None:
    """The tags in an answer's fields of these names, each once; None where they are no tags, or too many.

    Surrogate-Key separates them by spaces, every other field by commas.
    """
    wanted = [name.lower() for name in names]
    tags: dict[str, None] = {}
    for name, value in fields:
        lower = name.lower()
        if lower in wanted:
            if len(value) > MAX_TAGS * (MAX_LENGTH + 2):
                return None
            tags.update(dict.fromkeys(split(lower, value)))
    found = tuple(tags)
    return found if are_fit(found) else None


def split(name: str, value: str) -> list[str]:
    """The members of a field that has tags. `name` in lower case."""
    if name == _BY_SPACES:
        return [member for member in value.replace("\t", " ").split(" ") if member]
    return [member for part in value.split(",") if (member := part.strip(" \t"))]
