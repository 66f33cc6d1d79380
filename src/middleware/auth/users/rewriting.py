"""A line of a file of htpasswd, replaced: all of the file at once, and only where it is as it was read."""

from __future__ import annotations

import os

from middleware.auth.users.entries import entry_of
from middleware.auth.users.watched import text_of

_MOST_TRIES = 5


def replace_password(path: str, user: str, new: str, old: str, *, plain: bool, case_map: bool) -> bool:
    """Put `new` in the place of `old` in the line that counts for `user`; whether it was there. Raises OSError.

    Where another process is at it, nothing is done. What a program that asks for no lock writes meanwhile is not lost:
    then it is tried anew, and given up after a few times.
    """
    if not new or any(character in new for character in ":\r\n"):
        raise ValueError("a stored password is text without colons and line ends")
    path = os.path.realpath(path)  # the file behind a link, not the link
    for _ in range(_MOST_TRIES):
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 14 ms of import
            if not _is_ours(file.fileno()):
                return False
            before = os.fstat(file.fileno())
            content = _replaced(file.read(), user, new, old, plain=plain, case_map=case_map)
            if content is None:
                return False
            if _is_still(path, before) and _put(path, content, before):
                return True
    return False


def _replaced(content: bytes, user: str, new: str, old: str, *, plain: bool, case_map: bool) -> bytes | None:
    lines = content.split(b"\n")
    for number, line in enumerate(lines):
        entry = entry_of(number + 1, text_of(line), plain=plain, case_map=case_map)
        if entry is None or entry.name != user:
            continue
        if entry.stored != old:
            return None
        name, _, rest = line.partition(b":")
        _, colon, comment = rest.partition(b":")
        end = b"\r" if line.endswith(b"\r") and not colon else b""
        lines[number] = name + b":" + new.encode() + colon + comment + end
        return b"\n".join(lines)
    return None


def _put(path: str, content: bytes, before: os.stat_result) -> bool:
    """Replace the file, unless it was changed meanwhile: whether it was replaced."""
    temporary = f"{path}.{os.urandom(8).hex()}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _keep_owner_and_mode(file.fileno(), before)
            os.fsync(file.fileno())
        if not _is_still(path, before):
            os.unlink(temporary)  # noqa: PTH108
            return False
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise
    return True


def _keep_owner_and_mode(descriptor: int, before: os.stat_result) -> None:
    """Raises PermissionError where this process may not give the file to its owner."""
    if not hasattr(os, "fchown"):  # on Windows a new file has the rights of its folder
        return
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, before.st_mode & 0o7777)


def _is_still(path: str, before: os.stat_result) -> bool:
    now = os.stat(path)  # noqa: PTH116
    seen = ("st_ino", "st_dev", "st_size", "st_mtime_ns")
    return all(getattr(now, name) == getattr(before, name) for name in seen)


def _is_ours(descriptor: int) -> bool:
    """Lock the file until it is closed; False where another process holds the lock. Without such locks, go on."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:
        return True
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True
