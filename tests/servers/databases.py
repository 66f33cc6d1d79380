"""What PostgreSQL and MariaDB have in common here: a folder and a user of their own, and what they kept is still there
when they start again.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep

from servers.programs import PATIENCE, Running, free_port

USER = "tester"
PASSWORD = "not to be shown"  # with blanks, which a URL has to escape
NAME = "stores"


class Database:
    """A database server that runs as an unprivileged user: these refuse to run as root.

    accounts: the system users that may own it, where the tests run as root; `nobody` if none of them is there.
    """

    def __init__(self, *accounts):
        self.folder = Path(tempfile.mkdtemp(prefix="middleware-"))
        self.data = self.folder / "data"
        self._owner = _owner((*accounts, "nobody"))
        if self._owner:
            os.chown(self.folder, self._owner["user"], self._owner["group"])
        self._running = None

    def __enter__(self):
        try:
            self.prepare()
            self.port = free_port()
            self._running = Running(
                self.command(), self.answers, log=self.folder / "log", cwd=self.folder, **self._owner
            )
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._running:
            self._running.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self):
        """Make the data folder."""
        raise NotImplementedError

    def command(self):
        """The server's command line."""
        raise NotImplementedError

    def connect(self):
        """A connection of the driver's own, in autocommit."""
        raise NotImplementedError

    def answers(self):
        """Whether clients are served; an OSError means: not yet."""
        raise NotImplementedError

    def start(self):
        """Start it. What is left of the one that was killed may stand in the way for a moment."""
        give_up = monotonic() + PATIENCE
        while True:
            try:
                self._running.start()
            except AssertionError:
                if monotonic() > give_up:
                    raise
                sleep(0.1)
            else:
                return

    def kill(self):
        """End it at once (SIGKILL)."""
        self._running.kill()

    def url(self, driver, query=""):
        return f"{driver}://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{NAME}{query}"

    def run(self, *command):
        """Run a program to its end, as the user that the server will have."""
        command = [str(part) for part in command]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=2 * PATIENCE, **self._owner)


def _owner(accounts):
    """Who runs the server: options of subprocess. Whoever is not root does it in person."""
    if os.geteuid() != 0:
        return {}
    for name in accounts:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise AssertionError(f"none of these users is there: {accounts}")
