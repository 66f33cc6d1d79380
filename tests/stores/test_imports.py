import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
HEAVY = {"typing", "dataclasses", "logging", "re", "json", "hashlib", "urllib.parse", "enum", "inspect", "difflib"}


@pytest.mark.parametrize(
    ("line", "absent"),
    [
        ("from middleware.stores import MemoryStore; MemoryStore()", {*HEAVY, "sqlite3", "contextlib"}),
        ("import middleware.stores.sqlite", {"sqlite3", "typing", "logging", "pathlib"}),
        (
            "import middleware.stores.urls",
            {"sqlite3", "typing", "urllib.parse", "difflib", "redis", "pymemcache", "sqlalchemy"},
        ),
        ("import middleware.stores.sql", {"sqlalchemy", "typing", "logging", "urllib.parse"}),
        ("import middleware.stores.redis", {"redis", "typing", "logging", "socket", "urllib.parse"}),
        ("import middleware.stores.memcached", {"pymemcache", "typing", "logging", "socket", "urllib.parse"}),
    ],
)
def test_what_is_not_needed_is_not_imported(line, absent):
    code = f"import sys; before = set(sys.modules); {line}; print(*set(sys.modules) - before)"
    # -S: site imports what it likes, and hides what we would.
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not absent & set(imported)


def test_an_unknown_name_is_an_attribute_error():
    import middleware.stores

    with pytest.raises(AttributeError, match="RedisStor"):
        middleware.stores.RedisStor  # noqa: B018
    assert {"MemoryStore", "SQLiteStore", "Store", "open_store"} <= set(dir(middleware.stores))
