"""What docs/ shows of examples/deploy: the configurations that were tested, and the table of what they can do.

`python tests/deployment/pages.py` writes both between their marks; a test holds the pages against it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from deployment.rows import ONE, ONE_A_REQUEST, ROWS, SEVERAL, STREAMS  # noqa: E402
from servers.deployed import DEPLOY, ROOT  # noqa: E402

PAGES = [ROOT / "docs" / "deployment.md", *sorted((ROOT / "docs" / "servers").glob("*.md"))]

# <!-- file: NAME --> and <!-- table --> stand before what is written here, <!-- end --> behind it.
MARK = re.compile(r"<!-- (file: (?P<file>\S+)|(?P<table>table)) -->\n.*?<!-- end -->", re.DOTALL)

STORE = {
    ONE_A_REQUEST: "`SQLiteStore`, Redis, memcached, SQL; never memory",
    SEVERAL: "`SQLiteStore`, Redis, memcached, SQL",
    ONE: "any; memory ends with the process",
}
SURVIVES = {
    ONE_A_REQUEST: "nothing",
    SEVERAL: "what its process has seen",
    ONE: "everything, until the server stops",
}


def written(page):
    """The page as it ought to be."""
    return MARK.sub(lambda mark: _table() if mark["table"] else _file(mark["file"]), page.read_text())


def _file(name):
    text = (DEPLOY / name).read_text().rstrip("\n")
    return f"<!-- file: {name} -->\n```{_language(DEPLOY / name)}\n{text}\n```\n<!-- end -->"


def _language(path):
    """How a fence says it. A script that is shown and not run is `py`."""
    if path.suffix == ".conf":
        procfile = path.parent / "Procfile"
        said = procfile.read_text() if procfile.exists() else path.name
        return next((server for server in ("apache", "nginx") if server in said), "text")
    return {".py": "py", ".cgi": "py", ".fcgi": "py", ".ini": "ini"}.get(path.suffix, "text")


COLUMNS = (
    "row", "between server and process", "processes", "`multithread` `multiprocess` `run_once`",
    "what memory keeps between requests", "store for sessions and pages", "`Authorization` arrives", "streams arrive",
    "what it does not do",
)  # fmt: skip


def _table():
    lines = [COLUMNS, ["---"] * len(COLUMNS)]
    for name, row in ROWS.items():
        lines.append(
            (
                f"[{name}](servers/{row.page}.md#{name})",
                row.protocol,
                row.processes,
                " ".join("yes" if flag else "no" for flag in row.flags),
                SURVIVES[row.processes],
                STORE[row.processes],
                f"with `{row.authorization}`" if row.authorization else "yes",
                "no" if STREAMS in row.cannot else "yes",
                "; ".join(dict.fromkeys(row.cannot.values())),
            )
        )
    return "\n".join(["<!-- table -->", *(f"| {' | '.join(cells)} |" for cells in lines), "<!-- end -->"])


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page))
