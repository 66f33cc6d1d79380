"""Sources of users: accounts, and files of htpasswd that change while they are read."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest
from asking import ask
from auth_helpers import basic, stored, who
from conftest import program

from middleware.auth import Account, AuthMiddleware, Basic, Htpasswd, allow, require
from middleware.errors import ConfigurationError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"ann:{stored('apple')}\nbob:{stored('banana')}\n")
    return path


def write(path, text, moment=None):
    path.write_text(text)
    if moment is not None:
        os.utime(path, (moment, moment))


def test_an_account_does_not_change_and_hides_its_hash():
    account = Account("$secret$", roles=["admin"])
    with pytest.raises(AttributeError):
        account.hash = "other"
    assert "$secret$" not in repr(account)
    assert account == Account("$secret$", roles=["admin"])
    assert account != Account("$secret$")
    with pytest.raises(ConfigurationError, match="list"):
        Account("", roles="admin")


@pytest.mark.parametrize("stored_password", [None, b"hash", 7])
def test_a_stored_password_that_is_no_text_is_refused(stored_password):
    with pytest.raises(ConfigurationError, match="is text"):
        Account(stored_password)


def test_a_source_that_gives_a_password_that_is_no_text_is_503(caplog):
    class Person:
        hash = b"hash"
        roles = ()

    assert ask(AuthMiddleware(who, Basic({"ann": Person()}.get)), headers=basic()).code == 503
    assert "is text" in caplog.text


def test_users_come_from_the_file(file):
    app = AuthMiddleware(who, Basic(Htpasswd(file)))
    assert ask(app, headers=basic()).text == "ann ann Basic"
    assert ask(app, headers=basic("bob", "apple")).code == 401
    assert ask(app, headers=basic("eve", "apple")).code == 401


def test_groups_are_roles(file, tmp_path):
    groups = tmp_path / "groups"
    groups.write_text("# who may what\nadmin: ann eve\nstaff: ann\n\nstaff: bob\nnonsense\n")
    users = Htpasswd(str(file), groups=groups)
    assert users.get("ann").roles == frozenset({"admin", "staff"})
    assert users.get("bob").roles == frozenset({"staff"})
    assert users.get("eve") is None
    app = AuthMiddleware(who, Basic(users), rules=[require("/", role="admin")])
    assert ask(app, headers=basic()).code == 200
    assert ask(app, headers=basic("bob", "banana")).code == 403
    groups.write_text("admin: bob\n")
    assert ask(app, headers=basic()).code == 403
    assert ask(app, headers=basic("bob", "banana")).code == 200


@pytest.mark.parametrize(
    ("line", "user", "found"),
    [
        ("ann:hash", "ann", "hash"),
        ("ann:hash\r", "ann", "hash"),
        ("ann:hash:comment", "ann", "hash"),
        ("ann:hash  ", "ann", "hash"),
        ("#ann:hash", "#ann", None),
        (":hash", "", None),
        ("ann", "ann", None),
        ("ann:first\nann:second", "ann", "first"),
        ("jäsøn:hash", "jäsøn", "hash"),
    ],
)
def test_a_line_is_a_name_and_a_hash(tmp_path, line, user, found):
    path = tmp_path / "users"
    path.write_bytes(line.encode())
    account = Htpasswd(path).get(user)
    assert (account and account.hash) == found


def test_a_name_that_is_not_utf8_is_latin1(tmp_path):
    path = tmp_path / "users"
    path.write_bytes("jäsøn:hash\n".encode("latin-1") + "zoë:hash\n".encode())
    users = Htpasswd(path)
    assert users.get("jäsøn")
    assert users.get("zoë")


def test_a_changed_entry_counts_for_the_next_request(file):
    app = AuthMiddleware(who, Basic(Htpasswd(file)))
    assert ask(app, headers=basic()).code == 200
    file.write_text(f"ann:{stored('pear')}\n")
    assert ask(app, headers=basic()).code == 401
    assert ask(app, headers=basic("ann", "pear")).code == 200
    file.write_text("")
    assert ask(app, headers=basic("ann", "pear")).code == 401


def test_a_file_that_takes_the_place_of_another_is_seen(file, tmp_path):
    users = Htpasswd(file)
    stat = file.stat()
    other = tmp_path / "other"
    other.write_text(file.read_text().replace("ann:", "eve:"))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)  # same size, same time, another inode
    assert users.get("eve")
    assert users.get("ann") is None


def test_a_file_that_does_not_change_is_read_once(file, monkeypatch):
    os.utime(file, (1000, 1000))
    users = Htpasswd(file, clock=lambda: 2000.0)
    monkeypatch.setattr("middleware.auth.users.watched.open", None, raising=False)
    assert users.get("ann")


def test_a_second_change_within_a_tick_of_the_clock_is_seen(file):
    users = Htpasswd(file, clock=lambda: 1000.5)
    write(file, "ann:first", 1000)
    assert users.get("ann").hash == "first"
    stat = file.stat()
    file.write_text("ann:other")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert users.get("ann").hash == "other"


def test_a_change_that_keeps_size_and_mtime_is_seen(file):
    file.write_text("ann:first\n")
    os.utime(file, (1000, 1000))
    users = Htpasswd(file, clock=lambda: 2000.0)
    assert users.get("ann").hash == "first"
    file.write_text("ann:other\n")  # as rsync --inplace --times does
    os.utime(file, (1000, 1000))
    assert users.get("ann").hash == "other"


def test_a_file_whose_time_is_a_little_ahead_of_the_clock_is_read_once_more(file, monkeypatch):
    os.utime(file, (1000, 1000))
    ahead = Htpasswd(file, clock=lambda: file.stat().st_ctime - 1)
    monkeypatch.setattr("middleware.auth.users.watched.open", None, raising=False)
    with pytest.raises(TypeError):
        ahead.get("ann")


def test_a_file_that_never_rests_is_no_reason_to_wait_for_ever(file, monkeypatch):
    users = Htpasswd(file)
    real = os.fstat
    sizes = iter(range(10**6))

    def restless(descriptor):
        stat = list(real(descriptor))
        stat[6] = next(sizes)
        return os.stat_result(stat)

    monkeypatch.setattr("middleware.auth.users.watched.os.fstat", restless)
    with pytest.raises(OSError, match="all the time"):
        users.get("ann")


def test_a_file_that_cannot_be_read_is_an_error_at_construction(tmp_path):
    with pytest.raises(ConfigurationError, match="missing"):
        Htpasswd(tmp_path / "missing")


def test_a_file_that_goes_away_is_503_until_it_is_back(file, caplog):
    app = AuthMiddleware(who, Basic(Htpasswd(file)), rules=[allow("/pub"), require("/")])
    assert ask(app, headers=basic()).code == 200
    text = file.read_text()
    file.unlink()
    assert ask(app, headers=basic()).code == 503
    assert ask(app, "/pub").code == 200
    file.write_text(text)
    assert ask(app, headers=basic()).code == 200


def test_many_threads_read_a_file_that_changes(file):
    users = Htpasswd(file)
    failures = []
    barrier = threading.Barrier(5)

    def read():
        barrier.wait()
        failures.extend(1 for _ in range(200) if users.get("ann") is None)

    def replace():
        barrier.wait()
        for number in range(50):
            fresh = file.with_suffix(f".{number}")
            fresh.write_text(f"ann:{number}\n")
            fresh.replace(file)

    threads = [threading.Thread(target=read) for _ in range(4)] + [threading.Thread(target=replace)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert users.get("ann").hash == "49"


@pytest.mark.slow
def test_files_of_the_real_htpasswd_are_read(tmp_path, caplog):
    htpasswd = program("htpasswd")
    path = tmp_path / "users"

    def add(*options, user, password="apple"):
        create = [] if path.exists() else ["-c"]
        subprocess.run([htpasswd, *create, "-b", *options, str(path), user, password], check=True, capture_output=True)

    options = {
        "ann": ["-B", "-C", "4"],
        "old": ["-m"],
        "older": ["-s"],
        "sha256": ["-2"],
        "sha512": ["-5"],
        "fewer": ["-2", "-r", "1000"],
        "more": ["-5", "-r", "6000"],
    }
    for user, given in options.items():
        add(*given, user=user)
    add("-B", "-C", "4", user="jäsøn", password="päss")
    add("-B", "-C", "4", user="long", password="p" * 72 + "ZZZ")
    add("-d", user="oldest")
    app = AuthMiddleware(who, Basic(Htpasswd(path)))
    for user in options:
        assert ask(app, headers=basic(user, "apple")).code == 200, user
        assert ask(app, headers=basic(user, "pear")).code == 401, user
    assert ask(app, headers=basic("jäsøn", "päss")).code == 200
    assert ask(app, headers=basic("long", "p" * 72 + "ZZZ")).code == 200
    assert ask(app, headers=basic("long", "p" * 72 + "other")).code == 200
    assert ask(app, headers=basic("oldest", "apple")).code == 401
