"""Files of Apache's htpasswd: what a line says, and files that change while they are read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from asking import ask
from auth_helpers import basic, stored, who
from conftest import program
from hypothesis import example, given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Basic, Htpasswd, allow, require
from middleware.auth.users import check_file
from middleware.errors import ConfigurationError, MissingExtra

HASH = stored("apple")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"ann:{stored('apple')}\nbob:{stored('banana')}\n")
    return path


def write(path, text, moment=None):
    path.write_text(text)
    if moment is not None:
        os.utime(path, (moment, moment))


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
        ("ann:hash", "ann", "{PLAIN}hash"),
        ("ann:hash\r", "ann", "{PLAIN}hash"),
        ("ann:hash:comment", "ann", "{PLAIN}hash"),
        ("ann:hash  ", "ann", "{PLAIN}hash"),
        ("ann:{PLAIN}$hash", "ann", "{PLAIN}$hash"),
        (f"ann:{HASH}", "ann", HASH),
        ("#ann:hash", "#ann", None),
        (":hash", "", None),
        ("ann", "ann", None),
        ("ann:", "ann", None),
        ("ann:first\nann:second", "ann", "{PLAIN}first"),
        ("jäsøn:hash", "jäsøn", "{PLAIN}hash"),
        ("ja\u0308søn:hash", "j\u00e4søn", "{PLAIN}hash"),
        ("ann lee:hash", "ann lee", None),
        ("ann:$2y$05$cut", "ann", None),
        ("ann:{SHA}cut", "ann", None),
        ("ann:{PLAIN}", "ann", None),
        ("ann:*0", "ann", None),
        ("ann:!hash", "ann", None),
    ],
)
def test_a_line_is_a_name_and_a_hash(tmp_path, line, user, found):
    path = tmp_path / "users"
    path.write_bytes(line.encode())
    account = Htpasswd(path, plain=True).get(user)
    assert (account and account.hash) == found


def test_a_name_that_is_not_utf8_is_latin1(tmp_path):
    path = tmp_path / "users"
    path.write_bytes("jäsøn:hash\n".encode("latin-1") + "zoë:hash\n".encode())
    users = Htpasswd(path, plain=True)
    assert users.get("jäsøn")
    assert users.get("zoë")


def test_a_changed_entry_counts_for_the_next_request(file):
    app = AuthMiddleware(who, Basic(Htpasswd(file)))
    assert ask(app, headers=basic()).code == 200
    file.write_text(f"ann:{stored('pear')}\n")
    assert ask(app, headers=basic()).code == 401
    assert ask(app, headers=basic("ann", "pear")).code == 200
    file.write_text(f"bob:{HASH}\n")
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
    users = Htpasswd(file, plain=True, clock=lambda: 1000.5)
    write(file, "ann:first", 1000)
    assert users.get("ann").hash == "{PLAIN}first"
    stat = file.stat()
    file.write_text("ann:other")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert users.get("ann").hash == "{PLAIN}other"


def test_a_change_that_keeps_size_and_mtime_is_seen(file):
    file.write_text("ann:first\n")
    os.utime(file, (1000, 1000))
    users = Htpasswd(file, plain=True, clock=lambda: 2000.0)
    assert users.get("ann").hash == "{PLAIN}first"
    file.write_text("ann:other\n")  # as rsync --inplace --times does
    os.utime(file, (1000, 1000))
    assert users.get("ann").hash == "{PLAIN}other"


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
    users = Htpasswd(file, plain=True)
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
    assert users.get("ann").hash == "{PLAIN}49"


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
    for user, wanted in options.items():
        add(*wanted, user=user)
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


def test_a_line_that_cannot_be_used_keeps_its_user_out_and_is_told_once(tmp_path, caplog):
    path = tmp_path / "users"
    lines = [f"ann:{HASH}", "old:KvKUKKR0IbR.A", "two words:x", f"deer:{HASH.replace('ln=4', 'ln=31')}", "empty:"]
    path.write_text("\n".join(lines))
    app = AuthMiddleware(who, Basic(Htpasswd(path)))
    assert ask(app, headers=basic()).code == 200
    for user, password in [("old", "apple"), ("two words", "x"), ("deer", "apple"), ("empty", "")]:
        assert ask(app, headers=basic(user, password)).code == 401
    told = [record.getMessage() for record in caplog.records if "hash.invalid" in record.getMessage()]
    assert [message.partition(", ")[2].partition(":")[0] for message in told] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]
    assert all(str(path) in message for message in told)
    assert "KvKUKKR0IbR.A" not in caplog.text


def test_of_many_bad_lines_some_are_told(tmp_path, caplog):
    path = tmp_path / "users"
    path.write_text("".join(f"user{number}:nonsense\n" for number in range(500)))
    Htpasswd(path)
    assert len(caplog.records) == 11
    assert "500 lines in all" in caplog.text


def test_weak_forms_in_a_file_are_told_once_with_its_name(tmp_path, caplog):
    path = tmp_path / "users"
    path.write_text("ann:{SHA}0L4txCG+T80BcuWvzuo5cOLz2UA=\nbob:{SHA}0L4txCG+T80BcuWvzuo5cOLz2UA=\n")
    Htpasswd(path)
    Basic(Htpasswd(path))
    assert [record.getMessage() for record in caplog.records] == [
        f"auth.hash.weak {path} holds passwords in sha1, which is guessed fast"
    ]


@pytest.mark.parametrize("plain", [False, True])
def test_plain_text_is_a_password_only_where_it_may_be(tmp_path, plain):
    path = tmp_path / "users"
    path.write_text(f"ann:apple\nbob:{{PLAIN}}apple\nzoe:{HASH}\n")
    app = AuthMiddleware(who, Basic(Htpasswd(path, plain=plain)))
    for user in ("ann", "bob"):
        assert ask(app, headers=basic(user)).code == (200 if plain else 401)
        assert ask(app, headers=basic(user, "pear")).code == 401
    assert ask(app, headers=basic("bob", "{PLAIN}apple")).code == 401


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("j\u00e4sön", "ja\u0308sön"), {}),
        (("Ann", "\uff21nn"), {}),
        (("Ann", "ann"), {"case_map": True}),
    ],
    ids=["composed", "wide", "case"],
)
def test_two_spellings_of_one_name_are_an_error(file, names, options, caplog):
    users = Htpasswd(file, **options)
    app = AuthMiddleware(who, Basic(users))
    file.write_text("".join(f"{name}:{HASH}\n" for name in ("zoe", *names)))
    with pytest.raises(ConfigurationError, match="lines 2 and 3 name one user") as refused:
        Htpasswd(file, **options)
    assert HASH not in str(refused.value)
    assert [ask(app, headers=basic(name)).code for name in ("zoe", *names)] == [200, 401, 401], "later"
    assert "lines 2 and 3 spell one name" in caplog.text


def test_capitals_of_names_and_of_members_are_made_small(tmp_path):
    path, groups = tmp_path / "users", tmp_path / "groups"
    path.write_text(f"Ann:{HASH}\nbob:{HASH}\n")
    groups.write_text("admin: ANN bOb\n")
    app = AuthMiddleware(who, Basic(Htpasswd(path, groups, case_map=True)), rules=[require("/", role="admin")])
    for user in ("ann", "Ann", "ANN"):
        assert ask(app, headers=basic(user)).text == "ann ann Basic"
    assert ask(app, headers=basic("BOB")).code == 200


def test_a_file_that_is_read_again_is_told(file, caplog):
    caplog.set_level("INFO")
    users = Htpasswd(file)
    users.get("ann")
    assert "source.reload" not in caplog.text
    file.write_text(f"ann:{HASH}\n")
    for _ in range(3):
        users.get("ann")
    assert caplog.text.count(f"auth.source.reload path='{file}'") == 1


# Putting a password in the place of another

NEW = stored("apple", 5)


def test_a_password_is_replaced_where_it_is_the_one_that_was_read(file):
    users = Htpasswd(file)
    bob = users.get("bob").hash
    assert users.set_hash("ann", NEW, HASH)
    assert (users.get("ann").hash, users.get("bob").hash) == (NEW, bob)
    assert not users.set_hash("ann", HASH, HASH), "it is another one by now"
    assert not users.set_hash("eve", NEW, HASH)
    assert users.get("ann").hash == NEW
    assert [path.name for path in file.parent.iterdir()] == ["users"]


def test_all_else_in_the_file_stays_as_it_is(tmp_path):
    path = tmp_path / "users"
    content = f"# comment\r\n\nann:{HASH}:since 1999\r\nbob:{HASH}\r\nnonsense\nann:second\n".encode()
    content += "zoë:x\n".encode("latin-1") + f"ja\u0308sön:{HASH}".encode()
    path.write_bytes(content)
    users = Htpasswd(path, plain=True)
    assert users.set_hash("ann", NEW, HASH)
    assert users.set_hash("bob", NEW, HASH)
    assert users.set_hash("zoë", NEW, "{PLAIN}x")
    assert users.set_hash("j\u00e4sön", NEW, HASH)
    assert path.read_bytes() == content.replace(HASH.encode(), NEW.encode()).replace(b":x\n", f":{NEW}\n".encode())


def test_mode_and_owner_are_kept_and_a_link_stays_one(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12345, 54321)
    before = file.stat()
    assert Htpasswd(link).set_hash("ann", NEW, HASH)
    after = file.stat()
    assert link.is_symlink()
    assert [getattr(after, name) for name in ("st_mode", "st_uid", "st_gid")] == [
        getattr(before, name) for name in ("st_mode", "st_uid", "st_gid")
    ]
    assert after.st_ino != before.st_ino, "replaced, not written over"


def test_a_file_that_would_change_its_owner_is_left_as_it_is(file, monkeypatch):
    def refuse(*_):
        raise PermissionError("not yours to give")

    real = os.fstat

    def of_another(descriptor):
        monkeypatch.setattr("middleware.auth.users.rewriting.os.fstat", real)
        stat = real(descriptor)
        seen = {name: getattr(stat, name) for name in dir(stat) if name.startswith("st_")}
        return SimpleNamespace(**{**seen, "st_uid": stat.st_uid + 1})

    users, before = Htpasswd(file), file.read_bytes()
    monkeypatch.setattr("middleware.auth.users.rewriting.os.fchown", refuse)
    monkeypatch.setattr("middleware.auth.users.rewriting.os.fstat", of_another)
    with pytest.raises(PermissionError):
        users.set_hash("ann", NEW, HASH)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["users"]


@pytest.mark.parametrize("bad", ["", "a:b", "a\nroot:x", "a\r"])
def test_what_would_be_another_line_is_no_password(file, bad):
    with pytest.raises(ValueError, match="without colons"):
        Htpasswd(file).set_hash("ann", bad, HASH)


def test_what_another_program_writes_meanwhile_is_not_lost(file, monkeypatch):
    real = os.fsync
    written = []

    def meanwhile(descriptor):
        real(descriptor)
        if not written:
            written.append(True)
            fresh = file.with_suffix(".htpasswd")
            fresh.write_text(file.read_text() + f"eve:{HASH}\n")
            fresh.replace(file)

    monkeypatch.setattr("middleware.auth.users.rewriting.os.fsync", meanwhile)
    users = Htpasswd(file)
    assert users.set_hash("ann", NEW, HASH)
    assert (users.get("ann").hash, users.get("eve").hash) == (NEW, HASH)


def test_a_file_that_never_rests_keeps_its_passwords(file, monkeypatch):
    monkeypatch.setattr("middleware.auth.users.rewriting._is_still", lambda path, before: False)
    assert not Htpasswd(file).set_hash("ann", NEW, HASH)
    assert [path.name for path in file.parent.iterdir()] == ["users"]


def test_where_another_process_is_at_it_nothing_is_done(file):
    fcntl = pytest.importorskip("fcntl")
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not Htpasswd(file).set_hash("ann", NEW, HASH)
    assert Htpasswd(file).set_hash("ann", NEW, HASH)


def test_many_at_once_lose_nothing(tmp_path):
    path = tmp_path / "users"
    path.write_text("".join(f"user{number}:{HASH}\n" for number in range(8)))
    users = Htpasswd(path)
    barrier = threading.Barrier(8)
    put = []

    def replace(number):
        barrier.wait(60)
        if users.set_hash(f"user{number}", NEW, HASH):
            put.append(f"user{number}")

    threads = [threading.Thread(target=replace, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert put
    assert {f"user{number}" for number in range(8) if users.get(f"user{number}").hash == NEW} == {*put}


@pytest.mark.parametrize("upgrade", ["argon2id", "scrypt", True, "md5"])
def test_what_apache_cannot_read_is_no_form_to_upgrade_to(file, upgrade):
    with pytest.raises(ConfigurationError, match="Apache"):
        Htpasswd(file, upgrade=upgrade)


def test_an_upgrade_without_bcrypt_names_the_extra(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(MissingExtra, match=r"wsgi-middleware\[bcrypt\]"):
        Htpasswd(file, upgrade="bcrypt")


# What there is to say of a file


def test_each_line_of_a_file_is_judged(tmp_path, monkeypatch):
    path = tmp_path / "users"
    argon2 = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$LcfPRjVFZYmmPDp2OJDW7Q"
    path.write_text(
        f"# users\n\nann:{HASH}\nbob:{{SHA}}0L4txCG+T80BcuWvzuo5cOLz2UA=\nann:{HASH}\n\uff21nn:{HASH}\nAnn:{HASH}\n"
        f"old:KvKUKKR0IbR.A\ntwo words:{HASH}\nnonsense\nplain:{{PLAIN}}x\nnew:{argon2}\n:x\n"
    )
    monkeypatch.setitem(sys.modules, "argon2.low_level", None)
    found = [(each.line, each.user, each.form, *each.problems) for each in check_file(path)]
    assert found == [
        (3, "ann", "scrypt"),
        (4, "bob", "sha1", "weak"),
        (5, "ann", "scrypt", "duplicate"),
        (6, "\uff21nn", "scrypt"),
        (7, "Ann", "scrypt", "same name"),
        (8, "old", None, "invalid password"),
        (9, "two words", "scrypt", "invalid name"),
        (10, "", None, "no user"),
        (11, "plain", None, "invalid password"),
        (12, "new", "argon2id", "missing extra"),
        (13, "", None, "no user"),
    ]
    assert HASH not in repr(check_file(path))
    plain = {each.user: (each.form, *each.problems) for each in check_file(path, plain=True)}
    assert plain["plain"] == plain["old"] == ("plain", "weak")
    assert {each.user: each.problems for each in check_file(path, case_map=True)}["Ann"] == ("same name",)
    with pytest.raises(OSError, match="missing"):
        check_file(tmp_path / "missing")


@given(st.binary(max_size=200), st.booleans(), st.booleans())
@example(b"a:b:c\0:\xff\r\r", True, True)
def test_no_file_makes_reading_or_judging_it_fail(content, plain, case_map):
    from middleware.auth.users.entries import entries_of, findings_of
    from middleware.auth.users.watched import lines_of

    lines = lines_of(content)
    used = {entry.name for entry in entries_of(lines, plain=plain, case_map=case_map) if entry.is_valid}
    good = {each.user for each in findings_of(lines, plain=plain, case_map=case_map) if not {*each.problems} - {"weak"}}
    assert len(good) == len(used - {None})
