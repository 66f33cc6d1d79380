"""Programs that read access logs, run as an operator runs them: each is given lines, and says how many it accepts.

A reader gets a folder of its own and `PATIENCE` seconds. `said` is what it printed, for the one who reads a failure.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import warnings
from typing import NamedTuple

from apachelogs import COMBINED, COMMON, InvalidEntryError, LogParser
from conftest import program
from servers.programs import PATIENCE, Running

FORMATS = {"common": COMMON, "combined": COMBINED, "extended": f"{COMBINED} %{{request_id}}n %{{seconds}}n"}


class Verdict(NamedTuple):
    accepted: int
    said: str = ""


def apachelogs(lines, form, folder):
    """From the Python index: the strictest of all."""
    accepted, said = 0, []
    for line in lines:
        try:
            entry_of(line, form)
        except (InvalidEntryError, ValueError) as error:
            said.append(repr(error))
        else:
            accepted += 1
    return Verdict(accepted, "\n".join(said))


def entry_of(line, form):
    """What apachelogs finds in a line: each byte that was sent is one character, as in environ."""
    return LogParser(FORMATS[form], encoding="latin-1").parse(line)


def lars(lines, form, folder):
    """From the Python index. What follows a format that it knows does not trouble it."""
    from lars.apache import ApacheSource

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with ApacheSource(lines, COMMON if form == "common" else COMBINED) as source:
            accepted = sum(1 for _ in source)
    return Verdict(accepted, "\n".join(str(warning.message) for warning in said))


def goaccess(lines, form, folder):
    return _goaccess(lines, folder, f"--log-format={'COMMON' if form == 'common' else 'COMBINED'}")


# What each name of `written_in_all_forms.NAMES` holds. (It takes a dot in a name for an object within an object.)
_NAMED = {
    "time": "%x",
    "client": "%h",
    "path": "%U",
    "protocol": "%H",
    "status": "%s",
    "size": "%b",
    "microseconds": "%D",
    "referrer": "%R",
    "agent": "%u",
}


def goaccess_by_names(lines, form, folder):
    """JSON with names of one's own."""
    return _goaccess(lines, folder, f"--log-format={json.dumps(_NAMED)}", "--datetime-format=%s")


def _goaccess(lines, folder, *form):
    report = folder / "report.json"
    done = _run(
        [program("goaccess"), _log(lines, folder), *form, "--no-global-config", "--no-progress", "-o", report], folder
    )
    if not report.exists():
        return Verdict(0, done.stdout + done.stderr)
    # It decodes what is percent-encoded, and such bytes need be no UTF-8.
    general = json.loads(report.read_text(errors="replace"), strict=False)["general"]
    assert general["total_requests"] == len(lines)
    return Verdict(general["valid_requests"], done.stdout + done.stderr)


def awstats(lines, form, folder):
    configuration = {
        "LogFile": _log(lines, folder),
        "LogFormat": 4 if form == "common" else 1,
        "SiteDomain": "site.example",
        "DNSLookup": 0,
        "DirData": folder,
    }
    text = "".join(f'{name}="{value}"\n' for name, value in configuration.items())
    (folder / "awstats.site.conf").write_text(text)
    script = program("/usr/lib/cgi-bin/awstats.pl")
    done = _run([program("perl"), script, "-config=site", f"-configdir={folder}", "-update", "-showcorrupted"], folder)
    # What it drops it has read: a method that it does not count.
    accepted = re.findall(r"Found (\d+) (?:dropped|new qualified)", done.stdout)
    return Verdict(sum(map(int, accepted)), done.stdout)


def webalizer(lines, form, folder):
    configuration = folder / "webalizer.conf"
    configuration.write_text("")
    command = [program("webalizer"), "-c", configuration, "-p", "-F", "clf", "-N", "0", "-o", folder]
    done = _run([*command, _log(lines, folder)], folder, env={**os.environ, "LC_ALL": "C"})
    said = done.stdout + done.stderr
    records = re.search(r"^(\d+) records(?: \((\d+) bad\))?", done.stdout, re.MULTILINE)
    oversized = said.count("Skipping oversized")
    accepted = int(records[1]) - int(records[2] or 0) - oversized if records else 0
    return Verdict(accepted, said)


def lnav(lines, form, folder):
    rows = rows_of_lnav(lines, folder)
    whole = [row for row in rows if row["sc_status"] and row["c_ip"] and row["cs_method"]]
    return Verdict(len(whole), json.dumps([row for row in rows if row not in whole]))


def rows_of_lnav(lines, folder):
    """What lnav finds in each line."""
    columns = "c_ip, cs_username, cs_method, cs_uri_stem, cs_version, sc_status, sc_bytes, cs_referer, cs_user_agent"
    select = f";select {columns} from access_log"
    command = [program("lnav"), "-n", "-c", select, "-c", ":write-json-to -", _log(lines, folder)]
    done = _run(command, folder, env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
    return json.loads(done.stdout) if done.stdout.startswith("[") else []


def logresolve(lines, form, folder):
    """It looks up the name of who asked, and leaves all else as it is."""
    done = _run([program("logresolve")], folder, given=_text(lines))
    pairs = zip(lines, done.stdout.splitlines(), strict=True)
    return Verdict(sum(_rest(before) == _rest(after) for before, after in pairs), done.stdout)


def _rest(line):
    return line.partition(" ")[2]


def jq(lines, form, folder):
    """One line at a time, as those who collect them do it: two halves of an object are none."""
    whole = "try (fromjson | objects) catch empty"
    done = _run([program("jq"), "-R", "-a", "-c", whole], folder, given=_text(lines))
    return Verdict(len(done.stdout.splitlines()), done.stderr)


_COLLECTS = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile" mode="polling" pollingInterval="1")
template(name="whole" type="string" string="%msg%\\n")
input(type="imfile" file="{log}" tag="access")
action(type="omfile" file="{collected}" template="whole")
"""


def rsyslog(lines, form, folder):
    """It makes a record of each line."""
    collected = folder / "collected"
    configuration = folder / "rsyslog.conf"
    configuration.write_text(_COLLECTS.format(folder=folder, log=_log(lines, folder), collected=collected))
    command = [program("rsyslogd", "/usr/sbin/rsyslogd"), "-n", "-f", configuration, "-i", folder / "pid"]

    def has_all():
        return collected.read_text().count("\n") >= len(lines)

    with Running(command, has_all, log=folder / "said"):
        pass
    records = collected.read_text().splitlines()
    return Verdict(sum(map(str.__eq__, records, lines)) if len(records) == len(lines) else 0, "\n".join(records))


LINES = ("common", "combined", "extended")
READERS = {
    apachelogs: LINES,
    lars: LINES,
    goaccess: LINES,
    goaccess_by_names: ("named",),
    awstats: LINES,
    webalizer: LINES,
    lnav: LINES,
    logresolve: LINES,
    jq: ("named", "json"),
    rsyslog: ("combined", "json"),
}


def _text(lines):
    return "".join(f"{line}\n" for line in lines)


def _log(lines, folder):
    log = folder / "access.log"
    log.write_text(_text(lines))
    return log


def _run(command, folder, *, given="", **options):
    return subprocess.run(
        [str(part) for part in command],
        input=given,
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,  # what it thinks of the lines is in what it prints
        **options,
    )
