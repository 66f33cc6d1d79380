"""What a request costs by CGI, where each one has a process to itself: CPU time above a bare hello.

Each contender is a script in `cgi_scripts/`, started as a web server starts one: by the standard library's
`CGIHandler`, with the request in its environment and nothing else there. All contenders and the bare hello take turns,
in shuffled order, and the least of all rounds counts. CPU time is what the kernel says that the ended process took, the
interpreter's start and end included. No `.pth` file is read; the byte code is there.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.logins import PASSWORDS, REALM, authorization
from benchmarks.method import REQUEST, Answer, Result
from middleware import hash_password

if TYPE_CHECKING:
    from collections.abc import Iterable

SCRIPTS = Path(__file__).parent / "cgi_scripts"
PATHS = (str(Path(__file__).parent.parent / "src"), sysconfig.get_path("purelib"))
LIMIT = 25  # ms of ours

# The page that everybody may see, the session that counts, the page that is kept; what each row is about.
PAGE, COUNT, KEPT, PRIVATE = "/", "/count", "/kept", "/private"


class Script:
    """A contender, whose files are in a folder of its own."""

    def __init__(self, name: str, script: str, directory: Path) -> None:
        self.name = name
        self.folder = directory / script
        self.folder.mkdir()
        self._command = [sys.executable, "-S", "-P", str(SCRIPTS / f"{script}.py"), str(self.folder)]
        self.cookie = ""

    def ask(self, path: str, **fields: str) -> Answer:
        """One request, looked at."""
        environment = _environment(path, **fields)
        ran = subprocess.run(self._command, env=environment, check=True, capture_output=True, timeout=60)
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        (_, status), *headers = (line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
        return Answer(status, [(name, value) for name, value in headers], body)

    def cpu(self, path: str) -> float:
        """Milliseconds of one request, to which nobody listens."""
        environment = _environment(path, **({"HTTP_COOKIE": self.cookie} if path == COUNT else {}))
        nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
        process = os.posix_spawn(sys.executable, self._command, environment, file_actions=nowhere)
        _, status, used = os.wait4(process, 0)
        assert status == 0
        return (used.ru_utime + used.ru_stime) * 1000

    def check_page(self) -> None:
        """Each process says its number, and no cookie is set."""
        first, second = self.ask(PAGE), self.ask(PAGE)
        assert first.status == second.status == "200 OK"
        assert first.body.isdigit()
        assert first.body != second.body
        assert first.field("Set-Cookie") is None

    def check_session(self) -> None:
        """Three visits count three, and a cookie that nobody was given begins anew."""
        answer = self.ask(COUNT)
        self.cookie = f"{REQUEST['HTTP_COOKIE']}; {answer.cookies()}"
        counts = [answer.body]
        for _ in range(2):
            answer = self.ask(COUNT, HTTP_COOKIE=self.cookie)
            if answer.cookies():
                self.cookie = f"{REQUEST['HTTP_COOKIE']}; {answer.cookies()}"
            counts.append(answer.body)
        assert counts == [b"1", b"2", b"3"]
        assert self.ask(COUNT, HTTP_COOKIE=self.cookie[:-8] + "tampered").body == b"1"

    def check_kept(self) -> None:
        """The process that made the page is another than the one that sends it."""
        assert self.ask(KEPT).body == self.ask(KEPT).body

    def check_login(self) -> None:
        """Alice gets in, and nobody with a wrong password or none."""
        for refused in ({}, {"HTTP_AUTHORIZATION": authorization("wrong")}):
            answer = self.ask(PRIVATE, **refused)
            assert answer.status.startswith("401")
            assert f'Basic realm="{REALM}"' in (answer.field("WWW-Authenticate") or "")
        assert self.ask(PRIVATE, HTTP_AUTHORIZATION=authorization()).status == "200 OK"

    def check_log(self) -> None:
        """The request has its line."""
        before = (self.folder / "access.log").read_bytes()
        self.ask(PAGE)
        (line,) = (self.folder / "access.log").read_bytes()[len(before) :].splitlines()
        assert re.search(rb'^203\.0\.113\.7 - - \[.{26}\] "GET / HTTP/1\.1" 200 \d+ "https://shop', line), line


def results(directory: Path, rounds: int, *, only: str = "") -> list[Result]:
    """The rows whose title holds `only`."""
    wanted = [title for title in ("CGI, a page", "CGI, a session", "CGI, a cached page") if only in title]
    beside_flask = [f"{title}, beside Flask" for title in ("CGI, a page", "CGI, a session")]
    wanted += [title for title in beside_flask if only in title]
    if not wanted:
        return []
    bare = Script("bare hello", "bare", directory)
    ours = Script("five layers", "ours", directory)
    paste = Script("Paste + Beaker", "paste_beaker", directory)
    flask = Script("Flask alone", "flask_alone", directory)
    users = "".join(f"{user}:{hash_password(password, form='scrypt')}\n" for user, password in PASSWORDS.items())
    (ours.folder / "users.htpasswd").write_text(users)
    bare.check_page()
    for script in (ours, paste, flask):
        script.check_page()
        script.check_session()
    for script in (ours, paste):
        script.check_kept()
        script.check_login()
        script.check_log()
    cases = [(bare, PAGE), *((script, path) for script in (ours, paste) for path in (PAGE, COUNT, KEPT))]
    cases += [(flask, PAGE), (flask, COUNT)]
    least = _least(cases, rounds)

    def row(title: str) -> Result:
        peer = flask if title.endswith("Flask") else paste
        path = COUNT if "session" in title else KEPT if "cached" in title else PAGE
        added, peers = (least[script, path] - least[bare, PAGE] for script in (ours, peer))
        return Result(title, added, peer.name, peers, "ms", added / peers, LIMIT, judged_by="ours")

    return [row(title) for title in wanted]


def _least(cases: Iterable[tuple[Script, str]], rounds: int) -> dict[tuple[Script, str], float]:
    """The least milliseconds of CPU that a request of each case took."""
    turns = list(cases)
    least = dict.fromkeys(turns, float("inf"))
    for _ in range(rounds):
        random.shuffle(turns)
        for script, path in turns:
            least[script, path] = min(least[script, path], script.cpu(path))
    return least


def _environment(path: str, **fields: str) -> dict[str, str]:
    """What a web server gives a CGI script (RFC 3875), and where the modules are."""
    request = {name: value for name, value in REQUEST.items() if not name.startswith("wsgi.")}
    gateway = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "PATH": os.defpath,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "REQUEST_URI": path,
        "PYTHONPATH": os.pathsep.join(PATHS),
    }
    return {**request, **gateway, **fields}
