from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError, StoreError
from middleware.stores import MemoryStore, SQLiteStore, open_store


def test_memory_with_its_options():
    store = open_store("memory://?max_bytes=4KiB&when_full=refuse")
    assert isinstance(store, MemoryStore)
    assert "4096 bytes" in repr(store)
    store.set("key", bytes(3000))
    with pytest.raises(StoreError, match="full"):
        store.set("other", bytes(3000))


@pytest.mark.parametrize("url", ["memory://", "memory:///", "memory://?"])
def test_memory_alone(url):
    assert isinstance(open_store(url), MemoryStore)


def test_three_slashes_mean_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///store%20one.db?prefix=a%26b&timeout=500ms") as store:
        assert isinstance(store, SQLiteStore)
        assert repr(store) == f"SQLiteStore({str(tmp_path / 'store one.db')!r}, prefix='a&b')"


@pytest.mark.parametrize(("text", "level"), [("no", 1), ("False", 1), ("off", 1), ("yes", 2), ("true", 2), ("1", 2)])
def test_a_switch_is_yes_or_no(tmp_path, text, level):
    with open_store(f"sqlite:///{tmp_path}/store.db?durable={text}") as store, store._file.connection() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)


def test_four_slashes_mean_an_absolute_path(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        store.set("key", b"value")
    assert (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sessions.db", r"memory://, sqlite://"),
        ("", r"memory://, sqlite://"),
        ("sqlit:///a.db", r"did you mean 'sqlite'\?"),
        ("mongo://localhost", r"there are memory://, sqlite://, redis://"),
        ("memory://?max_byte=1", r"did you mean 'max_bytes'\?"),
        ("memory://?when_full=evcit", r"'evcit' is not one of evict, refuse: did you mean 'evict'\?"),
        ("memory://?max_bytes=64M", r"max_bytes of a memory URL: '64M' is not a size"),
        ("memory://?max_bytes=1", r"max_bytes must be"),
        ("memory://?max_bytes", "key=value"),
        ("memory://?max_bytes=%FF", "key=value"),
        ("memory://?max_bytes=4KiB&max_bytes=8KiB", "twice"),
        ("memory://localhost", "no path"),
        ("sqlite://relative.db", "four slashes"),
        ("sqlite://", "four slashes"),
        ("sqlite:///", "four slashes"),
        ("sqlite:///:memory:", "MemoryStore"),
        ("sqlite:///a.db?prefx=a", r"did you mean 'prefix'\?"),
        ("sqlite:///a.db?clock=1", r"there are prefix, timeout, durable"),
        ("sqlite:///a.db?durable=maybe", r"durable of a sqlite URL: 'maybe' is not one of yes, no"),
        ("sqlite:///a.db?timeout=soon", r"timeout of a sqlite URL: 'soon' is not a duration"),
        ("sqlite:///a.db?timeout=0", r"timeout must be"),
    ],
)
def test_a_wrong_url_is_told_with_what_is_right(url, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=says):
        open_store(url)
    assert not list(tmp_path.iterdir())


def test_a_password_in_a_url_is_not_repeated():
    for url in ("reds://:secret@localhost", "memory://:secret@localhost", ":secret@localhost"):
        with pytest.raises(ConfigurationError) as caught:
            open_store(url)
        assert "secret" not in str(caught.value)


@given(st.text(), st.text())
def test_any_text_is_a_store_or_a_configuration_error(place, query):
    with suppress(ConfigurationError):
        open_store(f"memory://{place}?{query}")
