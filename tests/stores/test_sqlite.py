import os
import sqlite3
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from forking import forked, needs_fork

from middleware.errors import ConfigurationError, StoreError, ValueTooLarge
from middleware.stores.sqlite import MAX_VALUE, SQLiteStore
from middleware.testing.clock import FakeClock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def rows(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM entries").fetchone()[0]


# The file


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_only_its_user_can_read_the_files(path):
    before = os.umask(0)
    try:
        with SQLiteStore(path) as store:
            store.set("key", b"value")
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


def test_entries_survive_a_restart(path):
    with SQLiteStore(path) as store:
        store.set("key", b"value", 1000)
    with SQLiteStore(path) as store:
        assert store.get("key") == b"value"
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


def test_the_file_shows_no_key(path):
    with SQLiteStore(path, prefix="sessions:") as store:
        store.set("a-secret-session-id", b"value")
        store.close()
    assert b"a-secret-session-id" not in path.read_bytes()
    assert b"sessions:" in path.read_bytes()


def test_stores_with_different_prefixes_share_a_file_and_no_key(path):
    with SQLiteStore(path, prefix="a") as a, SQLiteStore(path, prefix="ab") as ab, SQLiteStore(path) as bare:
        for store, value in ((a, b"a"), (ab, b"ab"), (bare, b"bare")):
            assert store.add("key", value)
        a.clear()
        assert (a.get("key"), ab.get("key"), bare.get("key")) == (None, b"ab", b"bare")
        bare.clear()
        assert (ab.get("key"), bare.get("key")) == (b"ab", None)


def test_a_relative_path_stays_where_it_was_when_the_directory_changes(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with SQLiteStore("store.db") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.set("key", b"value")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_clear_deletes_more_than_one_batch(path):
    with SQLiteStore(path) as store:
        fill(path, store, 2500, expires=None)
        store.clear()
    assert rows(path) == 0


@pytest.mark.parametrize(("options", "level"), [({}, 2), ({"durable": True}, 2), ({"durable": False}, 1)])
def test_a_write_is_on_the_disk_when_it_returns_unless_told_otherwise(path, options, level):
    with SQLiteStore(path, **options) as store, store._file.connection() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)  # 2: the log is synced at each commit
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# What is wrong at construction


@pytest.mark.parametrize("memory", [":memory:", "file::memory:?cache=shared"])
def test_a_database_in_memory_is_refused_in_favour_of_memory_store(memory):
    with pytest.raises(ConfigurationError, match="MemoryStore"):
        SQLiteStore(memory)


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timeout": -1}, {"prefix": "a\nb"}, {"prefix": "\0"}, {"durable": "yes"}]
)
def test_a_wrong_option_is_refused_by_its_name(path, options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        SQLiteStore(path, **options)


@pytest.mark.parametrize("empty", ["", "a\0b"])
def test_a_path_that_is_none_is_refused(empty):
    with pytest.raises(ConfigurationError, match="path of a file"):
        SQLiteStore(empty)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"missing is no directory: make it"):
        SQLiteStore(tmp_path / "missing" / "store.db")


def test_a_directory_in_the_place_of_the_file_is_named(tmp_path):
    with pytest.raises(StoreError, match="is a directory"):
        SQLiteStore(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_kept(path):
    path.write_bytes(b"important notes, but no database at all\n" * 100)
    with pytest.raises(StoreError, match="move it away"):
        SQLiteStore(path)
    assert path.read_bytes().startswith(b"important notes")


def test_another_programs_database_is_refused_and_left_as_it_is(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's database"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_file_of_a_later_version_is_refused(path):
    SQLiteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="format 99"):
        SQLiteStore(path)


@needs_fork
def test_a_file_or_directory_that_cannot_be_written_is_told_at_construction():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "store.db"
        SQLiteStore(path).close()
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            with forked() as child:
                if child:
                    if os.geteuid() == 0:
                        os.setuid(65534)  # root may write anywhere
                    with pytest.raises(StoreError, match="cannot be read and written: the server's user"):
                        SQLiteStore(path)
                    with pytest.raises(StoreError, match="cannot be written: the server's user"):
                        SQLiteStore(path.with_name("other.db"))
        finally:
            Path(folder).chmod(0o755)


# What goes wrong later, and goes away


def test_a_file_that_was_damaged_is_told_and_made_anew_once_it_was_moved_away(path):
    with SQLiteStore(path) as store:
        store.set("key", b"value")
        store.close()
    store = SQLiteStore(path)
    path.write_bytes(b"garbage" * 1000)
    for call in (lambda: store.get("key"), lambda: store.set("key", b"new")):
        with pytest.raises(StoreError, match=r"store\.db.*move it away"):
            call()
    path.rename(path.with_name("damaged.db"))
    assert store.get("key") is None
    store.set("key", b"new")
    assert store.get("key") == b"new"
    store.close()


@pytest.mark.parametrize("what", ["store.db", "store.db*"])
def test_a_file_that_was_deleted_under_a_running_server_is_made_anew(path, what):
    with SQLiteStore(path) as store, SQLiteStore(path) as other:
        store.set("key", b"value")
        other.set("other", b"value")
        for file in path.parent.glob(what):
            file.unlink()
        assert store.get("key") is None
        assert store.add("key", b"new") is True
        assert other.get("key") == b"new"
        assert other.get("other") is None
        other.set("other", b"new")
        assert store.get("other") == b"new"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert rows(path) == 2


def test_a_directory_that_went_away_and_came_back_needs_no_restart(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with SQLiteStore(folder / "store.db") as store:
        store.set("key", b"value")
        folder.rename(tmp_path / "moved")
        with pytest.raises(StoreError, match="make it"):
            store.get("key")
        (tmp_path / "moved").rename(folder)
        assert store.get("key") == b"value"


@pytest.mark.slow
def test_a_file_locked_for_too_long_is_told_and_read_meanwhile(path):
    with SQLiteStore(path, timeout=0.05) as store, closing(sqlite3.connect(path)) as other:
        store.set("key", b"value")
        other.execute("BEGIN IMMEDIATE")
        for write in (
            lambda: store.set("key", b"new"),
            lambda: store.add("other", b"new"),
            lambda: store.swap("key", b"value", b"new"),
            lambda: store.delete("key"),
            store.purge,
            store.clear,
        ):
            with pytest.raises(StoreError, match=r"locked for 0\.05 seconds"):
                write()
            assert store.get("key") == b"value"
        other.rollback()
        assert store.swap("key", b"value", b"new") is True
        assert store.get("key") == b"new"


def test_a_full_disk_is_told_and_changes_nothing(path, monkeypatch):
    connect = sqlite3.connect

    def small(*args, **options):
        connection = connect(*args, **options)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    with SQLiteStore(path) as store:
        store.set("key", b"old")
        with pytest.raises(StoreError, match="disk is full"):
            store.set("key", bytes(1_000_000))
        assert store.get("key") == b"old"
        monkeypatch.setattr(sqlite3, "connect", connect)
        with pytest.raises(StoreError):
            store.set("key", bytes(1_000_000))  # the connection that was left to the next caller is as small
        store.set("key", bytes(1_000_000))
        assert store.get("key") == bytes(1_000_000)


def test_a_value_above_the_limit_is_too_large_and_changes_nothing(path):
    with SQLiteStore(path) as store:
        store.set("key", b"old")
        too_large = bytes(MAX_VALUE + 1)
        for write in (
            lambda: store.set("key", too_large),
            lambda: store.add("other", too_large),
            lambda: store.swap("key", b"old", too_large),
        ):
            with pytest.raises(ValueTooLarge, match=str(MAX_VALUE)):
                write()
        assert store.get("key") == b"old"


def test_errors_show_no_key_and_no_value(path):
    store = SQLiteStore(path)
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError) as caught:
        store.set("secret key", b"secret value")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(store)


def test_a_closed_store_says_so(path):
    with SQLiteStore(path) as store:
        store.set("key", b"value")
    for call in (lambda: store.get("key"), lambda: store.set("key", b"value"), store.purge):
        with pytest.raises(StoreError, match="closed"):
            call()
    store.close()


# Expired rows


def fill(path, store, number, expires):
    """Rows that writes of the store would sweep away as they are made."""
    store.set("first", b"value")
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO entries (key, value, expires) VALUES (?, ?, ?)",
            ((f"{each:064}", b"value", expires) for each in range(number)),
        )
        connection.commit()


def test_writes_sweep_expired_rows_away_at_most_once_a_minute(path):
    clock = FakeClock()
    with SQLiteStore(path, clock=clock) as store:
        fill(path, store, 100, expires=clock() + 10)
        clock.advance(59)
        store.set("second", b"value")
        assert rows(path) == 102
        clock.advance(1)
        store.get("first")
        assert rows(path) == 102
        store.set("second", b"value")
        assert rows(path) == 2


def test_a_large_sweep_goes_on_batch_by_batch(path):
    clock = FakeClock()
    with SQLiteStore(path, clock=clock) as store:
        fill(path, store, 2500, expires=clock() + 10)
        clock.advance(60)
        left = []
        for _ in range(4):
            store.set("first", b"value")
            left.append(rows(path))
        assert left == [1501, 501, 1, 1]


@pytest.mark.slow
def test_processes_that_write_once_sweep_too(path):
    clock = FakeClock()
    for number in range(20):
        with SQLiteStore(path, clock=clock) as store:
            store.set(f"key {number}", b"value", 5)
        clock.advance(20)
    assert rows(path) <= 4


def test_stores_that_share_a_file_sweep_once_a_minute_together(path):
    clock = FakeClock()
    with SQLiteStore(path, clock=clock) as store, SQLiteStore(path, clock=clock) as other:
        fill(path, store, 10, expires=clock() + 90)
        clock.advance(60)
        store.set("first", b"value")
        clock.advance(40)
        other.set("second", b"value")
        assert rows(path) == 12


def test_a_clock_that_was_set_back_stops_no_sweep(path):
    clock = FakeClock()
    with SQLiteStore(path, clock=clock) as store:
        clock.advance(1_000_000)
        store.set("first", b"value")
        clock.advance(-1_000_000)
        fill(path, store, 10, expires=clock() + 10)
        clock.advance(100)
        store.set("first", b"value")
        assert rows(path) == 1


def test_purge_deletes_all_that_has_expired_and_counts_it(path):
    clock = FakeClock()
    with SQLiteStore(path, clock=clock) as store:
        fill(path, store, 2500, expires=clock() + 10)
        store.set("long", b"value", 1000)
        clock.advance(70)  # a sweep is due too, and takes nothing away from the count
        assert store.purge() == 2500
        assert store.purge() == 0
        assert store.get("first") == store.get("long") == b"value"


# Threads, processes, forks


def test_threads_that_open_a_new_file_at_once_find_one_store(path):
    barrier = threading.Barrier(8)
    stores = []
    errors = []

    def work(number):
        barrier.wait()
        try:
            store = SQLiteStore(path)
            stores.append(store)
            store.set(str(number), b"value")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert rows(path) == 8
    for store in stores:
        store.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_threads_that_have_ended_leave_no_files_open(path):
    def files():
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return sum(str(link.readlink()).startswith(str(path)) for link in links)

    with SQLiteStore(path) as store:
        for _ in range(5):
            threads = [threading.Thread(target=store.set, args=(str(each), b"value")) for each in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert 0 < files() <= 16 * 2 + 1
    assert files() == 0


@pytest.mark.slow
@needs_fork
def test_a_child_uses_connections_of_its_own(path):
    with SQLiteStore(path) as store:
        store.set("key", b"value")
        with forked() as child:
            if child:
                assert store.get("key") == b"value"
                store.set("child", b"value")
                if sys.platform == "linux":
                    # In the kernel's eyes too: what SQLite believes about locks, a child would inherit.
                    assert f" {os.getpid()} " in Path("/proc/locks").read_text()
        assert store.get("child") == b"value"
        assert store.swap("key", b"value", b"new") is True
        with forked() as child:
            if child:
                store.close()
        assert store.get("key") == b"new"


@needs_fork
@pytest.mark.slow
def test_forks_beside_threads_that_write_lose_nothing(path):
    with SQLiteStore(path) as store:
        store.set("counter", b"0")
        done = threading.Event()
        counts = [0, 0]

        def count(number):
            while not done.is_set():
                bump(store)
                counts[number] += 1

        threads = [threading.Thread(target=count, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            with forked() as child:
                if child:
                    for _ in range(10):
                        bump(store)
        done.set()
        for thread in threads:
            thread.join()
        assert store.get("counter") == b"%d" % (sum(counts) + 100)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def bump(store):
    while True:
        old = store.get("counter")
        if store.swap("counter", old, b"%d" % (int(old) + 1)):
            return


def test_a_fork_that_python_did_not_make_is_noticed_by_the_process_id(path, monkeypatch):
    with SQLiteStore(path) as store:
        store.set("key", b"value")
        (parents, _) = store._file._idle[0]
        monkeypatch.setattr(os, "getpid", lambda: 1)
        assert store.get("key") == b"value"
        assert store._file._idle[0][0] is not parents
        assert parents.execute("SELECT 1").fetchone() == (1,)  # not closed
    parents.close()
