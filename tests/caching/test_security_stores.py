"""The store is no way in: what stands there is not executed, not believed, and tells no secret. S18, S29, S40."""

from __future__ import annotations

import logging
import pickle
from binascii import crc32

import pytest
from cached_site import Site

from middleware.stores import MemoryStore, SQLiteStore

FRESH = "Cache-Control: max-age=60"
executed = []


class Exploding:
    """What executes something where it is unpickled."""

    def __reduce__(self):
        return executed.append, ("executed",)


class Open(MemoryStore):
    """Shows its keys, so that a test can put there what it likes."""

    def names(self):
        return list(self._entries)

    def values(self):
        return [entry.value for entry in self._entries.values()]


def filled(store, *fields):
    site = Site(store=store)
    site.answers(FRESH, *fields, body=b"the body")
    site.ask()
    return site


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Exploding()),
        pickle.dumps(Exploding(), protocol=0),
        pickle.dumps(("200 OK", [("Set-Cookie", "a=1")], b"evil")),
        b'{"status": "200 OK", "body": "evil"}',
        b"",
        b"\0" * 1000,
        b"\xff" * 1000,
    ],
    ids=["pickle", "old pickle", "tuple", "json", "nothing", "zeros", "ones"],
)
def test_what_was_put_into_the_store_by_another_program_is_neither_executed_nor_given(data):
    store = Open()
    site = filled(store)
    site.answers(FRESH, body=b"made anew")
    for key in store.names():
        store.set(key, data)
    answer = site.ask()
    assert (answer.body, answer.header("Set-Cookie")) == (b"made anew", None)
    assert executed == []
    assert site.is_hit(), "the entry is replaced"


@pytest.mark.parametrize("evil", [b"\r", b"\0", b"\r\rSet-Cookie: a=1"])
@pytest.mark.parametrize("checked", [True, False], ids=["with its checksum", "without"])
def test_a_line_break_that_was_put_into_the_store_is_never_sent(evil, checked):
    store = Open()
    filled(store, "X: placeholder")
    for key, value in zip(store.names(), store.values(), strict=True):
        if b"placeholder" in value:
            changed = value[4:].replace(b"placeholder", evil)
            store.set(key, (crc32(changed) if checked else 0).to_bytes(4, "big") + changed)
    site = Site(store=store)
    site.answers(FRESH, "X: made anew")
    assert site.ask().header("X") == "made anew"


@pytest.mark.parametrize(
    "path", ["/../../x", "/a\0b", "/" + "x" * 5000, "/%2e%2e/x", "/a\nb", "/\u00ff", "/cache url x"]
)
def test_any_path_is_a_key_of_a_store_that_keeps_files(path, tmp_path):
    before = sorted(file.name for file in tmp_path.parent.iterdir())
    with SQLiteStore(tmp_path / "cache.db") as store:
        site = Site(store=store)
        site.answers(FRESH)
        assert not site.is_hit(PATH_INFO=path, REQUEST_URI="")
        assert site.is_hit(PATH_INFO=path, REQUEST_URI="")
    assert sorted(file.name for file in tmp_path.parent.iterdir()) == before


def test_no_credentials_stand_in_the_file_of_a_store(tmp_path):
    with SQLiteStore(tmp_path / "cache.db") as store:
        site = Site(store=store)
        site.answers("Cache-Control: public, max-age=60", "Vary: Cookie, Authorization")
        secret = {"headers": {"Cookie": "sid=SECRET", "Authorization": "Bearer SECRET"}}
        site.ask(**secret)
        assert site.is_hit(**secret)
    assert not any(b"SECRET" in file.read_bytes() for file in tmp_path.iterdir())


def test_no_credentials_and_no_query_stand_in_what_is_logged(caplog):
    class Broken(MemoryStore):
        def get(self, key):
            raise OSError("down")

    caplog.set_level(logging.DEBUG)
    site = Site(store=Broken())
    site.answers(FRESH, "Vary: Cookie")
    secret = {"headers": {"Cookie": "sid=SECRET", "Authorization": "Bearer SECRET"}}
    for _ in range(5):
        assert site.ask("/a?token=SECRET", **secret).code == 200
    assert caplog.records
    assert "SECRET" not in caplog.text


def test_the_bodies_in_a_store_cannot_be_exchanged_for_one_another():
    store = Open()
    site = Site(store=store)
    site.answers(FRESH)
    for path in ("/a", "/b"):
        site.ask(path)
    one, other = (key for key in store.names() if key.startswith("cache body "))
    mine, theirs = store.get(one), store.get(other)
    store.set(one, theirs)
    store.set(other, mine)
    for path in ("/a", "/b"):
        assert site.ask(path).body not in (mine, theirs)
