"""The readings of a request path: what it is, and what somebody behind us might take it for. Values in, values out.

A path is judged as it was delivered only where nobody can read it otherwise. A doubtful one (`//`, dot segments, a
backslash, `;`, a literal `%`, control characters, ...) is judged in all its readings: each step that servers,
frameworks and file systems are known to take, in every order, percent-decoding at most once.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from wsgiref.types import WSGIEnvironment

# Beyond this work nobody could say what a path means: it keeps each one, short or long, below a few milliseconds.
MOST_WORK = 40_000  # characters of all readings together
EACH_READING = 300  # characters: what a reading costs beside its own


def request_path(environ: WSGIEnvironment, *, mounted: bool = False) -> str | None:
    """SCRIPT_NAME and PATH_INFO as text, `/` where both are empty; None where this is no path.

    `mounted`: PATH_INFO alone, for rules that do not know where the application is mounted. Bytes that are not UTF-8
    come as lone surrogates. No path: one that does not begin with a slash, or holds what WSGI's native strings cannot
    (PEP 3333).
    """
    script_name: str = "" if mounted else environ.get("SCRIPT_NAME", "")
    path_info: str = environ.get("PATH_INFO", "")
    if (path_info and path_info[0] != "/") or (script_name and script_name[0] != "/"):
        return None
    path = script_name + path_info or "/"
    if path.isascii():
        return path
    try:
        return path.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


def is_plain(path: str) -> bool:
    """Whether this is ASCII text that has one reading only; False where that takes a closer look."""
    return (
        path.isascii()
        and path.isprintable()
        and not (
            "/." in path
            or "//" in path
            or "./" in path
            or "%" in path
            or ";" in path
            or "\\" in path
            or "?" in path
            or "#" in path
            or " " in path
            or path[-1] == "."
        )
    )


def readings(path: str) -> set[str] | None:
    """Every reading of `path`, itself included; None where there are too many to tell.

    A path that is not doubtful has one.
    """
    seen: tuple[set[str], set[str]] = ({path}, set())  # as they are, and percent-decoded
    todo = [(path, False)]
    work = len(path) + EACH_READING
    while todo:
        text, decoded = todo.pop()
        there = seen[decoded]
        for reading in _steps_from(text):
            if reading in there:
                continue
            there.add(reading)
            todo.append((reading, decoded))
            work += len(reading) + EACH_READING
            if work > MOST_WORK:  # before all the mounts of a deep path are tried
                return None
        if not decoded and "%" in text:
            reading = _decoded(text)
            if reading not in seen[True]:
                seen[True].add(reading)
                todo.append((reading, True))
                work += len(reading) + EACH_READING
        if work > MOST_WORK:
            return None
    return {text or "/" for texts in seen for text in texts}


def _steps_from(text: str) -> Iterator[str]:
    """What one step makes of a reading."""
    for step in _STEPS:
        reading = step(text)
        if reading is not text:
            yield reading
    yield from _resolved_in_mounts(text)


def _decoded(path: str) -> str:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _dots_decoded(path: str) -> str:
    """`%2e` is a dot to a browser's URL parser, whatever else stays encoded."""
    return path.replace("%2e", ".").replace("%2E", ".") if "%" in path else path


def _before_query(path: str) -> str:
    return path.partition("?")[0].partition("#")[0]


def _before_nul(path: str) -> str:
    return path.partition("\0")[0]


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


def _without_parameters(path: str) -> str:
    if ";" not in path:
        return path
    return "/".join([segment.partition(";")[0] for segment in path.split("/")])


def _without_line_ends(path: str) -> str:
    return path.replace("\t", "").replace("\n", "").replace("\r", "")


def _without_controls(path: str) -> str:
    if path.isprintable():
        return path
    if path.isascii():
        return path.translate(_ASCII_CONTROLS)
    return "".join([character for character in path if not _is_control(character)])


_ASCII_CONTROLS = dict.fromkeys([*range(32), 127])


def _is_control(character: str) -> bool:
    """A control character, or a byte that is not UTF-8."""
    return character < " " or "\x7f" <= character < "\xa0" or "\ud800" <= character <= "\udfff"


def _without_trailing_spaces(path: str) -> str:
    if " /" not in path and path[-1:] != " ":
        return path
    return "/".join([segment.rstrip(" ") for segment in path.split("/")])


def _without_trailing_dots(path: str) -> str:
    """As Windows opens files. A segment of one or two dots stays what it is."""
    if "./" not in path and " /" not in path and path[-1:] not in (".", " "):
        return path
    return "/".join(
        [segment if segment in (".", "..") else segment.rstrip(". ") for segment in path.split("/")],
    )


def _collapsed(path: str) -> str:
    while "//" in path:
        path = path.replace("//", "/")
    return path


def _resolved(path: str) -> str:
    """Without dot segments (RFC 3986, section 5.2.4)."""
    return _without_dot_segments(path.split("/")[1:]) if "/." in path else path


def _resolved_in_mounts(path: str) -> Iterator[str]:
    """As an application reads it that is mounted below the root, and whose `..` leads no higher than its mount.

    A mount (SCRIPT_NAME, or what a dispatcher behind us moves there) is any of the names before the first `..`. The
    longest comes first, so that `readings` gives up on too many of them early.
    """
    if "/.." not in path:
        return
    segments = path.split("/")[1:]
    if ".." in segments:
        for mount in range(segments.index(".."), _least_depth(segments), -1):
            yield _without_dot_segments(segments, mount)


def _least_depth(segments: list[str]) -> int:
    """How near to the root the dot segments of a path lead: a mount that is not above that stops none of them."""
    depth = 0
    least = len(segments)
    for segment in segments:
        if segment == "..":
            depth = max(depth - 1, 0)
            least = min(least, depth)
        elif segment != ".":
            depth += 1
    return least


def _without_dot_segments(segments: list[str], mount: int = 0) -> str:
    """The path of these segments, the first `mount` of which no `..` can leave."""
    kept = segments[:mount]
    for segment in segments[mount:]:
        if segment == "..":
            if len(kept) > mount:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


_STEPS: tuple[Callable[[str], str], ...] = (
    _dots_decoded,
    _before_query,
    _before_nul,
    _slashes,
    _without_parameters,
    _without_line_ends,
    _without_controls,
    _without_trailing_spaces,
    _without_trailing_dots,
    _collapsed,
    _resolved,
)
