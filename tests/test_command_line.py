"""`python -m middleware`, as somebody at a terminal uses it."""

from __future__ import annotations

import io
import sys

import pytest

import middleware
from middleware import __main__ as command_line


class Piped(io.StringIO):
    """Standard input."""


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command; what it said and its exit status come back."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", Piped(stdin))
        try:
            status = command_line.main(arguments)
        except SystemExit as exited:
            status = exited.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_each_secret_is_new_and_long_enough_to_sign_with(run):
    secrets = {run("secret")[1].strip() for _ in range(3)}
    assert len(secrets) == 3
    assert all(len(secret) == 43 and secret.replace("-", "").replace("_", "").isalnum() for secret in secrets)


def test_the_version_is_told(run):
    assert run("--version") == (0, f"wsgi-middleware {middleware.__version__}\n", "")


def test_help_names_every_command(run):
    status, out, _ = run("--help")
    assert status == 0
    assert all(command in out for command in ("secret", "auth", "purge", "stores"))


def test_without_a_command_the_help_is_shown_and_the_status_says_wrong_use(run):
    status, out, err = run()
    assert (status, out) == (2, "")
    assert "usage: python -m middleware" in err


@pytest.mark.parametrize(
    "arguments",
    [("auth", "hash", "hunter2"), ("hash",), ("auth",), ("nonsense",), ("stores",), ("stores", "purge"), ("--wrong",)],
)
def test_wrong_use_exits_with_2(run, arguments):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "usage:" in err


@pytest.mark.slow
def test_a_piped_password_is_hashed_and_opens(run):
    from middleware.auth.passwords import verify

    status, out, err = run("auth", "hash", stdin="correct horse\n")
    assert (status, err) == (0, "")
    assert "correct horse" not in out
    assert verify("correct horse", out.strip())
    assert not verify("correct horse\n", out.strip())


def test_no_password_is_wrong_use(run):
    status, out, err = run("auth", "hash", stdin="\n")
    assert (status, out) == (2, "")
    assert "no password" in err


def test_a_password_that_could_never_be_used_is_wrong_use(run):
    status, out, err = run("auth", "hash", stdin="x" * 5000)
    assert (status, out) == (2, "")
    assert "4096 bytes" in err


def test_two_different_passwords_at_the_terminal_are_refused(run, monkeypatch):
    typed = iter(["one", "other"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr(Piped, "isatty", lambda self: True)
    status, out, err = run("auth", "hash")
    assert (status, out) == (2, "")
    assert "not the same" in err


def test_expired_rows_are_purged_on_request(run, tmp_path):
    from middleware import SQLiteStore

    file = tmp_path / "sessions.db"
    with SQLiteStore(file, clock=lambda: 1000.0) as store:
        store.set("old", b"x", ttl=1)
        store.set("kept", b"x")
    assert run("stores", "purge", f"sqlite:///{file}") == (0, "deleted: 1\n", "")
    with SQLiteStore(file, clock=lambda: 1000.0) as store:
        assert store.get("old") is None
        assert store.get("kept") == b"x"


@pytest.mark.slow
def test_the_table_of_an_sql_store_is_made_on_request_by_a_url_that_no_other_user_can_read(run, postgresql):
    from middleware import open_store

    url = postgresql.url("postgresql", "?table=by_command")
    assert run("stores", "purge", "-", stdin=url)[0] == 1
    assert run("stores", "create", "-", stdin=f"{url}\n") == (0, "ready: by_command\n", "")
    assert run("stores", "create", url) == (0, "ready: by_command\n", "")
    with open_store(url) as store:
        store.set("key", b"value")
        assert run("stores", "purge", url) == (0, "deleted: 0\n", "")
        assert store.get("key") == b"value"


def test_a_store_without_a_table_has_none_to_make(run, tmp_path):
    status, out, err = run("stores", "create", f"sqlite:///{tmp_path}/sessions.db")
    assert (status, out) == (1, "")
    assert "SQLiteStore has no table to make" in err


def test_a_store_that_cannot_be_opened_is_told_in_one_line(run):
    status, out, err = run("stores", "purge", "nonsense://")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
