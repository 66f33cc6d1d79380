"""What a site ignores of a request: query parameters and cookies by name. Pure. Its rule: what is in doubt is kept.

What is left stays byte for byte and in order, and to take out of what is left takes out nothing more.
"""

from __future__ import annotations


class Names:
    """Names, whole or by their beginning: `("gclid", "utm_*")`."""

    __slots__ = ("_beginnings", "_whole")

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._whole = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
        self._beginnings = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))

    def __bool__(self) -> bool:
        return bool(self._whole or self._beginnings)

    def __contains__(self, name: str) -> bool:
        return name in self._whole or name.startswith(self._beginnings)


def kept_query(query: str, ignored: Names) -> str | None:
    """A query without the parameters that are ignored; None where nothing else was in it.

    It is split at `&` alone: a parameter with a `;` in it is kept, since some applications read it as two.
    """
    parameters = query.split("&")
    kept = [one for one in parameters if ";" in one or one.partition("=")[0] not in ignored]
    if len(kept) == len(parameters):
        return query
    return "&".join(kept) if kept else None


def kept_target(target: str, ignored: Names) -> str:
    """A request target, or a URL, without the parameters that are ignored."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    kept = kept_query(query, ignored)
    return path if kept is None else f"{path}?{kept}"


def kept_cookies(field: str, ignored: Names) -> str | None:
    """A Cookie field without the cookies that are ignored; None where there is no other.

    A cookie with a comma in it is kept, since servers join two fields so; and all are where a quoted text goes on
    beyond a `;`, since some applications read all of it as one.
    """
    cookies = field.split(";")
    kept = [one for one in cookies if "," in one or one.partition("=")[0].strip(" \t") not in ignored]
    if len(kept) == len(cookies) or any(one.count('"') % 2 for one in cookies):
        return field
    left = ";".join(kept).strip(" \t")
    return left if left.strip("; \t") else None
