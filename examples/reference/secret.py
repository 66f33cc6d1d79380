"""The secret that signs cookies, kept in a file of its own."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def secret_in(folder: Path) -> bytes:
    """The secret of this folder, made by whichever process is the first."""
    path = folder / "secret"
    if not path.exists():
        ours = folder / f"secret.{os.getpid()}"
        ours.touch(mode=0o600)
        ours.write_bytes(os.urandom(32))
        with suppress(FileExistsError):  # another process was faster: its secret counts
            path.hardlink_to(ours)  # whole, or not there
        ours.unlink()
    return path.read_bytes()
