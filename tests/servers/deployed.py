"""The servers of examples/deploy, started as their files say.

The files are taken as a user would copy them. Only what differs from one machine to the next is filled in: the folder
/srv/site and the virtual environment in it, and the ports 8080, where clients ask, and 9000, between two programs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from servers import debian
from servers.programs import Running, free_port, listens, wait_until

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "examples" / "deploy"
SOURCES = [str(ROOT), str(ROOT / "src"), str(ROOT / "tests")]


def processes_of(row):
    """The commands of a row, by their names, in the order in which they are started."""
    lines = (DEPLOY / row / "Procfile").read_text().splitlines()
    return {name: command for name, _, command in (line.partition(": ") for line in lines)}


class Deployed:
    """A row that runs: it answers at `port`, and what it keeps is in `kept`."""

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.kept = folder / "data"

    def logs(self):
        """What the programs had to say, for a test that fails."""
        texts = [*self.folder.glob("*.log"), *self.folder.glob("express/error_log")]
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}" for path in texts)


@contextmanager
def deployed(row, application, *, without="", debians_python=False):
    """Serve a row; `application` is the text of its wsgi.py.

    without: a setting that is left out of its configuration.
    debians_python: take Debian's interpreter, with the packages of this one.
    """
    folder = Path(tempfile.mkdtemp(prefix="mw-"))  # short: the name of a Unix socket ends at 107 bytes
    folder.chmod(0o755)
    ports = {"8080": str(free_port()), "9000": str(free_port())}
    environment = _debian_environment(folder) if debians_python else Path(sys.prefix)

    def filled(text):
        text = text.replace(without, "") if without else text
        text = text.replace("/srv/site/venv", str(environment)).replace("/srv/site", str(folder))
        return re.sub(r"\b(8080|9000)\b", lambda match: ports[match[0]], text)

    try:
        (folder / "public").mkdir()
        for path in (*DEPLOY.iterdir(), *(DEPLOY / row).iterdir()):
            if path.is_file() and path.name not in ("Procfile", "wsgi.py"):
                (folder / path.name).write_text(filled(path.read_text()))
                shutil.copymode(path, folder / path.name)
        (folder / "wsgi.py").write_text(f"import sys\n\nsys.path[:0] = {SOURCES!r}\n\n{application}")
        running = Deployed(folder, int(ports["8080"]))
        with ExitStack() as started:
            commands = processes_of(row)
            for number, (name, command) in enumerate(commands.items(), start=1):
                port = int(ports["8080" if number == len(commands) else "9000"])
                started.enter_context(_started(shlex.split(filled(command)), port, folder / f"{name}.log", folder))
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(command, port, log, folder):
    """One program, in a session of its own, of which nothing is left in the end."""
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    program = Running(
        [*_as_nobody(), *command], lambda: listens(port), log=log, cwd=folder, env=environ, start_new_session=True
    )
    try:
        with program:
            yield
        wait_until(lambda: not _members(program.pid))
    finally:
        for process in _members(program.pid):  # of one that failed, to start or to stop
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _as_nobody():
    """What root puts before a command, so that the program runs without root's powers."""
    return ["unshare", "--user"] if os.geteuid() == 0 else []


def _members(session):
    """The processes of this session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(") ")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _debian_environment(folder):
    """A virtual environment of Debian's Python with the packages of ours, which has the same version."""
    environment = folder / "venv"
    subprocess.run([debian.PYTHON, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    (site_packages,) = environment.glob("lib/python3*/site-packages")
    site_packages.rmdir()
    site_packages.symlink_to(sysconfig.get_path("purelib"))
    return environment
